#include "diffusion/loss_scale.h"

namespace atelier::diffusion {
namespace {

constexpr double kGrowth = 2, kBackOff = 0.5;
constexpr int64_t kGrowthInterval = 2000;

}  // namespace

void LossScale::update(bool overflow) {
  if (overflow) {
    scale *= kBackOff;
    good_steps = 0;
    ++skipped;
  } else if (++good_steps == kGrowthInterval) {
    scale *= kGrowth;
    good_steps = 0;
  }
}

}  // namespace atelier::diffusion
