// sampling: paints pictures of prompts with a base model on a device and LoRAs beside it.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "diffusion/adapters.h"
#include "diffusion/embedding.h"
#include "diffusion/prompt_encoder.h"
#include "diffusion/sampling.h"
#include "diffusion/scheduler_config.h"
#include "diffusion/unet.h"
#include "diffusion/vae.h"
#include "graph/device.h"
#include "sampling/paint_settings.h"
#include "types/model.h"
#include "types/pictures.h"

namespace atelier {

// A prompt as the models see it: its words encoded, and the LoRAs it uses.
struct PreparedPrompt {
  std::string text;
  std::vector<LoraUse> uses;
  diffusion::Adapters adapters;
  diffusion::GuidedText words;
};

// What prompts may use by name.
struct PaintWords {
  std::vector<std::string> lora_names{};  // of the model's LoRAs, one for each; none: prompts cannot choose
  std::vector<diffusion::Embedding> embeddings{};
};

class Painter {
 public:
  // Called with the part that is done, in [0, 1]; false stops the painting.
  using Progress = std::function<bool(double)>;

  // The base's parts on the device, and the model's LoRAs beside them or, where they are merged, in them. Errors: those
  // of loading; an embedding made for other text encoders; a size that the base does not take.
  static Expected<Painter> create(const Model& model, const PaintSettings& settings, Device& device,
                                  PaintWords words = {});

  // Errors: WebUI's grammar broken; a LoRA that was not given, or that does not fit the base; clip skip that the base
  // does not have.
  Expected<PreparedPrompt> prepare(const std::string& prompt) const;

  // The pictures of a prompt, one for each seed, without names. A result of kind `stopped` where `progress` said so.
  Expected<std::vector<Picture>> paint(const PreparedPrompt& prompt, std::span<const std::uint64_t> seeds,
                                       const Progress& progress) const;

  // The picture of one prompt and seed, named by `name`. Errors: those of both.
  Expected<Picture> paint(const std::string& name, const std::string& prompt, std::uint64_t seed,
                          const Progress& progress) const;

 private:
  Painter(PaintSettings settings, LoraShelf shelf, diffusion::SchedulerConfig scheduler,
          diffusion::PromptEncoder encoder)
      : settings_(std::move(settings)),
        shelf_(std::move(shelf)),
        scheduler_(std::move(scheduler)),
        encoder_(std::move(encoder)) {}
  diffusion::SampleRequest request_for(const PreparedPrompt& prompt, std::span<const std::uint64_t> seeds) const;
  Expected<at::Tensor> sample(const PreparedPrompt& prompt, const diffusion::SampleRequest& request,
                              const Progress& progress) const;  // [N, 4, h, w]
  Expected<at::Tensor> sample_larger(const PreparedPrompt& prompt, diffusion::SampleRequest request,
                                     const at::Tensor& latents, const Progress& progress) const;
  Expected<at::Tensor> decode(const at::Tensor& latents) const;  // [N, 3, H, W] on the CPU
  diffusion::VaePass vae_pass() const { return {.slicing = true, .tile_px = settings_.vae_tile_px}; }

  PaintSettings settings_;
  LoraShelf shelf_;
  diffusion::SchedulerConfig scheduler_;
  diffusion::PromptEncoder encoder_;
  bool zeros_without_negative_ = true;
  std::shared_ptr<const diffusion::Vae> vae_;
  std::shared_ptr<const diffusion::UNet> unet_;
};

}  // namespace atelier
