#include "plan/input_opener.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try_again.h"

namespace atelier {
namespace fs = std::filesystem;
namespace {

// What stands for the content of an input that cannot be opened, so that its readers' tasks are told apart.
Digest digest_of_place(const PlanInput& input) {
  return Encoder().text("input that cannot be opened").text(input.name).text(input.path.string()).finish();
}

// The folder that holds an input's files: its path, or that of the file it names.
fs::path folder_of(const fs::path& path, const Artifact& artifact) {
  const auto below = [&](const FileRef& file) {
    return file.path.lexically_normal() != path && lies_in(file.path, path);
  };
  return std::ranges::all_of(artifact.files, below) ? path : path.parent_path();
}

Error leads_out(const fs::path& path, const fs::path& folder) {
  return {ErrorKind::input,
          fmt::format("{}: leads out of {}; expected what is inside, or 'paths: anywhere' in the batch file",
                      path.string(), folder.string())};
}

}  // namespace

std::optional<Error> InputOpener::way_out(const PipelineInput& declared, const fs::path& path, const Artifact& artifact,
                                          const Customer& customer) const {
  if (const auto within = customer.within.find(declared.name); within != customer.within.end())
    if (!lies_in(real_path_(path), real_path_(within->second))) return leads_out(path, within->second);
  const fs::path folder = folder_of(path, artifact), real = real_path_(folder);
  for (const FileRef& file : artifact.files)
    if (!lies_in(real_path_(file.path), real)) return leads_out(file.path, folder);
  return {};
}

PlanInput InputOpener::opened(const PipelineInput& declared, const fs::path& path, const Customer* customer) const {
  PlanInput input{declared.name, declared.type, path, {}, {}, {}};
  // No customer is to be left out for what fails in passing.
  auto artifact =
      path.empty() ? failure("is not given") : try_again([&] { return declared.type->open_input(path, digest_); });
  if (artifact && customer && !batch_.paths_anywhere)
    if (auto out = way_out(declared, path, *artifact, *customer)) artifact = tl::unexpected(std::move(*out));
  if (artifact) {
    input.artifact = std::move(*artifact);
    input.digest = digest_of(input.artifact);
  } else {
    input.error = artifact.error();
    input.digest = digest_of_place(input);
  }
  return input;
}

std::uint32_t InputOpener::open(std::size_t pipeline_input, const Customer* customer) {
  const PipelineInput& declared = batch_.pipeline.inputs[pipeline_input];
  const Customer* const owner = declared.scope == Scope::customer ? customer : nullptr;
  const auto& given = owner ? owner->inputs : batch_.inputs;
  const auto path = given.find(declared.name);
  const std::filesystem::path& where = path == given.end() ? std::filesystem::path() : path->second;
  const auto [place, is_new] = by_place_.try_emplace(
      fmt::format("{}:{}:{}", declared.type->name(), where.empty() ? declared.name : "", where.string()),
      static_cast<std::uint32_t>(inputs_.size()));
  if (is_new) inputs_.push_back(opened(declared, where, owner));
  return place->second;
}

}  // namespace atelier
