/* The cpu backend's integer kernels against the reference, with each kind of instructions that this
 * processor has: every op case, requantization number by number, and the sums that the 32-bit parts
 * of a kernel can just hold. */
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
    int channels = small ? WAIO_INT_LANES : 1 + (int)waio_rng_below(rng, WAIO_INT_LANES);
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
    long_sums_agree(); /* goes through all instructions itself */
    return waio_check_result();
}
