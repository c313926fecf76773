#include "plan/decision.h"

#include <algorithm>

namespace atelier {
namespace {

// A checkpoint is looked for only where a node makes some: each look is an access to the disk.
std::optional<nlohmann::json> checkpoint_of(Store& store, const NodeSpec& spec, const Digest& key) {
  return spec.param("checkpoint_every") ? store.checkpoint_metadata(key) : std::nullopt;
}

}  // namespace

std::shared_ptr<const Record> usable_record(const Ledger& ledger, const NodeSpec& spec, const Digest& key) {
  auto record = ledger.find(key);
  if (!record) return nullptr;
  const auto has_output = [&](const PortSpec& port) { return record->outputs.contains(port.name); };
  if (!std::ranges::all_of(spec.outputs, has_output)) return nullptr;
  record->provenance = nlohmann::json::object();  // a plan of a million tasks has no room for it
  return std::make_shared<const Record>(std::move(*record));
}

std::string run_reason(const PlanSeams& seams, const StepPlace& place, const NodeSpec& spec, const Params& params,
                       const std::optional<Digest>& key, const std::function<ArrivedInputs()>& arrived,
                       const std::function<std::string()>& waits_for) {
  if (key)
    if (const auto checkpoint = checkpoint_of(seams.store, spec, *key)) return partial_reuse(*checkpoint, params);
  const auto memory = seams.ledger.last_step(place.batch, place.customer, place.step);
  if (!memory) return "new";
  if (auto text = difference(spec, params, arrived(), *memory); !text.empty()) return text;
  if (!key) return waits_for();
  return memory->key == *key ? "no longer in the cache" : "cache format changed";
}

}  // namespace atelier
