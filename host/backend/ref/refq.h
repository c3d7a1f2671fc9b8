/* The integer reference kernels: the arithmetic of TensorFlow Lite's reference kernels, code for
 * code (its 8-bit quantization specification; Jacob et al., CVPR 2018). A node runs here when a
 * value that it reads or writes has an integer type. Types:
 *   8x8    S8 activations and weights, sums and biases of 32 bits
 *   16x8   S16 symmetric activations, S8 weights; sums have the bias's width, 64 bits without one
 *   16x16  S16 activations and weights, sums and biases of 64 bits
 * S8 holds 2 to 8 bits, S16 2 to 16. Weights are symmetric, with a scale per output channel or one.
 * Codes of uint8 files (params.u8) are S8, 128 lower than there; their weights have a zero point,
 * and some ops round as TensorFlow Lite does for that type, on the codes that stand in the file.
 *
 * Sums: |w| <= 128 and |x - z| <= 255 make a product of at most 32,640, so 32 bits hold 65,793
 * products (65,535 of them leave 8.4 million for the bias). Longer sums run in 64 bits, and a sum
 * that its accumulator could not hold ends the run with an error; 64-bit ones must stay within the
 * 2^47 that their requantization takes. */
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
    waio_refq_tensor out;       /* data: unused */
    void *result;
    void *scratch; /* waio_refq_scratch_bytes of it, 64-byte aligned */
    int64_t *lost; /* receives a sum that its accumulator cannot hold; else left alone */
} waio_refq_call;

/* Whether `node` must run here. */
bool waio_refq_wanted(const waio_graph *graph, const waio_node *node);

/* Whether it can: types and parameters that go together. WAIO_EUNSUPPORTED says what does not. */
waio_status waio_refq_check(const waio_graph *graph, const waio_node *node);

/* Scratch memory that running `node` takes. */
size_t waio_refq_scratch_bytes(const waio_graph *graph, const waio_node *node);

/* Runs one node with its clamp (`lost` is set here). WAIO_EUNSUPPORTED if a sum overflows. */
waio_status waio_refq_run(const waio_refq_call *call);

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

/* A sum as one of 32 bits; one that does not fit goes to call->lost. */
int32_t waio_refq_narrow(const waio_refq_call *call, int64_t sum);

/* The multiplier of a mean over n cells: s_in / s_out divided by n, with as many bits kept as a
 * 32-bit multiplier holds. */
waio_multiplier waio_refq_divide_multiplier(waio_multiplier m, int64_t n);

/* Bits of a weighted node's sums, 32 or 64; `bias` is NULL if there is none. */
int waio_refq_sum_bits(waio_type x, waio_type w, const waio_type *bias);

/* Softmax: tables for codes of `type` with `scale` (8 bits: exp by distance; 16 bits: exp on [-10,
 * 0] and 1 / (1 + x) on [0, 1]), and a row of `width` codes from number `at` on, without the node's
 * clamp. */
enum { WAIO_REFQ_SOFTMAX_STEPS = 512 };
typedef struct waio_refq_softmax_tables {
    int32_t exp_8[256];
    int16_t exp[WAIO_REFQ_SOFTMAX_STEPS + 1], reciprocal[WAIO_REFQ_SOFTMAX_STEPS + 1];
} waio_refq_softmax_tables;
void waio_refq_softmax_fill(waio_refq_softmax_tables *tables, waio_type type, float scale);
void waio_refq_softmax_row(const waio_refq_call *call, const waio_refq_softmax_tables *tables,
                           int64_t at, int64_t width);

#define WAIO_OP_DEF(ENUM, name, least, most, weighted)                                             \
    void waio_refq_##name(const waio_refq_call *);
#include "graph/ops.def"
#undef WAIO_OP_DEF

#endif
