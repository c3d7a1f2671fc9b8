/* Scales, zero points and codes: the worked vectors of tests/data/vectors, and what must hold for
 * every range and bit width. The vectors of the equations are worked in double, waio's scales are
 * float32: codes are equal wherever the input is away from a tie. */
#include <float.h>
#include <stdlib.h>

#include "quant/weights.h"
#include "tensor/qparams.h"
#include "util/rng.h"
#include "vectors.h"

enum { MIN_BITS = WAIO_MIN_BITS, MAX_BITS = WAIO_MAX_BITS };

static waio_arena *arena;
static waio_rng rng = {21};

static int32_t code_of(float x, const waio_qparams *p)
{
    return waio_quantize_code(x, waio_qparams_fq(p), p->zero_point, WAIO_ROUND_HALF_AWAY);
}

static float value_of(float x, const waio_qparams *p)
{
    return waio_fake_quantize(x, waio_qparams_fq(p), WAIO_ROUND_HALF_AWAY);
}

static bool near(double got, double want, double relative)
{
    return fabs(got - want) <= relative * fabs(want);
}

/* ---- the equations ---- */

/* Scale, zero point, codes and values of one case, whose range is min .. max. */
static int check_case(const cJSON *c, const char *name, float min, float max, bool narrow)
{
    int bits = (int)vectors_number(c, "bits"), zero = (int)vectors_number(c, "zero_point");
    double scale = vectors_number(c, "scale");
    const cJSON *input = cJSON_GetObjectItem(c, "input"), *codes = cJSON_GetObjectItem(c, "codes");
    const cJSON *values = cJSON_GetObjectItem(c, "dequantized");
    waio_qparams p =
        narrow ? waio_qparams_symmetric(min, max, bits) : waio_qparams_asymmetric(min, max, bits);
    int shift = p.zero_point - zero, count = cJSON_GetArraySize(input);
    bool zero_on_tie = cJSON_HasObjectItem(c, "zero_point_is_an_exact_tie");

    CHECK(near((double)p.scale, scale, 1e-6), "%s, %d bits: scale %.9g", name, bits,
          (double)p.scale);
    CHECK(shift == 0 || (zero_on_tie && abs(shift) == 1), "%s, %d bits: zero point %d, not %d",
          name, bits, p.zero_point, zero);
    for (int i = 0; i < count && shift == 0; i++) {
        double x = vectors_at(input, i), steps = fabs(x / scale);
        int32_t code = code_of((float)x, &p), want = (int32_t)vectors_at(codes, i);
        bool tie = fabs(steps - floor(steps) - 0.5) < 2e-4; /* 16 bits: 2^15 steps of 2^-24 */
        CHECK(code == want || (tie && abs(code - want) == 1),
              "%s, %d bits: code of %g is %d, expected %d", name, bits, x, code, want);
        CHECK(code != want || near((double)value_of((float)x, &p), vectors_at(values, i), 1e-6),
              "%s, %d bits: %g becomes %.9g", name, bits, x, (double)value_of((float)x, &p));
    }
    return shift == 0 ? count : 0;
}

static void vectors_of_the_equations(void)
{
    cJSON *json = vectors_read("thesis_eqs.json");
    const cJSON *c = NULL;
    int inputs = 0;

    cJSON_ArrayForEach(c, cJSON_GetObjectItem(json, "uniform"))
    {
        const char *form = cJSON_GetStringValue(cJSON_GetObjectItem(c, "form"));
        if (strcmp(form, "normative_asymmetric") == 0)
            inputs += check_case(c, form, (float)vectors_number(c, "alpha"),
                                 (float)vectors_number(c, "beta"), false);
        if (strcmp(form, "normative_symmetric_narrow") == 0) /* its range is the inputs' */
            inputs += check_case(c, form, -1.31f, 2.63f, true);
    }
    CHECK(inputs >= 12 * 13, "only %d inputs", inputs);
    inputs = 0;
    cJSON_ArrayForEach(c, cJSON_GetObjectItem(json, "edge"))
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(c, "name"));
        if (cJSON_HasObjectItem(c, "alpha") && cJSON_HasObjectItem(c, "codes"))
            inputs += check_case(c, name, (float)vectors_number(c, "alpha"),
                                 (float)vectors_number(c, "beta"), false);
    }
    CHECK(inputs == 5 * 8, "%d inputs of the edge cases", inputs);
    cJSON_Delete(json);
}

/* ---- TensorFlow Lite ---- */

static void vectors_of_activations(const cJSON *json)
{
    const cJSON *c = NULL;
    int rows = 0;

    cJSON_ArrayForEach(c, cJSON_GetObjectItem(json, "activation_int8"))
    {
        const cJSON *rule = cJSON_GetObjectItem(c, "mlir_rule");
        float min = (float)vectors_number(c, "min"), max = (float)vectors_number(c, "max");
        waio_qparams p = waio_qparams_asymmetric(min, max, 8);
        int zero = min == max ? 0 : (int)vectors_number(rule, "zero_point"); /* of nothing: ours */
        CHECK(p.scale == (float)vectors_number(rule, "scale"), "%g .. %g: scale %.9g", (double)min,
              (double)max, (double)p.scale);
        CHECK(p.zero_point == zero, "%g .. %g: zero point %d, expected %d", (double)min,
              (double)max, p.zero_point, zero);
        rows++;
    }
    cJSON_ArrayForEach(c, cJSON_GetObjectItem(json, "activation_int16"))
    {
        float min = (float)vectors_number(c, "min"), max = (float)vectors_number(c, "max");
        waio_qparams p = waio_qparams_symmetric(min, max, 16);
        float scale = min == max ? 1 : (float)vectors_number(c, "scale"); /* of nothing: ours */
        CHECK(p.scale == scale && p.zero_point == 0, "%g .. %g: scale %.9g", (double)min,
              (double)max, (double)p.scale);
        rows++;
    }
    CHECK(rows == 13 + 4, "%d rows", rows);
}

static const waio_scheme each_channel = {.per_channel = true,
                                         .weights = WAIO_SYMMETRIC,
                                         .activations = WAIO_SYMMETRY_AUTO,
                                         .rounding = WAIO_ROUND_HALF_AWAY};
static const waio_scheme each_layer = {
    .weights = WAIO_SYMMETRIC, .activations = WAIO_SYMMETRY_AUTO, .rounding = WAIO_ROUND_HALF_AWAY};

/* Codes by w * (1/s); a code of 127/range can differ, so only rows of the same codes are taken. */
static int check_weights(const cJSON *c, const float *weight)
{
    enum { CHANNELS = 4, EACH = 8 };
    const char *inverse = cJSON_GetStringValue(cJSON_GetObjectItem(c, "inverse"));
    bool layer =
        strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(c, "granularity")), "per_tensor") == 0;
    const cJSON *codes = cJSON_GetObjectItem(c, "codes");
    const cJSON *wanted_scales = cJSON_GetObjectItem(c, "scales");
    float out[CHANNELS * EACH];
    waio_weight_scales scales;

    if (!layer && strcmp(inverse, "1/scale") != 0)
        return 0;
    CHECK_OK(waio_quantize_weights(out, &scales, weight, CHANNELS * EACH, CHANNELS, 8,
                                   layer ? &each_layer : &each_channel, arena));
    CHECK(scales.count == (layer ? 1 : CHANNELS), "%d scales", scales.count);
    for (int i = 0; i < CHANNELS * EACH; i++) {
        int block = layer ? 0 : i / EACH, at = layer ? i : i % EACH;
        float scale = scales.scale[block], wanted = (float)vectors_at(wanted_scales, block);
        float code = (float)vectors_at(cJSON_GetArrayItem(codes, block), at);
        CHECK(scale == (wanted > 0 ? wanted : 1), "%s: scale %d is %.9g", inverse, block,
              (double)scale);
        CHECK(out[i] == code * scale, "%s: weight %d is %.9g, not code %g", inverse, i,
              (double)out[i], (double)code);
    }
    return 1;
}

static void vectors_of_weights(const cJSON *json)
{
    const cJSON *c = NULL, *input = cJSON_GetObjectItem(json, "weights_input");
    float weight[32], out[2];
    int rows = 0;
    waio_weight_scales scales;

    for (int i = 0; i < 32; i++)
        weight[i] = (float)vectors_at(cJSON_GetArrayItem(input, i / 8), i % 8);
    cJSON_ArrayForEach(c, cJSON_GetObjectItem(json, "weights_int8")) rows +=
        check_weights(c, weight);
    CHECK(rows == 2, "%d rows of weights", rows);
    cJSON_ArrayForEach(c, cJSON_GetObjectItem(json, "weights_where_the_inverse_matters"))
    {
        float pair[] = {(float)vectors_number(c, "weight"), -(float)vectors_number(c, "range")};
        CHECK_OK(waio_quantize_weights(out, &scales, pair, 2, 1, 8, &each_channel, arena));
        CHECK(out[0] == (float)vectors_number(c, "code_1_over_scale") * scales.scale[0] &&
                  out[1] == -127 * scales.scale[0],
              "weight %.9g of range %.9g is %.9g steps", (double)pair[0], (double)-pair[1],
              (double)(out[0] / scales.scale[0]));
        rows++;
    }
    CHECK(rows == 2 + 3, "%d rows", rows);
}

static void vectors_of_half(const cJSON *json)
{
    const cJSON *half = cJSON_GetObjectItem(json, "float16");
    const cJSON *input = cJSON_GetObjectItem(half, "input"),
                *back = cJSON_GetObjectItem(half, "back");
    int count = cJSON_GetArraySize(input);
    float x[32], y[32];
    waio_weight_scales scales;

    CHECK(count == 17, "%d halves", count);
    for (int i = 0; i < count; i++)
        x[i] = (float)vectors_at(input, i);
    CHECK_OK(waio_quantize_weights(y, &scales, x, count, 1, WAIO_F16, &each_channel, arena));
    CHECK(scales.count == 0, "halves have no scale");
    for (int i = 0; i < count; i++) {
        const cJSON *item = cJSON_GetArrayItem(back, i); /* "inf" is clamped here */
        float want = cJSON_IsNumber(item) ? (float)item->valuedouble : copysignf(65504, x[i]);
        CHECK(y[i] == want, "half of %.9g is %.9g", (double)x[i], (double)y[i]);
    }
}

/* ---- what holds for all ---- */

enum { INPUTS = 200 };

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void check_properties(const waio_qparams *p, float min, float max, int bits)
{
    float x[INPUTS], span = max - min;
    int32_t before = p->lo;

    CHECK(p->scale > 0 && p->zero_point >= p->lo && p->zero_point <= p->hi, "zero point %d",
          p->zero_point);
    CHECK(p->hi - p->lo < 1 << bits, "%d bits: codes %d to %d", bits, p->lo, p->hi);
    CHECK(value_of(0, p) == 0 && code_of(0, p) == p->zero_point, "%d bits: 0 becomes %.9g", bits,
          (double)value_of(0, p));
    for (int i = 0; i < INPUTS; i++)
        x[i] = min - span / 4 + span * 1.5f * waio_rng_unit(&rng);
    qsort(x, INPUTS, sizeof *x, ascending);
    for (int i = 0; i < INPUTS; i++) {
        float y = value_of(x[i], p);
        int32_t code = code_of(x[i], p);
        double error = fabs((double)y - (double)x[i]);
        bool inside = x[i] >= min && x[i] <= max;
        CHECK(value_of(y, p) == y, "%d bits: twice is not once at %.9g", bits, (double)x[i]);
        CHECK(waio_dequantize_code(code, p->scale, p->zero_point) == y, "the value of a code");
        CHECK(code >= before && code <= p->hi, "%d bits: codes fall at %.9g", bits, (double)x[i]);
        CHECK(!inside || error <= 0.5000001 * (double)p->scale + 2e-7 * fabs((double)x[i]),
              "%d bits: %.9g becomes %.9g, step %.9g", bits, (double)x[i], (double)y,
              (double)p->scale);
        before = code;
    }
}

static void all_bits(void)
{
    for (int bits = MIN_BITS; bits <= MAX_BITS; bits++)
        for (int i = 0; i < 40; i++) {
            float size = ldexpf(1, (int)waio_rng_below(&rng, 40) - 20);
            float min = -size * waio_rng_unit(&rng), max = size * waio_rng_unit(&rng);
            if (i % 4 == 0)
                max = min / 3; /* both below 0 */
            if (i % 4 == 1)
                min = max / 3; /* both above 0 */
            waio_qparams a = waio_qparams_asymmetric(min, max, bits);
            waio_qparams s = waio_qparams_symmetric(min, max, bits);
            CHECK(a.lo == -(1 << (bits - 1)) && a.hi == (1 << (bits - 1)) - 1, "codes");
            CHECK(s.lo == -s.hi && s.hi == a.hi && s.zero_point == 0, "narrow codes");
            check_properties(&a, min, max, bits);
            check_properties(&s, min, max, bits);
            double wanted = a.lo - (double)fminf(min, 0) / (double)a.scale;
            CHECK(fabs(a.zero_point - wanted) <= 0.5 + 1e-6 * fabs(wanted), "zero point %d of %g",
                  a.zero_point, wanted);
        }
}

/* Nothing seen, only zeros, or so little that a step would lose digits: everything becomes 0. */
static void ranges_of_nothing(void)
{
    static const float none[][2] = {
        {0, 0}, {NAN, NAN}, {-0.0f, 0}, {-1e-45f, 1e-45f}, {-FLT_MIN, FLT_MIN}};

    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        for (int bits = MIN_BITS; bits <= MAX_BITS; bits += 7)
            for (int symmetric = 0; symmetric < 2; symmetric++) {
                waio_qparams p = symmetric ? waio_qparams_symmetric(none[i][0], none[i][1], bits)
                                           : waio_qparams_asymmetric(none[i][0], none[i][1], bits);
                if (bits == 2 && i == 4) /* a step of FLT_MIN is whole */
                    continue;
                CHECK(p.scale == 1 && p.zero_point == 0, "scale %g, zero point %d", (double)p.scale,
                      p.zero_point);
                for (float x = -3; x <= 3; x += 0.75f)
                    CHECK(value_of(x, &p) == 0 && code_of(x, &p) == 0, "%g becomes %g", (double)x,
                          (double)value_of(x, &p));
            }
}

/* Channels of tiny weights next to large ones: finite, and at most half a step wrong. */
static void tiny_weights(void)
{
    enum { CHANNELS = 6, EACH = 5 };
    static const float size[CHANNELS] = {0, 1e-44f, 1e-38f, 2e-37f, 1e-30f, 1};
    float weight[CHANNELS * EACH], out[CHANNELS * EACH];
    waio_weight_scales scales;

    for (int i = 0; i < CHANNELS * EACH; i++) /* a zero in each channel */
        weight[i] = size[i / EACH] * ((float)(i % EACH) / 2 - 1);
    for (int bits = MIN_BITS; bits <= MAX_BITS; bits++)
        for (int k = 0; k < 2; k++) {
            waio_scheme scheme = each_channel;
            scheme.weights = k ? WAIO_ASYMMETRIC : WAIO_SYMMETRIC;
            CHECK_OK(waio_quantize_weights(out, &scales, weight, CHANNELS * EACH, CHANNELS, bits,
                                           &scheme, arena));
            for (int i = 0; i < CHANNELS * EACH; i++)
                CHECK(fabsf(out[i] - weight[i]) <= 0.51f * scales.scale[i / EACH],
                      "%d bits, %s: weight %g becomes %g", bits, k ? "asymmetric" : "symmetric",
                      (double)weight[i], (double)out[i]);
        }
}

/* A channel's scale comes from its own weights alone, outermost dimension first. */
static void channels_are_apart(void)
{
    float weight[] = {1, -0.5f, 0.25f, 100, -50, 3, 0.01f, 0.002f, -0.02f}, out[9];
    waio_weight_scales scales;
    waio_scheme scheme = each_channel;

    CHECK_OK(waio_quantize_weights(out, &scales, weight, 9, 3, 4, &scheme, arena));
    CHECK(scales.scale[0] == 1.0f / 7 && scales.scale[1] == 100.0f / 7 &&
              scales.scale[2] == 0.02f / 7,
          "scales %g %g %g", (double)scales.scale[0], (double)scales.scale[1],
          (double)scales.scale[2]);
    scheme.weights = WAIO_ASYMMETRIC;
    CHECK_OK(waio_quantize_weights(out, &scales, weight, 9, 3, 4, &scheme, arena));
    CHECK(scales.scale[0] == 0.1f && scales.scale[1] == 10, "scales %g %g of 15 steps",
          (double)scales.scale[0], (double)scales.scale[1]);
    scheme.per_channel = false;
    CHECK_OK(waio_quantize_weights(out, &scales, weight, 9, 3, 4, &scheme, arena));
    CHECK(scales.count == 1 && scales.scale[0] == 10 && out[3] == 100 && out[0] == 0,
          "one scale: %g", (double)scales.scale[0]);
}

int main(void)
{
    arena = waio_arena_new();
    vectors_of_the_equations();
    cJSON *json = vectors_read("tflite_qparams.json");
    vectors_of_activations(json);
    vectors_of_weights(json);
    vectors_of_half(json);
    cJSON_Delete(json);
    all_bits();
    ranges_of_nothing();
    tiny_weights();
    channels_are_apart();
    waio_arena_free(arena);
    return waio_check_result();
}
