#include "diffusion/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace atelier::diffusion {

void Sha256::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("OpenSSL has no SHA-256");
}

Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

Result<void> add_file(Sha256& hash, const std::filesystem::path& path, std::size_t offset) {
  constexpr std::size_t block = std::size_t{256} << 10;  // stays in the second cache
  const auto disk_error = [&] {
    return fail(fmt::format("{}: cannot be read: {}", path.string(), std::strerror(errno)));
  };
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
  if (!file || std::setvbuf(file.get(), nullptr, _IONBF, 0) != 0 ||
      ::fseeko(file.get(), static_cast<off_t>(offset), SEEK_SET) != 0)
    return disk_error();
  std::vector<std::byte> buffer(block);
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get()))
    hash.update(std::span(buffer).first(got));
  if (std::ferror(file.get()) != 0) return disk_error();
  return {};
}

}  // namespace atelier::diffusion
