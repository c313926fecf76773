// training: what the training nodes declare of themselves, and what of their params excludes what.
//
// There is a node for each thing that comes out, for a node's ports are fixed: `train` learns a LoRA, `train_embedding`
// a word (textual inversion), `train_model` the base's own weights (DreamBooth, fine-tuning). Pivotal tuning is
// `train_embedding` first and then `train` with its embedding. All three share their params, their steps and their
// checkpoints; params are named as kohya's tools and diffusers name them.
#pragma once
#include <string>
#include <vector>

#include "graph/node_spec.h"
#include "graph/params.h"

namespace atelier {

NodeSpec train_spec();
NodeSpec train_embedding_spec();
NodeSpec train_model_spec();

// What is wrong with the params of any of the three, one sentence each.
std::vector<std::string> training_mistakes(const NodeSpec& spec, const Params& params);

// Of those, what length and learning rate may get wrong: `steps`, `warmup_steps`, `restarts` and `schedule`.
std::vector<std::string> schedule_mistakes(const Params& params);

}  // namespace atelier
