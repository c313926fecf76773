// plan: the inputs of a batch, each opened once for its path and type, whoever asks for it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "artifact/port_type.h"
#include "base/real_path.h"
#include "plan/plan.h"

namespace atelier {

class InputOpener {
 public:
  InputOpener(const Batch& batch, FileDigest digest, RealPath real_path)
      : batch_(batch), digest_(std::move(digest)), real_path_(std::move(real_path)) {}

  // Index into inputs() of a pipeline input; of batch scope `customer` may be null. An input that cannot be opened has
  // its error there; so has a customer's that leads out of its folder, unless the batch says `paths: anywhere`.
  std::uint32_t open(std::size_t pipeline_input, const Customer* customer);

  const std::vector<PlanInput>& inputs() const { return inputs_; }
  std::vector<PlanInput> take() { return std::move(inputs_); }

 private:
  PlanInput opened(const PipelineInput& declared, const std::filesystem::path& path, const Customer* customer) const;
  std::optional<Error> way_out(const PipelineInput& declared, const std::filesystem::path& path,
                               const Artifact& artifact, const Customer& customer) const;

  const Batch& batch_;
  FileDigest digest_;
  RealPath real_path_;
  std::vector<PlanInput> inputs_;
  std::unordered_map<std::string, std::uint32_t> by_place_;  // "type:path"
};

}  // namespace atelier
