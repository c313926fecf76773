// Random artifacts for property tests: all dtypes, empty and 0-dimensional tensors, strange names, large metadata.
#pragma once
#include "artifact/artifact.h"
#include "artifact/store.h"
#include "base/random.h"

namespace atelier {

inline RandomStream stream_of(std::int64_t seed) { return {seed, "cache test", Digest{}}; }

inline Tensor random_tensor(RandomStream& random) {
  const auto dtype = static_cast<DType>(random.below(7));
  Tensor::Shape shape;
  const std::uint64_t rank = random.below(6);
  std::size_t elements = 1;
  for (std::uint64_t i = 0; i < rank; ++i) {
    shape.push_back(static_cast<std::int64_t>(random.below(9)));  // 0 too
    elements *= static_cast<std::size_t>(shape.back());
  }
  std::vector<std::byte> bytes(elements * size_of(dtype));
  for (auto& b : bytes) b = static_cast<std::byte>(random.bits());
  return Tensor::copy_of(dtype, shape, bytes);
}

inline std::string random_name(RandomStream& random) {
  static const std::vector<std::string> kStrange{"",
                                                 ".",
                                                 "..",
                                                 "/",
                                                 "a/b",
                                                 "a%2Fb",
                                                 "%",
                                                 "%%",
                                                 "with space",
                                                 "Gr\xc3\xb6\xc3\x9f"
                                                 "e",
                                                 "\xe5\x86\x99\xe7\x9c\x9f",
                                                 "tab\tnew\nline",
                                                 "metadata",
                                                 "tensors",
                                                 "down_blocks.0.attentions.1.to_q"};
  if (random.below(2) == 0) return kStrange[random.below(kStrange.size())];
  return "t" + std::to_string(random.below(1'000'000));
}

inline Artifact random_artifact(RandomStream& random) {
  Artifact artifact;
  for (auto n = random.below(12); n > 0; --n) artifact.tensors[random_name(random)] = random_tensor(random);
  artifact.metadata["seed"] = random.bits();
  artifact.metadata["value"] = random.uniform();
  artifact.metadata["names"] = {random_name(random), random_name(random)};
  if (random.below(4) == 0) artifact.metadata["long"] = std::string(70'000 + random.below(50'000), 'x');
  return artifact;
}

inline Outputs random_outputs(std::int64_t seed) {
  RandomStream random = stream_of(seed);
  Outputs outputs;
  for (auto n = 1 + random.below(3); n > 0; --n) outputs[random_name(random)] = random_artifact(random);
  return outputs;
}

inline Digest key_of(std::int64_t n) { return Encoder().text("test key").integer(n).finish(); }

inline bool same(const Outputs& a, const Outputs& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [port, artifact] : a) {
    const auto other = b.find(port);
    if (other == b.end() || digest_of(artifact) != digest_of(other->second)) return false;
  }
  return true;
}

}  // namespace atelier
