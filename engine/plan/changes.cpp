#include "plan/changes.h"

#include <algorithm>

#include "plan/reasons.h"

namespace atelier {
namespace {

Value value_of(const nlohmann::json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (!json.is_array()) return {};
  Value::List all;
  for (const auto& item : json) all.push_back(value_of(item));
  return all;
}

std::vector<Changes::Param> changed_params(const nlohmann::json& then, const nlohmann::json& now) {
  std::vector<Changes::Param> changes;
  for (const auto& [name, value] : now.items()) {
    const auto before = then.find(name);
    const nlohmann::json old = before == then.end() ? nlohmann::json() : *before;
    if (old != value) changes.push_back({name, old, value});
  }
  for (const auto& [name, value] : then.items())
    if (!now.contains(name)) changes.push_back({name, value, {}});
  return changes;
}

bool is_file(const std::string& name) { return name.find('/') != std::string::npos; }
std::string port_of(const std::string& name) { return name.substr(0, name.find_first_of("[/")); }

// The files below `prefix` ("photos/"): name to digest.
ArrivedInputs files_below(const std::string& prefix, const ArrivedInputs& all) {
  ArrivedInputs files;
  for (auto i = all.lower_bound(prefix); i != all.end() && i->first.starts_with(prefix); ++i)
    files[i->first.substr(prefix.size())] = i->second;
  return files;
}

// Which files make the difference; none where they were not remembered.
std::vector<Changes::File> changed_files(const std::string& input, const ArrivedInputs& then,
                                         const ArrivedInputs& now) {
  using What = Changes::File::What;
  const auto before = files_below(input + "/", then), after = files_below(input + "/", now);
  if (before.empty() || after.empty()) return {};
  std::vector<Changes::File> files;
  for (const auto& [file, digest] : after) {
    const auto old = before.find(file);
    if (old == before.end())
      files.push_back({What::is_new, file});
    else if (old->second != digest)
      files.push_back({What::changed, file});
  }
  for (const auto& [file, digest] : before)
    if (!after.contains(file)) files.push_back({What::gone, file});
  return files;
}

std::vector<Changes::Input> changed_inputs(const NodeSpec& spec, const ArrivedInputs& then, const ArrivedInputs& now) {
  std::vector<Changes::Input> changed;
  for (const auto& [name, digest] : now) {
    if (is_file(name) || digest.empty()) continue;
    const auto old = then.find(name);
    if (old != then.end() && old->second == digest) continue;
    changed.push_back({port_of(name), name, changed_files(name, then, now)});
  }
  for (const auto& [name, digest] : then)
    if (!is_file(name) && !now.contains(name)) changed.push_back({port_of(name), name});
  const auto place = [&](const Changes::Input& input) {
    return std::ranges::find(spec.inputs, input.port, &PortSpec::name) - spec.inputs.begin();
  };
  std::erase_if(changed, [&](const auto& input) { return !spec.input(input.port); });
  std::ranges::stable_sort(changed, {}, place);
  return changed;
}

}  // namespace

Changes changes_since(const StepMemory& memory, const NodeSpec& spec, const Params& params,
                      const ArrivedInputs& arrived) {
  Changes changes;
  if (memory.node_version != spec.version) changes.node_version = {memory.node_version, spec.version};
  changes.params = changed_params(memory.params, remembered_params(spec, params));
  changes.inputs = changed_inputs(spec, memory.inputs, arrived);
  return changes;
}

std::string show_param(const nlohmann::json& value, std::optional<std::size_t> most_characters) {
  const std::string text = value_of(value).show();
  if (!most_characters || text.size() <= *most_characters) return text;
  std::size_t end = *most_characters - 1;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not within a UTF-8 character
  return text.substr(0, end) + "…";
}

}  // namespace atelier
