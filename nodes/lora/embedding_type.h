// lora: the port type `embedding`. An input is a .safetensors file of a textual inversion in kohya's, WebUI's or
// diffusers' layout; an output is one in kohya's, whose word is its file's name.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "artifact/port_type.h"
#include "base/files.h"

namespace atelier {

// `date` is what the files say of their time, ISO 8601; from SOURCE_DATE_EPOCH or not at all.
std::shared_ptr<const PortType> make_embedding_type(Files& files, std::optional<std::string> date = {});

}  // namespace atelier
