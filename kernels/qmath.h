/* The arithmetic of quantization, once, for C and CUDA: rounding, clamping, quantizing and
 * fake-quantizing of one number. Reference, CPU and GPU code call these and nothing else.
 *
 * A B-bit tensor has codes q in [lo, hi], a scale s > 0 and a zero point z; its value is
 * (q - z) * s. quantize: q = clamp(round(x / s) + z, lo, hi). The division is one: x * (1/s)
 * differs from x / s at ties. Compile with floating-point contraction off. */
#ifndef WAIO_KERNELS_QMATH_H
#define WAIO_KERNELS_QMATH_H

#include <math.h>
#include <stdint.h>

#ifdef __CUDACC__
#define WAIO_HD __host__ __device__ static inline
#else
#define WAIO_HD static inline
#endif

/* Rounding of ties: half away from zero (TensorFlow Lite), half to even (QKeras, SQuant, IEEE). */
enum { WAIO_ROUND_HALF_AWAY = 0, WAIO_ROUND_HALF_EVEN = 1 };

/* Round half away from zero. The largest float below 0.5 is added rather than 0.5, so that
 * 0.49999997 stays 0 and odd numbers from 2^23 up stay what they are. Keeps NaN and infinity. */
WAIO_HD float waio_round_half_away(float x)
{
    return truncf(x + copysignf(0.49999997f, x));
}

/* Round half to even: rintf in the rounding mode that every thread starts with. */
WAIO_HD float waio_round_half_even(float x)
{
    return rintf(x);
}

WAIO_HD float waio_round(float x, int rounding)
{
    return rounding == WAIO_ROUND_HALF_EVEN ? waio_round_half_even(x) : waio_round_half_away(x);
}

/* Clamp that keeps NaN. */
WAIO_HD float waio_clampf(float x, float lo, float hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* What fake-quantization needs of a tensor's parameters. `lo` and `hi` are the lowest and highest
 * code minus the zero point: whole numbers, so clamping before or after rounding is the same. */
typedef struct waio_fq {
    float scale;
    float lo, hi;
} waio_fq;

/* The value that x has after quantizing and dequantizing. NaN stays NaN. */
WAIO_HD float waio_fake_quantize(float x, waio_fq fq, int rounding)
{
    return waio_round(waio_clampf(x / fq.scale, fq.lo, fq.hi), rounding) * fq.scale;
}

/* The value that a weight has after symmetric quantization as TensorFlow Lite's converter does it:
 * the code is round(w * (1/s)), with 1/s rounded to float32 first, in [-top, top]. It can differ by
 * one from round(w / s). `inverse` is 1/scale. */
WAIO_HD float waio_fake_quantize_weight(float w, float scale, float inverse, float top,
                                        int rounding)
{
    return waio_round(waio_clampf(w * inverse, -top, top), rounding) * scale;
}

/* The code of x; a NaN gets the code of 0. */
WAIO_HD int32_t waio_quantize_code(float x, waio_fq fq, int32_t zero_point, int rounding)
{
    float code = waio_round(waio_clampf(x / fq.scale, fq.lo, fq.hi), rounding);
    return (code == code ? (int32_t)code : 0) + zero_point;
}

/* The value of a code: scale * (q - z). */
WAIO_HD float waio_dequantize_code(int32_t code, float scale, int32_t zero_point)
{
    return scale * (float)(code - zero_point);
}

/* The float that x has after storage as IEEE half, ties to even, clamped to +-65504. */
WAIO_HD float waio_round_to_half(float x)
{
    union {
        float f;
        uint32_t u;
    } bits, magic;
    float limited = waio_clampf(x, -65504.0f, 65504.0f);

    bits.f = limited;
    int exponent = (int)(bits.u >> 23 & 0xff) - 127;
    if (exponent < -14)
        exponent = -14; /* subnormal halves all have the step 2^-24 */
    /* Adding and taking away 1.5 * 2^(e+13) leaves a multiple of 2^(e-10): the half's step. */
    magic.u = (uint32_t)(exponent + 13 + 127) << 23 | 0x400000u;
    float rounded = (limited + magic.f) - magic.f;
    return x == x ? copysignf(rounded, x) : x;
}

#endif
