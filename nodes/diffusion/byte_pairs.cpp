#include "diffusion/byte_pairs.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <queue>

#include "diffusion/json_reader.h"

namespace atelier::diffusion {
namespace {

constexpr std::string_view kEndOfWord = "</w>";

/// GPT-2's printable stand-in for each byte, in UTF-8: Latin-1's visible characters stand for themselves, the other 68
/// bytes are numbered from U+0100 on.
std::array<std::string, 256> byte_names() {
  const auto visible = [](int b) { return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE; };
  std::array<std::string, 256> names;
  int next = 0x100;
  for (int b = 0; b < 256; ++b) {
    const int point = visible(b) ? b : next++;
    auto& name = names[static_cast<std::size_t>(b)];
    if (point < 0x80) {
      name = static_cast<char>(point);
    } else {
      name = {static_cast<char>(0xC0 | (point >> 6)), static_cast<char>(0x80 | (point & 0x3F))};
    }
  }
  return names;
}

/// The pieces of one word as a linked list over its bytes, so that a merge costs nothing but its neighbours.
struct Symbol {
  int32_t id;
  int previous;
  int next;  ///< -1 at the end; a symbol swallowed by its left neighbour has id -1
};

struct Candidate {
  int32_t rank;
  int at;
  int32_t left, right;  ///< ids when it was queued: a candidate whose symbols have changed since is stale
  bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
};

}  // namespace

Result<BytePairs> BytePairs::open(const std::filesystem::path& folder) {
  const auto path = folder / "vocab.json";
  const auto json = read_json_object(path);
  if (!json) return tl::unexpected(json.error());
  auto pairs = from_vocabulary(*json, path.string());
  if (!pairs) return pairs;
  if (auto ok = pairs->read_merges(folder / "merges.txt"); !ok) return tl::unexpected(ok.error());
  return pairs;
}

Result<BytePairs> BytePairs::create(const nlohmann::json& vocabulary,
                                    std::span<const std::pair<std::string, std::string>> merges,
                                    const std::string& file) {
  auto pairs = from_vocabulary(vocabulary, file);
  if (!pairs) return pairs;
  for (const auto& [left, right] : merges) {
    if (!pairs->add_merge(left, right)) {
      return fail(fmt::format("{}: '{} {}' is not a merge of two entries of its vocabulary", file, left, right));
    }
  }
  return pairs;
}

Result<BytePairs> BytePairs::from_vocabulary(const nlohmann::json& vocabulary, const std::string& file) {
  BytePairs pairs;
  for (const auto& [entry, id] : vocabulary.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) {
      return fail(fmt::format("{}: the id of '{}' is {}, expected a number", file, entry, id.dump()));
    }
    pairs.vocabulary_.emplace(entry, id.get<int32_t>());
  }
  if (auto ok = pairs.find_bytes(file); !ok) return tl::unexpected(ok.error());
  return pairs;
}

Result<void> BytePairs::find_bytes(const std::string& file) {
  const auto names = byte_names();
  for (std::size_t b = 0; b < names.size(); ++b) {
    inner_[b] = static_cast<int32_t>(id_of(names[b]));
    last_[b] = static_cast<int32_t>(id_of(names[b] + std::string(kEndOfWord)));
    if (inner_[b] < 0 || last_[b] < 0) {
      return fail(fmt::format("{}: byte {} has no entry; this is not CLIP's vocabulary", file, b));
    }
  }
  return {};
}

Result<void> BytePairs::read_merges(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(fmt::format("{}: cannot be opened", path.string()));
  std::string line;
  int number = 0;
  while (std::getline(file, line)) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    const auto space = line.find(' ');
    if (space == std::string::npos || !add_merge(line.substr(0, space), line.substr(space + 1))) {
      return fail(fmt::format("{}:{}: '{}' is not a merge of two entries of vocab.json", path.string(), number, line));
    }
  }
  return {};
}

bool BytePairs::add_merge(const std::string& left, const std::string& right) {
  const auto a = id_of(left), b = id_of(right), merged = id_of(left + right);
  if (a < 0 || b < 0 || merged < 0) return false;
  merges_.emplace(pair_key(static_cast<int32_t>(a), static_cast<int32_t>(b)),
                  Merge{static_cast<int32_t>(merges_.size()), static_cast<int32_t>(merged)});
  return true;
}

int64_t BytePairs::id_of(const std::string& entry) const {
  const auto found = vocabulary_.find(entry);
  return found == vocabulary_.end() ? -1 : found->second;
}

std::string BytePairs::entry_of(int64_t id) const {
  const auto found = std::ranges::find_if(vocabulary_, [&](const auto& entry) { return entry.second == id; });
  return found == vocabulary_.end() ? "" : found->first;
}

const BytePairs::Merge* BytePairs::find_merge(int32_t left, int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

std::vector<int64_t> BytePairs::encode(std::string_view piece) const {
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  for (std::size_t i = 0; i < piece.size(); ++i) {
    const auto byte = static_cast<unsigned char>(piece[i]);
    const bool end = i + 1 == piece.size();
    const int at = static_cast<int>(i);
    symbols.push_back({end ? last_[byte] : inner_[byte], at - 1, end ? -1 : at + 1});
  }
  const auto symbol = [&](int at) -> Symbol& { return symbols[static_cast<std::size_t>(at)]; };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](int at) {
    if (at < 0 || symbol(at).next < 0) return;
    const int32_t left = symbol(at).id, right = symbol(symbol(at).next).id;
    if (const Merge* merge = find_merge(left, right)) queue.push({merge->rank, at, left, right});
  };
  for (int at = 0; at < static_cast<int>(symbols.size()); ++at) offer(at);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbol(best.at);
    if (left.id != best.left || left.next < 0 || symbol(left.next).id != best.right) continue;
    Symbol& right = symbol(left.next);
    left.id = find_merge(best.left, best.right)->id;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) symbol(left.next).previous = best.at;
    offer(left.previous);
    offer(best.at);
  }
  std::vector<int64_t> ids;
  for (int at = symbols.empty() ? -1 : 0; at >= 0; at = symbol(at).next) ids.push_back(symbol(at).id);
  return ids;
}

}  // namespace atelier::diffusion
