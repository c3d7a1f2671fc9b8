/* The integer reference kernels: the arithmetic of TensorFlow Lite's reference kernels, code for
 * code (its 8-bit quantization specification; Jacob et al., CVPR 2018). A node runs here when a
 * value that it reads or writes has an integer type. Types: S8 activations with S8 weights, 32-bit
 * accumulators and biases; S16 symmetric activations with S8 or S16 weights, 64-bit accumulators.
 */
#ifndef WAIO_BACKEND_REF_REFQ_H
#define WAIO_BACKEND_REF_REFQ_H

#include "graph/graph.h"

typedef struct waio_refq_tensor {
    waio_shape shape; /* with the batch */
    waio_type type;
    waio_value_params params; /* of integer types */
    const void *data;
} waio_refq_tensor;

typedef struct waio_refq_call {
    const waio_node *node;
    waio_requant requant;
    const waio_refq_tensor *in; /* one per input */
    waio_refq_tensor out;       /* data: where the result goes */
    void *result;
} waio_refq_call;

/* Whether `node` must run here. */
bool waio_refq_wanted(const waio_graph *graph, const waio_node *node);

/* Whether it can: types and parameters that go together. WAIO_EUNSUPPORTED says what does not. */
waio_status waio_refq_check(const waio_graph *graph, const waio_node *node);

void waio_refq_run(const waio_refq_call *call);

/* ---- for the kernels ---- */

/* Code `i` of a tensor as a number of 32 bits. */
static inline int32_t waio_refq_code(const waio_refq_tensor *t, int64_t i)
{
    switch (t->type) {
    case WAIO_S8:
        return ((const int8_t *)t->data)[i];
    case WAIO_S16:
        return ((const int16_t *)t->data)[i];
    default:
        return ((const int32_t *)t->data)[i];
    }
}

static inline void waio_refq_store(const waio_refq_call *call, int64_t i, int32_t code)
{
    if (call->out.type == WAIO_S8)
        ((int8_t *)call->result)[i] = (int8_t)code;
    else
        ((int16_t *)call->result)[i] = (int16_t)code;
}

/* Lowest and highest code of the output with the node's clamp: z + round(clamp / s). */
typedef struct waio_refq_limits {
    int32_t lo, hi;
} waio_refq_limits;
waio_refq_limits waio_refq_output_limits(const waio_refq_call *call);

/* Bias `i`, 0 if there is none. */
int64_t waio_refq_bias(const waio_refq_call *call, int64_t i);

#define WAIO_OP_DEF(ENUM, name, least, most, weighted)                                             \
    void waio_refq_##name(const waio_refq_call *);
#include "graph/ops.def"
#undef WAIO_OP_DEF

#endif
