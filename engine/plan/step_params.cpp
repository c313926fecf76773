#include "plan/step_params.h"

#include <algorithm>
#include <map>
#include <set>

#include "plan/key.h"

namespace atelier {
namespace {

constexpr std::string_view kCustomer = "customer";

void collect_names(const Expression& expression, std::set<std::string>& names) {
  for (const auto& part : expression.parts) collect_names(part, names);
  for (const auto& text : expression.text)
    for (const auto& piece : text.pieces)
      if (piece.is_name) names.insert(piece.text);
}

// Distinct for distinct values: the type, then the value as a user would write it (texts are quoted).
std::string signature(const std::vector<std::string>& names, const ParamValues& values) {
  std::string all;
  for (const auto& name : names) {
    const auto found = values.find(name);
    const Value value = found == values.end() ? Value() : found->second;
    all += value.absent() ? '-' : static_cast<char>('0' + static_cast<int>(value.type()));
    all += value.show();
    all += '\n';
  }
  return all;
}

EvaluatedParams evaluate_step(const PipelineStep& step, const ParamValues& values) {
  std::map<std::string, Value> given;
  for (const auto& binding : step.params) given[binding.spec->name] = evaluate(binding.expression, values);
  const NodeSpec& spec = step.node->spec();
  auto params = std::make_shared<const Params>(spec, std::move(given));
  const Digest node = node_digest(spec, *params);
  return {std::move(params), node};
}

bool intersect(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::ranges::any_of(a, [&](const std::string& name) { return std::ranges::binary_search(b, name); });
}

}  // namespace

StepParams::StepParams(const Batch& batch) : batch_(batch), steps_(batch.pipeline.steps.size()) {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const PipelineStep& step = batch.pipeline.steps[i];
    std::set<std::string> names;
    for (const auto& binding : step.params) collect_names(binding.expression, names);
    steps_[i].names.assign(names.begin(), names.end());
    steps_[i].uses_customer = names.erase(std::string(kCustomer)) > 0;
    for (const auto& port : step.inputs)
      for (const auto& source : port.sources)
        if (source.kind == Source::Kind::step)
          names.insert(steps_[source.index].reaching.begin(), steps_[source.index].reaching.end());
    steps_[i].reaching.assign(names.begin(), names.end());
  }
  shared_.values = batch.values_for(nullptr);
  plain_.values = shared_.values;
}

const CustomerValues& StepParams::of(const Customer& customer) {
  if (customer.params.empty()) {
    plain_.values.insert_or_assign(std::string(kCustomer), Value(customer.id));
    return plain_;
  }
  own_.values = batch_.values_for(&customer);
  own_.own_changes.clear();
  for (const auto& [name, value] : own_.values) {
    const auto usual = shared_.values.find(name);
    if (name != kCustomer && (usual == shared_.values.end() || usual->second != value))
      own_.own_changes.push_back(name);
  }
  own_.values.insert_or_assign(std::string(kCustomer), Value(customer.id));
  return own_;
}

bool StepParams::concerns(const CustomerValues& values, std::size_t step) const {
  return intersect(values.own_changes, steps_[step].reaching);
}

const EvaluatedParams& StepParams::evaluate(std::size_t index, const CustomerValues& values) {
  Step& step = steps_[index];
  const bool plain = !step.uses_customer && !intersect(values.own_changes, step.names);
  if (plain && step.plain) return *step.plain;
  auto& evaluated = step.by_values[signature(step.names, values.values)];
  if (!evaluated.params) evaluated = evaluate_step(batch_.pipeline.steps[index], values.values);
  if (plain) step.plain = &evaluated;  // references into an unordered_map stay
  return evaluated;
}

}  // namespace atelier
