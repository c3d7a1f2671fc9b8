/* e^x for x <= 0 and 1 / (1 + x) in 32-bit fixed point, for C and CUDA: what TensorFlow Lite's
 * reference softmax is made of (gemmlowp's fixed point). Numbers are integers in units of 2^-31
 * ("Q31") unless a comment says another; products are halves of doubled ones, rounded
 * (waio_saturating_rounding_doubling_high_mul). The exponential is off by up to 2.9e-7 of itself;
 * equality with TensorFlow Lite needs these very steps. */
#ifndef WAIO_KERNELS_QEXP_H
#define WAIO_KERNELS_QEXP_H

#include "kernels/qmath.h"

/* x * 2^shift, limited to 32 bits. */
WAIO_HD int32_t waio_saturating_shift_left(int32_t x, int shift)
{
    int64_t y = (int64_t)x * (INT64_C(1) << shift);
    return y < INT32_MIN ? INT32_MIN : y > INT32_MAX ? INT32_MAX : (int32_t)y;
}

/* e^x for x in [-1/4, 0): the series to the fourth power around -1/8. */
WAIO_HD int32_t waio_exp_of_small(int32_t x)
{
    const int32_t middle = 1895147668; /* e^(-1/8) */
    const int32_t third = 715827883;
    int32_t d = x + (1 << 28); /* 1/8 */
    int32_t d2 = waio_saturating_rounding_doubling_high_mul(d, d);
    int32_t d3 = waio_saturating_rounding_doubling_high_mul(d2, d);
    int32_t d4 = waio_saturating_rounding_doubling_high_mul(d2, d2);
    int32_t sum = waio_rounding_divide_by_power_of_two(d4, 2) + d3; /* ((d4/4 + d3)/3 + d2)/2 */

    sum = waio_saturating_rounding_doubling_high_mul(sum, third) + d2;
    sum = waio_rounding_divide_by_power_of_two(sum, 1);
    return middle + waio_saturating_rounding_doubling_high_mul(middle, d + sum);
}

/* e^x for x in (-32, 0], in units of 2^-26: that of x's remainder by quarters, times e^-2^k for
 * each bit 2^k of the quarters, k from -2 to 4. */
WAIO_HD int32_t waio_exp_of_negative(int32_t x)
{
    static const int32_t power[7] = {1672461947, 1302514674, 790015084, 290630308,
                                     39332535,   720401,     242}; /* e^-2^k, k = -2 to 4 */
    const int32_t quarter = 1 << 24;
    int32_t small = (x & (quarter - 1)) - quarter;
    int32_t y = waio_exp_of_small(small * 32), rest = small - x;

    if (x == 0)
        return INT32_MAX;
    for (int k = 0; k < 7; k++)
        if (rest & quarter << k)
            y = waio_saturating_rounding_doubling_high_mul(y, power[k]);
    return y;
}

/* 1 / (1 + x) for x in [0, 1): Newton's division by the half of 1 + x, in units of 2^-29, thrice
 * from 48/17 - 32/17 of it. */
WAIO_HD int32_t waio_reciprocal_of_one_plus(int32_t x)
{
    int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) >> 1);
    int32_t y = 1515870810 + waio_saturating_rounding_doubling_high_mul(half, -1010580540);

    for (int i = 0; i < 3; i++) {
        int32_t error = (1 << 29) - waio_saturating_rounding_doubling_high_mul(half, y);
        int32_t step = waio_saturating_rounding_doubling_high_mul(y, error); /* of 2^-27 */
        y += waio_saturating_shift_left(step, 2);
    }
    return waio_saturating_shift_left(y, 1); /* y / 2 in units of 2^-31 */
}

#endif
