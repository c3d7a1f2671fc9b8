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

/* ---- integer requantization ------------------------------------------------------------------
 * An integer accumulator becomes a code through a real multiplier M = s_in * s_w / s_out, held as a
 * 31-bit multiplier m and a shift e: M = m * 2^(e - 31), e positive to the left. The rules are
 * those of TensorFlow Lite's reference kernels (its 8-bit quantization specification; gemmlowp,
 * doc/quantization.md): */

typedef struct waio_multiplier {
    int32_t m;
    int32_t shift;
} waio_multiplier;

/* The rounding of a requantization, recorded in rows. */
typedef enum waio_requant {
    /* The desktop runtime's kernels (ai-edge-litert 2.3.0, by their bytes): double, but float for
     * dense layers; and the multipliers of mul and of a lone ReLU come from float32 arithmetic. */
    WAIO_REQUANT_TFLITE,
    /* High product, rounded, then a rounding shift: TensorFlow Lite's default build. */
    WAIO_REQUANT_DOUBLE,
    WAIO_REQUANT_SINGLE, /* one 64-bit rounding shift (TFLITE_SINGLE_ROUNDING) */
    WAIO_REQUANT_FLOAT   /* float64 product, rounded half away from zero */
} waio_requant;

/* m and shift of a real multiplier >= 0: below 2^-32 it is 0, from 2^30 up the largest there is, so
 * that shifts lie in [-31, 30]. Host only. */
static inline waio_multiplier waio_multiplier_of(double real)
{
    const waio_multiplier largest = {INT32_MAX, 30}, zero = {0, 0};
    int exponent = 0;
    double fraction = frexp(real, &exponent);

    if (!(real < 1073741824.0))
        return largest;
    int64_t m = (int64_t)round(fraction * 2147483648.0);
    if (m == INT64_C(2147483648)) {
        m /= 2;
        exponent++;
    }
    if (exponent < -31 || real == 0)
        return zero;
    if (exponent > 30)
        return largest;
    waio_multiplier of = {(int32_t)m, exponent};
    return of;
}

/* Bits of x moved to the left, the rest dropped, as two's complement does it; shift 0 to 31. */
WAIO_HD int32_t waio_wrap_shift_left(int32_t x, int shift)
{
    return (int32_t)((uint32_t)x << shift);
}

/* The upper half of 2ab, rounded: half goes up for products >= 0 and down for others. */
WAIO_HD int32_t waio_saturating_rounding_doubling_high_mul(int32_t a, int32_t b)
{
    int64_t product = (int64_t)a * b;
    int64_t nudge = product >= 0 ? INT64_C(1) << 30 : 1 - (INT64_C(1) << 30);

    if (a == INT32_MIN && b == INT32_MIN)
        return INT32_MAX;
    return (int32_t)((product + nudge) / (INT64_C(1) << 31)); /* truncates */
}

/* x / 2^shift, half away from zero; shift 0 to 31. */
WAIO_HD int32_t waio_rounding_divide_by_power_of_two(int32_t x, int shift)
{
    int32_t mask = (int32_t)((UINT32_C(1) << shift) - 1);
    int32_t remainder = x & mask, threshold = (mask >> 1) + (x < 0);

    return (x >> shift) + (remainder > threshold);
}

/* x * real, half away from zero, within 32 bits. */
WAIO_HD int32_t waio_multiply_by_real(int64_t x, double real)
{
    double y = (double)x * real;

    y = y < -2147483648.0 ? -2147483648.0 : y > 2147483647.0 ? 2147483647.0 : y;
    return (int32_t)round(y);
}

/* x * M by the named rounding. `real` is only read for WAIO_REQUANT_FLOAT. A result beyond 32 bits
 * loses its upper bits, as it does in TensorFlow Lite. */
WAIO_HD int32_t waio_multiply_by_quantized(int32_t x, waio_multiplier mult, double real,
                                           waio_requant rounding)
{
    if (rounding == WAIO_REQUANT_DOUBLE || rounding == WAIO_REQUANT_TFLITE) {
        int left = mult.shift > 0 ? mult.shift : 0, right = mult.shift > 0 ? 0 : -mult.shift;
        return waio_rounding_divide_by_power_of_two(
            waio_saturating_rounding_doubling_high_mul(waio_wrap_shift_left(x, left), mult.m),
            right);
    }
    if (rounding == WAIO_REQUANT_SINGLE) {
        int total = 31 - mult.shift;
        return (int32_t)(((int64_t)x * mult.m + (INT64_C(1) << (total - 1))) >> total);
    }
    return waio_multiply_by_real(x, real);
}

/* The same for a 64-bit accumulator (16x8): the multiplier keeps 16 bits. |x| <= 2^47, shift < 8.
 */
WAIO_HD int32_t waio_multiply_by_quantized_64(int64_t x, waio_multiplier mult)
{
    int32_t reduced = mult.m < 0x7FFF0000 ? (mult.m + (1 << 15)) >> 16 : 0x7FFF;
    int total = 15 - mult.shift;

    return (int32_t)((x * reduced + (INT64_C(1) << (total - 1))) >> total);
}

WAIO_HD int32_t waio_clampi(int32_t x, int32_t lo, int32_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* A requantized number moved by the zero point and clamped to codes [lo, hi]. */
WAIO_HD int32_t waio_finish_code(int32_t x, int32_t zero_point, int32_t lo, int32_t hi)
{
    int64_t code = (int64_t)x + zero_point;
    return code < lo ? lo : code > hi ? hi : (int32_t)code;
}

/* The code that a bound of an activation has, within [lo, hi]: ReLU's lower one is that of 0. */
WAIO_HD int32_t waio_bound_code(float bound, float scale, int32_t zero_point, int32_t lo,
                                int32_t hi)
{
    float code = waio_round_half_away(bound / scale) + (float)zero_point;
    return code < (float)lo ? lo : code > (float)hi ? hi : (int32_t)code;
}

#endif
