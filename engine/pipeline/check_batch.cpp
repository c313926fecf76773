#include "pipeline/check_batch.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/check_params.h"
#include "pipeline/output_paths.h"
#include "pipeline/template.h"

namespace atelier {
namespace {

std::set<std::string> names_of(const PipelineStep& step) {
  std::set<std::string> names;
  for (const auto& param : step.params)
    for (auto& name : names_in(param.expression)) names.insert(std::move(name));
  return names;
}

bool meet(const std::set<std::string>& one, const std::set<std::string>& other) {
  return std::ranges::any_of(one, [&](const std::string& name) { return other.contains(name); });
}

std::set<std::string> names_of(const GivenValues& given) {
  std::set<std::string> names;
  for (const auto& [name, value] : given) names.insert(name);
  return names;
}

class ValueChecker {
 public:
  ValueChecker(const Batch& batch, MistakeList& mistakes) : batch_(batch), mistakes_(mistakes) {
    for (const auto& step : batch.pipeline.steps) names_.push_back(names_of(step));
  }

  // Checks all steps that use one of the given names; `what` begins each sentence.
  void check(const ParamValues& values, const std::set<std::string>& changed, const GivenValues& given,
             const SourcePosition& otherwise, const std::string& what, bool customers_only) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const PipelineStep& step = batch_.pipeline.steps[i];
      if (!meet(changed, names_[i]) || (customers_only && step.scope != Scope::customer)) continue;
      for (const auto& mistake : check_params(step, values, &changed))
        mistakes_.add(place_of(step, mistake, given, otherwise),
                      what + owner_of(step.name, mistake) + mistake.sentence);
    }
  }

 private:
  // Where the value stands that is to blame.
  static SourcePosition place_of(const PipelineStep& step, const ParamMistake& mistake, const GivenValues& given,
                                 const SourcePosition& otherwise) {
    for (const auto& binding : step.params) {
      if (mistake.binding && mistake.binding != &binding) continue;
      for (const auto& name : names_in(binding.expression))
        if (const auto found = given.find(name); found != given.end()) return found->second.position;
    }
    return otherwise;
  }

  const Batch& batch_;
  MistakeList& mistakes_;
  std::vector<std::set<std::string>> names_;  // that each step depends on
};

class PathChecker {
 public:
  PathChecker(const Batch& batch, MistakeList& mistakes) : batch_(batch), mistakes_(mistakes) {}

  void check() {
    const ParamValues shared = batch_.values_for(nullptr);
    for (const auto& output : batch_.pipeline.outputs)
      if (output.scope == Scope::batch) claim(output, nullptr, shared);
    for (const auto& customer : batch_.customers) {
      const ParamValues own = batch_.values_for(&customer);
      for (const auto& output : batch_.pipeline.outputs)
        if (output.scope == Scope::customer) claim(output, &customer, own);
    }
  }

 private:
  struct Owner {
    const PipelineOutput* output;
    const Customer* customer;
  };

  static std::string name_of(const Owner& owner) {
    const std::string output = fmt::format("output '{}'", owner.output->name);
    return owner.customer ? fmt::format("{} of customer '{}'", output, owner.customer->id) : output;
  }

  void claim(const PipelineOutput& output, const Customer* customer, const ParamValues& values) {
    const Owner owner{&output, customer};
    const std::string path = evaluate(output.path, values);
    const SourcePosition& position = customer ? customer->position : output.position;
    std::string wrong = path_mistake(path);
    if (wrong.empty()) wrong = output.type->check_output_path(path);
    if (!wrong.empty()) {
      mistakes_.add(position, fmt::format("{}: {}", name_of(owner), wrong));
      return;
    }
    owners_.push_back(owner);
    if (const auto clash = claims_.claim(path, owners_.size() - 1))
      mistakes_.add(position,
                    fmt::format("{}: {}", name_of(owner), clash_sentence(*clash, name_of(owners_[clash->owner]))));
  }

  const Batch& batch_;
  MistakeList& mistakes_;
  PathClaims claims_;
  std::vector<Owner> owners_;
};

}  // namespace

std::set<std::string> params_of_customers(const Pipeline& pipeline) {
  std::set<std::string> names;
  for (const auto& step : pipeline.steps)
    if (step.scope == Scope::customer) names.merge(names_of(step));
  for (const auto& output : pipeline.outputs)
    if (output.scope == Scope::customer)
      for (auto& name : names_in(output.path)) names.insert(std::move(name));
  return names;
}

void check_values(const Batch& batch, const GivenValues& batch_params,
                  const std::vector<CustomerDeclaration>& customers, const GivenValues& settings,
                  MistakeList& mistakes) {
  ValueChecker checker(batch, mistakes);
  const std::set<std::string> set_names = names_of(settings);
  std::set<std::string> batch_names = names_of(batch_params);
  for (const auto& name : set_names) batch_names.erase(name);
  ParamValues shared = batch.values_for(nullptr);
  shared.emplace(customer_name, "${customer}");
  checker.check(shared, batch_names, batch_params, {}, "", false);
  checker.check(shared, set_names, settings, {}, "", false);
  for (std::size_t i = 0; i < customers.size(); ++i) {
    std::set<std::string> own = names_of(customers[i].params);
    for (const auto& name : set_names) own.erase(name);
    own.insert(std::string(customer_name));
    checker.check(batch.values_for(&batch.customers[i]), own, customers[i].params, customers[i].position,
                  fmt::format("customer '{}', ", customers[i].id), true);
  }
}

void check_output_paths(const Batch& batch, MistakeList& mistakes) { PathChecker(batch, mistakes).check(); }

}  // namespace atelier
