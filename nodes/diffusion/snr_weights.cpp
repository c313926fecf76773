#include "diffusion/snr_weights.h"

#include <ATen/ATen.h>

namespace atelier::diffusion {

at::Tensor signal_to_noise(const NoiseSchedule& schedule, const at::Tensor& t) {
  const at::Tensor signal = schedule.alphas_cumprod().to(t.device()).index_select(0, t);  // [N]
  return (signal.sqrt() / (1 - signal).sqrt()).square();
}

at::Tensor min_snr_weights(const NoiseSchedule& schedule, const at::Tensor& t, double gamma) {
  const at::Tensor snr = signal_to_noise(schedule, t);
  // gamma / snr, not min(snr, gamma) / snr: a schedule of zero terminal SNR has a timestep without any signal.
  if (schedule.prediction() == PredictionType::epsilon) return (gamma / snr).clamp_max(1);
  return snr.clamp_max(gamma) / (snr + 1);
}

}  // namespace atelier::diffusion
