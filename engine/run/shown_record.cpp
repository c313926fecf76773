#include "run/shown_record.h"

namespace atelier {

using Json = nlohmann::json;

Json names_of(const Shown& shown) {
  Json previews = Json::array(), curves = Json::array();
  for (const auto& preview : shown.previews)
    previews.push_back({{"name", preview.name}, {"digest", preview.digest.hex()}});
  for (const auto& [name, curve] : shown.curves) curves.push_back(name);
  return {{"previews", std::move(previews)}, {"curves", std::move(curves)}};
}

Record record_of_shown(const Digest& key, const Artifact& shown) {
  Record record;
  record.key = shown_key(key);
  record.node = "shown";
  record.outputs["shown"] = {digest_of(shown), shown.size_bytes()};
  record.provenance = {{"of", key.hex()}};
  return record;
}

bool showed_anything(const Record& record) { return record.provenance.contains("shown"); }

std::vector<std::string> curves_of(const Record& record) {
  if (!showed_anything(record)) return {};
  return record.provenance["shown"].value("curves", std::vector<std::string>{});
}

void tell_previews(EventBus& events, const TaskRef& task, const Record& record) {
  if (!showed_anything(record)) return;
  for (const auto& preview : record.provenance["shown"].value("previews", Json::array()))
    if (const auto digest = Digest::from_hex(preview.value("digest", "")))
      events.emit(TaskPreview{task, preview.value("name", ""), *digest, record.key});
}

}  // namespace atelier
