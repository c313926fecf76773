// probe: rendered pictures in memory with what they show.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "render/picture.h"

namespace atelier::probe {

struct RenderedSet {
  at::Tensor pictures;    // [N, 3, 128, 128] uint8, RGB
  at::Tensor values;      // [N, A] int64, the indices of probe_targets.h; kUntold where nothing can be seen
  at::Tensor identities;  // [N, I] float32, see identity.h
};

inline constexpr std::int64_t kUntold = -1;

// The first `count` pictures of random_picture's set of that seed, on all threads of libtorch; about 20 ms each.
RenderedSet rendered_set(std::int64_t seed, std::int64_t count);

// The values that a picture shows, [A] int64, with kUntold.
at::Tensor values_of(const render::Picture& picture);

}  // namespace atelier::probe
