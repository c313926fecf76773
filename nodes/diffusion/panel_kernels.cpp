#include "diffusion/panel_kernels.h"

#include <cstdlib>
#include <string_view>

namespace atelier::diffusion {

namespace baseline_kernels {
extern const PanelKernels kernels;
}
#ifdef ATELIER_X86_KERNELS
namespace avx2_kernels {
extern const PanelKernels kernels;
}
namespace avx512_kernels {
extern const PanelKernels kernels;
}
#endif

PanelKernelSets all_panel_kernels() {
  PanelKernelSets sets{};
#ifdef ATELIER_X86_KERNELS
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    sets.sets[sets.count++] = &avx512_kernels::kernels;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.sets[sets.count++] = &avx2_kernels::kernels;
#endif
  sets.sets[sets.count++] = &baseline_kernels::kernels;
  return sets;
}

const PanelKernels& panel_kernels() {
  static const PanelKernels& chosen = []() -> const PanelKernels& {
    const PanelKernelSets known = all_panel_kernels();
    const char* wanted = std::getenv("ATELIER_VECTORS");
    for (int i = 0; wanted && i < known.count; ++i)
      if (std::string_view(known.sets[i]->name) == wanted) return *known.sets[i];
    return *known.sets[0];
  }();
  return chosen;
}

}  // namespace atelier::diffusion
