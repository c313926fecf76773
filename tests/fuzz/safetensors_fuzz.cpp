// Fuzz target: the safetensors header as Safetensors::open() parses it, and the bytes of every tensor as its tensor()
// takes them, for any bytes at all. Built by tests/fuzz/run with libFuzzer, ASan and UBSan, and into test_fuzz, which
// replays the corpus with the normal compiler.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "diffusion/safetensors_header.h"

namespace {

using atelier::diffusion::parse_safetensors_header;
using atelier::diffusion::tensor_bytes;

constexpr std::size_t kLengthBytes = 8;

/// Reads the file as production does and touches the first and the last byte of every tensor; an access outside of the
/// file is the sanitizer's to find, a broken promise of the header ends the program.
void read_file(std::span<const std::byte> file) {
  const auto header = parse_safetensors_header(file, "fuzz");
  if (!header) {
    if (header.error().message.empty()) std::abort();  // every refusal has its sentence
    return;
  }
  volatile std::byte touched{};
  std::size_t total = 0;
  for (const auto& [name, entry] : header->entries) {
    const auto bytes = tensor_bytes(file, *header, entry);
    total += bytes.size();
    if (bytes.empty()) continue;
    touched = bytes.front();
    touched = bytes.back();
  }
  (void)touched;
  if (header->data_start + total != file.size()) std::abort();  // every byte belongs to exactly one tensor
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  // Copies of the exact size, so that a read past the end is one past an allocation.
  std::vector<std::byte> file(size);
  if (size > 0) std::memcpy(file.data(), data, size);
  read_file(file);

  // The same with the length that the header seems to have: a mutation seldom hits upon it, and behind a wrong one
  // nothing else is tried.
  std::size_t end = size;
  while (end > kLengthBytes && file[end - 1] != std::byte{'}'}) --end;
  if (end <= kLengthBytes) return 0;
  const uint64_t length = end - kLengthBytes;
  std::memcpy(file.data(), &length, kLengthBytes);
  read_file(file);
  return 0;
}
