/* What observers do with one number, once for C and CUDA: order of floats as integers, bins of a
 * histogram, the error of a quantization. */
#ifndef WAIO_KERNELS_QOBSERVE_H
#define WAIO_KERNELS_QOBSERVE_H

#include <stdint.h>

#include "kernels/qmath.h"

/* Integers in the order of the floats that they stand for, so that integer atomics find a minimum
 * and a maximum. -0 counts as 0. No NaN. The way back is the same. */
WAIO_HD int32_t waio_ordered_of_float(float x)
{
    union {
        float f;
        int32_t i;
    } bits;

    bits.f = x + 0.0f;
    return bits.i >= 0 ? bits.i : bits.i ^ 0x7fffffff;
}

WAIO_HD float waio_float_of_ordered(int32_t ordered)
{
    union {
        int32_t i;
        float f;
    } bits;

    bits.i = ordered >= 0 ? ordered : ordered ^ 0x7fffffff;
    return bits.f;
}

/* The range of a tensor as observers keep it: ordered integers. Nothing seen: min +inf, max -inf.
 */
typedef struct waio_ordered_range {
    int32_t min, max;
} waio_ordered_range;

/* The bin of x among `bins` of `width` from `lo` on; what lies outside goes to the first or last.
 * -1 for NaN. width > 0. */
WAIO_HD int32_t waio_histogram_bin(float x, float lo, float width, int32_t bins)
{
    float at = waio_clampf((x - lo) / width, 0.0f, (float)(bins - 1));
    return at == at ? (int32_t)at : -1;
}

/* Square of the error that fake-quantizing x makes; 0 for NaN. */
WAIO_HD float waio_squared_error(float x, waio_fq fq, int rounding)
{
    float error = x - waio_fake_quantize(x, fq, rounding);
    return error == error ? error * error : 0.0f;
}

/* How squared errors are added up, the same everywhere: pieces of WAIO_ERROR_PIECE numbers; in a
 * piece, 256 floats, of which float t adds the errors of numbers 4 (256 j + t) + c for j = 0..3, c
 * = 0..3 in that order; these 256, as doubles, by waio_tree_sum; the pieces' sums p, as 256
 * doubles, of which t adds p = t, t + 256, ... in that order, by waio_tree_sum again. */
enum { WAIO_ERROR_PIECE = 4096, WAIO_ERROR_WIDTH = 256 };

#ifndef __cplusplus
/* The sum of 256 numbers by halves: 32 at a time to 8 numbers, then these. Overwrites x. */
static inline double waio_tree_sum(double *x)
{
    for (int group = 0; group < WAIO_ERROR_WIDTH; group += 32)
        for (int d = 16; d > 0; d /= 2)
            for (int i = 0; i < d; i++)
                x[group + i] += x[group + i + d];
    for (int d = 4; d > 0; d /= 2)
        for (int i = 0; i < d; i++)
            x[32 * i] += x[32 * (i + d)];
    return x[0];
}
#endif

#endif
