// The kernels for vectors of 128 bits, which every processor has.
#define ATELIER_SET baseline_kernels
#define ATELIER_NAME "baseline"
#define ATELIER_LANES 4
#define ATELIER_ROWS 6
#include "diffusion/panel_kernels_body.h"
