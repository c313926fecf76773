// Where trainings from nothing start.
#pragma once

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
/// code, after Dhariwal & Nichol 2021).
/// @param unet  by diffusers' names; changed in place
void start_at_zero(WeightMap& unet);

}  // namespace atelier::diffusion
