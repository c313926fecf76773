#include "pipeline/expand.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "pipeline/scalar.h"
#include "pipeline/template.h"
#include "pipeline/yaml_reader.h"

namespace atelier {
namespace {

class Expander {
 public:
  Expander(const PipelineFiles& files, const NodeRegistry& registry, MistakeList& mistakes)
      : files_(files), registry_(registry), mistakes_(mistakes), defaults_(default_values(files.pipeline().params)) {}

  Expansion expand() {
    result_.pipeline = std::make_unique<Instance>();
    result_.pipeline->file = &files_.pipeline();
    expand_steps(*result_.pipeline);
    return std::move(result_);
  }

 private:
  void expand_steps(Instance& instance) {
    for (const auto& step : instance.file->steps) {
      if (result_.steps.size() >= most_steps) {
        mistakes_.add(step.position,
                      fmt::format("step '{}': with its modules the pipeline has too many steps; expected "
                                  "at most {}",
                                  step.name, most_steps));
        return;
      }
      if (step.uses_module())
        expand_module(instance, step);
      else if (!step.use.empty())
        expand_node(instance, step);
    }
  }

  void expand_node(Instance& instance, const StepDeclaration& step) {
    const Node* node = registry_.find(step.use);
    if (!node) {
      const auto names = registry_.names();
      mistakes_.add(step.use_position, fmt::format("step '{}': no node is named '{}'; expected one of {}{}", step.name,
                                                   step.use, listed(names), did_you_mean(step.use, names)));
      return;
    }
    instance.steps[step.name] = result_.steps.size();
    result_.steps.push_back({&instance, &step, node});
  }

  void expand_module(Instance& parent, const StepDeclaration& step) {
    const auto found = files_.modules.find(&step);
    if (found == files_.modules.end()) return;
    auto module = std::make_unique<Instance>();
    module->file = found->second;
    module->parent = &parent;
    module->step = &step;
    module->prefix = parent.prefix + step.name + ".";
    check_given(*module->file, step);
    for (const auto& param : module->file->params) module->params[param.name] = meaning_of(parent, step, param);
    Instance& kept = *module;
    parent.modules[step.name] = std::move(module);
    expand_steps(kept);
  }

  void check_given(const PipelineFile& module, const StepDeclaration& step) {
    for (const auto& given : step.with) {
      if (module.find_param(given.param)) continue;
      const auto names = module.param_names();
      mistakes_.add(given.position,
                    fmt::format("step '{}': module '{}' has no param '{}'; it has {}{}", step.name, module.file,
                                given.param, names.empty() ? "none" : listed(names), did_you_mean(given.param, names)));
    }
  }

  Expression meaning_of(const Instance& parent, const StepDeclaration& step, const PipelineParam& param) {
    Expression constant;
    constant.value = param.value;
    const ParamDeclaration* given = step.find_param(param.name);
    if (!given || !given->expression) return constant;
    auto composed = parent.composed(*given->expression);
    if (!composed) return constant;
    if (param.value.absent() || !has_values(*composed, defaults_)) return constant;
    const Value value = evaluate(*composed, defaults_);
    if (fits(param.value, value)) {
      if (composed->text.empty() && !composed->is_list) composed->value = as_type_of(param.value, value);
      return *composed;
    }
    mistakes_.add(given->value_position, fmt::format("step '{}', param '{}': expects {}{}", step.name, param.name,
                                                     expectation(param.value), shown(*given->expression, value)));
    return constant;
  }

  const PipelineFiles& files_;
  const NodeRegistry& registry_;
  MistakeList& mistakes_;
  ParamValues defaults_;
  Expansion result_;
};

}  // namespace

std::optional<Expression> Instance::composed(const Expression& expression) const {
  return compose(expression, [&](std::string_view name) -> const Expression* {
    const auto found = params.find(name);
    return found == params.end() ? nullptr : &found->second;
  });
}

Expansion expand(const PipelineFiles& files, const NodeRegistry& registry, MistakeList& mistakes) {
  return Expander(files, registry, mistakes).expand();
}

ParamValues default_values(const std::vector<PipelineParam>& params) {
  ParamValues values;
  for (const auto& param : params)
    if (!param.value.absent()) values[param.name] = param.value;
  values[std::string(customer_name)] = "${customer}";
  return values;
}

bool has_values(const Expression& expression, const ParamValues& values) {
  return std::ranges::all_of(names_in(expression), [&](const std::string& name) { return values.contains(name); });
}

std::string shown(const Expression& expression, const Value& value) {
  if (!expression.text.empty() && expression.text.front().exact)
    return fmt::format(", '${{{}}}' is {}", expression.text.front().pieces.front().text, value.show());
  return fmt::format(", is {}", value.show());
}

}  // namespace atelier
