/* TensorFlow Lite's operators, a row each. */
#include <math.h>
#include <string.h>

#include "import/tflite_import.h"

enum { PADDING_SAME = 0 };
enum { ACT_NONE = 0, ACT_RELU = 1, ACT_RELU_N1_TO_1 = 2, ACT_RELU6 = 3 };

typedef struct operator_row {
    int32_t code;
    const char *name;
    waio_op op;
    waio_status (*import)(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node);
} operator_row;

/* ---- options ---- */

static waio_status read_activation(waio_node *node, const waio_tfl *tfl,
                                   const waio_tfl_operator *op, int field)
{
    uint8_t kind = 0;
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
        return waio_error(WAIO_EUNSUPPORTED, "the fused activation %d is not supported", kind);
    }
}

/* Two whole numbers from the fields of width and height, in the order height, width. */
static waio_status read_pair(int pair[2], const waio_tfl *tfl, const waio_tfl_operator *op,
                             int width_field, int height_field, int fallback)
{
    waio_status st = WAIO_OK;
    int32_t width = 0, height = 0;

    WAIO_TRY(st, waio_flat_i32(&width, &tfl->file, &op->options, width_field, fallback));
    WAIO_TRY(st, waio_flat_i32(&height, &tfl->file, &op->options, height_field, fallback));
    if (width < 1 || height < 1 || width > 65536 || height > 65536)
        WAIO_FAIL(st, WAIO_EINPUT, "a size of %d x %d", height, width);
    pair[0] = height;
    pair[1] = width;
done:
    return st;
}

/* TensorFlow's SAME: as many outputs as strides fit, the odd cell of padding behind. */
static waio_status resolve_padding(int pad[4], const waio_tfl *tfl, const waio_tfl_operator *op,
                                   const waio_shape *in, const int kernel[2], const int stride[2],
                                   const int dilation[2])
{
    uint8_t padding = 0;
    waio_status st = waio_flat_u8(&padding, &tfl->file, &op->options, 0, PADDING_SAME);

    for (int i = 0; i < 2 && st == WAIO_OK && padding == PADDING_SAME; i++) {
        int64_t size = in->dim[1 + i], out = (size + stride[i] - 1) / stride[i];
        int64_t window = (int64_t)(kernel[i] - 1) * dilation[i] + 1;
        int64_t total = (out - 1) * stride[i] + window - size;
        total = total > 0 ? total : 0;
        pad[i] = (int)(total / 2);
        pad[i + 2] = (int)(total - total / 2);
    }
    return st;
}

static waio_status need_image(const waio_tfl_tensor *tensor)
{
    char text[64];
    if (tensor && tensor->shape.rank == 4)
        return WAIO_OK;
    return waio_error(WAIO_EINPUT, "the input is %s, expected an image",
                      tensor ? waio_shape_text(&tensor->shape, text) : "left out");
}

/* ---- operators with weights ---- */

/* Input 0, and the bias behind the weight if there is one. */
static waio_status weighted_inputs(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *bias = NULL;

    WAIO_TRY(st, waio_tfl_operand(&x, tfl, op, 0));
    WAIO_TRY(st, waio_tfl_operand(&bias, tfl, op, 2));
    if (!x)
        WAIO_FAIL(st, WAIO_EINPUT, "no input");
    WAIO_TRY(st, waio_tfl_value(&node->input[0], tfl, x));
    node->input_count = 2;
    if (bias) {
        WAIO_TRY(st, waio_tfl_constant(&node->input[2], tfl, bias, &bias->shape, NULL, 0));
        node->input_count = 3;
    }
done:
    return st;
}

static waio_status import_conv(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *w = NULL;
    waio_conv_params *p = &node->conv;

    WAIO_TRY(st, waio_tfl_operand(&x, tfl, op, 0));
    WAIO_TRY(st, waio_tfl_operand(&w, tfl, op, 1));
    WAIO_TRY(st, need_image(x));
    WAIO_TRY(st, need_image(w));
    WAIO_TRY(st, weighted_inputs(tfl, op, node));
    WAIO_TRY(st, waio_tfl_constant(&node->input[1], tfl, w, &w->shape, NULL, 0));
    WAIO_TRY(st, read_pair(p->stride, tfl, op, 1, 2, 1));
    WAIO_TRY(st, read_pair(p->dilation, tfl, op, 4, 5, 1));
    WAIO_TRY(st, read_activation(node, tfl, op, 3));
    int kernel[2] = {(int)w->shape.dim[1], (int)w->shape.dim[2]};
    WAIO_TRY(st, resolve_padding(p->pad, tfl, op, &x->shape, kernel, p->stride, p->dilation));
    p->groups = (int)(x->shape.dim[3] / w->shape.dim[3]);
done:
    return st;
}

/* The filter (1, H, W, C) becomes (C, H, W, 1), one group a channel of the input. */
static waio_status import_depthwise(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *w = NULL;
    waio_conv_params *p = &node->conv;
    int64_t *from = NULL;

    WAIO_TRY(st, waio_tfl_operand(&x, tfl, op, 0));
    WAIO_TRY(st, waio_tfl_operand(&w, tfl, op, 1));
    WAIO_TRY(st, need_image(x));
    WAIO_TRY(st, need_image(w));
    if (w->shape.dim[0] != 1 || w->shape.dim[3] % x->shape.dim[3])
        WAIO_FAIL(st, WAIO_EINPUT, "the filter does not fit %lld channels",
                  (long long)x->shape.dim[3]);
    int64_t cells = w->shape.dim[1] * w->shape.dim[2], channels = w->shape.dim[3];
    waio_shape shape = WAIO_SHAPE(channels, w->shape.dim[1], w->shape.dim[2], 1);
    WAIO_NEW(st, from, tfl->arena, (size_t)(cells * channels));
    for (int64_t c = 0; c < channels; c++)
        for (int64_t k = 0; k < cells; k++)
            from[c * cells + k] = k * channels + c;
    WAIO_TRY(st, weighted_inputs(tfl, op, node));
    WAIO_TRY(st, waio_tfl_constant(&node->input[1], tfl, w, &shape, from, 0));
    WAIO_TRY(st, read_pair(p->stride, tfl, op, 1, 2, 1));
    WAIO_TRY(st, read_pair(p->dilation, tfl, op, 5, 6, 1));
    WAIO_TRY(st, read_activation(node, tfl, op, 4));
    int kernel[2] = {(int)w->shape.dim[1], (int)w->shape.dim[2]};
    WAIO_TRY(st, resolve_padding(p->pad, tfl, op, &x->shape, kernel, p->stride, p->dilation));
    p->groups = (int)x->shape.dim[3];
done:
    return st;
}

/* The value of `id` seen as (1, inputs); of the same type. */
static waio_status flatten(int *id, waio_tfl *tfl, int64_t inputs)
{
    waio_status st = WAIO_OK;
    waio_node node = {.op = WAIO_OP_RESHAPE, .name = "flatten", .input = {*id}, .input_count = 1};
    waio_value value = tfl->graph->value[*id];

    node.clamp = WAIO_NO_CLAMP;
    node.reshape.shape = WAIO_SHAPE(1, inputs);
    WAIO_TRY(st, waio_graph_add_node(tfl->graph, id, &node));
    if (value.type != WAIO_F32)
        WAIO_TRY(st, waio_graph_set_type(tfl->graph, *id, value.type, &value.params));
done:
    return st;
}

static waio_status import_dense(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *w = NULL;
    uint8_t format = 0;

    WAIO_TRY(st, waio_tfl_operand(&w, tfl, op, 1));
    WAIO_TRY(st, waio_flat_u8(&format, &tfl->file, &op->options, 1, 0));
    if (!w || w->shape.rank != 2 || format != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the weight is no plain matrix");
    WAIO_TRY(st, weighted_inputs(tfl, op, node));
    WAIO_TRY(st, waio_tfl_constant(&node->input[1], tfl, w, &w->shape, NULL, 0));
    WAIO_TRY(st, read_activation(node, tfl, op, 0));
    if (tfl->graph->value[node->input[0]].shape.rank != 2)
        WAIO_TRY(st, flatten(&node->input[0], tfl, w->shape.dim[1]));
done:
    return st;
}

/* ---- the others ---- */

static waio_status all_inputs(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;

    if (op->input.count < 1 || op->input.count > WAIO_MAX_INPUTS)
        WAIO_FAIL(st, WAIO_EINPUT, "%u inputs", op->input.count);
    for (uint32_t i = 0; i < op->input.count; i++) {
        waio_tfl_tensor *x = NULL;
        WAIO_TRY(st, waio_tfl_operand(&x, tfl, op, i));
        if (!x)
            WAIO_FAIL(st, WAIO_EINPUT, "input %u is left out", i);
        WAIO_TRY(st, waio_tfl_value(&node->input[i], tfl, x));
    }
    node->input_count = (int)op->input.count;
done:
    return st;
}

/* Input 0 alone; what stands behind it are parameters. */
static waio_status first_input(waio_tfl_tensor **x, waio_tfl *tfl, const waio_tfl_operator *op,
                               waio_node *node)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_tfl_operand(x, tfl, op, 0));
    if (!*x)
        WAIO_FAIL(st, WAIO_EINPUT, "no input");
    WAIO_TRY(st, waio_tfl_value(&node->input[0], tfl, *x));
    node->input_count = 1;
done:
    return st;
}

static waio_status import_binary(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = all_inputs(tfl, op, node);
    return st == WAIO_OK ? read_activation(node, tfl, op, 0) : st;
}

static waio_status import_plain(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    return all_inputs(tfl, op, node);
}

static waio_status import_relu(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    node->clamp = (waio_clamp){strcmp(op->name, "RELU_N1_TO_1") == 0 ? -1.0f : 0.0f, INFINITY};
    if (strcmp(op->name, "RELU6") == 0)
        node->clamp.hi = 6;
    if (node->clamp.lo < 0)
        node->clamp.hi = 1;
    return all_inputs(tfl, op, node);
}

static waio_status import_concat(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    int32_t axis = 0;

    WAIO_TRY(st, all_inputs(tfl, op, node));
    WAIO_TRY(st, waio_flat_i32(&axis, &tfl->file, &op->options, 0, 0));
    WAIO_TRY(st, read_activation(node, tfl, op, 1));
    int rank = tfl->graph->value[node->input[0]].shape.rank;
    node->axis.axis = axis < 0 ? axis + rank : axis;
done:
    return st;
}

static waio_status import_pool(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    static const int no_dilation[2] = {1, 1};
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL;
    waio_pool_params *p = &node->pool;

    WAIO_TRY(st, first_input(&x, tfl, op, node));
    WAIO_TRY(st, need_image(x));
    WAIO_TRY(st, read_pair(p->stride, tfl, op, 1, 2, 1));
    WAIO_TRY(st, read_pair(p->kernel, tfl, op, 3, 4, 1));
    WAIO_TRY(st, read_activation(node, tfl, op, 5));
    WAIO_TRY(st, resolve_padding(p->pad, tfl, op, &x->shape, p->kernel, p->stride, no_dilation));
done:
    return st;
}

static waio_status import_reduce(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *axes = NULL;
    int64_t axis[WAIO_MAX_RANK];
    int count = 0;
    uint8_t keep = 0;

    WAIO_TRY(st, first_input(&x, tfl, op, node));
    WAIO_TRY(st, waio_tfl_operand(&axes, tfl, op, 1));
    if (!axes)
        WAIO_FAIL(st, WAIO_EINPUT, "no axes");
    WAIO_TRY(st, waio_tfl_ints(axis, &count, WAIO_MAX_RANK, tfl, axes));
    for (int i = 0; i < count; i++) {
        int64_t a = axis[i] < 0 ? axis[i] + x->shape.rank : axis[i];
        if (a < 0 || a >= x->shape.rank)
            WAIO_FAIL(st, WAIO_EINPUT, "axis %lld of %d dimensions", (long long)axis[i],
                      x->shape.rank);
        node->reduce.axes |= 1u << a;
    }
    WAIO_TRY(st, waio_flat_u8(&keep, &tfl->file, &op->options, 0, 0));
    node->reduce.keep_dims = keep != 0;
done:
    return st;
}

static waio_status import_pad(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *pads = NULL;
    int64_t pad[2 * WAIO_MAX_RANK];
    int count = 0;

    WAIO_TRY(st, first_input(&x, tfl, op, node));
    WAIO_TRY(st, waio_tfl_operand(&pads, tfl, op, 1));
    if (!pads || op->input.count > 2)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "only padding with zeros is supported");
    WAIO_TRY(st, waio_tfl_ints(pad, &count, 2 * WAIO_MAX_RANK, tfl, pads));
    if (count != 2 * x->shape.rank)
        WAIO_FAIL(st, WAIO_EINPUT, "%d paddings for %d dimensions", count, x->shape.rank);
    for (int i = 0; i < x->shape.rank; i++) {
        node->pad.before[i] = (int)pad[2 * i];
        node->pad.after[i] = (int)pad[2 * i + 1];
    }
done:
    return st;
}

/* RESHAPE, SQUEEZE, EXPAND_DIMS: the file knows the shape that comes out. */
static waio_status import_reshape(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *y = NULL;

    WAIO_TRY(st, first_input(&x, tfl, op, node));
    WAIO_TRY(st, waio_tfl_result(&y, tfl, op));
    node->reshape.shape = y->shape;
done:
    return st;
}

static waio_status import_transpose(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *perm = NULL;
    int64_t order[WAIO_MAX_RANK];
    int count = 0;

    WAIO_TRY(st, first_input(&x, tfl, op, node));
    WAIO_TRY(st, waio_tfl_operand(&perm, tfl, op, 1));
    if (!perm)
        WAIO_FAIL(st, WAIO_EINPUT, "no permutation");
    WAIO_TRY(st, waio_tfl_ints(order, &count, WAIO_MAX_RANK, tfl, perm));
    for (int i = 0; i < count; i++)
        node->transpose.perm[i] = (int)order[i];
done:
    return st;
}

static waio_status import_softmax(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    float beta = 0;

    WAIO_TRY(st, all_inputs(tfl, op, node));
    WAIO_TRY(st, waio_flat_f32(&beta, &tfl->file, &op->options, 0, 0));
    if (beta != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "beta is %g, only 1 is supported", (double)beta);
    node->axis.axis = tfl->graph->value[node->input[0]].shape.rank - 1;
done:
    return st;
}

static waio_status import_resize(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *y = NULL;
    uint8_t corners = 0, half = 0;
    bool bilinear = strcmp(op->name, "RESIZE_BILINEAR") == 0;
    int first = bilinear ? 2 : 0; /* two retired fields stand in front */

    WAIO_TRY(st, first_input(&x, tfl, op, node));
    WAIO_TRY(st, waio_tfl_result(&y, tfl, op));
    WAIO_TRY(st, need_image(y));
    WAIO_TRY(st, waio_flat_u8(&corners, &tfl->file, &op->options, first, 0));
    WAIO_TRY(st, waio_flat_u8(&half, &tfl->file, &op->options, first + 1, 0));
    node->resize = (waio_resize_params){
        {(int)y->shape.dim[1], (int)y->shape.dim[2]}, bilinear, half != 0, corners != 0};
done:
    return st;
}

static const operator_row rows[] = {
    {0, "ADD", WAIO_OP_ADD, import_binary},
    {1, "AVERAGE_POOL_2D", WAIO_OP_AVG_POOL, import_pool},
    {2, "CONCATENATION", WAIO_OP_CONCAT, import_concat},
    {3, "CONV_2D", WAIO_OP_CONV2D, import_conv},
    {4, "DEPTHWISE_CONV_2D", WAIO_OP_CONV2D, import_depthwise},
    {6, "DEQUANTIZE", WAIO_OP_DEQUANTIZE, import_plain},
    {9, "FULLY_CONNECTED", WAIO_OP_DENSE, import_dense},
    {14, "LOGISTIC", WAIO_OP_LOGISTIC, import_plain},
    {17, "MAX_POOL_2D", WAIO_OP_MAX_POOL, import_pool},
    {18, "MUL", WAIO_OP_MUL, import_binary},
    {19, "RELU", WAIO_OP_CLIP, import_relu},
    {20, "RELU_N1_TO_1", WAIO_OP_CLIP, import_relu},
    {21, "RELU6", WAIO_OP_CLIP, import_relu},
    {22, "RESHAPE", WAIO_OP_RESHAPE, import_reshape},
    {23, "RESIZE_BILINEAR", WAIO_OP_RESIZE, import_resize},
    {25, "SOFTMAX", WAIO_OP_SOFTMAX, import_softmax},
    {34, "PAD", WAIO_OP_PAD, import_pad},
    {39, "TRANSPOSE", WAIO_OP_TRANSPOSE, import_transpose},
    {40, "MEAN", WAIO_OP_MEAN, import_reduce},
    {41, "SUB", WAIO_OP_SUB, import_binary},
    {43, "SQUEEZE", WAIO_OP_RESHAPE, import_reshape},
    {55, "MAXIMUM", WAIO_OP_MAXIMUM, import_plain},
    {70, "EXPAND_DIMS", WAIO_OP_RESHAPE, import_reshape},
    {74, "SUM", WAIO_OP_SUM, import_reduce},
    {97, "RESIZE_NEAREST_NEIGHBOR", WAIO_OP_RESIZE, import_resize},
    {114, "QUANTIZE", WAIO_OP_QUANTIZE, import_plain},
};
enum { ROWS = sizeof rows / sizeof *rows };

static const operator_row *row_of(int32_t code)
{
    for (int i = 0; i < ROWS; i++)
        if (rows[i].code == code)
            return &rows[i];
    return NULL;
}

const char *waio_tfl_operator_name(int32_t code)
{
    const operator_row *row = row_of(code);
    return row ? row->name : NULL;
}

static waio_status unknown(int32_t code)
{
    char list[1024] = "";

    for (int i = 0; i < ROWS; i++) {
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, rows[i].name, sizeof list - strlen(list) - 1);
    }
    return waio_error(WAIO_EUNSUPPORTED, "builtin operator %d is not supported; there are: %s",
                      code, list);
}

waio_status waio_tfl_import_operator(waio_tfl *tfl, const waio_tfl_operator *op)
{
    waio_status st = WAIO_OK;
    const operator_row *row = row_of(op->code);
    waio_tfl_tensor *x = NULL, *y = NULL;

    if (!row)
        return unknown(op->code);
    waio_node node = {.op = row->op, .clamp = WAIO_NO_CLAMP};
    WAIO_TRY(st, waio_tfl_result(&y, tfl, op));
    WAIO_TRY(st, waio_tfl_operand(&x, tfl, op, 0));
    if (row->op == WAIO_OP_DEQUANTIZE && x && x->data.at && x->type == WAIO_TFL_F16) {
        /* float16 weights: the constant itself is what comes out. */
        y->data = x->data;
        y->type = WAIO_TFL_F16;
        return WAIO_OK;
    }
    WAIO_TRY(st, row->import(tfl, op, &node));
    WAIO_TRY(st, waio_tfl_node(tfl, &node, y));
done:
    return st;
}
