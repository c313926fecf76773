#include "plan/input_opener.h"

#include <fmt/format.h>

namespace atelier {
namespace {

// What stands for the content of an input that cannot be opened, so that its readers' tasks are told apart.
Digest digest_of_place(const PlanInput& input) {
  return Encoder().text("input that cannot be opened").text(input.name).text(input.path.string()).finish();
}

PlanInput opened(const PipelineInput& declared, const std::filesystem::path& path, const FileDigest& digest) {
  PlanInput input{declared.name, declared.type, path, {}, {}, {}};
  auto artifact = path.empty() ? failure("is not given") : declared.type->open_input(path, digest);
  if (artifact) {
    input.artifact = std::move(*artifact);
    input.digest = digest_of(input.artifact);
  } else {
    input.error = artifact.error();
    input.digest = digest_of_place(input);
  }
  return input;
}

}  // namespace

std::uint32_t InputOpener::open(std::size_t pipeline_input, const Customer* customer) {
  const PipelineInput& declared = batch_.pipeline.inputs[pipeline_input];
  const auto& given = declared.scope == Scope::customer && customer ? customer->inputs : batch_.inputs;
  const auto path = given.find(declared.name);
  const std::filesystem::path& where = path == given.end() ? std::filesystem::path() : path->second;
  const auto [place, is_new] = by_place_.try_emplace(
      fmt::format("{}:{}:{}", declared.type->name(), where.empty() ? declared.name : "", where.string()),
      static_cast<std::uint32_t>(inputs_.size()));
  if (is_new) inputs_.push_back(opened(declared, where, digest_));
  return place->second;
}

}  // namespace atelier
