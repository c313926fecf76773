// artifact: files and folders outside the cache that are a customer's, as the runs tell it: what a purge goes by.
#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>

namespace atelier {

enum class PathKind : std::int64_t {
  input = 0,   // a file, or a folder of files, that was read: a purge forgets their digests and leaves them alone
  output = 1,  // a file or folder that a run wrote
  run = 2,     // a run's folder
};

struct OwnedPath {
  PathKind kind = PathKind::input;
  std::filesystem::path path;  // absolute
  std::string owner;           // as Ledger::commit takes them
};

// The customer of an owner "anna@PLACE"; empty for what a whole batch shares.
inline std::string customer_of(const std::string& owner) {
  const auto at = owner.rfind('@');
  return at == std::string::npos ? owner : owner.substr(0, at);
}

// Whether `path` is `folder` or lies below it; both absolute and normal, without a '/' at their end.
inline bool is_at_or_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

}  // namespace atelier
