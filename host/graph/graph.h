/* The one intermediate representation: a list of typed nodes over values, in execution order.
 * Activations are NHWC with batch 1 in dimension 0, constants carry their data. Values are float32,
 * or, in a quantized network, integer codes with their scales and zero points; such a network is
 * what `engine: integer` runs and what .tflite files hold. Batch and memory stand outside of it. */
#ifndef WAIO_GRAPH_GRAPH_H
#define WAIO_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "kernels/qmath.h"
#include "tensor/detector.h"
#include "tensor/shape.h"
#include "util/arena.h"
#include "util/status.h"

typedef enum waio_op {
#define WAIO_OP_DEF(ENUM, name, least, most, weighted) WAIO_OP_##ENUM,
#include "graph/ops.def"
#undef WAIO_OP_DEF
    WAIO_OP_COUNT
} waio_op;

enum { WAIO_MAX_INPUTS = 64, WAIO_MAX_OUTPUTS = 32 };

/* A clamp applied to a node's result: ReLU is {0, INFINITY}, ReLU6 {0, 6}. Every op has one;
 * importers leave it at WAIO_NO_CLAMP and the fusion pass fills it. */
typedef struct waio_clamp {
    float lo, hi;
} waio_clamp;
#define WAIO_NO_CLAMP ((waio_clamp){-INFINITY, INFINITY})

typedef struct waio_conv_params {
    int stride[2];   /* height, width; at least 1 */
    int dilation[2]; /* at least 1 */
    int pad[4];      /* top, left, bottom, right, in cells; at least 0 */
    int groups;      /* divides IC and OC */
} waio_conv_params;

typedef struct waio_pool_params {
    int kernel[2], stride[2];
    int pad[4];             /* top, left, bottom, right; max_pool pads with -inf */
    bool count_include_pad; /* avg_pool: divide by all cells of the window, not the real ones */
} waio_pool_params;

typedef struct waio_axis_params {
    int axis; /* concat: 1..rank-1; softmax: the last axis (importers transpose) */
} waio_axis_params;

typedef struct waio_reduce_params {
    unsigned axes; /* bit i set: dimension i is reduced; never the batch */
    bool keep_dims;
} waio_reduce_params;

typedef struct waio_pad_params {
    int before[WAIO_MAX_RANK], after[WAIO_MAX_RANK]; /* batch: 0 */
    float value;
} waio_pad_params;

typedef struct waio_reshape_params {
    waio_shape shape; /* dimension 0 is 1 (the batch) */
} waio_reshape_params;

typedef struct waio_transpose_params {
    int perm[WAIO_MAX_RANK]; /* output dimension i is input dimension perm[i]; perm[0] = 0 */
} waio_transpose_params;

typedef struct waio_resize_params {
    int out[2]; /* height, width */
    bool bilinear;
    bool half_pixel;    /* source = (i + 0.5) * in/out - 0.5; else i * in/out */
    bool align_corners; /* source = i * (in-1)/(out-1) */
} waio_resize_params;

typedef struct waio_node {
    waio_op op;
    const char *name;
    int input[WAIO_MAX_INPUTS]; /* value ids */
    int input_count;
    int output; /* value id */
    waio_clamp clamp;
    /* Of a layer with weights that a batch norm was folded into: the mean and the standard
     * deviation that the norm gives each output channel, before the clamp; NULL: no norm. In the
     * graph's arena. */
    const float *norm_mean, *norm_std;
    union {
        waio_conv_params conv;     /* conv2d */
        float epsilon;             /* batch_norm */
        waio_pool_params pool;     /* avg_pool, max_pool */
        waio_axis_params axis;     /* concat, softmax */
        waio_reduce_params reduce; /* mean, sum */
        waio_pad_params pad;
        waio_reshape_params reshape;
        waio_transpose_params transpose;
        waio_resize_params resize;
    };
} waio_node;

typedef enum waio_type { WAIO_F32, WAIO_S8, WAIO_S16, WAIO_S32, WAIO_S64 } waio_type;

/* How codes of a value mean numbers: (code - zero_point[c]) * scale[c]. */
typedef struct waio_value_params {
    int bits;       /* 2 to 16: codes used; S8 lanes hold 2 to 8 bits. Biases: 32 or 64 */
    bool symmetric; /* lowest code -(2^(bits-1) - 1) instead of -2^(bits-1) */
    bool u8;        /* S8 codes of a file that has them as uint8, 128 higher: some ops round as
                     * TensorFlow Lite does for that type */
    int axis;       /* dimension that the channels below run along; 0 if count is 1 */
    int count;      /* scales: 1, or one per channel of `axis` */
    const float *scale;
    const int32_t *zero_point; /* `count` of them */
} waio_value_params;

typedef struct waio_value {
    const char *name;
    waio_shape shape;
    waio_type type;           /* F32 unless set otherwise */
    waio_value_params params; /* of integer types */
    const float
        *data; /* a float constant's numbers, in the graph's arena; NULL: computed or input */
    const void *codes; /* an integer constant's codes, of `type`, in the graph's arena */
    bool implied;      /* a constant that its op needs and the network does not store: no parameter,
                        * as the gamma of a batch norm without scale */
    /* How files may keep a float constant, since it means the same numbers: as halves, or as codes
     * of the type `stored` (S8, S16; F32: not so) by `params`. */
    bool half;
    waio_type stored;
    const void *stored_codes;
} waio_value;

typedef struct waio_graph {
    waio_arena *arena; /* names, constants and node parameters live here */
    const char *name;
    waio_value *value;
    int value_count, value_capacity;
    waio_node *node; /* in execution order: inputs are produced before they are used */
    int node_count, node_capacity;
    int input; /* value id of the image, -1 before waio_graph_add_input */
    int output[WAIO_MAX_OUTPUTS];
    int output_count;
    waio_requant requant; /* of integer nodes */
    /* What makes boxes of the outputs of a detector, in the arena; NULL: a classifier, or unknown.
     */
    const waio_detector *detector;
    const char *note; /* what an importer had to change, a static text; NULL: nothing */
} waio_graph;

/* ---- building (importers and builders) ---- */

/* NULL when out of memory. `name` is copied. Free with waio_graph_free. */
waio_graph *waio_graph_new(const char *name);
void waio_graph_free(waio_graph *graph);

/* The image input, NHWC or any shape with batch 1 in front; a graph has exactly one. */
waio_status waio_graph_add_input(waio_graph *graph, int *id, const char *name,
                                 const waio_shape *shape);
/* A constant of zeros; `data` (if not NULL) receives its writable numbers. */
waio_status waio_graph_add_const(waio_graph *graph, int *id, const char *name,
                                 const waio_shape *shape, float **data);
/* A constant of integer codes, zeroed; `codes` receives the writable codes (int8_t, int16_t,
 * int32_t or int64_t as `type` says). `params` is copied with its arrays. */
waio_status waio_graph_add_codes(waio_graph *graph, int *id, const char *name,
                                 const waio_shape *shape, waio_type type,
                                 const waio_value_params *params, void **codes);
/* Makes value `id` (the input, or a node's output) an integer one; `params` is copied. */
waio_status waio_graph_set_type(waio_graph *graph, int id, waio_type type,
                                const waio_value_params *params);
/* Appends a node and its output value, whose shape is inferred. `proto` gives op, name, inputs and
 * parameters (output and names are set here; the name is copied; a clamp of {0,0} is read as
 * WAIO_NO_CLAMP). Wrong arity, shapes or parameters: WAIO_EINPUT with the node's name.
 * A weight is read by one node alone, since its kernel packs it: where a second node reads it, that
 * node gets a value of its own over the same numbers. */
waio_status waio_graph_add_node(waio_graph *graph, int *id, const waio_node *proto);
/* WAIO_EINPUT if `id` is a constant or no value at all. */
waio_status waio_graph_add_output(waio_graph *graph, int id);

/* Checks what building could not: an input, at least one output, every constant finite. */
waio_status waio_graph_validate(const waio_graph *graph);

/* ---- passes; each keeps what the graph computes ---- */

/* Folds batch norms (whose statistics the layer keeps) and per-channel addends into the conv2d or
 * dense in front, zero pads into the conv2d behind, fuses clips into the op in front, merges
 * reshapes, drops identities and dead nodes; values that something else reads stay. Ids of
 * surviving values stay the same. A quantized network stays as it is. */
waio_status waio_graph_optimize(waio_graph *graph);

/* Makes a quantized network the float one that it stands for: constants become the numbers that
 * their codes mean, activations lose their rounding and the ends of their ranges (but where codes
 * begin at 0, which stands for ReLU, and where they then end at 6, for ReLU6). A float network
 * stays as it is. */
waio_status waio_graph_dequantize(waio_graph *graph);

/* ---- reading ---- */

const char *waio_op_name(waio_op op);
/* The op called `name`, WAIO_OP_COUNT if there is none. */
waio_op waio_op_find(const char *name);
bool waio_op_weighted(waio_op op);
bool waio_clamp_is_none(waio_clamp clamp);
bool waio_value_is_const(const waio_graph *graph, int id);
size_t waio_type_bytes(waio_type type);
const char *waio_type_name(waio_type type); /* "f32", "s8", ... */
/* The rounding called "tflite", "double", "single" or "float"; WAIO_EUSAGE with this list. */
waio_status waio_requant_parse(waio_requant *requant, const char *name);
/* Whether any value has an integer type. */
bool waio_graph_is_quantized(const waio_graph *graph);
/* Bits of a value: of its codes, 32 if it is float. */
int waio_value_bits(const waio_graph *graph, int id);
/* Lowest and highest code that `params` allow. */
int32_t waio_params_lo(const waio_value_params *params);
int32_t waio_params_hi(const waio_value_params *params);
/* Index of the node that computes value `id`, -1 for inputs and constants. */
int waio_graph_producer(const waio_graph *graph, int id);
/* Nodes that read value `id` (a graph output counts as one more). */
int waio_graph_use_count(const waio_graph *graph, int id);
/* Multiply-accumulates of one node for one image (conv2d and dense; 0 else). */
int64_t waio_node_macs(const waio_graph *graph, const waio_node *node);
/* Scalars in a node's constants. */
int64_t waio_node_params(const waio_graph *graph, const waio_node *node);
int64_t waio_graph_params(const waio_graph *graph);
int64_t waio_graph_macs(const waio_graph *graph);

/* A line a node: name, op, shape, parameters, MACs, and totals (`waio show`). */
void waio_graph_print(const waio_graph *graph, FILE *out);

#endif
