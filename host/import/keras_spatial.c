/* Layers that move cells or summarise them: pooling, padding, reshaping, resizing. */
#include <limits.h>
#include <string.h>

#include "import/keras_layers.h"

/* ---- pooling ---- */

static waio_status pool(waio_keras_call *call, waio_op op)
{
    static const int no_dilation[2] = {1, 1};
    waio_node node = {.op = op, .input = {call->input[0]}, .input_count = 1};
    waio_pool_params *p = &node.pool;
    waio_status st = WAIO_OK;
    waio_shape x;

    WAIO_TRY(st, waio_keras_image(&x, call));
    WAIO_TRY(st, waio_keras_pair(p->kernel, call->config, "pool_size", 1, 2));
    memcpy(p->stride, p->kernel, sizeof p->stride);
    if (waio_keras_get(call->config, "strides"))
        WAIO_TRY(st, waio_keras_pair(p->stride, call->config, "strides", 1, 1));
    WAIO_TRY(st, waio_keras_padding(p->pad, call, &x, p->kernel, p->stride, no_dilation));
    WAIO_TRY(st, waio_keras_emit(call, &node, NULL));
done:
    return st;
}

waio_status waio_keras_average_pooling(waio_keras_call *call)
{
    return pool(call, WAIO_OP_AVG_POOL);
}

waio_status waio_keras_max_pooling(waio_keras_call *call)
{
    return pool(call, WAIO_OP_MAX_POOL);
}

waio_status waio_keras_global_average_pooling(waio_keras_call *call)
{
    waio_node node = {.op = WAIO_OP_MEAN, .input = {call->input[0]}, .input_count = 1};
    waio_status st = WAIO_OK;
    waio_shape x;

    WAIO_TRY(st, waio_keras_image(&x, call));
    node.reduce.axes = 1u << 1 | 1u << 2;
    WAIO_TRY(st, waio_keras_bool(&node.reduce.keep_dims, call->config, "keepdims", false));
    WAIO_TRY(st, waio_keras_emit(call, &node, NULL));
done:
    return st;
}

/* One window over the whole image; there is no reducing maximum among the ops. */
waio_status waio_keras_global_max_pooling(waio_keras_call *call)
{
    waio_node node = {.op = WAIO_OP_MAX_POOL, .input = {call->input[0]}, .input_count = 1};
    waio_node flat = {.op = WAIO_OP_RESHAPE, .input_count = 1};
    waio_status st = WAIO_OK;
    waio_shape x;
    bool keep_dims;

    WAIO_TRY(st, waio_keras_image(&x, call));
    WAIO_TRY(st, waio_keras_bool(&keep_dims, call->config, "keepdims", false));
    if (x.dim[1] > INT_MAX || x.dim[2] > INT_MAX)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the image is too large");
    for (int i = 0; i < 2; i++) {
        node.pool.kernel[i] = (int)x.dim[1 + i];
        node.pool.stride[i] = 1;
    }
    WAIO_TRY(st, waio_keras_emit(call, &node, keep_dims ? NULL : "max_pool"));
    if (!keep_dims) {
        flat.input[0] = call->output;
        flat.reshape.shape = WAIO_SHAPE(1, x.dim[3]);
        WAIO_TRY(st, waio_keras_emit(call, &flat, NULL));
    }
done:
    return st;
}

/* ---- padding and reshaping ---- */

/* One number, [height, width] or [[top, bottom], [left, right]]. */
waio_status waio_keras_zero_padding(waio_keras_call *call)
{
    waio_node node = {.op = WAIO_OP_PAD, .input = {call->input[0]}, .input_count = 1};
    const cJSON *item = waio_keras_get(call->config, "padding");
    waio_status st = WAIO_OK;
    int pad[2][2] = {{1, 1}, {1, 1}};
    waio_shape x;

    WAIO_TRY(st, waio_keras_image(&x, call));
    if (cJSON_IsArray(item) && cJSON_GetArraySize(item) != 2)
        WAIO_FAIL(st, WAIO_EINPUT, "padding: expected one number for each side or axis");
    for (int i = 0; i < 2 && item; i++) {
        const cJSON *axis = cJSON_IsArray(item) ? cJSON_GetArrayItem(item, i) : item;
        WAIO_TRY(st, waio_keras_pair_of(pad[i], axis, "padding", 0));
    }
    for (int i = 0; i < 2; i++) {
        node.pad.before[1 + i] = pad[i][0];
        node.pad.after[1 + i] = pad[i][1];
    }
    WAIO_TRY(st, waio_keras_emit(call, &node, NULL));
done:
    return st;
}

static waio_status reshape(waio_keras_call *call, const waio_shape *to)
{
    waio_node node = {.op = WAIO_OP_RESHAPE, .input = {call->input[0]}, .input_count = 1};

    node.reshape.shape = *to;
    return waio_keras_emit(call, &node, NULL);
}

waio_status waio_keras_flatten(waio_keras_call *call)
{
    waio_shape x = waio_keras_shape_of(call, call->input[0]);
    waio_shape flat = WAIO_SHAPE(1, waio_shape_count(&x));

    return reshape(call, &flat);
}

waio_status waio_keras_reshape(waio_keras_call *call)
{
    waio_shape x = waio_keras_shape_of(call, call->input[0]), to = WAIO_SHAPE(1);
    const cJSON *item, *list = waio_keras_get(call->config, "target_shape");
    int64_t count = waio_shape_count(&x), known = 1;
    waio_status st = WAIO_OK;
    int open = -1;

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > WAIO_MAX_RANK - 1)
        WAIO_FAIL(st, WAIO_EINPUT, "target_shape: expected a list of at most %d numbers",
                  WAIO_MAX_RANK - 1);
    cJSON_ArrayForEach(item, list)
    {
        int size = cJSON_IsNumber(item) ? item->valueint : 0;
        if (size == -1 && open < 0)
            open = to.rank;
        else if (size < 1 || known > count / size)
            WAIO_FAIL(st, WAIO_EINPUT, "target_shape does not fit %lld numbers", (long long)count);
        else
            known *= size;
        to.dim[to.rank++] = size;
    }
    if (open >= 0)
        to.dim[open] = count / known;
    WAIO_TRY(st, reshape(call, &to));
done:
    return st;
}

waio_status waio_keras_permute(waio_keras_call *call)
{
    waio_node node = {.op = WAIO_OP_TRANSPOSE, .input = {call->input[0]}, .input_count = 1};
    int rank = waio_keras_shape_of(call, call->input[0]).rank;
    const cJSON *item, *list = waio_keras_get(call->config, "dims");
    waio_status st = WAIO_OK;
    int i = 1;

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != rank - 1)
        WAIO_FAIL(st, WAIO_EINPUT, "dims: expected a list of %d numbers", rank - 1);
    cJSON_ArrayForEach(item, list) node.transpose.perm[i++] =
        cJSON_IsNumber(item) ? item->valueint : -1;
    WAIO_TRY(st, waio_keras_emit(call, &node, NULL));
done:
    return st;
}

/* ---- resizing ---- */

static waio_status resize(waio_keras_call *call, int64_t height, int64_t width)
{
    waio_node node = {.op = WAIO_OP_RESIZE, .input = {call->input[0]}, .input_count = 1};
    const char *interpolation = NULL;
    waio_status st = WAIO_OK;

    if (height > INT_MAX || width > INT_MAX)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the image becomes too large");
    WAIO_TRY(st, waio_keras_text(&interpolation, call->config, "interpolation", "nearest"));
    node.resize.out[0] = (int)height;
    node.resize.out[1] = (int)width;
    node.resize.half_pixel = true; /* as tf.image.resize does since TensorFlow 2 */
    node.resize.bilinear = strcmp(interpolation, "bilinear") == 0;
    if (!node.resize.bilinear && strcmp(interpolation, "nearest") != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "interpolation %s; supported: nearest, bilinear",
                  interpolation);
    WAIO_TRY(st, waio_keras_emit(call, &node, NULL));
done:
    return st;
}

waio_status waio_keras_up_sampling(waio_keras_call *call)
{
    waio_status st = WAIO_OK;
    waio_shape x;
    int size[2];

    WAIO_TRY(st, waio_keras_image(&x, call));
    WAIO_TRY(st, waio_keras_pair(size, call->config, "size", 1, 2));
    WAIO_TRY(st, resize(call, x.dim[1] * size[0], x.dim[2] * size[1]));
done:
    return st;
}

waio_status waio_keras_resizing(waio_keras_call *call)
{
    static const char *const option[] = {"crop_to_aspect_ratio", "pad_to_aspect_ratio",
                                         "antialias"};
    waio_status st = WAIO_OK;
    int height, width;
    waio_shape x;
    bool on;

    WAIO_TRY(st, waio_keras_image(&x, call));
    for (int i = 0; i < 3; i++) {
        WAIO_TRY(st, waio_keras_bool(&on, call->config, option[i], false));
        if (on)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s=True is not supported", option[i]);
    }
    WAIO_TRY(st, waio_keras_int(&height, call->config, "height", 1, WAIO_KERAS_REQUIRED));
    WAIO_TRY(st, waio_keras_int(&width, call->config, "width", 1, WAIO_KERAS_REQUIRED));
    WAIO_TRY(st, resize(call, height, width));
done:
    return st;
}
