/* Layers with trained weights: convolutions, dense, batch norm. Keras keeps a convolution's kernel
 * as (KH, KW, IC/groups, OC), a depthwise one as (KH, KW, C, M), and a dense one as (IC, OC); ours
 * are OHWI and (OC, IC). */
#include "import/keras_layers.h"

typedef struct window {
    int kernel[2];
    waio_conv_params conv;
} window;

static waio_status read_window(window *out, const waio_keras_call *call, const waio_shape *x)
{
    waio_status st = WAIO_OK;

    out->conv = (waio_conv_params){.groups = 1};
    WAIO_TRY(st, waio_keras_pair(out->kernel, call->config, "kernel_size", 1, WAIO_KERAS_REQUIRED));
    WAIO_TRY(st, waio_keras_pair(out->conv.stride, call->config, "strides", 1, 1));
    WAIO_TRY(st, waio_keras_pair(out->conv.dilation, call->config, "dilation_rate", 1, 1));
    WAIO_TRY(st, waio_keras_padding(out->conv.pad, call, x, out->kernel, out->conv.stride,
                                    out->conv.dilation));
done:
    return st;
}

/* Appends the bias, the last of `weights`, to the inputs of `node` if the config wants one. */
static waio_status add_bias(waio_node *node, waio_keras_call *call, int weights, int64_t channels)
{
    waio_keras_weight bias = {.index = weights - 1, .expected_count = weights, .name = "bias"};

    bias.shape = WAIO_SHAPE(channels);
    return waio_keras_read_weight(&node->input[node->input_count++], call, &bias);
}

waio_status waio_keras_conv2d(waio_keras_call *call)
{
    waio_node node = {.op = WAIO_OP_CONV2D, .input = {call->input[0]}, .input_count = 2};
    waio_keras_weight kernel = {.name = "kernel", .perm = {3, 0, 1, 2}};
    waio_status st = WAIO_OK;
    int filters, groups;
    waio_shape x;
    window win;
    bool bias;

    WAIO_TRY(st, waio_keras_image(&x, call));
    WAIO_TRY(st, read_window(&win, call, &x));
    WAIO_TRY(st, waio_keras_int(&filters, call->config, "filters", 1, WAIO_KERAS_REQUIRED));
    WAIO_TRY(st, waio_keras_int(&groups, call->config, "groups", 1, 1));
    WAIO_TRY(st, waio_keras_bool(&bias, call->config, "use_bias", true));
    if (x.dim[3] % groups || filters % groups)
        WAIO_FAIL(st, WAIO_EINPUT, "%d groups do not divide %lld channels and %d filters", groups,
                  (long long)x.dim[3], filters);
    node.conv = win.conv;
    node.conv.groups = groups;
    kernel.expected_count = 1 + bias;
    kernel.shape = WAIO_SHAPE(win.kernel[0], win.kernel[1], x.dim[3] / groups, filters);
    WAIO_TRY(st, waio_keras_read_weight(&node.input[1], call, &kernel));
    if (bias)
        WAIO_TRY(st, add_bias(&node, call, 2, filters));
    WAIO_TRY(st, waio_keras_emit(call, &node, NULL));
    WAIO_TRY(st, waio_keras_add_activation(call));
done:
    return st;
}

/* The depthwise convolution by the kernel with `index` 0; its node is left without a bias. */
static waio_status depthwise_node(waio_node *node, int64_t *channels, waio_keras_call *call,
                                  int weights)
{
    waio_keras_weight kernel = {.expected_count = weights, .name = "depthwise_kernel"};
    waio_status st = WAIO_OK;
    int multiplier;
    waio_shape x;
    window win;

    WAIO_TRY(st, waio_keras_image(&x, call));
    WAIO_TRY(st, read_window(&win, call, &x));
    WAIO_TRY(st, waio_keras_int(&multiplier, call->config, "depth_multiplier", 1, 1));
    *channels = x.dim[3] * multiplier;
    *node = (waio_node){.op = WAIO_OP_CONV2D, .input = {call->input[0]}, .input_count = 2};
    node->conv = win.conv;
    node->conv.groups = (int)x.dim[3];
    /* Output channel c * M + m reads input channel c: the order of (C, M). */
    kernel.shape = WAIO_SHAPE(win.kernel[0], win.kernel[1], x.dim[3], multiplier);
    for (int i = 0; i < 4; i++)
        kernel.perm[i] = (i + 2) % 4;
    kernel.constant_shape = WAIO_SHAPE(*channels, win.kernel[0], win.kernel[1], 1);
    WAIO_TRY(st, waio_keras_read_weight(&node->input[1], call, &kernel));
done:
    return st;
}

waio_status waio_keras_depthwise_conv2d(waio_keras_call *call)
{
    waio_status st = WAIO_OK;
    int64_t channels;
    waio_node node;
    bool bias;

    WAIO_TRY(st, waio_keras_bool(&bias, call->config, "use_bias", true));
    WAIO_TRY(st, depthwise_node(&node, &channels, call, 1 + bias));
    if (bias)
        WAIO_TRY(st, add_bias(&node, call, 2, channels));
    WAIO_TRY(st, waio_keras_emit(call, &node, NULL));
    WAIO_TRY(st, waio_keras_add_activation(call));
done:
    return st;
}

waio_status waio_keras_separable_conv2d(waio_keras_call *call)
{
    waio_keras_weight kernel = {.index = 1, .name = "pointwise_kernel", .perm = {3, 0, 1, 2}};
    waio_node depthwise, pointwise = {.op = WAIO_OP_CONV2D, .input_count = 2};
    waio_status st = WAIO_OK;
    int64_t channels;
    int filters;
    bool bias;

    WAIO_TRY(st, waio_keras_int(&filters, call->config, "filters", 1, WAIO_KERAS_REQUIRED));
    WAIO_TRY(st, waio_keras_bool(&bias, call->config, "use_bias", true));
    WAIO_TRY(st, depthwise_node(&depthwise, &channels, call, 2 + bias));
    WAIO_TRY(st, waio_keras_emit(call, &depthwise, "depthwise"));
    kernel.expected_count = 2 + bias;
    kernel.shape = WAIO_SHAPE(1, 1, channels, filters);
    WAIO_TRY(st, waio_keras_read_weight(&pointwise.input[1], call, &kernel));
    pointwise.input[0] = call->output;
    pointwise.conv = (waio_conv_params){.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    if (bias)
        WAIO_TRY(st, add_bias(&pointwise, call, 3, filters));
    WAIO_TRY(st, waio_keras_emit(call, &pointwise, NULL));
    WAIO_TRY(st, waio_keras_add_activation(call));
done:
    return st;
}

waio_status waio_keras_dense(waio_keras_call *call)
{
    waio_node node = {.op = WAIO_OP_DENSE, .input = {call->input[0]}, .input_count = 2};
    waio_keras_weight kernel = {.name = "kernel", .perm = {1, 0}};
    waio_shape x = waio_keras_shape_of(call, call->input[0]);
    waio_status st = WAIO_OK;
    int units;
    bool bias;

    WAIO_TRY(st, waio_keras_int(&units, call->config, "units", 1, WAIO_KERAS_REQUIRED));
    WAIO_TRY(st, waio_keras_bool(&bias, call->config, "use_bias", true));
    if (x.rank < 2)
        WAIO_FAIL(st, WAIO_EINPUT, "the input has no features, only a batch");
    kernel.expected_count = 1 + bias;
    kernel.shape = WAIO_SHAPE(x.dim[x.rank - 1], units);
    WAIO_TRY(st, waio_keras_read_weight(&node.input[1], call, &kernel));
    if (bias)
        WAIO_TRY(st, add_bias(&node, call, 2, units));
    WAIO_TRY(st, waio_keras_emit(call, &node, NULL));
    WAIO_TRY(st, waio_keras_add_activation(call));
done:
    return st;
}

/* Adds gamma or beta where the layer was made without it; no parameter of the network. */
static waio_status fill_constant(int *id, waio_keras_call *call, const char *name, int64_t channels,
                                 float value)
{
    waio_shape shape = WAIO_SHAPE(channels);
    const char *full = waio_keras_join(call, name);
    waio_status st = WAIO_OK;
    float *data;

    if (!full)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_graph_add_const(call->file->graph, id, full, &shape, &data));
    for (int64_t i = 0; i < channels; i++)
        data[i] = value;
    call->file->graph->value[*id].implied = true;
done:
    return st;
}

waio_status waio_keras_batch_norm(waio_keras_call *call)
{
    static const char *const name[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    waio_node node = {.op = WAIO_OP_BATCH_NORM, .input = {call->input[0]}, .input_count = 5};
    waio_shape x = waio_keras_shape_of(call, call->input[0]);
    waio_status st = WAIO_OK;
    bool there[4] = {true, true, true, true}, renorm;
    int axis, index = 0;

    WAIO_TRY(st, waio_keras_axis(&axis, call->config, "axis", x.rank, -1));
    if (axis != x.rank - 1 || axis == 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "axis %d of %d dimensions; supported: the last one", axis,
                  x.rank);
    WAIO_TRY(st, waio_keras_bool(&renorm, call->config, "renorm", false));
    if (renorm)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "renorm=True is not supported");
    WAIO_TRY(st, waio_keras_float(&node.epsilon, call->config, "epsilon", 1e-3f));
    WAIO_TRY(st, waio_keras_bool(&there[0], call->config, "scale", true));
    WAIO_TRY(st, waio_keras_bool(&there[1], call->config, "center", true));
    for (int i = 0; i < 4; i++) {
        waio_keras_weight weight = {.index = index, .name = name[i]};
        weight.expected_count = 2 + there[0] + there[1];
        weight.shape = WAIO_SHAPE(x.dim[axis]);
        if (there[i])
            WAIO_TRY(st, waio_keras_read_weight(&node.input[1 + i], call, &weight));
        else
            WAIO_TRY(st, fill_constant(&node.input[1 + i], call, name[i], x.dim[axis], i == 0));
        index += there[i];
    }
    WAIO_TRY(st, waio_keras_emit(call, &node, NULL));
done:
    return st;
}
