// What a training can be told.
#pragma once

#include <optional>

#include "diffusion/adafactor.h"
#include "diffusion/adamw.h"
#include "diffusion/dropout.h"
#include "diffusion/loss_scale.h"
#include "diffusion/lr_schedule.h"
#include "diffusion/masked_loss.h"

namespace atelier::diffusion {

enum class OptimizerKind { adamw, adafactor };

struct TrainingOptions {
  LrSchedule rate{};                  ///< of the UNet, and of the text encoders where `text_rate` does not say another
  std::optional<double> text_rate{};  ///< peak rate of what belongs to the text encoders, on the same curve

  OptimizerKind optimizer = OptimizerKind::adamw;
  AdamWOptions adamw{};
  AdafactorOptions adafactor{};
  double max_gradient_norm = 1.0;  ///< gradients of a tenant are scaled down to this norm; 0: never

  LossNormalize normalize = LossNormalize::none;
  double unmasked_weight = 0;  ///< what a pixel outside the mask weighs, 0 to 1
  double min_snr_gamma = 0;    ///< see snr_weights.h; 0: all timesteps weigh the same

  double ema_decay = 0;         ///< see ema.h; 0: none. Where there is one, what comes out are the averages
  DropoutOptions dropout{};     ///< of LoRA layers
  StepUniformSource uniform{};  ///< what dropout draws from; needed where there is any
  std::optional<LossScale>
      loss_scale{};       ///< where the scaling of the loss begins; unset: float16 scales, others do not
  int64_t clip_skip = 1;  ///< of text encoders that run in the training: 2 is the penultimate state (SD 1)
  bool gradient_checkpointing =
      false;                ///< activations are computed again for the backward pass: less memory, more time
  int64_t micro_batch = 0;  ///< rows per pass, gradients accumulated: less memory, equal within rounding; on the CPU
                            ///< passes run side by side (pass_threads.h), with the same bits on 1 thread and on more;
                            ///< 0: all
};

}  // namespace atelier::diffusion
