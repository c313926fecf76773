// cli: what `atelier new` writes: a pipeline and a batch to begin with, small and explained line by line.
#pragma once
#include <filesystem>
#include <string>

namespace atelier::cli {

// Photos in, masks out. `schemas` is the folder whose schema editors take.
std::string start_of_pipeline(const std::filesystem::path& schemas);

// A batch of that pipeline, as `pipeline.yaml` beside it, with one customer, whose photos lie in `kStartPhotos`.
std::string start_of_batch(const std::filesystem::path& schemas);
constexpr const char* kStartPhotos = "customers/anna";

}  // namespace atelier::cli
