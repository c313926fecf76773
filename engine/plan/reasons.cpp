#include "plan/reasons.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace atelier {
namespace {

constexpr std::size_t kNamedFiles = 3;   // more would not fit a line
constexpr std::size_t kShownValue = 40;  // characters of a param's value, likewise

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

std::string shown(const nlohmann::json& json) {
  const std::string text = value_of(json).show();
  if (text.size() <= kShownValue) return text;
  std::size_t end = kShownValue - 1;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not within a UTF-8 character
  return text.substr(0, end) + "…";
}

std::string changed_params(const nlohmann::json& then, const nlohmann::json& now) {
  std::vector<std::string> changes;
  for (const auto& [name, value] : now.items()) {
    const auto before = then.find(name);
    const nlohmann::json old = before == then.end() ? nlohmann::json() : *before;
    if (old != value) changes.push_back(fmt::format("{} {} -> {}", name, shown(old), shown(value)));
  }
  for (const auto& [name, value] : then.items())
    if (!now.contains(name)) changes.push_back(fmt::format("{} {} -> none", name, shown(value)));
  return changes.empty() ? "" : fmt::format("params changed: {}", fmt::join(changes, ", "));
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

// Which files make the difference; nothing where they were not remembered.
void name_files(const std::string& input, const ArrivedInputs& then, const ArrivedInputs& now,
                std::vector<std::string>& names) {
  const auto before = files_below(input + "/", then), after = files_below(input + "/", now);
  if (before.empty() || after.empty()) return;
  for (const auto& [file, digest] : after) {
    const auto old = before.find(file);
    if (old == before.end())
      names.push_back("+" + file);
    else if (old->second != digest)
      names.push_back(file);
  }
  for (const auto& [file, digest] : before)
    if (!after.contains(file)) names.push_back("-" + file);
}

std::string in_brackets(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  const std::vector<std::string> first(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamedFiles)));
  const std::string more = names.size() > first.size() ? fmt::format(" and {} more", names.size() - first.size()) : "";
  return fmt::format(" ({}{})", fmt::join(first, ", "), more);
}

std::string changed_inputs(const NodeSpec& spec, const ArrivedInputs& then, const ArrivedInputs& now) {
  std::map<std::string, std::vector<std::string>> changed;  // port to files
  for (const auto& [name, digest] : now) {
    if (is_file(name) || digest.empty()) continue;
    const auto old = then.find(name);
    if (old != then.end() && old->second == digest) continue;
    name_files(name, then, now, changed[port_of(name)]);
  }
  for (const auto& [name, digest] : then)
    if (!is_file(name) && !now.contains(name)) changed[port_of(name)];
  std::vector<std::string> words;
  for (const auto& port : spec.inputs)
    if (const auto found = changed.find(port.name); found != changed.end())
      words.push_back(port.name + in_brackets(found->second));
  return words.empty() ? "" : fmt::format("input changed: {}", fmt::join(words, ", "));
}

}  // namespace

ArrivedInputs arrived_inputs(const std::vector<PlanInput>& inputs, const NodeSpec& spec,
                             const std::vector<TaskPort>& ports, const SourceDigest& digest_of_source) {
  ArrivedInputs arrived;
  for (const auto& port : ports) {
    const PortSpec* declared = spec.input(port.name);
    for (std::size_t i = 0; i < port.sources.size(); ++i) {
      const TaskSource& source = port.sources[i];
      const std::string name =
          declared && declared->many ? fmt::format("{}[{}]", port.name, i) : std::string(port.name);
      const auto digest = digest_of_source(source);
      arrived[name] = digest ? digest->hex() : "";
      if (source.kind != TaskSource::Kind::input) continue;
      const auto& files = inputs[source.index].artifact.files;
      if (files.size() > kRememberedFiles) continue;
      for (const auto& file : files) arrived[name + "/" + file.name] = file.digest.hex();
    }
  }
  return arrived;
}

nlohmann::json remembered_params(const NodeSpec& spec, const Params& params) {
  auto all = nlohmann::json::object();
  for (const auto& [name, value] : params.in_key(spec)) all[name] = value.json();
  return all;
}

std::string difference(const NodeSpec& spec, const Params& params, const ArrivedInputs& arrived,
                       const StepMemory& memory) {
  std::vector<std::string> parts;
  if (memory.node_version != spec.version)
    parts.push_back(fmt::format("node version {} -> {}", memory.node_version, spec.version));
  if (auto text = changed_params(memory.params, remembered_params(spec, params)); !text.empty()) parts.push_back(text);
  if (auto text = changed_inputs(spec, memory.inputs, arrived); !text.empty()) parts.push_back(text);
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string partial_reuse(const nlohmann::json& checkpoint, const Params& params) {
  const auto step = checkpoint.find("step");
  if (step == checkpoint.end() || !step->is_number_integer()) return "reused: partly, from a checkpoint";
  std::optional<std::int64_t> steps;
  if (const auto found = checkpoint.find("steps"); found != checkpoint.end() && found->is_number_integer())
    steps = found->get<std::int64_t>();
  const auto param = params.all().find("steps");
  if (!steps && param != params.all().end() && param->second.is(ValueType::integer)) steps = param->second.integer();
  const std::string of = steps ? fmt::format(" of {}", *steps) : "";
  return fmt::format("reused: partly, training at step {}{}", step->get<std::int64_t>(), of);
}

}  // namespace atelier
