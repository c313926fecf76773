#include "artifact/artifact.h"

namespace atelier {

std::uint64_t Artifact::size_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [name, tensor] : tensors) sum += tensor.bytes().size();
  return sum;
}

Digest digest_of(const Artifact& artifact) {
  Encoder encoder;
  encoder.text("artifact").text(artifact.metadata.dump());
  encoder.list(artifact.tensors.size());
  for (const auto& [name, tensor] : artifact.tensors) {
    encoder.text(name).text(name_of(tensor.dtype())).list(tensor.shape().size());
    for (const auto side : tensor.shape()) encoder.integer(side);
    encoder.bytes(tensor.bytes());
  }
  encoder.list(artifact.files.size());
  for (const auto& file : artifact.files) encoder.text(file.name).digest(file.digest);
  return encoder.finish();
}

}  // namespace atelier
