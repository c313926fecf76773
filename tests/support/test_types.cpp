#include "support/test_types.h"

#include <fmt/format.h>

#include "support/test_nodes.h"

namespace atelier {
namespace {

Expected<void> write_text(Files& files, const Artifact& artifact, const std::filesystem::path& path) {
  const auto text = text_of(artifact, files);
  if (!text) return tl::unexpected(text.error());
  auto writer = files.create(path);
  if (!writer) return tl::unexpected(writer.error());
  if (auto done = (*writer)->write_at(0, std::as_bytes(std::span(*text))); !done) return done;
  return (*writer)->close();
}

Expected<FileRef> refer(Files& files, const std::filesystem::path& path, const FileDigest& digest) {
  const auto stat = files.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat) return failure(fmt::format("{}: there is no such file", path.string()));
  const auto bytes = digest(path);
  if (!bytes) return tl::unexpected(bytes.error());
  return FileRef{path.filename().string(), *bytes, path, (*stat)->size_bytes};
}

class TextType final : public PortType {
 public:
  explicit TextType(Files& files) : files_(files) {}
  std::string_view name() const override { return "text"; }
  bool is_input() const override { return true; }
  Expected<Artifact> open_input(const std::filesystem::path& path, const FileDigest& digest) const override {
    const auto file = refer(files_, path, digest);
    if (!file) return tl::unexpected(file.error());
    Artifact artifact;
    artifact.files.push_back(*file);
    return artifact;
  }
  bool writes_folder() const override { return false; }
  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path, std::string_view) const override {
    return write_text(files_, artifact, path);
  }

 private:
  Files& files_;
};

class TextsType final : public PortType {
 public:
  explicit TextsType(Files& files) : files_(files) {}
  std::string_view name() const override { return "texts"; }
  bool is_input() const override { return true; }
  Expected<Artifact> open_input(const std::filesystem::path& path, const FileDigest& digest) const override {
    const auto names = files_.list(path);
    if (!names) return tl::unexpected(names.error());
    Artifact artifact;
    for (const auto& name : *names) {
      if (name.extension() != ".txt") continue;
      const auto file = refer(files_, path / name, digest);
      if (!file) return tl::unexpected(file.error());
      artifact.files.push_back(*file);
    }
    if (artifact.files.empty()) return failure(fmt::format("{}: holds no .txt file", path.string()));
    return artifact;
  }
  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path, std::string_view) const override {
    if (auto made = files_.make_folders(path); !made) return made;
    return write_text(files_, artifact, path / "text.txt");
  }

 private:
  Files& files_;
};

class TallyType final : public PortType {
 public:
  explicit TallyType(Files& files) : files_(files) {}
  std::string_view name() const override { return "tally"; }
  bool writes_folder() const override { return false; }
  std::string validate(const Artifact& artifact) const override {
    return artifact.metadata.contains("count") ? "" : "a tally has a count";
  }
  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path, std::string_view) const override {
    return write_text(files_, text_artifact(artifact.metadata.at("count").dump()), path);
  }

 private:
  Files& files_;
};

class BlendType final : public PortType {
 public:
  explicit BlendType(Files& files) : files_(files) {}
  std::string_view name() const override { return "blend"; }
  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path,
                       std::string_view title) const override {
    if (auto made = files_.make_folders(path); !made) return made;
    if (auto done = write_text(files_, artifact, path / "blend.txt"); !done) return done;
    return write_text(files_, text_artifact(title), path / "title.txt");
  }

 private:
  Files& files_;
};

}  // namespace

std::shared_ptr<const PortType> make_text_type(Files& files) { return std::make_shared<TextType>(files); }
std::shared_ptr<const PortType> make_texts_type(Files& files) { return std::make_shared<TextsType>(files); }
std::shared_ptr<const PortType> make_tally_type(Files& files) { return std::make_shared<TallyType>(files); }
std::shared_ptr<const PortType> make_blend_type(Files& files) { return std::make_shared<BlendType>(files); }

}  // namespace atelier
