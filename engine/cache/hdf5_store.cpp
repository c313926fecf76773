#include "cache/hdf5_store.h"

#include "base/try_again.h"

#include <fmt/format.h>

#include "cache/content_image.h"
#include "cache/content_reader.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWriter = "writer-";  // locks/writer-<n>: one per living store
constexpr const char* kStatePort = "state";      // a checkpoint is stored as one port of this name

class FileClaim final : public Store::Claim {
 public:
  explicit FileClaim(std::unique_ptr<FileLock> lock) : lock_(std::move(lock)) {}

 private:
  std::unique_ptr<FileLock> lock_;
};

std::string_view name_of(ContentKind kind) { return kind == ContentKind::outputs ? "content" : "checkpoint"; }

}  // namespace

Hdf5Store::Hdf5Store(Files& files, fs::path folder, Told told)
    : files_(files), folder_(std::move(folder)), told_(std::move(told)) {}

Expected<std::unique_ptr<Hdf5Store>> Hdf5Store::open(Files& files, const fs::path& folder, Told told) {
  std::unique_ptr<Hdf5Store> store(new Hdf5Store(files, folder, std::move(told)));
  for (const char* part : {"content", "checkpoints", "quarantine", "locks"})
    if (auto made = files.make_folders(folder / part); !made) return tl::unexpected(made.error());
  if (auto taken = store->take_writer_slot(); !taken) return tl::unexpected(taken.error());
  return store;
}

// A lock's file that is there but free belonged to a process that died: a writer's temporary files are leftovers.
Expected<void> Hdf5Store::take_writer_slot() {
  const auto locks = files_.list(folder_ / "locks");
  if (!locks) return tl::unexpected(locks.error());
  for (const auto& name : *locks) {
    const bool writer = name.native().starts_with(kWriter);
    if (!writer && !Digest::from_hex(name.native())) continue;
    const auto lock = files_.try_lock(folder_ / "locks" / name);  // a key's is removed with the lock, at once
    if (writer && lock && *lock) remove_leftovers(name);
  }
  for (int n = 0; !slot_lock_; ++n) {
    slot_ = fmt::format("{}{}", kWriter, n);
    auto lock = files_.try_lock(folder_ / "locks" / slot_);
    if (!lock) return tl::unexpected(lock.error());
    slot_lock_ = std::move(*lock);
  }
  return files_.sync_folder(folder_ / "locks");  // after a power cut too, leftovers are to be told by their slot
}

void Hdf5Store::remove_leftovers(const std::string& slot) {
  const std::string ending = "." + slot + ".tmp";
  const auto sweep = [&](const fs::path& folder) {
    for (const auto& name : files_.list(folder).value_or(std::vector<fs::path>{}))
      if (name.native().find(ending) != std::string::npos) remove(folder / name);
  };
  sweep(folder_ / "checkpoints");
  for (const auto& shard : files_.list(folder_ / "content").value_or(std::vector<fs::path>{}))
    sweep(folder_ / "content" / shard);
}

// ".<key>.<slot>.tmp<n>": whoever lives holds its slot's lock.
bool Hdf5Store::is_leftover(const fs::path& path) const {
  const std::string name = path.filename().native();
  const auto begin = name.rfind(kWriter), end = name.rfind(".tmp");
  if (!name.starts_with('.') || begin == std::string::npos || end == std::string::npos || end < begin) return false;
  const std::string slot = name.substr(begin, end - begin);
  if (slot == slot_) return false;
  const auto lock = files_.try_lock(folder_ / "locks" / slot);
  return lock && *lock;
}

fs::path Hdf5Store::content_path(const Digest& key) const {
  const std::string hex = key.hex();
  return folder_ / "content" / hex.substr(0, 2) / (hex + ".h5");
}

fs::path Hdf5Store::checkpoint_path(const Digest& key) const { return folder_ / "checkpoints" / (key.hex() + ".h5"); }

fs::path Hdf5Store::path_of(ContentKind kind, const Digest& key) const {
  return kind == ContentKind::outputs ? content_path(key) : checkpoint_path(key);
}

fs::path Hdf5Store::temporary_beside(const fs::path& path) {
  return path.parent_path() / fmt::format(".{}.{}.tmp{}", path.stem().string(), slot_, ++written_);
}

bool Hdf5Store::has(const Digest& key) const {
  const auto stat = try_again([&] { return files_.stat(content_path(key)); });
  return stat && *stat && (*stat)->type == FileStat::Type::file;
}

Expected<void> Hdf5Store::put(const Digest& key, const Outputs& outputs, const nlohmann::json& provenance) {
  return write(ContentKind::outputs, key, outputs, provenance);
}

Expected<void> Hdf5Store::put_checkpoint(const Digest& key, const Artifact& state) {
  return write(ContentKind::checkpoint, key, {{kStatePort, state}}, nlohmann::json::object());
}

Expected<void> Hdf5Store::write(ContentKind kind, const Digest& key, const Outputs& outputs,
                                const nlohmann::json& provenance) {
  const auto image = ContentImage::of(outputs, provenance);
  if (!image) return tl::unexpected(image.error());
  const fs::path path = path_of(kind, key), temporary = temporary_beside(path);
  if (auto made = files_.make_folders(path.parent_path()); !made) return made;
  auto written = write_new(kind, key, *image, temporary);
  if (written) written = files_.rename(temporary, path);
  if (!written) {
    remove(temporary);
    return written;
  }
  return files_.sync_folder(path.parent_path());
}

Expected<void> Hdf5Store::write_new(ContentKind kind, const Digest& key, const ContentImage& image,
                                    const fs::path& path) {
  auto writer = files_.create(path);
  if (!writer) return tl::unexpected(writer.error());
  ChecksumStream sum;
  auto body = image.write_body([&](std::uint64_t offset, std::span<const std::byte> bytes) {
    sum.update(bytes);
    return (*writer)->write_at(offset, bytes);
  });
  if (!body) return body;
  const Seal seal = make_seal(kind, key, image.size_bytes() - kSealBytes, sum.finish());
  if (auto r = (*writer)->write_at(0, seal); !r) return r;
  if (auto r = (*writer)->sync(); !r) return r;
  return (*writer)->close();
}

std::shared_ptr<const FileBytes> Hdf5Store::verified(ContentKind kind, const Digest& key) {
  const fs::path path = path_of(kind, key);
  const auto stat = try_again([&] { return files_.stat(path); });
  if (stat && !*stat) return nullptr;
  auto file = try_again([&] { return files_.read(path); });
  if (!file) {
    const auto now = files_.stat(path);
    if (!now || *now) told_(file.error().message);  // a file dropped meanwhile is a miss and nothing to tell
    return nullptr;
  }
  if (const auto wrong = check_seal(kind, key, (*file)->bytes()); !wrong.empty()) {
    set_aside(kind, key, wrong);
    return nullptr;
  }
  return *file;
}

fs::path Hdf5Store::set_aside(ContentKind kind, const Digest& key, const std::string& reason) {
  const auto kept = folder_ / "quarantine" / fmt::format("{}.{}.h5", key.hex(), name_of(kind));
  const auto moved = files_.rename(path_of(kind, key), kept);
  told_(fmt::format("{} {} does not verify: {}; it is {} and will be made again", name_of(kind), key.brief(), reason,
                    moved ? "now " + kept.string() : "left where it is (" + moved.error().message + ")"));
  return moved ? kept : path_of(kind, key);
}

std::optional<Outputs> Hdf5Store::get(const Digest& key) {
  const auto file = verified(ContentKind::outputs, key);
  if (!file) return std::nullopt;
  auto outputs = read_content(file);
  if (!outputs) set_aside(ContentKind::outputs, key, "it is not laid out as this version writes it");
  return outputs;
}

std::optional<Artifact> Hdf5Store::checkpoint(const Digest& key) {
  const auto file = verified(ContentKind::checkpoint, key);
  if (!file) return std::nullopt;
  auto outputs = read_content(file);
  if (!outputs || !outputs->contains(kStatePort)) {
    set_aside(ContentKind::checkpoint, key, "it is not laid out as this version writes it");
    return std::nullopt;
  }
  return std::move(outputs->at(kStatePort));
}

std::optional<nlohmann::json> Hdf5Store::checkpoint_metadata(const Digest& key) {
  const auto file = verified(ContentKind::checkpoint, key);
  return file ? read_metadata(*file, kStatePort) : std::nullopt;
}

void Hdf5Store::drop(const Digest& key) { remove(content_path(key)); }
void Hdf5Store::drop_checkpoint(const Digest& key) { remove(checkpoint_path(key)); }

void Hdf5Store::remove(const fs::path& path) {
  if (auto removed = files_.remove_all(path); !removed) told_(removed.error().message);
}

Expected<std::unique_ptr<Store::Claim>> Hdf5Store::try_claim(const Digest& key) {
  auto lock = files_.try_lock(folder_ / "locks" / key.hex());
  if (!lock) return tl::unexpected(lock.error());
  if (!*lock) return std::unique_ptr<Claim>();
  return std::make_unique<FileClaim>(std::move(*lock));
}

}  // namespace atelier
