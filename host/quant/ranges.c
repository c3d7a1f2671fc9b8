#include "quant/ranges.h"

#include <math.h>

#include "util/simd.h"

waio_status waio_ranges_create(waio_ranges *ranges, const waio_graph *graph, waio_arena *arena)
{
    waio_status st = WAIO_OK;

    *ranges = (waio_ranges){.count = graph->value_count};
    WAIO_NEW(st, ranges->min, arena, (size_t)graph->value_count);
    WAIO_NEW(st, ranges->max, arena, (size_t)graph->value_count);
    for (int v = 0; v < graph->value_count; v++) {
        ranges->min[v] = INFINITY;
        ranges->max[v] = -INFINITY;
    }
done:
    return st;
}

/* Comparisons are false for NaN, which is thus passed over. */
WAIO_SIMD static void min_max(float *min, float *max, const float *data, int64_t count)
{
    float lo = *min, hi = *max;
    for (int64_t i = 0; i < count; i++) {
        lo = data[i] < lo ? data[i] : lo;
        hi = data[i] > hi ? data[i] : hi;
    }
    *min = lo;
    *max = hi;
}

void waio_ranges_observe(waio_ranges *ranges, int id, const float *data, int64_t count)
{
    min_max(&ranges->min[id], &ranges->max[id], data, count);
}

void waio_ranges_merge(waio_ranges *ranges, const waio_ranges *other)
{
    for (int v = 0; v < ranges->count; v++) {
        ranges->min[v] = fminf(ranges->min[v], other->min[v]);
        ranges->max[v] = fmaxf(ranges->max[v], other->max[v]);
    }
}

waio_status waio_ranges_add_histogram(waio_ranges *ranges, int id, waio_arena *arena)
{
    waio_status st = WAIO_OK;

    if (!ranges->histogram)
        WAIO_NEW(st, ranges->histogram, arena, (size_t)ranges->count);
    WAIO_NEW(st, ranges->histogram[id], arena, 1);
    if (ranges->min[id] <= ranges->max[id])
        ranges->histogram[id]->reach = fmaxf(fabsf(ranges->min[id]), fabsf(ranges->max[id]));
done:
    return st;
}

/* Where to cut a normal number behind a ReLU so that 2^bits codes from 0 on give the least squared
 * error (J. Max, Quantizing for Minimum Distortion, 1960, for one half of the curve): a property of
 * the normal distribution, tuned on nothing. 6 from 8 bits on is the paper's. */
static float sigmas_of(int bits)
{
    static const float sigmas[] = {
        [2] = 1.95f, [3] = 2.47f, [4] = 2.9f, [5] = 3.27f, [6] = 3.61f, [7] = 3.92f};
    return bits < 8 ? sigmas[bits] : 6.0f;
}

void waio_ranges_at(const waio_ranges *ranges, int id, int bits, bool symmetric, float *min,
                    float *max)
{
    if (ranges->rule == WAIO_RANGE_BATCH_NORM) {
        waio_moments_range(ranges->moments, id, sigmas_of(bits), min, max);
        return;
    }
    if (ranges->rule == WAIO_RANGE_NOISE) {
        if (ranges->noise[id].all.count > 0)
            waio_noise_range(&ranges->noise[id], bits, min, max);
        return;
    }
    *min = ranges->min[id];
    *max = ranges->max[id];
    if (ranges->rule != WAIO_RANGE_MINMAX && ranges->histogram && ranges->histogram[id])
        waio_histogram_range(ranges->histogram[id], ranges->rule, bits, symmetric, min, max);
}

bool waio_op_moves(const waio_node *node)
{
    switch (node->op) {
    case WAIO_OP_CONCAT:
    case WAIO_OP_MAX_POOL:
    case WAIO_OP_RESHAPE:
    case WAIO_OP_TRANSPOSE:
        return waio_clamp_is_none(node->clamp);
    case WAIO_OP_PAD:
        return waio_clamp_is_none(node->clamp) && node->pad.value == 0;
    case WAIO_OP_RESIZE:
        return waio_clamp_is_none(node->clamp) && !node->resize.bilinear;
    default:
        return false;
    }
}

/* Ops whose inputs and output have one scale and zero point. */
static bool shares_range(const waio_node *node)
{
    switch (node->op) {
    case WAIO_OP_CONCAT:
    case WAIO_OP_AVG_POOL:
    case WAIO_OP_MAX_POOL:
    case WAIO_OP_RESHAPE:
    case WAIO_OP_TRANSPOSE:
    case WAIO_OP_PAD:
    case WAIO_OP_RESIZE:
    case WAIO_OP_MAXIMUM:
        return true;
    default:
        return false;
    }
}

static bool has_fixed_range(const waio_node *node)
{
    return node->op == WAIO_OP_SOFTMAX || node->op == WAIO_OP_LOGISTIC;
}

static int speaker(int *group, int v)
{
    while (group[v] != v)
        v = group[v] = group[group[v]];
    return v;
}

static void join(int *group, int a, int b)
{
    a = speaker(group, a);
    b = speaker(group, b);
    group[a > b ? a : b] = a > b ? b : a;
}

/* Whether the group of `node`'s output gets numbers here that need not lie in [0, 1). */
static bool widens_group(const waio_graph *graph, const waio_node *node)
{
    if (!shares_range(node))
        return !has_fixed_range(node);
    for (int i = 0; i < node->input_count; i++)
        if (waio_value_is_const(graph, node->input[i]))
            return true;
    return node->op == WAIO_OP_PAD && node->pad.value != 0;
}

/* A group is fixed if everything that flows into it comes from softmax or logistic. */
static void find_fixed(waio_range_groups *groups, const waio_graph *graph)
{
    for (int n = 0; n < graph->node_count; n++)
        if (has_fixed_range(&graph->node[n]))
            groups->fixed[groups->group[graph->node[n].output]] = true;
    for (int n = 0; n < graph->node_count; n++)
        if (widens_group(graph, &graph->node[n]))
            groups->fixed[groups->group[graph->node[n].output]] = false;
    groups->fixed[groups->group[graph->input]] = false;
}

/* Constant operands bring their own numbers into their range, which is a group's if they are joined
 * with activations. Weights and biases have parameters of their own. */
static void widen_by_constants(float *min, float *max, const waio_range_groups *groups,
                               const waio_graph *graph)
{
    for (int n = 0; n < graph->node_count; n++) {
        const waio_node *node = &graph->node[n];
        for (int i = 0; !waio_op_weighted(node->op) && i < node->input_count; i++) {
            const waio_value *value = &graph->value[node->input[i]];
            int g = groups->group[node->input[i]];
            if (value->data)
                min_max(&min[g], &max[g], value->data, waio_shape_count(&value->shape));
        }
    }
}

void waio_range_groups_at(float *min, float *max, const waio_range_groups *groups,
                          const waio_graph *graph, const waio_ranges *ranges, int bits,
                          bool symmetric)
{
    for (int v = 0; v < graph->value_count; v++) {
        min[v] = INFINITY;
        max[v] = -INFINITY;
    }
    for (int v = 0; v < graph->value_count; v++) {
        int g = groups->group[v];
        float lo = INFINITY, hi = -INFINITY;
        waio_ranges_at(ranges, v, bits, symmetric, &lo, &hi);
        min[g] = fminf(min[g], lo);
        max[g] = fmaxf(max[g], hi);
    }
    widen_by_constants(min, max, groups, graph);
    for (int v = 0; v < graph->value_count; v++) {
        min[v] = min[groups->group[v]];
        max[v] = max[groups->group[v]];
    }
}

waio_status waio_range_groups_create(waio_range_groups *groups, const waio_graph *graph,
                                     const waio_ranges *ranges, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    size_t count = (size_t)graph->value_count;

    WAIO_NEW(st, groups->group, arena, count);
    WAIO_NEW(st, groups->fixed, arena, count);
    WAIO_NEW(st, groups->min, arena, count);
    WAIO_NEW(st, groups->max, arena, count);
    for (int v = 0; v < graph->value_count; v++)
        groups->group[v] = v;
    for (int n = 0; n < graph->node_count; n++) {
        const waio_node *node = &graph->node[n];
        for (int i = 0; shares_range(node) && i < node->input_count; i++)
            join(groups->group, node->input[i], node->output);
    }
    for (int v = 0; v < graph->value_count; v++)
        groups->group[v] = speaker(groups->group, v);
    find_fixed(groups, graph);
    if (ranges->rule == WAIO_RANGE_MINMAX)
        waio_range_groups_at(groups->min, groups->max, groups, graph, ranges, 8, false);
done:
    return st;
}
