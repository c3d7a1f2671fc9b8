/* SQuant's rounding against runs of its authors' program, what it promises for random weights, and
 * that threads change nothing. */
#include <math.h>

#include "check.h"
#include "quant/noise.h"
#include "quant/squant.h"
#include "util/rng.h"
#include "vectors.h"

enum { MOST = 20000 };

/* ---- vectors ---- */

/* Position in waio's order (O, HW, I) of element `e` in the vectors' (O, I, HW). */
static int64_t place(const waio_squant_shape *s, int64_t e)
{
    int64_t p = e % s->positions, i = e / s->positions % s->inputs;
    return (e / (s->positions * s->inputs) * s->positions + p) * s->inputs + i;
}

static waio_squant_shape shape_of(const cJSON *dims)
{
    waio_squant_shape s = {(int64_t)vectors_at(dims, 0), 1, (int64_t)vectors_at(dims, 1)};
    for (int i = 2; i < cJSON_GetArraySize(dims); i++)
        s.positions *= (int64_t)vectors_at(dims, i);
    return s;
}

static void compare(const cJSON *row, const char *key, const float *code,
                    const waio_squant_shape *s, bool clamped, waio_squant_grid g)
{
    const cJSON *list = cJSON_GetObjectItem(row, key);

    for (int e = 0; e < cJSON_GetArraySize(list); e++) {
        float expected = (float)vectors_at(list, e), got = code[place(s, e)];
        if (!clamped) /* the vectors show this stage before the codes are limited */
            expected = waio_clampf(expected, g.lo, g.hi);
        CHECK(got == expected, "%s, %s: code %d is %g, expected %g",
              cJSON_GetStringValue(cJSON_GetObjectItem(row, "name")), key, e, (double)got,
              (double)expected);
    }
}

static int run_vector(const cJSON *row)
{
    const cJSON *weights = cJSON_GetObjectItem(row, "weights");
    const char *mode = cJSON_GetStringValue(cJSON_GetObjectItem(row, "mode"));
    waio_squant_shape s = shape_of(cJSON_GetObjectItem(row, "shape"));
    int64_t block = s.positions * s.inputs;
    float w[256], code[256];
    waio_squant_grid grid[8];
    int bits = (int)vectors_number(row, "bits");
    bool kernel = strcmp(mode, "squant") == 0 || strcmp(mode, "squant-k") == 0;
    bool channel = strcmp(mode, "squant") == 0 || strcmp(mode, "squant-c") == 0;

    CHECK(s.channels * block == cJSON_GetArraySize(weights) && s.channels <= 8, "odd shape");
    for (int e = 0; e < s.channels * block; e++)
        w[place(&s, e)] = (float)vectors_at(weights, e);
    for (int64_t c = 0; c < s.channels; c++) {
        float min = INFINITY, max = -INFINITY;
        for (int64_t i = 0; i < block; i++) {
            min = fminf(min, w[c * block + i]);
            max = fmaxf(max, w[c * block + i]);
        }
        grid[c] = waio_squant_grid_of(min, max, bits, false);
        double scale = vectors_at(cJSON_GetObjectItem(row, "scale"), (int)c);
        CHECK(fabs((double)grid[c].inverse - scale) <= 1e-7 * scale, "scale of channel %d is %.9g",
              (int)c, (double)grid[c].inverse);
        CHECK((double)grid[c].offset == vectors_at(cJSON_GetObjectItem(row, "zero_point"), (int)c),
              "zero point of channel %d is %g", (int)c, (double)grid[c].offset);
    }
    const struct {
        const char *key;
        waio_squant_stages stages;
    } stage[] = {
        {"round_nearest", {false, false}}, {"after_k", {true, false}}, {"after_c", {kernel, true}}};
    for (int i = 0; i < 3; i++) {
        CHECK_OK(waio_squant_round(code, w, &s, grid, s.channels, stage[i].stages, 1));
        compare(row, stage[i].key, code, &s, false, grid[0]);
    }
    CHECK_OK(
        waio_squant_round(code, w, &s, grid, s.channels, (waio_squant_stages){kernel, channel}, 1));
    compare(row, "codes", code, &s, true, grid[0]);
    const cJSON *values = cJSON_GetObjectItem(row, "dequantized");
    for (int e = 0; e < s.channels * block; e++) {
        double value =
            (double)waio_squant_value(code[place(&s, e)], grid[e / block]); /* 8 digits printed */
        CHECK(fabs(value - vectors_at(values, e)) <= 1e-7 * fabs(value), "value %d is %.9g", e,
              value);
    }
    return 1;
}

static void test_vectors(void)
{
    static const char *const file[] = {"squant_conv.json", "squant_linear_dw_pw.json",
                                       "squant_edge.json"};
    int seen = 0;

    for (int f = 0; f < 3; f++) {
        cJSON *json = vectors_read(file[f]);
        const cJSON *row;
        cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "cases")) seen += run_vector(row);
        cJSON_Delete(json);
    }
    CHECK(seen == 21, "%d vectors were read", seen);
}

/* ---- activations ---- */

static int run_activation(const cJSON *row)
{
    const cJSON *init = cJSON_GetObjectItem(row, "init");
    const cJSON *input = cJSON_GetObjectItem(row, "input");
    const cJSON *output = cJSON_GetObjectItem(row, "output");
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(row, "name"));
    int bits = (int)vectors_number(row, "bits");
    waio_noise noise = waio_noise_new();
    float min = 0, max = 0;

    for (int i = 0; i < cJSON_GetArraySize(init); i++)
        waio_noise_observe(&noise, &(float){(float)vectors_at(init, i)}, 1);
    double sigma = vectors_number(row, "sigma"), x_max = vectors_number(row, "x_max");
    CHECK(fabs(waio_noise_deviation(&noise) - sigma) <= 1e-6 * sigma, "%s: deviation %.9g", name,
          waio_noise_deviation(&noise));
    waio_noise_range(&noise, bits, &min, &max);
    CHECK(fabs((double)min - vectors_number(row, "x_min")) <= 1e-6 * x_max &&
              fabs((double)max - x_max) <= 1e-6 * x_max,
          "%s: %.9g .. %.9g", name, (double)min, (double)max);
    /* The grid is that of weights; its scale as printed, for the last digits. */
    waio_squant_grid g = waio_squant_grid_of(min, max, bits, false);
    CHECK(fabs((double)g.inverse - vectors_number(row, "scale")) <= 1e-6 * (double)g.inverse,
          "%s: scale %.9g", name, (double)g.inverse);
    g.inverse = (float)vectors_number(row, "scale");
    g.offset = (float)vectors_number(row, "zero_point") + (min < 0 ? 0 : -g.lo);
    for (int i = 0; i < cJSON_GetArraySize(input); i++) {
        float x = (float)vectors_at(input, i);
        float code = waio_clampf(waio_round_half_even(waio_squant_place(x, g)), g.lo, g.hi);
        double value = (double)waio_squant_value(code, g), want = vectors_at(output, i);
        CHECK(fabs(value - want) <= 2e-7 * fabs(want), "%s: %g becomes %.9g, expected %.9g", name,
              (double)x, value, want);
    }
    return 1;
}

static void test_activations(void)
{
    cJSON *json = vectors_read("squant_activation.json");
    const cJSON *row;
    int seen = 0;

    cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "cases")) seen += run_activation(row);
    CHECK(seen == 7, "%d cases were read", seen);
    cJSON_Delete(json);
}

/* ---- promises ---- */

typedef struct rounding {
    waio_squant_shape shape;
    waio_squant_grid grid[64];
    float w[MOST], code[MOST];
} rounding;

static rounding r;

/* Random weights well inside of the grid: bits of a wider range than the numbers have. */
static void draw(waio_rng *rng, int bits, bool symmetric, waio_squant_shape shape)
{
    int64_t block = shape.positions * shape.inputs;

    r.shape = shape;
    for (int64_t i = 0; i < shape.channels * block; i++)
        r.w[i] = waio_rng_unit(rng) * 1.6f - 0.8f;
    for (int64_t c = 0; c < shape.channels; c++) {
        float reach = 1.6f + 0.1f * (float)c;
        r.grid[c] = waio_squant_grid_of(-reach, reach, bits, symmetric);
    }
}

/* Largest absolute sum of errors of a kernel, or of a channel. */
static double largest_sum(bool of_kernel)
{
    const waio_squant_shape *s = &r.shape;
    double most = 0;

    for (int64_t c = 0; c < s->channels; c++) {
        double whole = 0;
        for (int64_t i = 0; i < s->inputs; i++) {
            double sum = 0;
            for (int64_t p = 0; p < s->positions; p++) {
                int64_t at = (c * s->positions + p) * s->inputs + i;
                sum += (double)r.code[at] - (double)waio_squant_place(r.w[at], r.grid[c]);
            }
            whole += sum;
            if (of_kernel)
                most = fmax(most, fabs(sum));
        }
        if (!of_kernel)
            most = fmax(most, fabs(whole));
    }
    return most;
}

static void check_nearest(void)
{
    int64_t block = r.shape.positions * r.shape.inputs;

    for (int64_t i = 0; i < r.shape.channels * block; i++) {
        float x = waio_squant_place(r.w[i], r.grid[i / block]);
        CHECK(fabsf(r.code[i] - x) < 1 && r.code[i] == truncf(r.code[i]),
              "weight at %.9g has code %.9g", (double)x, (double)r.code[i]);
    }
}

static void round_by(bool kernel, bool channel)
{
    CHECK_OK(waio_squant_round(r.code, r.w, &r.shape, r.grid, r.shape.channels,
                               (waio_squant_stages){kernel, channel}, 1));
    check_nearest();
}

static void test_bounds(void)
{
    /* Sums are of float errors, each off by the last digit of x. */
    static const double slack = 1e-2;
    waio_rng rng = {11};

    for (int round = 0; round < 60; round++) {
        int64_t side = 1 + (int64_t)waio_rng_below(&rng, 7);
        waio_squant_shape shape = {1 + (int64_t)waio_rng_below(&rng, 6), side * side,
                                   1 + (int64_t)waio_rng_below(&rng, 60)};
        int bits = round % 8 == 7 ? 16 : 3 + round % 8; /* at 2 bits the grid's ends are near */
        draw(&rng, bits, round % 2, shape);
        double fine = bits == 16 ? slack * 50 : slack; /* x of 5 digits has errors of 3 */
        round_by(false, false);
        round_by(true, false);
        if (side > 1)
            CHECK(largest_sum(true) <= 0.5 + fine, "after K a kernel is off by %g",
                  largest_sum(true));
        round_by(true, true);
        CHECK(largest_sum(true) <= 1 + fine, "after C a kernel is off by %g", largest_sum(true));
        CHECK(largest_sum(false) <= 0.5 + fine, "after C a channel is off by %g",
              largest_sum(false));
        round_by(false, true);
        CHECK(largest_sum(false) <= 0.5 + fine, "C alone: a channel is off by %g",
              largest_sum(false));
    }
}

/* ---- the text once more, one channel, everything sorted ---- */

typedef struct slow {
    int count, kernel;
    double x[400], code[400], error[400], priority[2][400], to_code[2][400], to_error[2][400];
} slow;

static void slow_step(slow *s, int first, int count, bool of_kernel)
{
    double sum = 0;
    int order[400];

    for (int i = first; i < first + count; i++)
        sum += s->error[i];
    sum = (double)(float)sum;
    int side = sum < 0, flips = (int)rint(fabs(sum));
    for (int i = 0; i < count; i++) { /* insertion sort: stable */
        int at = i;
        for (; at > 0 && s->priority[side][first + order[at - 1]] < s->priority[side][first + i];
             at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (int k = 0; k < flips; k++) {
        int i = first + order[k];
        s->code[i] = s->to_code[side][i];
        s->error[i] = s->to_error[side][i];
    }
    if (!of_kernel)
        return;
    for (int i = first; i < first + count; i++)
        s->priority[0][i] = s->priority[1][i] = 0;
    bool enough = flips >= fabs(sum);
    int open = first + order[!enough ? flips : flips > 0 ? flips - 1 : count - 1];
    s->priority[enough ? !side : side][open] = fabs(s->error[open]);
}

static slow by_text(const float *w, const waio_squant_shape *shape, waio_squant_grid g, bool kernel,
                    bool channel)
{
    slow s = {.count = (int)(shape->positions * shape->inputs), .kernel = (int)shape->positions};

    for (int i = 0; i < s.count; i++) {
        float x = waio_squant_place(w[i % s.kernel * shape->inputs + i / s.kernel], g);
        float nearest = rintf(x), e = nearest - x;
        bool up = e < 0 && x<g.hi, down = e> 0 && x > g.lo;
        s.x[i] = (double)x;
        s.code[i] = s.to_code[0][i] = s.to_code[1][i] = (double)nearest;
        s.error[i] = (double)e;
        if (up) {
            s.to_code[1][i] += 1;
            s.to_error[1][i] = (double)(e + 1);
            s.priority[1][i] = (double)-e;
        }
        if (down) {
            s.to_code[0][i] -= 1;
            s.to_error[0][i] = (double)(e - 1);
            s.priority[0][i] = (double)e;
        }
    }
    for (int k = 0; kernel && s.kernel > 1 && k < s.count; k += s.kernel)
        slow_step(&s, k, s.kernel, true);
    if (channel)
        slow_step(&s, 0, s.count, false);
    for (int i = 0; i < s.count; i++)
        s.code[i] = fmin(fmax(s.code[i], (double)g.lo), (double)g.hi);
    return s;
}

/* Grids that cut much off, so that flips meet weights that have none. */
static void test_against_text(void)
{
    waio_rng rng = {13};
    float w[400], code[400];

    for (int round = 0; round < 4000; round++) {
        int side = 1 + (int)waio_rng_below(&rng, 4), bits = 2 + (int)waio_rng_below(&rng, 4);
        waio_squant_shape shape = {1, side * side, 1 + (int64_t)waio_rng_below(&rng, 20)};
        bool kernel = round & 1, channel = round & 2, coarse = round & 4;
        float low = -0.1f - waio_rng_unit(&rng), high = 0.05f + 0.7f * waio_rng_unit(&rng);
        waio_squant_grid g = waio_squant_grid_of(low, high, bits, round & 8);
        int count = (int)(shape.positions * shape.inputs);
        for (int i = 0; i < count; i++) {
            w[i] = waio_rng_unit(&rng) * 2 - 0.7f;
            if (coarse) /* ties */
                w[i] = (rintf(w[i] * 8) / 4 + g.offset) / g.inverse;
        }
        CHECK_OK(
            waio_squant_round(code, w, &shape, &g, 1, (waio_squant_stages){kernel, channel}, 1));
        slow s = by_text(w, &shape, g, kernel, channel);
        for (int i = 0; i < count; i++)
            CHECK((double)code[i % s.kernel * shape.inputs + i / s.kernel] == s.code[i],
                  "round %d: code %d at %g is %g, by the text %g", round, i, s.x[i],
                  (double)code[i % s.kernel * shape.inputs + i / s.kernel], s.code[i]);
    }
}

/* A layer with one grid for all channels, and the order of ties: the earlier weight is flipped. */
static void test_ties(void)
{
    float w[4] = {0.75f, 0.75f, 0.75f, 0.75f}, code[4];
    waio_squant_grid grid = {4.0f / 3 * 1.75f, 0, -8, 7, 0}; /* all at 1.75: errors 0.25, sum 1 */
    waio_squant_shape dense = {1, 1, 4}, rows = {2, 2, 1};

    CHECK_OK(waio_squant_round(code, w, &dense, &grid, 1, (waio_squant_stages){true, true}, 1));
    CHECK(code[0] == 1 && code[1] == 2 && code[2] == 2 && code[3] == 2, "%g %g %g %g",
          (double)code[0], (double)code[1], (double)code[2], (double)code[3]);
    /* Two kernels of two: 0.5 is even, nothing is flipped. */
    CHECK_OK(waio_squant_round(code, w, &rows, &grid, 1, (waio_squant_stages){true, true}, 1));
    CHECK(code[0] == 2 && code[3] == 2, "a sum of 0.5 flips none");
}

static void test_threads(void)
{
    static float alone[MOST];
    waio_rng rng = {12};

    draw(&rng, 4, false, (waio_squant_shape){60, 9, 37});
    CHECK_OK(waio_squant_round(alone, r.w, &r.shape, r.grid, r.shape.channels,
                               (waio_squant_stages){true, true}, 1));
    for (int threads = 2; threads < 9; threads++) {
        memset(r.code, 0, sizeof r.code);
        CHECK_OK(waio_squant_round(r.code, r.w, &r.shape, r.grid, r.shape.channels,
                                   (waio_squant_stages){true, true}, threads));
        CHECK(memcmp(alone, r.code, 60 * 9 * 37 * sizeof *alone) == 0, "%d threads differ",
              threads);
    }
}

int main(void)
{
    test_vectors();
    test_activations();
    test_bounds();
    test_ties();
    test_against_text();
    test_threads();
    return waio_check_result();
}
