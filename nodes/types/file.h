// types: file, any one file as it is; and metrics, named numbers that are written as JSON.
#pragma once
#include <memory>

#include "artifact/port_type.h"
#include "base/files.h"

namespace atelier {

// Port type `file`, an input too. An input is one FileRef; what a node makes is the tensor "bytes", u8 [n].
std::shared_ptr<const PortType> make_file_type(Files& files);

// Port type `metrics`: the artifact's metadata is an object of numbers, or of lists of numbers.
std::shared_ptr<const PortType> make_metrics_type(Files& files);

}  // namespace atelier
