/* Integer forms of the op test cases: the same nodes over codes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/opcases_build.h"

typedef struct quantizer {
    waio_op_case *c;
    waio_type type;       /* of activations */
    const waio_graph *of; /* the floats' graph */
    waio_graph *graph;    /* the integers' */
    int *map;             /* per value of `of`: its id in `graph`, -1 so far */
    bool uniform;         /* all activations share scale and zero point */
} quantizer;

static float real_in(waio_op_case *c, float lo, float hi)
{
    return lo + (hi - lo) * waio_rng_unit(&c->rng);
}

static waio_value_params params_of(const quantizer *q, const float *scale, const int32_t *z)
{
    return (waio_value_params){
        .bits = q->type == WAIO_S8 ? 8 : 16, .count = 1, .scale = scale, .zero_point = z};
}

static waio_status set_params(const quantizer *q, int id, double scale, int32_t z)
{
    float s = (float)scale;
    waio_value_params params;

    z = q->type == WAIO_S8 ? z : 0;
    params = params_of(q, &s, &z);
    return waio_graph_set_type(q->graph, id, q->type, &params);
}

/* In an extreme case, one of `times` cases or channels. */
static bool rarely(const quantizer *q, uint32_t times)
{
    return q->c->extreme && waio_rng_below(&q->c->rng, times) == 0;
}

/* Somewhere in the middle, at times at an end. */
static int32_t random_zero_point(const quantizer *q)
{
    if (rarely(q, 4))
        return rarely(q, 2) ? -128 : 127;
    return (int32_t)waio_rng_below(&q->c->rng, 81) - 40;
}

/* The input: clamps at 1 and 6 bite within its range of +-4 or so. */
static waio_status add_input(quantizer *q)
{
    waio_status st = WAIO_OK;
    const waio_value *x = &q->of->value[q->of->input];
    float scale = real_in(q->c, 0.02f, 0.04f) / (q->type == WAIO_S8 ? 1 : 256);

    WAIO_TRY(st, waio_graph_add_input(q->graph, &q->map[q->of->input], x->name, &x->shape));
    WAIO_TRY(st, set_params(q, q->map[q->of->input], scale, random_zero_point(q)));
done:
    return st;
}

/* An operand: codes of all sizes. */
static waio_status add_operand(quantizer *q, int id)
{
    waio_status st = WAIO_OK;
    const waio_value *value = &q->of->value[id];
    const waio_value_params *x = &q->graph->value[q->map[q->of->input]].params;
    float scale = q->uniform ? x->scale[0] : x->scale[0] * real_in(q->c, 0.3f, 3);
    int32_t z = q->uniform ? x->zero_point[0] : q->type == WAIO_S8 ? random_zero_point(q) : 0;
    waio_value_params params = params_of(q, &scale, &z);
    void *codes = NULL;

    WAIO_TRY(st, waio_graph_add_codes(q->graph, &q->map[id], value->name, &value->shape, q->type,
                                      &params, &codes));
    for (int64_t i = 0; i < waio_shape_count(&value->shape); i++) {
        if (q->type == WAIO_S8)
            ((int8_t *)codes)[i] = (int8_t)((int)waio_rng_below(&q->c->rng, 256) - 128);
        else
            ((int16_t *)codes)[i] = (int16_t)((int)waio_rng_below(&q->c->rng, 65536) - 32768);
    }
done:
    return st;
}

/* Scales of a weight's channels, or of its bias: those times the input's scale. */
static waio_status channel_scales(float **scale, int32_t **zero_point, const quantizer *q,
                                  int64_t channels)
{
    waio_status st = WAIO_OK;

    WAIO_NEW(st, *scale, q->graph->arena, (size_t)channels);
    WAIO_NEW(st, *zero_point, q->graph->arena, (size_t)channels);
done:
    return st;
}

static waio_status add_weight(quantizer *q, int id)
{
    waio_status st = WAIO_OK;
    const waio_value *value = &q->of->value[id];
    int64_t channels = value->shape.dim[0];
    bool wide = q->type == WAIO_S16 && rarely(q, 3);
    waio_value_params params = {.bits = wide ? 16 : 8, .symmetric = true, .count = (int)channels};
    float *scale = NULL;
    int32_t *z = NULL;
    void *codes = NULL;

    WAIO_TRY(st, channel_scales(&scale, &z, q, channels));
    for (int64_t c = 0; c < channels; c++) {
        scale[c] = real_in(q->c, 0.005f, 0.01f) / (wide ? 256 : 1);
        if (rarely(q, 16)) /* shifts of all sizes */
            scale[c] = ldexpf(scale[c], -(int)waio_rng_below(&q->c->rng, 24));
    }
    params.scale = scale;
    params.zero_point = z;
    WAIO_TRY(st, waio_graph_add_codes(q->graph, &q->map[id], value->name, &value->shape,
                                      wide ? WAIO_S16 : WAIO_S8, &params, &codes));
    for (int64_t i = 0; i < waio_shape_count(&value->shape); i++) {
        if (wide)
            ((int16_t *)codes)[i] = (int16_t)((int)waio_rng_below(&q->c->rng, 65535) - 32767);
        else
            ((int8_t *)codes)[i] = (int8_t)((int)waio_rng_below(&q->c->rng, 255) - 127);
    }
done:
    return st;
}

/* The largest that the sums of a channel can become without a bias. */
static int64_t largest_sum(const waio_value *x, const waio_value *w, int64_t channel)
{
    int64_t products = waio_shape_count(&w->shape) / w->shape.dim[0], sum = 0;
    int32_t z = x->params.zero_point[0];

    for (int64_t i = channel * products; i < (channel + 1) * products; i++)
        sum += w->type == WAIO_S8 ? abs(((const int8_t *)w->codes)[i])
                                  : abs(((const int16_t *)w->codes)[i]);
    return sum * (x->type == WAIO_S16 ? 32768 : z > 0 ? 128 + z : 128 - z);
}

/* A bias of about 1 at most, at times the largest with which no sum overflows. */
static int64_t random_bias(quantizer *q, double scale, int64_t most)
{
    double code = round((double)real_in(q->c, -1, 1) / scale);

    if (rarely(q, 16))
        return rarely(q, 2) ? most : -most;
    return code > (double)most ? most : code < (double)-most ? -most : (int64_t)code;
}

static waio_status add_bias(quantizer *q, int id, const waio_node *node)
{
    waio_status st = WAIO_OK;
    const waio_value *value = &q->of->value[id];
    const waio_value *weight = &q->graph->value[q->map[node->input[1]]];
    const waio_value *x = &q->graph->value[q->map[node->input[0]]];
    int64_t channels = value->shape.dim[0], products = waio_shape_count(&weight->shape) / channels;
    bool wide =
        q->type == WAIO_S16 && (!rarely(q, 2) || weight->type == WAIO_S16 || products > 511);
    waio_value_params params = {.bits = wide ? 64 : 32, .count = (int)channels};
    float *scale = NULL;
    int32_t *z = NULL;
    void *codes = NULL;

    WAIO_TRY(st, channel_scales(&scale, &z, q, channels));
    for (int64_t c = 0; c < channels; c++)
        scale[c] = x->params.scale[0] * weight->params.scale[c];
    params.scale = scale;
    params.zero_point = z;
    WAIO_TRY(st, waio_graph_add_codes(q->graph, &q->map[id], value->name, &value->shape,
                                      wide ? WAIO_S64 : WAIO_S32, &params, &codes));
    weight = &q->graph->value[q->map[node->input[1]]]; /* values may have moved */
    x = &q->graph->value[q->map[node->input[0]]];
    for (int64_t c = 0; c < channels; c++) {
        int64_t most = (wide ? INT64_C(1) << 47 : INT32_MAX) - largest_sum(x, weight, c);
        int64_t code = random_bias(q, (double)scale[c], most);
        if (wide)
            ((int64_t *)codes)[c] = code;
        else
            ((int32_t *)codes)[c] = (int32_t)code;
    }
done:
    return st;
}

static waio_status map_input(quantizer *q, const waio_node *node, int i)
{
    int id = node->input[i];

    if (q->map[id] >= 0)
        return WAIO_OK;
    if (!waio_op_weighted(node->op))
        return add_operand(q, id);
    return i == 1 ? add_weight(q, id) : add_bias(q, id, node);
}

/* A scale that spreads the node's results over the codes. */
static double output_scale(const quantizer *q, const waio_node *node)
{
    const waio_value *a = &q->graph->value[node->input[0]];
    const waio_value *b = &q->graph->value[node->input[node->input_count > 1]];
    double x = (double)a->params.scale[0], z = (double)b->params.scale[0];
    double codes = q->type == WAIO_S8 ? 75 : 19000; /* a random code's deviation */
    for (int c = 1; c < b->params.count; c++)
        z = fmax(z, (double)b->params.scale[c]);
    double cells = (double)waio_shape_count(&a->shape) /
                   (double)waio_shape_count(&q->graph->value[node->output].shape);

    switch (node->op) {
    case WAIO_OP_CONV2D:
    case WAIO_OP_DENSE: /* random signs: the sum grows with the root of its length */
        return x * z * (b->type == WAIO_S16 ? 18900 : 73) * 1.5 *
               sqrt((double)waio_shape_count(&b->shape) / (double)b->shape.dim[0]);
    case WAIO_OP_ADD:
    case WAIO_OP_SUB:
        return 0.8 * (x + z);
    case WAIO_OP_MUL:
        return x * z * codes;
    case WAIO_OP_MEAN:
        return x * 1.5 / sqrt(cells);
    case WAIO_OP_SUM:
        return x * 1.5 * sqrt(cells);
    default: /* clip and concat requantize by this */
        return q->uniform ? x : x * 0.9;
    }
}

static bool keeps_params(waio_op op)
{
    return op == WAIO_OP_AVG_POOL || op == WAIO_OP_MAX_POOL || op == WAIO_OP_PAD ||
           op == WAIO_OP_RESHAPE || op == WAIO_OP_TRANSPOSE || op == WAIO_OP_RESIZE ||
           op == WAIO_OP_MAXIMUM;
}

static waio_status set_output(const quantizer *q, const waio_node *node, const waio_value *was)
{
    const waio_value_params *x = &q->graph->value[node->input[0]].params;
    bool s8 = q->type == WAIO_S8;

    if (node->op == WAIO_OP_DEQUANTIZE)
        return WAIO_OK;
    if (node->op == WAIO_OP_QUANTIZE)
        return waio_graph_set_type(q->graph, node->output, was->type, &was->params);
    if (node->op == WAIO_OP_SOFTMAX || node->op == WAIO_OP_LOGISTIC)
        return set_params(q, node->output, s8 ? 1.0 / 256 : 1.0 / 32768, -128);
    if (keeps_params(node->op) || q->uniform)
        return set_params(q, node->output, (double)x->scale[0], x->zero_point[0]);
    /* At times a scale so fine that factors come to more than 1 and most results are clamped. */
    return set_params(q, node->output, output_scale(q, node) / (rarely(q, 8) ? 512 : 1),
                      random_zero_point(q));
}

static waio_status add_node(quantizer *q, const waio_node *was)
{
    waio_status st = WAIO_OK;
    waio_node node = *was;
    int index = q->graph->node_count;

    for (int i = 0; i < was->input_count; i++) {
        WAIO_TRY(st, map_input(q, was, i));
        node.input[i] = q->map[was->input[i]];
    }
    WAIO_TRY(st, waio_graph_add_node(q->graph, &q->map[was->output], &node));
    WAIO_TRY(st, set_output(q, &q->graph->node[index], &q->of->value[was->output]));
done:
    return st;
}

waio_status waio_op_case_quantize(waio_op_case *c, waio_type type)
{
    waio_status st = WAIO_OK;
    waio_op last = c->graph->node[c->graph->node_count - 1].op;
    quantizer q = {.c = c, .type = type, .of = c->graph};

    q.uniform = last == WAIO_OP_MAXIMUM || (last == WAIO_OP_CONCAT && waio_rng_below(&c->rng, 2));

    if (last == WAIO_OP_BATCH_NORM)
        return WAIO_OK;
    q.graph = waio_graph_new(c->graph->name);
    if (!q.graph)
        return WAIO_ENOMEM;
    if (c->extreme)
        q.graph->requant = (waio_requant)waio_rng_below(&c->rng, 4);
    WAIO_NEW(st, q.map, q.graph->arena, (size_t)c->graph->value_count);
    for (int v = 0; v < c->graph->value_count; v++)
        q.map[v] = -1;
    WAIO_TRY(st, add_input(&q));
    for (int n = 0; n < c->graph->node_count; n++)
        WAIO_TRY(st, add_node(&q, &c->graph->node[n]));
    waio_graph_free(c->graph);
    c->graph = q.graph;
    q.graph = NULL;
done:
    waio_graph_free(q.graph);
    return st;
}
