/* The calls of a model: who is called with whose output. Between keras_model.c, which knows layers
 * and models, and keras_calls.c, which reads references to them. */
#ifndef WAIO_IMPORT_KERAS_CALLS_H
#define WAIO_IMPORT_KERAS_CALLS_H

#include "graph/graph.h"
#include "import/keras_model.h"

/* While one model is parsed. */
typedef struct waio_keras_parser {
    waio_keras_model *model;
    waio_keras_layer **by_name; /* sorted */
    waio_arena *arena;
    waio_keras_operand found[WAIO_MAX_INPUTS]; /* of the list that is being read */
    int found_count;
    bool keras3;
} waio_keras_parser;

/* Sorts the layers by name, for what follows; WAIO_EINPUT if two share one. */
waio_status waio_keras_sort_names(waio_keras_parser *p);
/* Reads the operands of all nodes from `layers`, the list in the config. */
waio_status waio_keras_read_calls(waio_keras_parser *p, const cJSON *layers);
/* Reads input_layers or output_layers, in which Keras 3 counts nodes in another way. */
waio_status waio_keras_read_ends(waio_keras_operand **out, int *count, waio_keras_parser *p,
                                 const cJSON *json, bool outputs);

#endif
