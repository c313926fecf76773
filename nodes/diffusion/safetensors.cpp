#include "diffusion/safetensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "diffusion/mapped_file.h"

namespace atelier::diffusion {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

/// The same bound as the format's own implementation: a header longer than this is an attack or not a header.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kLengthBytes = 8;

struct Dtype {
  std::string_view name;
  std::size_t bytes;
  std::optional<at::ScalarType> torch;  ///< none where this torch has no such type
};
constexpr std::array<Dtype, 14> kDtypes{{{"BOOL", 1, at::kBool},
                                         {"U8", 1, at::kByte},
                                         {"I8", 1, at::kChar},
                                         {"I16", 2, at::kShort},
                                         {"I32", 4, at::kInt},
                                         {"I64", 8, at::kLong},
                                         {"F16", 2, at::kHalf},
                                         {"BF16", 2, at::kBFloat16},
                                         {"F32", 4, at::kFloat},
                                         {"F64", 8, at::kDouble},
                                         {"U16", 2, std::nullopt},
                                         {"U32", 4, std::nullopt},
                                         {"U64", 8, std::nullopt},
                                         {"F8_E4M3", 1, std::nullopt}}};

const Dtype* find_dtype(std::string_view name) {
  const auto* found = std::ranges::find(kDtypes, name, &Dtype::name);
  return found == kDtypes.end() ? nullptr : found;
}

/// Duplicate names would otherwise be resolved silently, last one wins.
Result<nlohmann::json> parse_header(std::string_view text, const std::string& file) {
  std::set<std::string> seen;
  std::string duplicate;
  const auto note_key = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (depth == 1 && event == nlohmann::json::parse_event_t::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!seen.insert(key).second && duplicate.empty()) duplicate = key;
    }
    return true;
  };
  auto header = nlohmann::json::parse(text, note_key, false);
  if (header.is_discarded() || !header.is_object()) {
    return fail(fmt::format("{}: not a safetensors file: its header is not a JSON object", file));
  }
  if (!duplicate.empty()) return fail(fmt::format("{}: tensor '{}' is listed twice", file, duplicate));
  return header;
}

/// Elements times element size; nothing on overflow.
std::optional<std::size_t> byte_size(const std::vector<int64_t>& shape, std::size_t element) {
  std::size_t bytes = element;
  for (const int64_t n : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::size_t>(n), &bytes)) return std::nullopt;
  }
  return bytes;
}

bool is_count(const nlohmann::json& value) {
  return value.is_number_unsigned() && value.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX);
}

Result<TensorEntry> parse_entry(const nlohmann::json& value, const std::string& where) {
  const auto bad = [&](std::string_view what) { return fail(fmt::format("{}: {}", where, what)); };
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets")) {
    return bad("expected an object with dtype, shape and data_offsets");
  }
  const auto &dtype = value["dtype"], &shape = value["shape"], &offsets = value["data_offsets"];
  if (!dtype.is_string()) return bad("its dtype is not a text");
  if (!shape.is_array() || !std::ranges::all_of(shape, is_count)) return bad("its shape is not a list of sizes");
  if (!offsets.is_array() || offsets.size() != 2 || !std::ranges::all_of(offsets, is_count)) {
    return bad("its data_offsets are not two byte offsets");
  }
  TensorEntry entry{dtype.get<std::string>(), shape.get<std::vector<int64_t>>(), offsets[0].get<std::size_t>(),
                    offsets[1].get<std::size_t>()};
  const Dtype* known = find_dtype(entry.dtype);
  if (known == nullptr) return bad(fmt::format("its dtype '{}' is not known", entry.dtype));
  const auto bytes = byte_size(entry.shape, known->bytes);
  if (!bytes || entry.end < entry.begin || entry.end - entry.begin != *bytes) {
    return bad(fmt::format("its shape {} of {} does not fill its data_offsets [{}, {}]", shape_text(entry.shape),
                           entry.dtype, entry.begin, entry.end));
  }
  return entry;
}

/// The format allows neither overlaps nor gaps, so in the order of their offsets the tensors tile the data.
Result<void> check_tiling(const std::map<std::string, TensorEntry>& entries, std::size_t data_bytes,
                          const std::string& file) {
  std::vector<std::pair<const std::string*, const TensorEntry*>> order;
  for (const auto& [name, entry] : entries) order.emplace_back(&name, &entry);
  std::ranges::stable_sort(order, {}, [](const auto& item) { return std::pair(item.second->begin, item.second->end); });
  std::size_t at = 0;
  for (const auto& [name, entry] : order) {
    if (entry->end > data_bytes) {
      return fail(
          fmt::format("{}: tensor '{}' ends at byte {} of the data, which has {}: the file is cut off or damaged", file,
                      *name, entry->end, data_bytes));
    }
    if (entry->begin != at) {
      return fail(fmt::format("{}: tensor '{}' begins at byte {} of the data where {} was expected: the offsets {}",
                              file, *name, entry->begin, at, entry->begin < at ? "overlap" : "leave a gap"));
    }
    at = entry->end;
  }
  if (at != data_bytes) {
    return fail(fmt::format("{}: {} bytes follow the last tensor", file, data_bytes - at));
  }
  return {};
}

Result<Metadata> parse_metadata(const nlohmann::json& value, const std::string& file) {
  Metadata metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) return fail(fmt::format("{}: metadata '{}' is not a text", file, key));
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

/// torch.save writes a zip archive, older ones a bare pickle (opcode PROTO, 0x80).
bool looks_like_pickle(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && (std::memcmp(bytes.data(), "PK", 2) == 0 || bytes[0] == std::byte{0x80}) &&
         (bytes.size() < kLengthBytes + 1 || bytes[kLengthBytes] != std::byte{'{'});
}

Error pickle_error(const std::string& file) {
  return {
      fmt::format("{}: a pickle, which runs code of whoever made it when it is opened, so it is refused; convert it "
                  "with a tool you trust, for instance safetensors' convert.py, and give the .safetensors file",
                  file)};
}

}  // namespace

std::string shape_text(at::IntArrayRef shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Result<void> refuse_pickle(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 5> kPickles{".ckpt", ".bin", ".pt", ".pth", ".pkl"};
  if (std::ranges::find(kPickles, path.extension().string()) != kPickles.end()) {
    return tl::unexpected(pickle_error(path.string()));
  }
  return {};
}

Result<Safetensors> Safetensors::open(const std::filesystem::path& path) {
  const std::string name = path.string();
  if (auto refused = refuse_pickle(path); !refused) return tl::unexpected(refused.error());
  auto mapped = MappedFile::open(path);
  if (!mapped) return tl::unexpected(mapped.error());
  const auto bytes = (*mapped)->bytes();
  if (looks_like_pickle(bytes)) return tl::unexpected(pickle_error(name));
  if (bytes.size() < kLengthBytes) {
    return fail(fmt::format("{}: not a safetensors file: it has {} bytes", name, bytes.size()));
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > bytes.size() - kLengthBytes) {
    return fail(fmt::format("{}: not a safetensors file, or cut off: its header would have {} bytes, the file has {}",
                            name, header_bytes, bytes.size()));
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, header_bytes);
  auto header = parse_header(text, name);
  if (!header) return tl::unexpected(header.error());

  Safetensors file;
  file.path_ = path;
  file.file_ = *mapped;
  file.data_start_ = kLengthBytes + header_bytes;
  for (const auto& [key, value] : header->items()) {
    if (key == "__metadata__") {
      auto metadata = parse_metadata(value, name);
      if (!metadata) return tl::unexpected(metadata.error());
      file.metadata_ = std::move(*metadata);
      continue;
    }
    auto entry = parse_entry(value, fmt::format("{}: tensor '{}'", name, key));
    if (!entry) return tl::unexpected(entry.error());
    file.entries_[key] = std::move(*entry);
  }
  if (auto tiled = check_tiling(file.entries_, bytes.size() - file.data_start_, name); !tiled) {
    return tl::unexpected(tiled.error());
  }
  return file;
}

Result<at::Tensor> Safetensors::tensor(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return fail(fmt::format("{}: has no tensor '{}'", path_.string(), name));
  const TensorEntry& entry = found->second;
  const Dtype* dtype = find_dtype(entry.dtype);
  if (!dtype->torch) {
    return fail(fmt::format("{}: tensor '{}': its dtype {} is not supported; F16, BF16 and F32 are", path_.string(),
                            name, entry.dtype));
  }
  const auto options = at::TensorOptions().dtype(*dtype->torch);
  if (entry.begin == entry.end) return at::empty(entry.shape, options);
  const std::byte* data = file_->bytes().data() + data_start_ + entry.begin;
  if (reinterpret_cast<std::uintptr_t>(data) % dtype->bytes != 0) {
    at::Tensor copy = at::empty(entry.shape, options);
    std::memcpy(copy.data_ptr(), data, entry.end - entry.begin);
    return copy;
  }
  return at::from_blob(
      const_cast<std::byte*>(data), entry.shape, [keep = file_](void*) {}, options);
}

Result<WeightMap> Safetensors::tensors() const {
  WeightMap all;
  for (const auto& [name, entry] : entries_) {
    auto one = tensor(name);
    if (!one) return tl::unexpected(one.error());
    all.emplace(name, std::move(*one));
  }
  return all;
}

}  // namespace atelier::diffusion
