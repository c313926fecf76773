// model: a base model on a device. It is frozen, so its parts are loaded once per device and shared by all tasks; what
// a task adds to it are adapters, arguments of its forward pass.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "diffusion/base_model.h"
#include "graph/device.h"
#include "types/model.h"

namespace atelier {

// The base of `model` where it lies on disk, configurations read, no weights. Errors: those of BaseModel::open().
Expected<diffusion::BaseModel> open_base(const Model& model);

// The parts of the base on the device, in float32: loaded where they are not there yet. Errors: those of BaseModel.
Expected<std::shared_ptr<const diffusion::UNet>> resident_unet(const Model& model, Device& device);
Expected<std::shared_ptr<const diffusion::Vae>> resident_vae(const Model& model, Device& device);
Expected<std::shared_ptr<const diffusion::ClipTokenizer>> resident_tokenizer(const Model& model, Device& device);
Expected<std::shared_ptr<const diffusion::ClipTextModel>> resident_text_encoder(const Model& model, Device& device);

// Width and height of pictures must be multiples of this, px: what the VAE and the UNet halve.
std::int64_t size_multiple(const diffusion::BaseModel& base);

// How kohya's tools call the base: "sd_v1", "sd_v2", "sd_v2_v".
std::string version_name(const diffusion::BaseModel& base);

}  // namespace atelier
