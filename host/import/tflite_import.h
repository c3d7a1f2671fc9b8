/* What the files of the TensorFlow Lite importer share. Messages name the operator or the byte;
 * waio_import_tflite puts the file in front.
 *
 * Activations of the file are NHWC with the batch in front, as ours are. Codes of uint8 tensors are
 * held as int8, 128 lower, and so are their zero points: the same numbers. */
#ifndef WAIO_IMPORT_TFLITE_IMPORT_H
#define WAIO_IMPORT_TFLITE_IMPORT_H

#include "graph/graph.h"
#include "import/flatbuf.h"
#include "import/tflite_schema.h"

typedef struct waio_tfl_tensor {
    const char *name;
    waio_shape shape;
    int32_t type;                       /* waio_tfl_type, or one that only messages know */
    waio_flat_vector scale, zero_point; /* f32, s64; no elements: not quantized */
    int32_t axis;                       /* that the scales run along */
    waio_flat_vector data;              /* bytes of a constant; at 0: computed or input */
    bool as_float;                      /* a constant that a DEQUANTIZE makes floats of */
    bool outside;                       /* variable, sparse, or its data are not in the file */
    int id;                             /* value of the graph; -1: none yet */
} waio_tfl_tensor;

typedef struct waio_tfl {
    waio_flatbuf file;
    waio_arena *arena; /* dies with the import */
    waio_graph *graph;
    waio_tfl_tensor *tensor;
    uint32_t tensor_count;
    int64_t spare_numbers; /* how many numbers constants may still be copied to */
    /* Of WAIO_TFL_DETECTION: the values that it reads, the tensors that it gives. */
    int detector_input[2];
    waio_flat_vector detector_output;
} waio_tfl;

/* The one custom operator that is known. */
#define WAIO_TFL_DETECTION "TFLite_Detection_PostProcess"

/* An operator while it is imported. */
typedef struct waio_tfl_operator {
    int32_t code;
    const char *name;               /* of its kind: "CONV_2D" */
    waio_flat_vector input, output; /* tensor indices; -1: left out */
    waio_flat_table options;
    waio_flat_vector custom_options; /* bytes */
} waio_tfl_operator;

/* Where a weight's numbers go: into `shape`, element i from element from[i] of the file (NULL: the
 * same order). Output channels lie on `axis` in the file and on axis 0 here. */
typedef struct waio_tfl_layout {
    waio_shape shape;
    const int64_t *from;
    int axis;
} waio_tfl_layout;

/* What waio makes of one of the file's types. */
typedef struct waio_tfl_row {
    int32_t type;
    const char *name;
    size_t bytes;            /* of an element; 0: not supported */
    waio_type ours;          /* F32 for both floats */
    int bits;                /* of codes */
    int64_t lowest, highest; /* zero point */
} waio_tfl_row;

/* ---- tensors (tflite_tensor.c) ---- */

waio_status waio_tfl_read_tensor(waio_tfl_tensor *tensor, waio_tfl *tfl,
                                 const waio_flat_table *table, const waio_flat_vector *buffers);
/* The row of a tensor that becomes a value, or why it cannot. */
waio_status waio_tfl_value_type(const waio_tfl_row **row, const waio_tfl_tensor *tensor);
/* Scales and zero points in the import's arena; with `zero_scale` a scale may be 0, as converters
 * write it for a channel of zeros. */
waio_status waio_tfl_params(waio_value_params *params, const waio_tfl_row *row, const waio_tfl *tfl,
                            const waio_tfl_tensor *tensor, bool zero_scale);
/* Gives value `id`, an input or a node's output, the type and parameters of `tensor`. */
waio_status waio_tfl_set_type(waio_tfl *tfl, int id, const waio_tfl_tensor *tensor);

/* ---- constants (tflite_constant.c) ---- */

/* The value of a tensor; a constant is brought into the graph as it lies in the file. */
waio_status waio_tfl_value(int *id, waio_tfl *tfl, waio_tfl_tensor *tensor);
/* A constant in another layout; codes become floats if `as_float` asks for it or a DEQUANTIZE does.
 */
waio_status waio_tfl_weight(int *id, waio_tfl *tfl, const waio_tfl_tensor *tensor,
                            const waio_tfl_layout *layout, bool as_float);
/* The one number of a constant, as it is meant (codes by their scale). */
waio_status waio_tfl_number(float *out, const waio_tfl *tfl, const waio_tfl_tensor *tensor);
/* All numbers of a constant, codes as the floats that they stand for. */
waio_status waio_tfl_floats(float *out, const waio_tfl *tfl, const waio_tfl_tensor *tensor);
/* Whole numbers of a constant of 32 or 64 bits; WAIO_EUNSUPPORTED if it is computed. */
waio_status waio_tfl_ints(int64_t *out, int *count, int most, const waio_tfl *tfl,
                          const waio_tfl_tensor *tensor);

/* ---- detectors (tflite_detection.c) ---- */

waio_status waio_tfl_import_detection(waio_tfl *tfl, const waio_tfl_operator *op);
/* Makes what the operator reads the graph's outputs; `outputs` are the file's. */
waio_status waio_tfl_detection_outputs(waio_tfl *tfl, const waio_flat_vector *outputs);

/* ---- operators (tflite_ops.c) ---- */

/* Tensor `i` of the inputs, NULL if it is left out. */
waio_status waio_tfl_operand(waio_tfl_tensor **out, waio_tfl *tfl, const waio_tfl_operator *op,
                             uint32_t i);
/* The same, where it must be there. */
waio_status waio_tfl_required(waio_tfl_tensor **out, waio_tfl *tfl, const waio_tfl_operator *op,
                              uint32_t i);
/* The one output. */
waio_status waio_tfl_result(waio_tfl_tensor **out, waio_tfl *tfl, const waio_tfl_operator *op);
/* Tensor `index` of the file; NULL for -1. */
waio_status waio_tfl_tensor_at(waio_tfl_tensor **out, waio_tfl *tfl, int32_t index);

/* Input 0 becomes the node's only input; what stands behind it are parameters. */
waio_status waio_tfl_first(waio_tfl_tensor **x, waio_tfl *tfl, const waio_tfl_operator *op,
                           waio_node *node);
/* All inputs become the node's. */
waio_status waio_tfl_all(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node);
/* The fused activation in option `field` becomes the node's clamp. */
waio_status waio_tfl_activation(waio_node *node, const waio_tfl *tfl, const waio_tfl_operator *op,
                                int field);

/* Imports one operator; the row of its code in tflite_ops.def decides how. */
waio_status waio_tfl_import_operator(waio_tfl *tfl, const waio_tfl_operator *op);
/* "ADD", "CONV_2D", ...; NULL if TensorFlow Lite has no such operator. */
const char *waio_tfl_builtin_name(int32_t code);

/* Fills `node`, whose op the row has set; WAIO_OP_COUNT there afterwards: no node is needed. */
typedef waio_status waio_tfl_function(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node);
#define WAIO_TFL_OP(code, name, ENUM, function) waio_tfl_function waio_tfl_op_##function;
#include "import/tflite_ops.def"
#undef WAIO_TFL_OP

#endif
