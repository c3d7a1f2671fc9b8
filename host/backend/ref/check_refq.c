/* Which integer nodes the reference runs: types, scales and zero points that go together. */
#include <math.h>

#include "backend/ref/refq.h"

/* A bias may be off from s_in * s_w by this share: converters round the product to float32 from
 * float32 or float64. */
#define BIAS_SCALE_SHARE 1e-4

static waio_status refuse(const waio_node *node, const char *what)
{
    return waio_error(WAIO_EUNSUPPORTED, "integer %s: %s", waio_op_name(node->op), what);
}

static bool scales_are_sound(const waio_value_params *p, bool weight)
{
    for (int i = 0; i < p->count; i++)
        if (!isfinite(p->scale[i]) || !(weight ? p->scale[i] >= 0 : p->scale[i] > 0))
            return false;
    return p->count >= 1;
}

/* One scale, and a zero point that is a code (0 for s16). */
static bool is_activation(const waio_value *value)
{
    const waio_value_params *p = &value->params;

    if ((value->type != WAIO_S8 && value->type != WAIO_S16) || p->count != 1 ||
        !scales_are_sound(p, false) || p->bits < 2 || p->bits > (value->type == WAIO_S8 ? 8 : 16))
        return false;
    int32_t z = p->zero_point[0];
    return value->type == WAIO_S8 ? z >= waio_params_lo(p) && z <= waio_params_hi(p) : z == 0;
}

static bool same_params(const waio_value *a, const waio_value *b)
{
    return a->type == b->type && a->params.scale[0] == b->params.scale[0] &&
           a->params.zero_point[0] == b->params.zero_point[0];
}

/* ---- conv2d and dense ---- */

static waio_status check_weight(const waio_node *node, const waio_value *x, const waio_value *w)
{
    const waio_value_params *p = &w->params;

    if (!w->codes || !(w->type == WAIO_S8 || (w->type == WAIO_S16 && x->type == WAIO_S16)))
        return refuse(node, "the weight must be a constant of s8, or of s16 with s16 activations");
    if (p->count != 1 && (p->axis != 0 || p->count != w->shape.dim[0]))
        return refuse(node, "the weight's scales run along another axis than the output channels");
    if (!scales_are_sound(p, true)) /* converters write 0 for channels of zeros */
        return refuse(node, "the weight has a negative scale");
    for (int c = 0; c < p->count; c++)
        if (p->zero_point[c] != 0 && !(p->u8 && p->count == 1))
            return refuse(node, "the weight has a zero point that is not 0");
    return WAIO_OK;
}

/* A bias of 0 is one in every scale: converters share such constants between layers. */
static bool bias_is_read(const waio_value *bias, int64_t c)
{
    return bias->type == WAIO_S32 ? ((const int32_t *)bias->codes)[c] != 0
                                  : ((const int64_t *)bias->codes)[c] != 0;
}

/* Whether output channel `c` has weights other than 0; without any, its scale means nothing. */
static bool channel_is_used(const waio_value *w, int64_t c)
{
    size_t bytes =
        (size_t)(waio_shape_count(&w->shape) / w->shape.dim[0]) * waio_type_bytes(w->type);
    const char *code = (const char *)w->codes + (size_t)c * bytes;

    for (size_t i = 0; i < bytes; i++)
        if (code[i])
            return true;
    return false;
}

/* The bias's scale, where it states one, must be that of the products. */
static waio_status check_bias(const waio_node *node, const waio_value *x, const waio_value *w,
                              const waio_value *bias)
{
    const waio_value_params *p = &bias->params;
    bool wide = x->type == WAIO_S16;

    if (!bias->codes || (bias->type != WAIO_S32 && !(bias->type == WAIO_S64 && wide)))
        return refuse(node, wide ? "the bias must be a constant of 32 or 64 bits"
                                 : "the bias must be a constant of 32 bits");
    if (w->type == WAIO_S16 && bias->type != WAIO_S64)
        return refuse(node, "the bias of s16 weights must be of 64 bits");
    if (p->count > 1 && p->count != bias->shape.dim[0])
        return refuse(node, "the bias has another number of scales than channels");
    for (int64_t c = 0; c < bias->shape.dim[0] && p->count; c++) {
        double want =
            (double)x->params.scale[0] * (double)w->params.scale[w->params.count > 1 ? c : 0];
        double have = (double)p->scale[p->count > 1 ? c : 0];
        if (fabs(have - want) > BIAS_SCALE_SHARE * want && bias_is_read(bias, c) &&
            channel_is_used(w, c))
            return waio_error(
                WAIO_EUNSUPPORTED,
                "integer %s: the bias's scale is %.9g in channel %lld, expected %.9g, "
                "the input's times the weight's",
                waio_op_name(node->op), have, (long long)c, want);
        if (p->zero_point[p->count > 1 ? c : 0] != 0)
            return refuse(node, "the bias has a zero point that is not 0");
    }
    return WAIO_OK;
}

static waio_status check_weighted(const waio_graph *graph, const waio_node *node)
{
    waio_status st = WAIO_OK;
    const waio_value *x = &graph->value[node->input[0]], *w = &graph->value[node->input[1]];
    const waio_value *y = &graph->value[node->output];
    const waio_value *bias = node->input_count == 3 ? &graph->value[node->input[2]] : NULL;

    if (!is_activation(x) || !is_activation(y) || x->type != y->type)
        return refuse(node, "input and output must both be s8 or both s16, with one scale each");
    WAIO_TRY(st, check_weight(node, x, w));
    if (bias)
        WAIO_TRY(st, check_bias(node, x, w, bias));
    if (waio_refq_sum_bits(x->type, w->type, bias ? &bias->type : NULL) == 32)
        return WAIO_OK;
    for (int c = 0; c < w->params.count; c++)
        if ((double)x->params.scale[0] * (double)w->params.scale[c] / (double)y->params.scale[0] >=
            128)
            return refuse(node, "sums of 64 bits are multiplied by less than 128 only");
done:
    return st;
}

/* ---- the others ---- */

static waio_status check_conversion(const waio_graph *graph, const waio_node *node)
{
    const waio_value *x = &graph->value[node->input[0]], *y = &graph->value[node->output];

    if (node->op == WAIO_OP_QUANTIZE)
        return is_activation(y) && (x->type == WAIO_F32 || is_activation(x))
                   ? WAIO_OK
                   : refuse(node, "expected float or codes in, codes with one scale out");
    return is_activation(x) && y->type == WAIO_F32
               ? WAIO_OK
               : refuse(node, "expected codes with one scale in, float out");
}

static bool keeps_params(waio_op op)
{
    return op == WAIO_OP_AVG_POOL || op == WAIO_OP_MAX_POOL || op == WAIO_OP_PAD ||
           op == WAIO_OP_RESHAPE || op == WAIO_OP_TRANSPOSE || op == WAIO_OP_RESIZE ||
           op == WAIO_OP_MAXIMUM;
}

/* Positions are counted in 1/1024 of a cell, in 32 bits. */
static waio_status check_resize(const waio_node *node, const waio_value *x, const waio_value *y)
{
    for (int i = 1; i < 3; i++)
        if (x->shape.dim[i] > 1 << 20 || y->shape.dim[i] > 1 << 20)
            return refuse(node, "images of at most 1,048,576 rows and columns are supported");
    return WAIO_OK;
}

/* Softmax and logistic have fixed parameters, since their results lie in [0, 1]. */
static waio_status check_output_range(const waio_graph *graph, const waio_node *node)
{
    const waio_value *y = &graph->value[node->output];
    const waio_value_params *x = &graph->value[node->input[0]].params, *p = &y->params;

    if (x->bits != (y->type == WAIO_S8 ? 8 : 16) || p->bits != x->bits)
        return refuse(node, "only 8 and 16 bits are supported");
    if (y->type == WAIO_S8 && (p->scale[0] != 1.0f / 256 || p->zero_point[0] != -128))
        return refuse(node, "the output's scale is not 1/256 with zero point -128");
    if (y->type == WAIO_S16 && p->scale[0] != 1.0f / 32768)
        return refuse(node, "the output's scale is not 1/32768");
    if (node->op == WAIO_OP_LOGISTIC && y->type == WAIO_S16 && x->scale[0] * 12288.0f > 32767.0f)
        return refuse(node, "the input's scale is more than 2.66");
    return WAIO_OK;
}

waio_status waio_refq_check(const waio_graph *graph, const waio_node *node)
{
    if (waio_op_weighted(node->op))
        return check_weighted(graph, node);
    if (node->op == WAIO_OP_QUANTIZE || node->op == WAIO_OP_DEQUANTIZE)
        return check_conversion(graph, node);
    if (node->op == WAIO_OP_BATCH_NORM)
        return refuse(node, "fold it first");
    const waio_value *y = &graph->value[node->output];
    for (int i = 0; i < node->input_count; i++) {
        const waio_value *x = &graph->value[node->input[i]];
        if (!is_activation(x) || !is_activation(y) || x->type != y->type)
            return refuse(node, "inputs and output must all be s8 or all s16, with one scale each");
        if (keeps_params(node->op) && !same_params(x, y))
            return refuse(node, "scale and zero point must be the same in and out");
    }
    if (node->op == WAIO_OP_SOFTMAX || node->op == WAIO_OP_LOGISTIC)
        return check_output_range(graph, node);
    if (node->op == WAIO_OP_RESIZE)
        return check_resize(node, &graph->value[node->input[0]], y);
    return WAIO_OK;
}
