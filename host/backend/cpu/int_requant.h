/* From 32-bit sums to codes: bias, multiplication by a real number with the graph's rounding, zero
 * point, clamp. Vectors of 16 channels; the numbers are those of kernels/qmath.h, bit for bit.
 *
 * Double and single rounding become one form. With p = wrap(x << left) * m in 64 bits,
 *     result = (p + add - (p < 0 ? less : 0)) >> shift, lower 32 bits,
 * where single rounding has shift = 31 - e, add = 2^(shift - 1), less = 0, left = 0. Double
 * rounding has shift = 31 + r, r = max(-e, 0), left = max(e, 0): its first step is floor((p + 2^30)
 * / 2^31) for either sign, its second one takes 2^(r-1), less 1 for numbers below 0, and r bits;
 * nested floors join: add = 2^30 + 2^(r+30), less = 2^31, and for r = 0 the first step alone: add =
 * 2^30, less = 0. (Where p < 0 but the first step gives 0, r > 0 makes 0 of it either way.) */
#ifndef WAIO_BACKEND_CPU_INT_REQUANT_H
#define WAIO_BACKEND_CPU_INT_REQUANT_H

#include "backend/cpu/int_tile.h"
#include "graph/graph.h"

/* The constants of 16 channels; 64-bit ones apart for even and odd channels. The shift is one to
 * the left by `up` (shift - 32, if that is negative), the upper half of the 64 bits, and one to the
 * right by `down`. */
typedef struct waio_requant_lanes {
    int32_t m[16], left[16], down[16];
    int64_t add[2][8], less[2][8], up[2][8];
} waio_requant_lanes;

typedef struct waio_int_requant {
    waio_requant rounding;       /* TFLITE is resolved to DOUBLE or SINGLE */
    int blocks;                  /* of 16 channels */
    waio_multiplier *multiplier; /* per channel, 16 * blocks; 0 where there is none */
    double *real;
    waio_requant_lanes *lanes; /* per block */
    bool shifts;               /* some `left` or `up` is not 0 */
    waio_isa isa;
    waio_type type; /* of the result: S8 or S16 */
    int32_t zero_point, lo, hi;
} waio_int_requant;

/* Sets rounding, multipliers and lanes for `blocks` blocks of 16 channels, whose multipliers and
 * real factors are copied. zero_point, lo, hi and type are the caller's. */
waio_status waio_int_requant_create(waio_int_requant *out, waio_requant rounding,
                                    const waio_multiplier *multiplier, const double *real,
                                    int blocks, waio_isa isa);
/* The same for numbers that share one factor: one block of 16 equal channels. */
waio_status waio_int_requant_uniform(waio_int_requant *out, waio_requant rounding,
                                     waio_multiplier multiplier, double real, waio_isa isa);
void waio_int_requant_free(waio_int_requant *requant);

/* Sums of one block of channels. */
typedef struct waio_int_rows {
    const int32_t *sum; /* [pixel][WAIO_INT_SUM_ROW] */
    int64_t pixels;
    int block, channels; /* the block's index, and how many of its 16 are real */
    void *y;
    ptrdiff_t y_pixel; /* numbers from pixel to pixel */
} waio_int_rows;

void waio_int_requant_rows(const waio_int_requant *requant, const waio_int_rows *rows);

#if defined(__x86_64__)
void waio_int_requant_rows_vnni(const waio_int_requant *requant, const waio_int_rows *rows);
#endif

#endif
