/* The reference kernels: plain loops in double, the definition of right. One function per op of
 * ops.def, called waio_ref_<op>; a missing one does not link. */
#ifndef WAIO_BACKEND_REF_REF_H
#define WAIO_BACKEND_REF_REF_H

#include "graph/graph.h"

/* One call: shapes with the batch in them, inputs in the node's order (weights as in the graph). */
typedef struct waio_ref_call {
    const waio_node *node;
    const waio_shape *in; /* one per input */
    const waio_shape *out;
    const float *const *x; /* one per input */
    float *y;              /* the op's result; the node's clamp is applied behind it */
} waio_ref_call;

#define WAIO_OP_DEF(ENUM, name, least, most, weighted) void waio_ref_##name(const waio_ref_call *);
#include "graph/ops.def"
#undef WAIO_OP_DEF

/* Runs one node with its clamp. `in` and `out` as above. */
void waio_ref_run(const waio_ref_call *call);

/* Shape of value `id` for `batch` images (constants as they are). */
waio_shape waio_batched_shape(const waio_graph *graph, int id, int64_t batch);

/* Element of an operand of shape `shape` that belongs to element `index` of the broadcast `out`. */
int64_t waio_broadcast_offset(const waio_shape *shape, const waio_shape *out, int64_t index);

/* The source cell that nearest resizing takes for output cell `i` of an axis. */
int64_t waio_ref_nearest(const waio_resize_params *p, int64_t i, int64_t in, int64_t out);

#endif
