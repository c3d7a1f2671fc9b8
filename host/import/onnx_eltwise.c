/* Relu, Clip, Sigmoid, and arithmetic with numpy's broadcasting. x / c becomes x * (1/c), which
 * differs by at most two units in the last place unless c is a power of two. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "import/onnx_import.h"

/* An op on every number: the layout stays, also of a flattened image. */
static waio_status unary(waio_onnx *onnx, const Onnx__NodeProto *node, waio_onnx_value *x,
                         waio_node *op)
{
    waio_status st = WAIO_OK;
    waio_onnx_value out = *x;

    op->input[0] = x->id;
    op->input_count = 1;
    out.has_other = false;
    WAIO_TRY(st, waio_onnx_emit(onnx, &out.id, op, NULL));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

waio_status waio_onnx_op_relu(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL;
    waio_node relu = {.op = WAIO_OP_CLIP, .clamp = {0, INFINITY}};

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    WAIO_TRY(st, unary(onnx, node, x, &relu));
done:
    return st;
}

waio_status waio_onnx_op_sigmoid(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL;
    waio_node sigmoid = {.op = WAIO_OP_LOGISTIC};

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    WAIO_TRY(st, unary(onnx, node, x, &sigmoid));
done:
    return st;
}

waio_status waio_onnx_op_clip(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL;
    waio_node clip = {.op = WAIO_OP_CLIP};
    float lo = -INFINITY, hi = INFINITY;

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    WAIO_TRY(st, waio_onnx_attr_float(&lo, node, "min", lo)); /* before opset 11 */
    WAIO_TRY(st, waio_onnx_attr_float(&hi, node, "max", hi));
    WAIO_TRY(st, waio_onnx_scalar(onnx, &lo, node, 1, lo));
    WAIO_TRY(st, waio_onnx_scalar(onnx, &hi, node, 2, hi));
    if (!(lo <= hi))
        WAIO_FAIL(st, WAIO_EINPUT, "min %g and max %g, expected min up to max", (double)lo,
                  (double)hi);
    if (lo == 0 && hi == 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "min and max are both 0");
    clip.clamp.lo = lo <= -FLT_MAX ? -INFINITY : lo; /* the largest float stands for no bound */
    clip.clamp.hi = hi >= FLT_MAX ? INFINITY : hi;
    if (waio_clamp_is_none(clip.clamp))
        WAIO_TRY(st, waio_onnx_result(onnx, node, x));
    else
        WAIO_TRY(st, unary(onnx, node, x, &clip));
done:
    return st;
}

/* ---- two operands ---- */

static waio_op op_of(const char *type)
{
    static const struct {
        const char *type;
        waio_op op;
    } table[] = {
        {"Add", WAIO_OP_ADD}, {"Sum", WAIO_OP_ADD},     {"Sub", WAIO_OP_SUB},
        {"Mul", WAIO_OP_MUL}, {"Max", WAIO_OP_MAXIMUM}, {"Div", WAIO_OP_MUL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].type, type) == 0)
            return table[i].op;
    return WAIO_OP_COUNT;
}

static waio_status add_operand(waio_onnx *onnx, int *id, const waio_onnx_value *constant,
                               const waio_shape *shape, const int *perm)
{
    waio_status st = WAIO_OK;
    waio_shape ours = {.rank = shape->rank};
    float *data = NULL;
    int leading = 0;

    for (int i = 0; i < shape->rank; i++)
        ours.dim[i] = shape->dim[perm[i]];
    while (leading < ours.rank - 1 && ours.dim[leading] == 1)
        leading++;
    ours.rank -= leading;
    memmove(ours.dim, ours.dim + leading, (size_t)ours.rank * sizeof *ours.dim);
    WAIO_TRY(st, waio_onnx_emit_const(onnx, id, constant->name ? constant->name : onnx->node_name,
                                      &ours, &data));
    waio_onnx_permute(data, constant->floats, shape, perm, sizeof *data);
done:
    return st;
}

/* The constant beside an activation: its dimensions move as the activation's did, and leading ones
 * go. A per-channel (C, 1, 1) becomes (C) when channels are last. */
static waio_status constant_operand(waio_onnx *onnx, int *id, const waio_onnx_value *constant,
                                    const waio_onnx_value *x)
{
    waio_status st = WAIO_OK;
    int rank = waio_onnx_rank(onnx, x), lacking = rank - constant->shape.rank;
    int inverse[WAIO_MAX_RANK] = {0};
    waio_shape shape = {.rank = rank};
    char text[64];

    waio_shape_text(&constant->shape, text);
    if (constant->kind != WAIO_ONNX_FLOATS)
        WAIO_FAIL(st, WAIO_EINPUT, "a constant of integers beside an activation of floats");
    if (lacking < 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "the constant is %s, which has more dimensions than the "
                  "other input's %d",
                  text, rank);
    for (int i = 0; i < rank; i++)
        shape.dim[i] = i < lacking ? 1 : constant->shape.dim[i - lacking];
    if (shape.dim[0] != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "the constant is %s: it differs from image to image of "
                  "the batch",
                  text);
    for (int i = 0; i < rank; i++)
        inverse[x->perm[i]] = i;
    WAIO_TRY(st, add_operand(onnx, id, constant, &shape, inverse));
done:
    return st;
}

static waio_status divisor_to_factor(waio_onnx *onnx, waio_onnx_value *factor,
                                     const waio_onnx_value *divisor)
{
    waio_status st = WAIO_OK;
    int64_t count = waio_onnx_count(&divisor->shape);
    float *data = NULL;

    *factor = *divisor;
    if (divisor->kind != WAIO_ONNX_FLOATS)
        return WAIO_OK; /* constant_operand says so */
    WAIO_TRY(st, waio_onnx_spend(onnx, count));
    WAIO_NEW(st, data, onnx->arena, (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        if (divisor->floats[i] == 0)
            WAIO_FAIL(st, WAIO_EINPUT, "division by zero");
        data[i] = (float)(1.0 / divisor->floats[i]);
    }
    factor->floats = data;
done:
    return st;
}

static waio_status with_constant(waio_onnx *onnx, waio_onnx_value *out, waio_node *node,
                                 const char *type, waio_onnx_value *operand[2])
{
    waio_status st = WAIO_OK;
    int c = operand[0]->kind == WAIO_ONNX_ACTIVATION ? 1 : 0;
    waio_onnx_value *x = operand[1 - c], factor;
    const waio_onnx_value *constant = operand[c];
    bool one_number = waio_onnx_count(&constant->shape) == 1;

    if (strcmp(type, "Div") == 0) {
        if (c == 0)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "only division by a constant is supported");
        WAIO_TRY(st, divisor_to_factor(onnx, &factor, constant));
        constant = &factor;
    }
    node->input[1 - c] = x->id;
    if (!one_number) /* where a number stands matters, so a flattened image must settle */
        WAIO_TRY(st, waio_onnx_in_layout(onnx, &node->input[1 - c], x, x->perm));
    WAIO_TRY(st, constant_operand(onnx, &node->input[c], constant, x));
    *out = *x;
    out->has_other = false;
    WAIO_TRY(st, waio_onnx_emit(onnx, &out->id, node, NULL));
done:
    return st;
}

/* Both operands in the layout of one of them: the one that costs fewer transposes, and if that is
 * the same, channels last. */
static waio_status with_activation(waio_onnx *onnx, waio_onnx_value *out, waio_node *node,
                                   const char *type, waio_onnx_value *operand[2])
{
    waio_status st = WAIO_OK;
    waio_onnx_value *a = operand[0], *b = operand[1];
    int rank = waio_onnx_rank(onnx, a), last[WAIO_MAX_RANK];

    if (strcmp(type, "Div") == 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "only division by a constant is supported");
    if (rank != waio_onnx_rank(onnx, b))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "inputs of %d and %d dimensions, both computed: only "
                  "equally many are supported",
                  rank, waio_onnx_rank(onnx, b));
    waio_onnx_channels_last(rank, last);
    const waio_onnx_value *lead = a;
    if (waio_onnx_would_move(onnx, b, a->perm) &&
        (!waio_onnx_would_move(onnx, a, b->perm) || waio_onnx_same_perm(b->perm, last, rank)))
        lead = b;
    *out = (waio_onnx_value){.kind = WAIO_ONNX_ACTIVATION};
    memcpy(out->perm, lead->perm, sizeof out->perm);
    WAIO_TRY(st, waio_onnx_in_layout(onnx, &node->input[0], a, out->perm));
    WAIO_TRY(st, waio_onnx_in_layout(onnx, &node->input[1], b, out->perm));
    WAIO_TRY(st, waio_onnx_emit(onnx, &out->id, node, NULL));
done:
    return st;
}

static waio_status combine(waio_onnx *onnx, waio_onnx_value *out, const char *type,
                           waio_onnx_value *a, waio_onnx_value *b)
{
    waio_onnx_value *operand[2] = {a, b};
    int activations = (a->kind == WAIO_ONNX_ACTIVATION) + (b->kind == WAIO_ONNX_ACTIVATION);
    waio_node node = {.op = op_of(type), .input_count = 2};

    if (activations == 0)
        return waio_onnx_fold(onnx, out, type, a, b);
    if (activations == 1)
        return with_constant(onnx, out, &node, type, operand);
    return with_activation(onnx, out, &node, type, operand);
}

/* Any kind; an activation has its batch in front. */
static waio_status any_operand(waio_onnx *onnx, const Onnx__NodeProto *node, size_t i,
                               waio_onnx_value **out)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, i, out));
    if ((*out)->kind == WAIO_ONNX_ACTIVATION)
        WAIO_TRY(st, waio_onnx_activation(onnx, node, i, out));
done:
    return st;
}

waio_status waio_onnx_op_binary(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *a = NULL, *b = NULL, out;

    WAIO_TRY(st, any_operand(onnx, node, 0, &a));
    WAIO_TRY(st, any_operand(onnx, node, 1, &b));
    WAIO_TRY(st, combine(onnx, &out, node->op_type, a, b));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

/* Max and Sum of any number of operands. */
waio_status waio_onnx_op_chain(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *next = NULL, sum, out;

    WAIO_TRY(st, any_operand(onnx, node, 0, &next));
    sum = *next;
    for (size_t i = 1; i < node->n_input; i++) {
        WAIO_TRY(st, any_operand(onnx, node, i, &next));
        WAIO_TRY(st, combine(onnx, &out, node->op_type, &sum, next));
        sum = out;
    }
    WAIO_TRY(st, waio_onnx_result(onnx, node, &sum));
done:
    return st;
}
