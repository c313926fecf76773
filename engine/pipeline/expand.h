// pipeline: modules become steps. An instance is one use of a file: the pipeline itself, or a module in a step.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/node.h"
#include "pipeline/mistake_list.h"
#include "pipeline/modules.h"

namespace atelier {

struct Instance {
  const PipelineFile* file = nullptr;
  const Instance* parent = nullptr;       // null for the pipeline
  const StepDeclaration* step = nullptr;  // of the parent, which uses this
  std::string prefix;                     // "target_set." before the names of its steps
  // What each param stands for, over the pipeline's params; empty for the pipeline, whose names stand for themselves.
  std::map<std::string, Expression, std::less<>> params;
  std::map<std::string, std::size_t, std::less<>> steps;  // into Expansion::steps
  std::map<std::string, std::unique_ptr<Instance>, std::less<>> modules;

  // The expression over the pipeline's params; empty where a list would stand within a text, which was told.
  std::optional<Expression> composed(const Expression& expression) const;
};

// A step that is a node, wherever it stands.
struct ExpandedStep {
  const Instance* instance = nullptr;
  const StepDeclaration* declaration = nullptr;
  const Node* node = nullptr;

  std::string name() const { return instance->prefix + declaration->name; }
};

struct Expansion {
  std::unique_ptr<Instance> pipeline;
  std::vector<ExpandedStep> steps;  // in the order of the files, a module's where its step stands
};

inline constexpr std::size_t most_steps = 10'000;  // modules in modules multiply; nobody means more

// Looks up nodes and the params that modules are given, and tells those that are not there.
Expansion expand(const PipelineFiles& files, const NodeRegistry& registry, MistakeList& mistakes);

// The pipeline's defaults, and "${customer}" for the customer: what is checked before there is a batch.
ParamValues default_values(const std::vector<PipelineParam>& params);
// Whether all that the expression names has a value; where not, that was told.
bool has_values(const Expression& expression, const ParamValues& values);
// ", is 80", or ", '${steps}' is 80" where a template gave it.
std::string shown(const Expression& expression, const Value& value);

}  // namespace atelier
