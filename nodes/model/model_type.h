// model: the port type `model`. An input is a diffusers folder; an output is one too, with the LoRAs fused in.
#pragma once
#include <memory>

#include "artifact/port_type.h"

namespace atelier {

std::shared_ptr<const PortType> make_model_type();

}  // namespace atelier
