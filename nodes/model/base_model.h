// model: a base model on a device. It is frozen, so its parts are loaded once per device and shared by all tasks; what
// a task adds to it are adapters, arguments of its forward pass.
#pragma once
#include <c10/core/ScalarType.h>

#include <memory>
#include <string>

#include "base/error.h"
#include "diffusion/base_model.h"
#include "graph/context.h"
#include "graph/device.h"
#include "types/model.h"

namespace atelier {

// The base of `model` where it lies on disk, with the configurations and the prediction type that were given beside it;
// configurations read, no weights. Errors: those of BaseModel::open().
Expected<diffusion::BaseModel> open_base(const Model& model);

// The same, and the task is warned of what a user should know: what was decided since the file does not say it, weights
// that are left out.
Expected<diffusion::BaseModel> open_base(const Model& model, Context& context);

// The parts of the base on the device: loaded where they are not there yet in that dtype. On the CPU that is float32.
// A training of the weights is in them, and LoRAs that are merged by another method than the sum; those that are summed
// are not. Errors: those of BaseModel, model_changes() and the changes.
Expected<std::shared_ptr<const diffusion::UNet>> resident_unet(const Model& model, Device& device,
                                                               at::ScalarType dtype = at::kFloat);
Expected<std::shared_ptr<const diffusion::Vae>> resident_vae(const Model& model, Device& device,
                                                             at::ScalarType dtype = at::kFloat);
// One encoder or, in SDXL, two, with their tokenizers.
Expected<std::shared_ptr<const diffusion::TextEncoders>> resident_text_encoders(const Model& model, Device& device,
                                                                                at::ScalarType dtype = at::kFloat);

// Width and height of pictures must be multiples of this, px: what the VAE halves. The UNet takes any size of latents.
std::int64_t size_multiple(const diffusion::BaseModel& base);

// Width and height of the pictures that the base was trained at, px.
std::int64_t native_size(const diffusion::BaseModel& base);

}  // namespace atelier
