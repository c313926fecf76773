#include "run/output_writer.h"

#include <fmt/format.h>

#include "plan/output_state.h"
#include "plan/tree_digest.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

// Port types write with the system's default rights; what shows a customer is the owner's alone.
void make_private(const fs::path& path) {
  std::error_code ignored;
  const auto restrict = [&](const fs::path& one) {
    fs::permissions(
        one, fs::is_directory(one, ignored) ? fs::perms::owner_all : fs::perms::owner_read | fs::perms::owner_write,
        ignored);
  };
  restrict(path);
  if (!fs::is_directory(path, ignored)) return;
  for (fs::recursive_directory_iterator entry(path, ignored), end; entry != end; entry.increment(ignored))
    if (!entry->is_symlink(ignored)) restrict(entry->path());
}

// Folders on the way to an output may have been made by hand, open to others.
void make_way_private(const fs::path& out, const fs::path& relative) {
  std::error_code ignored;
  fs::path at = out;
  for (const auto& part : relative.parent_path()) fs::permissions(at /= part, fs::perms::owner_all, ignored);
}

// Below it a disk is as good as full: libraries write in pieces of this size.
constexpr std::uint64_t no_room_bytes = std::uint64_t{1} << 20;

// Libraries do not say why they could not write; that there is no room is seen on the disk itself.
Error why_not_written(Files& files, const fs::path& folder, Error error) {
  const auto free = files.free_bytes(folder);
  if (error.kind == ErrorKind::transient && free && *free < no_room_bytes) error.kind = ErrorKind::disk_full;
  return error;
}

// Port types write, and do not flush to disk.
Expected<void> sync_tree(Files& files, const fs::path& path) {
  const auto stat = files.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat) return {};  // nothing was written, which is told below
  if ((*stat)->type == FileStat::Type::folder) {
    const auto names = files.list(path);
    if (!names) return tl::unexpected(names.error());
    for (const auto& name : *names)
      if (auto done = sync_tree(files, path / name); !done) return done;
  }
  return files.sync_folder(path);
}

fs::path hidden_beside(const fs::path& place, std::string_view ending) {
  return place.parent_path() / fmt::format(".{}.atelier-{}", place.filename().string(), ending);
}

}  // namespace

// Every folder on the way must be one or be missing; the place itself is looked at by ours().
Expected<void> OutputWriter::check_place(const fs::path& relative) const {
  const auto outside = [&] {
    return failure(fmt::format("output '{}' leads out of {}", relative.generic_string(), out_.string()));
  };
  if (relative.empty() || relative.is_absolute()) return outside();
  fs::path at = out_;
  for (const auto& part : relative.parent_path()) {
    if (part == "..") return outside();
    at /= part;
    const auto found = files_.stat(at);
    if (!found) return tl::unexpected(found.error());
    if (*found && (*found)->type != FileStat::Type::folder)
      return failure(
          fmt::format("{}: a file is where the output '{}' needs a folder; move it away or choose another --out",
                      at.string(), relative.generic_string()));
  }
  if (relative.filename() == ".." || relative.filename() == ".") return outside();
  return {};
}

Expected<bool> OutputWriter::ours(const fs::path& place, const Digest& made) const {
  if (ledger_.last_output(place)) return true;
  const auto standing = tree_digest(files_, place, digest_);
  if (!standing) return tl::unexpected(standing.error());
  return !*standing || **standing == made;
}

Expected<Digest> OutputWriter::write(const Artifact& artifact, const Digest& source, const PortType& type,
                                     const std::string& path) {
  fs::path relative = fs::path(path).lexically_normal();
  const bool folder = !relative.has_filename();
  if (folder) relative = relative.parent_path();
  if (const auto fine = check_place(relative); !fine) return tl::unexpected(fine.error());
  const fs::path place = out_ / relative;
  if (const auto made = files_.make_folders(place.parent_path()); !made) return tl::unexpected(made.error());
  make_way_private(out_, relative);

  const auto standing = files_.stat(place);
  if (!standing) return tl::unexpected(standing.error());
  if (*standing && ((*standing)->type == FileStat::Type::folder) != folder)
    return failure(
        fmt::format("{}: a {} is where the output '{}' is to be written; move it away or choose another --out",
                    place.string(), folder ? "file" : "folder", path));

  const fs::path fresh = hidden_beside(place, "new");  // a run that was cut off may have left one
  auto done = files_.remove_all(fresh);
  if (done)
    done = type.write(artifact, fresh, path).map_error([&](Error error) {
      return why_not_written(files_, place.parent_path(), std::move(error));
    });
  if (done) done = sync_tree(files_, fresh);
  if (!done) {
    (void)files_.remove_all(fresh);
    return tl::unexpected(done.error());
  }
  make_private(fresh);
  const auto made = tree_digest(files_, fresh, digest_);
  if (!made) return tl::unexpected(made.error());
  if (!*made) return failure(fmt::format("{}: nothing was written", place.string()), ErrorKind::fault);
  const auto may = ours(place, **made);
  if (!may || !*may) {
    (void)files_.remove_all(fresh);
    if (!may) return tl::unexpected(may.error());
    return failure(fmt::format("{}: is taken by a {} that no run has written; move it away or choose another --out",
                               place.string(), folder ? "folder" : "file"));
  }
  done = put_into_place(fresh, place);
  if (done) done = ledger_.remember_output(place, OutputMemory{source, **made});
  if (!done) return tl::unexpected(done.error());
  return **made;
}

// A file is replaced by the rename itself; a folder cannot be, so the old one steps aside first. A run that is cut off
// in between leaves the place empty, and the next run writes it again.
Expected<void> OutputWriter::put_into_place(const fs::path& made, const fs::path& place) {
  const fs::path old = hidden_beside(place, "old");
  const auto standing = files_.stat(place);
  if (!standing) return tl::unexpected(standing.error());
  auto done = files_.remove_all(old);
  const bool aside = *standing && (*standing)->type == FileStat::Type::folder;
  if (done && aside) done = files_.rename(place, old);
  if (done) done = files_.rename(made, place);
  if (done) done = files_.sync_folder(place.parent_path());
  if (done && aside) done = files_.remove_all(old);
  return done;
}

}  // namespace atelier
