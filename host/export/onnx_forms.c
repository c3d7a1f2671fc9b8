/* The forms that a value of the graph has in the file: images in two orders, numbers as float or as
 * codes. Each is made when something asks for it first. */
#include <math.h>

#include "export/onnx_out.h"

static const int64_t to_first[4] = {0, 3, 1, 2}, to_plain[4] = {0, 2, 3, 1};

waio_onnxo_order waio_onnxo_order_of(const waio_onnxo *out, int id)
{
    return out->graph->value[id].shape.rank == 4 ? WAIO_ONNXO_FIRST : WAIO_ONNXO_PLAIN;
}

int waio_onnxo_axis(const waio_onnxo *out, int id, waio_onnxo_order order, int axis)
{
    bool first = out->graph->value[id].shape.rank == 4 && order == WAIO_ONNXO_FIRST;
    return first ? (int)to_plain[axis] : axis;
}

bool waio_onnxo_orders_agree(const waio_shape *shape)
{
    return shape->rank != 4 || shape->dim[3] == 1 || shape->dim[1] * shape->dim[2] == 1;
}

/* ---- codes ---- */

waio_onnxo_type waio_onnxo_code_type(const waio_onnxo *out, int id)
{
    waio_type type = out->graph->value[id].type;

    if (type != WAIO_S8)
        return type == WAIO_S16 ? WAIO_ONNXO_S16 : WAIO_ONNXO_S32;
    return out->value[id].visible ? WAIO_ONNXO_S8 : WAIO_ONNXO_U8;
}

int waio_onnxo_code_offset(waio_onnxo_type type)
{
    return type == WAIO_ONNXO_U8 ? 128 : 0;
}

/* A constant of one code. */
static const char *put_code(waio_onnxo *out, const char *base, const char *suffix,
                            waio_onnxo_type type, int32_t code)
{
    waio_shape shape = {.rank = 0};
    int8_t *bytes = waio_onnxo_room(out, 2, 1);
    int32_t stored = code + waio_onnxo_code_offset(type);

    if (bytes) {
        bytes[0] = (int8_t)(uint8_t)(stored & 255);
        bytes[1] = (int8_t)(uint8_t)(stored >> 8 & 255);
    }
    return waio_onnxo_constant(out, base, suffix, type, &shape, bytes,
                               type == WAIO_ONNXO_S16 ? 2 : 1);
}

void waio_onnxo_params(waio_onnxo *out, int id, const char **scale, const char **zero_point)
{
    const waio_value *value = &out->graph->value[id];
    waio_onnxo_value *form = &out->value[id];

    if (!form->scale) {
        form->scale = waio_onnxo_scalar(out, value->name, "scale", value->params.scale[0]);
        form->zero_point = put_code(out, value->name, "zero_point", waio_onnxo_code_type(out, id),
                                    value->params.zero_point[0]);
    }
    *scale = form->scale;
    *zero_point = form->zero_point;
}

/* ---- forms ---- */

/* In `form`, the tensor for `order`, from the one of the other order if need be. */
static const char *ordered(waio_onnxo *out, int id, const char *form[2], waio_onnxo_order order)
{
    const waio_value *value = &out->graph->value[id];

    if (value->shape.rank != 4)
        order = WAIO_ONNXO_PLAIN;
    if (!form[order]) {
        const char *other = form[!order];
        form[order] = WAIO_ONNXO_NODE(out, "Transpose", value->name, other);
        waio_onnxo_ints(out, "perm", order == WAIO_ONNXO_FIRST ? to_first : to_plain, 4);
    }
    return form[order];
}

const char *waio_onnxo_codes(waio_onnxo *out, int id, waio_onnxo_order order)
{
    return ordered(out, id, out->value[id].codes, order);
}

const char *waio_onnxo_real(waio_onnxo *out, int id, waio_onnxo_order order)
{
    const waio_value *value = &out->graph->value[id];
    waio_onnxo_value *form = &out->value[id];
    const char *scale = NULL, *zero = NULL;

    if (value->shape.rank != 4)
        order = WAIO_ONNXO_PLAIN;
    if (value->type == WAIO_F32)
        return ordered(out, id, form->real, order);
    if (!form->real[order]) {
        const char *codes = waio_onnxo_codes(out, id, order);
        waio_onnxo_params(out, id, &scale, &zero);
        form->real[order] =
            WAIO_ONNXO_NODE(out, "DequantizeLinear", value->name, codes, scale, zero);
    }
    return form->real[order];
}

const char *waio_onnxo_input(waio_onnxo *out, const waio_node *node, int i, waio_onnxo_order order)
{
    int id = node->input[i], rank = out->graph->value[node->output].shape.rank;

    return waio_value_is_const(out->graph, id) ? waio_onnxo_operand(out, id, order, rank)
                                               : waio_onnxo_real(out, id, order);
}

/* ---- the end of a node ---- */

static const char *clamp_float(waio_onnxo *out, const char *base, const char *x, float lo, float hi)
{
    if (lo == -INFINITY && hi == INFINITY)
        return x;
    if (lo == 0 && hi == INFINITY)
        return WAIO_ONNXO_NODE(out, "Relu", base, x);
    const char *min = lo == -INFINITY ? "" : waio_onnxo_scalar(out, base, "min", lo);
    if (hi == INFINITY)
        return WAIO_ONNXO_NODE(out, "Clip", base, x, min);
    const char *max = waio_onnxo_scalar(out, base, "max", hi);
    return WAIO_ONNXO_NODE(out, "Clip", base, x, min, max);
}

/* `x` as codes of the node's output, of which bits and clamp leave [lo, hi]. */
static const char *quantize(waio_onnxo *out, const waio_node *node, const char *x, int32_t lo,
                            int32_t hi)
{
    const waio_value_params *p = &out->graph->value[node->output].params;
    waio_onnxo_type type = waio_onnxo_code_type(out, node->output);
    bool wide = type == WAIO_ONNXO_S16;
    bool all = wide ? lo == INT16_MIN && hi == INT16_MAX : lo == INT8_MIN && hi == INT8_MAX;
    const char *scale = NULL, *zero = NULL;

    if (wide && !all) /* onnxruntime has no Clip of int16 */
        x = clamp_float(out, node->name, x,
                        lo == INT16_MIN ? -INFINITY : waio_dequantize_code(lo, p->scale[0], 0),
                        hi == INT16_MAX ? INFINITY : waio_dequantize_code(hi, p->scale[0], 0));
    waio_onnxo_params(out, node->output, &scale, &zero);
    const char *codes = WAIO_ONNXO_NODE(out, "QuantizeLinear", node->name, x, scale, zero);
    if (wide || all)
        return codes;
    const char *min = put_code(out, node->name, "lowest", type, lo);
    const char *max = put_code(out, node->name, "highest", type, hi);
    return WAIO_ONNXO_NODE(out, "Clip", node->name, codes, min, max);
}

void waio_onnxo_finish(waio_onnxo *out, const waio_node *node, waio_onnxo_order order,
                       const char *result)
{
    const waio_value *y = &out->graph->value[node->output];
    const waio_value_params *p = &y->params;
    waio_onnxo_value *form = &out->value[node->output];

    if (y->shape.rank != 4)
        order = WAIO_ONNXO_PLAIN;
    if (y->type == WAIO_F32) {
        form->real[order] = clamp_float(out, node->name, result, node->clamp.lo, node->clamp.hi);
        return;
    }
    int32_t lo = waio_params_lo(p), hi = waio_params_hi(p);
    form->codes[order] = quantize(
        out, node, result, waio_bound_code(node->clamp.lo, p->scale[0], p->zero_point[0], lo, hi),
        waio_bound_code(node->clamp.hi, p->scale[0], p->zero_point[0], lo, hi));
}
