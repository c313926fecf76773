#include "run/reuse.h"

#include "run/shown_record.h"

namespace atelier {

Expected<void> own_reused(Ledger& ledger, KeyLease& lease, const Digest& key, const std::vector<std::string>& owners) {
  if (const Digest shown = shown_key(key); ledger.find(shown)) {
    lease.add(shown);
    if (auto owned = ledger.add_owners(shown, owners); !owned) return owned;
  }
  return ledger.add_owners(key, owners);
}

void tell_reused(EventBus& events, const Ledger& ledger, TaskReused told, const Record& record) {
  told.key = record.key;
  told.saved_s = record.cost_s;
  if (const auto whole = ledger.find(record.key)) {
    told.made_in = whole->provenance.value("run", "");
    told.curves = curves_of(*whole);
    tell_previews(events, told.task, *whole);
  }
  for (const auto& warning : record.warnings) events.emit(TaskWarning{told.task, warning, true});
  events.emit(std::move(told));
}

}  // namespace atelier
