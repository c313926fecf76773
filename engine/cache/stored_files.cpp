#include "cache/stored_files.h"

#include <optional>
#include <string_view>

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHexDigits = 64;

// The key that `name` begins with, where it ends in one of `endings`.
std::optional<Digest> key_in(const std::string& name, std::initializer_list<std::string_view> endings) {
  if (name.size() < kHexDigits) return std::nullopt;
  for (const auto ending : endings)
    if (std::string_view(name).substr(kHexDigits) == ending) return Digest::from_hex(name.substr(0, kHexDigits));
  return std::nullopt;
}

class Search {
 public:
  explicit Search(Files& files) : files_(files) {}

  Expected<void> look_into(const fs::path& folder, StoredKind kind, std::initializer_list<std::string_view> endings) {
    const auto names = files_.list(folder);
    if (!names) return tl::unexpected(names.error());
    for (const auto& name : *names) {
      const auto stat = files_.stat(folder / name);
      if (!stat) return tl::unexpected(stat.error());
      if (!*stat) continue;
      const auto key = key_in(name.native(), endings);
      if (key && (*stat)->type == FileStat::Type::file)
        found.files.push_back({kind, *key, folder / name, (*stat)->size_bytes, (*stat)->modified_ns});
      else
        found.strangers.push_back(folder / name);
    }
    return {};
  }

  StoredFiles found;

 private:
  Files& files_;
};

}  // namespace

Expected<StoredFiles> stored_files(Files& files, const fs::path& cache) {
  Search search(files);
  const auto shards = files.list(cache / "content");
  if (!shards) return tl::unexpected(shards.error());
  Expected<void> done;
  for (const auto& shard : *shards)
    if (done) done = search.look_into(cache / "content" / shard, StoredKind::content, {".h5"});
  if (done) done = search.look_into(cache / "checkpoints", StoredKind::checkpoint, {".h5"});
  if (done) done = search.look_into(cache / "quarantine", StoredKind::quarantine, {".content.h5", ".checkpoint.h5"});
  if (!done) return tl::unexpected(done.error());
  return std::move(search.found);
}

}  // namespace atelier
