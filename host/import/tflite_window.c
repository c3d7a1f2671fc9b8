/* TensorFlow Lite's convolutions, dense layers and pools. */
#include "import/tflite_import.h"

/* ---- options ---- */

/* The options' fields of width and height (in this order in the file) as height, width. */
static waio_status read_pair(int pair[2], const waio_tfl *tfl, const waio_tfl_operator *op,
                             int width_field, int fallback)
{
    waio_status st = WAIO_OK;
    int32_t width = 0, height = 0;

    WAIO_TRY(st, waio_flat_i32(&width, &tfl->file, &op->options, width_field, fallback));
    WAIO_TRY(st, waio_flat_i32(&height, &tfl->file, &op->options, width_field + 1, fallback));
    if (width < 1 || height < 1 || width > 65536 || height > 65536)
        WAIO_FAIL(st, WAIO_EINPUT, "a stride, dilation or window of %d x %d", height, width);
    pair[0] = height;
    pair[1] = width;
done:
    return st;
}

/* SAME: as many outputs as strides fit, the odd cell of padding behind. VALID: none. */
static waio_status read_padding(int pad[4], const waio_tfl *tfl, const waio_tfl_operator *op,
                                const waio_shape *in, const int64_t window[2], const int stride[2])
{
    waio_status st = WAIO_OK;
    uint8_t padding = 0;

    WAIO_TRY(st, waio_flat_u8(&padding, &tfl->file, &op->options, 0, PADDING_SAME));
    if (padding > PADDING_VALID)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "padding %d, expected SAME (0) or VALID (1)", padding);
    for (int i = 0; i < 2 && padding == PADDING_SAME; i++) {
        int64_t size = in->dim[1 + i], out = (size + stride[i] - 1) / stride[i];
        int64_t total = (out - 1) * stride[i] + window[i] - size;
        if (window[i] > 1 << 20)
            WAIO_FAIL(st, WAIO_EINPUT, "a window of %lld cells", (long long)window[i]);
        total = total > 0 ? total : 0;
        pad[i] = (int)(total / 2);
        pad[i + 2] = (int)(total - total / 2);
    }
done:
    return st;
}

static waio_status need_rank(const waio_tfl_tensor *tensor, int rank, const char *what)
{
    char text[64];

    if (tensor->shape.rank == rank && waio_shape_count(&tensor->shape) > 0)
        return WAIO_OK;
    return waio_error(WAIO_EINPUT, "%s \"%s\" has the shape %s, expected %d dimensions", what,
                      tensor->name, waio_shape_text(&tensor->shape, text), rank);
}

/* ---- operators with weights ---- */

/* Input 0, the weight in its layout, and the bias if there is one. */
static waio_status add_weighted(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node,
                                const waio_tfl_layout *layout)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *w = NULL, *bias = NULL;

    WAIO_TRY(st, waio_tfl_first(&x, tfl, op, node));
    WAIO_TRY(st, waio_tfl_required(&w, tfl, op, 1));
    WAIO_TRY(st, waio_tfl_operand(&bias, tfl, op, 2));
    /* Codes for weights of float layers: the runtime quantizes activations as they come, here the
     * weights become the floats that they stand for. */
    bool as_float = tfl->graph->value[node->input[0]].type == WAIO_F32;
    WAIO_TRY(st, waio_tfl_weight(&node->input[1], tfl, w, layout, as_float));
    if (as_float && !w->as_float && w->type != WAIO_TFL_F32 && w->type != WAIO_TFL_F16)
        tfl->graph->note = "weights stored as codes run as floats; TensorFlow Lite would quantize "
                           "the activations of these layers as they come";
    node->input_count = 2;
    if (bias) {
        waio_tfl_layout plain = {bias->shape, NULL, 0};
        WAIO_TRY(st, need_rank(bias, 1, "the bias"));
        WAIO_TRY(st, waio_tfl_weight(&node->input[2], tfl, bias, &plain, false));
        node->input_count = 3;
    }
done:
    return st;
}

static waio_status window_inputs(waio_tfl_tensor **x, waio_tfl_tensor **w, waio_tfl *tfl,
                                 const waio_tfl_operator *op)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_tfl_required(x, tfl, op, 0));
    WAIO_TRY(st, waio_tfl_required(w, tfl, op, 1));
    WAIO_TRY(st, need_rank(*x, 4, "the input"));
    WAIO_TRY(st, need_rank(*w, 4, "the filter"));
    if (!(*w)->data.at)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the filter \"%s\" is computed, expected a constant",
                  (*w)->name);
done:
    return st;
}

/* Strides, dilation and padding; the fields behind the activation's differ by one. */
static waio_status conv_options(waio_conv_params *p, const waio_tfl *tfl,
                                const waio_tfl_operator *op, const waio_tfl_tensor *x,
                                const waio_tfl_tensor *w, int dilation_field)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, read_pair(p->stride, tfl, op, 1, 1));
    WAIO_TRY(st, read_pair(p->dilation, tfl, op, dilation_field, 1));
    const int64_t window[2] = {(w->shape.dim[1] - 1) * p->dilation[0] + 1,
                               (w->shape.dim[2] - 1) * p->dilation[1] + 1};
    WAIO_TRY(st, read_padding(p->pad, tfl, op, &x->shape, window, p->stride));
done:
    return st;
}

waio_status waio_tfl_op_conv(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *w = NULL;

    WAIO_TRY(st, window_inputs(&x, &w, tfl, op));
    WAIO_TRY(st, conv_options(&node->conv, tfl, op, x, w, 4));
    WAIO_TRY(st, waio_tfl_activation(node, tfl, op, 3));
    if (x->shape.dim[3] % w->shape.dim[3])
        WAIO_FAIL(st, WAIO_EINPUT, "a filter over %lld channels, the input has %lld",
                  (long long)w->shape.dim[3], (long long)x->shape.dim[3]);
    node->conv.groups = (int)(x->shape.dim[3] / w->shape.dim[3]);
    waio_tfl_layout plain = {w->shape, NULL, 0};
    WAIO_TRY(st, add_weighted(tfl, op, node, &plain));
done:
    return st;
}

/* The filter (1, H, W, C) becomes (C, H, W, 1), one group for each channel of the input. */
waio_status waio_tfl_op_depthwise(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *w = NULL;
    int64_t *from = NULL;

    WAIO_TRY(st, window_inputs(&x, &w, tfl, op));
    int64_t cells = w->shape.dim[1] * w->shape.dim[2], channels = w->shape.dim[3];
    if (w->shape.dim[0] != 1 || channels % x->shape.dim[3])
        WAIO_FAIL(st, WAIO_EINPUT, "a filter for %lld channels, the input has %lld",
                  (long long)channels, (long long)x->shape.dim[3]);
    WAIO_TRY(st, conv_options(&node->conv, tfl, op, x, w, 5));
    WAIO_TRY(st, waio_tfl_activation(node, tfl, op, 4));
    node->conv.groups = (int)x->shape.dim[3];
    WAIO_NEW(st, from, tfl->arena, (size_t)(cells * channels));
    for (int64_t c = 0; c < channels; c++)
        for (int64_t k = 0; k < cells; k++)
            from[c * cells + k] = k * channels + c;
    waio_tfl_layout turned = {WAIO_SHAPE(channels, w->shape.dim[1], w->shape.dim[2], 1), from, 3};
    WAIO_TRY(st, add_weighted(tfl, op, node, &turned));
done:
    return st;
}

/* The value of `id` as (1, inputs), of the same type. */
static waio_status flatten(int *id, waio_tfl *tfl, int64_t inputs)
{
    waio_status st = WAIO_OK;
    waio_value value = tfl->graph->value[*id];
    waio_node node = {.op = WAIO_OP_RESHAPE, .name = "flatten", .input = {*id}, .input_count = 1};
    char text[64];

    if (waio_shape_count(&value.shape) != inputs)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the input %s has rows of %lld that would become a batch",
                  waio_shape_text(&value.shape, text), (long long)inputs);
    node.clamp = WAIO_NO_CLAMP;
    node.reshape.shape = WAIO_SHAPE(1, inputs);
    WAIO_TRY(st, waio_graph_add_node(tfl->graph, id, &node));
    if (value.type != WAIO_F32)
        WAIO_TRY(st, waio_graph_set_type(tfl->graph, *id, value.type, &value.params));
done:
    return st;
}

waio_status waio_tfl_op_dense(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *w = NULL;
    uint8_t format = 0, keep_dims = 0;

    WAIO_TRY(st, waio_tfl_required(&w, tfl, op, 1));
    WAIO_TRY(st, need_rank(w, 2, "the weight"));
    WAIO_TRY(st, waio_tfl_activation(node, tfl, op, 0));
    WAIO_TRY(st, waio_flat_u8(&format, &tfl->file, &op->options, 1, 0));
    WAIO_TRY(st, waio_flat_u8(&keep_dims, &tfl->file, &op->options, 2, 0));
    if (format != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "weights in shuffled order (format %d)", format);
    waio_tfl_layout plain = {w->shape, NULL, 0};
    WAIO_TRY(st, add_weighted(tfl, op, node, &plain));
    if (!keep_dims && tfl->graph->value[node->input[0]].shape.rank != 2)
        WAIO_TRY(st, flatten(&node->input[0], tfl, w->shape.dim[1]));
done:
    return st;
}

/* ---- pools ---- */

waio_status waio_tfl_op_pool(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL;
    waio_pool_params *p = &node->pool;

    WAIO_TRY(st, waio_tfl_first(&x, tfl, op, node));
    WAIO_TRY(st, need_rank(x, 4, "the input"));
    WAIO_TRY(st, read_pair(p->stride, tfl, op, 1, 1));
    WAIO_TRY(st, read_pair(p->kernel, tfl, op, 3, 1));
    WAIO_TRY(st, waio_tfl_activation(node, tfl, op, 5));
    const int64_t window[2] = {p->kernel[0], p->kernel[1]};
    WAIO_TRY(st, read_padding(p->pad, tfl, op, &x->shape, window, p->stride));
done:
    return st;
}
