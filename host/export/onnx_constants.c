/* Constants of the graph as float tensors of the model: float32, or something narrower with the
 * node that widens it. */
#include <math.h>
#include <string.h>

#include "export/half.h"
#include "export/onnx_out.h"

/* Numbers of a constant on their way into the file. */
typedef struct numbers {
    const void *data;
    size_t size; /* of an element */
    int64_t count;
    waio_shape shape;
} numbers;

/* Elements in the order that `turn` asks for. */
static void turn_numbers(waio_onnxo *out, numbers *n, const waio_onnxo_turn *turn)
{
    int rank = turn->shape.rank;
    int64_t stride[WAIO_MAX_RANK], step = 1, at[WAIO_MAX_RANK] = {0};
    const char *from = n->data;
    char *to = waio_onnxo_room(out, (size_t)n->count, n->size);

    n->shape = turn->shape;
    n->data = to;
    for (int i = rank - 1; i >= 0; step *= turn->shape.dim[i], i--)
        stride[i] = step;
    for (int i = 0; i < rank; i++)
        n->shape.dim[i] = turn->shape.dim[turn->perm[i]];
    for (int64_t k = 0; to && k < n->count; k++) {
        int64_t offset = 0;
        for (int i = 0; i < rank; i++)
            offset += at[i] * stride[turn->perm[i]];
        memcpy(to + (size_t)k * n->size, from + (size_t)offset * n->size, n->size);
        for (int i = rank - 1; i >= 0 && ++at[i] == n->shape.dim[i]; i--)
            at[i] = 0;
    }
}

static const char *put(waio_onnxo *out, const char *name, const char *suffix, waio_onnxo_type type,
                       const numbers *n)
{
    return waio_onnxo_constant(out, name, suffix, type, &n->shape, n->data,
                               (size_t)n->count * n->size);
}

/* ---- narrow forms ---- */

static const char *put_half(waio_onnxo *out, const waio_value *value, const waio_onnxo_turn *turn)
{
    numbers n = {.size = sizeof(uint16_t), .count = waio_shape_count(&value->shape)};
    uint16_t *half = waio_onnxo_room(out, (size_t)n.count, sizeof *half);

    for (int64_t i = 0; half && i < n.count; i++)
        half[i] = waio_half_bits(value->data[i]);
    n.data = half;
    if (!half)
        return "";
    turn_numbers(out, &n, turn);
    const char *result =
        WAIO_ONNXO_NODE(out, "Cast", value->name, put(out, value->name, NULL, WAIO_ONNXO_F16, &n));
    waio_onnxo_int(out, "to", WAIO_ONNXO_F32);
    return result;
}

static waio_shape shape_of_params(const waio_value *value)
{
    return value->params.count > 1 ? WAIO_SHAPE(value->params.count) : (waio_shape){.rank = 0};
}

static const char *put_scales(waio_onnxo *out, const waio_value *value)
{
    const waio_value_params *p = &value->params;
    numbers n = {p->scale, sizeof(float), p->count, shape_of_params(value)};

    return put(out, value->name, "scale", WAIO_ONNXO_F32, &n);
}

/* Zero points have the type of the codes: elements of `size` bytes. */
static const char *put_zeros(waio_onnxo *out, const waio_value *value, waio_onnxo_type type,
                             size_t size)
{
    const waio_value_params *p = &value->params;
    char *data = waio_onnxo_room(out, (size_t)p->count, size);
    numbers n = {data, size, p->count, shape_of_params(value)};

    for (int i = 0; data && i < p->count; i++) /* little-endian: the low bytes come first */
        memcpy(data + (size_t)i * size, &p->zero_point[i], size);
    return put(out, value->name, "zero_point", type, &n);
}

/* Codes of `type`, and the numbers that they mean. */
static const char *put_codes(waio_onnxo *out, const waio_value *value, waio_type type,
                             const void *codes, const waio_onnxo_turn *turn)
{
    numbers n = {
        .data = codes, .size = waio_type_bytes(type), .count = waio_shape_count(&value->shape)};
    waio_onnxo_type as = type == WAIO_S8    ? WAIO_ONNXO_S8
                         : type == WAIO_S16 ? WAIO_ONNXO_S16
                                            : WAIO_ONNXO_S32;

    turn_numbers(out, &n, turn);
    const char *quantized = put(out, value->name, NULL, as, &n);
    const char *scale = put_scales(out, value), *zero = put_zeros(out, value, as, n.size);
    const char *result =
        WAIO_ONNXO_NODE(out, "DequantizeLinear", value->name, quantized, scale, zero);
    if (value->params.count > 1)
        waio_onnxo_int(out, "axis", turn->axis);
    return result;
}

/* Codes of 64 bits, which no DequantizeLinear takes, at steps so much larger that they fit 32. (As
 * float they would be quantized by onnxruntime, at the scale of the sums and cut off.) */
static const char *put_wide_codes(waio_onnxo *out, const waio_value *value)
{
    const waio_value_params *p = &value->params;
    waio_shape shape = value->shape;
    int64_t count = shape.dim[0];
    int32_t *code = waio_onnxo_room(out, (size_t)count, sizeof *code);
    float *scale = waio_onnxo_room(out, (size_t)count, sizeof *scale);

    for (int64_t i = 0; scale && i < count; i++) {
        double wide = (double)((const int64_t *)value->codes)[i];
        scale[i] = p->scale[p->count > 1 ? i : 0];
        for (; fabs(wide) > INT32_MAX; wide /= 2)
            scale[i] *= 2;
        code[i] = (int32_t)round(wide);
    }
    numbers codes = {code, sizeof *code, count, shape},
            scales = {scale, sizeof *scale, count, shape};
    const char *quantized = put(out, value->name, NULL, WAIO_ONNXO_S32, &codes);
    const char *steps = put(out, value->name, "scale", WAIO_ONNXO_F32, &scales);
    const char *result = WAIO_ONNXO_NODE(out, "DequantizeLinear", value->name, quantized, steps);
    waio_onnxo_int(out, "axis", 0);
    return result;
}

/* ---- weights and biases ---- */

const char *waio_onnxo_weight(waio_onnxo *out, int id, const waio_onnxo_turn *turn)
{
    const waio_value *value = &out->graph->value[id];
    numbers n = {
        .data = value->data, .size = sizeof(float), .count = waio_shape_count(&value->shape)};

    if (value->type != WAIO_F32)
        return put_codes(out, value, value->type, value->codes, turn);
    if (value->stored != WAIO_F32)
        return put_codes(out, value, value->stored, value->stored_codes, turn);
    if (value->half)
        return put_half(out, value, turn);
    turn_numbers(out, &n, turn);
    return put(out, value->name, NULL, WAIO_ONNXO_F32, &n);
}

const char *waio_onnxo_bias(waio_onnxo *out, int id)
{
    const waio_value *value = &out->graph->value[id];
    waio_onnxo_turn as_it_is = {.shape = value->shape};

    if (value->type == WAIO_S64)
        return put_wide_codes(out, value);
    return waio_onnxo_weight(out, id, &as_it_is);
}

/* ---- operands ---- */

/* Codes of an activation's kind. */
static const char *put_operand_codes(waio_onnxo *out, int id, const waio_onnxo_turn *turn)
{
    const waio_value *value = &out->graph->value[id];
    waio_onnxo_type type = waio_onnxo_code_type(out, id);
    numbers n = {.data = value->codes,
                 .size = waio_type_bytes(value->type),
                 .count = waio_shape_count(&value->shape)};
    const char *scale = NULL, *zero = NULL;
    int8_t *moved = NULL;

    if (type == WAIO_ONNXO_U8) {
        n.data = moved = waio_onnxo_room(out, (size_t)n.count, 1);
        for (int64_t i = 0; moved && i < n.count; i++)
            moved[i] = (int8_t)(((const int8_t *)value->codes)[i] ^ -128); /* + 128 */
    }
    if (!n.data)
        return "";
    turn_numbers(out, &n, turn);
    const char *codes = put(out, value->name, NULL, type, &n);
    waio_onnxo_params(out, id, &scale, &zero);
    return WAIO_ONNXO_NODE(out, "DequantizeLinear", value->name, codes, scale, zero);
}

/* `value` as an image: dimensions of 1 in front up to four, then channels first. */
static waio_onnxo_turn turn_of(const waio_value *value, waio_onnxo_order order, int rank)
{
    static const int first[4] = {0, 3, 1, 2};
    waio_onnxo_turn turn = {.shape = value->shape};
    int front = rank - value->shape.rank;

    for (int i = 0; i < WAIO_MAX_RANK; i++)
        turn.perm[i] = i;
    if (order == WAIO_ONNXO_PLAIN || waio_shape_count(&value->shape) == 1 || rank != 4)
        return turn;
    turn.shape.rank = rank;
    for (int i = 0; i < rank; i++)
        turn.shape.dim[i] = i < front ? 1 : value->shape.dim[i - front];
    memcpy(turn.perm, first, sizeof first);
    return turn;
}

const char *waio_onnxo_operand(waio_onnxo *out, int id, waio_onnxo_order order, int rank)
{
    const waio_value *value = &out->graph->value[id];
    const char **known = &out->value[id].real[order];
    waio_onnxo_turn turn = turn_of(value, order, rank);

    if (!*known)
        *known = value->type == WAIO_F32 ? waio_onnxo_weight(out, id, &turn)
                                         : put_operand_codes(out, id, &turn);
    return *known;
}
