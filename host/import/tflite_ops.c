/* The table of TensorFlow Lite's operators, what their functions share, and the operators that have
 * little of their own. */
#include <math.h>
#include <stdio.h>

#include "import/tflite_import.h"

typedef struct op_row {
    int32_t code;
    const char *name;
    waio_op op;
    waio_tfl_function *function;
} op_row;

static const op_row op_table[] = {
#define WAIO_TFL_OP(code, name, ENUM, function)                                                    \
    {code, #name, WAIO_OP_##ENUM, waio_tfl_op_##function},
#include "import/tflite_ops.def"
#undef WAIO_TFL_OP
};
enum { OP_COUNT = (int)(sizeof op_table / sizeof *op_table) };

static const op_row *find_op(int32_t code)
{
    for (int i = 0; i < OP_COUNT; i++)
        if (op_table[i].code == code)
            return &op_table[i];
    return NULL;
}

static waio_status unknown_op(int32_t code)
{
    char list[1024] = "";
    size_t used = 0;

    for (int i = 0; i < OP_COUNT && used < sizeof list; i++) {
        int n = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", op_table[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
    return waio_error(WAIO_EUNSUPPORTED, "builtin operator %d is not supported; supported are %s",
                      code, list);
}

/* ---- operands ---- */

waio_status waio_tfl_operand(waio_tfl_tensor **out, waio_tfl *tfl, const waio_tfl_operator *op,
                             uint32_t i)
{
    int32_t index = i < op->input.count ? waio_flat_i32_at(&tfl->file, &op->input, i) : -1;
    return waio_tfl_tensor_at(out, tfl, index);
}

waio_status waio_tfl_required(waio_tfl_tensor **out, waio_tfl *tfl, const waio_tfl_operator *op,
                              uint32_t i)
{
    waio_status st = waio_tfl_operand(out, tfl, op, i);

    if (st == WAIO_OK && !*out)
        return waio_error(WAIO_EINPUT, "input %u is missing", i);
    return st;
}

waio_status waio_tfl_result(waio_tfl_tensor **out, waio_tfl *tfl, const waio_tfl_operator *op)
{
    waio_status st = WAIO_OK;

    if (op->output.count != 1)
        WAIO_FAIL(st, WAIO_EINPUT, "%u outputs, expected one", op->output.count);
    WAIO_TRY(st, waio_tfl_tensor_at(out, tfl, waio_flat_i32_at(&tfl->file, &op->output, 0)));
    if (!*out)
        WAIO_FAIL(st, WAIO_EINPUT, "the output is no tensor");
    if ((*out)->id >= 0 || (*out)->data.at)
        WAIO_FAIL(st, WAIO_EINPUT, "tensor \"%s\" has its numbers already", (*out)->name);
done:
    return st;
}

waio_status waio_tfl_first(waio_tfl_tensor **x, waio_tfl *tfl, const waio_tfl_operator *op,
                           waio_node *node)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_tfl_required(x, tfl, op, 0));
    WAIO_TRY(st, waio_tfl_value(&node->input[0], tfl, *x));
    node->input_count = 1;
done:
    return st;
}

waio_status waio_tfl_all(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL;

    if (op->input.count < 1 || op->input.count > WAIO_MAX_INPUTS)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%u inputs, expected 1 to %d", op->input.count,
                  WAIO_MAX_INPUTS);
    for (uint32_t i = 0; i < op->input.count; i++) {
        WAIO_TRY(st, waio_tfl_required(&x, tfl, op, i));
        WAIO_TRY(st, waio_tfl_value(&node->input[i], tfl, x));
    }
    node->input_count = (int)op->input.count;
done:
    return st;
}

waio_status waio_tfl_activation(waio_node *node, const waio_tfl *tfl, const waio_tfl_operator *op,
                                int field)
{
    static const char *const name[] = {"NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"};
    uint8_t kind = ACT_NONE;
    waio_status st = waio_flat_u8(&kind, &tfl->file, &op->options, field, ACT_NONE);

    if (st != WAIO_OK)
        return st;
    switch (kind) {
    case ACT_NONE:
        node->clamp = WAIO_NO_CLAMP;
        return WAIO_OK;
    case ACT_RELU:
        node->clamp = (waio_clamp){0, INFINITY};
        return WAIO_OK;
    case ACT_RELU_N1_TO_1:
        node->clamp = (waio_clamp){-1, 1};
        return WAIO_OK;
    case ACT_RELU6:
        node->clamp = (waio_clamp){0, 6};
        return WAIO_OK;
    default:
        return waio_error(WAIO_EUNSUPPORTED, "the fused activation %s (%d) is not supported",
                          kind < sizeof name / sizeof *name ? name[kind] : "unknown", kind);
    }
}

/* ---- the walk's step ---- */

/* Appends the node whose output is `tensor`; the shape that it gives must be the file's. */
static waio_status add_node(waio_tfl *tfl, waio_node *node, waio_tfl_tensor *tensor)
{
    waio_status st = WAIO_OK;
    char want[64], got[64];

    node->name = tensor->name[0] ? tensor->name : waio_op_name(node->op);
    WAIO_TRY(st, waio_graph_add_node(tfl->graph, &tensor->id, node));
    const waio_shape *shape = &tfl->graph->value[tensor->id].shape;
    if (!waio_shape_equal(shape, &tensor->shape))
        WAIO_FAIL(st, WAIO_EINPUT, "node \"%s\" (%s) gives %s, the file says %s", node->name,
                  waio_op_name(node->op), waio_shape_text(shape, got),
                  waio_shape_text(&tensor->shape, want));
    WAIO_TRY(st, waio_tfl_set_type(tfl, tensor->id, tensor));
done:
    return st;
}

waio_status waio_tfl_import_operator(waio_tfl *tfl, const waio_tfl_operator *op)
{
    waio_status st = WAIO_OK;
    const op_row *row = find_op(op->code);
    waio_tfl_tensor *y = NULL;

    if (!row)
        return unknown_op(op->code);
    waio_node node = {.op = row->op, .clamp = WAIO_NO_CLAMP};
    WAIO_TRY(st, waio_tfl_result(&y, tfl, op));
    WAIO_TRY(st, row->function(tfl, op, &node));
    if (node.op != WAIO_OP_COUNT)
        WAIO_TRY(st, add_node(tfl, &node, y));
done:
    return st;
}

/* ---- operators ---- */

waio_status waio_tfl_op_plain(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    return waio_tfl_all(tfl, op, node);
}

/* float16 weights, or weights that are stored as codes and computed with as floats: the constant
 * itself is what comes out. */
waio_status waio_tfl_op_dequantize(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *y = NULL;

    WAIO_TRY(st, waio_tfl_required(&x, tfl, op, 0));
    WAIO_TRY(st, waio_tfl_result(&y, tfl, op));
    if (!x->data.at)
        return waio_tfl_all(tfl, op, node);
    if (!waio_shape_equal(&x->shape, &y->shape) || y->type != WAIO_TFL_F32)
        WAIO_FAIL(st, WAIO_EINPUT, "\"%s\" does not come out as it went in", x->name);
    y->type = x->type;
    y->scale = x->scale;
    y->zero_point = x->zero_point;
    y->axis = x->axis;
    y->data = x->data;
    y->as_float = true;
    node->op = WAIO_OP_COUNT;
done:
    return st;
}

static bool power_of_two(const waio_value *value)
{
    int exponent = 0;
    return frexpf(value->params.scale[0], &exponent) == 0.5f;
}

/* Files of the first 16-bit converters mark additions whose scales are powers of two; the runtime
 * then shifts instead of multiplying, which rounds otherwise. */
static waio_status check_power_of_two(const waio_tfl *tfl, const waio_tfl_operator *op,
                                      const waio_node *node, const waio_tfl_tensor *y)
{
    uint8_t marked = 1;
    waio_status st = waio_flat_u8(&marked, &tfl->file, &op->options, 1, 1);
    bool all = st == WAIO_OK && marked && y->type == WAIO_TFL_S16 && y->scale.count == 1;

    for (int i = 0; all && i < node->input_count; i++) {
        const waio_value *x = &tfl->graph->value[node->input[i]];
        all = x->type == WAIO_S16 && x->params.count == 1 && power_of_two(x);
    }
    float scale = all ? waio_flat_f32_at(&tfl->file, &y->scale, 0) : 0;
    int exponent = 0;
    if (all && frexpf(scale, &exponent) == 0.5f)
        return waio_error(WAIO_EUNSUPPORTED,
                          "16-bit addition by shifts (pot_scale_int16) is not supported");
    return st;
}

waio_status waio_tfl_op_binary(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *y = NULL;

    WAIO_TRY(st, waio_tfl_all(tfl, op, node));
    WAIO_TRY(st, waio_tfl_activation(node, tfl, op, 0));
    WAIO_TRY(st, waio_tfl_result(&y, tfl, op));
    if (op->code == BUILTIN_ADD || op->code == BUILTIN_SUB)
        WAIO_TRY(st, check_power_of_two(tfl, op, node, y));
done:
    return st;
}

/* Whether operand 1 is a constant of one number; a node of operand 0 alone then. */
static waio_status read_bound(bool *is_bound, float *bound, waio_tfl *tfl,
                              const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *y = NULL;

    WAIO_TRY(st, waio_tfl_required(&y, tfl, op, 1));
    *is_bound = y->data.at && waio_shape_count(&y->shape) == 1;
    if (!*is_bound)
        return WAIO_OK;
    WAIO_TRY(st, waio_tfl_number(bound, tfl, y));
    WAIO_TRY(st, waio_tfl_first(&x, tfl, op, node));
done:
    return st;
}

waio_status waio_tfl_op_maximum(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    bool is_bound = false;
    float bound = 0;

    WAIO_TRY(st, read_bound(&is_bound, &bound, tfl, op, node));
    if (!is_bound)
        return waio_tfl_all(tfl, op, node);
    node->op = WAIO_OP_CLIP;
    node->clamp = (waio_clamp){bound, INFINITY};
done:
    return st;
}

waio_status waio_tfl_op_minimum(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    bool is_bound = false;
    float bound = 0;

    WAIO_TRY(st, read_bound(&is_bound, &bound, tfl, op, node));
    if (!is_bound)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "supported is the minimum with a constant of one number");
    node->clamp = (waio_clamp){-INFINITY, bound};
done:
    return st;
}

waio_status waio_tfl_op_relu(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    node->clamp = (waio_clamp){0, INFINITY};
    return waio_tfl_all(tfl, op, node);
}

waio_status waio_tfl_op_relu_n1_to_1(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    node->clamp = (waio_clamp){-1, 1};
    return waio_tfl_all(tfl, op, node);
}

waio_status waio_tfl_op_relu6(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    node->clamp = (waio_clamp){0, 6};
    return waio_tfl_all(tfl, op, node);
}

waio_status waio_tfl_op_softmax(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    float beta = 0;

    WAIO_TRY(st, waio_tfl_all(tfl, op, node));
    WAIO_TRY(st, waio_flat_f32(&beta, &tfl->file, &op->options, 0, 0));
    if (beta != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "beta is %g, only 1 is supported", (double)beta);
    node->axis.axis = tfl->graph->value[node->input[0]].shape.rank - 1;
done:
    return st;
}
