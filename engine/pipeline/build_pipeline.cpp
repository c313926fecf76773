#include "pipeline/build_pipeline.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/nearest.h"
#include "pipeline/check_params.h"
#include "pipeline/connect.h"
#include "pipeline/expand.h"
#include "pipeline/order.h"
#include "pipeline/output_paths.h"
#include "pipeline/template.h"
#include "pipeline/yaml_reader.h"

namespace atelier {
namespace {

std::vector<std::string> names_of(const std::vector<ParamSpec>& params) {
  std::vector<std::string> names;
  for (const auto& param : params) names.push_back(param.name);
  return names;
}

// Whether all that the step declares was found: only then is it known what it depends on.
bool is_whole(const ExpandedStep& step, const std::vector<PortBinding>& ports) {
  std::size_t declared = 0, bound = 0;
  for (const auto& port : step.declaration->in) declared += port.references.size();
  for (const auto& port : ports) bound += port.sources.size();
  const auto is_bound = [&](const PortSpec& port) {
    return !port.required || std::ranges::any_of(ports, [&](const auto& binding) { return binding.spec == &port; });
  };
  const auto is_read = [](const ParamDeclaration& param) { return param.expression.has_value(); };
  return declared == bound && step.declaration->in_is_whole && step.declaration->with_is_whole &&
         std::ranges::all_of(step.node->spec().inputs, is_bound) &&
         std::ranges::all_of(step.declaration->with, is_read);
}

// What a param without default wants: "an integer from 1 to 10".
std::string wanted(const ParamSpec& spec) { return mismatch(spec, Value()); }

class PipelineBuilder {
 public:
  PipelineBuilder(const PipelineFiles& files, const NodeRegistry& registry, MistakeList& mistakes)
      : file_(files.pipeline()),
        registry_(registry),
        mistakes_(mistakes),
        expansion_(expand(files, registry, mistakes)),
        connector_(expansion_, registry, mistakes),
        defaults_(default_values(file_.params)) {}

  Pipeline build() {
    result_.name = file_.name.empty() ? file_.path.stem().string() : file_.name;
    result_.file = file_.path;
    result_.params = file_.params;
    for (const auto& input : file_.inputs)
      result_.inputs.push_back({input.name, registry_.find_type(input.type), input.scope, input.position});
    const auto ports = connector_.connect();
    const auto order = ordered(ports);
    for (const std::size_t index : order) add_step(expansion_.steps[index], ports[index]);
    find_scopes();
    for (const auto& output : file_.outputs) add_output(output);
    check_distinct_paths();
    return std::move(result_);
  }

 private:
  // The steps in order, cycles left out and told.
  std::vector<std::size_t> ordered(const std::vector<std::vector<PortBinding>>& ports) {
    std::vector<std::vector<std::size_t>> feeds(ports.size());
    for (std::size_t i = 0; i < ports.size(); ++i)
      for (const auto& port : ports[i])
        for (const auto& source : port.sources)
          if (source.kind == Source::Kind::step) feeds[i].push_back(source.index);
    const StepOrder found = order_steps(feeds);
    for (const auto& cycle : found.cycles) {
      std::vector<std::string> names;
      for (const std::size_t index : cycle) names.push_back(expansion_.steps[index].name());
      mistakes_.add(place_of_cycle(cycle), fmt::format("cycle: {} -> {}", fmt::join(names, " -> "), names.front()));
    }
    place_.assign(ports.size(), 0);
    for (std::size_t i = 0; i < found.order.size(); ++i) place_[found.order[i]] = i;
    has_cycle_ = !found.cycles.empty();
    return found.order;
  }

  // The first step in its file, or, where the cycle goes through modules, the step of the pipeline that uses one.
  SourcePosition place_of_cycle(const std::vector<std::size_t>& cycle) const {
    const ExpandedStep& first = expansion_.steps[cycle.front()];
    const auto at_home = [&](std::size_t i) { return expansion_.steps[i].instance == first.instance; };
    if (std::ranges::all_of(cycle, at_home)) return first.declaration->position;
    const StepDeclaration* step = first.declaration;
    for (const Instance* at = first.instance; at->parent; at = at->parent) step = at->step;
    return step->position;
  }

  void add_step(const ExpandedStep& expanded, const std::vector<PortBinding>& ports) {
    PipelineStep step;
    step.name = expanded.name();
    step.node = expanded.node;
    step.position = expanded.declaration->position;
    step.retries = said(expanded, &StepDeclaration::retries);
    step.timeout = said(expanded, &StepDeclaration::timeout);
    step.inputs = ports;
    for (auto& port : step.inputs)
      for (auto& source : port.sources)
        if (source.kind == Source::Kind::step) source.index = place_[source.index];
    bind_params(step, expanded);
    for (const auto& mistake : check_params(step, defaults_)) {
      const SourcePosition& position = mistake.binding ? mistake.binding->position : step.position;
      const bool at_home = mistake.binding && position.file == expanded.instance->file->file;
      const std::string& name = at_home ? expanded.declaration->name : step.name;
      mistakes_.add(position, owner_of(name, mistake) + mistake.sentence);
    }
    result_.steps.push_back(std::move(step));
    scope_is_known_.push_back(is_whole(expanded, ports));
  }

  // By the step itself, or by the nearest module around it.
  template <class T>
  static std::optional<T> said(const ExpandedStep& expanded, std::optional<T> StepDeclaration::*what) {
    if (expanded.declaration->*what) return expanded.declaration->*what;
    for (const Instance* at = expanded.instance; at->step; at = at->parent)
      if (at->step->*what) return at->step->*what;
    return {};
  }

  void bind_params(PipelineStep& step, const ExpandedStep& expanded) {
    const StepDeclaration& declaration = *expanded.declaration;
    const NodeSpec& spec = expanded.node->spec();
    const auto names = names_of(spec.params);
    for (const auto& given : declaration.with) {
      const ParamSpec* param = spec.param(given.param);
      if (!param) {
        mistakes_.add(
            given.position,
            fmt::format("step '{}': node '{}' has no param '{}'; it has {}{}", declaration.name, spec.name, given.param,
                        names.empty() ? "none" : listed(names), did_you_mean(given.param, names)));
        continue;
      }
      if (!given.expression) continue;
      if (auto composed = expanded.instance->composed(*given.expression))
        step.params.push_back({param, std::move(*composed), giver_of(*expanded.instance, given)});
    }
    if (!declaration.with_is_whole) return;
    for (const auto& param : spec.params)
      if (param.required && !declaration.find_param(param.name))
        mistakes_.add(declaration.position,
                      fmt::format("step '{}': param '{}' is missing; {}", declaration.name, param.name, wanted(param)));
  }

  // Where the value comes from: for a param of a module, what its step was given.
  static SourcePosition giver_of(const Instance& instance, const ParamDeclaration& given) {
    if (instance.step && given.expression)
      for (const auto& name : names_in(*given.expression))
        if (const ParamDeclaration* above = instance.step->find_param(name)) return giver_of(*instance.parent, *above);
    return given.value_position;
  }

  void find_scopes() {
    for (auto& step : result_.steps) {
      const auto is_customers = [&](const Source& source) {
        const Scope scope =
            source.kind == Source::Kind::input ? result_.inputs[source.index].scope : result_.steps[source.index].scope;
        return scope == Scope::customer;
      };
      bool customer = false;
      for (const auto& port : step.inputs) customer = customer || std::ranges::any_of(port.sources, is_customers);
      for (const auto& param : step.params) customer = customer || uses(param.expression, customer_name);
      step.scope = customer ? Scope::customer : Scope::batch;
      // A customer's is a customer's whatever else feeds it.
      const auto index = static_cast<std::size_t>(&step - result_.steps.data());
      bool known = scope_is_known_[index];
      for (const auto& port : step.inputs)
        for (const auto& source : port.sources)
          known = known && (source.kind == Source::Kind::input || scope_is_known_[source.index]);
      scope_is_known_[index] = customer || known;
    }
  }

  void add_output(const OutputDeclaration& declaration) {
    const std::string what = fmt::format("output '{}'", declaration.name);
    if (!declaration.has_path)
      mistakes_.add(declaration.position, fmt::format("{}: has no path; expected 'path: …'", what));
    if (!declaration.from) return;
    const auto found = connector_.resolve(*expansion_.pipeline, *declaration.from, what);
    if (!found) return;
    if (found->source.kind == Source::Kind::input) {
      mistakes_.add(declaration.from->position,
                    fmt::format("{}: '{}' is an input; expected a step", what, declaration.from->text));
      return;
    }
    if (!declaration.path || has_cycle_) return;  // after a cycle no scope is known
    PipelineOutput output;
    output.name = declaration.name;
    output.step = place_[found->source.index];
    output.port = found->source.port;
    output.type = registry_.find_type(found->type);
    output.path = *declaration.path;
    output.scope = result_.steps[output.step].scope;
    output.position = declaration.path_position;
    check_path(output, what);
    result_.outputs.push_back(std::move(output));
  }

  void check_path(const PipelineOutput& output, const std::string& what) {
    const auto tell = [&](const std::string& sentence) {
      if (!sentence.empty()) mistakes_.add(output.position, fmt::format("{}: {}", what, sentence));
    };
    if (output.scope == Scope::batch && scope_is_known_[output.step] && uses(output.path, customer_name))
      tell("it depends on no input of scope customer, so it is written once; expected a path without '${customer}'");
    if (output.scope == Scope::customer && names_in(output.path).empty())
      tell("every customer has one; expected '${customer}' in its path");
    for (const auto& name : names_in(output.path))
      if (!defaults_.contains(name)) return;
    const std::string path = evaluate(output.path, defaults_);
    const std::string wrong = path_mistake(path);
    tell(wrong);
    if (wrong.empty()) tell(output.type->check_output_path(path));
  }

  void check_distinct_paths() {
    PathClaims claims;
    for (std::size_t i = 0; i < result_.outputs.size(); ++i) {
      const PipelineOutput& output = result_.outputs[i];
      Expression expression;
      expression.text.push_back(output.path);
      if (!has_values(expression, defaults_)) continue;
      if (const auto clash = claims.claim(evaluate(output.path, defaults_), i))
        mistakes_.add(
            output.position,
            fmt::format("output '{}': {}", output.name,
                        clash_sentence(*clash, fmt::format("output '{}'", result_.outputs[clash->owner].name))));
    }
  }

  const PipelineFile& file_;
  const NodeRegistry& registry_;
  MistakeList& mistakes_;
  Expansion expansion_;
  Connector connector_;
  ParamValues defaults_;
  std::vector<std::size_t> place_;    // in Pipeline::steps of each expanded step
  std::vector<bool> scope_is_known_;  // of each of Pipeline::steps
  bool has_cycle_ = false;
  Pipeline result_;
};

}  // namespace

std::optional<Pipeline> build_pipeline(Files& files, const std::string& file, const SourcePosition& named_at,
                                       const NodeRegistry& registry, MistakeList& mistakes) {
  const auto read = read_pipeline_files(files, file, named_at, mistakes);
  if (!read) return {};
  return PipelineBuilder(*read, registry, mistakes).build();
}

}  // namespace atelier
