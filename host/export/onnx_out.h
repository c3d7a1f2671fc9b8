/* What the files of the ONNX exporter share: the model to be, as protobuf-c's structs in an arena.
 *
 * Tensors are known by their names. Out of memory: everything after it does nothing and gives "",
 * waio_onnx_write says so in the end. */
#ifndef WAIO_EXPORT_ONNX_OUT_H
#define WAIO_EXPORT_ONNX_OUT_H

#include "graph/graph.h"
#include "onnx/onnx.pb-c.h"

/* Element types of ONNX, as onnx.proto numbers them. */
typedef enum waio_onnxo_type {
    WAIO_ONNXO_F32 = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    WAIO_ONNXO_U8 = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
    WAIO_ONNXO_S8 = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
    WAIO_ONNXO_S16 = ONNX__TENSOR_PROTO__DATA_TYPE__INT16,
    WAIO_ONNXO_S32 = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
    WAIO_ONNXO_S64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    WAIO_ONNXO_F16 = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16
} waio_onnxo_type;

/* The order of an image's dimensions. Values of other than four dimensions have the plain one. */
typedef enum waio_onnxo_order {
    WAIO_ONNXO_PLAIN, /* the graph's: N, H, W, C */
    WAIO_ONNXO_FIRST  /* N, C, H, W */
} waio_onnxo_order;

/* The tensors that hold a value of the graph, by order; NULL: not there (yet). */
typedef struct waio_onnxo_value {
    const char *real[2], *codes[2];
    const char *scale, *zero_point;
    bool visible; /* the network's input or an output */
} waio_onnxo_value;

typedef struct waio_onnxo {
    const waio_graph *graph;
    waio_arena *arena;
    int opset;
    const char *input;       /* the tensor that enters the network */
    bool failed;             /* out of memory */
    waio_onnxo_value *value; /* one per value of the graph */
    Onnx__NodeProto **node;  /* released with free(), as the next two */
    Onnx__TensorProto **constant;
    const char **taken; /* names: a hash table */
    size_t node_count, node_capacity, constant_count, constant_capacity;
    size_t taken_count, taken_capacity;
} waio_onnxo;

/* ---- onnx_build.c ---- */

/* `base` if no tensor has that name yet, else "base/suffix", else that with a number. */
char *waio_onnxo_name(waio_onnxo *out, const char *base, const char *suffix);

/* Appends a node and gives the name of its result, made from `base`. An input may be "": left out.
 */
const char *waio_onnxo_node(waio_onnxo *out, const char *op, const char *base, int count,
                            const char *const *input);
#define WAIO_ONNXO_NODE(out, op, base, ...)                                                        \
    waio_onnxo_node((out), (op), (base),                                                           \
                    (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *)),           \
                    (const char *[]){__VA_ARGS__})

/* Attributes of the node appended last. */
void waio_onnxo_int(waio_onnxo *out, const char *name, int64_t value);
void waio_onnxo_ints(waio_onnxo *out, const char *name, const int64_t *value, int count);
void waio_onnxo_float(waio_onnxo *out, const char *name, float value);
void waio_onnxo_text(waio_onnxo *out, const char *name, const char *value);

/* A constant named "base/suffix" (NULL: after `base` alone); `data` is `bytes` long and stays where
 * it is. */
const char *waio_onnxo_constant(waio_onnxo *out, const char *base, const char *suffix,
                                waio_onnxo_type type, const waio_shape *shape, const void *data,
                                size_t bytes);
/* The same, with a copy of few numbers: without a dimension, or of one. */
const char *waio_onnxo_scalar(waio_onnxo *out, const char *base, const char *suffix, float value);
const char *waio_onnxo_numbers(waio_onnxo *out, const char *base, const char *suffix,
                               const int64_t *value, int count);
/* Zeroed memory of the model's, NULL when out of memory. */
void *waio_onnxo_room(waio_onnxo *out, size_t count, size_t size);

/* ---- onnx_constants.c ---- */

/* A constant's numbers in another order: dimension i is dimension perm[i] of `shape`, which is the
 * value's own but for dimensions of 1 in front. Scales per channel run along `axis` of the result.
 */
typedef struct waio_onnxo_turn {
    waio_shape shape;
    int perm[WAIO_MAX_RANK];
    int axis;
} waio_onnxo_turn;

/* The float tensor of a node's weight or bias. */
const char *waio_onnxo_weight(waio_onnxo *out, int id, const waio_onnxo_turn *turn);
const char *waio_onnxo_bias(waio_onnxo *out, int id);
/* That of any other constant; images in `order` of `rank` dimensions. */
const char *waio_onnxo_operand(waio_onnxo *out, int id, waio_onnxo_order order, int rank);

/* ---- onnx_forms.c ---- */

/* The order in which the results of nodes are written. */
waio_onnxo_order waio_onnxo_order_of(const waio_onnxo *out, int id);
/* Dimension `axis` of the graph's order in `order`. */
int waio_onnxo_axis(const waio_onnxo *out, int id, waio_onnxo_order order, int axis);
/* Whether both orders of an image are the same numbers one after the other. */
bool waio_onnxo_orders_agree(const waio_shape *shape);
/* The type of a value's codes in the file, and what is added to them. */
waio_onnxo_type waio_onnxo_code_type(const waio_onnxo *out, int id);
int waio_onnxo_code_offset(waio_onnxo_type type);

/* The numbers of a value (no constant) as float; its codes. */
const char *waio_onnxo_real(waio_onnxo *out, int id, waio_onnxo_order order);
const char *waio_onnxo_codes(waio_onnxo *out, int id, waio_onnxo_order order);
/* An input of a node, constant or not. */
const char *waio_onnxo_input(waio_onnxo *out, const waio_node *node, int i, waio_onnxo_order order);
/* Scale and zero point of a value's codes, made once. */
void waio_onnxo_params(waio_onnxo *out, int id, const char **scale, const char **zero_point);

/* Says that `result` holds the output of `node` in `order` but for its clamp and its codes, which
 * are appended. */
void waio_onnxo_finish(waio_onnxo *out, const waio_node *node, waio_onnxo_order order,
                       const char *result);

/* ---- onnx_nodes.c, onnx_moves.c ---- */

/* WAIO_EUNSUPPORTED if it has values that the format has no room for. */
waio_status waio_onnxo_write_node(waio_onnxo *out, const waio_node *node);

typedef void waio_onnxo_writer(waio_onnxo *out, const waio_node *node);
waio_onnxo_writer waio_onnxo_concat, waio_onnxo_pad, waio_onnxo_reshape, waio_onnxo_transpose,
    waio_onnxo_resize;

#endif
