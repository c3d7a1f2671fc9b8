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

int main(void)
{
    test_vectors();
    test_against_real();
    return waio_check_result();
}
