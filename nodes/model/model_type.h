// model: the port types `model`, a base model as a diffusers folder or one checkpoint file, and `model_config`, the
// configurations of a diffusers folder for a checkpoint that does not tell them. An output is a folder or a file, as
// its path says, with the LoRAs fused in.
#pragma once
#include <filesystem>
#include <memory>

#include "artifact/port_type.h"

namespace atelier {

// `tokenizer` is a folder with CLIP's vocab.json and merges.txt: single files have none of their own.
std::shared_ptr<const PortType> make_model_type(const std::filesystem::path& tokenizer = {});
std::shared_ptr<const PortType> make_model_config_type();

}  // namespace atelier
