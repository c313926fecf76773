// The writing half of safetensors.h.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "diffusion/safetensors.h"

namespace atelier::diffusion {
namespace {

constexpr std::size_t kHeaderAlignment = 8;

const char* dtype_name(at::ScalarType type) {
  switch (type) {
    case at::kBool:
      return "BOOL";
    case at::kByte:
      return "U8";
    case at::kChar:
      return "I8";
    case at::kShort:
      return "I16";
    case at::kInt:
      return "I32";
    case at::kLong:
      return "I64";
    case at::kHalf:
      return "F16";
    case at::kBFloat16:
      return "BF16";
    case at::kFloat:
      return "F32";
    case at::kDouble:
      return "F64";
    default:
      return nullptr;
  }
}

struct Item {
  const std::string* name;
  const at::Tensor* tensor;
  std::size_t bytes;
};

/// Largest elements first: since every size is a power of two, each tensor then begins at a multiple of its own.
std::vector<Item> in_file_order(const WeightMap& tensors) {
  std::vector<Item> items;
  for (const auto& [name, tensor] : tensors) {
    items.push_back({&name, &tensor, static_cast<std::size_t>(tensor.numel()) * tensor.element_size()});
  }
  std::ranges::stable_sort(items, std::greater{}, [](const Item& item) { return item.tensor->element_size(); });
  return items;
}

/// The header behind its length.
std::string header_text(const std::vector<Item>& items, const Metadata& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t at = 0;
  for (const Item& item : items) {
    header[*item.name] = {{"dtype", dtype_name(item.tensor->scalar_type())},
                          {"shape", item.tensor->sizes().vec()},
                          {"data_offsets", {at, at + item.bytes}}};
    at += item.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

}  // namespace

bool visit_safetensors_bytes(const WeightMap& tensors, const Metadata& metadata,
                             const std::function<bool(std::span<const std::byte>)>& visit) {
  const std::vector<Item> items = in_file_order(tensors);
  const std::string header = header_text(items, metadata);
  if (!visit(std::as_bytes(std::span(header)))) return false;
  for (const Item& item : items) {
    const at::Tensor bytes = item.tensor->detach().to(at::kCPU).contiguous();
    if (!visit({static_cast<const std::byte*>(bytes.data_ptr()), item.bytes})) return false;
  }
  return true;
}

Result<void> write_safetensors(const std::filesystem::path& path, const WeightMap& tensors, const Metadata& metadata) {
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined() || dtype_name(tensor.scalar_type()) == nullptr) {
      return fail(fmt::format("{}: tensor '{}' has a dtype that safetensors lacks", path.string(), name));
    }
  }
  const auto disk_error = [&] {
    return fail(fmt::format("{}: cannot be written: {}", path.string(), std::strerror(errno)));
  };
  std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "wbe"));
  if (!file) return disk_error();
  const auto put = [&](std::span<const std::byte> bytes) {
    return bytes.empty() || std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  };
  if (!visit_safetensors_bytes(tensors, metadata, put)) return disk_error();
  if (std::fclose(file.release()) != 0) return disk_error();
  return {};
}

}  // namespace atelier::diffusion
