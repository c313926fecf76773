#include "diffusion/safetensors_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

namespace atelier::diffusion {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

/// The same bound as the format's own implementation: a header longer than this is an attack or not a header.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kLengthBytes = 8;
/// Header, entry, and the lists in it.
constexpr int kMaxDepth = 3;
/// libtorch's own bound for what it computes with.
constexpr std::size_t kMaxDimensions = 64;
/// A name in a message is cut off behind this many bytes.
constexpr std::size_t kMaxPrintedBytes = 200;

struct DtypeSize {
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<DtypeSize, 17> kDtypes{{{"BOOL", 1},
                                             {"U8", 1},
                                             {"I8", 1},
                                             {"I16", 2},
                                             {"I32", 4},
                                             {"I64", 8},
                                             {"F16", 2},
                                             {"BF16", 2},
                                             {"F32", 4},
                                             {"F64", 8},
                                             {"U16", 2},
                                             {"U32", 4},
                                             {"U64", 8},
                                             {"F8_E4M3", 1},
                                             {"F8_E5M2", 1},
                                             {"F8_E8M0", 1},
                                             {"C64", 8}}};

/// A text out of the file for a message: a name may be megabytes long or hold a terminal's control characters.
std::string printable(std::string_view text) {
  std::string shown(text.substr(0, kMaxPrintedBytes));
  if (shown.size() < text.size()) {
    while (!shown.empty() && (static_cast<unsigned char>(shown.back()) & 0x80) != 0) shown.pop_back();
    shown += "…";
  }
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return shown;
}

/// Watches the parser: names that come twice would otherwise be resolved silently, the last one wins, and depth would
/// grow as the file likes.
class HeaderWatch {
 public:
  bool operator()(int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    const bool opens = event == Event::object_start || event == Event::array_start;
    if (opens && depth >= kMaxDepth) too_deep_ = true;
    if (too_deep_) return false;
    const auto level = static_cast<std::size_t>(depth);
    if (event == Event::object_start) seen_.at(level).clear();
    if (event == Event::key && !seen_.at(level - 1).insert(value.get_ref<const std::string&>()).second && !duplicate_)
      duplicate_ = {depth, value.get<std::string>()};
    return true;
  }

  bool too_deep() const { return too_deep_; }
  /// What came twice, as a message without the file's name; empty where nothing did.
  std::string duplicate() const {
    if (!duplicate_) return {};
    return fmt::format("{} '{}' is listed twice", duplicate_->first == 1 ? "tensor" : "key",
                       printable(duplicate_->second));
  }

 private:
  std::array<std::set<std::string>, kMaxDepth> seen_;  // the keys of the open object at each level
  std::optional<std::pair<int, std::string>> duplicate_;
  bool too_deep_ = false;
};

Result<nlohmann::json> parse_json(std::string_view text, const std::string& file) {
  HeaderWatch watch;
  auto header = nlohmann::json::parse(text, std::ref(watch), /*allow_exceptions=*/false);
  if (watch.too_deep()) return fail(fmt::format("{}: not a safetensors file: its header is nested too deeply", file));
  if (header.is_discarded() || !header.is_object())
    return fail(fmt::format("{}: not a safetensors file: its header is not a JSON object", file));
  if (const std::string duplicate = watch.duplicate(); !duplicate.empty())
    return fail(fmt::format("{}: {}", file, duplicate));
  return header;
}

/// Elements times element size; nothing where that, or what libtorch makes of the other sizes when one is 0, overflows.
std::optional<std::size_t> byte_size(const std::vector<int64_t>& shape, std::size_t element) {
  int64_t bytes = static_cast<int64_t>(element);
  bool empty = false;
  for (const int64_t n : shape) {
    if (n == 0) empty = true;
    if (n != 0 && __builtin_mul_overflow(bytes, n, &bytes)) return std::nullopt;
  }
  return empty ? 0 : static_cast<std::size_t>(bytes);
}

bool is_count(const nlohmann::json& value) {
  return value.is_number_unsigned() && value.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX);
}

Result<TensorEntry> parse_entry(const nlohmann::json& value, const std::string& where) {
  const auto bad = [&](std::string_view what) { return fail(fmt::format("{}: {}", where, what)); };
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets"))
    return bad("expected an object with dtype, shape and data_offsets");
  const auto &dtype = value["dtype"], &shape = value["shape"], &offsets = value["data_offsets"];
  if (!dtype.is_string()) return bad("its dtype is not a text");
  if (!shape.is_array() || !std::ranges::all_of(shape, is_count)) return bad("its shape is not a list of sizes");
  if (shape.size() > kMaxDimensions)
    return bad(fmt::format("its shape has {} dimensions, more than {}", shape.size(), kMaxDimensions));
  if (!offsets.is_array() || offsets.size() != 2 || !std::ranges::all_of(offsets, is_count))
    return bad("its data_offsets are not two byte offsets");
  TensorEntry entry{dtype.get<std::string>(), shape.get<std::vector<int64_t>>(), offsets[0].get<std::size_t>(),
                    offsets[1].get<std::size_t>()};
  const auto element = element_bytes(entry.dtype);
  if (!element) return bad(fmt::format("its dtype '{}' is not known", printable(entry.dtype)));
  const auto bytes = byte_size(entry.shape, *element);
  if (!bytes || entry.end < entry.begin || entry.end - entry.begin != *bytes)
    return bad(fmt::format("its shape [{}] of {} does not fill its data_offsets [{}, {}]", fmt::join(entry.shape, ", "),
                           entry.dtype, entry.begin, entry.end));
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
    if (entry->end > data_bytes)
      return fail(
          fmt::format("{}: tensor '{}' ends at byte {} of the data, which has {}: the file is cut off or damaged", file,
                      printable(*name), entry->end, data_bytes));
    if (entry->begin != at)
      return fail(fmt::format("{}: tensor '{}' begins at byte {} of the data where {} was expected: the offsets {}",
                              file, printable(*name), entry->begin, at, entry->begin < at ? "overlap" : "leave a gap"));
    at = entry->end;
  }
  if (at != data_bytes) return fail(fmt::format("{}: {} bytes follow the last tensor", file, data_bytes - at));
  return {};
}

Result<Metadata> parse_metadata(const nlohmann::json& value, const std::string& file) {
  if (!value.is_object()) return fail(fmt::format("{}: its __metadata__ is not an object of texts", file));
  Metadata metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) return fail(fmt::format("{}: metadata '{}' is not a text", file, printable(key)));
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

Result<SafetensorsHeader> parse_entries(const nlohmann::json& json, const std::string& file) {
  SafetensorsHeader header;
  for (const auto& [key, value] : json.items()) {
    if (key == "__metadata__") {
      auto metadata = parse_metadata(value, file);
      if (!metadata) return tl::unexpected(metadata.error());
      header.metadata = std::move(*metadata);
      continue;
    }
    auto entry = parse_entry(value, fmt::format("{}: tensor '{}'", file, printable(key)));
    if (!entry) return tl::unexpected(entry.error());
    header.entries[key] = std::move(*entry);
  }
  return header;
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

std::optional<std::size_t> element_bytes(std::string_view dtype) {
  const auto* found = std::ranges::find(kDtypes, dtype, &DtypeSize::name);
  if (found == kDtypes.end()) return std::nullopt;
  return found->bytes;
}

Result<void> refuse_pickle(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 5> kPickles{".ckpt", ".bin", ".pt", ".pth", ".pkl"};
  if (std::ranges::find(kPickles, path.extension().string()) != kPickles.end())
    return tl::unexpected(pickle_error(path.string()));
  return {};
}

Result<SafetensorsHeader> parse_safetensors_header(std::span<const std::byte> file, const std::string& name) {
  if (looks_like_pickle(file)) return tl::unexpected(pickle_error(name));
  if (file.size() < kLengthBytes)
    return fail(fmt::format("{}: not a safetensors file: it has {} bytes", name, file.size()));
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), kLengthBytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > file.size() - kLengthBytes)
    return fail(fmt::format("{}: not a safetensors file, or cut off: its header would have {} bytes, the file has {}",
                            name, header_bytes, file.size()));
  const auto json = parse_json({reinterpret_cast<const char*>(file.data()) + kLengthBytes, header_bytes}, name);
  if (!json) return tl::unexpected(json.error());
  auto header = parse_entries(*json, name);
  if (!header) return header;
  header->data_start = kLengthBytes + header_bytes;
  if (auto tiled = check_tiling(header->entries, file.size() - header->data_start, name); !tiled)
    return tl::unexpected(tiled.error());
  return header;
}

std::span<const std::byte> tensor_bytes(std::span<const std::byte> file, const SafetensorsHeader& header,
                                        const TensorEntry& entry) {
  return file.subspan(header.data_start + entry.begin, entry.end - entry.begin);
}

}  // namespace atelier::diffusion
