// The configurations of a diffusers folder from its files.
#pragma once

#include <filesystem>
#include <utility>

#include "diffusion/config.h"
#include "diffusion/json_reader.h"

namespace atelier::diffusion {

/// The configuration in `file`, by one of the parsers of config.h and scheduler_config.h. Errors: the file's, the
/// parser's.
template <class Config>
Result<void> read_config(const std::filesystem::path& file,
                         Result<Config> (*parse)(const nlohmann::json&, const std::string&), Config& config) {
  auto json = read_json_object(file);
  if (!json) return tl::unexpected(json.error());
  auto parsed = parse(*json, file.string());
  if (!parsed) return tl::unexpected(parsed.error());
  config = std::move(*parsed);
  return {};
}

/// The family of a folder with one text encoder or two.
inline Architecture architecture_of(bool two_text_encoders, const UNetConfig& unet) {
  if (two_text_encoders) return Architecture::sdxl;
  return unet.linear_projection ? Architecture::sd2 : Architecture::sd1;
}

}  // namespace atelier::diffusion
