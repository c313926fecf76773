// The kernels for vectors of 512 bits.
#define ATELIER_SET avx512_kernels
#define ATELIER_NAME "avx512"
#define ATELIER_LANES 16
#define ATELIER_ROWS 12
#include "diffusion/panel_kernels_body.h"
