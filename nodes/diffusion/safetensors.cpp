#include "diffusion/safetensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "diffusion/mapped_file.h"

namespace atelier::diffusion {
namespace {

struct TorchDtype {
  std::string_view name;
  at::ScalarType torch;
};
/// The format knows more; libtorch 1.13 has no such types.
constexpr std::array<TorchDtype, 10> kDtypes{{{"BOOL", at::kBool},
                                              {"U8", at::kByte},
                                              {"I8", at::kChar},
                                              {"I16", at::kShort},
                                              {"I32", at::kInt},
                                              {"I64", at::kLong},
                                              {"F16", at::kHalf},
                                              {"BF16", at::kBFloat16},
                                              {"F32", at::kFloat},
                                              {"F64", at::kDouble}}};

std::optional<at::ScalarType> torch_dtype(std::string_view name) {
  const auto* found = std::ranges::find(kDtypes, name, &TorchDtype::name);
  if (found == kDtypes.end()) return std::nullopt;
  return found->torch;
}

}  // namespace

std::string shape_text(at::IntArrayRef shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Result<Safetensors> Safetensors::open(const std::filesystem::path& path) {
  if (auto refused = refuse_pickle(path); !refused) return tl::unexpected(refused.error());
  auto mapped = MappedFile::open(path);
  if (!mapped) return tl::unexpected(mapped.error());
  auto header = parse_safetensors_header((*mapped)->bytes(), path.string());
  if (!header) return tl::unexpected(header.error());
  Safetensors file;
  file.path_ = path;
  file.file_ = *mapped;
  file.header_ = *std::move(header);
  return file;
}

Result<at::Tensor> Safetensors::tensor(const std::string& name) const {
  const auto found = entries().find(name);
  if (found == entries().end()) return fail(fmt::format("{}: has no tensor '{}'", path_.string(), name));
  const TensorEntry& entry = found->second;
  const auto dtype = torch_dtype(entry.dtype);
  if (!dtype)
    return fail(fmt::format("{}: tensor '{}': its dtype {} is not supported; F16, BF16 and F32 are", path_.string(),
                            name, entry.dtype));
  const auto options = at::TensorOptions().dtype(*dtype);
  const auto bytes = tensor_bytes(file_->bytes(), header_, entry);
  if (bytes.empty()) return at::empty(entry.shape, options);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % at::elementSize(*dtype) != 0) {
    at::Tensor copy = at::empty(entry.shape, options);
    std::memcpy(copy.data_ptr(), bytes.data(), bytes.size());
    return copy;
  }
  return at::from_blob(
      const_cast<std::byte*>(bytes.data()), entry.shape, [keep = file_, bytes](void*) { keep->forget(bytes); },
      options);
}

Result<WeightMap> Safetensors::tensors() const {
  WeightMap all;
  for (const auto& [name, entry] : entries()) {
    auto one = tensor(name);
    if (!one) return tl::unexpected(one.error());
    all.emplace(name, std::move(*one));
  }
  return all;
}

}  // namespace atelier::diffusion
