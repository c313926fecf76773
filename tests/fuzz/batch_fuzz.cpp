// Fuzz target: any bytes as a batch of a right pipeline.
#include "pipeline_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static atelier::fuzz::PipelineWorld world;
  world.files.put("/night.yaml", atelier::fuzz::text_of(data, size));
  atelier::fuzz::promise_loaded(atelier::load_batch(world.files, "/night.yaml", world.registry, {{"share", "0.25"}}));
  return 0;
}
