/* Equalization and bias absorption: what a network computes stays, ranges become equal, the rest of
 * the network is not touched. */
#include <math.h>

#include "check.h"
#include "check/compare.h"
#include "check/float_run.h"
#include "backend/ref/ref.h"
#include "nets.h"
#include "quant/equalize.h"

/* Each weight is scaled a few times, an eps/2 each, and sums follow. */
#define BOUND_NMSE 1e-9

enum { BATCH = 3 };

/* All outputs of `g` for a seeded input between lo and hi, in `arena`. */
static float *outputs(const waio_graph *g, size_t *count, float lo, float hi, waio_arena *arena)
{
    waio_float_run run;
    waio_rng rng = {77};
    float *y = NULL;

    CHECK_OK(waio_float_run_create(&run, g, &waio_backend_ref, BATCH, g->node_count));
    size_t n = waio_float_run_count(&run, g->input);
    float *x = waio_arena_array(arena, n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = lo + (hi - lo) * waio_rng_unit(&rng);
    CHECK_OK(waio_float_run_whole(&run, x));
    *count = waio_float_run_count(&run, g->output[0]);
    y = waio_arena_array(arena, *count, sizeof *y);
    memcpy(y, waio_float_run_value(&run, g->output[0]), *count * sizeof *y);
    waio_float_run_free(&run);
    return y;
}

static void check_same(const waio_graph *g, const float *before, float lo, float hi,
                       waio_arena *arena)
{
    size_t count = 0;
    const float *after = outputs(g, &count, lo, hi, arena);
    double error = waio_nmse(after, before, count);

    CHECK(error <= BOUND_NMSE, "%s computes something else: %g", g->name, error);
}

static float *numbers(waio_graph *g, const char *node, int input)
{
    return (float *)(uintptr_t)g->value[g->node[net_find(g, node)].input[input]].data;
}

/* Largest absolute weight that writes channel `c` of a layer, or that reads it (groups 1 or one a
 * channel). */
static float reach(waio_graph *g, const char *node, int64_t c, bool reads)
{
    const waio_node *n = &g->node[net_find(g, node)];
    const waio_shape *s = &g->value[n->input[1]].shape;
    int64_t inputs = s->dim[s->rank - 1], rows = waio_shape_count(s) / inputs;
    bool depthwise = inputs == 1;
    float most = 0;

    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < inputs; i++) {
            int64_t oc = r / (rows / s->dim[0]);
            bool hit = depthwise ? oc == c : reads ? i == c : oc == c;
            if (hit)
                most = fmaxf(most, fabsf(numbers(g, node, 1)[r * inputs + i]));
        }
    return most;
}

/* conv, depthwise, conv behind a pool, dense: channels of very different ranges. */
static waio_graph *chain(void)
{
    waio_graph *g = waio_graph_new("chain");

    net_rng.state = 5;
    int x = net_input(g, WAIO_SHAPE(1, 6, 6, 3));
    int a = net_conv(g, "a", x, 4, 1);
    int b = net_conv(g, "b", a, 4, 4);
    int c = net_conv(g, "c", net_pool(g, WAIO_OP_MAX_POOL, b), 5, 1);
    CHECK_OK(waio_graph_add_output(g, net_dense(g, "d", net_mean(g, c), 6)));
    for (int k = 0; k < 4 * 27; k++)
        numbers(g, "a", 1)[k] *= powf(10, (float)(k / 27) - 1);
    for (int k = 0; k < 4 * 9; k++)
        numbers(g, "b", 1)[k] *= powf(7, (float)(k / 9 % 2));
    return g;
}

static void equal_ranges(void)
{
    waio_arena *arena = waio_arena_new();
    waio_graph *g = chain();
    size_t count = 0;
    static const float unit[4] = {1, 1, 1, 1};
    static const float mean[4] = {1, -2, 3, 4}, given[4] = {1, -2, 3, 4};

    g->node[net_find(g, "a")].norm_mean = mean;
    g->node[net_find(g, "a")].norm_std = unit;
    const float *before = outputs(g, &count, -1, 1, arena);
    float was[4];
    for (int c = 0; c < 4; c++)
        was[c] = numbers(g, "a", 2)[c];
    CHECK_OK(waio_graph_add_biases(g));
    CHECK_OK(waio_equalize(g));
    check_same(g, before, -1, 1, arena);
    const waio_node *a = &g->node[net_find(g, "a")];
    for (int c = 0; c < 4; c++) {
        float scale = numbers(g, "a", 2)[c] / was[c];
        float w[3] = {reach(g, "a", c, false), reach(g, "b", c, false), reach(g, "c", c, true)};
        CHECK(fabsf(w[1] / w[0] - 1) < 2e-3f && fabsf(w[2] / w[1] - 1) < 2e-3f,
              "channel %d: %g, %g, %g", c, (double)w[0], (double)w[1], (double)w[2]);
        CHECK(fabsf(a->norm_mean[c] - mean[c] * scale) < 1e-4f * fabsf(mean[c] * scale) &&
                  fabsf(a->norm_std[c] - scale) < 1e-4f * scale,
              "the norm's statistics of channel %d go along", c);
        CHECK(mean[c] == given[c], "statistics are changed in a copy");
    }
    for (int c = 0; c < 5; c++)
        CHECK(fabsf(reach(g, "d", c, true) / reach(g, "c", c, false) - 1) < 2e-3f, "c and d");
    waio_graph_free(g);
    waio_arena_free(arena);
}

/* Layers stay where something else reads the value between, or where no ReLU lets scales through.
 */
static void pairs_that_are_none(void)
{
    for (int kind = 0; kind < 5; kind++) {
        waio_graph *g = waio_graph_new("no pair");
        net_rng.state = 6;
        int x = net_input(g, WAIO_SHAPE(1, 4, 4, 2));
        int a = net_conv(g, "a", x, 3, 1), b = -1;
        waio_node *node = &g->node[g->node_count - 1];
        if (kind == 1)
            node->clamp = (waio_clamp){-1, 1};
        if (kind == 2) /* a branch: two read a */
            a = net_op(g, WAIO_OP_ADD, a, net_conv(g, "side", a, 3, 1));
        if (kind == 3)
            a = net_op(g, WAIO_OP_LOGISTIC, a, -1);
        if (kind == 4)
            CHECK_OK(waio_graph_add_output(g, a));
        b = net_conv(g, "b", a, 3, 1);
        CHECK_OK(waio_graph_add_output(g, b));
        float first[54], second[81];
        memcpy(first, numbers(g, "a", 1), sizeof first);
        memcpy(second, numbers(g, "b", 1), sizeof second);
        CHECK_OK(waio_graph_add_biases(g));
        CHECK_OK(waio_equalize(g));
        bool same = memcmp(first, numbers(g, "a", 1), sizeof first) == 0 &&
                    memcmp(second, numbers(g, "b", 1), sizeof second) == 0;
        CHECK(same == (kind > 0), "kind %d", kind);
        waio_graph_free(g);
    }
}

static void relu6_becomes_relu(void)
{
    waio_graph *g = waio_graph_new("six");

    net_rng.state = 7;
    int a = net_conv(g, "a", net_input(g, WAIO_SHAPE(1, 4, 4, 2)), 3, 1);
    g->node[0].clamp = (waio_clamp){0, 6};
    int b = net_conv(g, "b", a, 3, 1);
    g->node[1].clamp = (waio_clamp){0, 6};
    CHECK_OK(waio_graph_add_output(g, b));
    CHECK_OK(waio_equalize(g));
    CHECK(g->node[0].clamp.hi == INFINITY, "within a pair");
    CHECK(g->node[1].clamp.hi == 6, "behind the last layer");
    waio_graph_free(g);
}

/* 1x1 convs, first biases so high that no ReLU is reached: absorption is exact. */
static void absorption(void)
{
    static const float mean[3] = {8, 1, 9}, std[3] = {1, 1, 2};
    waio_arena *arena = waio_arena_new();

    for (int padded = 0; padded < 2; padded++) {
        waio_graph *g = waio_graph_new("high");
        size_t count = 0;
        net_rng.state = 8;
        int a = net_conv(g, "a", net_input(g, WAIO_SHAPE(1, 4, 4, 2)), 3, 1);
        waio_node second = {
            .op = WAIO_OP_CONV2D,
            .name = "b",
            .input = {a, net_const(g, WAIO_SHAPE(4, 3, 3, 3), 1), net_const(g, WAIO_SHAPE(4), 1)},
            .input_count = 3,
            .conv = {{1, 1}, {1, 1}, {padded, padded, padded, padded}, 1}};
        CHECK_OK(waio_graph_add_output(g, net_node(g, second)));
        g->node[0].norm_mean = mean;
        g->node[0].norm_std = std;
        for (int c = 0; c < 3; c++)
            numbers(g, "a", 2)[c] = 20;
        const float *before = outputs(g, &count, 0, 1, arena);
        CHECK_OK(waio_absorb_biases(g));
        check_same(g, before, 0, 1, arena);
        const float *bias = numbers(g, "a", 2);
        CHECK(padded ? bias[0] == 20 : bias[0] == 15 && bias[1] == 20 && bias[2] == 17,
              "padded %d: biases %g %g %g", padded, (double)bias[0], (double)bias[1],
              (double)bias[2]);
        CHECK(g->node[0].norm_mean[0] == (padded ? 8 : 3) && mean[0] == 8, "the mean moves");
        waio_graph_free(g);
    }
    waio_arena_free(arena);
}

int main(void)
{
    equal_ranges();
    pairs_that_are_none();
    relu6_becomes_relu();
    absorption();
    return waio_check_result();
}
