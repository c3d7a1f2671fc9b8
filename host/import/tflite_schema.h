/* Numbers of TensorFlow Lite's schema.fbs, version 3, as far as the importer reads them: fields of
 * its tables by position, and the values of its enums. Options of operators stand where they are
 * read. */
#ifndef WAIO_IMPORT_TFLITE_SCHEMA_H
#define WAIO_IMPORT_TFLITE_SCHEMA_H

enum { MODEL_CODES = 1, MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4 };
enum { GRAPH_TENSORS = 0, GRAPH_INPUTS = 1, GRAPH_OUTPUTS = 2, GRAPH_OPERATORS = 3 };
enum {
    TENSOR_SHAPE = 0,
    TENSOR_TYPE = 1,
    TENSOR_BUFFER = 2,
    TENSOR_NAME = 3,
    TENSOR_QUANT = 4,
    TENSOR_VARIABLE = 5,
    TENSOR_SPARSITY = 6
};
enum { QUANT_SCALE = 2, QUANT_ZERO_POINT = 3, QUANT_AXIS = 6 };
enum { BUFFER_DATA = 0, BUFFER_OFFSET = 1, BUFFER_SIZE = 2 };
enum {
    OPERATOR_CODE = 0,
    OPERATOR_INPUTS = 1,
    OPERATOR_OUTPUTS = 2,
    OPERATOR_OPTIONS = 4,
    OPERATOR_CUSTOM_OPTIONS = 5
};
enum { CODE_OLD = 0, CODE_CUSTOM = 1, CODE_NEW = 3 };

enum { BUILTIN_ADD = 0, BUILTIN_CUSTOM = 32, BUILTIN_SUB = 41 };
enum { PADDING_SAME = 0, PADDING_VALID = 1 };
enum { ACT_NONE = 0, ACT_RELU = 1, ACT_RELU_N1_TO_1 = 2, ACT_RELU6 = 3 };

typedef enum waio_tfl_type {
    WAIO_TFL_F32 = 0,
    WAIO_TFL_F16 = 1,
    WAIO_TFL_S32 = 2,
    WAIO_TFL_U8 = 3,
    WAIO_TFL_S64 = 4,
    WAIO_TFL_BOOL = 6,
    WAIO_TFL_S16 = 7,
    WAIO_TFL_S8 = 9,
    WAIO_TFL_S4 = 17
} waio_tfl_type;

#endif
