/* Passes that make a graph smaller and keep what it computes: batch-norm folding, padding and bias
 * folding, clip fusion, removal of identities and of nodes that nothing reads.
 *
 * Folding, y = gamma * (w*x + b - mean) / sqrt(variance + epsilon) + beta (Jacob et al. 2018,
 * section 3.2): w' = w * k, b' = beta + (b - mean) * k with k = gamma / sqrt(variance + epsilon),
 * computed in double and rounded once. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "graph/graph.h"

static bool single_use(const waio_graph *graph, int id)
{
    return waio_graph_use_count(graph, id) == 1;
}

/* The node that computes input 0 of `node`, if it is read by `node` alone; NULL else. */
static waio_node *sole_producer(waio_graph *graph, const waio_node *node, int input)
{
    int producer = waio_graph_producer(graph, node->input[input]);
    if (producer < 0 || !single_use(graph, node->input[input]))
        return NULL;
    return &graph->node[producer];
}

/* Lets `first` compute what `second`, its only reader, computed: `second` is removed and the value
 * keeps the name and id of the later one, so that outputs keep theirs. */
static void absorb(waio_graph *graph, waio_node *first, waio_node *second)
{
    first->output = second->output;
    size_t behind = (size_t)(graph->node + graph->node_count - (second + 1));
    memmove(second, second + 1, behind * sizeof *second);
    graph->node_count--;
}

/* Everything that read the output of node `index` reads its input 0 instead; the node goes. */
static void bypass(waio_graph *graph, int index)
{
    int from = graph->node[index].output, to = graph->node[index].input[0];

    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < graph->node[n].input_count; i++)
            if (graph->node[n].input[i] == from)
                graph->node[n].input[i] = to;
    for (int i = 0; i < graph->output_count; i++)
        if (graph->output[i] == from)
            graph->output[i] = to;
    memmove(graph->node + index, graph->node + index + 1,
            (size_t)(graph->node_count - index - 1) * sizeof *graph->node);
    graph->node_count--;
}

/* Gives `node` a bias of zeros if it has none, and its own copy of weight and bias to change. */
static waio_status own_constants(waio_graph *graph, waio_node *node, float **weight, float **bias)
{
    waio_status st = WAIO_OK;
    const waio_value *old_weight = &graph->value[node->input[1]];
    waio_shape w_shape = old_weight->shape, b_shape = WAIO_SHAPE(w_shape.dim[0]);
    const float *w_data = old_weight->data;
    const float *b_data = node->input_count == 3 ? graph->value[node->input[2]].data : NULL;
    const char *name = old_weight->name;
    int w = -1, b = -1;

    WAIO_TRY(st, waio_graph_add_const(graph, &w, name, &w_shape, weight));
    memcpy(*weight, w_data, (size_t)waio_shape_count(&w_shape) * sizeof **weight);
    WAIO_TRY(st, waio_graph_add_const(graph, &b, node->name, &b_shape, bias));
    if (b_data)
        memcpy(*bias, b_data, (size_t)w_shape.dim[0] * sizeof **bias);
    node->input[1] = w;
    node->input[2] = b;
    node->input_count = 3;
done:
    return st;
}

/* Room for the statistics of `node`'s output channels, filled with what it has. */
static waio_status own_statistics(waio_graph *graph, waio_node *node, float **mean, float **std,
                                  int64_t channels)
{
    waio_status st = WAIO_OK;

    WAIO_NEW(st, *mean, graph->arena, (size_t)channels);
    WAIO_NEW(st, *std, graph->arena, (size_t)channels);
    if (node->norm_mean) {
        memcpy(*mean, node->norm_mean, (size_t)channels * sizeof **mean);
        memcpy(*std, node->norm_std, (size_t)channels * sizeof **std);
    }
    node->norm_mean = *mean;
    node->norm_std = *std;
done:
    return st;
}

static bool is_weighted_plain(const waio_node *node)
{
    return node && waio_op_weighted(node->op) && waio_clamp_is_none(node->clamp);
}

static waio_status fold_batch_norm(waio_graph *graph, int index, bool *changed)
{
    waio_status st = WAIO_OK;
    waio_node *norm = &graph->node[index];
    waio_node *target = norm->op == WAIO_OP_BATCH_NORM ? sole_producer(graph, norm, 0) : NULL;
    float *weight = NULL, *bias = NULL, *mean_out = NULL, *std_out = NULL;

    if (!is_weighted_plain(target))
        return WAIO_OK;
    WAIO_TRY(st, own_constants(graph, target, &weight, &bias));
    const float *gamma = graph->value[norm->input[1]].data;
    const float *beta = graph->value[norm->input[2]].data;
    const float *mean = graph->value[norm->input[3]].data;
    const float *variance = graph->value[norm->input[4]].data;
    const waio_shape *w_shape = &graph->value[target->input[1]].shape;
    int64_t channels = w_shape->dim[0], per_channel = waio_shape_count(w_shape) / channels;
    WAIO_TRY(st, own_statistics(graph, target, &mean_out, &std_out, channels));
    for (int64_t c = 0; c < channels; c++) {
        mean_out[c] = beta[c];
        std_out[c] = fabsf(gamma[c]);
        double k = gamma[c] / sqrt((double)variance[c] + (double)norm->epsilon);
        for (int64_t i = 0; i < per_channel; i++)
            weight[c * per_channel + i] = (float)(weight[c * per_channel + i] * k);
        bias[c] = (float)(beta[c] + ((double)bias[c] - mean[c]) * k);
    }
    target->clamp = norm->clamp;
    absorb(graph, target, norm);
    *changed = true;
done:
    return st;
}

/* The input of a two-input node that is a constant of one number, or of one number per channel of
 * `channels`; -1 if none is, or if the result has another shape than the other operand (a conv of
 * one channel that the constant widens). */
static int channel_constant(const waio_graph *graph, const waio_node *node, int64_t channels)
{
    for (int i = 0; i < 2; i++) {
        const waio_value *value = &graph->value[node->input[i]];
        const waio_shape *shape = &value->shape;
        int64_t count = waio_shape_count(shape);
        bool fits = count == 1 || (count == channels && shape->dim[shape->rank - 1] == channels);
        bool kept = waio_shape_equal(&graph->value[node->input[1 - i]].shape,
                                     &graph->value[node->output].shape);
        if (value->data && fits && kept)
            return i;
    }
    return -1;
}

/* conv2d or dense followed by the addition, subtraction or multiplication of one constant per
 * output channel: what batch norms look like in files that spell them out. */
static waio_status fold_channels(waio_graph *graph, int index, bool *changed)
{
    waio_status st = WAIO_OK;
    waio_node *node = &graph->node[index];
    float *weight = NULL, *bias = NULL, *mean = NULL, *std = NULL;

    if (node->op != WAIO_OP_ADD && node->op != WAIO_OP_SUB && node->op != WAIO_OP_MUL)
        return WAIO_OK;
    int64_t channels =
        graph->value[node->output].shape.dim[graph->value[node->output].shape.rank - 1];
    int constant = channel_constant(graph, node, channels);
    waio_node *target = constant >= 0 ? sole_producer(graph, node, 1 - constant) : NULL;
    if (!is_weighted_plain(target) || (node->op == WAIO_OP_SUB && constant == 0))
        return WAIO_OK;
    const float *operand = graph->value[node->input[constant]].data;
    int64_t step = waio_shape_count(&graph->value[node->input[constant]].shape) == 1 ? 0 : 1;
    WAIO_TRY(st, own_constants(graph, target, &weight, &bias));
    const waio_shape *w_shape = &graph->value[target->input[1]].shape;
    int64_t per_channel = waio_shape_count(w_shape) / channels;
    if (target->norm_mean)
        WAIO_TRY(st, own_statistics(graph, target, &mean, &std, channels));
    for (int64_t c = 0; c < channels; c++) {
        float k = operand[c * step];
        if (mean) {
            mean[c] = node->op == WAIO_OP_MUL   ? mean[c] * k
                      : node->op == WAIO_OP_ADD ? mean[c] + k
                                                : mean[c] - k;
            std[c] = node->op == WAIO_OP_MUL ? std[c] * fabsf(k) : std[c];
        }
        if (node->op == WAIO_OP_MUL)
            for (int64_t i = 0; i < per_channel; i++)
                weight[c * per_channel + i] *= k;
        bias[c] = node->op == WAIO_OP_MUL   ? bias[c] * k
                  : node->op == WAIO_OP_ADD ? bias[c] + k
                                            : bias[c] - k;
    }
    target->clamp = node->clamp;
    absorb(graph, target, node);
    *changed = true;
done:
    return st;
}

/* A pad with zeros in front of a conv2d becomes the conv's own padding. */
static void fold_pad(waio_graph *graph, int index, bool *changed)
{
    waio_node *conv = &graph->node[index];
    waio_node *pad = conv->op == WAIO_OP_CONV2D ? sole_producer(graph, conv, 0) : NULL;

    if (!pad || pad->op != WAIO_OP_PAD || pad->pad.value != 0 || !waio_clamp_is_none(pad->clamp) ||
        pad->pad.before[3] || pad->pad.after[3])
        return;
    for (int i = 0; i < 4; i++)
        if (conv->conv.pad[i] > INT_MAX - (i < 2 ? pad->pad.before : pad->pad.after)[1 + i % 2])
            return;
    for (int i = 0; i < 2; i++) {
        conv->conv.pad[i] += pad->pad.before[1 + i];
        conv->conv.pad[i + 2] += pad->pad.after[1 + i];
    }
    conv->input[0] = pad->input[0];
    int gone = (int)(pad - graph->node);
    memmove(pad, pad + 1, (size_t)(graph->node_count - gone - 1) * sizeof *pad);
    graph->node_count--;
    *changed = true;
}

static bool takes_clamp(waio_op op)
{
    return waio_op_weighted(op) || op == WAIO_OP_BATCH_NORM || op == WAIO_OP_CLIP ||
           op == WAIO_OP_ADD || op == WAIO_OP_SUB || op == WAIO_OP_MUL || op == WAIO_OP_MAXIMUM;
}

static float clamp_to(float x, waio_clamp clamp)
{
    return x < clamp.lo ? clamp.lo : x > clamp.hi ? clamp.hi : x;
}

/* The clamp that does what `first` and behind it `second` do. */
static waio_clamp both(waio_clamp first, waio_clamp second)
{
    return (waio_clamp){clamp_to(first.lo, second), clamp_to(first.hi, second)};
}

static void fuse_clip(waio_graph *graph, int index, bool *changed)
{
    waio_node *clip = &graph->node[index];
    waio_node *target = clip->op == WAIO_OP_CLIP ? sole_producer(graph, clip, 0) : NULL;

    if (!target || !takes_clamp(target->op))
        return;
    target->clamp = both(target->clamp, clip->clamp);
    absorb(graph, target, clip);
    *changed = true;
}

static bool is_identity(const waio_graph *graph, const waio_node *node)
{
    const waio_shape *in = &graph->value[node->input[0]].shape;
    const waio_shape *out = &graph->value[node->output].shape;
    bool same = waio_shape_equal(in, out) && waio_clamp_is_none(node->clamp);

    switch (node->op) {
    case WAIO_OP_CLIP:
    case WAIO_OP_RESHAPE:
    case WAIO_OP_PAD:
    case WAIO_OP_RESIZE:
        return same;
    case WAIO_OP_CONCAT:
        return same && node->input_count == 1;
    case WAIO_OP_TRANSPOSE:
        for (int i = 0; i < in->rank; i++)
            same = same && node->transpose.perm[i] == i;
        return same;
    default:
        return false;
    }
}

/* Two reshapes in a row are one. */
static void merge_reshapes(waio_graph *graph, int index, bool *changed)
{
    waio_node *second = &graph->node[index];
    waio_node *first = second->op == WAIO_OP_RESHAPE ? sole_producer(graph, second, 0) : NULL;

    if (!first || first->op != WAIO_OP_RESHAPE)
        return;
    first->reshape = second->reshape;
    first->clamp = both(first->clamp, second->clamp);
    absorb(graph, first, second);
    *changed = true;
}

static waio_status pass_over(waio_graph *graph, bool *changed)
{
    waio_status st = WAIO_OK;

    for (int n = 0; n < graph->node_count; n++) {
        if (is_identity(graph, &graph->node[n]) ||
            waio_graph_use_count(graph, graph->node[n].output) == 0) {
            bypass(graph, n--);
            *changed = true;
            continue;
        }
        bool once = false;
        WAIO_TRY(st, fold_batch_norm(graph, n, &once));
        if (!once)
            WAIO_TRY(st, fold_channels(graph, n, &once));
        if (!once)
            fold_pad(graph, n, &once);
        if (!once)
            fuse_clip(graph, n, &once);
        if (!once)
            merge_reshapes(graph, n, &once);
        if (once) {
            *changed = true;
            n--;
        }
    }
done:
    return st;
}

waio_status waio_graph_optimize(waio_graph *graph)
{
    waio_status st = WAIO_OK;
    /* Integer networks run as their file has them: folding would change codes. */
    bool changed = !waio_graph_is_quantized(graph);

    while (changed) {
        changed = false;
        WAIO_TRY(st, pass_over(graph, &changed));
    }
    WAIO_TRY(st, waio_graph_validate(graph));
done:
    return st;
}
