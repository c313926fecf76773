// The kernels for vectors of 256 bits.
#define ATELIER_SET avx2_kernels
#define ATELIER_NAME "avx2"
#define ATELIER_LANES 8
#define ATELIER_ROWS 6
#include "diffusion/panel_kernels_body.h"
