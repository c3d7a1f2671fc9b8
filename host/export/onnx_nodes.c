/* Nodes of the graph as nodes of the model. This file: those that compute; onnx_moves.c has those
 * that move numbers. */
#include <math.h>
#include <stddef.h>

#include "export/onnx_out.h"

enum { RESULT_RANK = 4 };

/* Of a step: above the rounding of float sums, far below what lies between other results. */
#define TIE_SHARE (1.0f / 4096)

static const waio_shape *input_shape(const waio_onnxo *out, const waio_node *node)
{
    return &out->graph->value[node->input[0]].shape;
}

/* ---- nodes with weights ---- */

static void put_pair(waio_onnxo *out, const char *name, const int pair[2])
{
    waio_onnxo_ints(out, name, (int64_t[]){pair[0], pair[1]}, 2);
}

/* top, left, bottom, right, as ONNX has them. */
static void put_pads(waio_onnxo *out, const int pad[4])
{
    if (pad[0] || pad[1] || pad[2] || pad[3])
        waio_onnxo_ints(out, "pads", (int64_t[]){pad[0], pad[1], pad[2], pad[3]}, 4);
}

static void write_conv(waio_onnxo *out, const waio_node *node)
{
    const waio_conv_params *p = &node->conv;
    const waio_shape *w = &out->graph->value[node->input[1]].shape;
    const waio_onnxo_turn turn = {*w, {0, 3, 1, 2}, 0};
    const char *input[3] = {waio_onnxo_real(out, node->input[0], WAIO_ONNXO_FIRST),
                            waio_onnxo_weight(out, node->input[1], &turn)};

    if (node->input_count == 3)
        input[2] = waio_onnxo_bias(out, node->input[2]);
    const char *y = waio_onnxo_node(out, "Conv", node->name, node->input_count, input);
    put_pair(out, "kernel_shape", (int[]){(int)w->dim[1], (int)w->dim[2]});
    put_pair(out, "strides", p->stride);
    put_pair(out, "dilations", p->dilation);
    put_pads(out, p->pad);
    waio_onnxo_int(out, "group", p->groups);
    waio_onnxo_finish(out, node, WAIO_ONNXO_FIRST, y);
}

static const char *as_shape(waio_onnxo *out, const waio_node *node, const char *x,
                            const int64_t *dims, int rank)
{
    const char *shape = waio_onnxo_numbers(out, node->name, "shape", dims, rank);
    return WAIO_ONNXO_NODE(out, "Reshape", node->name, x, shape);
}

/* Over the rows of a matrix. */
static const char *as_gemm(waio_onnxo *out, const waio_node *node, const char *x)
{
    const waio_value *w = &out->graph->value[node->input[1]];
    const waio_shape *y = &out->graph->value[node->output].shape;
    const waio_onnxo_turn as_it_is = {w->shape, {0, 1}, 0};
    const char *input[3] = {x, waio_onnxo_weight(out, node->input[1], &as_it_is)};
    int64_t dims[WAIO_MAX_RANK] = {-1, w->shape.dim[1]};

    if (y->rank != 2)
        input[0] = as_shape(out, node, x, dims, 2);
    if (node->input_count == 3)
        input[2] = waio_onnxo_bias(out, node->input[2]);
    const char *result = waio_onnxo_node(out, "Gemm", node->name, node->input_count, input);
    waio_onnxo_int(out, "transB", 1);
    for (int i = 1; i < y->rank; i++)
        dims[i] = y->dim[i];
    return y->rank == 2 ? result : as_shape(out, node, result, dims, y->rank);
}

/* Over the last dimension, for other than matrices. */
static const char *as_matmul(waio_onnxo *out, const waio_node *node, const char *x)
{
    const waio_onnxo_turn turned = {out->graph->value[node->input[1]].shape, {1, 0}, 1};
    const char *weight = waio_onnxo_weight(out, node->input[1], &turned);
    const char *result = WAIO_ONNXO_NODE(out, "MatMul", node->name, x, weight);

    if (node->input_count < 3)
        return result;
    const char *bias = waio_onnxo_bias(out, node->input[2]);
    return WAIO_ONNXO_NODE(out, "Add", node->name, result, bias);
}

/* Never a MatMul by codes: onnxruntime may make of it one that quantizes its other factor. */
static void write_dense(waio_onnxo *out, const waio_node *node)
{
    const waio_value *w = &out->graph->value[node->input[1]];
    const char *x = waio_onnxo_real(out, node->input[0], WAIO_ONNXO_PLAIN);
    bool matrix = input_shape(out, node)->rank == 2;
    bool codes = w->type != WAIO_F32 || w->stored != WAIO_F32;

    waio_onnxo_finish(out, node, WAIO_ONNXO_PLAIN,
                      matrix || codes ? as_gemm(out, node, x) : as_matmul(out, node, x));
}

/* ---- batch norm ---- */

/* Channels behind: y = x * k + b with k = gamma / sqrt(variance + epsilon), b = beta - mean * k. */
static const char *scale_and_shift(waio_onnxo *out, const waio_node *node, const char *x)
{
    const waio_value *value = out->graph->value;
    const waio_shape *shape = &value[node->input[1]].shape;
    size_t channels = (size_t)shape->dim[0], bytes = channels * sizeof(float);
    float *k = waio_onnxo_room(out, channels, sizeof *k);
    float *b = waio_onnxo_room(out, channels, sizeof *b);
    const float *of[5];

    for (int i = 1; i < 5; i++)
        of[i] = value[node->input[i]].data;
    for (size_t c = 0; b && c < channels; c++) {
        double factor = (double)of[1][c] / sqrt((double)of[4][c] + (double)node->epsilon);
        k[c] = (float)factor;
        b[c] = (float)((double)of[2][c] - (double)of[3][c] * factor);
    }
    const char *factors =
        waio_onnxo_constant(out, node->name, "factor", WAIO_ONNXO_F32, shape, k, bytes);
    const char *terms =
        waio_onnxo_constant(out, node->name, "term", WAIO_ONNXO_F32, shape, b, bytes);
    const char *scaled = WAIO_ONNXO_NODE(out, "Mul", node->name, x, factors);
    return WAIO_ONNXO_NODE(out, "Add", node->name, scaled, terms);
}

/* ONNX has the channels in dimension 1. */
static void write_batch_norm(waio_onnxo *out, const waio_node *node)
{
    waio_onnxo_order order = waio_onnxo_order_of(out, node->output);
    int rank = input_shape(out, node)->rank;
    const char *input[5] = {waio_onnxo_real(out, node->input[0], order)}, *y = NULL;

    if (rank == 2 || rank == 4) {
        for (int i = 1; i < 5; i++)
            input[i] = waio_onnxo_bias(out, node->input[i]);
        y = waio_onnxo_node(out, "BatchNormalization", node->name, 5, input);
        waio_onnxo_float(out, "epsilon", node->epsilon);
    } else {
        y = scale_and_shift(out, node, input[0]);
    }
    waio_onnxo_finish(out, node, order, y);
}

/* ---- ties ---- */

/* QuantizeLinear rounds ties to even, the integer kernels away from a number. Where ties are common
 * (averages of few codes, constants half a step beside the codes) results of 8 bits are moved by
 * `share` of a step away from it, so that they fall as they do there. */
static const char *move_ties(waio_onnxo *out, const waio_node *node, const char *y, float from,
                             float share)
{
    const waio_value *value = &out->graph->value[node->output];

    if (value->type != WAIO_S8)
        return y;
    const char *center = waio_onnxo_scalar(out, node->name, "center", from);
    const char *part = waio_onnxo_scalar(out, node->name, "part", share * value->params.scale[0]);
    const char *distance = WAIO_ONNXO_NODE(out, "Sub", node->name, y, center);
    const char *side = WAIO_ONNXO_NODE(out, "Sign", node->name, distance);
    const char *move = WAIO_ONNXO_NODE(out, "Mul", node->name, side, part);
    return WAIO_ONNXO_NODE(out, "Add", node->name, y, move);
}

/* ---- elementwise ---- */

static void write_binary(waio_onnxo *out, const waio_node *node)
{
    static const char *const name[WAIO_OP_COUNT] = {[WAIO_OP_ADD] = "Add",
                                                    [WAIO_OP_SUB] = "Sub",
                                                    [WAIO_OP_MUL] = "Mul",
                                                    [WAIO_OP_MAXIMUM] = "Max"};
    waio_onnxo_order order = waio_onnxo_order_of(out, node->output);
    const char *a = waio_onnxo_input(out, node, 0, order);
    const char *b = waio_onnxo_input(out, node, 1, order);
    const char *y = WAIO_ONNXO_NODE(out, name[node->op], node->name, a, b);
    bool constant = waio_value_is_const(out->graph, node->input[0]) ||
                    waio_value_is_const(out->graph, node->input[1]);

    if (constant && node->op != WAIO_OP_MAXIMUM)
        y = move_ties(out, node, y, 0, TIE_SHARE);
    waio_onnxo_finish(out, node, order, y);
}

/* The same numbers, but for clamp and codes. */
static void write_same(waio_onnxo *out, const waio_node *node)
{
    waio_onnxo_order order = waio_onnxo_order_of(out, node->output);

    waio_onnxo_finish(out, node, order, waio_onnxo_input(out, node, 0, order));
}

static void write_logistic(waio_onnxo *out, const waio_node *node)
{
    waio_onnxo_order order = waio_onnxo_order_of(out, node->output);
    const char *x = waio_onnxo_real(out, node->input[0], order);

    waio_onnxo_finish(out, node, order, WAIO_ONNXO_NODE(out, "Sigmoid", node->name, x));
}

static void write_softmax(waio_onnxo *out, const waio_node *node)
{
    waio_onnxo_order order = waio_onnxo_order_of(out, node->output);
    const char *x = waio_onnxo_real(out, node->input[0], order);
    const char *y = WAIO_ONNXO_NODE(out, "Softmax", node->name, x);

    waio_onnxo_int(out, "axis", waio_onnxo_axis(out, node->output, order, node->axis.axis));
    waio_onnxo_finish(out, node, order, y);
}

/* ---- windows and sums ---- */

static float number_of_code_0(const waio_onnxo *out, int id)
{
    const waio_value *value = &out->graph->value[id];
    return value->type == WAIO_S8 ? -(float)value->params.zero_point[0] * value->params.scale[0]
                                  : 0;
}

static void write_pool(waio_onnxo *out, const waio_node *node)
{
    const waio_pool_params *p = &node->pool;
    bool average = node->op == WAIO_OP_AVG_POOL;
    const char *x = waio_onnxo_real(out, node->input[0], WAIO_ONNXO_FIRST);
    const char *y = WAIO_ONNXO_NODE(out, average ? "AveragePool" : "MaxPool", node->name, x);
    put_pair(out, "kernel_shape", p->kernel);
    put_pair(out, "strides", p->stride);
    put_pads(out, p->pad);
    if (average && p->count_include_pad)
        waio_onnxo_int(out, "count_include_pad", 1);
    if (average) /* whose kernel rounds away from code 0 */
        y = move_ties(out, node, y, number_of_code_0(out, node->output),
                      0.25f / (float)(p->kernel[0] * p->kernel[1]));
    waio_onnxo_finish(out, node, WAIO_ONNXO_FIRST, y);
}

/* An image whose dimensions are dropped keeps channels first only if no others stay beside them. */
static waio_onnxo_order reduce_order(const waio_onnxo *out, const waio_node *node)
{
    unsigned kept = ~node->reduce.axes & 0xe;
    bool one = (kept & (kept - 1)) == 0, channels_gone = !(kept & 8);
    bool image = input_shape(out, node)->rank == RESULT_RANK;

    return image && (node->reduce.keep_dims || one || channels_gone) ? WAIO_ONNXO_FIRST
                                                                     : WAIO_ONNXO_PLAIN;
}

static void write_reduce(waio_onnxo *out, const waio_node *node)
{
    enum { AXES_ARE_INPUTS = 18 }; /* of ReduceMean; of ReduceSum they always are */
    waio_onnxo_order order = reduce_order(out, node);
    const char *x = waio_onnxo_real(out, node->input[0], order), *y = NULL;
    bool mean = node->op == WAIO_OP_MEAN;
    int64_t axes[WAIO_MAX_RANK];
    int count = 0;

    for (int i = 0; i < WAIO_MAX_RANK; i++)
        if (node->reduce.axes >> i & 1u)
            axes[count++] = waio_onnxo_axis(out, node->input[0], order, i);
    if (mean && out->opset < AXES_ARE_INPUTS) {
        y = WAIO_ONNXO_NODE(out, "ReduceMean", node->name, x);
        waio_onnxo_ints(out, "axes", axes, count);
    } else {
        const char *list = waio_onnxo_numbers(out, node->name, "axes", axes, count);
        y = WAIO_ONNXO_NODE(out, mean ? "ReduceMean" : "ReduceSum", node->name, x, list);
    }
    waio_onnxo_int(out, "keepdims", node->reduce.keep_dims);
    y = move_ties(out, node, y, 0, TIE_SHARE);
    waio_onnxo_finish(out, node, order, y);
}

/* ---- all of them ---- */

/* QuantizeLinear could hold scales per channel of activations, but nothing here computes so. */
static waio_status check_values(const waio_onnxo *out, const waio_node *node)
{
    const waio_value *y = &out->graph->value[node->output], *x = NULL;

    for (int i = -1; i < (waio_op_weighted(node->op) ? 1 : node->input_count); i++) {
        x = i < 0 ? y : &out->graph->value[node->input[i]];
        bool codes = x->type == WAIO_S8 || x->type == WAIO_S16;
        if (x->type != WAIO_F32 && (!codes || x->params.count != 1))
            return waio_error(WAIO_EUNSUPPORTED,
                              "value \"%s\" of type %s with %d scales; expected float, or s8 or "
                              "s16 with one",
                              x->name, waio_type_name(x->type), x->params.count);
    }
    return WAIO_OK;
}

waio_status waio_onnxo_write_node(waio_onnxo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    static waio_onnxo_writer *const write[WAIO_OP_COUNT] = {
        [WAIO_OP_CONV2D] = write_conv,
        [WAIO_OP_DENSE] = write_dense,
        [WAIO_OP_BATCH_NORM] = write_batch_norm,
        [WAIO_OP_CLIP] = write_same,
        [WAIO_OP_ADD] = write_binary,
        [WAIO_OP_SUB] = write_binary,
        [WAIO_OP_MUL] = write_binary,
        [WAIO_OP_MAXIMUM] = write_binary,
        [WAIO_OP_CONCAT] = waio_onnxo_concat,
        [WAIO_OP_AVG_POOL] = write_pool,
        [WAIO_OP_MAX_POOL] = write_pool,
        [WAIO_OP_MEAN] = write_reduce,
        [WAIO_OP_SUM] = write_reduce,
        [WAIO_OP_PAD] = waio_onnxo_pad,
        [WAIO_OP_RESHAPE] = waio_onnxo_reshape,
        [WAIO_OP_TRANSPOSE] = waio_onnxo_transpose,
        [WAIO_OP_SOFTMAX] = write_softmax,
        [WAIO_OP_LOGISTIC] = write_logistic,
        [WAIO_OP_RESIZE] = waio_onnxo_resize,
        [WAIO_OP_QUANTIZE] = write_same,
        [WAIO_OP_DEQUANTIZE] = write_same,
    };

    WAIO_TRY(st, check_values(out, node));
    if (!write[node->op])
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "ONNX has no such operator");
    write[node->op](out, node);
done:
    return st;
}
