#include "types/lora.h"

#include "types/json_fields.h"

namespace atelier {
namespace {

std::string shape_text(const Tensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.shape(), ", ")); }

Expected<LoraFactors> factors_of(const Artifact& artifact, const std::string& layer, double alpha) {
  const auto a = artifact.tensors.find(layer + ".A"), b = artifact.tensors.find(layer + ".B");
  if (a == artifact.tensors.end() || b == artifact.tensors.end())
    return malformed(fmt::format("lora: the layer '{}' lacks a factor", layer));
  const auto& a_shape = a->second.shape();
  const auto& b_shape = b->second.shape();
  const bool fits = (a_shape.size() == 2 || a_shape.size() == 4) && b_shape.size() == 2 && a_shape[0] == b_shape[1] &&
                    a_shape[0] > 0 && a->second.dtype() == DType::f32 && b->second.dtype() == DType::f32;
  if (!fits)
    return malformed(fmt::format("lora: the factors of the layer '{}' do not fit together: A {}, B {}", layer,
                                 shape_text(a->second), shape_text(b->second)));
  return LoraFactors{a->second, b->second, alpha};
}

}  // namespace

Artifact LoraSet::to_artifact() const {
  Artifact artifact;
  auto alphas = nlohmann::json::object();
  for (const auto& [layer, factors] : layers) {
    artifact.tensors[layer + ".A"] = factors.a;
    artifact.tensors[layer + ".B"] = factors.b;
    alphas[layer] = factors.alpha;
  }
  artifact.metadata = {{"alpha", std::move(alphas)}, {"facts", facts}};
  if (base) artifact.metadata["base"] = base->hex();
  return artifact;
}

Expected<LoraSet> LoraSet::from(const Artifact& artifact) {
  LoraSet lora;
  const auto alphas = field<std::map<std::string, double>>(artifact.metadata, "alpha", "lora");
  if (!alphas) return tl::unexpected(alphas.error());
  for (const auto& [layer, alpha] : *alphas) {
    auto factors = factors_of(artifact, layer, alpha);
    if (!factors) return tl::unexpected(factors.error());
    lora.layers.emplace(layer, std::move(*factors));
  }
  if (artifact.tensors.size() != 2 * lora.layers.size()) return malformed("lora: it holds tensors of no layer");
  if (artifact.metadata.contains("base")) {
    const auto digest = digest_field(artifact.metadata, "base", "lora");
    if (!digest) return tl::unexpected(digest.error());
    lora.base = *digest;
  }
  lora.facts = artifact.metadata.value("facts", nlohmann::json::object());
  return lora;
}

}  // namespace atelier
