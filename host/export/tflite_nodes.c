/* Nodes of the graph as TensorFlow Lite's operators. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "export/tflite_out.h"

enum {
    ADD = 0,
    AVERAGE_POOL = 1,
    CONCATENATION = 2,
    CONV = 3,
    DEPTHWISE_CONV = 4,
    DEQUANTIZE = 6,
    FULLY_CONNECTED = 9,
    LOGISTIC = 14,
    MAX_POOL = 17,
    MUL = 18,
    RESHAPE = 22,
    RESIZE_BILINEAR = 23,
    SOFTMAX = 25,
    PAD = 34,
    TRANSPOSE = 39,
    MEAN = 40,
    SUB = 41,
    MAXIMUM = 55,
    PADV2 = 60,
    SUM = 74,
    RESIZE_NEAREST = 97,
    QUANTIZE = 114
};
enum { SAME = 0, VALID = 1 };

/* Versions: what the runtime asks of float, int8 and int16 operators; 1 where there is no row. */
static const struct {
    int code, f32, s8, s16;
} versions[] = {
    {ADD, 1, 2, 3},
    {SUB, 1, 2, 5},
    {MUL, 1, 2, 4},
    {AVERAGE_POOL, 1, 2, 3},
    {MAX_POOL, 1, 2, 3},
    {CONCATENATION, 1, 2, 3},
    {CONV, 1, 3, 4},
    {DEPTHWISE_CONV, 1, 3, 5},
    {FULLY_CONNECTED, 1, 4, 7},
    {DEQUANTIZE, 1, 2, 3},
    {LOGISTIC, 1, 2, 3},
    {SOFTMAX, 1, 2, 3},
    {PAD, 1, 2, 3},
    {PADV2, 1, 2, 3},
    {TRANSPOSE, 1, 2, 5},
    {MEAN, 1, 2, 3},
    {SUM, 1, 2, 2},
    {MAXIMUM, 1, 2, 4},
    {57, 1, 2, 4},
    {19, 1, 2, 3},
    {21, 1, 2, 3},
    {RESIZE_BILINEAR, 3, 3, 4},
    {RESIZE_NEAREST, 3, 3, 4},
    {QUANTIZE, 1, 1, 2},
};
enum { VERSIONS = sizeof versions / sizeof *versions };
enum { CONV_GROUPED = 6, CONV_INT4 = 7, DENSE_INT4 = 10, DENSE_KEEPS_DIMS = 5, MUL_GROWS = 3 };
enum { DEPTHWISE_DILATED = 2, MANY_DIMS = 4 };

int waio_tflo_version(int code, waio_type type)
{
    for (int i = 0; i < VERSIONS; i++)
        if (versions[i].code == code)
            return type == WAIO_F32  ? versions[i].f32
                   : type == WAIO_S8 ? versions[i].s8
                                     : versions[i].s16;
    return 1;
}

void waio_tflo_option(waio_tflo_operator *op, int id, int bytes, int64_t value)
{
    op->option[op->option_count++] =
        (waio_flat_slot){.id = id, .bytes = bytes, .value = (uint64_t)value};
}

/* An operator with the node's first `inputs` inputs and its options' place in the union. */
static waio_status start(waio_tflo *out, waio_tflo_operator *op, const waio_node *node, int code,
                         int inputs, int options)
{
    waio_status st = WAIO_OK;
    waio_type type = out->graph->value[node->input[0]].type;

    *op = (waio_tflo_operator){.code = code, .input_count = inputs, .options = options};
    op->version =
        waio_tflo_version(code, code == QUANTIZE ? out->graph->value[node->output].type : type);
    for (int i = 0; i < inputs; i++)
        WAIO_TRY(st, waio_tflo_value(out, &op->input[i], node->input[i]));
done:
    return st;
}

static const waio_shape *input_shape(const waio_tflo *out, const waio_node *node)
{
    return &out->graph->value[node->input[0]].shape;
}

/* ---- padding ---- */

typedef struct window {
    int kernel[2], stride[2], dilation[2], pad[4];
} window;

/* Whether the padding is TensorFlow's SAME: as many outputs as strides fit, the odd cell behind. */
static bool is_same_padding(const window *w, const waio_shape *in)
{
    for (int i = 0; i < 2; i++) {
        int64_t size = in->dim[1 + i], cells = (size + w->stride[i] - 1) / w->stride[i];
        int64_t total =
            (cells - 1) * w->stride[i] + (int64_t)(w->kernel[i] - 1) * w->dilation[i] + 1 - size;
        total = total > 0 ? total : 0;
        if (w->pad[i] != total / 2 || w->pad[i + 2] != total - total / 2)
            return false;
    }
    return true;
}

static bool is_unpadded(const window *w)
{
    return !(w->pad[0] || w->pad[1] || w->pad[2] || w->pad[3]);
}

/* A pad of `before` and `after` cells around tensor `from` (value `id`), to tensor `to`; with zeros
 * (codes: the zero point), or, `fill` given, with that tensor's number. */
static waio_status add_pad(waio_tflo *out, const waio_node *node, int from, int to, const int *fill,
                           const waio_pad_params *pad)
{
    waio_status st = WAIO_OK;
    int rank = input_shape(out, node)->rank;
    int32_t cells[2 * WAIO_MAX_RANK];
    waio_shape shape = WAIO_SHAPE(rank, 2);
    waio_tflo_operator op = {.code = fill ? PADV2 : PAD,
                             .input = {from, 0, fill ? *fill : 0},
                             .input_count = fill ? 3 : 2,
                             .output = to,
                             .options = fill ? 43 : 22};

    op.version = waio_tflo_version(op.code, out->graph->value[node->input[0]].type);
    op.version = rank > 4 ? MANY_DIMS : op.version;
    for (int i = 0; i < rank; i++) {
        cells[2 * i] = pad->before[i];
        cells[2 * i + 1] = pad->after[i];
    }
    WAIO_TRY(st, waio_tflo_ints(out, &op.input[1], node->name, cells, &shape));
    WAIO_TRY(st, waio_tflo_add_operator(out, &op));
done:
    return st;
}

/* Puts the padding of window `w` in front of `node` as an operator of its own: with zeros, or with
 * the lowest number for a maximum. `tensor` is the input, and becomes the padded one. */
static waio_status pad_in_front(waio_tflo *out, const waio_node *node, int *tensor, const window *w)
{
    waio_status st = WAIO_OK;
    waio_shape shape = *input_shape(out, node);
    waio_pad_params pad = {.value = 0};
    int to = -1, fill = -1;
    bool lowest = node->op == WAIO_OP_MAX_POOL;

    for (int i = 0; i < 2; i++) {
        pad.before[1 + i] = w->pad[i];
        pad.after[1 + i] = w->pad[i + 2];
        shape.dim[1 + i] += (int64_t)w->pad[i] + w->pad[i + 2];
    }
    WAIO_TRY(st, waio_tflo_like(out, &to, node->input[0], &shape, "padded"));
    out->tensor[to].name = waio_arena_printf(out->arena, "%s/padded", node->name);
    if (!out->tensor[to].name)
        return WAIO_ENOMEM;
    if (lowest) {
        const waio_value *x = &out->graph->value[node->input[0]];
        int32_t code = x->type == WAIO_F32 ? 0 : waio_params_lo(&x->params);
        WAIO_TRY(st, waio_tflo_scalar(out, &fill, node->input[0], "lowest", -FLT_MAX, code));
    }
    WAIO_TRY(st, add_pad(out, node, *tensor, to, lowest ? &fill : NULL, &pad));
    *tensor = to;
done:
    return st;
}

/* Says the window's padding in the options, or does it in front. */
static waio_status write_padding(waio_tflo *out, const waio_node *node, waio_tflo_operator *op,
                                 const window *w)
{
    waio_status st = WAIO_OK;
    bool same = !is_unpadded(w) && is_same_padding(w, input_shape(out, node));

    if (!same && !is_unpadded(w))
        WAIO_TRY(st, pad_in_front(out, node, &op->input[0], w));
    waio_tflo_option(op, 0, 1, same ? SAME : VALID);
done:
    return st;
}

/* ---- nodes with weights ---- */

/* int4 kernels there are of conv2d without groups and of dense, for int8 activations. */
static bool takes_int4(const waio_tflo *out, const waio_node *node)
{
    const waio_value *w = &out->graph->value[node->input[1]];
    return w->type == WAIO_S8 && w->params.bits <= 4 &&
           out->graph->value[node->input[0]].type == WAIO_S8 &&
           (node->op == WAIO_OP_DENSE || node->conv.groups == 1);
}

static waio_status write_conv(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tflo_operator op;
    const waio_conv_params *p = &node->conv;
    const waio_shape *x = input_shape(out, node);
    const waio_shape *w = &out->graph->value[node->input[1]].shape;
    bool depthwise = p->groups > 1 && p->groups == x->dim[3], packed = takes_int4(out, node);
    bool dilated = p->dilation[0] > 1 || p->dilation[1] > 1;
    window win = {.kernel = {(int)w->dim[1], (int)w->dim[2]}};

    memcpy(win.stride, p->stride, sizeof win.stride);
    memcpy(win.dilation, p->dilation, sizeof win.dilation);
    memcpy(win.pad, p->pad, sizeof win.pad);
    WAIO_TRY(st, start(out, &op, node, depthwise ? DEPTHWISE_CONV : CONV, 1, depthwise ? 2 : 1));
    op.input_count = 3;
    WAIO_TRY(st, waio_tflo_weight(out, &op.input[1], node, depthwise, packed));
    WAIO_TRY(st, waio_tflo_bias(out, &op.input[2], node));
    WAIO_TRY(st, write_padding(out, node, &op, &win));
    waio_tflo_option(&op, 1, 4, p->stride[1]);
    waio_tflo_option(&op, 2, 4, p->stride[0]);
    if (depthwise)
        waio_tflo_option(&op, 3, 4, w->dim[0] / p->groups);
    waio_tflo_option(&op, depthwise ? 5 : 4, 4, p->dilation[1]);
    waio_tflo_option(&op, depthwise ? 6 : 5, 4, p->dilation[0]);
    if (packed)
        op.version = CONV_INT4;
    else if (!depthwise && p->groups > 1)
        op.version = CONV_GROUPED;
    else if (depthwise && dilated && op.version < DEPTHWISE_DILATED)
        op.version = DEPTHWISE_DILATED;
    WAIO_TRY(st, waio_tflo_finish(out, node, &op, depthwise ? 4 : 3, false));
done:
    return st;
}

static waio_status write_dense(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tflo_operator op;
    bool packed = takes_int4(out, node), keep = input_shape(out, node)->rank > 2;

    WAIO_TRY(st, start(out, &op, node, FULLY_CONNECTED, 1, 8));
    op.input_count = 3;
    WAIO_TRY(st, waio_tflo_weight(out, &op.input[1], node, false, packed));
    WAIO_TRY(st, waio_tflo_bias(out, &op.input[2], node));
    if (packed)
        op.version = DENSE_INT4;
    if (keep) {
        waio_tflo_option(&op, 2, 1, 1);
        op.version = op.version > DENSE_KEEPS_DIMS ? op.version : DENSE_KEEPS_DIMS;
    }
    WAIO_TRY(st, waio_tflo_finish(out, node, &op, 0, false));
done:
    return st;
}

/* y = x * k + b with k = gamma / sqrt(variance + epsilon), b = beta - mean * k. */
static waio_status write_batch_norm(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    const waio_value *value = out->graph->value;
    const float *of[5];
    int64_t channels = value[node->input[1]].shape.dim[0];
    waio_tflo_operator mul, add = {.code = ADD, .version = 1, .input_count = 2, .options = 11};
    waio_tflo_tensor factor = {.shape = value[node->input[1]].shape}, term = factor;
    float *k = NULL, *b = NULL;

    WAIO_NEW(st, k, out->arena, (size_t)channels);
    WAIO_NEW(st, b, out->arena, (size_t)channels);
    for (int i = 1; i < 5; i++)
        of[i] = value[node->input[i]].data;
    for (int64_t c = 0; c < channels; c++) {
        double scale = of[1][c] / sqrt((double)of[4][c] + (double)node->epsilon);
        k[c] = (float)scale;
        b[c] = (float)(of[2][c] - of[3][c] * scale);
    }
    factor.name = value[node->input[1]].name;
    term.name = value[node->input[2]].name;
    factor.data = k;
    term.data = b;
    factor.bytes = term.bytes = (size_t)channels * sizeof *k;
    WAIO_TRY(st, start(out, &mul, node, MUL, 1, 21));
    mul.input_count = 2;
    WAIO_TRY(st, waio_tflo_add_tensor(out, &mul.input[1], &factor));
    WAIO_TRY(st, waio_tflo_like(out, &mul.output, node->output, input_shape(out, node), "scaled"));
    WAIO_TRY(st, waio_tflo_add_operator(out, &mul));
    add.input[0] = mul.output;
    WAIO_TRY(st, waio_tflo_add_tensor(out, &add.input[1], &term));
    WAIO_TRY(st, waio_tflo_finish(out, node, &add, 0, false));
done:
    return st;
}

/* ---- elementwise ---- */

static waio_status write_binary(waio_tflo *out, const waio_node *node)
{
    static const struct {
        int code, options;
    } rows[] = {[WAIO_OP_ADD] = {ADD, 11},
                [WAIO_OP_SUB] = {SUB, 28},
                [WAIO_OP_MUL] = {MUL, 21},
                [WAIO_OP_MAXIMUM] = {MAXIMUM, 39}};
    waio_status st = WAIO_OK;
    waio_tflo_operator op;
    const waio_value *a = &out->graph->value[node->input[0]], *y = &out->graph->value[node->output];
    bool maximum = node->op == WAIO_OP_MAXIMUM, mul = node->op == WAIO_OP_MUL;

    WAIO_TRY(st, start(out, &op, node, rows[node->op].code, 2, rows[node->op].options));
    if (!maximum && !mul) /* scales that are no powers of two */
        waio_tflo_option(&op, 1, 1, 0);
    if (mul && a->type == WAIO_S8 &&
        a->params.scale[0] * out->graph->value[node->input[1]].params.scale[0] >=
            y->params.scale[0])
        op.version = MUL_GROWS;
    WAIO_TRY(st, waio_tflo_finish(out, node, &op, maximum ? WAIO_TFLO_NO_FUSION : 0, maximum));
done:
    return st;
}

static waio_status write_unary(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tflo_operator op;
    int code = node->op == WAIO_OP_QUANTIZE     ? QUANTIZE
               : node->op == WAIO_OP_DEQUANTIZE ? DEQUANTIZE
               : node->op == WAIO_OP_LOGISTIC   ? LOGISTIC
                                                : SOFTMAX;
    int options = code == QUANTIZE ? 89 : code == DEQUANTIZE ? 38 : code == SOFTMAX ? 9 : 0;

    WAIO_TRY(st, start(out, &op, node, code, 1, options));
    if (code == SOFTMAX)
        waio_tflo_option(&op, 0, 4, (int64_t)waio_flat_float(1));
    WAIO_TRY(st, waio_tflo_finish(out, node, &op, WAIO_TFLO_NO_FUSION, false));
done:
    return st;
}

/* ---- the rest ---- */

static waio_status write_pool(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tflo_operator op;
    const waio_pool_params *p = &node->pool;
    window w = {.dilation = {1, 1}};
    bool average = node->op == WAIO_OP_AVG_POOL;

    memcpy(w.kernel, p->kernel, sizeof w.kernel);
    memcpy(w.stride, p->stride, sizeof w.stride);
    memcpy(w.pad, p->pad, sizeof w.pad);
    WAIO_TRY(st, start(out, &op, node, average ? AVERAGE_POOL : MAX_POOL, 1, 5));
    if (average && !is_unpadded(&w) && p->count_include_pad) {
        WAIO_TRY(st, pad_in_front(out, node, &op.input[0], &w));
        memset(w.pad, 0, sizeof w.pad);
        waio_tflo_option(&op, 0, 1, VALID);
    } else if (average && !is_unpadded(&w) && !is_same_padding(&w, input_shape(out, node))) {
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "averages over real cells with padding %d, %d, %d, %d; TensorFlow Lite has SAME "
                  "and VALID only",
                  p->pad[0], p->pad[1], p->pad[2], p->pad[3]);
    } else {
        WAIO_TRY(st, write_padding(out, node, &op, &w));
    }
    waio_tflo_option(&op, 1, 4, p->stride[1]);
    waio_tflo_option(&op, 2, 4, p->stride[0]);
    waio_tflo_option(&op, 3, 4, p->kernel[1]);
    waio_tflo_option(&op, 4, 4, p->kernel[0]);
    WAIO_TRY(st, waio_tflo_finish(out, node, &op, 5, true));
done:
    return st;
}

static waio_status write_concat(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tflo_operator op;
    const waio_value *y = &out->graph->value[node->output];

    for (int i = 0; i < node->input_count && y->type != WAIO_F32; i++) {
        const waio_value *x = &out->graph->value[node->input[i]];
        if (x->params.scale[0] != y->params.scale[0] ||
            x->params.zero_point[0] != y->params.zero_point[0])
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "input %d has another scale than the output", i);
    }
    WAIO_TRY(st, start(out, &op, node, CONCATENATION, node->input_count, 10));
    waio_tflo_option(&op, 0, 4, node->axis.axis);
    WAIO_TRY(st, waio_tflo_finish(out, node, &op, WAIO_TFLO_NO_FUSION, true));
done:
    return st;
}

static waio_status write_reduce(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tflo_operator op;
    int32_t axes[WAIO_MAX_RANK];
    waio_shape shape = WAIO_SHAPE(0);

    for (int i = 0; i < WAIO_MAX_RANK; i++)
        if (node->reduce.axes >> i & 1u)
            axes[shape.dim[0]++] = i;
    WAIO_TRY(st, start(out, &op, node, node->op == WAIO_OP_MEAN ? MEAN : SUM, 1, 27));
    op.input_count = 2;
    WAIO_TRY(st, waio_tflo_ints(out, &op.input[1], node->name, axes, &shape));
    waio_tflo_option(&op, 0, 1, node->reduce.keep_dims);
    WAIO_TRY(st, waio_tflo_finish(out, node, &op, WAIO_TFLO_NO_FUSION, false));
done:
    return st;
}

static waio_status write_pad(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    const waio_value *y = &out->graph->value[node->output];
    int from = -1, to = -1, fill = -1;
    int32_t code = 0;

    if (!waio_clamp_is_none(node->clamp))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "a pad with a clamp");
    WAIO_TRY(st, waio_tflo_value(out, &from, node->input[0]));
    WAIO_TRY(st, waio_tflo_value(out, &to, node->output));
    if (y->type != WAIO_F32)
        code = waio_bound_code(node->pad.value, y->params.scale[0], y->params.zero_point[0],
                               waio_params_lo(&y->params), waio_params_hi(&y->params));
    if (node->pad.value != 0)
        WAIO_TRY(st, waio_tflo_scalar(out, &fill, node->output, "fill", node->pad.value, code));
    WAIO_TRY(st, add_pad(out, node, from, to, fill >= 0 ? &fill : NULL, &node->pad));
done:
    return st;
}

/* RESHAPE, TRANSPOSE and the RESIZEs: one more input of int32 numbers. */
static waio_status write_moved(waio_tflo *out, const waio_node *node, waio_tflo_operator *op,
                               const int32_t *number, int count)
{
    waio_status st = WAIO_OK;
    waio_shape shape = WAIO_SHAPE(count);

    op->input_count = 2;
    WAIO_TRY(st, waio_tflo_ints(out, &op->input[1], node->name, number, &shape));
    WAIO_TRY(st, waio_tflo_finish(out, node, op, WAIO_TFLO_NO_FUSION, true));
done:
    return st;
}

static waio_status write_reshape(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tflo_operator op;
    int32_t dims[WAIO_MAX_RANK] = {-1}; /* the batch */
    const waio_shape *shape = &node->reshape.shape;

    for (int i = 1; i < shape->rank; i++)
        dims[i] = (int32_t)shape->dim[i];
    WAIO_TRY(st, start(out, &op, node, RESHAPE, 1, 17));
    WAIO_TRY(st, write_moved(out, node, &op, dims, shape->rank));
done:
    return st;
}

static waio_status write_transpose(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tflo_operator op;
    int32_t perm[WAIO_MAX_RANK];
    int rank = input_shape(out, node)->rank;

    for (int i = 0; i < rank; i++)
        perm[i] = node->transpose.perm[i];
    WAIO_TRY(st, start(out, &op, node, TRANSPOSE, 1, 26));
    op.version = rank > 4 && op.version < MANY_DIMS ? MANY_DIMS : op.version;
    WAIO_TRY(st, write_moved(out, node, &op, perm, rank));
done:
    return st;
}

static waio_status write_resize(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tflo_operator op;
    const waio_resize_params *p = &node->resize;
    int32_t size[2] = {p->out[0], p->out[1]};
    int first = p->bilinear ? 2 : 0; /* two retired fields stand in front */

    WAIO_TRY(st, start(out, &op, node, p->bilinear ? RESIZE_BILINEAR : RESIZE_NEAREST, 1,
                       p->bilinear ? 15 : 74));
    waio_tflo_option(&op, first, 1, p->align_corners);
    waio_tflo_option(&op, first + 1, 1, p->half_pixel);
    WAIO_TRY(st, write_moved(out, node, &op, size, 2));
done:
    return st;
}

waio_status waio_tflo_node(waio_tflo *out, const waio_node *node)
{
    static waio_status (*const write[WAIO_OP_COUNT])(waio_tflo *, const waio_node *) = {
        [WAIO_OP_CONV2D] = write_conv,
        [WAIO_OP_DENSE] = write_dense,
        [WAIO_OP_BATCH_NORM] = write_batch_norm,
        [WAIO_OP_CLIP] = waio_tflo_clip,
        [WAIO_OP_ADD] = write_binary,
        [WAIO_OP_SUB] = write_binary,
        [WAIO_OP_MUL] = write_binary,
        [WAIO_OP_MAXIMUM] = write_binary,
        [WAIO_OP_CONCAT] = write_concat,
        [WAIO_OP_AVG_POOL] = write_pool,
        [WAIO_OP_MAX_POOL] = write_pool,
        [WAIO_OP_MEAN] = write_reduce,
        [WAIO_OP_SUM] = write_reduce,
        [WAIO_OP_PAD] = write_pad,
        [WAIO_OP_RESHAPE] = write_reshape,
        [WAIO_OP_TRANSPOSE] = write_transpose,
        [WAIO_OP_SOFTMAX] = write_unary,
        [WAIO_OP_LOGISTIC] = write_unary,
        [WAIO_OP_RESIZE] = write_resize,
        [WAIO_OP_QUANTIZE] = write_unary,
        [WAIO_OP_DEQUANTIZE] = write_unary,
    };

    if (!write[node->op])
        return waio_error(WAIO_EUNSUPPORTED, "TensorFlow Lite has no such operator");
    return write[node->op](out, node);
}
