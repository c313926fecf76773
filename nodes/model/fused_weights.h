// model: the weights of a fused model, made from its recipe.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "diffusion/base_model.h"
#include "diffusion/weight_changes.h"
#include "graph/node_spec.h"
#include "graph/params.h"
#include "types/model.h"

namespace atelier {

// A part's weights: the base's as stored, and where a training changed them (Model::changed) those, in float32. Errors:
// those of BaseModel::weights(); a changed weight that the base does not have, or of another shape.
Expected<diffusion::WeightMap> weights_of(const Model& model, const diffusion::BaseModel& base,
                                          diffusion::ModelPart part);

// All of `parts` that a training changed.
Expected<diffusion::PartWeights> changed_parts(const Model& model, const diffusion::BaseModel& base,
                                               const std::vector<diffusion::ModelPart>& parts);

// What a training and the model's LoRAs change in its base: W + sum_i w_i dW_i, accumulated in float32. Nothing of it
// is computed before it is asked for. Errors: those of BaseModel::weights() and diffusion::fusion().
Expected<diffusion::ModelChanges> model_changes(const Model& model, const diffusion::BaseModel& base);

// The model with those weights of each part in place of what it has; weights that are not given stay.
Model with_trained(Model model, const diffusion::PartWeights& trained);

// The param `dtype`: what the weights of a model are written in, by default the base's own; and what it makes of a
// model.
ParamSpec dtype_param();
void set_dtype(Model& model, const Params& params);

}  // namespace atelier
