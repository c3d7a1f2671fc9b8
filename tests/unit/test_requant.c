/* Integer requantization against numbers that TensorFlow Lite's reference kernels gave, and the
 * properties that the rules promise. */
#include <math.h>

#include "check.h"
#include "kernels/qmath.h"
#include "util/rng.h"
#include "vectors.h"

static int32_t at(const cJSON *row, int i)
{
    return (int32_t)vectors_at(row, i);
}

static void test_vectors(void)
{
    cJSON *json = vectors_read("tflite_requant.json");
    const cJSON *row;
    int seen = 0;

    cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "quantize_multiplier"))
    {
        waio_multiplier m = waio_multiplier_of(vectors_number(row, "real"));
        CHECK(m.m == (int32_t)vectors_number(row, "m") &&
                  m.shift == (int32_t)vectors_number(row, "shift"),
              "%.17g gives %d, %d", vectors_number(row, "real"), m.m, m.shift);
        seen++;
    }
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "multiply"))
    {
        waio_multiplier m = {at(row, 1), at(row, 2)};
        for (int rounding = 0; rounding < 2; rounding++) {
            int32_t y = waio_multiply_by_quantized(at(row, 0), m, 0,
                                                   (waio_requant)(WAIO_REQUANT_DOUBLE + rounding));
            CHECK(y == at(row, 3 + rounding), "%d * (%d, %d) is %d by rule %d, expected %d",
                  at(row, 0), m.m, m.shift, y, rounding, at(row, 3 + rounding));
        }
        seen++;
    }
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "multiply64"))
    {
        waio_multiplier m = {at(row, 1), at(row, 2)};
        int32_t y = waio_multiply_by_quantized_64((int64_t)vectors_at(row, 0), m);
        CHECK(y == at(row, 3), "%.0f * (%d, %d) is %d, expected %d", vectors_at(row, 0), m.m,
              m.shift, y, at(row, 3));
        seen++;
    }
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "rounding_divide_by_pot"))
    {
        int32_t y = waio_rounding_divide_by_power_of_two(at(row, 0), at(row, 1));
        CHECK(y == at(row, 2), "%d / 2^%d is %d", at(row, 0), at(row, 1), y);
        seen++;
    }
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "srdhm"))
    {
        int32_t y = waio_saturating_rounding_doubling_high_mul(at(row, 0), at(row, 1));
        CHECK(y == at(row, 2), "the high product of %d and %d is %d", at(row, 0), at(row, 1), y);
        seen++;
    }
    CHECK(seen == 16 + 211 + 34 + 85 + 56, "only %d vectors were read", seen);
    cJSON_Delete(json);
}

/* All three rules lie within one of the real product, and the float rule is its rounding. */
static void test_against_real(void)
{
    waio_rng rng = {5};

    for (int i = 0; i < 200000; i++) {
        double real = ldexp((double)waio_rng_unit(&rng) + 0.5, (int)waio_rng_below(&rng, 20) - 19);
        int32_t x = (int32_t)(waio_rng_below(&rng, 1u << 27)) - (1 << 26);
        waio_multiplier m = waio_multiplier_of(real);
        for (int rounding = 0; rounding < 4; rounding++) {
            int32_t y = waio_multiply_by_quantized(x, m, real, (waio_requant)rounding);
            CHECK(fabs(y - x * real) <= 1.0 + fabs(x * real) * 1e-9, "%d * %.9g is %d by rule %d",
                  x, real, y, rounding);
        }
    }
}

/* The float rule: ties away from zero, sums beyond 32 bits, results limited to 32 bits. */
static void test_by_real(void)
{
    CHECK(waio_multiply_by_real(1, 0.5) == 1 && waio_multiply_by_real(-1, 0.5) == -1, "ties");
    CHECK(waio_multiply_by_real(3, 1.0 / 6) == 1, "a sixth is a tie in float64 only");
    CHECK(waio_multiply_by_real(-(INT64_C(1) << 40), 0x1p-20) == -(1 << 20), "large sums");
    CHECK(waio_multiply_by_real(INT64_C(1) << 47, 1) == INT32_MAX, "saturates");
    CHECK(waio_multiply_by_real(-(INT64_C(1) << 47), 1e300) == INT32_MIN, "saturates");
}

/* The ends of every range, where nothing may overflow (UBSan watches). */
static void test_extremes(void)
{
    static const double reals[] = {0, 1e-300, 0x1p-33, 0x1p-32, 0x1p-31, 0.5,   1,
                                   2, 127,    0x1p29,  0x1p30,  0x1p31,  1e300, INFINITY};
    static const int32_t numbers[] = {INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX};

    for (int r = 0; r < 14; r++) {
        waio_multiplier m = waio_multiplier_of(reals[r]);
        CHECK(m.shift >= -31 && m.shift <= 30 && m.m >= 0, "%g is (%d, %d)", reals[r], m.m,
              m.shift);
        for (int i = 0; i < 6; i++)
            for (int rounding = 0; rounding < 4; rounding++) {
                int32_t y =
                    waio_multiply_by_quantized(numbers[i], m, reals[r], (waio_requant)rounding);
                int32_t code = waio_finish_code(y, 127, -128, 127);
                CHECK(code >= -128 && code <= 127, "code %d", code);
            }
    }
    CHECK(waio_multiplier_of(0x1p-33).m == 0 && waio_multiplier_of(0x1p-32).m != 0, "the least");
    CHECK(waio_finish_code(INT32_MAX, 127, -128, 127) == 127, "no wrapping at the top");
    CHECK(waio_finish_code(INT32_MIN, -128, -128, 127) == -128, "no wrapping at the bottom");
}

/* Activations: none, ReLU, ReLU6 and others, in codes. */
static void test_bounds(void)
{
    CHECK(waio_bound_code(-INFINITY, 0.1f, -5, -128, 127) == -128, "no lower bound");
    CHECK(waio_bound_code(INFINITY, 0.1f, -5, -128, 127) == 127, "no upper bound");
    CHECK(waio_bound_code(0, 0.1f, -5, -128, 127) == -5, "ReLU is the zero point");
    CHECK(waio_bound_code(6, 0.1f, -5, -128, 127) == 55, "ReLU6");
    CHECK(waio_bound_code(6, 0.04f, -5, -128, 127) == 127, "ReLU6 beyond the codes");
    CHECK(waio_bound_code(0.25f, 0.5f, 0, -8, 7) == 1, "half away from zero");
    CHECK(waio_bound_code(-0.25f, 0.5f, 0, -8, 7) == -1, "half away from zero");
}

int main(void)
{
    test_vectors();
    test_by_real();
    test_extremes();
    test_bounds();
    test_against_real();
    return waio_check_result();
}
