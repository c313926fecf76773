// diffusion: a libtorch library that knows neither the engine nor the nodes: model files, text, VAE, UNet, LoRA
// adapters, losses, noise schedules, samplers. This file: how its public functions say that something is wrong.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace atelier::diffusion {

/// What was given is wrong; the text says what, where, and what to do about it.
struct Error {
  std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(std::string message) { return tl::unexpected<Error>(Error{std::move(message)}); }

}  // namespace atelier::diffusion
