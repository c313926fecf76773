// pipeline: a pipeline after validation: modules flattened into steps, every name resolved to an index, every param
// either a value or a template over the pipeline's params. Made by load_pipeline(), read by plan.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/node.h"
#include "pipeline/source.h"

namespace atelier {

enum class Scope { customer, batch };

inline constexpr int most_retries = 100;

struct PipelineParam {
  std::string name;
  Value value;  // the default; its type is the param's type
  SourcePosition position;
};

struct PipelineInput {
  std::string name;
  const PortType* type = nullptr;
  Scope scope = Scope::customer;
  SourcePosition position;
};

// Text with ${names}: pieces of literal text and names in turn, or exactly one name, which takes its type.
struct Template {
  struct Piece {
    std::string text;      // literal, or the name
    bool is_name = false;  // a pipeline param, or "customer"
  };
  std::vector<Piece> pieces;
  bool exact = false;  // "${x}" alone: the value of x with x's type
};

// What `with:` gives a param: a value whose texts may be templates, to any depth of lists.
struct Expression {
  Value value;                    // where `parts` and `text` are empty
  std::vector<Expression> parts;  // the elements of a list with a template somewhere in it; `is_list` is then true
  std::vector<Template> text;     // one template, or none
  bool is_list = false;
};

struct ParamBinding {
  const ParamSpec* spec = nullptr;
  Expression expression;
  SourcePosition position;
};

// Where a port's artifact comes from.
struct Source {
  enum class Kind { input, step } kind = Kind::input;
  std::size_t index = 0;  // into Pipeline::inputs or ::steps
  std::string port;       // of the step
};

struct PortBinding {
  const PortSpec* spec = nullptr;
  std::vector<Source> sources;  // one, or a list in its order
};

struct PipelineStep {
  std::string name;  // with its modules: "target_set.align"
  const Node* node = nullptr;
  std::vector<PortBinding> inputs;              // in the order of the node's spec; a port that is absent is not here
  std::vector<ParamBinding> params;             // those given
  std::optional<int> retries;                   // after a failure that may pass; absent: as the run says
  std::optional<std::chrono::seconds> timeout;  // of each try; absent: none
  Scope scope = Scope::batch;                   // customer where an input, directly or not, or ${customer}, makes it so
  SourcePosition position;
};

struct PipelineOutput {
  std::string name;
  std::size_t step = 0;
  std::string port;
  const PortType* type = nullptr;
  Template path;
  Scope scope = Scope::batch;  // of its step
  SourcePosition position;
};

struct Pipeline {
  std::string name;
  std::filesystem::path file;
  std::vector<PipelineParam> params;
  std::vector<PipelineInput> inputs;
  std::vector<PipelineStep> steps;  // in an order in which each stands after what feeds it
  std::vector<PipelineOutput> outputs;
};

using ParamValues = std::map<std::string, Value, std::less<>>;

// The value of an expression; `values` holds every pipeline param, and "customer" where there is one.
Value evaluate(const Expression& expression, const ParamValues& values);
std::string evaluate(const Template& text, const ParamValues& values);

}  // namespace atelier
