/* Tensors of a TensorFlow Lite file, from values of the graph. */
#include <stdlib.h>
#include <string.h>

#include "export/half.h"
#include "export/tflite_out.h"

enum { DEQUANTIZE = 6, DEQUANTIZE_CHANNELS = 5, DEQUANTIZE_CODES = 2, DEQUANTIZE_HALF = 3 };

static waio_status room(void **items, int *capacity, int count, size_t size)
{
    if (count < *capacity)
        return WAIO_OK;
    int more = *capacity ? 2 * *capacity : 64;
    void *grown = realloc(*items, (size_t)more * size);
    if (!grown)
        return waio_error(WAIO_ENOMEM, "out of memory");
    *items = grown;
    *capacity = more;
    return WAIO_OK;
}

waio_status waio_tflo_add_tensor(waio_tflo *out, int *tensor, const waio_tflo_tensor *proto)
{
    waio_status st = WAIO_OK;
    void *items = out->tensor;

    WAIO_TRY(st, room(&items, &out->tensor_capacity, out->tensor_count, sizeof *out->tensor));
    out->tensor = items;
    out->tensor[out->tensor_count] = *proto;
    *tensor = out->tensor_count++;
done:
    return st;
}

waio_status waio_tflo_add_operator(waio_tflo *out, const waio_tflo_operator *op)
{
    waio_status st = WAIO_OK;
    void *items = out->op;

    WAIO_TRY(st, room(&items, &out->op_capacity, out->op_count, sizeof *out->op));
    out->op = items;
    out->op[out->op_count++] = *op;
done:
    return st;
}

static waio_tflo_type file_type(waio_type type)
{
    static const waio_tflo_type types[] = {WAIO_TFLO_F32, WAIO_TFLO_S8, WAIO_TFLO_S16,
                                           WAIO_TFLO_S32, WAIO_TFLO_S64};
    return types[type];
}

/* ---- constants ---- */

static waio_status half_data(waio_tflo *out, waio_tflo_tensor *t, const float *numbers)
{
    waio_status st = WAIO_OK;
    int64_t count = waio_shape_count(&t->shape);
    uint16_t *half = NULL;

    WAIO_NEW(st, half, out->arena, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        half[i] = waio_half_bits(numbers[i]);
    t->type = WAIO_TFLO_F16;
    t->data = half;
    t->bytes = (size_t)count * sizeof *half;
done:
    return st;
}

/* Two codes to a byte, the earlier one in the lower half. */
static waio_status pack_data(waio_tflo *out, waio_tflo_tensor *t)
{
    waio_status st = WAIO_OK;
    int64_t count = waio_shape_count(&t->shape);
    const int8_t *code = t->data;
    unsigned char *packed = NULL;

    t->bytes = (size_t)(count + 1) / 2;
    WAIO_NEW(st, packed, out->arena, t->bytes);
    for (int64_t i = 0; i < count; i++)
        packed[i / 2] = (unsigned char)(packed[i / 2] | (code[i] & 15) << (i % 2 * 4));
    t->type = WAIO_TFLO_S4;
    t->data = packed;
done:
    return st;
}

/* Data (C, cells) becomes (cells, C). */
static waio_status channels_last(waio_tflo *out, waio_tflo_tensor *t, size_t size)
{
    waio_status st = WAIO_OK;
    waio_shape from = t->shape;
    size_t channels = (size_t)from.dim[0], cells = (size_t)(from.dim[1] * from.dim[2]);
    const char *old = t->data;
    char *data = NULL;

    WAIO_NEW(st, data, out->arena, channels * cells * size);
    for (size_t c = 0; c < channels; c++)
        for (size_t k = 0; k < cells; k++)
            memcpy(data + (k * channels + c) * size, old + (c * cells + k) * size, size);
    t->shape = WAIO_SHAPE(1, from.dim[1], from.dim[2], from.dim[0]);
    t->axis = 3;
    t->data = data;
done:
    return st;
}

/* Adds constant `t`; where it is kept narrow, also the DEQUANTIZE that gives the float tensor. */
static waio_status add_constant(waio_tflo *out, int *tensor, const waio_tflo_tensor *t, bool narrow)
{
    waio_status st = WAIO_OK;
    waio_tflo_operator op = {.code = DEQUANTIZE, .input_count = 1};
    waio_tflo_tensor real = {.name = t->name, .shape = t->shape};

    WAIO_TRY(st, waio_tflo_add_tensor(out, tensor, t));
    if (!narrow)
        goto done;
    bool channels = t->params && t->params->count > 1;
    op.version = t->type == WAIO_TFLO_F16 ? DEQUANTIZE_HALF
                 : channels               ? DEQUANTIZE_CHANNELS
                                          : DEQUANTIZE_CODES;
    op.input[0] = *tensor;
    real.name = waio_arena_printf(out->arena, "%s/float", t->name);
    if (!real.name)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_tflo_add_tensor(out, tensor, &real));
    op.output = *tensor;
    WAIO_TRY(st, waio_tflo_add_operator(out, &op));
done:
    return st;
}

/* A constant of the graph as `t`, in the order of the graph; true in `narrow` if a DEQUANTIZE must
 * follow. Codes of 16 bits for float nodes stay float: the runtime has no such kernel per channel.
 */
static waio_status constant_of(waio_tflo *out, waio_tflo_tensor *t, bool *narrow, int id)
{
    waio_status st = WAIO_OK;
    const waio_value *value = &out->graph->value[id];
    bool codes = value->type != WAIO_F32;

    *narrow = !codes && (value->half || value->stored == WAIO_S8);
    *t = (waio_tflo_tensor){.name = value->name,
                            .shape = value->shape,
                            .type = file_type(value->type),
                            .axis = value->params.axis,
                            .data = codes ? value->codes : (const void *)value->data};
    if (codes || value->stored == WAIO_S8)
        t->params = &value->params;
    t->bytes = (size_t)waio_shape_count(&t->shape) * waio_type_bytes(value->type);
    if (!codes && value->half)
        WAIO_TRY(st, half_data(out, t, value->data));
    else if (!codes && value->stored == WAIO_S8) {
        t->type = WAIO_TFLO_S8;
        t->data = value->stored_codes;
        t->bytes = (size_t)waio_shape_count(&t->shape);
    }
done:
    return st;
}

/* ---- values ---- */

waio_status waio_tflo_value(waio_tflo *out, int *tensor, int id)
{
    waio_status st = WAIO_OK;
    const waio_value *value = &out->graph->value[id];
    waio_tflo_tensor t = {.name = value->name, .shape = value->shape};
    bool narrow = false;

    if (out->of_value[id] < 0 && waio_value_is_const(out->graph, id)) {
        WAIO_TRY(st, constant_of(out, &t, &narrow, id));
        WAIO_TRY(st, add_constant(out, &out->of_value[id], &t, narrow));
    } else if (out->of_value[id] < 0) {
        t.type = file_type(value->type);
        t.params = value->type == WAIO_F32 ? NULL : &value->params;
        t.batched = value->shape.rank > 0;
        WAIO_TRY(st, waio_tflo_add_tensor(out, &out->of_value[id], &t));
    }
    *tensor = out->of_value[id];
done:
    return st;
}

waio_status waio_tflo_like(waio_tflo *out, int *tensor, int id, const waio_shape *shape,
                           const char *suffix)
{
    const waio_value *value = &out->graph->value[id];
    waio_tflo_tensor t = {.shape = *shape,
                          .type = file_type(value->type),
                          .params = value->type == WAIO_F32 ? NULL : &value->params,
                          .batched = true};

    t.name = waio_arena_printf(out->arena, "%s/%s", value->name, suffix);
    return t.name ? waio_tflo_add_tensor(out, tensor, &t) : WAIO_ENOMEM;
}

waio_status waio_tflo_ints(waio_tflo *out, int *tensor, const char *name, const int32_t *number,
                           const waio_shape *shape)
{
    waio_status st = WAIO_OK;
    int32_t *data = NULL;
    waio_tflo_tensor t = {.name = name, .shape = *shape, .type = WAIO_TFLO_S32};
    size_t count = (size_t)waio_shape_count(shape);

    WAIO_NEW(st, data, out->arena, count);
    memcpy(data, number, count * sizeof *data);
    t.data = data;
    t.bytes = count * sizeof *data;
    WAIO_TRY(st, waio_tflo_add_tensor(out, tensor, &t));
done:
    return st;
}

waio_status waio_tflo_scalar(waio_tflo *out, int *tensor, int id, const char *suffix, float number,
                             int32_t code)
{
    waio_status st = WAIO_OK;
    int16_t code16 = (int16_t)code;
    int8_t code8 = (int8_t)code;
    waio_type type = out->graph->value[id].type;
    const void *source = type == WAIO_F32   ? (const void *)&number
                         : type == WAIO_S16 ? (const void *)&code16
                                            : (const void *)&code8;
    waio_shape one = WAIO_SHAPE(1);
    char *data = NULL;

    WAIO_TRY(st, waio_tflo_like(out, tensor, id, &one, suffix));
    waio_tflo_tensor *t = &out->tensor[*tensor];
    t->batched = false;
    t->bytes = waio_type_bytes(type);
    WAIO_NEW(st, data, out->arena, t->bytes);
    memcpy(data, source, t->bytes);
    t->data = data;
done:
    return st;
}

/* ---- weights ---- */

waio_status waio_tflo_weight(waio_tflo *out, int *tensor, const waio_node *node, bool depthwise,
                             bool packed)
{
    waio_status st = WAIO_OK;
    const waio_value *value = &out->graph->value[node->input[1]];
    waio_tflo_tensor t;
    bool narrow = false;

    if (value->type == WAIO_S16)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "weights of %d bits on integer activations; TensorFlow Lite has at most 8",
                  value->params.bits);
    WAIO_TRY(st, constant_of(out, &t, &narrow, node->input[1]));
    if (depthwise)
        WAIO_TRY(st, channels_last(out, &t, t.bytes / (size_t)waio_shape_count(&t.shape)));
    if (packed)
        WAIO_TRY(st, pack_data(out, &t));
    WAIO_TRY(st, add_constant(out, tensor, &t, narrow));
done:
    return st;
}

/* The parameters of a bias of zeros: those of the accumulator. */
static waio_status accumulator_params(waio_tflo *out, waio_value_params **params,
                                      const waio_node *node)
{
    waio_status st = WAIO_OK;
    const waio_value_params *x = &out->graph->value[node->input[0]].params;
    const waio_value_params *w = &out->graph->value[node->input[1]].params;
    float *scale = NULL;
    int32_t *zero = NULL;

    WAIO_NEW(st, *params, out->arena, 1);
    WAIO_NEW(st, scale, out->arena, (size_t)w->count);
    WAIO_NEW(st, zero, out->arena, (size_t)w->count);
    for (int i = 0; i < w->count; i++)
        scale[i] = x->scale[0] * w->scale[i];
    **params = (waio_value_params){.count = w->count, .scale = scale, .zero_point = zero};
done:
    return st;
}

waio_status waio_tflo_bias(waio_tflo *out, int *tensor, const waio_node *node)
{
    waio_status st = WAIO_OK;
    const waio_value *x = &out->graph->value[node->input[0]];
    waio_type type = x->type == WAIO_F32 ? WAIO_F32 : x->type == WAIO_S8 ? WAIO_S32 : WAIO_S64;
    waio_tflo_tensor t = {.type = file_type(type)};
    waio_value_params *params = NULL;
    char *zeros = NULL;

    if (node->input_count == 3)
        return waio_tflo_value(out, tensor, node->input[2]);
    t.shape = WAIO_SHAPE(out->graph->value[node->input[1]].shape.dim[0]);
    t.bytes = (size_t)t.shape.dim[0] * waio_type_bytes(type);
    WAIO_NEW(st, zeros, out->arena, t.bytes);
    t.data = zeros;
    t.name = waio_arena_printf(out->arena, "%s/bias", node->name);
    if (!t.name)
        return WAIO_ENOMEM;
    if (type != WAIO_F32)
        WAIO_TRY(st, accumulator_params(out, &params, node));
    t.params = params;
    WAIO_TRY(st, waio_tflo_add_tensor(out, tensor, &t));
done:
    return st;
}
