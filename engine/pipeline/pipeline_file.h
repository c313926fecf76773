// pipeline: what a pipeline file declares, before names are looked up: a pipeline and a module are read alike.
#pragma once
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/mistake_list.h"
#include "pipeline/pipeline.h"

namespace atelier {

// `photos`, `person` or `target_set.whole` as it stands after `in:` or `from:`.
struct Reference {
  std::string text;
  SourcePosition position;

  std::string_view head() const;  // the input or step
  std::string_view port() const;  // what follows the dot; empty where there is none
};

struct PortDeclaration {
  std::string port;
  SourcePosition position;
  std::vector<Reference> references;
  bool is_list = false;
  bool is_empty = false;  // a list of nothing, as it was written
};

struct ParamDeclaration {
  std::string param;
  SourcePosition position, value_position;
  std::optional<Expression> expression;  // empty where a mistake was told
};

struct StepDeclaration {
  std::string name;
  SourcePosition position;
  std::string use;  // a node's name or a module's path; empty where a mistake was told
  SourcePosition use_position;
  std::vector<PortDeclaration> in;
  std::vector<ParamDeclaration> with;
  std::optional<int> retries;                     // of a module: of each of its steps that says nothing itself,
  std::optional<std::chrono::seconds> timeout;    // and this likewise
  bool in_is_whole = true, with_is_whole = true;  // false: no port, or param, counts as missing

  bool uses_module() const;
  const PortDeclaration* find_port(std::string_view port) const;
  const ParamDeclaration* find_param(std::string_view param) const;
};

struct InputDeclaration {
  std::string name;
  SourcePosition position;
  std::string type;  // empty where a mistake was told
  SourcePosition type_position;
  Scope scope = Scope::customer;
};

struct OutputDeclaration {
  std::string name;
  SourcePosition position;
  std::optional<Reference> from;  // empty where a mistake was told
  std::optional<Template> path;   // of a module it may be absent
  SourcePosition path_position;
  bool has_path = false;
};

struct PipelineFile {
  std::string file;            // as positions name it
  std::filesystem::path path;  // absolute
  std::string name;
  std::vector<PipelineParam> params;
  std::vector<InputDeclaration> inputs;
  std::vector<StepDeclaration> steps;
  std::vector<OutputDeclaration> outputs;

  const PipelineParam* find_param(std::string_view name) const;
  const InputDeclaration* find_input(std::string_view name) const;
  const StepDeclaration* find_step(std::string_view name) const;
  const OutputDeclaration* find_output(std::string_view name) const;
  std::vector<std::string> param_names() const;
  std::vector<std::string> input_names() const;
  std::vector<std::string> output_names() const;
  std::vector<std::string> source_names() const;  // inputs and steps: what a reference may begin with
};

// Empty where the text is no pipeline at all. What can be said of the file alone is told: shapes, keys, names,
// undefined ${names}.
std::optional<PipelineFile> parse_pipeline(const std::string& file, std::string_view text, MistakeList& mistakes);

}  // namespace atelier
