/* The table of layers, and what their functions share. Layers that do nothing at inference (noise,
 * dropout, augmentation) are the identity and leave no node. */
#include "import/keras_layers.h"

#include <string.h>

enum { ANY = WAIO_MAX_INPUTS };

/* Sorted by name, for the reader's sake. */
static const waio_keras_row table[] = {
    {"Activation", waio_keras_activation, 1, 1, false},
    {"ActivityRegularization", waio_keras_identity, 1, 1, false},
    {"Add", waio_keras_merge_add, 2, ANY, false},
    {"AlphaDropout", waio_keras_identity, 1, 1, true},
    {"AveragePooling2D", waio_keras_average_pooling, 1, 1, false},
    {"BatchNormalization", waio_keras_batch_norm, 1, 1, true},
    {"Concatenate", waio_keras_concatenate, 1, ANY, false},
    {"Conv2D", waio_keras_conv2d, 1, 1, false},
    {"Dense", waio_keras_dense, 1, 1, false},
    {"DepthwiseConv2D", waio_keras_depthwise_conv2d, 1, 1, false},
    {"Dropout", waio_keras_identity, 1, 1, true},
    {"Flatten", waio_keras_flatten, 1, 1, false},
    {"GaussianDropout", waio_keras_identity, 1, 1, true},
    {"GaussianNoise", waio_keras_identity, 1, 1, true},
    {"GlobalAveragePooling2D", waio_keras_global_average_pooling, 1, 1, false},
    {"GlobalMaxPooling2D", waio_keras_global_max_pooling, 1, 1, false},
    {"Identity", waio_keras_identity, 1, 1, false},
    {"MaxPooling2D", waio_keras_max_pooling, 1, 1, false},
    {"Maximum", waio_keras_merge_maximum, 2, ANY, false},
    {"Multiply", waio_keras_merge_multiply, 2, ANY, false},
    {"Normalization", waio_keras_normalization, 1, 1, false},
    {"Permute", waio_keras_permute, 1, 1, false},
    {"RandomBrightness", waio_keras_identity, 1, 1, true},
    {"RandomContrast", waio_keras_identity, 1, 1, true},
    {"RandomFlip", waio_keras_identity, 1, 1, true},
    {"RandomRotation", waio_keras_identity, 1, 1, true},
    {"RandomTranslation", waio_keras_identity, 1, 1, true},
    {"RandomZoom", waio_keras_identity, 1, 1, true},
    {"ReLU", waio_keras_relu, 1, 1, false},
    {"Rescaling", waio_keras_rescaling, 1, 1, false},
    {"Reshape", waio_keras_reshape, 1, 1, false},
    {"Resizing", waio_keras_resizing, 1, 1, false},
    {"SeparableConv2D", waio_keras_separable_conv2d, 1, 1, false},
    {"Softmax", waio_keras_softmax, 1, 1, false},
    {"SpatialDropout2D", waio_keras_identity, 1, 1, true},
    {"Subtract", waio_keras_merge_subtract, 2, 2, false},
    {"UpSampling2D", waio_keras_up_sampling, 1, 1, false},
    {"ZeroPadding2D", waio_keras_zero_padding, 1, 1, false},
};

const waio_keras_row *waio_keras_find_row(const char *class_name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].class_name, class_name) == 0)
            return &table[i];
    return NULL;
}

const char *waio_keras_supported(waio_arena *arena)
{
    char *text = waio_arena_strdup(arena, "Functional, InputLayer, Sequential");

    for (size_t i = 0; text && i < sizeof table / sizeof *table; i++)
        text = waio_arena_printf(arena, "%s, %s", text, table[i].class_name);
    return text;
}

/* ---- helpers ---- */

waio_shape waio_keras_shape_of(const waio_keras_call *call, int value)
{
    return call->file->graph->value[value].shape;
}

waio_status waio_keras_image(waio_shape *shape, const waio_keras_call *call)
{
    const char *format = NULL;
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_keras_text(&format, call->config, "data_format", "channels_last"));
    if (strcmp(format, "channels_last") != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "data_format %s; supported: channels_last", format);
    *shape = waio_keras_shape_of(call, call->input[0]);
    if (shape->rank != 4)
        WAIO_FAIL(st, WAIO_EINPUT, "the input has %d dimensions, expected 4 (an image)",
                  shape->rank);
done:
    return st;
}

const char *waio_keras_join(const waio_keras_call *call, const char *suffix)
{
    return waio_arena_printf(call->file->arena, "%s/%s", call->name, suffix);
}

waio_status waio_keras_emit(waio_keras_call *call, waio_node *proto, const char *suffix)
{
    proto->name = suffix ? waio_keras_join(call, suffix) : call->name;
    return proto->name ? waio_graph_add_node(call->file->graph, &call->output, proto) : WAIO_ENOMEM;
}

waio_status waio_keras_padding(int pad[4], const waio_keras_call *call, const waio_shape *x,
                               const int kernel[2], const int stride[2], const int dilation[2])
{
    const char *padding = NULL;
    waio_status st = WAIO_OK;

    memset(pad, 0, 4 * sizeof *pad);
    WAIO_TRY(st, waio_keras_text(&padding, call->config, "padding", "valid"));
    if (strcmp(padding, "valid") == 0)
        goto done;
    if (strcmp(padding, "same") != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "padding %s; supported: valid, same", padding);
    for (int i = 0; i < 2; i++)
        WAIO_TRY(st, waio_keras_same_padding(&pad[i], &pad[i + 2], x->dim[1 + i], kernel[i],
                                             stride[i], dilation[i]));
done:
    return st;
}

waio_status waio_keras_identity(waio_keras_call *call)
{
    call->output = call->input[0];
    return WAIO_OK;
}
