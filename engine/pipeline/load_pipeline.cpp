#include "pipeline/build_pipeline.h"
#include "pipeline/load.h"
#include "pipeline/yaml_tree.h"

namespace atelier {

bool is_pipeline(Files& files, const std::filesystem::path& file) {
  const auto text = read_text(files, file);
  if (!text) return false;
  MistakeList mistakes;  // told by whoever loads the file
  const YamlTree tree = read_yaml(file.string(), *text, mistakes);
  const auto has = [&](std::string_view key) { return tree.root.find(key) != nullptr; };
  return tree.root.kind == YamlNode::Kind::map && !has("pipeline") && (has("steps") || !has("customers"));
}

Checked<Pipeline> load_pipeline(Files& files, const std::filesystem::path& file, const NodeRegistry& registry) {
  MistakeList mistakes;
  auto pipeline = build_pipeline(files, file.string(), {file.string(), 0, 0}, registry, mistakes);
  if (!pipeline || !mistakes.empty()) return tl::unexpected(mistakes.sorted());
  return std::move(*pipeline);
}

}  // namespace atelier
