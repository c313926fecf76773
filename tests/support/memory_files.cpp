#include "support/memory_files.h"

#include <fmt/format.h>

namespace atelier {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

std::string reason(const std::filesystem::path& path, std::string_view text) {
  return fmt::format("{}: {}", path.string(), text);
}

// Whether `path` lies in `folder`, at any depth.
bool is_under(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto relative = path.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != ".." && relative != ".";
}

}  // namespace

// Bytes that readers share: replaced when written, never changed.
struct MemoryFiles::File {
  std::shared_ptr<const std::string> bytes = std::make_shared<std::string>();
  std::shared_ptr<const std::string> durable = bytes;
};

class MemoryFiles::Writer final : public FileWriter {
 public:
  Writer(MemoryFiles& owner, std::shared_ptr<File> file, Path path)
      : owner_(owner), file_(std::move(file)), path_(std::move(path)) {}

  Expected<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    const std::scoped_lock lock(owner_.mutex_);
    std::string next = *file_->bytes;
    const std::size_t end = offset + bytes.size();
    const std::size_t grown = end > next.size() ? end - next.size() : 0;
    if (grown > owner_.capacity_ - std::min(owner_.used_, owner_.capacity_))
      return failure(reason(path_, "No space left on device"), ErrorKind::disk_full);
    owner_.used_ += grown;
    if (grown) next.resize(end);
    std::copy_n(reinterpret_cast<const char*>(bytes.data()), bytes.size(), next.begin() + static_cast<long>(offset));
    file_->bytes = std::make_shared<const std::string>(std::move(next));
    return {};
  }
  Expected<void> sync() override {
    const std::scoped_lock lock(owner_.mutex_);
    file_->durable = file_->bytes;
    return {};
  }
  Expected<void> close() override { return {}; }

 private:
  MemoryFiles& owner_;
  std::shared_ptr<File> file_;
  Path path_;
};

class MemoryFiles::Lock final : public FileLock {
 public:
  Lock(MemoryFiles& owner, Path path) : owner_(owner), path_(std::move(path)) {}
  ~Lock() override {
    const std::scoped_lock lock(owner_.mutex_);
    owner_.locked_.erase(path_);
    owner_.entries_.erase(path_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  MemoryFiles& owner_;
  Path path_;
};

namespace {

class SharedBytes final : public FileBytes {
 public:
  explicit SharedBytes(std::shared_ptr<const std::string> text) : text_(std::move(text)) {}
  std::span<const std::byte> bytes() const override { return std::as_bytes(std::span(*text_)); }

 private:
  std::shared_ptr<const std::string> text_;
};

}  // namespace

MemoryFiles::Path MemoryFiles::normal(const Path& path) {
  Path plain = path.lexically_normal();
  if (!plain.has_filename() && plain.has_relative_path()) plain = plain.parent_path();
  return plain;
}

std::optional<Error> MemoryFiles::planned_failure(const Path& path) {
  const auto found = failures_.find(path);
  if (found == failures_.end()) return {};
  Error error = found->second;
  failures_.erase(found);
  return error;
}

MemoryFiles::Entry MemoryFiles::new_entry(std::shared_ptr<File> file) {
  time_ns_ += second_ns;
  return {std::move(file), time_ns_, next_inode_++};
}

void MemoryFiles::make_parents(const Path& path) {
  for (Path folder = path.parent_path(); !folder.empty() && !entries_.contains(folder); folder = folder.parent_path())
    entries_[folder] = new_entry(nullptr);
}

// With those of the folders on the way.
void MemoryFiles::make_name_durable(const Path& path) {
  for (Path at = path; at.has_relative_path(); at = at.parent_path()) {
    const auto folder = entries_.find(at.parent_path());
    if (folder == entries_.end()) return;  // a relative path's first name
    durable_names_[folder->second.inode][at.filename()] = entries_.at(at);
  }
}

void MemoryFiles::restore(const Path& folder, std::map<Path, Entry>& entries) const {
  const auto names = durable_names_.find(entries.at(folder).inode);
  if (names == durable_names_.end()) return;
  for (const auto& [name, entry] : names->second) {
    entries[folder / name] = entry;
    if (!entry.file) restore(folder / name, entries);
  }
}

void MemoryFiles::end_all(Loss loss) {
  const std::scoped_lock lock(mutex_);
  locked_.clear();
  if (loss == Loss::nothing) return;
  if (loss == Loss::unsynced) {
    std::map<Path, Entry> entries{{Path("/"), Entry{}}};
    restore("/", entries);
    entries_ = std::move(entries);
  }
  for (auto& [path, entry] : entries_) {
    if (!entry.file || entry.file->bytes == entry.file->durable) continue;
    if (loss == Loss::late_bytes)
      entry.file->durable = std::make_shared<const std::string>(*entry.file->bytes, 0, entry.file->bytes->size() / 2);
    entry.file->bytes = entry.file->durable;
  }
}

void MemoryFiles::put(const Path& path, std::string_view text) {
  const std::scoped_lock lock(mutex_);
  const Path at = normal(path);
  make_parents(at);
  auto file = std::make_shared<File>();
  file->bytes = std::make_shared<const std::string>(text);
  used_ += text.size();
  Entry entry = new_entry(std::move(file));
  if (const auto old = entries_.find(at); old != entries_.end()) entry.inode = old->second.inode;
  entry.file->durable = entry.file->bytes;
  entries_[at] = std::move(entry);
  make_name_durable(at);
}

void MemoryFiles::touch(const Path& path) {
  const std::scoped_lock lock(mutex_);
  entries_.at(normal(path)).modified_ns = (time_ns_ += second_ns);
}

void MemoryFiles::set_modified(const Path& path, std::int64_t ns) {
  const std::scoped_lock lock(mutex_);
  entries_.at(normal(path)).modified_ns = ns;
}

bool MemoryFiles::exists(const Path& path) const {
  const std::scoped_lock lock(mutex_);
  return entries_.contains(normal(path));
}

std::optional<std::string> MemoryFiles::text(const Path& path) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(normal(path));
  if (found == entries_.end() || !found->second.file) return {};
  return *found->second.file->bytes;
}

std::vector<MemoryFiles::Path> MemoryFiles::all_files() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Path> all;
  for (const auto& [path, entry] : entries_)
    if (entry.file) all.push_back(path);
  return all;
}

void MemoryFiles::set_capacity(std::uint64_t bytes) {
  const std::scoped_lock lock(mutex_);
  capacity_ = bytes;
}

void MemoryFiles::fail_next(const Path& path, Error error) {
  const std::scoped_lock lock(mutex_);
  failures_[normal(path)] = std::move(error);
}

std::size_t MemoryFiles::reads() const {
  const std::scoped_lock lock(mutex_);
  return reads_;
}

Expected<std::optional<FileStat>> MemoryFiles::stat(const Path& path) {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(normal(path));
  if (found == entries_.end()) return std::nullopt;
  const Entry& entry = found->second;
  return FileStat{entry.file ? FileStat::Type::file : FileStat::Type::folder,
                  entry.file ? entry.file->bytes->size() : 0, entry.modified_ns, entry.inode};
}

Expected<std::vector<MemoryFiles::Path>> MemoryFiles::list(const Path& folder) {
  const std::scoped_lock lock(mutex_);
  const Path at = normal(folder);
  if (auto error = planned_failure(at)) return tl::unexpected(*error);
  const auto found = entries_.find(at);
  if (found == entries_.end()) return failure(reason(folder, "No such file or directory"));
  if (found->second.file) return failure(reason(folder, "Not a directory"));
  std::vector<Path> names;
  for (const auto& [path, entry] : entries_)
    if (path != at && path.parent_path() == at) names.push_back(path.filename());
  return names;
}

Expected<std::shared_ptr<const FileBytes>> MemoryFiles::read(const Path& path) {
  const std::scoped_lock lock(mutex_);
  ++reads_;
  const Path at = normal(path);
  if (auto error = planned_failure(at)) return tl::unexpected(*error);
  const auto found = entries_.find(at);
  if (found == entries_.end()) return failure(reason(path, "No such file or directory"));
  if (!found->second.file) return failure(reason(path, "Is a directory"));
  return std::make_shared<const SharedBytes>(found->second.file->bytes);
}

Expected<std::unique_ptr<FileWriter>> MemoryFiles::create(const Path& path) {
  const std::scoped_lock lock(mutex_);
  const Path at = normal(path);
  if (auto error = planned_failure(at)) return tl::unexpected(*error);
  const auto parent = entries_.find(at.parent_path());
  if (at.has_parent_path() && (parent == entries_.end() || parent->second.file))
    return failure(reason(path, "No such file or directory"));
  const auto old = entries_.find(at);
  if (old != entries_.end() && !old->second.file) return failure(reason(path, "Is a directory"));
  auto file = std::make_shared<File>();
  entries_[at] = new_entry(file);
  return std::make_unique<Writer>(*this, std::move(file), at);
}

Expected<void> MemoryFiles::make_folders(const Path& folder) {
  const std::scoped_lock lock(mutex_);
  const Path at = normal(folder);
  for (Path part = at; !part.empty(); part = part.parent_path()) {
    const auto found = entries_.find(part);
    if (found != entries_.end() && found->second.file) return failure(reason(folder, "Not a directory"));
    if (part == part.parent_path()) break;
  }
  make_parents(at);
  if (!entries_.contains(at)) entries_[at] = new_entry(nullptr);
  make_name_durable(at);
  return {};
}

Expected<void> MemoryFiles::rename(const Path& from, const Path& to) {
  const std::scoped_lock lock(mutex_);
  const Path source = normal(from), target = normal(to);
  if (auto error = planned_failure(target)) return tl::unexpected(*error);
  if (!entries_.contains(source)) return failure(reason(from, "No such file or directory"));
  const bool is_folder = !entries_[source].file;
  if (const auto old = entries_.find(target); old != entries_.end() && source != target) {
    const bool replaces_folder = !old->second.file;
    if (replaces_folder && !is_folder) return failure(reason(to, "Is a directory"));
    if (!replaces_folder && is_folder) return failure(reason(to, "Not a directory"));
    for (const auto& [path, entry] : entries_)
      if (replaces_folder && is_under(path, target)) return failure(reason(to, "Directory not empty"));
  }
  std::map<Path, Entry> moved;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->first == source || (is_folder && is_under(it->first, source))) {
      const Path rest = it->first.lexically_relative(source);
      moved[rest == "." ? target : target / rest] = std::move(it->second);
      it = entries_.erase(it);
    } else {
      ++it;
    }
  }
  for (auto& [path, entry] : moved) entries_[path] = std::move(entry);
  return {};
}

Expected<void> MemoryFiles::sync_folder(const Path& path) {
  const std::scoped_lock lock(mutex_);
  const Path at = normal(path);
  if (at.empty()) return {};  // the process's own folder
  const auto found = entries_.find(at);
  if (found == entries_.end()) return failure(reason(path, "No such file or directory"));
  if (const auto& file = found->second.file) {
    file->durable = file->bytes;
    return {};
  }
  auto& names = durable_names_[found->second.inode];
  names.clear();
  for (const auto& [name, entry] : entries_)
    if (name != at && name.parent_path() == at) names[name.filename()] = entry;
  return {};
}

Expected<void> MemoryFiles::remove_all(const Path& path) {
  const std::scoped_lock lock(mutex_);
  const Path at = normal(path);
  std::erase_if(entries_, [&](const auto& entry) { return entry.first == at || is_under(entry.first, at); });
  return {};
}

Expected<std::unique_ptr<FileLock>> MemoryFiles::try_lock(const Path& path) {
  const std::scoped_lock lock(mutex_);
  const Path at = normal(path);
  if (!locked_.insert(at).second) return nullptr;
  if (!entries_.contains(at)) entries_[at] = new_entry(std::make_shared<File>());
  return std::make_unique<Lock>(*this, at);
}

Expected<std::uint64_t> MemoryFiles::free_bytes(const Path&) {
  const std::scoped_lock lock(mutex_);
  return capacity_ - std::min(used_, capacity_);
}

}  // namespace atelier
