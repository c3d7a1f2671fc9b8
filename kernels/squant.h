/* The rules of SQuant's rounding for one weight, for C and CUDA (Guo et al., SQuant: On-the-Fly
 * Data-Free Quantization via Diagonal Hessian Approximation, ICLR 2022).
 *
 * A channel's weights w lie on a grid as x = w * inverse - offset; a code q in [lo, hi] has the
 * value (q + offset) / inverse. Element stage: q = rint(x), with the error e = q - x. A flip moves
 * a code by one to the other side of x, and e with it. */
#ifndef WAIO_KERNELS_SQUANT_H
#define WAIO_KERNELS_SQUANT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/qmath.h"

typedef struct waio_squant_grid {
    float inverse, offset; /* offset: a whole number; 0 on symmetric grids */
    float lo, hi;
    float scale; /* > 0: values are q * scale, as symmetric grids have it; 0: as above */
} waio_squant_grid;

typedef struct waio_squant_stages {
    bool kernel, channel; /* K and C; E always runs */
} waio_squant_stages;

/* Weights of one tensor as graphs have them: (channels, positions, inputs), where `positions` is
 * KH x KW and 1 for dense layers. */
typedef struct waio_squant_shape {
    int64_t channels, positions, inputs;
} waio_squant_shape;

/* Where a weight lies on the grid: two roundings. */
WAIO_HD float waio_squant_place(float w, waio_squant_grid g)
{
    float scaled = w * g.inverse;
    return scaled - g.offset;
}

WAIO_HD float waio_squant_value(float code, waio_squant_grid g)
{
    return g.scale > 0 ? code * g.scale : (code + g.offset) / g.inverse;
}

/* The code and error that a weight at x has after a flip up or down; where none is possible (the
 * code is on that side already, or x at the end of the grid), the nearest code and the error 0. */
typedef struct waio_squant_flip {
    bool possible;
    float code, error;
} waio_squant_flip;

WAIO_HD waio_squant_flip waio_squant_flipped(float x, bool up, waio_squant_grid g)
{
    float code = waio_round_half_even(x), error = code - x;
    bool possible = up ? error < 0 && x < g.hi : error > 0 && x > g.lo;
    float step = up ? 1.0f : -1.0f;
    waio_squant_flip flip = {possible, possible ? code + step : code, possible ? error + step : 0};
    return flip;
}

/* An error as sums take it: a multiple of 2^-36, so that a sum of up to WAIO_SQUANT_EXACT of them
 * in double is exact, and the same in any order. Round it to float before it is used. */
enum { WAIO_SQUANT_EXACT = 1 << 17 };
WAIO_HD double waio_squant_term(float error)
{
    const double coarse = 98304; /* 1.5 * 2^16: its last digit is 2^-36 */
    return ((double)error + coarse) - coarse;
}

/* Flips that a sum of errors asks for: up if it is negative. */
WAIO_HD int waio_squant_flips(float sum)
{
    return (int)waio_round_half_even(fabsf(sum));
}

#endif
