#include "types/photos.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "types/utf8.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kinds_told = "JPEG, PNG and WebP";

std::string lower_extension(const std::string& name) {
  std::string text = fs::path(name).extension().string();
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string stem_of(const std::string& name) { return fs::path(name).stem().string(); }

constexpr std::array caption_endings{".txt", ".portrait.txt", ".background.txt"};

Expected<FileStat::Type> type_of(Files& files, const fs::path& path) {
  auto stat = files.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat) return failure(fmt::format("{}: there is no such folder or file", path.string()));
  return (*stat)->type;
}

Expected<bool> is_file(Files& files, const fs::path& path) {
  auto stat = files.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  return *stat && (*stat)->type == FileStat::Type::file;
}

// A photo where it was found.
struct Found {
  fs::path path;
  std::optional<PhotoFolder> folder;
  std::string prefix = {};  // put before its name and its captions'
};
using Photos = std::vector<Found>;

Expected<Photos> photos_in(Files& files, const fs::path& folder, const std::optional<PhotoFolder>& says) {
  auto names = files.list(folder);
  if (!names) return tl::unexpected(names.error());
  Photos photos;
  for (const auto& name : *names) {
    if (!is_photo_name(name.string())) continue;
    auto file = is_file(files, folder / name);
    if (!file) return tl::unexpected(file.error());
    if (*file) photos.push_back({folder / name, says});
  }
  return photos;
}

// Photos of different folders must not share captions, which go by the stem.
void tell_apart(Photos& photos) {
  std::map<std::string, std::set<fs::path>> folders;  // by stem
  for (const auto& photo : photos) folders[stem_of(photo.path.filename())].insert(photo.path.parent_path());
  for (auto& photo : photos)
    if (folders[stem_of(photo.path.filename())].size() > 1)
      photo.prefix = photo.path.parent_path().filename().string() + " ";
}

Expected<Photos> photos_in_sub_folders(Files& files, const fs::path& folder) {
  auto names = files.list(folder);
  if (!names) return tl::unexpected(names.error());
  Photos photos;
  for (const auto& name : *names) {
    const auto says = photo_folder(name.string());
    if (!says) continue;
    auto type = type_of(files, folder / name);
    if (!type) return tl::unexpected(type.error());
    if (*type != FileStat::Type::folder) continue;
    auto some = photos_in(files, folder / name, says);
    if (!some) return some;
    photos.insert(photos.end(), some->begin(), some->end());
  }
  tell_apart(photos);
  return photos;
}

Expected<Photos> photos_in_folder(Files& files, const fs::path& path) {
  const fs::path folder = path.has_filename() ? path : path.parent_path();
  auto photos = photos_in(files, folder, photo_folder(path.filename().string()));
  if (photos && photos->empty()) photos = photos_in_sub_folders(files, folder);
  if (photos && photos->empty())
    return failure(fmt::format("{}: no photo in this folder ({} count)", folder.string(), kinds_told));
  return photos;
}

Expected<Photos> photos_listed_in(Files& files, const fs::path& list) {
  auto text = read_text(files, list);
  if (!text) return tl::unexpected(text.error());
  Photos photos;
  std::set<std::string> names;
  for (std::size_t begin = 0, line_number = 1; begin < text->size(); ++line_number) {
    const std::size_t end = std::min(text->find('\n', begin), text->size());
    std::string line = text->substr(begin, end - begin);
    begin = end + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty()) continue;
    const fs::path photo = list.parent_path() / line;
    if (!is_photo_name(line))
      return failure(fmt::format("{}:{}: '{}' is no photo ({} count)", list.string(), line_number, line, kinds_told));
    auto file = is_file(files, photo);
    if (!file) return tl::unexpected(file.error());
    if (!*file) return failure(fmt::format("{}:{}: there is no file '{}'", list.string(), line_number, line));
    if (!names.insert(photo.filename().string()).second)
      return failure(fmt::format("{}:{}: a second photo named '{}'; rename one of them", list.string(), line_number,
                                 photo.filename().string()));
    photos.push_back({photo, std::nullopt});
  }
  if (photos.empty()) return failure(fmt::format("{}: this list names no photo", list.string()));
  return photos;
}

Expected<Photos> photos_at(Files& files, const fs::path& path) {
  auto type = type_of(files, path);
  if (!type) return tl::unexpected(type.error());
  if (*type == FileStat::Type::folder) return photos_in_folder(files, path);
  const std::string name = path.filename().string();
  if (*type == FileStat::Type::file && lower_extension(name) == ".txt") return photos_listed_in(files, path);
  if (*type == FileStat::Type::file && is_photo_name(name)) return Photos{{path, std::nullopt}};
  return failure(fmt::format("{}: expected a folder of photos, one photo ({} count) or a .txt file that lists photos",
                             path.string(), kinds_told));
}

Expected<FileRef> reference(Files& files, const fs::path& path, const std::string& name, const FileDigest& digest) {
  if (!is_utf8(path.filename().string()))
    return failure(
        fmt::format("{}: the name of a photo in this folder is not UTF-8; rename it", path.parent_path().string()));
  auto stat = files.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  auto known = digest(path);
  if (!known) return tl::unexpected(known.error());
  return FileRef{name, *known, path, *stat ? (*stat)->size_bytes : 0};
}

// What the folders' names say, as metadata: it belongs to the input's digest. A plain folder says nothing.
class SaidByFolders {
 public:
  void add(const std::string& photo, const std::optional<PhotoFolder>& folder) {
    if (folder) json_[photo] = {{"repeats", folder->repeats}, {"caption", folder->caption}};
  }
  nlohmann::json metadata() const {
    nlohmann::json all = {{"type", "photos"}};
    if (!json_.empty()) all["folders"] = json_;
    return all;
  }
  static std::optional<PhotoFolder> of(const Artifact& artifact, const std::string& photo) {
    const auto folders = artifact.metadata.find("folders");
    if (folders == artifact.metadata.end() || !folders->contains(photo)) return std::nullopt;
    const auto& said = folders->at(photo);
    return PhotoFolder{said.at("repeats").get<std::int64_t>(), said.at("caption").get<std::string>()};
  }

 private:
  nlohmann::json json_ = nlohmann::json::object();
};

std::vector<FileRef> files_of(const Photo& photo) {
  std::vector<FileRef> files{photo.image};
  for (const auto* text : {&photo.text, &photo.portrait_text, &photo.background_text})
    if (*text) files.push_back(**text);
  return files;
}

class PhotosType final : public PortType {
 public:
  explicit PhotosType(Files& files) : files_(files) {}
  std::string_view name() const override { return "photos"; }
  bool is_input() const override { return true; }

  Expected<Artifact> open_input(const fs::path& path, const FileDigest& digest) const override {
    auto photos = photos_at(files_, path);
    if (!photos) return tl::unexpected(photos.error());
    std::map<std::string, FileRef> found;  // by name: the order is the names'
    SaidByFolders said;
    for (const auto& photo : *photos) {
      said.add(photo.prefix + photo.path.filename().string(), photo.folder);
      for (const auto& file : with_captions(photo.path)) {
        const std::string name = photo.prefix + file.filename().string();
        auto counts = is_file(files_, file);
        if (!counts) return tl::unexpected(counts.error());
        if (!*counts || found.contains(name)) continue;
        auto ref = reference(files_, file, name, digest);
        if (!ref) return tl::unexpected(ref.error());
        found.emplace(name, *ref);
      }
    }
    Artifact artifact;
    artifact.metadata = said.metadata();
    for (auto& [base_name, ref] : found) artifact.files.push_back(std::move(ref));
    return artifact;
  }

  std::string validate(const Artifact& artifact) const override {
    const auto set = PhotoSet::from(artifact);
    return set ? "" : set.error().message;
  }

  Expected<void> write(const Artifact& artifact, const fs::path& path, std::string_view) const override {
    const auto set = PhotoSet::from(artifact);
    if (!set) return tl::unexpected(set.error());
    for (const auto& photo : set->items) {
      const fs::path folder = photo.folder ? path / name_of(*photo.folder) : path;
      if (auto made = files_.make_folders(folder); !made) return made;
      for (const auto& file : files_of(photo)) {
        auto bytes = files_.read(file.path);
        if (!bytes) return tl::unexpected(bytes.error());
        if (auto written = write_file(files_, folder / file.name, (*bytes)->bytes()); !written) return written;
      }
    }
    return {};
  }

 private:
  static std::vector<fs::path> with_captions(const fs::path& photo) {
    std::vector<fs::path> all{photo};
    for (const auto* ending : caption_endings)
      all.push_back(photo.parent_path() / (stem_of(photo.filename()) + ending));
    return all;
  }

  Files& files_;
};

}  // namespace

bool is_photo_name(const std::string& name) {
  const std::string extension = lower_extension(name);
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".webp";
}

Artifact PhotoSet::to_artifact() const {
  std::map<std::string, FileRef> all;  // a caption may belong to two photos of one stem
  SaidByFolders said;
  for (const auto& photo : items) {
    said.add(photo.image.name, photo.folder);
    for (const auto& file : files_of(photo)) all.emplace(file.name, file);
  }
  Artifact artifact;
  artifact.metadata = said.metadata();
  for (auto& [name, file] : all) artifact.files.push_back(std::move(file));
  return artifact;
}

Expected<PhotoSet> PhotoSet::from(const Artifact& artifact) try {
  if (!artifact.metadata.is_object() || artifact.metadata.value("type", "") != "photos")
    return failure("the artifact is not one of type photos", ErrorKind::fault);
  std::map<std::string, FileRef> by_name;
  for (const auto& file : artifact.files) by_name.emplace(file.name, file);
  const auto find = [&](const std::string& name) -> std::optional<FileRef> {
    const auto found = by_name.find(name);
    return found == by_name.end() ? std::nullopt : std::optional(found->second);
  };
  PhotoSet set;
  for (const auto& [name, file] : by_name) {
    if (!is_photo_name(name)) continue;
    const std::string stem = stem_of(name);
    set.items.push_back({file, find(stem + caption_endings[0]), find(stem + caption_endings[1]),
                         find(stem + caption_endings[2]), SaidByFolders::of(artifact, name)});
  }
  return set;
} catch (const nlohmann::json::exception& e) {
  return failure(fmt::format("the photos artifact cannot be read: {}", e.what()), ErrorKind::fault);
}

std::shared_ptr<const PortType> make_photos_type(Files& files) { return std::make_shared<PhotosType>(files); }

}  // namespace atelier
