#include "probe/probe_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <system_error>

#include "diffusion/safetensors.h"

namespace atelier::probe {
namespace {

constexpr const char* kFormatKey = "atelier.format";
constexpr const char* kFormat = "portrait probe 1";

}  // namespace

diffusion::Result<void> write_probe(const ProbeNet& net, const std::filesystem::path& path) {
  diffusion::WeightMap halves;
  for (const auto& [name, weight] : net.weights()) halves[name] = weight.detach().to(at::kHalf);
  std::filesystem::path temporary = path;
  temporary += ".part";
  if (auto written = diffusion::write_safetensors(temporary, halves, {{kFormatKey, kFormat}}); !written) return written;
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) return diffusion::fail(fmt::format("{}: cannot be written: {}", path.string(), error.message()));
  return {};
}

diffusion::Result<ProbeNet> read_probe(const std::filesystem::path& path) {
  const auto file = diffusion::Safetensors::open(path);
  if (!file) return tl::unexpected(file.error());
  const auto format = file->metadata().find(kFormatKey);
  if (format == file->metadata().end() || format->second != kFormat)
    return diffusion::fail(fmt::format("{}: is not a portrait probe; `portrait_probe train` makes one", path.string()));
  const auto tensors = file->tensors();
  if (!tensors) return tl::unexpected(tensors.error());
  return ProbeNet::create(*tensors, path.string());
}

}  // namespace atelier::probe
