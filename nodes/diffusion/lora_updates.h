// What a file of any kind of adapter does to a base: LoRA and LoCon layers, full matrices (LoHa, LoKr), and DoRA, whose
// update is known only with the base's weight. A Lora holds the first; this holds all three.
#pragma once

#include "diffusion/lora_dense.h"
#include "diffusion/lora_format.h"
#include "diffusion/lora_names.h"

namespace atelier::diffusion {

struct LoraUpdates {
  Lora lora{};  ///< layers whose dW is alpha / r * B A, factors as stored; the base's kind
  std::map<std::string, DenseUpdate> dense{};  ///< layers of the other kinds; no layer is in both
  /// DoRA's magnitudes of layers in `lora` or `dense`, float32: [out], [out, 1, …] or, measured over the inputs,
  /// [1, in, …].
  std::map<std::string, at::Tensor> magnitudes{};
  LoraNaming naming = LoraNaming::kohya;
  std::vector<std::string> skipped{};  ///< keys in no naming that is known, sorted; only where they may be skipped
};

struct LoraReading {
  const nlohmann::json* adapter_config = nullptr;  ///< peft's, of the file's folder; not owned
  bool skip_unknown = false;                       ///< leave out keys in no known naming instead of failing
};

/// All that lora_of_file() reads and besides: LoHa and LoKr in LyCORIS' naming, DoRA in LyCORIS', diffusers' and
/// peft's. Errors as there.
Result<LoraUpdates> lora_updates_of_file(const LoraFile& file, const LoraReading& reading = {});

/// Every Error that lora_updates_of_file() could end with, in the order of the keys and then of the layers.
std::vector<Error> lora_faults(const LoraFile& file, const nlohmann::json* adapter_config = nullptr);

/// The adapter_config.json beside the file, if there is one; null where it is no JSON.
std::optional<nlohmann::json> adapter_config_beside(const std::filesystem::path& file);

/// Reads a `.safetensors` file as read_lora() does.
Result<LoraUpdates> read_lora_updates(const std::filesystem::path& path, bool skip_unknown = false);

/// The updates as a LoRA. An Error names the layer that is none: LoHa and LoKr need a rank, DoRA its base.
Result<Lora> as_lora(LoraUpdates updates);

/// The update of one layer, whatever its kind.
struct LayerUpdate {
  std::optional<LoraLayer> thin{};
  std::optional<DenseUpdate> dense{};     ///< this or `thin`
  std::optional<at::Tensor> magnitude{};  ///< DoRA's

  /// Whether it is one product of factors and nothing else: dW is then known without the weight.
  bool is_plain() const { return thin && !magnitude; }
};

/// The layers by name.
std::map<std::string, LayerUpdate> layers_of(const LoraUpdates& updates);

/// An Error where the update of the layer of that name is not one of a weight of that shape, with both shapes.
Result<void> check_fits(const std::string& layer, const LayerUpdate& update, at::IntArrayRef weight_shape);

/// dW of the layer for the weight that it changes, float32, of the weight's shape. DoRA
/// (https://arxiv.org/abs/2402.09353): magnitude * (W + dW) / ||W + dW|| - W, with the norm over all but the
/// magnitude's own dimension. Errors: those of check_fits().
Result<at::Tensor> delta_on(const std::string& layer, const LayerUpdate& update, const at::Tensor& weight);
/// The same for a layer of the updates; that it is not among them is an Error too.
Result<at::Tensor> delta_on(const LoraUpdates& updates, const std::string& layer, const at::Tensor& weight);

}  // namespace atelier::diffusion
