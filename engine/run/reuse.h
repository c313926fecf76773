// run: a result that is reused: it gets the owners that need it now, and is told with what it warned of and showed when
// it was made. For that the ledger is asked, since a plan's records have no provenance.
#pragma once
#include <string>
#include <vector>

#include "run/event_bus.h"
#include "run/key_lease.h"

namespace atelier {

Expected<void> own_reused(Ledger& ledger, KeyLease& lease, const Digest& key, const std::vector<std::string>& owners);
// `told` has what is known of the task; what `record` says is filled in.
void tell_reused(EventBus& events, const Ledger& ledger, TaskReused told, const Record& record);

}  // namespace atelier
