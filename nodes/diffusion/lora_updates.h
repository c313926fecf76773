// What a file of any kind of adapter does to a base: LoRA and LoCon layers, full matrices (LoHa, LoKr), and DoRA, whose
// update is known only with the base's weight. A Lora holds the first; this holds all three.
#pragma once

#include "diffusion/lora_format.h"

namespace atelier::diffusion {

enum class DenseKind { loha, lokr };

/// A layer's dW as a full matrix.
struct DenseUpdate {
  at::Tensor delta;  ///< float32, in the shapes of loha_delta(); as many numbers as the layer's weight has
  DenseKind kind;
};

struct LoraUpdates {
  Lora lora;                                 ///< layers whose dW is alpha / r * B A, and the base's kind
  std::map<std::string, DenseUpdate> dense;  ///< layers of the other kinds; no layer is in both
  /// DoRA's magnitudes of layers in `lora` or `dense`, float32: [out], [out, 1, …] or, measured over the inputs,
  /// [1, in, …].
  std::map<std::string, at::Tensor> magnitudes;
  std::vector<std::string> skipped;  ///< keys in no naming that is known, sorted; only where they may be skipped
};

struct LoraReading {
  const nlohmann::json* adapter_config = nullptr;  ///< peft's, of the file's folder; not owned
  bool skip_unknown = false;                       ///< leave out keys in no known naming instead of failing
};

/// All that lora_of_file() reads and besides: LoHa and LoKr in LyCORIS' naming, DoRA in LyCORIS', diffusers' and
/// peft's. Errors as there.
Result<LoraUpdates> lora_updates_of_file(const LoraFile& file, const LoraReading& reading = {});

/// Reads a `.safetensors` file as read_lora() does.
Result<LoraUpdates> read_lora_updates(const std::filesystem::path& path, bool skip_unknown = false);

/// The updates as a LoRA. An Error names the layer that is none: LoHa and LoKr need a rank, DoRA its base.
Result<Lora> as_lora(LoraUpdates updates);

/// dW of a layer for the weight that it changes, float32, of the weight's shape. DoRA
/// (https://arxiv.org/abs/2402.09353): magnitude * (W + dW) / ||W + dW|| - W, with the norm over all but the
/// magnitude's own dimension. Errors: a layer that is not among the updates; a weight or a magnitude of another shape,
/// with both shapes.
Result<at::Tensor> delta_on(const LoraUpdates& updates, const std::string& layer, const at::Tensor& weight);

}  // namespace atelier::diffusion
