// Functions with a gradient of their own: autograd keeps what `backward` holds and nothing else.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace atelier::diffusion {

using Tensors = std::vector<at::Tensor>;

/// The inputs' gradients, one each, undefined where there is none, from those of the outputs, which are undefined where
/// nothing used an output. Runs without recording; it is let go of after its run.
using Backward = std::function<Tensors(Tensors output_gradients)>;

/// Whether a gradient can be asked of any of them now.
bool wants_gradient(const Tensors& inputs);

/// Makes the outputs, which were computed without recording, depend on the inputs. To be called where
/// wants_gradient(inputs). What `backward` captures must not be the inputs or outputs themselves, but their detach():
/// a graph that holds itself is never freed.
void record(const char* name, const Tensors& inputs, Tensors& outputs, Backward backward);

}  // namespace atelier::diffusion
