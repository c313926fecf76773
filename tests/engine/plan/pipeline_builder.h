// A pipeline in a few lines of C++, for tests that are not about YAML.
#pragma once
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "graph/node.h"
#include "pipeline/pipeline.h"

namespace atelier {

class PipelineBuilder {
 public:
  PipelineBuilder(const NodeRegistry& registry, std::string name);

  PipelineBuilder& param(std::string name, Value value);
  PipelineBuilder& input(std::string name, const std::string& type, Scope scope = Scope::customer);
  // Sources are names: an input, a step with one output, or "step.port". Texts of params may hold ${names}.
  using Ports = std::vector<std::pair<std::string, std::vector<std::string>>>;
  using With = std::vector<std::pair<std::string, Value>>;
  PipelineBuilder& step(std::string name, const std::string& node, const Ports& in, const With& with = {});
  PipelineBuilder& output(std::string name, const std::string& from, const std::string& path);

  Pipeline build() const { return pipeline_; }

 private:
  Source source(const std::string& name) const;
  Scope scope_of(const Source& source) const;

  const NodeRegistry& registry_;
  Pipeline pipeline_;
};

}  // namespace atelier
