/* The architecture of a Keras file as it is written there: layers, and the calls that connect them.
 * A layer called twice has two nodes and one set of weights; a layer may itself be a model.
 * Everything lives in the arena given to waio_keras_model_parse; names and configs point into the
 * JSON tree, which must live as long. Private to the importer. */
#ifndef WAIO_IMPORT_KERAS_MODEL_H
#define WAIO_IMPORT_KERAS_MODEL_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "util/arena.h"
#include "util/status.h"

enum { WAIO_KERAS_MOST_WEIGHTS = 5 };

typedef struct waio_keras_operand {
    int node, tensor;      /* an output of a node of the same model, ... */
    const cJSON *constant; /* ... unless this is set: numbers written into the call */
} waio_keras_operand;

typedef struct waio_keras_node {
    int layer;
    int call; /* 0, 1, ... among the nodes of its layer */
    waio_keras_operand *operand;
    int operand_count;
    int first_output;     /* where its outputs stand in the model's table of values */
    bool forced_training; /* called with training=True, which Keras 2 keeps at inference */
} waio_keras_node;

typedef struct waio_keras_layer {
    const char *name, *class_name;
    const char *path; /* with the names of the models around it, "encoder/block/conv" */
    const cJSON *config;
    const cJSON *input_dims;          /* of an input layer, NULL when the file does not say */
    const struct waio_keras_row *row; /* NULL: the layer is an input or a model */
    struct waio_keras_model *model;   /* NULL: it is not a model */
    struct waio_keras_layer *top;     /* the layer of the outermost model that holds it */
    int first_node, node_count;
    /* Filled by keras_weights.c. */
    char **weight; /* names of its data sets, NULL before they are read */
    int weight_count;
    int constant[WAIO_KERAS_MOST_WEIGHTS]; /* value ids, -1 before the data set is read */
} waio_keras_layer;

typedef struct waio_keras_model {
    const char *name;
    waio_keras_layer *layer;
    int layer_count;
    waio_keras_node *node;
    int node_count;
    waio_keras_operand *input, *output;
    int input_count, output_count;
    int value_count; /* outputs of all nodes together */
} waio_keras_model;

/* From {"class_name": "Functional", "config": {...}}, as Keras 2 and Keras 3 write it.
 * WAIO_EINPUT: keys missing, calls that refer to nothing; WAIO_EUNSUPPORTED: an unknown class. */
waio_status waio_keras_model_parse(waio_keras_model **out, const cJSON *json, waio_arena *arena);

static inline bool waio_keras_is_input(const waio_keras_layer *layer)
{
    return !layer->row && !layer->model;
}

#endif
