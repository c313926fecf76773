// A whole base against the peers' values: text encoders, VAE and UNet.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <string>
#include <vector>

#include "diffusion/base_model.h"
#include "golden_unet.h"
#include "goldens.h"

namespace atelier::diffusion::test {

inline void expect_goldens(const StableDiffusion& model, const GoldenFolder& g) {
  const at::NoGradGuard no_grad;
  const auto prompts = g.facts["prompts"].get<std::vector<std::string>>();
  const auto ids = must(model.text->caption_ids(prompts));
  for (std::size_t i = 0; i < model.text->size(); ++i) {
    EXPECT_TRUE(ids.per_encoder[i].squeeze(1).equal(g["text" + std::to_string(i) + ".ids"])) << "encoder " << i;
  }
  const auto told = must(model.text->encode(ids));
  EXPECT_TRUE(near(told.context, g["unet.context"], 1e-5));
  if (g.sdxl()) {
    EXPECT_TRUE(near(told.pooled, g["text1.embeds"], 1e-5));
  }
  EXPECT_TRUE(near(model.unet->forward(g.input()), g["unet.out"], 1e-5));
  const auto posterior = must(model.vae->encode(g["vae.image"]));
  EXPECT_TRUE(near(posterior.mean, g["vae.mean"], 1e-5));
  EXPECT_TRUE(near(posterior.logvar, g["vae.logvar"], 1e-5));
  EXPECT_TRUE(near(must(model.vae->decode(g["vae.latent"])), g["vae.decoded"], 1e-4));
}

}  // namespace atelier::diffusion::test
