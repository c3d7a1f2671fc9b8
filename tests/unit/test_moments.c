/* Statistics without data: what folding keeps of a batch norm, clipped normals, and the moments and
 * ranges that follow through the ops, by hand. */
#include <math.h>

#include "check.h"
#include "nets.h"
#include "quant/moments.h"
#include "quant/ranges.h"

static waio_arena *arena;

static void check_near(const char *what, double got, double want, double bound)
{
    CHECK(fabs(got - want) <= bound, "%s is %.9g, expected %.9g", what, got, want);
}

/* ---- one number ---- */

/* By the trapezoid rule over +-12 deviations. */
static void integrate(double *mean, double *std, double center, double spread, double lo, double hi)
{
    enum { STEPS = 200000 };
    double first = 0, second = 0, whole = 0;

    for (int i = 0; i <= STEPS; i++) {
        double t = -12 + 24.0 * i / STEPS, p = exp(-0.5 * t * t);
        double x = fmin(fmax(center + spread * t, lo), hi);
        whole += p;
        first += p * x;
        second += p * x * x;
    }
    *mean = first / whole;
    *std = sqrt(fmax(0, second / whole - *mean * *mean));
}

static void clipped_normals(void)
{
    static const double limit[][2] = {{0, INFINITY},         {0, 6}, {-1, 1}, {-INFINITY, 0.5},
                                      {-INFINITY, INFINITY}, {2, 2}};
    double mean = 0, std = 0, want_mean = 0, want_std = 0;

    for (int c = -8; c <= 8; c++)
        for (int s = 1; s <= 4; s++)
            for (size_t k = 0; k < sizeof limit / sizeof *limit; k++) {
                waio_clipped_normal(&mean, &std, c, 0.7 * s, limit[k][0], limit[k][1]);
                integrate(&want_mean, &want_std, c, 0.7 * s, limit[k][0], limit[k][1]);
                check_near("mean", mean, want_mean, 1e-6);
                check_near("deviation", std, want_std, 1e-5); /* of differences of squares */
            }
    waio_clipped_normal(&mean, &std, 3, 0, 0, 2);
    CHECK(mean == 2 && std == 0, "a constant beyond its limit: %g, %g", mean, std);
}

/* ---- folding ---- */

static int add_norm(waio_graph *g, int x, const float *gamma, const float *beta, int64_t channels)
{
    waio_node node = {.op = WAIO_OP_BATCH_NORM, .input = {x}, .input_count = 5, .epsilon = 1e-3f};

    for (int i = 1; i < 5; i++) {
        float *data = NULL;
        CHECK_OK(waio_graph_add_const(g, &node.input[i], "n", &WAIO_SHAPE(channels), &data));
        for (int64_t c = 0; c < channels; c++)
            data[c] = i == 1 ? gamma[c] : i == 2 ? beta[c] : i == 3 ? 0.3f : 1.7f;
    }
    return net_node(g, node);
}

static int add_numbers(waio_graph *g, waio_op op, int x, const float *number, int64_t count)
{
    float *data = NULL;
    int c = -1;

    CHECK_OK(waio_graph_add_const(g, &c, "k", &WAIO_SHAPE(count), &data));
    memcpy(data, number, (size_t)count * sizeof *data);
    return net_op(g, op, x, c);
}

static int add_clip(waio_graph *g, int x, float lo, float hi)
{
    return net_node(g, (waio_node){.op = WAIO_OP_CLIP, .input = {x}, .clamp = {lo, hi}});
}

static int plain_conv(waio_graph *g, const char *name, int x, int64_t channels)
{
    int id = net_conv(g, name, x, channels, 1);
    g->node[g->node_count - 1].clamp = WAIO_NO_CLAMP;
    return id;
}

static const float gamma_of[2] = {-0.5f, 2}, beta_of[2] = {1, -3};

static void folding_keeps_statistics(void)
{
    static const float times[2] = {-2, 3}, plus[2] = {10, 20};
    waio_graph *g = waio_graph_new("fold");

    net_rng.state = 1;
    int x = net_input(g, WAIO_SHAPE(1, 4, 4, 3));
    int a = add_norm(g, plain_conv(g, "a", x, 2), gamma_of, beta_of, 2);
    int b = add_norm(g, plain_conv(g, "b", add_clip(g, a, 0, 6), 2), gamma_of, beta_of, 2);
    b = add_numbers(g, WAIO_OP_MUL, b, times, 2);
    b = add_numbers(g, WAIO_OP_ADD, b, plus, 2);
    CHECK_OK(waio_graph_add_output(g, plain_conv(g, "c", b, 2)));
    CHECK_OK(waio_graph_optimize(g));
    CHECK(g->node_count == 3, "%d nodes", g->node_count);
    const waio_node *first = &g->node[net_find(g, "a")], *second = &g->node[net_find(g, "b")];
    CHECK(first->norm_mean && first->norm_mean[0] == 1 && first->norm_mean[1] == -3 &&
              first->norm_std[0] == 0.5f && first->norm_std[1] == 2 && first->clamp.hi == 6,
          "what the first norm promised");
    CHECK(second->norm_mean && second->norm_mean[0] == 8 && second->norm_mean[1] == 11 &&
              second->norm_std[0] == 1 && second->norm_std[1] == 6,
          "a norm, scaled and moved");
    CHECK(!g->node[net_find(g, "c")].norm_mean, "no norm, no statistics");
    waio_graph_free(g);
}

/* ---- through ops ---- */

static const waio_moment image[3] = {
    {0, 1, 0, 1, -2, 2}, {0.5f, 0.5f, 0.5f, 0.5f, 0, 1}, {1, 2, 1, 2, -3, 5}};

static waio_graph *net;
static waio_moments moments;

static void check_range(int id, float sigmas, float min, float max)
{
    float got[2] = {0, 0};

    waio_moments_range(&moments, id, sigmas, &got[0], &got[1]);
    CHECK(fabsf(got[0] - min) <= 1e-5f * fabsf(min) && fabsf(got[1] - max) <= 1e-5f * fabsf(max),
          "%s at %g deviations: %.7g .. %.7g, expected %.7g .. %.7g", net->value[id].name,
          (double)sigmas, (double)got[0], (double)got[1], (double)min, (double)max);
}

static int normed(const char *name, int x, const float *gamma, const float *beta, waio_clamp clamp)
{
    int id = add_norm(net, plain_conv(net, name, x, 2), gamma, beta, 2);
    return waio_clamp_is_none(clamp) ? id : add_clip(net, id, clamp.lo, clamp.hi);
}

static void through_ops(void)
{
    static const float other_gamma[2] = {1, 1}, other_beta[2] = {2, 0};

    net_rng.state = 2;
    net = waio_graph_new("ops");
    int x = net_input(net, WAIO_SHAPE(1, 4, 4, 3));
    int plain = normed("plain", x, gamma_of, beta_of, WAIO_NO_CLAMP);
    int relu = normed("relu", x, gamma_of, beta_of, net_relu);
    int relu6 = normed("relu6", x, gamma_of, beta_of, (waio_clamp){0, 6});
    int other = normed("other", x, other_gamma, other_beta, WAIO_NO_CLAMP);
    int sum = net_op(net, WAIO_OP_ADD, plain, other);
    int positive = net_op(net, WAIO_OP_ADD, relu, relu6);
    int both = net_concat(net, relu, other);
    int pool = net_pool(net, WAIO_OP_MAX_POOL, other);
    int average = net_pool(net, WAIO_OP_AVG_POOL, other);
    int mean = net_mean(net, other);
    int soft = net_softmax(net, mean);
    int all[] = {sum, positive, both, pool, average, soft, plain, relu6};
    for (int i = 0; i < 8; i++)
        CHECK_OK(waio_graph_add_output(net, all[i]));
    CHECK_OK(waio_graph_optimize(net));
    CHECK_OK(waio_moments_create(&moments, net, image, arena));

    check_range(x, 1, -1, 3);
    check_range(x, 100, -3, 5);
    check_range(plain, 6, -15, 9);   /* -3 - 6 * 2, -3 + 6 * 2 */
    check_range(plain, 1, -5, 1.5f); /* 1 + 0.5 */
    check_range(relu, 6, 0, 9);
    check_range(relu6, 6, 0, 6);
    check_range(relu6, 2, 0, 2);
    check_range(other, 3, -3, 5);
    /* 1 + 2 and -3 + 0 with deviations sqrt(0.25 + 1) and sqrt(4 + 1) */
    check_range(sum, 2, -3 - 2 * sqrtf(5), 3 + 2 * sqrtf(1.25f));
    check_range(both, 3, -3, 5);
    check_range(pool, 3, -3, 5);
    check_range(average, 3, -3 / sqrtf(3), 2 + 3 / sqrtf(3)); /* 9 cells: the root of the root */
    check_range(mean, 3, -1.5f, 3.5f);                        /* 16 cells */
    check_range(soft, 6, 0, 1);
    float lowest[2];
    waio_moments_range(&moments, positive, 50, &lowest[0], &lowest[1]);
    CHECK(lowest[0] == 0, "a sum of two ReLUs is not negative: %g", (double)lowest[0]);
    const waio_moment *m = moments.channel[relu];
    double want_mean = 0, want_std = 0;
    integrate(&want_mean, &want_std, 1, 0.5, 0, INFINITY);
    check_near("mean behind a ReLU", (double)m[0].mean, want_mean, 1e-5);
    check_near("deviation behind a ReLU", (double)m[0].std, want_std, 1e-5);
    waio_graph_free(net);
}

/* Layers without a norm, by hand: one cell, then two. */
static void without_norm(void)
{
    static const float weight[4] = {1, 2, -3, 1}; /* (1, 1, 2, 2): cells (1, 2) and (-3, 1) */
    float *data = NULL;
    waio_node node = {.op = WAIO_OP_CONV2D, .name = "bare", .input_count = 2};

    net = waio_graph_new("bare");
    node.input[0] = net_input(net, WAIO_SHAPE(1, 1, 2, 2));
    node.conv = (waio_conv_params){{1, 1}, {1, 1}, {0}, 1};
    CHECK_OK(waio_graph_add_const(net, &node.input[1], "w", &WAIO_SHAPE(1, 1, 2, 2), &data));
    memcpy(data, weight, sizeof weight);
    int conv = net_node(net, node);
    int dense = net_dense(net, "dense", conv, 1);
    float *w = (float *)(uintptr_t)net->value[net->node[1].input[1]].data;
    float *b = (float *)(uintptr_t)net->value[net->node[1].input[2]].data;
    *w = -0.5f;
    *b = 3;
    CHECK_OK(waio_graph_add_output(net, dense));
    CHECK_OK(waio_moments_create(&moments, net, image, arena));
    /* mean (1 - 3) * 0 + (2 + 1) * 0.5; apart: (1 + 9) * 1 + (4 + 1) * 0.25 = 11.25;
     * together: 4 * 1 + 9 * 0.25 = 6.25 */
    check_range(conv, 1, 1.5f - sqrtf(11.25f), 1.5f + sqrtf(11.25f));
    check_range(dense, 1, 2.25f - sqrtf(11.25f) / 2, 2.25f + sqrtf(11.25f) / 2);
    waio_graph_free(net);
}

/* As many deviations as the bits are worth; shared ranges are joined as observed ones are. */
static void ranges_by_bits(void)
{
    waio_ranges ranges;
    waio_range_groups groups;
    float *min = NULL, *max = NULL;

    net_rng.state = 3;
    net = waio_graph_new("bits");
    int x = net_input(net, WAIO_SHAPE(1, 4, 4, 3));
    int a = normed("a", x, gamma_of, beta_of, net_relu);
    int pool = net_pool(net, WAIO_OP_MAX_POOL, a);
    CHECK_OK(waio_graph_add_output(net, pool));
    CHECK_OK(waio_graph_optimize(net));
    CHECK_OK(waio_moments_create(&moments, net, image, arena));
    CHECK_OK(waio_ranges_create(&ranges, net, arena));
    ranges.rule = WAIO_RANGE_BATCH_NORM;
    ranges.moments = &moments;
    CHECK_OK(waio_range_groups_create(&groups, net, &ranges, arena));
    min = waio_arena_array(arena, (size_t)net->value_count, sizeof *min);
    max = waio_arena_array(arena, (size_t)net->value_count, sizeof *max);
    static const struct {
        int bits;
        float max;
    } row[] = {{16, 9},
               {8, 9},
               {6, 2 * 3.61f - 3},
               {4, 2 * 2.9f - 3},
               {3, 1 + 0.5f * 2.47f},
               {2, 1 + 0.5f * 1.95f}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        waio_range_groups_at(min, max, &groups, net, &ranges, row[i].bits, false);
        CHECK(min[a] == 0 && fabsf(max[a] - row[i].max) <= 1e-6f && max[pool] == max[a],
              "at %d bits: %g .. %g", row[i].bits, (double)min[a], (double)max[a]);
    }
    waio_graph_free(net);
}

int main(void)
{
    arena = waio_arena_new();
    clipped_normals();
    folding_keeps_statistics();
    through_ops();
    without_norm();
    ranges_by_bits();
    waio_arena_free(arena);
    return waio_check_result();
}
