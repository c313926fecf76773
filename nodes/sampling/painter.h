// sampling: paints pictures of prompts with a base model on a device and LoRAs beside it.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "diffusion/adapters.h"
#include "diffusion/base_model.h"
#include "graph/device.h"
#include "types/model.h"
#include "types/pictures.h"

namespace atelier {

struct PaintSettings {
  std::string negative;
  std::int64_t steps = 30;
  double guidance = 7.5;
  std::int64_t width_px = 0, height_px = 0;  // 0: the size the base was trained at
};

class Painter {
 public:
  // The base's parts on the device, and the model's LoRAs fitted to them. Errors: those of loading; a LoRA that does
  // not fit the base; a size that the base does not take.
  static Expected<Painter> create(const Model& model, const PaintSettings& settings, Device& device);

  // The picture of a prompt and a seed, named by `name`. `progress` is given the part that is done, in [0, 1]; where it
  // returns false the result is an error of kind `stopped`.
  Expected<Picture> paint(const std::string& name, const std::string& prompt, std::uint64_t seed,
                          const std::function<bool(double)>& progress) const;

  // How many tokens of the prompt are left out since it is too long.
  std::size_t truncated(const std::string& prompt) const { return text_->truncated(prompt); }

 private:
  Painter(PaintSettings settings, diffusion::SchedulerConfig scheduler)
      : settings_(std::move(settings)), scheduler_(scheduler) {}
  Expected<void> load(const Model& model, Device& device);
  Expected<void> load_text_encoders(const Model& model, const diffusion::Lora& sum, Device& device);
  Expected<diffusion::TextConditioning> told(const std::string& prompt) const;
  nlohmann::json metadata(const std::string& prompt, std::uint64_t seed) const;

  PaintSettings settings_;
  diffusion::SchedulerConfig scheduler_;
  std::shared_ptr<const diffusion::TextEncoders> text_;
  std::shared_ptr<const diffusion::Vae> vae_;
  std::shared_ptr<const diffusion::UNet> unet_;
  diffusion::Adapters adapters_;
};

}  // namespace atelier
