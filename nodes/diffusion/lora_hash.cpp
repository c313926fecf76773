#include "diffusion/lora_hash.h"

#include <algorithm>

#include "diffusion/sha256.h"

namespace atelier::diffusion {
namespace {

constexpr std::size_t kLegacyBegin = 0x100000, kLegacyEnd = 0x110000, kLegacyDigits = 8;

std::string model_hash(const LoraFile& file) {
  Sha256 hash;
  bool header = true;
  visit_safetensors_bytes(file.tensors, {}, [&](std::span<const std::byte> bytes) {
    if (!header) hash.update(bytes);
    header = false;
    return true;
  });
  return hash.hex();
}

std::string legacy_hash(const LoraFile& file) {
  Metadata training;
  for (const auto& [key, value] : file.metadata)
    if (key.starts_with("ss_")) training[key] = value;
  Sha256 hash;
  std::size_t at = 0;
  visit_safetensors_bytes(file.tensors, training, [&](std::span<const std::byte> bytes) {
    const std::size_t begin = std::clamp(kLegacyBegin, at, at + bytes.size());
    const std::size_t end = std::clamp(kLegacyEnd, at, at + bytes.size());
    hash.update(bytes.subspan(begin - at, end - begin));
    at += bytes.size();
    return at < kLegacyEnd;
  });
  return hash.hex().substr(0, kLegacyDigits);
}

}  // namespace

KohyaHashes kohya_hashes(const LoraFile& file) { return {model_hash(file), legacy_hash(file)}; }

void add_kohya_hashes(LoraFile& file) {
  const KohyaHashes hashes = kohya_hashes(file);
  file.metadata["sshs_model_hash"] = hashes.model;
  file.metadata["sshs_legacy_hash"] = hashes.legacy;
}

}  // namespace atelier::diffusion
