/* What the files of the TensorFlow Lite exporter share: the tensors and operators of the file to
 * be, before they become bytes. Numbers of types, operators and fields are those of TensorFlow
 * Lite's schema.fbs, version 3. */
#ifndef WAIO_EXPORT_TFLITE_OUT_H
#define WAIO_EXPORT_TFLITE_OUT_H

#include "export/flatbuild.h"
#include "graph/graph.h"

typedef enum waio_tflo_type {
    WAIO_TFLO_F32 = 0,
    WAIO_TFLO_F16 = 1,
    WAIO_TFLO_S32 = 2,
    WAIO_TFLO_S64 = 4,
    WAIO_TFLO_S16 = 7,
    WAIO_TFLO_S8 = 9,
    WAIO_TFLO_S4 = 17
} waio_tflo_type;

typedef struct waio_tflo_tensor {
    const char *name;
    waio_shape shape;
    waio_tflo_type type;
    const waio_value_params *params; /* scales and zero points; NULL: none */
    int axis;                        /* that they run along */
    bool batched;                    /* dimension 0 is the batch, of any size */
    const void *data;                /* of a constant; NULL: computed or input */
    size_t bytes;
} waio_tflo_tensor;

enum { WAIO_TFLO_MOST_OPTIONS = 8 };

typedef struct waio_tflo_operator {
    int code, version;
    int input[WAIO_MAX_INPUTS], input_count; /* tensors */
    int output;
    int options; /* the options' place in the schema's union; 0: none */
    waio_flat_slot option[WAIO_TFLO_MOST_OPTIONS];
    int option_count;
} waio_tflo_operator;

typedef struct waio_tflo {
    const waio_graph *graph;
    waio_arena *arena;
    waio_tflo_tensor *tensor;
    int tensor_count, tensor_capacity;
    waio_tflo_operator *op;
    int op_count, op_capacity;
    int *of_value; /* per value of the graph: its tensor, -1 */
} waio_tflo;

/* ---- tensors (tflite_tensors.c) ---- */

waio_status waio_tflo_add_tensor(waio_tflo *out, int *tensor, const waio_tflo_tensor *proto);
waio_status waio_tflo_add_operator(waio_tflo *out, const waio_tflo_operator *op);

/* The tensor of a value. A float constant that is kept narrow comes out of a DEQUANTIZE. */
waio_status waio_tflo_value(waio_tflo *out, int *tensor, int id);
/* A tensor like that of value `id`, computed, for numbers on the way to it. */
waio_status waio_tflo_like(waio_tflo *out, int *tensor, int id, const waio_shape *shape,
                           const char *suffix);
/* A constant of int32 numbers. */
waio_status waio_tflo_ints(waio_tflo *out, int *tensor, const char *name, const int32_t *number,
                           const waio_shape *shape);
/* A scalar on the grid of value `id`: the code, or, if it is float, the number. */
waio_status waio_tflo_scalar(waio_tflo *out, int *tensor, int id, const char *suffix, float number,
                             int32_t code);
/* The weight of `node`: int4 where `packed`; `depthwise` brings (C, H, W, 1) to (1, H, W, C). */
waio_status waio_tflo_weight(waio_tflo *out, int *tensor, const waio_node *node, bool depthwise,
                             bool packed);
/* Its bias; zeros if it has none, which not every runtime does without. */
waio_status waio_tflo_bias(waio_tflo *out, int *tensor, const waio_node *node);

/* ---- operators (tflite_nodes.c, tflite_clamp.c) ---- */

void waio_tflo_option(waio_tflo_operator *op, int id, int bytes, int64_t value);

/* How much of a node's clamp an operator does itself. */
enum { WAIO_TFLO_NO_FUSION = -1 };

/* Appends `op`, whose result is the node's output before its clamp. `fusion` is the field of its
 * options that takes an activation; `kept`: its codes lie in the output's range already. What is
 * left of the clamp, and of the range that the output's bits allow, is done by MAXIMUM and MINIMUM
 * behind it. */
waio_status waio_tflo_finish(waio_tflo *out, const waio_node *node, waio_tflo_operator *op,
                             int fusion, bool kept);
/* A clip: RELU and its like where it is one, else a requantization and the bounds behind it. */
waio_status waio_tflo_clip(waio_tflo *out, const waio_node *node);

waio_status waio_tflo_node(waio_tflo *out, const waio_node *node);

/* The version of operator `code` that its types ask for. */
int waio_tflo_version(int code, waio_type type);

#endif
