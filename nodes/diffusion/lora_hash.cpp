#include "diffusion/lora_hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>

namespace atelier::diffusion {
namespace {

constexpr std::size_t kLegacyBegin = 0x100000, kLegacyEnd = 0x110000, kLegacyDigits = 8;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
      throw std::runtime_error("OpenSSL has no SHA-256");
  }

  void update(std::span<const std::byte> bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string text;
    for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

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
