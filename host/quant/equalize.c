#include "quant/equalize.h"

#include <math.h>
#include <string.h>

enum { MOST_ROUNDS = 100 };
static const double at_rest = 1e-4;

/* A layer's constants, its own to change. */
typedef struct layer {
    waio_node *node;
    float *weight, *bias, *mean, *std; /* mean, std: NULL without a norm */
    int64_t channels, positions, inputs, groups;
} layer;

typedef struct pair {
    layer first, second;
    bool padded; /* zeros come in between */
} pair;

/* ---- writable constants ---- */

static waio_status copy_const(waio_graph *graph, int *id, float **data)
{
    waio_status st = WAIO_OK;
    const waio_value from = graph->value[*id]; /* the array may move */

    WAIO_TRY(st, waio_graph_add_const(graph, id, from.name, &from.shape, data));
    memcpy(*data, from.data, (size_t)waio_shape_count(&from.shape) * sizeof **data);
done:
    return st;
}

waio_status waio_graph_add_biases(waio_graph *graph)
{
    waio_status st = WAIO_OK;

    for (int n = 0; n < graph->node_count; n++) {
        waio_node *node = &graph->node[n];
        if (!waio_op_weighted(node->op) || node->input_count == 3)
            continue;
        waio_shape shape = WAIO_SHAPE(graph->value[node->input[1]].shape.dim[0]);
        WAIO_TRY(st, waio_graph_add_const(graph, &node->input[2], node->name, &shape, NULL));
        node->input_count = 3;
    }
done:
    return st;
}

static waio_status own_floats(waio_graph *graph, float **out, const float **from, int64_t count)
{
    waio_status st = WAIO_OK;

    if (!*from)
        return WAIO_OK;
    WAIO_NEW(st, *out, graph->arena, (size_t)count);
    memcpy(*out, *from, (size_t)count * sizeof **out);
    *from = *out;
done:
    return st;
}

static waio_status open_layer(layer *l, waio_graph *graph, int n)
{
    waio_status st = WAIO_OK;
    waio_node *node = &graph->node[n];
    const waio_shape shape = graph->value[node->input[1]].shape;

    *l = (layer){.node = node, .channels = shape.dim[0], .inputs = shape.dim[shape.rank - 1]};
    l->positions = waio_shape_count(&shape) / l->channels / l->inputs;
    l->groups = node->op == WAIO_OP_CONV2D ? node->conv.groups : 1;
    WAIO_TRY(st, copy_const(graph, &node->input[1], &l->weight));
    WAIO_TRY(st, copy_const(graph, &node->input[2], &l->bias));
    WAIO_TRY(st, own_floats(graph, &l->mean, &node->norm_mean, l->channels));
    WAIO_TRY(st, own_floats(graph, &l->std, &node->norm_std, l->channels));
done:
    return st;
}

/* ---- pairs ---- */

/* The only node that reads value `id`; -1 if there are more, or it is an output. */
static int only_reader(const waio_graph *graph, int id)
{
    if (waio_graph_use_count(graph, id) != 1)
        return -1;
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < graph->node[n].input_count; i++)
            if (graph->node[n].input[i] == id)
                return n;
    return -1;
}

/* Ops that let a scaled channel through scaled. */
static bool keeps_channels(const waio_node *node)
{
    bool plain = waio_clamp_is_none(node->clamp);

    return plain && (node->op == WAIO_OP_MAX_POOL || node->op == WAIO_OP_AVG_POOL ||
                     node->op == WAIO_OP_RESIZE || node->op == WAIO_OP_MEAN ||
                     (node->op == WAIO_OP_PAD && node->pad.value == 0));
}

static bool is_relu_or_none(waio_clamp clamp)
{
    return waio_clamp_is_none(clamp) || (clamp.lo == 0 && (clamp.hi == INFINITY || clamp.hi == 6));
}

/* The layer that reads what node `n` computes, -1 if it has no partner. */
static int partner(const waio_graph *graph, int n, bool *padded)
{
    const waio_node *first = &graph->node[n];
    int next = n;

    if (!waio_op_weighted(first->op) || !is_relu_or_none(first->clamp))
        return -1;
    *padded = false;
    do {
        next = only_reader(graph, graph->node[next].output);
        *padded = *padded || (next >= 0 && graph->node[next].op == WAIO_OP_PAD);
    } while (next >= 0 && keeps_channels(&graph->node[next]));
    if (next < 0 || !waio_op_weighted(graph->node[next].op))
        return -1;
    const waio_shape *x = &graph->value[graph->node[next].input[0]].shape;
    /* a mean over the channels, or a reshape, would have mixed them */
    return x->dim[x->rank - 1] == graph->value[first->input[1]].shape.dim[0] ? next : -1;
}

static waio_status find_pairs(pair **out, int *count, waio_graph *graph, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    layer *of = NULL; /* per node */
    pair *pairs = NULL;

    *count = 0;
    WAIO_NEW(st, of, arena, (size_t)graph->node_count);
    WAIO_NEW(st, pairs, arena, (size_t)graph->node_count);
    for (int n = 0; n < graph->node_count; n++) {
        bool padded = false;
        int second = partner(graph, n, &padded);
        if (second < 0)
            continue;
        if (!of[n].node)
            WAIO_TRY(st, open_layer(&of[n], graph, n));
        if (!of[second].node)
            WAIO_TRY(st, open_layer(&of[second], graph, second));
        for (int i = 0; i < 4 && graph->node[second].op == WAIO_OP_CONV2D; i++)
            padded = padded || graph->node[second].conv.pad[i] > 0;
        pairs[(*count)++] = (pair){of[n], of[second], padded};
    }
    *out = pairs;
done:
    return st;
}

/* ---- one channel of the second layer's input ---- */

/* Calls for every weight of `l` that reads input channel `i`: the largest absolute one; with
 * `factor` they are multiplied first. */
static float largest_reader(const layer *l, int64_t i, float factor)
{
    int64_t each = l->channels / l->groups, group = i / l->inputs, k = i % l->inputs;
    float most = 0;

    for (int64_t c = group * each; c < (group + 1) * each; c++)
        for (int64_t p = 0; p < l->positions; p++) {
            float *w = &l->weight[(c * l->positions + p) * l->inputs + k];
            *w *= factor;
            most = fmaxf(most, fabsf(*w));
        }
    return most;
}

static float largest_writer(const layer *l, int64_t c, float factor)
{
    int64_t count = l->positions * l->inputs;
    float most = 0;

    for (int64_t k = c * count; k < (c + 1) * count; k++) {
        l->weight[k] *= factor;
        most = fmaxf(most, fabsf(l->weight[k]));
    }
    l->bias[c] *= factor;
    if (l->mean) {
        l->mean[c] *= factor;
        l->std[c] *= factor;
    }
    return most;
}

/* The largest step, |s - 1|, of the pair's channels. */
static double equalize_pair(const pair *p)
{
    double most = 0;

    for (int64_t i = 0; i < p->first.channels; i++) {
        double r1 = (double)largest_writer(&p->first, i, 1);
        double r2 = (double)largest_reader(&p->second, i, 1);
        double s = sqrt(r1 / r2);
        if (!(r1 > 0) || !(r2 > 0) || !isfinite(s) || s == 0)
            continue;
        largest_writer(&p->first, i, (float)(1 / s));
        largest_reader(&p->second, i, (float)s);
        most = fmax(most, fabs(s - 1));
    }
    return most;
}

waio_status waio_equalize(waio_graph *graph)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();
    pair *pairs = NULL;
    int count = 0;
    double most = 1;

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, find_pairs(&pairs, &count, graph, arena));
    for (int i = 0; i < count; i++)
        if (pairs[i].first.node->clamp.hi == 6)
            pairs[i].first.node->clamp.hi = INFINITY;
    for (int round = 0; round < MOST_ROUNDS && most > at_rest; round++) {
        most = 0;
        for (int i = 0; i < count; i++)
            most = fmax(most, equalize_pair(&pairs[i]));
    }
done:
    waio_arena_free(arena);
    return st;
}

static void absorb_pair(const pair *p)
{
    const layer *first = &p->first, *second = &p->second;
    int64_t each = second->channels / second->groups;

    for (int64_t i = 0; i < first->channels; i++) {
        double c = (double)first->mean[i] - 3 * (double)first->std[i];
        int64_t group = i / second->inputs, k = i % second->inputs;
        if (!(c > 0))
            continue;
        first->bias[i] = (float)((double)first->bias[i] - c);
        first->mean[i] = (float)((double)first->mean[i] - c);
        for (int64_t o = group * each; o < (group + 1) * each; o++) {
            double sum = 0;
            for (int64_t q = 0; q < second->positions; q++)
                sum += (double)second->weight[(o * second->positions + q) * second->inputs + k];
            second->bias[o] = (float)((double)second->bias[o] + sum * c);
        }
    }
}

waio_status waio_absorb_biases(waio_graph *graph)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();
    pair *pairs = NULL;
    int count = 0;

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, find_pairs(&pairs, &count, graph, arena));
    for (int i = 0; i < count; i++) {
        waio_clamp clamp = pairs[i].first.node->clamp;
        if (pairs[i].first.mean && clamp.lo == 0 && clamp.hi == INFINITY && !pairs[i].padded)
            absorb_pair(&pairs[i]);
    }
done:
    waio_arena_free(arena);
    return st;
}
