// types: what the name of a folder of photos says in kohya's naming: `10_sks person` holds photos that are each shown
// 10 times in a round and, where no .txt stands beside them, captioned "sks person".
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace atelier {

// Numbers beyond it are no repeats: `2026_anna` and `20261121_anna` are names with a date.
inline constexpr std::int64_t kMostFolderRepeats = 999;

struct PhotoFolder {
  std::int64_t repeats = 1;  // 1 to kMostFolderRepeats
  std::string caption;       // not empty, one line

  bool operator==(const PhotoFolder&) const = default;
};

// What the name says; empty where it is none in this naming (digits, '_', a text in UTF-8).
std::optional<PhotoFolder> photo_folder(const std::string& name);

// The name that says it: "10_sks person".
std::string name_of(const PhotoFolder& folder);

}  // namespace atelier
