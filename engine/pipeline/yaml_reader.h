// pipeline: takes what a file says out of its YAML tree, and tells what is not as expected.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "pipeline/mistake_list.h"
#include "pipeline/pipeline.h"
#include "pipeline/yaml_tree.h"

namespace atelier {

// "a, b, c", cut after a dozen.
std::string listed(std::span<const std::string> names);

class YamlReader {
 public:
  YamlReader(const std::string& file, MistakeList& mistakes) : file_(file), mistakes_(mistakes) {}

  SourcePosition position(const YamlNode& node) const { return {file_, node.line, node.column}; }
  SourcePosition position(const YamlNode::Key& key) const { return {file_, key.line, key.column}; }
  void tell(const SourcePosition& position, std::string message) { mistakes_.add(position, std::move(message)); }

  // Each of these answers false, or nothing, after having told why. `what` begins the sentence: "step 'model'".
  bool is_map(const YamlNode& node, std::string_view what);
  // A scalar as it is written, not empty: for ids, names and paths.
  std::optional<std::string> text(const YamlNode& node, std::string_view what);
  std::optional<Value> value(const YamlNode& node, std::string_view what);
  std::optional<Expression> expression(const YamlNode& node, std::string_view what);
  // Letters, digits, '_' and '-'.
  bool name(const YamlNode::Key& key, std::string_view what);
  // "unknown key 'stpes'; a pipeline has name, params, steps; did you mean 'steps'?" for every key that is not allowed.
  void keys(const YamlNode& map, std::string_view owner, std::span<const std::string> allowed);
  void unknown_key(const YamlNode::Key& key, std::string_view owner, std::span<const std::string> allowed);
  // `atelier: 1`, which both kinds of files begin with.
  void format(const YamlNode& root, std::string_view owner);

 private:
  std::optional<Value> scalar(const YamlNode& node, std::string_view what);

  const std::string& file_;
  MistakeList& mistakes_;
};

}  // namespace atelier
