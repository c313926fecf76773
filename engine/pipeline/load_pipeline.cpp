#include "pipeline/build_pipeline.h"
#include "pipeline/load.h"

namespace atelier {

Checked<Pipeline> load_pipeline(Files& files, const std::filesystem::path& file, const NodeRegistry& registry) {
  MistakeList mistakes;
  auto pipeline = build_pipeline(files, file.string(), {file.string(), 0, 0}, registry, mistakes);
  if (!pipeline || !mistakes.empty()) return tl::unexpected(mistakes.sorted());
  return std::move(*pipeline);
}

}  // namespace atelier
