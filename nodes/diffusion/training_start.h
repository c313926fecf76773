// Where trainings from nothing start.
#pragma once

#include "diffusion/config.h"
#include "diffusion/weight_map.h"

namespace atelier::diffusion {

/// Makes random weights of an autoencoder into one that shrinks a picture by averaging and enlarges it by repeating:
/// each channel of a downsampling convolution is the mean of 2 x 2 places of one channel, of an upsampling or shortcut
/// convolution a copy of one; residual branches and attention add nothing yet (Goyal et al. 2017, "Accurate, large
/// minibatch SGD", 5.1: their last layers are zero); the posterior's deviation is 0.05 everywhere. From plain random
/// weights AdamW finds brightness alone and stays there for many hundred steps before it tells colours apart.
/// @param vae  by diffusers' names; changed in place
void start_by_averaging(WeightMap& vae);

/// Gives the posterior this one log variance everywhere. `vae` has a quant_conv.
void set_log_variance(WeightMap& vae, double logvar);

/// Makes random weights of a UNet into one that predicts 0: residual branches, the projections out of attention blocks
/// and the last convolution are zero, as in the UNets of latent diffusion (Rombach et al. 2022, `zero_module` of its
/// code, after Dhariwal & Nichol 2021). Queries and keys of cross attention are twice as large as drawn, so that it
/// begins by looking at some words and not at the mean of all 77 places, most of which are padding.
/// @param unet  by diffusers' names; changed in place
void start_at_zero(WeightMap& unet);

/// Makes random weights of a CLIP text encoder into one that is of use untrained. Positions are waves in numbers of
/// their own, with which head h of the first layer finds the word h + 1 places back and adds a random projection of it,
/// so that "red hair, blue sweater" differs from "blue hair, red sweater"; words are random vectors in the other
/// numbers, the end and the padding nothing; the last layer adds the mean of all words so far, which is all that the
/// padding says. A text encoder that learns from nothing together with the UNet forgets all words but those that change
/// the whole picture (examples/base/README.md).
/// @param text  by transformers' names, with "text_model."; changed in place
void start_by_neighbours(WeightMap& text, const TextConfig& config);

}  // namespace atelier::diffusion
