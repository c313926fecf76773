#include "types/file.h"

#include <fmt/format.h>

#include <algorithm>

#include "types/one_file.h"

namespace atelier {
namespace {

constexpr const char* kBytes = "bytes";

class FileType final : public PortType {
 public:
  explicit FileType(Files& files) : files_(files) {}
  std::string_view name() const override { return "file"; }
  bool is_input() const override { return true; }
  bool writes_folder() const override { return false; }

  Expected<Artifact> open_input(const std::filesystem::path& path, const FileDigest& digest) const override {
    return open_one_file(files_, path, digest, "a file");
  }

  std::string validate(const Artifact& artifact) const override {
    const bool one = artifact.files.size() + artifact.tensors.size() == 1;
    if (one && (artifact.files.size() == 1 || artifact.tensors.contains(kBytes))) return {};
    return "file: one file or its bytes were expected";
  }

  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path, std::string_view) const override {
    if (auto wrong = validate(artifact); !wrong.empty()) return failure(wrong, ErrorKind::fault);
    if (artifact.files.empty()) return write_file(files_, path, artifact.tensors.at(kBytes).bytes());
    const auto source = files_.read(artifact.files.front().path);
    if (!source) return tl::unexpected(source.error());
    return write_file(files_, path, (*source)->bytes());
  }

 private:
  Files& files_;
};

bool is_numbers(const nlohmann::json& value) {
  if (value.is_number()) return true;
  if (!value.is_array()) return false;
  return std::all_of(value.begin(), value.end(), [](const auto& element) { return element.is_number(); });
}

class MetricsType final : public PortType {
 public:
  explicit MetricsType(Files& files) : files_(files) {}
  std::string_view name() const override { return "metrics"; }
  bool writes_folder() const override { return false; }

  std::string validate(const Artifact& artifact) const override {
    if (!artifact.metadata.is_object()) return "metrics: an object of numbers was expected";
    for (const auto& [name, value] : artifact.metadata.items())
      if (!is_numbers(value)) return fmt::format("metrics: '{}' is no number and no list of numbers", name);
    return {};
  }

  Expected<void> write(const Artifact& artifact, const std::filesystem::path& path, std::string_view) const override {
    if (auto wrong = validate(artifact); !wrong.empty()) return failure(wrong, ErrorKind::fault);
    return write_file(files_, path, artifact.metadata.dump(2) + "\n");
  }

 private:
  Files& files_;
};

}  // namespace

std::shared_ptr<const PortType> make_file_type(Files& files) { return std::make_shared<FileType>(files); }
std::shared_ptr<const PortType> make_metrics_type(Files& files) { return std::make_shared<MetricsType>(files); }

}  // namespace atelier
