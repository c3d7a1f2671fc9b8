/* What the files of the TensorFlow Lite importer share: tensors of the file and the operators' row.
 * Field numbers and codes are those of TensorFlow Lite's schema.fbs, version 3. */
#ifndef WAIO_IMPORT_TFLITE_IMPORT_H
#define WAIO_IMPORT_TFLITE_IMPORT_H

#include "graph/graph.h"
#include "import/flatbuf.h"

typedef enum waio_tfl_type {
    WAIO_TFL_F32 = 0,
    WAIO_TFL_F16 = 1,
    WAIO_TFL_S32 = 2,
    WAIO_TFL_U8 = 3,
    WAIO_TFL_S64 = 4,
    WAIO_TFL_S16 = 7,
    WAIO_TFL_S8 = 9
} waio_tfl_type;

typedef struct waio_tfl_tensor {
    const char *name;
    waio_shape shape;
    waio_tfl_type type;
    waio_flat_vector scale, zero_point; /* f32, s64; no elements: not quantized */
    int32_t axis;                       /* that the scales run along */
    waio_flat_vector data;              /* bytes of a constant; at 0: computed or input */
    int id;                             /* value of the graph; -1: none yet */
} waio_tfl_tensor;

typedef struct waio_tfl {
    waio_flatbuf file;
    waio_arena *arena;
    waio_graph *graph;
    waio_tfl_tensor *tensor;
    uint32_t tensor_count;
} waio_tfl;

/* An operator while it is imported. */
typedef struct waio_tfl_operator {
    int32_t code;
    const char *name;               /* of its kind: "CONV_2D" */
    waio_flat_vector input, output; /* tensor indices; -1: left out */
    waio_flat_table options;
} waio_tfl_operator;

/* Tensor `i` of the inputs or outputs, NULL if it is left out. */
waio_status waio_tfl_operand(waio_tfl_tensor **out, waio_tfl *tfl, const waio_tfl_operator *op,
                             uint32_t i);
waio_status waio_tfl_result(waio_tfl_tensor **out, waio_tfl *tfl, const waio_tfl_operator *op);

/* The value of a tensor; a constant is brought into the graph as it lies in the file. */
waio_status waio_tfl_value(int *id, waio_tfl *tfl, waio_tfl_tensor *tensor);
/* A constant as `shape`, with element i taken from element `from[i]` (NULL: the same order) and its
 * scales along `axis`. */
waio_status waio_tfl_constant(int *id, waio_tfl *tfl, const waio_tfl_tensor *tensor,
                              const waio_shape *shape, const int64_t *from, int axis);
/* Whole numbers of a constant of 32 bits; WAIO_EUNSUPPORTED if it is computed. */
waio_status waio_tfl_ints(int64_t *out, int *count, int most, waio_tfl *tfl,
                          const waio_tfl_tensor *tensor);

/* Appends the node whose output is `tensor` and gives it the tensor's type. */
waio_status waio_tfl_node(waio_tfl *tfl, waio_node *node, waio_tfl_tensor *tensor);

/* Imports one operator; the row of its code decides how. */
waio_status waio_tfl_import_operator(waio_tfl *tfl, const waio_tfl_operator *op);
/* "ADD", "CONV_2D", ...; NULL if there is no row for the code. */
const char *waio_tfl_operator_name(int32_t code);

#endif
