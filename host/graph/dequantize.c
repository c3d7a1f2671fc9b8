/* The float network that a quantized one stands for. */
#include <math.h>

#include "graph/graph.h"

static double code_at(const waio_value *value, int64_t i)
{
    switch (value->type) {
    case WAIO_S8:
        return ((const int8_t *)value->codes)[i];
    case WAIO_S16:
        return ((const int16_t *)value->codes)[i];
    case WAIO_S32:
        return ((const int32_t *)value->codes)[i];
    default:
        return (double)((const int64_t *)value->codes)[i];
    }
}

static waio_status constant_to_float(waio_graph *graph, waio_value *value)
{
    waio_status st = WAIO_OK;
    int64_t count = waio_shape_count(&value->shape), stride = 1;
    const waio_value_params *p = &value->params;
    float *data = NULL;

    for (int i = p->axis + 1; i < value->shape.rank; i++)
        stride *= value->shape.dim[i];
    WAIO_NEW(st, data, graph->arena, (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        int64_t c = p->count == 1 ? 0 : i / stride % p->count;
        data[i] = (float)((double)p->scale[c] * (code_at(value, i) - p->zero_point[c]));
    }
    value->data = data;
    value->codes = NULL;
done:
    return st;
}

/* Codes that begin at 0 are how some files write ReLU, and codes from 0 to 6 ReLU6: the range of a
 * fused activation takes its place there (TensorFlow's quantization-aware training). 6 may have
 * moved by half a step when 0 was brought onto a code. */
static void clamp_by_codes(waio_node *node, const waio_value_params *p)
{
    float top = p->scale[0] * (float)(waio_params_hi(p) - p->zero_point[0]);

    if (p->zero_point[0] != waio_params_lo(p))
        return;
    node->clamp.lo = fmaxf(node->clamp.lo, 0);
    if (fabsf(top - 6) <= p->scale[0] / 2)
        node->clamp.hi = fminf(node->clamp.hi, 6);
}

waio_status waio_graph_dequantize(waio_graph *graph)
{
    waio_status st = WAIO_OK;

    for (int n = 0; n < graph->node_count; n++) {
        waio_node *node = &graph->node[n];
        const waio_value *out = &graph->value[node->output];
        bool converts = node->op == WAIO_OP_QUANTIZE || node->op == WAIO_OP_DEQUANTIZE;
        if (converts)
            node->op = WAIO_OP_CLIP;
        if (!converts && out->type != WAIO_F32)
            clamp_by_codes(node, &out->params);
    }
    for (int v = 0; v < graph->value_count; v++) {
        waio_value *value = &graph->value[v];
        if (value->type == WAIO_F32)
            continue;
        if (value->codes)
            WAIO_TRY(st, constant_to_float(graph, value));
        value->type = WAIO_F32;
        value->params = (waio_value_params){0};
    }
    graph->note = "the float network that the file's codes stand for";
done:
    return st;
}
