#include "plan/reasons.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace atelier {
namespace {

constexpr std::size_t kNamedFiles = 3;   // more would not fit a line
constexpr std::size_t kShownValue = 40;  // characters of a param's value, likewise

std::string shown(const nlohmann::json& json) { return show_param(json, kShownValue); }

std::string params_text(const std::vector<Changes::Param>& params) {
  std::vector<std::string> changes;
  for (const auto& [name, before, now] : params)
    changes.push_back(fmt::format("{} {} -> {}", name, shown(before), shown(now)));
  return changes.empty() ? "" : fmt::format("params changed: {}", fmt::join(changes, ", "));
}

std::string name_of(const Changes::File& file) {
  const bool is_new = file.what == Changes::File::What::is_new, gone = file.what == Changes::File::What::gone;
  return (is_new ? "+" : gone ? "-" : "") + file.name;
}

std::string in_brackets(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  const std::vector<std::string> first(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamedFiles)));
  const std::string more = names.size() > first.size() ? fmt::format(" and {} more", names.size() - first.size()) : "";
  return fmt::format(" ({}{})", fmt::join(first, ", "), more);
}

// By port: what arrives at one from several sources counts once.
std::string inputs_text(const std::vector<Changes::Input>& inputs) {
  std::vector<std::string> words;
  for (auto input = inputs.begin(); input != inputs.end();) {
    const std::string& port = input->port;
    std::vector<std::string> names;
    for (; input != inputs.end() && input->port == port; ++input)
      for (const auto& file : input->files) names.push_back(name_of(file));
    words.push_back(port + in_brackets(names));
  }
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
  const Changes changes = changes_since(memory, spec, params, arrived);
  std::vector<std::string> parts;
  if (const auto& version = changes.node_version)
    parts.push_back(fmt::format("node version {} -> {}", version->first, version->second));
  if (auto text = params_text(changes.params); !text.empty()) parts.push_back(text);
  if (auto text = inputs_text(changes.inputs); !text.empty()) parts.push_back(text);
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
