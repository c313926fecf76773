// The training of an autoencoder: reconstruction, edges and the posterior's divergence; no discriminator, no network of
// another training.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <vector>

#include "diffusion/adamw.h"
#include "diffusion/ema.h"
#include "diffusion/loss_watch.h"
#include "diffusion/lr_schedule.h"
#include "diffusion/trainer.h"
#include "diffusion/vae.h"
#include "diffusion/vae_losses.h"

namespace atelier::diffusion {

struct VaeTrainingOptions {
  LrSchedule rate{};
  AdamWOptions adamw{};
  double max_gradient_norm = 1.0;  ///< gradients are scaled down to this norm; 0: never
  double ema_decay = 0;            ///< see ema.h; 0: none. Where there is one, what comes out are the averages
  bool train_encoder = true;       ///< false: the decoder alone, so that latents stay what they are
  VaeLossOptions losses{};
  int64_t micro_batch = 0;  ///< pictures per pass, gradients accumulated: equal within rounding; 0: all
};

/// What a step did, before the update.
struct VaeStep {
  double loss = 0, reconstruction = 0, gradient = 0, kl = 0;  ///< see VaeLosses
  double gradient_norm = 0;                                   ///< before clipping
  double rate = 0;
};

class VaeTrainer {
 public:
  /// @param weights  of the whole autoencoder; not changed. It is trained in float32 on `device`. Errors: those of
  /// Vae::create().
  static Result<VaeTrainer> create(const VaeConfig& config, const WeightMap& weights, at::Device device,
                                   VaeTrainingOptions options);

  /// One step of the optimizer. The decoder sees mean + deviation * noise.
  /// @param pictures  [N, in_channels, H, W] in [-1, 1]
  /// @param noise     [N, latent_channels, H / 8, W / 8] normal
  /// Deterministic on the CPU for one thread count. Errors: those of Vae::encode(); another shape of the noise; a loss
  /// that is not finite or explodes (loss_watch.h), with step and learning rate. After an error nothing has changed.
  Result<VaeStep> step(const at::Tensor& pictures, const at::Tensor& noise);

  int64_t steps() const noexcept { return step_; }

  /// The trained weights by the names they came with, float32 on the CPU: the averages where there are any; a copy.
  WeightMap weights() const;

  /// The autoencoder as it would come out now. Errors: those of Vae::create().
  Result<std::shared_ptr<const Vae>> trained() const;

  /// All that is needed to go on to the bit. Names are those of the weights, with `.moment1` and the like behind them.
  TrainerState state() const;
  /// Errors: a missing tensor or another shape, named; nothing has changed then.
  Result<void> restore(const TrainerState& state);

 private:
  VaeTrainer() = default;
  struct Pass;
  Result<Pass> pass(const at::Tensor& pictures, const at::Tensor& noise, double share) const;
  std::map<std::string, at::Tensor> live() const;  // views of all that a state holds but for the counts
  Error broken(const std::string& what) const;

  VaeConfig config_;
  VaeTrainingOptions options_;
  WeightMap all_;                    // the leaves among them
  std::vector<std::string> names_;   // of the leaves
  std::vector<at::Tensor> leaves_;   // [1, …]: the optimizer counts one tenant
  std::vector<at::Tensor> weights_;  // the same memory in the weights' own shapes, which gradients are taken for
  std::shared_ptr<const Vae> vae_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<Ema> ema_;
  LossWatch watch_;
  int64_t step_ = 0;
};

}  // namespace atelier::diffusion
