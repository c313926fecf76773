// The samplers: what turns a model's predictions into an ever cleaner sample. Number for number as diffusers'
// schedulers of the same names; a file each for a family of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/error.h"
#include "diffusion/scheduler_config.h"

namespace atelier::diffusion {

enum class SamplerKind { ddim, euler, euler_a, dpmpp_2m, dpmpp_2m_karras, dpmpp_sde_karras, unipc };

struct SamplerName {
  SamplerKind kind;
  std::string_view name;   ///< in pipelines and on the command line: "dpmpp_2m_karras"
  std::string_view title;  ///< as WebUI shows it: "DPM++ 2M Karras"
};

/// All samplers, in the order they are listed to people.
std::span<const SamplerName> sampler_names();
const SamplerName& name_of(SamplerKind kind);

/// The sampler of a name. An Error lists the names there are.
Result<SamplerKind> sampler_named(std::string_view name);

/// What a sampler adds while it walks: nothing; noise that is new each time; or the difference of one Brownian path
/// between the two sigmas.
enum class StepNoise { none, fresh, brownian };

/// Noise of unit variance for the way between two sigmas, [N, C, h, w], each row from its own seed.
using DrawNoise = std::function<at::Tensor(double from_sigma, double to_sigma)>;

/// One walk from noise to a clean sample: made for one run and used once, since the multistep solvers remember their
/// last predictions. Rows of a batch are independent of each other. Samples and predictions are [N, C, h, w] float32.
class Sampler {
 public:
  virtual ~Sampler() = default;

  /// The timestep of each call of the model, from noisy to clean; not always integers.
  const std::vector<double>& timesteps() const noexcept { return timesteps_; }
  /// The noise over the signal at each call, and after the last.
  const std::vector<double>& sigmas() const noexcept { return sigmas_; }
  /// Calls of the model for each of the steps that were asked for, 1 or 2; the last step takes one.
  virtual std::size_t calls_per_step() const { return 1; }
  virtual StepNoise step_noise() const { return StepNoise::none; }

  /// What noise of unit variance is multiplied by to be the sample that the first call starts from.
  virtual double initial_scale() const { return 1.0; }
  /// The clean latents with noise of unit variance added as it belongs to a call: where image-to-image starts.
  virtual at::Tensor add_noise(const at::Tensor& clean, const at::Tensor& noise, std::size_t call) const = 0;
  /// What the model sees for the sample at a call.
  virtual at::Tensor model_input(const at::Tensor& sample, std::size_t) const { return sample; }
  /// The sample for the next call, from the model's prediction, guidance applied. Calls are made in order, from any on.
  /// @param noise  asked where step_noise() is not none
  virtual at::Tensor step(const at::Tensor& prediction, const at::Tensor& sample, std::size_t call,
                          const DrawNoise& noise) = 0;

 protected:
  Sampler(std::vector<double> timesteps, std::vector<double> sigmas)
      : timesteps_(std::move(timesteps)), sigmas_(std::move(sigmas)) {}

 private:
  std::vector<double> timesteps_;
  std::vector<double> sigmas_;
};

/// The sampler for `steps` steps. Errors: more steps than the base's timesteps allow; those of NoiseSchedule::create().
Result<std::unique_ptr<Sampler>> make_sampler(SamplerKind kind, const SchedulerConfig& config, int64_t steps);

}  // namespace atelier::diffusion
