#include "pipeline/check_params.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "pipeline/expand.h"
#include "pipeline/template.h"

namespace atelier {
namespace {

bool depends_on(const Expression& expression, const std::set<std::string>& names) {
  return std::ranges::any_of(names_in(expression), [&](const std::string& name) { return names.contains(name); });
}

// Before there is a batch the id stands for itself as a text, which is no choice of any param.
bool is_placeholder(const ParamBinding& binding, const ParamValues& values) {
  if (binding.spec->choices.empty() || !uses(binding.expression, customer_name)) return false;
  const auto id = values.find(customer_name);
  return id != values.end() && id->second == Value("${customer}");
}

// "; did you mean 'head'?" for a text that is none of the choices.
std::string near_choice(const ParamSpec& spec, const Value& value) {
  return value.is(ValueType::text) ? did_you_mean(value.text(), spec.choices) : "";
}

}  // namespace

std::vector<ParamMistake> check_params(const PipelineStep& step, const ParamValues& values,
                                       const std::set<std::string>* changed) {
  std::vector<ParamMistake> mistakes;
  std::map<std::string, Value> given;
  bool good = true, touched = !changed;
  for (const auto& binding : step.params) {
    if (!has_values(binding.expression, values)) return mistakes;
    const Value value = evaluate(binding.expression, values);
    const bool concerns = !changed || depends_on(binding.expression, *changed);
    const std::string wrong = is_placeholder(binding, values) ? "" : mismatch(*binding.spec, value);
    if (!wrong.empty() && concerns)
      mistakes.push_back({&binding, wrong + shown(binding.expression, value) + near_choice(*binding.spec, value)});
    good = good && wrong.empty();
    touched = touched || concerns;
    given[binding.spec->name] = value;
  }
  for (const auto& spec : step.node->spec().params) good = good && (!spec.required || given.contains(spec.name));
  for (const auto& port : step.node->spec().inputs) {
    const bool bound = std::ranges::any_of(step.inputs, [&](const auto& b) { return b.spec->name == port.name; });
    good = good && (!port.required || bound);
  }
  if (!good || !touched) return mistakes;
  std::map<std::string, std::size_t> sizes;
  for (const auto& port : step.inputs) sizes[port.spec->name] = port.sources.size();
  for (auto& sentence : step.node->check(Params(step.node->spec(), given), sizes))
    mistakes.push_back({nullptr, std::move(sentence)});
  return mistakes;
}

std::string owner_of(std::string_view step, const ParamMistake& mistake) {
  if (!mistake.binding) return fmt::format("step '{}': ", step);
  return fmt::format("step '{}', param '{}': ", step, mistake.binding->spec->name);
}

}  // namespace atelier
