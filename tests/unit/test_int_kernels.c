/* The cpu backend's integer kernels against the reference, with each kind of instructions that this
 * processor has: every op case, requantization number by number, and the sums that the 32-bit parts
 * of a kernel can just hold. */
#include <math.h>
#include <stdlib.h>

#include "backend/cpu/int_conv.h"
#include "check/check.h"
#include "check/opcases.h"
#include "refq_net.h"
#include "util/arena.h"
#include "util/rng.h"

/* ---- op cases ---- */

static void cases_agree(void)
{
    int failed = -1;

    CHECK_OK(waio_check_ops(&waio_backend_cpu, NULL, &failed));
    CHECK(failed == 0, "%d cases differ: see `waio check`", failed);
}

/* ---- requantization ---- */

enum { PIXELS = 5 };

/* Numbers where rounding, saturation and sign matter. */
static int32_t random_sum(waio_rng *rng)
{
    static const int32_t edge[] = {0,  1,       -1,         INT32_MAX, INT32_MIN, INT32_MIN + 1,
                                   -2, 1 << 30, -(1 << 30), 1 << 20,   -(1 << 20)};
    int bits = (int)waio_rng_below(rng, 32);

    if (waio_rng_below(rng, 4) == 0)
        return edge[waio_rng_below(rng, sizeof edge / sizeof *edge)];
    if (waio_rng_below(rng, 3) == 0) /* ties of powers of two, and their neighbours */
        return (int32_t)(waio_rng_below(rng, 64) * 2 + 1) * (1 << bits % 25) *
                   (waio_rng_below(rng, 2) ? 1 : -1) +
               (int32_t)waio_rng_below(rng, 3) - 1;
    return (int32_t)(uint32_t)waio_rng_next(rng) >> bits;
}

static double random_factor(waio_rng *rng, waio_requant rounding)
{
    int exponent = (int)waio_rng_below(rng, rounding == WAIO_REQUANT_SINGLE ? 40 : 63) - 33;
    double fraction = 0.5 + 0.5 * (double)waio_rng_unit(rng);

    if (waio_rng_below(rng, 4) == 0)
        fraction = 0.5; /* makes ties */
    if (waio_rng_below(rng, 8) == 0)
        fraction = 1 - 0x1p-31;
    return waio_rng_below(rng, 32) == 0 ? 0 : ldexp(fraction, exponent);
}

static void check_requant(waio_isa isa, waio_requant rounding, waio_type type, waio_rng *rng)
{
    waio_int_requant q = {.type = type};
    waio_multiplier m[WAIO_INT_LANES];
    double real[WAIO_INT_LANES];
    int32_t sum[PIXELS * WAIO_INT_SUM_ROW];
    int16_t y[PIXELS * 20] = {0};
    bool small =
        waio_rng_below(rng, 2); /* factors that need no shifts to the left: the usual case */
    int channels = 1 + (int)waio_rng_below(rng, WAIO_INT_LANES);
    int32_t top = type == WAIO_S8 ? 127 : 32767;

    q.zero_point = (int32_t)waio_rng_below(rng, 256) - 128;
    q.lo = -(int32_t)waio_rng_below(rng, 2) * top - 1;
    q.hi = top - (int32_t)waio_rng_below(rng, 2) * 100;
    if (waio_rng_below(rng, 2)) /* around the code of 0, where a ReLU clamps */
        q.lo = waio_clampi(q.zero_point + (int32_t)waio_rng_below(rng, 4) - 2, -top - 1, q.hi);
    for (int c = 0; c < WAIO_INT_LANES; c++) {
        real[c] = random_factor(rng, rounding);
        while (small && real[c] >= 0.25)
            real[c] /= 16;
        m[c] = waio_multiplier_of(real[c]);
    }
    for (int i = 0; i < PIXELS * WAIO_INT_SUM_ROW; i++)
        sum[i] = random_sum(rng);
    CHECK_OK(waio_int_requant_create(&q, rounding, m, real, 1, isa));
    waio_int_rows rows = {sum, PIXELS, 0, channels, y, 20};
    waio_int_requant_rows(&q, &rows);
    for (int p = 0; p < PIXELS; p++)
        for (int c = 0; c < 20; c++) {
            int32_t got = type == WAIO_S8 ? ((int8_t *)y)[p * 20 + c] : y[p * 20 + c], want = 0;
            if (c < channels) {
                int32_t x = sum[p * WAIO_INT_SUM_ROW + c];
                want = waio_finish_code(waio_multiply_by_quantized(x, m[c], real[c], rounding),
                                        q.zero_point, q.lo, q.hi);
            }
            CHECK(got == want, "%s, rounding %d: factor %.17g: %d, expected %d", waio_isa_name(isa),
                  rounding, c < channels ? real[c] : 0, got, want);
        }
    waio_int_requant_free(&q);
}

static void requantization_is_that_of_qmath(waio_isa isa)
{
    waio_rng rng = {7};

    for (int rounding = WAIO_REQUANT_TFLITE; rounding <= WAIO_REQUANT_FLOAT; rounding++)
        for (int i = 0; i < 2000; i++)
            check_requant(isa, (waio_requant)rounding, i % 2 ? WAIO_S8 : WAIO_S16, &rng);
}

/* ---- sums at their limits ---- */

/* A dense layer of two outputs over equal codes: the first has weights `w` and -w turn about. */
typedef struct sum_case {
    int64_t inputs;
    waio_type x_type, w_type, bias_type;
    int32_t x, z;
    int64_t w, bias;
    double scale; /* of the output */
} sum_case;

static void check_sum(const sum_case *c)
{
    float one = 1;
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, c->inputs), c->x_type, 1, c->z);
    int64_t *codes = calloc((size_t)c->inputs * 2, sizeof *codes), bias[2] = {c->bias, -c->bias};
    int32_t *x = calloc((size_t)c->inputs, sizeof *x), y[2] = {0};
    waio_node node = {.op = WAIO_OP_DENSE, .input_count = 3, .clamp = WAIO_NO_CLAMP};

    for (int64_t i = 0; i < c->inputs; i++) {
        codes[i] = i % 2 ? -c->w : c->w;
        codes[c->inputs + i] = c->w;
        x[i] = c->x;
    }
    if (c->w == -128 || c->w == -32768)
        codes[1] = c->w; /* which has no negative; the turns do not matter */
    for (int64_t i = 0; i < c->inputs && (c->w == -128 || c->w == -32768); i++)
        codes[i] = c->w;
    node.input[0] = graph->input;
    node.input[1] = refq_codes(graph, WAIO_SHAPE(2, c->inputs), c->w_type, &one, 1, codes);
    node.input[2] = refq_codes(graph, WAIO_SHAPE(2), c->bias_type, &one, 1, bias);
    int id = refq_node(graph, node, c->x_type, c->scale, 0);
    refq_run(graph, id, 1, x, y); /* compares cpu with ref, be it in failing */
    CHECK(waio_checks_done > 0, "nothing compared");
    free(codes);
    free(x);
    waio_graph_free(graph);
}

/* Around the lengths where a sum or a part of it stops to fit 32 bits. */
static void long_sums_agree(void)
{
    static const int64_t parts[] = {1,   2,   255,  256,  509,  510, 511,
                                    512, 513, 1019, 1020, 1021, 2047};
    static const int64_t bytes[] = {32767, 65533, 65534, 65535, 65793, 65794, 131071};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (int sign = 0; sign < 2; sign++) {
            int32_t x = sign ? 32767 : -32768;
            check_sum(&(sum_case){parts[i], WAIO_S16, WAIO_S8, WAIO_S64, x, 0, -128, 1, 65536});
            check_sum(&(sum_case){parts[i], WAIO_S16, WAIO_S8, WAIO_S32, x, 0, -128, 1, 65536});
            check_sum(&(sum_case){parts[i], WAIO_S16, WAIO_S8, WAIO_S32, x, 0, 127, -9, 65536});
            check_sum(&(sum_case){parts[i], WAIO_S16, WAIO_S16, WAIO_S64, x, 0, -32768, 3, 1e8});
            check_sum(&(sum_case){parts[i], WAIO_S16, WAIO_S16, WAIO_S64, x, 0, 32767, 3, 1e8});
        }
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
        for (int z = -128; z <= 127; z += 255) {
            int32_t x = z < 0 ? 127 : -128;
            check_sum(&(sum_case){bytes[i], WAIO_S8, WAIO_S8, WAIO_S32, x, z, -128, 0, 3e7});
            check_sum(&(sum_case){bytes[i], WAIO_S8, WAIO_S8, WAIO_S32, x, z, 127, 5, 3e7});
            check_sum(&(sum_case){bytes[i], WAIO_S8, WAIO_S8, WAIO_S32, x, z, 1, INT32_MAX, 3e7});
        }
}

/* ---- layers of uint8 files: weights with a zero point ---- */

typedef struct u8_case {
    int64_t h, w, ic, oc, kernel, batch;
    int stride, dilation, pad, groups;
    bool dense, bias;
} u8_case;

/* The codes `w` of a file's weights: around the zero point, a few far from it, or anything. */
static void fill_u8_weights(int64_t *w, int64_t count, int32_t zero, int kind, waio_rng *rng)
{
    for (int64_t i = 0; i < count; i++) {
        int32_t any = (int32_t)waio_rng_below(rng, 256) - 128;
        int32_t near = waio_clampi(zero + (int32_t)waio_rng_below(rng, 61) - 30, -128, 127);
        w[i] = kind == 0 || (kind == 1 && waio_rng_below(rng, 40)) ? near : any;
    }
    if (kind == 3) /* the largest differences */
        for (int64_t i = 0; i < count; i++)
            w[i] = waio_rng_below(rng, 4) ? (zero < 0 ? 127 : -128) : zero;
}

/* Whether the results are not all the same. */
static bool check_u8_layer(const u8_case *c, int kind, waio_rng *rng)
{
    static const int32_t zeros[] = {-128, 127, 3, -40, 0};
    int32_t x_zero = zeros[waio_rng_below(rng, 5)], w_zero = zeros[waio_rng_below(rng, 5)];
    float scale = 0.01f + waio_rng_unit(rng) / 64;
    int64_t each = c->dense ? c->ic : c->kernel * c->kernel * c->ic / c->groups;
    waio_shape weight = c->dense ? WAIO_SHAPE(c->oc, c->ic)
                                 : WAIO_SHAPE(c->oc, c->kernel, c->kernel, c->ic / c->groups);
    waio_graph *graph = refq_graph(
        c->dense ? WAIO_SHAPE(1, c->ic) : WAIO_SHAPE(1, c->h, c->w, c->ic), WAIO_S8, 0.5, x_zero);
    int64_t *codes = calloc((size_t)(c->oc * (each + 1)), sizeof *codes);
    waio_node node = {.op = c->dense ? WAIO_OP_DENSE : WAIO_OP_CONV2D,
                      .input_count = c->bias ? 3 : 2,
                      .clamp = kind % 2 ? WAIO_NO_CLAMP : (waio_clamp){0, INFINITY}};
    const char *reason = "";

    if (!c->dense)
        node.conv = (waio_conv_params){{c->stride, c->stride},
                                       {c->dilation, c->dilation},
                                       {c->pad, c->pad, c->pad, c->pad},
                                       c->groups};
    fill_u8_weights(codes, c->oc * each, w_zero, kind, rng);
    node.input[0] = graph->input;
    node.input[1] = refq_codes(graph, weight, WAIO_S8, &scale, 1, codes);
    waio_value_params params = graph->value[node.input[1]].params;
    params.u8 = true;
    params.zero_point = &w_zero;
    CHECK_OK(waio_graph_set_type(graph, node.input[1], WAIO_S8, &params));
    for (int64_t o = 0; o < c->oc; o++)
        codes[o] = (int64_t)waio_rng_below(rng, 20001) - 10000;
    float product = 0.5f * scale;
    if (c->bias)
        node.input[2] = refq_codes(graph, WAIO_SHAPE(c->oc), WAIO_S32, &product, 1, codes);
    int y =
        refq_node(graph, node, WAIO_S8, 0.3 * sqrt((double)each), zeros[waio_rng_below(rng, 5)]);
    graph->value[y].params.u8 = graph->value[graph->input].params.u8 = true;
    graph->requant = (waio_requant)waio_rng_below(rng, WAIO_REQUANT_FLOAT + 1);
    CHECK(waio_backend_cpu.supports(graph, &graph->node[0], &reason), "left to ref: %s", reason);

    int64_t in = c->batch * waio_shape_count(&graph->value[graph->input].shape);
    int64_t out = c->batch * waio_shape_count(&graph->value[y].shape), equal = 0;
    int32_t *x = calloc((size_t)in, sizeof *x), *got = calloc((size_t)out, sizeof *got);
    for (int64_t i = 0; i < in; i++)
        x[i] = (int32_t)waio_rng_below(rng, 256) - 128;
    CHECK_OK(refq_run(graph, y, c->batch, x, got)); /* compares */
    for (int64_t i = 0; i < out; i++)
        equal += got[i] == got[0];
    free(codes);
    free(x);
    free(got);
    waio_graph_free(graph);
    return equal < out;
}

static void layers_of_u8_files_agree(void)
{
    static const u8_case cases[] = {
        {5, 7, 3, 24, 3, 2, 2, 1, 1, 1, false, true},
        {4, 4, 19, 33, 1, 3, 1, 1, 0, 1, false, true},
        {1, 1, 130, 17, 1, 1, 1, 1, 0, 1, false, false},
        {9, 6, 5, 48, 3, 1, 1, 2, 2, 1, false, true},
        {7, 5, 12, 20, 3, 2, 1, 1, 1, 4, false, true},
        {6, 6, 24, 24, 3, 2, 1, 1, 1, 24, false, true},
        {7, 9, 70, 70, 3, 1, 2, 1, 1, 70, false, true},
        {5, 5, 17, 17, 5, 1, 1, 1, 2, 17, false, false},
        {6, 5, 32, 32, 3, 1, 1, 2, 2, 32, false, true},
        {3, 3, 6, 12, 3, 1, 1, 1, 1, 6, false, true},
        {1, 1, 1, 1, 1, 5, 1, 1, 0, 1, false, true},
        {1, 1, 37, 31, 1, 4, 1, 1, 0, 1, true, true},
        {1, 1, 1024, 100, 1, 1, 1, 1, 0, 1, true, true},
    };
    waio_rng rng = {29};
    int ran = 0, varied = 0;

    for (int round = 0; round < 4; round++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            for (int kind = 0; kind < 4; kind++, ran++)
                varied += check_u8_layer(&cases[i], kind, &rng);
    CHECK(varied > ran / 2, "only %d of %d results are not one code", varied, ran);
}

/* Sums that 32 bits just hold, and that they do not, of the largest |w - z| and |x - z|. */
static void long_u8_sums_agree(void)
{
    static const int64_t lengths[] = {33024, 33025, 33026, 33027, 66100};
    float one = 1;

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int end = 0; end < 2; end++) {
            int32_t zero = end ? 127 : -128, other = end ? -128 : 127, y[1] = {0};
            waio_graph *graph = refq_graph(WAIO_SHAPE(1, lengths[i]), WAIO_S8, 1, -128);
            int64_t *codes = calloc((size_t)lengths[i], sizeof *codes);
            int32_t *x = calloc((size_t)lengths[i], sizeof *x);
            waio_node node = {.op = WAIO_OP_DENSE, .input_count = 2, .clamp = WAIO_NO_CLAMP};
            for (int64_t k = 0; k < lengths[i]; k++) {
                codes[k] = other;
                x[k] = 127;
            }
            node.input[0] = graph->input;
            node.input[1] = refq_codes(graph, WAIO_SHAPE(1, lengths[i]), WAIO_S8, &one, 1, codes);
            waio_value_params params = graph->value[node.input[1]].params;
            params.u8 = true;
            params.zero_point = &zero;
            CHECK_OK(waio_graph_set_type(graph, node.input[1], WAIO_S8, &params));
            int id = refq_node(graph, node, WAIO_S8, 3e7, 0);
            waio_status st = refq_run(graph, id, 1, x, y); /* compares, be it in failing */
            CHECK((st == WAIO_OK) == (lengths[i] <= 33025), "%lld products: status %d",
                  (long long)lengths[i], st);
            free(codes);
            free(x);
            waio_graph_free(graph);
        }
}

/* ---- averages and concat of uint8 files ---- */

static void check_u8_pool(int64_t channels, int kernel, int pad, bool count_pad, waio_rng *rng)
{
    enum { SIDE = 7, BATCH = 2 };
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, SIDE, SIDE, channels), WAIO_S8, 1, -9);
    waio_node node = {.op = WAIO_OP_AVG_POOL, .clamp = WAIO_NO_CLAMP};
    const char *reason = "";

    node.pool = (waio_pool_params){{kernel, kernel}, {2, 1}, {pad, pad, pad, pad}, count_pad};
    int y = refq_node(graph, node, WAIO_S8, 1, -9);
    graph->value[y].params.u8 = graph->value[graph->input].params.u8 = true;
    CHECK(waio_backend_cpu.supports(graph, &graph->node[0], &reason), "left to ref: %s", reason);
    int64_t in = BATCH * SIDE * SIDE * channels;
    int64_t out = BATCH * waio_shape_count(&graph->value[y].shape);
    int32_t *x = calloc((size_t)in, sizeof *x), *got = calloc((size_t)out, sizeof *got);
    for (int64_t i = 0; i < in; i++) /* few different ones: many ties */
        x[i] = (int32_t)waio_rng_below(rng, 2) * 3 - 2 - (int32_t)waio_rng_below(rng, 2) * 120;
    CHECK_OK(refq_run(graph, y, BATCH, x, got));
    free(x);
    free(got);
    waio_graph_free(graph);
}

static void check_u8_concat(double scale, int32_t zero, waio_rng *rng)
{
    enum { ROWS = 5, A = 256, B = 3 };
    const float other = 0.75f;
    int64_t codes[ROWS * B];
    int32_t x[ROWS * A], got[ROWS * (A + B)];
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, ROWS, A), WAIO_S8, 1, 7);
    waio_node node = {.op = WAIO_OP_CONCAT, .input_count = 2, .axis = {2}, .clamp = {-3, INFINITY}};
    const char *reason = "";

    for (int i = 0; i < ROWS * A; i++)
        x[i] = i % 256 - 128;
    for (int i = 0; i < ROWS * B; i++)
        codes[i] = (int64_t)waio_rng_below(rng, 256) - 128;
    node.input[0] = graph->input;
    node.input[1] = refq_codes(graph, WAIO_SHAPE(1, ROWS, B), WAIO_S8, &other, 1, codes);
    int y = refq_node(graph, node, WAIO_S8, scale, zero);
    graph->value[y].params.u8 = graph->value[graph->input].params.u8 = true;
    graph->value[node.input[1]].params.u8 = true;
    CHECK(waio_backend_cpu.supports(graph, &graph->node[0], &reason), "left to ref: %s", reason);
    CHECK_OK(refq_run(graph, y, 1, x, got));
    waio_graph_free(graph);
}

static void moves_of_u8_files_agree(void)
{
    waio_rng rng = {31};

    for (int kernel = 1; kernel <= 7; kernel++)
        for (int pad = 0; pad <= kernel / 2; pad++)
            check_u8_pool(kernel * 9 + pad, kernel, pad, pad % 2, &rng);
    for (int i = 0; i < 60; i++) /* 1: codes as they are; 2 and 4: ties */
        check_u8_concat(i % 4 == 0   ? 1
                        : i % 4 == 1 ? 2
                        : i % 4 == 2 ? 4
                                     : 0.2 + waio_rng_unit(&rng),
                        i % 3 ? 7 : (int32_t)waio_rng_below(&rng, 256) - 128, &rng);
}

/* ---- add: every pair of codes ---- */

/* With the default rounding, or with each. */
static void check_pairs(waio_op op, float b, float y, int32_t z, bool relu, bool all)
{
    enum { PAIRS = 65536 };
    int64_t *codes = calloc(PAIRS, sizeof *codes);
    int32_t *x = calloc(PAIRS, sizeof *x), *got = calloc(PAIRS, sizeof *got);
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, PAIRS), WAIO_S8, 1, z);
    waio_node node = {.op = op, .input_count = 2, .clamp = WAIO_NO_CLAMP};

    if (relu)
        node.clamp = (waio_clamp){0, INFINITY};
    for (int i = 0; i < PAIRS; i++) {
        x[i] = i / 256 - 128;
        codes[i] = i % 256 - 128;
    }
    node.input[0] = graph->input;
    node.input[1] = refq_codes(graph, WAIO_SHAPE(1, PAIRS), WAIO_S8, &b, 1, codes);
    int id = refq_node(graph, node, WAIO_S8, (double)y, -z / 2);
    for (int rounding = 0; rounding <= (all ? WAIO_REQUANT_FLOAT : WAIO_REQUANT_TFLITE);
         rounding++) {
        graph->requant = (waio_requant)rounding;
        CHECK_OK(refq_run(graph, id, 1, x, got)); /* compares */
    }
    free(codes);
    free(x);
    free(got);
    waio_graph_free(graph);
}

static void every_pair_of_codes_agrees(void)
{
    static const float ratio[] = {1,     0.99999f, 0.5f,  0.3f,   1.7f, 3,
                                  0.01f, 200,      1e-9f, 1e-12f, 1e12f};
    static const int32_t zero_points[] = {-128, -3, 127};
    waio_rng rng = {11};

    /* A last bit of a scaled operand counts only at ties of the sum: many scales, so that some do.
     */
    for (int i = 0; i < 300; i++)
        check_pairs(WAIO_OP_ADD, 0.5f + waio_rng_unit(&rng), 1 + waio_rng_unit(&rng),
                    (int32_t)waio_rng_below(&rng, 256) - 128, i % 4 == 0, false);

    for (size_t i = 0; i < sizeof ratio / sizeof *ratio; i++)
        for (int k = 0; k < 3; k++) {
            float largest = ratio[i] > 1 ? ratio[i] : 1;
            float y = largest * (0.3f + 2 * waio_rng_unit(&rng));
            check_pairs(WAIO_OP_ADD, ratio[i], y, zero_points[k], false, true);
            check_pairs(WAIO_OP_ADD, ratio[i], y, zero_points[k], true, true);
            check_pairs(WAIO_OP_SUB, ratio[i], y, zero_points[k], i % 2, true);
            check_pairs(WAIO_OP_MUL, ratio[i], y * 50, zero_points[k], i % 2, true);
        }
}

/* ---- the choice of instructions ---- */

static void isa_is_chosen_by_name(void)
{
    waio_isa isa = WAIO_ISA_COUNT;

    setenv("WAIO_CPU_ISA", "portable", 1);
    CHECK_OK(waio_isa_choose(&isa));
    CHECK(isa == WAIO_ISA_PORTABLE, "%d", isa);
    setenv("WAIO_CPU_ISA", "mmx", 1);
    CHECK_FAILS(waio_isa_choose(&isa), WAIO_EUSAGE, "WAIO_CPU_ISA=mmx: expected portable");
    unsetenv("WAIO_CPU_ISA");
    CHECK_OK(waio_isa_choose(&isa));
    CHECK(waio_isa_present(isa), "%d", isa);
}

int main(void)
{
    isa_is_chosen_by_name();
    for (int isa = 0; isa < WAIO_ISA_COUNT; isa++) {
        if (!waio_isa_present((waio_isa)isa)) {
            fprintf(stderr, "%s: not on this processor\n", waio_isa_name((waio_isa)isa));
            continue;
        }
        requantization_is_that_of_qmath((waio_isa)isa);
        setenv("WAIO_CPU_ISA", waio_isa_name((waio_isa)isa), 1);
        cases_agree();
        unsetenv("WAIO_CPU_ISA");
    }
    every_pair_of_codes_agrees();
    layers_of_u8_files_agree();
    long_u8_sums_agree();
    moves_of_u8_files_agree();
    long_sums_agree(); /* goes through all instructions itself */
    return waio_check_result();
}
