#include "plan/tree_digest.h"

#include <fmt/format.h>
#include <map>
#include <string>

namespace atelier {
namespace {

// Files below `folder` by their name relative to the root, with '/' between its parts.
using Tree = std::map<std::string, Digest>;

Expected<void> add_folder(Files& files, const std::filesystem::path& folder, const std::string& prefix,
                          const FileDigest& digest, Tree& tree);

Expected<void> add_entry(Files& files, const std::filesystem::path& path, const std::string& name,
                         const FileDigest& digest, Tree& tree) {
  const auto stat = files.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat) return {};  // gone since it was listed
  if ((*stat)->type == FileStat::Type::folder) return add_folder(files, path, name + "/", digest, tree);
  if ((*stat)->type == FileStat::Type::other) return failure(fmt::format("{}: neither file nor folder", path.string()));
  const auto bytes = digest(path);
  if (!bytes) return tl::unexpected(bytes.error());
  tree[name] = *bytes;
  return {};
}

Expected<void> add_folder(Files& files, const std::filesystem::path& folder, const std::string& prefix,
                          const FileDigest& digest, Tree& tree) {
  const auto names = files.list(folder);
  if (!names) return tl::unexpected(names.error());
  for (const auto& name : *names) {
    auto added = add_entry(files, folder / name, prefix + name.filename().string(), digest, tree);
    if (!added) return added;
  }
  return {};
}

}  // namespace

Expected<std::optional<Digest>> tree_digest(Files& files, const std::filesystem::path& path, const FileDigest& digest) {
  const auto stat = files.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat) return std::nullopt;
  Tree tree;
  if (auto added = add_entry(files, path, "", digest, tree); !added) return tl::unexpected(added.error());
  const bool is_folder = (*stat)->type == FileStat::Type::folder;
  Encoder encoder;
  encoder.text(is_folder ? "folder" : "file").list(tree.size());
  for (const auto& [name, bytes] : tree) encoder.text(name).digest(bytes);
  return encoder.finish();
}

}  // namespace atelier
