/* Mapping to powers of two, one number at a time, once for C and CUDA.
 *
 * y = sign(x) * 2^e, e the whole number nearest to log2 |x|, clamped. Nearest is decided exactly:
 * the mantissa of |x| against the square root of 2, which is no float, so there are no ties.
 * (QKeras's quantized_po2 takes logarithms in float32 and can differ in the last bits beside
 * sqrt(2) * 2^e.) */
#ifndef WAIO_KERNELS_QPO2_H
#define WAIO_KERNELS_QPO2_H

#include <stdint.h>

#include "kernels/qmath.h"

typedef struct waio_po2 {
    int32_t least, most; /* exponents, in [-149, 127] */
    float largest;       /* |x| is clamped to it first; infinity: it is not */
    float tiny;          /* |x| below it gets the least exponent; QKeras: 1e-7 */
} waio_po2;

/* 2^e for e in [-149, 127]. */
WAIO_HD float waio_power_of_two(int32_t e)
{
    union {
        uint32_t u;
        float f;
    } power;

    if (e >= -126)
        power.u = (uint32_t)(e + 127) << 23;
    else
        power.u = UINT32_C(1) << (e + 149);
    return power.f;
}

/* The whole number nearest to log2 x; x > 0, finite, no less than 2^-126. */
WAIO_HD int32_t waio_nearest_exponent(float x)
{
    union {
        float f;
        uint32_t u;
    } bits;

    bits.f = x;
    /* 1.0110101000001001111001 11.. is the square root of 2; these are the bits behind its point.
     */
    return (int32_t)(bits.u >> 23) - 127 + ((bits.u & 0x7fffffu) > 0x3504f3u);
}

/* The sign of 0 and -0 is +. NaN stays NaN. */
WAIO_HD float waio_map_to_power_of_two(float x, waio_po2 p)
{
    float size = fabsf(x);
    int32_t e = p.least;

    size = size > p.largest ? p.largest : size;
    if (size >= p.tiny && size >= 1.17549435e-38f)
        e = size > 3.40282347e+38f ? 128 : waio_nearest_exponent(size);
    e = e < p.least ? p.least : e > p.most ? p.most : e;
    return !(x == x) ? x : x < 0 ? -waio_power_of_two(e) : waio_power_of_two(e);
}

#endif
