#include "exec/command_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "exec/command_ports.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr const char *kBytes = "bytes", *kName = "name";  // of a `file` artifact that a node made

const CommandInput& input_of(std::string_view port) {
  return *std::ranges::find(command_inputs, port, &CommandInput::port);
}

// The name of a file as it came, so that a command which goes by endings finds the right one.
std::string name_of(const Artifact& artifact, const CommandInput& input, const PortType& type) {
  if (!type.writes_folder() && artifact.files.size() == 1) return artifact.files.front().name;
  if (!type.writes_folder() && artifact.tensors.contains(kBytes) && artifact.metadata.contains(kName))
    return artifact.metadata.at(kName).get<std::string>();
  return std::string(input.name);
}

std::string name_of(const FilePlace& output) { return output.port + output.ending; }

Artifact file_artifact(const std::shared_ptr<const FileBytes>& file, std::string name) {
  Artifact artifact;
  const auto size = static_cast<std::int64_t>(file->bytes().size());
  artifact.tensors.emplace(kBytes, Tensor(DType::u8, {size}, file->bytes(), file));
  artifact.metadata[kName] = std::move(name);
  return artifact;
}

// The numbers that a command wrote; a discarded value where the bytes are no JSON.
Artifact metrics_artifact(const FileBytes& file) {
  Artifact artifact;
  const auto* const text = reinterpret_cast<const char*>(file.bytes().data());
  artifact.metadata = nlohmann::json::parse(text, text + file.bytes().size(), nullptr, false);
  return artifact;
}

}  // namespace

Expected<fs::path> CommandFiles::work_folder() {
  for (const char* part : {"in", "out", "work"})
    if (auto made = files_.make_folders(folder_ / part); !made) return tl::unexpected(made.error());
  return folder_ / "work";
}

Expected<std::vector<std::string>> CommandFiles::fill(const std::vector<Argument>& arguments, const Inputs& inputs) {
  std::vector<std::string> filled;
  for (const auto& argument : arguments) {
    std::string text;
    std::vector<std::string> more;  // of a list that is an argument of its own
    for (const auto& piece : argument) {
      text += piece.text;
      if (!piece.place) continue;
      auto paths = paths_of(*piece.place, inputs);
      if (!paths) return tl::unexpected(paths.error());
      text += paths->front();
      more.assign(paths->begin() + 1, paths->end());
    }
    filled.push_back(std::move(text));
    filled.insert(filled.end(), more.begin(), more.end());
  }
  return filled;
}

Expected<std::vector<std::string>> CommandFiles::paths_of(const FilePlace& place, const Inputs& inputs) {
  if (place.kind == FilePlace::Kind::output) {
    outputs_.emplace(place.port, place);
    return std::vector{(folder_ / "out" / name_of(place)).string()};
  }
  const auto& artifacts = inputs.at(place.port);
  std::vector<std::string> paths;
  for (std::size_t number = 1; number <= artifacts.size(); ++number) {
    if (place.number != 0 && place.number != number) continue;
    auto path = written(place.port, number, artifacts[number - 1]);
    if (!path) return tl::unexpected(path.error());
    paths.push_back(std::move(*path));
  }
  return paths;
}

// Each in a folder of its own: two may have one name.
Expected<std::string> CommandFiles::written(const std::string& port, std::size_t number, const Artifact& artifact) {
  const CommandInput& input = input_of(port);
  const PortType& type = *types_.at(std::string(input.type));
  const fs::path folder = folder_ / "in" / port / std::to_string(number);
  const fs::path path = folder / name_of(artifact, input, type);
  const auto there = files_.stat(path);
  if (there && *there) return path.string();  // named before
  if (auto made = files_.make_folders(folder); !made) return tl::unexpected(made.error());
  if (auto wrote = type.write(artifact, path, path.filename().string()); !wrote) return tl::unexpected(wrote.error());
  return path.string();
}

Expected<std::shared_ptr<const FileBytes>> CommandFiles::read_output(const FilePlace& place) {
  const fs::path path = folder_ / "out" / name_of(place);
  const auto stat = files_.stat(path);
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat) return failure(fmt::format("did not write {}", place.written));
  if ((*stat)->type != FileStat::Type::file)
    return failure(fmt::format("did not write a file as {}, but something else", place.written));
  return files_.read(path);
}

Expected<Outputs> CommandFiles::read_outputs() {
  Outputs outputs;
  outputs[std::string(kMetricsOutput)];  // none, unless the command writes them
  for (const auto& [port, place] : outputs_) {
    const auto file = read_output(place);
    if (!file) return tl::unexpected(file.error());
    if (port != kMetricsOutput) {
      outputs[port] = file_artifact(*file, name_of(place));
      continue;
    }
    Artifact metrics = metrics_artifact(**file);
    if (!types_.at(port)->validate(metrics).empty())
      return failure(fmt::format("wrote as {} what is no JSON object of numbers or lists of numbers", place.written));
    outputs[port] = std::move(metrics);
  }
  return outputs;
}

}  // namespace atelier
