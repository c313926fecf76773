#include "probe/rendered_set.h"

#include <ATen/ATen.h>

#include "diffusion/task_threads.h"
#include "probe/identity.h"
#include "probe/picture_tensor.h"
#include "probe/probe_targets.h"
#include "render/portrait.h"

namespace atelier::probe {

at::Tensor values_of(const render::Picture& picture) {
  std::vector<std::int64_t> values;
  for (const auto& attribute : attributes()) {
    const auto shown = attribute.shown(picture);
    values.push_back(shown ? static_cast<std::int64_t>(*shown) : kUntold);
  }
  return at::tensor(values, at::kLong);
}

RenderedSet rendered_set(std::int64_t seed, std::int64_t count) {
  RenderedSet set{at::empty({count, 3, kSide, kSide}, at::kByte),
                  at::empty({count, static_cast<std::int64_t>(attributes().size())}, at::kLong),
                  at::empty({count, static_cast<std::int64_t>(identity_names().size())}, at::kFloat)};
  diffusion::for_each_task(count, [&](std::int64_t i) {
    const auto picture = render::random_picture(seed, static_cast<std::uint64_t>(i));
    set.pictures[i].copy_(tensor_of(render::portrait_of(picture.person, picture.shot, kSide)));
    set.values[i].copy_(values_of(picture));
    set.identities[i].copy_(at::tensor(identity_of(picture.person)));
  });
  return set;
}

}  // namespace atelier::probe
