// What a single checkpoint file's names and shapes say of the model in it: nothing is read but the header.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "diffusion/config.h"
#include "diffusion/error.h"
#include "diffusion/safetensors.h"

namespace atelier::diffusion {

using TensorEntries = std::map<std::string, TensorEntry>;

struct DetectedModel {
  Architecture architecture = Architecture::sd1;
  UNetConfig unet;
  VaeConfig vae;
  std::vector<TextConfig> text;
};

/// Whether the UNet is there as running averages alone (`model_ema.…`). Where its own weights are there too, those are
/// the model, as WebUI takes it.
bool has_only_averages(const TensorEntries& entries);

/// Which family the file belongs to. Errors, as the rest of a sentence that begins with the file's name: what is known
/// and not supported (the SDXL refiner, inpainting and other UNets of more than 4 channels, SD 3, Flux, LoRAs,
/// ControlNets …), by its name; a file without a UNet, a VAE or text encoders.
Result<Architecture> detect_architecture(const TensorEntries& entries);

/// The configurations that the published models of that family have, with widths, depths and cross-attention size off
/// the weights. Heads are not in weights: SD 1.x has 8 in each block, all else heads of 64; norm groups are 32.
/// SD 2.x's text encoder has one layer less than the file, whose last is never used. Errors: those of
/// detect_architecture(); shapes that no such configuration has, with the advice to give one.
Result<DetectedModel> detect_model(const TensorEntries& entries);

/// Whether a key of a single file that belongs to no weight is known: EMA weights, buffers of the noise schedule,
/// position ids, what only training needs, and in SD 2.x the block behind the `text_layers` that the model uses.
bool known_extra(const std::string& key, Architecture architecture, int64_t text_layers);

}  // namespace atelier::diffusion
