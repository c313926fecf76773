// Fuzz target: any bytes as the CSV file of a batch's customers.
#include "pipeline_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static atelier::fuzz::PipelineWorld world;
  world.files.put("/people.csv", atelier::fuzz::text_of(data, size));
  atelier::fuzz::promise_loaded(atelier::load_batch(world.files, "/night.yaml", world.registry));
  return 0;
}
