#include "backend/ref/refq.h"

#include <assert.h>
#include <math.h>

static bool is_integer(const waio_graph *graph, int id)
{
    return graph->value[id].type != WAIO_F32;
}

bool waio_refq_wanted(const waio_graph *graph, const waio_node *node)
{
    bool wanted = is_integer(graph, node->output);
    for (int i = 0; i < node->input_count; i++)
        wanted = wanted || is_integer(graph, node->input[i]);
    return wanted;
}

static bool same_params(const waio_value *a, const waio_value *b)
{
    return a->type == b->type && a->params.count == 1 && b->params.count == 1 &&
           a->params.scale[0] == b->params.scale[0] &&
           a->params.zero_point[0] == b->params.zero_point[0];
}

static bool is_activation(const waio_value *value)
{
    return (value->type == WAIO_S8 || value->type == WAIO_S16) && value->params.count == 1 &&
           (value->type == WAIO_S8 || value->params.zero_point[0] == 0);
}

static waio_status refuse(const waio_node *node, const char *what)
{
    return waio_error(WAIO_EUNSUPPORTED, "integer %s: %s", waio_op_name(node->op), what);
}

static waio_status check_weighted(const waio_graph *graph, const waio_node *node)
{
    const waio_value *x = &graph->value[node->input[0]], *w = &graph->value[node->input[1]];
    const waio_value *y = &graph->value[node->output];
    waio_type bias = x->type == WAIO_S8 && w->type == WAIO_S8 ? WAIO_S32 : WAIO_S64;
    bool types = is_activation(x) && is_activation(y) && x->type == y->type &&
                 (w->type == WAIO_S8 || (w->type == WAIO_S16 && x->type == WAIO_S16));

    if (!types || !w->codes)
        return refuse(node, "expected s8 or s16 activations with one scale, and weights of s8 (or "
                            "s16 with s16 activations)");
    if (w->params.count != 1 && (w->params.axis != 0 || w->params.count != w->shape.dim[0]))
        return refuse(node, "the weight's scales run along another axis than the output channels");
    for (int c = 0; c < w->params.count; c++)
        if (w->params.zero_point[c] != 0)
            return refuse(node, "the weight has a zero point that is not 0");
    if (node->input_count == 3 && graph->value[node->input[2]].type != bias)
        return refuse(node, bias == WAIO_S32 ? "the bias is not of 32 bits"
                                             : "the bias is not of 64 bits");
    /* |w| <= 128, |x - z| <= 255: 32 bits hold 65,793 products; the bias has the rest. */
    if (bias == WAIO_S32 && waio_shape_count(&w->shape) / w->shape.dim[0] > 32768)
        return refuse(node, "more than 32,768 products to a sum may overflow 32 bits");
    return WAIO_OK;
}

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

static waio_status check_output_range(const waio_graph *graph, const waio_node *node)
{
    const waio_value *x = &graph->value[node->input[0]], *y = &graph->value[node->output];

    if (x->type != WAIO_S8)
        return refuse(node, "only s8 is supported");
    if (y->params.scale[0] != 1.0f / 256 || y->params.zero_point[0] != -128)
        return refuse(node, "the output's scale is not 1/256 with zero point -128");
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
    return WAIO_OK;
}

static int32_t limit_code(float limit, const waio_value_params *p, int32_t lo, int32_t hi)
{
    float code = roundf(limit / p->scale[0]) + (float)p->zero_point[0];
    return code < (float)lo ? lo : code > (float)hi ? hi : (int32_t)code;
}

waio_refq_limits waio_refq_output_limits(const waio_refq_call *call)
{
    const waio_value_params *p = &call->out.params;
    int32_t lo = waio_params_lo(p), hi = waio_params_hi(p);

    return (waio_refq_limits){limit_code(call->node->clamp.lo, p, lo, hi),
                              limit_code(call->node->clamp.hi, p, lo, hi)};
}

int64_t waio_refq_bias(const waio_refq_call *call, int64_t i)
{
    if (call->node->input_count < 3)
        return 0;
    return call->in[2].type == WAIO_S32 ? ((const int32_t *)call->in[2].data)[i]
                                        : ((const int64_t *)call->in[2].data)[i];
}

void waio_refq_run(const waio_refq_call *call)
{
    typedef void (*run)(const waio_refq_call *);
    static const run table[WAIO_OP_COUNT] = {
#define WAIO_OP_DEF(ENUM, name, least, most, weighted) waio_refq_##name,
#include "graph/ops.def"
#undef WAIO_OP_DEF
    };
    table[call->node->op](call);
}

void waio_refq_batch_norm(const waio_refq_call *call)
{
    (void)call;
    assert(!"waio_refq_check refuses it");
}
