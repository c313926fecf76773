// Fuzz target: any bytes as a pipeline, and as the module of a right one.
#include "pipeline/draw.h"
#include "pipeline_world.h"

namespace atelier::fuzz {
namespace {

void load(const std::string& stranger, std::string_view bytes) {
  static PipelineWorld world;
  const std::string before = world.files.text(stranger).value();
  world.files.put(stranger, bytes);
  (void)is_pipeline(world.files, stranger);
  const auto pipeline = load_pipeline(world.files, "/p.yaml", world.registry);
  promise_loaded(pipeline);
  if (pipeline) promise(!draw_dot(*pipeline).empty() && !draw_mermaid(*pipeline).empty());
  world.files.put(stranger, before);
}

}  // namespace
}  // namespace atelier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = atelier::fuzz::text_of(data, size);
  atelier::fuzz::load("/p.yaml", bytes);
  atelier::fuzz::load("/m.yaml", bytes);
  return 0;
}
