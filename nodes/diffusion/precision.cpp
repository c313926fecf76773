#include "diffusion/precision.h"

#include <fmt/format.h>

namespace atelier::diffusion {

Result<void> check_precision(std::string_view model, const ModelOptions& options) {
  if (options.dtype == at::kFloat || options.dtype == at::kBFloat16) return {};
  if (options.dtype != at::kHalf) {
    return fail(fmt::format("{}: computes in float32, bfloat16 or float16, not in {}", model, toString(options.dtype)));
  }
  if (options.device.is_cpu()) {
    return fail(fmt::format("{}: float16 needs a GPU; on the CPU it computes in float32 or bfloat16", model));
  }
  return {};
}

}  // namespace atelier::diffusion
