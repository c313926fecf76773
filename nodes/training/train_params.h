// training: the params of the training nodes, in groups.
#pragma once
#include <vector>

#include "graph/node_spec.h"

namespace atelier {

struct OptimizerDefaults {
  double rate = 1e-4;
  bool text_rate = false;  // whether text encoders may have a rate of their own
};

std::vector<ParamSpec> lora_params();
std::vector<ParamSpec> embedding_params();
std::vector<ParamSpec> model_params();
std::vector<ParamSpec> length_params();
std::vector<ParamSpec> optimizer_params(const OptimizerDefaults& defaults);
std::vector<ParamSpec> loss_params();
std::vector<ParamSpec> caption_params();
std::vector<ParamSpec> validation_params();
std::vector<ParamSpec> validation_picture_params();
std::vector<ParamSpec> execution_params();

}  // namespace atelier
