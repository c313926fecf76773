// lora: the port type `lora`. An input is a .safetensors file in kohya's, diffusers' or peft's naming; an output is
// one in kohya's.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "artifact/port_type.h"
#include "base/files.h"

namespace atelier {

// `date` is what the files say of their time, ISO 8601; from SOURCE_DATE_EPOCH or not at all.
std::shared_ptr<const PortType> make_lora_type(Files& files, std::optional<std::string> date = {});

}  // namespace atelier
