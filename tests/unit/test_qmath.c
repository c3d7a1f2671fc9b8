/* Rounding, quantizing and fake-quantizing of one number, against definitions in double and the
 * worked vectors in tests/data/vectors; and the backends' loops against the one-number functions.
 */
#include "check.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "util/file.h"
#include "util/rng.h"

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float from_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* The same number, or both NaN. */
static bool same(float a, float b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* ---- rounding ---- */

static long rounding_wrong;

/* round and nearbyint of the C library in double, where a float plus a half is exact. */
static void check_rounding(float x)
{
    bool away = same(waio_round_half_away(x), (float)round((double)x));
    bool even = same(waio_round_half_even(x), (float)nearbyint((double)x));
    rounding_wrong += !away || !even;
    if (!away || !even)
        CHECK(rounding_wrong > 10, "%.9g rounds to %.9g (away), %.9g (even)", (double)x,
              (double)waio_round_half_away(x), (double)waio_round_half_even(x));
}

static void check_around(float x)
{
    float below = nextafterf(x, -INFINITY), above = nextafterf(x, INFINITY);
    check_rounding(nextafterf(below, -INFINITY));
    check_rounding(below);
    check_rounding(x);
    check_rounding(above);
    check_rounding(nextafterf(above, INFINITY));
}

static void rounding_near_ties(void)
{
    for (int32_t k = 0; k < 1 << 23; k += k < 100000 ? 1 : 97) {
        check_around((float)k + 0.5f);
        check_around(-(float)k - 0.5f);
    }
    for (int32_t k = (1 << 23) - 5000; k < (1 << 23) + 5000; k++) {
        check_around((float)k + 0.5f);
        check_around((float)-k);
    }
    for (uint64_t u = 0; u <= UINT32_MAX; u += 4093) /* all exponents, both signs, NaN */
        check_rounding(from_bits((uint32_t)u));
    CHECK(rounding_wrong == 0, "%ld floats round wrong", rounding_wrong);
}

static void rounding_by_hand(void)
{
    static const struct {
        float x, away, even;
    } row[] = {{0.5f, 1, 0},
               {1.5f, 2, 2},
               {2.5f, 3, 2},
               {-0.5f, -1, 0},
               {-1.5f, -2, -2},
               {-2.5f, -3, -2},
               {0.49999997f, 0, 0},
               {-0.49999997f, 0, 0},
               {0.50000006f, 1, 1},
               {8388607.5f, 8388608, 8388608},
               {8388606.5f, 8388607, 8388606},
               {8388609, 8388609, 8388609},
               {-16777215, -16777215, -16777215},
               {3e38f, 3e38f, 3e38f},
               {INFINITY, INFINITY, INFINITY},
               {-INFINITY, -INFINITY, -INFINITY},
               {1e-45f, 0, 0},
               {NAN, NAN, NAN}};

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        CHECK(same(waio_round(row[i].x, WAIO_ROUND_HALF_AWAY), row[i].away),
              "away: %.9g gives %.9g", (double)row[i].x,
              (double)waio_round(row[i].x, WAIO_ROUND_HALF_AWAY));
        CHECK(same(waio_round(row[i].x, WAIO_ROUND_HALF_EVEN), row[i].even),
              "even: %.9g gives %.9g", (double)row[i].x,
              (double)waio_round(row[i].x, WAIO_ROUND_HALF_EVEN));
    }
    CHECK(isnan(waio_clampf(NAN, 0, 1)), "a clamp keeps NaN");
    CHECK(waio_clampf(INFINITY, 0, 6) == 6 && waio_clampf(-INFINITY, 0, 6) == 0, "clamps infinity");
}

/* ---- half ---- */

/* The value of a half's 15 low bits, worked from the format (infinity: bits 0x7c00). */
static double half_value(int bits)
{
    int exponent = bits >> 10, fraction = bits & 0x3ff;
    return exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
}

static void halves(void)
{
    int wrong = 0;

    for (int h = 0; h < 0x7bff; h++) { /* each half, and between it and the next one */
        float x = (float)half_value(h), next = (float)half_value(h + 1), middle = (x + next) / 2;
        float at_tie = h % 2 ? next : x;
        wrong += bits_of(waio_round_to_half(x)) != bits_of(x);
        wrong += bits_of(waio_round_to_half(-x)) != bits_of(-x);
        wrong += waio_round_to_half(middle) != at_tie || waio_round_to_half(-middle) != -at_tie;
        wrong += waio_round_to_half(nextafterf(middle, 0)) != x;
        wrong += waio_round_to_half(nextafterf(middle, INFINITY)) != next;
        wrong += waio_round_to_half(nextafterf(x, INFINITY)) != x && h > 0;
    }
    CHECK(wrong == 0, "%d halves or neighbours wrong", wrong);
    CHECK(waio_round_to_half(65504) == 65504 && waio_round_to_half(65520) == 65504, "limit");
    CHECK(waio_round_to_half(INFINITY) == 65504 && waio_round_to_half(-1e30f) == -65504, "limit");
    CHECK(isnan(waio_round_to_half(NAN)), "NaN");
    CHECK(bits_of(waio_round_to_half(-0.0f)) == bits_of(-0.0f), "the sign of zero");
    CHECK(waio_round_to_half(1e-45f) == 0 && waio_round_to_half(-1e-38f) == 0, "subnormal floats");
}

/* ---- the vectors ---- */

static cJSON *read_vectors(const char *name, waio_arena *arena)
{
    unsigned char *text = NULL;
    size_t size = 0;

    CHECK_OK(
        waio_file_read(&text, &size, waio_path_join(arena, TEST_DATA_DIR "/vectors", name), arena));
    cJSON *json = cJSON_ParseWithLength((const char *)text, size);
    CHECK(json != NULL, "%s is no JSON", name);
    return json;
}

static double number(const cJSON *object, const char *key)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static double item(const cJSON *object, const char *key, int i)
{
    return cJSON_GetNumberValue(
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(object, key), i));
}

static void vectors_of_half(waio_arena *arena)
{
    cJSON *json = read_vectors("tflite_qparams.json", arena);
    const cJSON *half = cJSON_GetObjectItemCaseSensitive(json, "float16");
    const cJSON *wanted = cJSON_GetObjectItemCaseSensitive(half, "half_bits_clamped");
    int n = cJSON_GetArraySize(wanted);

    CHECK(n >= 17, "%d vectors", n);
    for (int i = 0; i < n; i++) {
        float x = (float)item(half, "input", i);
        int bits = (int)strtol(cJSON_GetStringValue(cJSON_GetArrayItem(wanted, i)), NULL, 16);
        float want = (float)(half_value(bits & 0x7fff) * (bits & 0x8000 ? -1 : 1));
        CHECK(waio_round_to_half(x) == want, "%.9g becomes %.9g, expected %.9g", (double)x,
              (double)waio_round_to_half(x), (double)want);
    }
    cJSON_Delete(json);
}

/* The vectors divide by a double scale, waio by the float next to it: an input that lies on a tie
 * may take the other side. A scale of 1 is the same in both. */
static bool tie_of_scale(double x, double scale)
{
    double steps = fabs(x / scale);
    return scale != 1 && fabs(steps - floor(steps) - 0.5) < 1e-5;
}

/* One case of the equations in the form that waio uses: codes and values of a list of inputs. */
static int check_equations(const cJSON *c, const char *name, int rounding)
{
    bool narrow = strstr(name, "symmetric_narrow") != NULL, zero = strcmp(name, "zero_range") == 0;
    int bits = (int)number(c, "bits"), z = (int)number(c, "zero_point");
    int hi = (1 << (bits - 1)) - 1, lo = narrow ? -hi : -hi - 1;
    waio_fq fq = {(float)number(c, "scale"), zero ? 0 : (float)(lo - z),
                  zero ? 0 : (float)(hi - z)};
    int n = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(c, "input"));
    bool has_values = cJSON_HasObjectItem(c, "dequantized");
    int ties = 0;

    for (int i = 0; i < n; i++) {
        float x = (float)item(c, "input", i), got = waio_fake_quantize(x, fq, rounding);
        int32_t code = waio_quantize_code(x, fq, z, rounding), want = (int32_t)item(c, "codes", i);
        bool tie = tie_of_scale(item(c, "input", i), number(c, "scale"));
        ties += tie;
        CHECK(code == want || (tie && abs(code - want) == 1),
              "%s, %d bits: code of %.9g is %d, expected %d", name, bits, (double)x, code, want);
        CHECK(waio_dequantize_code(code, fq.scale, z) == got, "%s: the value of a code", name);
        if (has_values && code == want) /* the scale is a float here, a double there */
            CHECK(fabs(got - item(c, "dequantized", i)) <= 2e-7 * fabs((double)got),
                  "%s, %d bits: value of %.9g", name, bits, (double)x);
    }
    CHECK(ties <= n / 2, "%s, %d bits: %d inputs on ties", name, bits, ties);
    return n;
}

static void vectors_of_the_equations(waio_arena *arena)
{
    cJSON *json = read_vectors("thesis_eqs.json", arena);
    const cJSON *c = NULL;
    int inputs = 0;

    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(json, "uniform"))
    {
        const char *form = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(c, "form"));
        if (strncmp(form, "normative", 9) == 0)
            inputs += check_equations(c, form, WAIO_ROUND_HALF_AWAY);
    }
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(json, "edge"))
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(c, "name"));
        bool even = strstr(name, "half_even") != NULL;
        if (cJSON_HasObjectItem(c, "codes"))
            inputs += check_equations(c, name, even ? WAIO_ROUND_HALF_EVEN : WAIO_ROUND_HALF_AWAY);
    }
    CHECK(inputs > 200, "only %d inputs", inputs);
    cJSON_Delete(json);
}

/* ---- fake quantization ---- */

/* A quantizer of `bits` bits with a random scale and zero point (each fifth is symmetric). */
static waio_fq random_fq(int bits, waio_rng *rng)
{
    int count = 1 << bits, z = (int)waio_rng_below(rng, (uint64_t)count);
    float scale = ldexpf(1 + waio_rng_unit(rng), (int)waio_rng_below(rng, 30) - 20);

    if (waio_rng_below(rng, 5) == 0)
        return (waio_fq){scale, (float)(1 - count / 2), (float)(count / 2 - 1)};
    return (waio_fq){scale, (float)-z, (float)(count - 1 - z)};
}

static const float special[] = {0.0f,   -0.0f,   NAN,   INFINITY, -INFINITY,
                                1e-45f, -1e-45f, 3e38f, -3e38f,   1e-38f};

/* Numbers inside of the range and beyond it, ties, and the special ones. */
static void fill(float *x, size_t count, waio_fq fq, waio_rng *rng)
{
    float width = fq.hi - fq.lo;

    for (size_t i = 0; i < count; i++) {
        float code = fq.lo + width * (1.5f * waio_rng_unit(rng) - 0.25f);
        switch (waio_rng_below(rng, 4)) {
        case 0:
            x[i] = special[waio_rng_below(rng, sizeof special / sizeof *special)];
            break;
        case 1:
            x[i] = (floorf(code) + 0.5f) * fq.scale;
            break;
        default:
            x[i] = code * fq.scale;
        }
    }
}

/* What a fake-quantized number must be, whatever it is. */
static void check_properties(const float *x, const float *y, size_t count, waio_fq fq, int rounding)
{
    for (size_t i = 0; i < count; i++) {
        float again = waio_fake_quantize(y[i], fq, rounding);
        CHECK(same(again, y[i]), "twice is not once: %.9g, %.9g", (double)y[i], (double)again);
        CHECK(isnan(x[i]) == isnan(y[i]), "NaN stays NaN");
        CHECK(x[i] != 0 || y[i] == 0, "zero becomes %.9g", (double)y[i]);
        bool inside = x[i] >= fq.lo * fq.scale && x[i] <= fq.hi * fq.scale;
        double half_step = 0.5 * fq.scale + 1.2e-7 * fabs((double)x[i]);
        CHECK(!inside || fabs((double)y[i] - x[i]) <= half_step, "%.9g becomes %.9g at step %.9g",
              (double)x[i], (double)y[i], (double)fq.scale);
        CHECK(isnan(y[i]) || (y[i] >= fq.lo * fq.scale && y[i] <= fq.hi * fq.scale),
              "out of range");
    }
}

enum { MOST = 1037 };

static void check_backends(waio_fq fq, int rounding, size_t count, waio_rng *rng)
{
    static float x[MOST], ref[MOST], cpu[MOST], place[MOST];

    fill(x, count, fq, rng);
    memcpy(place, x, sizeof x);
    memset(cpu, 0x11, sizeof cpu);
    waio_backend_ref.fake_quantize(ref, x, count, fq, rounding);
    waio_backend_cpu.fake_quantize(cpu, x, count, fq, rounding);
    waio_backend_cpu.fake_quantize(place, place, count, fq, rounding);
    bool equal = true;
    for (size_t i = 0; i < count; i++)
        equal = equal && ((isnan(ref[i]) && isnan(cpu[i])) || bits_of(ref[i]) == bits_of(cpu[i]));
    CHECK(equal, "ref and cpu differ in bits: %zu numbers, scale %g", count, (double)fq.scale);
    CHECK(memcmp(cpu, place, count * sizeof *cpu) == 0, "in place is not the same");
    CHECK(count == MOST || bits_of(cpu[count]) == 0x11111111, "writes past the end");
    check_properties(x, ref, count, fq, rounding);
}

static void fake_quantizing(void)
{
    static const size_t counts[] = {0, 1, 2, 3, 7, 15, 16, 17, 31, 33, 100, MOST};
    waio_rng rng = {77};

    for (int bits = 2; bits <= 16; bits++)
        for (int rounding = 0; rounding < 2; rounding++)
            for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
                for (int repeat = 0; repeat < 4; repeat++)
                    check_backends(random_fq(bits, &rng), rounding, counts[i], &rng);
}

/* A multiplication by 1/scale would round some ties the other way. */
static void the_division_is_a_division(void)
{
    waio_rng rng = {3};
    int different = 0;

    for (int i = 0; i < 200000; i++) {
        waio_fq fq = random_fq(8, &rng);
        float x = (floorf(100 * waio_rng_unit(&rng)) + 0.5f) * fq.scale;
        float exact = (float)round((double)(x / fq.scale));
        float limited = exact > fq.hi ? fq.hi : exact;
        different += waio_round_half_away(x * (1 / fq.scale)) != exact;
        CHECK(waio_fake_quantize(x, fq, WAIO_ROUND_HALF_AWAY) == limited * fq.scale, "%.9g / %.9g",
              (double)x, (double)fq.scale);
    }
    CHECK(different > 1000, "the inputs do not tell the two apart: %d", different);
}

static void codes_of_what_is_no_number(void)
{
    waio_fq fq = {0.5f, -100, 155};

    CHECK(waio_quantize_code(NAN, fq, -28, WAIO_ROUND_HALF_AWAY) == -28, "NaN is as 0");
    CHECK(waio_quantize_code(INFINITY, fq, -28, WAIO_ROUND_HALF_AWAY) == 127, "infinity");
    CHECK(waio_quantize_code(-INFINITY, fq, -28, WAIO_ROUND_HALF_EVEN) == -128, "-infinity");
}

int main(void)
{
    waio_arena *arena = waio_arena_new();

    rounding_by_hand();
    rounding_near_ties();
    halves();
    vectors_of_half(arena);
    vectors_of_the_equations(arena);
    fake_quantizing();
    the_division_is_a_division();
    codes_of_what_is_no_number();
    waio_arena_free(arena);
    return waio_check_result();
}
