// probe: a network's file: safetensors in float16, about 0.8 MB.
#pragma once
#include <filesystem>

#include "diffusion/error.h"
#include "probe/probe_net.h"

namespace atelier::probe {

// Whole or not at all: a temporary file beside it is renamed. Errors: the disk's, with the path.
diffusion::Result<void> write_probe(const ProbeNet& net, const std::filesystem::path& path);

// Errors: what is no safetensors file; one of another network; with the path.
diffusion::Result<ProbeNet> read_probe(const std::filesystem::path& path);

}  // namespace atelier::probe
