/* The layers that the Keras importer knows: one row each, with the function that adds its nodes.
 * A new layer is a function in the file it belongs to, a line below and a row in keras_layers.c.
 * Private to the importer. */
#ifndef WAIO_IMPORT_KERAS_LAYERS_H
#define WAIO_IMPORT_KERAS_LAYERS_H

#include "graph/graph.h"
#include "import/h5_read.h"
#include "import/keras_json.h"
#include "import/keras_model.h"

/* What is the same for a whole file. */
typedef struct waio_keras_file {
    const waio_h5 *h5;
    const char *weights_root; /* "model_weights", or "" when the weights stand at the root */
    waio_graph *graph;
    waio_arena *arena; /* until the import is done */
} waio_keras_file;

/* One call of one layer. */
typedef struct waio_keras_call {
    waio_keras_file *file;
    waio_keras_layer *layer;
    const cJSON *config;
    const char *name; /* for the nodes: the layer's path, "@1" behind it for its second call */
    int input[WAIO_MAX_INPUTS]; /* value ids */
    int input_count;
    int output; /* value id: what the layer function finds out */
} waio_keras_call;

typedef waio_status waio_keras_add(waio_keras_call *call);

typedef struct waio_keras_row {
    const char *class_name;
    waio_keras_add *add;
    int least, most; /* inputs */
    bool trains;     /* does something else in training mode */
} waio_keras_row;

/* NULL: not supported. */
const waio_keras_row *waio_keras_find_row(const char *class_name);
/* "Conv2D, Dense, ...", in `arena`; NULL when out of memory. */
const char *waio_keras_supported(waio_arena *arena);

/* ---- for the layer functions (keras_layers.c) ---- */

waio_shape waio_keras_shape_of(const waio_keras_call *call, int value);
/* WAIO_EUNSUPPORTED unless the data format is channels_last; WAIO_EINPUT unless the input is an
 * image (rank 4), whose shape goes to `shape`. */
waio_status waio_keras_image(waio_shape *shape, const waio_keras_call *call);
/* Adds `proto` under the call's name (and "/suffix" if that is not NULL); its value becomes
 * call->output. */
waio_status waio_keras_emit(waio_keras_call *call, waio_node *proto, const char *suffix);
/* "name/suffix", in the file's arena; NULL when out of memory. */
const char *waio_keras_join(const waio_keras_call *call, const char *suffix);
/* "same" or "valid" around a window; pad is top, left, bottom, right. */
waio_status waio_keras_padding(int pad[4], const waio_keras_call *call, const waio_shape *x,
                               const int kernel[2], const int stride[2], const int dilation[2]);

/* Numbers written into the JSON (waio_keras_array_shape) become the constant "name/key"; a single
 * one gets the shape (1). (keras_merge.c) */
waio_status waio_keras_read_numbers(int *id, float **data, int64_t *count, waio_keras_call *call,
                                    const cJSON *item, const char *key);

/* ---- weights (keras_weights.c) ---- */

/* A weight of a layer: `shape` is that of the data set by the config. */
typedef struct waio_keras_weight {
    int index;          /* among the layer's data sets */
    int expected_count; /* of those data sets */
    const char *name;   /* "kernel" */
    waio_shape shape;
    int perm[4]; /* dimension i of the constant is dimension perm[i] of the data set */
    waio_shape constant_shape; /* rank 0: the permuted shape */
} waio_keras_weight;

/* Reads it (once for all calls of a layer) into a constant of the graph. */
waio_status waio_keras_read_weight(int *id, waio_keras_call *call, const waio_keras_weight *weight);

/* ---- activations (keras_activation.c) ---- */

/* Adds what the config's "activation" says to call->output; nothing for linear. */
waio_status waio_keras_add_activation(waio_keras_call *call);

/* ---- the layer functions ---- */

waio_keras_add waio_keras_conv2d, waio_keras_depthwise_conv2d, waio_keras_separable_conv2d;
waio_keras_add waio_keras_dense, waio_keras_batch_norm;
waio_keras_add waio_keras_activation, waio_keras_relu, waio_keras_softmax;
waio_keras_add waio_keras_merge_add, waio_keras_merge_subtract, waio_keras_merge_multiply;
waio_keras_add waio_keras_merge_maximum, waio_keras_concatenate;
waio_keras_add waio_keras_rescaling, waio_keras_normalization;
waio_keras_add waio_keras_average_pooling, waio_keras_max_pooling;
waio_keras_add waio_keras_global_average_pooling, waio_keras_global_max_pooling;
waio_keras_add waio_keras_zero_padding, waio_keras_flatten, waio_keras_reshape, waio_keras_permute;
waio_keras_add waio_keras_up_sampling, waio_keras_resizing;
waio_keras_add waio_keras_identity;

#endif
