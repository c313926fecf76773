// support: the port types of test_nodes.h.
#pragma once
#include <memory>

#include "artifact/port_type.h"
#include "base/files.h"

namespace atelier {

std::shared_ptr<const PortType> make_text_type(Files& files);
std::shared_ptr<const PortType> make_texts_type(Files& files);
std::shared_ptr<const PortType> make_tally_type(Files& files);
std::shared_ptr<const PortType> make_blend_type(Files& files);

}  // namespace atelier
