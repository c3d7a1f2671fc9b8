/* Quantization parameters of one tensor or channel and how they follow from a range. Equation
 * numbers are those of host/quant/README.md. */
#ifndef WAIO_TENSOR_QPARAMS_H
#define WAIO_TENSOR_QPARAMS_H

#include <stdint.h>

#include "kernels/qmath.h"

typedef struct waio_qparams {
    float scale;        /* > 0 */
    int32_t zero_point; /* inside lo..hi */
    int32_t lo, hi;     /* lowest and highest code */
} waio_qparams;

/* Eq. 1: [min, max] widened to hold 0; codes -2^(bits-1) .. 2^(bits-1)-1. bits: 2 to 16. The
 * scale is rounded to float32 once, the zero point computed in double. A range of nothing, or one
 * whose scale is below the smallest normal float, gives scale 1, zero point 0 and no code but 0. */
waio_qparams waio_qparams_asymmetric(float min, float max, int bits);

/* Eq. 2: codes -Q..Q with Q = 2^(bits-1)-1 (narrow), zero point 0. */
waio_qparams waio_qparams_symmetric(float min, float max, int bits);

/* What the fake-quantization kernels take. */
waio_fq waio_qparams_fq(const waio_qparams *params);

#endif
