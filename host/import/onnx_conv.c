/* Conv and BatchNormalization. A weight (OC, IC/groups, KH, KW) becomes (OC, KH, KW, IC/groups). */
#include <string.h>

#include "import/onnx_import.h"

static waio_status check_conv(const waio_onnx_value *weight, const waio_shape *x, int64_t groups)
{
    const waio_shape *w = &weight->shape;
    char text_w[64], text_x[64];

    waio_shape_text(w, text_w);
    waio_shape_text(x, text_x);
    if (x->rank != 4 || w->rank != 4)
        return waio_error(WAIO_EUNSUPPORTED,
                          "weight is %s, input is %s, only 2-D convolutions of "
                          "4 dimensions are supported",
                          text_w, text_x);
    if (groups < 1 || groups > 65535)
        return waio_error(WAIO_EINPUT, "group is %lld, expected 1 to 65535", (long long)groups);
    if (waio_onnx_count(w) < 1 || w->dim[2] > 65535 || w->dim[3] > 65535)
        return waio_error(WAIO_EINPUT, "weight is %s", text_w);
    if (x->dim[1] % groups)
        return waio_error(WAIO_EINPUT,
                          "weight is %s, group %lld does not divide %lld input "
                          "channels",
                          text_w, (long long)groups, (long long)x->dim[1]);
    if (w->dim[0] % groups)
        return waio_error(WAIO_EINPUT,
                          "weight is %s, group %lld does not divide %lld output "
                          "channels",
                          text_w, (long long)groups, (long long)w->dim[0]);
    if (w->dim[1] != x->dim[1] / groups)
        return waio_error(WAIO_EINPUT,
                          "weight is %s, input is %s, group is %lld: expected %lld "
                          "input channels in the weight",
                          text_w, text_x, (long long)groups, (long long)(x->dim[1] / groups));
    return WAIO_OK;
}

static waio_status conv_params(waio_conv_params *out, const Onnx__NodeProto *node,
                               const waio_shape *w, const waio_shape *x, int64_t groups)
{
    waio_status st = WAIO_OK;
    int kernel[2] = {(int)w->dim[2], (int)w->dim[3]};
    waio_onnx_window window = {.kernel = {kernel[0], kernel[1]}};
    waio_shape ours = WAIO_SHAPE(1, x->dim[2], x->dim[3], x->dim[1]);

    WAIO_TRY(st, waio_onnx_attr_sizes(kernel, 2, node, "kernel_shape", 1));
    if (memcmp(kernel, window.kernel, sizeof kernel) != 0)
        WAIO_FAIL(st, WAIO_EINPUT, "kernel_shape is %dx%d, the weight's is %dx%d", kernel[0],
                  kernel[1], window.kernel[0], window.kernel[1]);
    WAIO_TRY(st, waio_onnx_read_window(&window, node, &ours));
    out->groups = (int)groups;
    memcpy(out->stride, window.stride, sizeof out->stride);
    memcpy(out->dilation, window.dilation, sizeof out->dilation);
    memcpy(out->pad, window.pad, sizeof out->pad);
done:
    return st;
}

/* A vector of `count` floats, input `i` of the ONNX node, as input `to` of ours. */
static waio_status add_vector(waio_onnx *onnx, waio_node *to, const Onnx__NodeProto *node, size_t i,
                              int64_t count)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *vector = NULL;
    float *data = NULL;
    char text[64];

    WAIO_TRY(st, waio_onnx_floats(onnx, node, i, &vector));
    if (vector->shape.rank != 1 || vector->shape.dim[0] != count)
        WAIO_FAIL(st, WAIO_EINPUT, "input %zu (\"%.100s\") is %s, expected %lld", i, vector->name,
                  waio_shape_text(&vector->shape, text), (long long)count);
    WAIO_TRY(st, waio_onnx_emit_const(onnx, &to->input[to->input_count++], vector->name,
                                      &vector->shape, &data));
    memcpy(data, vector->floats, (size_t)count * sizeof *data);
done:
    return st;
}

waio_status waio_onnx_op_conv(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    static const int to_ohwi[4] = {0, 2, 3, 1};
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL, *weight = NULL;
    waio_onnx_value out = {.kind = WAIO_ONNX_ACTIVATION};
    waio_node conv = {.op = WAIO_OP_CONV2D, .input_count = 2};
    int64_t groups = 1;
    float *data = NULL;

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    WAIO_TRY(st, waio_onnx_floats(onnx, node, 1, &weight));
    WAIO_TRY(st, waio_onnx_attr_int(&groups, node, "group", 1));
    const waio_shape *w = &weight->shape;
    waio_shape x_shape = waio_onnx_shape(onnx, x);
    WAIO_TRY(st, check_conv(weight, &x_shape, groups));
    WAIO_TRY(st, conv_params(&conv.conv, node, w, &x_shape, groups));
    waio_shape ohwi = WAIO_SHAPE(w->dim[0], w->dim[2], w->dim[3], w->dim[1]);
    WAIO_TRY(st, waio_onnx_emit_const(onnx, &conv.input[1], weight->name, &ohwi, &data));
    waio_onnx_permute(data, weight->floats, w, to_ohwi, sizeof *data);
    if (waio_onnx_has_input(node, 2))
        WAIO_TRY(st, add_vector(onnx, &conv, node, 2, w->dim[0]));
    waio_onnx_channels_last(4, out.perm);
    WAIO_TRY(st, waio_onnx_in_layout(onnx, &conv.input[0], x, out.perm));
    WAIO_TRY(st, waio_onnx_emit(onnx, &out.id, &conv, NULL));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

waio_status waio_onnx_op_batch_norm(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL;
    waio_onnx_value out = {.kind = WAIO_ONNX_ACTIVATION};
    waio_node norm = {.op = WAIO_OP_BATCH_NORM, .input_count = 1};
    bool spatial = true, training = false;

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    WAIO_TRY(st, waio_onnx_attr_float(&norm.epsilon, node, "epsilon", 1e-5f));
    WAIO_TRY(st, waio_onnx_attr_flag(&spatial, node, "spatial", true));
    WAIO_TRY(st, waio_onnx_attr_flag(&training, node, "training_mode", false));
    if (!spatial || training)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "only inference with one mean per channel is supported");
    waio_shape shape = waio_onnx_shape(onnx, x);
    if (shape.rank < 2)
        WAIO_FAIL(st, WAIO_EINPUT, "the input has no channels");
    for (size_t i = 1; i < 5; i++)
        WAIO_TRY(st, add_vector(onnx, &norm, node, i, shape.dim[1]));
    waio_onnx_channels_last(shape.rank, out.perm);
    WAIO_TRY(st, waio_onnx_in_layout(onnx, &norm.input[0], x, out.perm));
    WAIO_TRY(st, waio_onnx_emit(onnx, &out.id, &norm, NULL));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}
