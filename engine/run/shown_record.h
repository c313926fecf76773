// run: the ledger's word for what a task showed: which previews and curves, by name, so that a task that is reused
// tells them again without opening its content; and a record of the content itself, with the same owners as the result.
#pragma once
#include <string>
#include <vector>

#include "artifact/shown.h"
#include "run/event_bus.h"

namespace atelier {

// Of Record::provenance["shown"].
nlohmann::json names_of(const Shown& shown);

// What was kept under shown_key(key), as the ledger knows it.
Record record_of_shown(const Digest& key, const Artifact& shown);

bool showed_anything(const Record& record);
std::vector<std::string> curves_of(const Record& record);  // names
void tell_previews(EventBus& events, const TaskRef& task, const Record& record);

}  // namespace atelier
