#include "training/training_needs.h"

namespace atelier {
namespace {

constexpr std::int64_t kGuessedSteps = 1000;  // where steps_per_image says it: five photos at the default
constexpr double kGuessedSecondsPerStep = 0.5;
constexpr std::uint64_t kMemoryPerBaseByte = 4;  // float16 file to float32 weights, and as much again for activations

}  // namespace

Needs training_needs(const Params& params, const InputInfo& info) {
  const auto steps = params.given("steps") ? params.integer("steps") : kGuessedSteps;
  const auto base = info.size_bytes.find("base");
  Needs needs;
  needs.seconds = static_cast<double>(steps) * kGuessedSecondsPerStep;
  if (base != info.size_bytes.end()) needs.device_memory_bytes = kMemoryPerBaseByte * base->second;
  return needs;
}

}  // namespace atelier
