// Byte-pair encoding: the vocabulary and the merges of CLIP's tokenizer. Sennrich et al. 2016, on bytes as in GPT-2.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "diffusion/error.h"

namespace atelier::diffusion {

class BytePairs {
 public:
  /// Reads vocab.json and merges.txt of a folder. Errors: a file that is missing or not what it should be, a merge of
  /// pieces that the vocabulary lacks, a byte that it lacks.
  static Result<BytePairs> open(const std::filesystem::path& folder);

  /// The same from values: a JSON object of entries and their ids, and the pairs to merge, best first. `file` names
  /// where both are from.
  static Result<BytePairs> create(const nlohmann::json& vocabulary,
                                  std::span<const std::pair<std::string, std::string>> merges, const std::string& file);

  /// The ids of one piece, lowest-ranked pairs merged first, the leftmost of equals; empty for an empty piece.
  std::vector<int64_t> encode(std::string_view piece) const;

  /// The id of a whole vocabulary entry, or -1.
  int64_t id_of(const std::string& entry) const;

  /// The vocabulary entry of an id; empty where it has none.
  std::string entry_of(int64_t id) const;

  std::size_t size() const { return vocabulary_.size(); }

 private:
  struct Merge {
    int32_t rank;
    int32_t id;
  };
  static uint64_t pair_key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  const Merge* find_merge(int32_t left, int32_t right) const;
  static Result<BytePairs> from_vocabulary(const nlohmann::json& vocabulary, const std::string& file);
  Result<void> find_bytes(const std::string& file);
  Result<void> read_merges(const std::filesystem::path& path);
  /// False where the vocabulary lacks one of the parts or their join.
  bool add_merge(const std::string& left, const std::string& right);

  std::unordered_map<std::string, int32_t> vocabulary_;
  std::unordered_map<uint64_t, Merge> merges_;
  std::array<int32_t, 256> inner_{};  ///< id of each byte inside a piece
  std::array<int32_t, 256> last_{};   ///< id of each byte at the end of a piece
};

}  // namespace atelier::diffusion
