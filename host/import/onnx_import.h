/* What the files of the ONNX importer share.
 *
 * Layout: ONNX keeps images as NCHW, our graph as NHWC. An activation is a value of our graph with
 * a permutation that says where each of its ONNX dimensions lies, so that a Transpose node changes
 * the permutation and moves nothing. An op that needs an order asks waio_onnx_in_layout, which adds
 * a transpose (or, if only dimensions of size 1 move, a reshape) to the graph when it must.
 *
 * Batch: dimension 0 of the input, whatever size the file gives it. It is 1 in all shapes here. */
#ifndef WAIO_IMPORT_ONNX_IMPORT_H
#define WAIO_IMPORT_ONNX_IMPORT_H

#include "graph/graph.h"
#include "onnx/onnx.pb-c.h"

enum { WAIO_ONNX_OPSET_MIN = 7, WAIO_ONNX_OPSET_MAX = 21 };

typedef enum waio_onnx_kind {
    WAIO_ONNX_ACTIVATION, /* a value of the graph */
    WAIO_ONNX_FLOATS,     /* a constant of floating-point numbers */
    WAIO_ONNX_INTS,       /* a constant of integers or truth values: shapes, axes, flags */
    WAIO_ONNX_UNREAD      /* an initializer whose numbers nothing asked for yet */
} waio_onnx_kind;

/* A flattened image whose numbers stand in our order: they are those of `shape`, and transposing
 * `shape` by `perm` gives ONNX's order. A dense layer moves its weight's columns instead. */
typedef struct waio_onnx_flat {
    waio_shape shape;
    int perm[WAIO_MAX_RANK];
} waio_onnx_flat;

typedef struct waio_onnx_value {
    const char *name;
    waio_onnx_kind kind;
    /* activation */
    int id;                     /* value of the graph */
    int perm[WAIO_MAX_RANK];    /* ONNX dimension i is dimension perm[i] of it */
    const waio_onnx_flat *flat; /* NULL: nothing is put off */
    bool has_other;             /* the same in a second layout, made for some reader */
    int other_id, other_perm[WAIO_MAX_RANK];
    /* constant; all in the import's arena or in the unpacked file */
    waio_shape shape; /* may have dimensions of 0 */
    const float *floats;
    const int64_t *ints;
    const bool *times_batch; /* NULL, or for each integer: it stands for that many batches */
    const Onnx__TensorProto *tensor;
} waio_onnx_value;

typedef struct waio_onnx {
    const char *path;
    waio_arena *arena; /* dies with the import */
    waio_graph *graph;
    int64_t opset;
    int64_t batch;         /* dimension 0 of the input in the file; 0: symbolic */
    bool channels_first;   /* images are NCHW in the file */
    int64_t spare_numbers; /* how many numbers constants may still be copied or computed to */
    const char *node_name; /* of the node in work; never empty */
    waio_onnx_value **value;
    size_t value_count;
    size_t *slot, slot_count; /* hash table: index into value + 1, 0: free; a power of two */
} waio_onnx;

/* ---- onnx_ops.c ---- */

/* The function of an op type; it gives output 0 of `node` its value. */
typedef waio_status waio_onnx_function(waio_onnx *onnx, const Onnx__NodeProto *node);
#define WAIO_ONNX_OP(type, function, least, most, attributes)                                      \
    waio_onnx_function waio_onnx_op_##function;
#include "import/onnx_ops.def"
#undef WAIO_ONNX_OP

/* Imports one node: checks domain, op type, number of inputs and attribute names, then calls the
 * op's function. Errors name the node. */
waio_status waio_onnx_import_node(waio_onnx *onnx, const Onnx__NodeProto *node);

/* ---- onnx_wire.c ---- */

/* Checks the frame of a protobuf message down to its smallest part, and that messages nest at most
 * 64 deep (protobuf-c recurses without a limit). */
waio_status waio_onnx_check_wire(const ProtobufCMessageDescriptor *type, const unsigned char *data,
                                 size_t size);

/* ---- onnx_tensor.c ---- */

/* Reads the numbers of `tensor`, also from an external file, and fills the constant fields of
 * `out`. Numbers that need no conversion stay where they are in the unpacked file. */
waio_status waio_onnx_read_tensor(waio_onnx *onnx, const Onnx__TensorProto *tensor,
                                  waio_onnx_value *out);
/* Number of elements; -1 if a dimension is negative or the product does not fit 2^40. */
int64_t waio_onnx_count(const waio_shape *shape);

/* ---- onnx_attr.c: attributes of a node, with the default for an absent one ---- */

const Onnx__AttributeProto *waio_onnx_attr(const Onnx__NodeProto *node, const char *name);
waio_status waio_onnx_attr_int(int64_t *out, const Onnx__NodeProto *node, const char *name,
                               int64_t fallback);
/* An integer that must be 0 or 1. */
waio_status waio_onnx_attr_flag(bool *out, const Onnx__NodeProto *node, const char *name,
                                bool fallback);
waio_status waio_onnx_attr_float(float *out, const Onnx__NodeProto *node, const char *name,
                                 float fallback);
waio_status waio_onnx_attr_text(char out[32], const Onnx__NodeProto *node, const char *name,
                                const char *fallback);
/* `*out` NULL if absent. */
waio_status waio_onnx_attr_ints(const int64_t **out, size_t *count, const Onnx__NodeProto *node,
                                const char *name);
/* Exactly `count` integers from `low` to 65535; `out` is left alone if absent. */
waio_status waio_onnx_attr_sizes(int *out, size_t count, const Onnx__NodeProto *node,
                                 const char *name, int low);
/* Integers that newer opsets pass as input `input` and older ones as attribute; NULL if absent. */
waio_status waio_onnx_ints_of(waio_onnx *onnx, const int64_t **out, size_t *count,
                              const Onnx__NodeProto *node, size_t input, const char *name);
/* 0 to rank-1 from an axis that may count from the end. */
waio_status waio_onnx_axis(int *out, int64_t axis, int rank);
/* The same for a list without duplicates: bit i set for dimension i. */
waio_status waio_onnx_axes(unsigned *out, const int64_t *axes, size_t count, int rank);

/* ---- onnx_value.c ---- */

/* NULL if nothing has that name. */
waio_onnx_value *waio_onnx_find(const waio_onnx *onnx, const char *name);
/* A new name; WAIO_EINPUT if it is taken or empty. The value is zeroed but for its name. */
waio_status waio_onnx_define(waio_onnx *onnx, const char *name, waio_onnx_value **out);
/* Gives output 0 of `node` this value (whose name is replaced). */
waio_status waio_onnx_result(waio_onnx *onnx, const Onnx__NodeProto *node,
                             const waio_onnx_value *value);

bool waio_onnx_has_input(const Onnx__NodeProto *node, size_t i);
/* Input `i` of `node`, of any kind; initializers are read. */
waio_status waio_onnx_operand(waio_onnx *onnx, const Onnx__NodeProto *node, size_t i,
                              waio_onnx_value **out);
/* The same; it must be computed from the image, with the batch in dimension 0. */
waio_status waio_onnx_activation(waio_onnx *onnx, const Onnx__NodeProto *node, size_t i,
                                 waio_onnx_value **out);
/* The same; it must be a constant of floats, of integers. */
waio_status waio_onnx_floats(waio_onnx *onnx, const Onnx__NodeProto *node, size_t i,
                             waio_onnx_value **out);
waio_status waio_onnx_ints(waio_onnx *onnx, const Onnx__NodeProto *node, size_t i,
                           waio_onnx_value **out);
/* One number, or `fallback` if the input is absent. */
waio_status waio_onnx_scalar(waio_onnx *onnx, float *out, const Onnx__NodeProto *node, size_t i,
                             float fallback);

/* Adds a node to the graph. Its name is that of the ONNX node, with "/suffix" if not NULL. */
waio_status waio_onnx_emit(waio_onnx *onnx, int *id, waio_node *node, const char *suffix);
/* Adds a constant to the graph. */
waio_status waio_onnx_emit_const(waio_onnx *onnx, int *id, const char *name,
                                 const waio_shape *shape, float **data);
/* Takes `count` from the numbers that constants may still fill: a small file must not ask for an
 * arbitrary amount of memory. WAIO_EUNSUPPORTED if it is too much. */
waio_status waio_onnx_spend(waio_onnx *onnx, int64_t count);

/* ---- onnx_layout.c ---- */

/* The shape in ONNX's order of dimensions. */
waio_shape waio_onnx_shape(const waio_onnx *onnx, const waio_onnx_value *value);
int waio_onnx_rank(const waio_onnx *onnx, const waio_onnx_value *value);
/* perm: ONNX (N, C, ...) as ours (N, ..., C), and ONNX's own order. */
void waio_onnx_channels_last(int rank, int perm[WAIO_MAX_RANK]);
void waio_onnx_identity(int rank, int perm[WAIO_MAX_RANK]);
bool waio_onnx_same_perm(const int *a, const int *b, int rank);
/* True if bringing `value` into the layout `perm` costs a transpose at run time. */
bool waio_onnx_would_move(const waio_onnx *onnx, const waio_onnx_value *value, const int *perm);
/* A graph value that holds `value` with ONNX dimension i in dimension perm[i]. */
waio_status waio_onnx_in_layout(waio_onnx *onnx, int *id, waio_onnx_value *value, const int *perm);
/* Fills `out` with `value` in the shape `target`, whose dimension 0 is the batch and whose count is
 * that of `value`. Moves data only where ONNX's order of the numbers asks for it, and puts that off
 * for a flattened image. */
waio_status waio_onnx_reshape_to(waio_onnx *onnx, waio_onnx_value *out, waio_onnx_value *value,
                                 const waio_shape *target);
/* columns[k]: where number k (in ONNX's order) of a flattened image stands. */
void waio_onnx_flat_columns(const waio_onnx_flat *flat, int64_t *columns);

/* dst = src with dimension i of dst being dimension perm[i] of src; elements of `size` bytes. */
void waio_onnx_permute(void *dst, const void *src, const waio_shape *src_shape, const int *perm,
                       size_t size);

/* ---- onnx_fold.c ---- */

/* The numbers of a new constant, to be filled: floats, or ints with their marks. */
typedef struct waio_onnx_numbers {
    float *floats;
    int64_t *ints;
    bool *times_batch;
} waio_onnx_numbers;

/* A constant of zeros, in the import's arena. */
waio_status waio_onnx_new_constant(waio_onnx *onnx, waio_onnx_value *out, waio_onnx_numbers *to,
                                   waio_onnx_kind kind, const waio_shape *shape);
void waio_onnx_copy_number(const waio_onnx_numbers *to, int64_t i, const waio_onnx_value *from,
                           int64_t j);
/* True if integer `i` of a constant stands for that many batches. */
bool waio_onnx_is_marked(const waio_onnx_value *value, int64_t i);

/* out = a op b for two constants of one kind; op: "Add", "Sub", "Mul", "Div", "Max". */
waio_status waio_onnx_fold(waio_onnx *onnx, waio_onnx_value *out, const char *op,
                           const waio_onnx_value *a, const waio_onnx_value *b);

/* ---- onnx_pool.c ---- */

typedef struct waio_onnx_window {
    int kernel[2], stride[2], dilation[2];
    int pad[4]; /* top, left, bottom, right */
} waio_onnx_window;

/* strides, dilations, pads and auto_pad for an input of (1, H, W, C); `kernel` is given. */
waio_status waio_onnx_read_window(waio_onnx_window *window, const Onnx__NodeProto *node,
                                  const waio_shape *x);

#endif
