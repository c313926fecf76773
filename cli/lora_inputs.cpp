#include "cli/lora_inputs.h"

#include <fmt/format.h>
#include <algorithm>
#include <future>

#include "cli/printable.h"
#include "diffusion/lora_operations.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::BaseModel;
using diffusion::LoraSource;
using diffusion::RankLimit;
using diffusion::Result;

void tell_of_skipped(const LoraSource& source) {
  const auto& skipped = source.updates.skipped;
  if (skipped.empty()) return;
  print_note(fmt::format("{}: {} unknown key{} left out, the first is '{}'", source.path.string(), skipped.size(),
                         skipped.size() == 1 ? " is" : "s are", skipped.front()));
}

// The source is open already, beside others.
Result<OpenLora> made_lora(const fs::path& path, Result<LoraSource> source, const BaseModel* base,
                           const std::optional<RankLimit>& limit) {
  if (!source) return tl::unexpected(source.error());
  tell_of_skipped(*source);
  if (base != nullptr)
    if (auto fits = diffusion::check_architecture(source->updates.lora, base->architecture(), path.string()); !fits)
      return tl::unexpected(fits.error());
  auto lora = diffusion::lora_of(*source, {.base = base, .limit = limit});
  if (!lora) return tl::unexpected(lora.error());
  for (const auto& note : lora->notes) print_note(note);
  return OpenLora{*std::move(source), std::move(lora->lora)};
}

bool needs_base(const OpenLora& one) { return !one.source.updates.magnitudes.empty(); }

}  // namespace

at::ScalarType OpenLoras::widest() const {
  at::ScalarType widest = loras.front().source.dtype;
  for (const auto& one : loras) widest = at::promoteTypes(widest, one.source.dtype);
  return widest == at::kDouble ? at::kFloat : widest;
}

Result<BaseModel> open_base(const Program& program, const fs::path& path, const fs::path& config) {
  auto base = BaseModel::open(path, {.config = config, .tokenizer = program.home / "models/clip-tokenizer"});
  if (base)
    for (const auto& note : base->notes()) print_note(note);
  return base;
}

Result<OpenLoras> open_loras(const Program& program, std::span<const fs::path> paths, const ReadOptions& options,
                             const std::optional<RankLimit>& limit) {
  std::optional<BaseModel> base;
  if (!options.base.empty()) {
    auto opened = open_base(program, options.base);
    if (!opened) return tl::unexpected(opened.error());
    base = *std::move(opened);
  }
  std::vector<std::future<Result<LoraSource>>> opening;  // reading and hashing take time
  for (const auto& path : paths)
    opening.push_back(std::async(std::launch::async, diffusion::open_lora, path, options.skip_unknown));
  OpenLoras all;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    auto one = made_lora(paths[i], opening[i].get(), base ? &*base : nullptr, limit);
    if (!one) return tl::unexpected(one.error());
    all.loras.push_back(*std::move(one));
  }
  if (base && std::ranges::any_of(all.loras, needs_base)) {
    auto hash = diffusion::hash_of(*base);
    if (!hash) return tl::unexpected(hash.error());
    all.base_hash = *std::move(hash);
  }
  return all;
}

void print_note(const std::string& note) { fmt::print(stderr, "note: {}\n", printable(note)); }

}  // namespace atelier::cli
