// probe: the training, on pictures made worse in another way at each visit.
#pragma once
#include <cstdint>
#include <functional>

#include "diffusion/error.h"
#include "probe/probe_net.h"
#include "probe/rendered_set.h"

namespace atelier::probe {

struct ProbeTraining {
  std::int64_t steps = 1500;
  std::int64_t batch = 64;
  std::int64_t seed = 0;
  double peak_rate = 3e-3;  // after a twentieth of the steps; falls to zero along half a cosine
};

// What a step found before its update.
struct ProbeStep {
  std::int64_t step = 0;
  double loss = 0;           // words + identity / 2
  double words_loss = 0;     // the mean over the attributes of the cross entropy, in nats
  double identity_loss = 0;  // the mean squared error; 1 for guessing the mean
};

// The losses of answers to a batch, scalars with a gradient.
struct ProbeLosses {
  at::Tensor words, identity;
};
// `values`: [N, A] int64, kUntold counts nothing; `identities`: [N, I].
ProbeLosses probe_losses(const Answers& answers, const at::Tensor& values, const at::Tensor& identities);

// A network trained with AdamW from random weights. `told` is called after each step. Deterministic by the seed for one
// thread count. Errors: a loss that is not finite, with its step.
diffusion::Result<ProbeNet> train_probe(const RenderedSet& set, const ProbeTraining& training,
                                        const std::function<void(const ProbeStep&)>& told);

}  // namespace atelier::probe
