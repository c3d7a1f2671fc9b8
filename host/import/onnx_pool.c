/* Windows (strides, pads, auto_pad, ceil_mode), and the pooling ops. */
#include <string.h>

#include "import/onnx_import.h"

enum { LARGEST = 65535 }; /* pads */

/* SAME: as many cells as strides fit the input; an odd padding cell goes to the end (UPPER) or to
 * the front (LOWER). */
static waio_status same_pads(waio_onnx_window *window, const waio_shape *x, bool upper)
{
    for (int i = 0; i < 2; i++) {
        int64_t in = x->dim[1 + i];
        int64_t cells = (in + window->stride[i] - 1) / window->stride[i];
        int64_t reach = (int64_t)(window->kernel[i] - 1) * window->dilation[i] + 1;
        int64_t total = (cells - 1) * window->stride[i] + reach - in;
        if (total < 0)
            total = 0;
        if (total > LARGEST)
            return waio_error(WAIO_EUNSUPPORTED, "auto_pad comes to %lld cells", (long long)total);
        window->pad[i] = (int)(upper ? total / 2 : total - total / 2);
        window->pad[i + 2] = (int)total - window->pad[i];
    }
    return WAIO_OK;
}

waio_status waio_onnx_read_window(waio_onnx_window *window, const Onnx__NodeProto *node,
                                  const waio_shape *x)
{
    waio_status st = WAIO_OK;
    char mode[32];

    for (int i = 0; i < 2; i++)
        window->stride[i] = window->dilation[i] = 1;
    memset(window->pad, 0, sizeof window->pad);
    WAIO_TRY(st, waio_onnx_attr_sizes(window->stride, 2, node, "strides", 1));
    WAIO_TRY(st, waio_onnx_attr_sizes(window->dilation, 2, node, "dilations", 1));
    WAIO_TRY(st, waio_onnx_attr_text(mode, node, "auto_pad", "NOTSET"));
    if (strcmp(mode, "NOTSET") == 0)
        WAIO_TRY(st, waio_onnx_attr_sizes(window->pad, 4, node, "pads", 0));
    else if (strcmp(mode, "SAME_UPPER") == 0 || strcmp(mode, "SAME_LOWER") == 0)
        WAIO_TRY(st, same_pads(window, x, mode[5] == 'U'));
    else if (strcmp(mode, "VALID") != 0)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "auto_pad is \"%s\", expected NOTSET, SAME_UPPER, SAME_LOWER or "
                  "VALID",
                  mode);
done:
    return st;
}

/* ceil_mode: one more cell if the last window starts in the input or its front padding. The graph
 * rounds down, so the end padding grows until that window fits. */
static waio_status extend_for_ceil(waio_pool_params *pool, const waio_shape *x)
{
    for (int i = 0; i < 2; i++) {
        int64_t in = x->dim[1 + i], stride = pool->stride[i];
        int64_t room = in + pool->pad[i] + pool->pad[i + 2] - pool->kernel[i];
        if (room < 0 || room % stride == 0)
            continue;
        int64_t last = (room / stride + 1) * stride; /* where the additional window starts */
        int64_t pad = last + pool->kernel[i] - in - pool->pad[i];
        if (last >= in + pool->pad[i])
            continue;
        if (pool->count_include_pad)
            return waio_error(WAIO_EUNSUPPORTED, "ceil_mode with count_include_pad, where the last "
                                                 "window reaches past the padding");
        pool->pad[i + 2] = (int)pad; /* below kernel, since last < in + front */
    }
    return WAIO_OK;
}

static waio_status pool_params(waio_pool_params *out, const Onnx__NodeProto *node,
                               const waio_shape *x)
{
    waio_status st = WAIO_OK;
    waio_onnx_window window = {0};
    bool ceil_mode = false;

    WAIO_TRY(st, waio_onnx_attr_sizes(window.kernel, 2, node, "kernel_shape", 1));
    if (window.kernel[0] == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "kernel_shape is missing");
    WAIO_TRY(st, waio_onnx_read_window(&window, node, x));
    if (window.dilation[0] != 1 || window.dilation[1] != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "dilations of pooling are not supported");
    memcpy(out->kernel, window.kernel, sizeof out->kernel);
    memcpy(out->stride, window.stride, sizeof out->stride);
    memcpy(out->pad, window.pad, sizeof out->pad);
    WAIO_TRY(st, waio_onnx_attr_flag(&out->count_include_pad, node, "count_include_pad", false));
    WAIO_TRY(st, waio_onnx_attr_flag(&ceil_mode, node, "ceil_mode", false));
    if (ceil_mode)
        WAIO_TRY(st, extend_for_ceil(out, x));
done:
    return st;
}

static waio_status need_image(const waio_shape *x)
{
    char text[64];
    if (x->rank == 4)
        return WAIO_OK;
    return waio_error(WAIO_EUNSUPPORTED,
                      "the input is %s, only 2-D pooling of 4 dimensions is "
                      "supported",
                      waio_shape_text(x, text));
}

static waio_status add_pool(waio_onnx *onnx, const Onnx__NodeProto *node, waio_onnx_value *x,
                            waio_node *pool)
{
    waio_status st = WAIO_OK;
    waio_onnx_value out = {.kind = WAIO_ONNX_ACTIVATION};

    waio_onnx_channels_last(4, out.perm);
    pool->input_count = 1;
    WAIO_TRY(st, waio_onnx_in_layout(onnx, &pool->input[0], x, out.perm));
    WAIO_TRY(st, waio_onnx_emit(onnx, &out.id, pool, NULL));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

waio_status waio_onnx_op_pool(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL;
    bool is_max = strcmp(node->op_type, "MaxPool") == 0;
    waio_node pool = {.op = is_max ? WAIO_OP_MAX_POOL : WAIO_OP_AVG_POOL};

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    waio_shape shape = waio_onnx_shape(onnx, x);
    WAIO_TRY(st, need_image(&shape));
    waio_shape ours = WAIO_SHAPE(1, shape.dim[2], shape.dim[3], shape.dim[1]);
    WAIO_TRY(st, pool_params(&pool.pool, node, &ours));
    WAIO_TRY(st, add_pool(onnx, node, x, &pool));
done:
    return st;
}

/* GlobalAveragePool is a mean over whatever follows the channels, in any layout. */
static waio_status global_mean(waio_onnx *onnx, const Onnx__NodeProto *node, waio_onnx_value *x)
{
    waio_status st = WAIO_OK;
    waio_onnx_value out = {.kind = WAIO_ONNX_ACTIVATION};
    waio_node mean = {.op = WAIO_OP_MEAN, .input_count = 1, .reduce.keep_dims = true};

    memcpy(out.perm, x->perm, sizeof out.perm);
    for (int i = 2; i < waio_onnx_rank(onnx, x); i++)
        mean.reduce.axes |= 1u << out.perm[i];
    WAIO_TRY(st, waio_onnx_in_layout(onnx, &mean.input[0], x, out.perm));
    WAIO_TRY(st, waio_onnx_emit(onnx, &out.id, &mean, NULL));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

waio_status waio_onnx_op_global_pool(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL;
    waio_node pool = {.op = WAIO_OP_MAX_POOL, .pool = {.stride = {1, 1}}};

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    waio_shape shape = waio_onnx_shape(onnx, x);
    if (strcmp(node->op_type, "GlobalAveragePool") == 0 && shape.rank > 2)
        return global_mean(onnx, node, x);
    WAIO_TRY(st, need_image(&shape));
    if (shape.dim[2] > LARGEST || shape.dim[3] > LARGEST)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the image is larger than %d", LARGEST);
    pool.pool.kernel[0] = (int)shape.dim[2];
    pool.pool.kernel[1] = (int)shape.dim[3];
    WAIO_TRY(st, add_pool(onnx, node, x, &pool));
done:
    return st;
}
