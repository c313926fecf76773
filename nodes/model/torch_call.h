// model: how a node calls libtorch: with the task's number of threads, and with its exceptions turned into results.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "artifact/store.h"
#include "base/error.h"
#include "diffusion/error.h"
#include "graph/context.h"

namespace atelier {

// `body` under context.threads() threads of libtorch, OpenMP and BLAS; the calling thread's own number is put back
// afterwards. The number is the calling thread's, so a result does not depend on which thread of the engine computed
// it. Errors: those of `body`; out_of_memory where memory ran out; fault for libtorch's own exceptions.
Expected<Outputs> call_torch(const Context& context, const std::function<Expected<Outputs>()>& body);

// Where tensors of a task live: "cuda:1" is that GPU, every logical CPU device and "cpu" the host.
at::Device torch_device(const std::string& id);

// An error of the diffusion library as the engine's: what was given is wrong.
inline tl::unexpected<Error> passed_on(const diffusion::Error& error) { return failure(error.message); }

}  // namespace atelier
