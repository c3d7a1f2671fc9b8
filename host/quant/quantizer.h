/* From ranges and a scheme to what a program runs with: quantized weights, quantizers on values,
 * biases. Quantized weights are kept per layer and bit width, so that configurations share them.
 *
 * Engine `simulate`: the float graph with fake-quantization. Every activation that a quantized op
 * reads or writes has a quantizer behind its (fused) op; biases have 32 bits at the scale of input
 * times weight where both are quantized. */
#ifndef WAIO_QUANT_QUANTIZER_H
#define WAIO_QUANT_QUANTIZER_H

#include "backend/program.h"
#include "quant/precision.h"
#include "quant/ranges.h"
#include "quant/roles.h"
#include "quant/scheme.h"
#include "quant/weights.h"
#include "tensor/qparams.h"

typedef struct waio_quantizer waio_quantizer;

/* Program, roles and ranges must outlive the quantizer. `ranges` may be NULL if only float
 * activations will be asked for. `keep_bytes`: packed weights that no binding uses are dropped
 * when all of them together take more. */
waio_status waio_quantizer_create(waio_quantizer **out, const waio_program *program,
                                  const waio_roles *roles, const waio_ranges *ranges,
                                  const waio_scheme *scheme, size_t keep_bytes);
/* Threads that quantize weights, where the program's backend has no kernel for it: 1 at first;
 * their number changes no result. */
void waio_quantizer_set_threads(waio_quantizer *quantizer, int threads);
/* What bias correction goes by: `mean[v]` is the mean of each channel (last dimension) of value `v`
 * in the float network, NULL: unknown. The arrays must outlive the quantizer. */
void waio_quantizer_set_means(waio_quantizer *quantizer, const float *const *mean);
void waio_quantizer_free(waio_quantizer *quantizer);

typedef struct waio_quant_request {
    waio_precision bits;
    int first_n; /* the first so many layers with weights, and all before them, stay float */
    /* Per node: it stays float as well, with its weights and constant operands; NULL: none. A value
     * that only nodes in float read, or nobody, stays float if a node in float computed it; every
     * other one is quantized, for nodes in float that read it too: they see what a dequantize at
     * their border gives. (Values of the first_n prefix are seen in float within the prefix.) */
    const bool *real;
} waio_quant_request;

typedef struct waio_quant_binding {
    waio_binding binding; /* for waio_program_run */
    /* The graph's input: quantized as it is filled in. Bits 32: float. */
    int input_bits;
    waio_value_quant input_quant;
    waio_qparams input_params;
    int64_t size_bytes; /* of the quantized network, accounted as host/quant/README.md says */
    void *owned;        /* the arena of everything above */
} waio_quant_binding;

/* The binding of one configuration; free it before the quantizer. Not thread-safe: one thread
 * binds, any number run. Asking for quantized activations without ranges: WAIO_EUSAGE. */
waio_status waio_quantizer_bind(waio_quantizer *quantizer, const waio_quant_request *request,
                                waio_quant_binding *out);
void waio_quant_binding_free(waio_quant_binding *binding);

/* Whether all quantized weights hold at most 2^bits levels in each channel (or layer): checks the
 * numbers that are run with, and adds the tensors checked to `tensors`. On failure WAIO_EINTERNAL
 * names the layer. */
waio_status waio_quantizer_verify_weights(waio_quantizer *quantizer,
                                          const waio_quant_request *request, int *tensors);

/* Bits that the weights of node `n` and the activation `id` have in a configuration: 2..16, f16,
 * or 32 where they stay float. */
int waio_quantizer_weight_bits(const waio_quantizer *quantizer, const waio_quant_request *request,
                               int n);
int waio_quantizer_value_bits(const waio_quantizer *quantizer, const waio_quant_request *request,
                              int id);
/* The same of a constant operand that nodes behind the float prefix read. */
int waio_quantizer_operand_bits(const waio_quantizer *quantizer, const waio_quant_request *request,
                                int id);

/* ---- for lowering: the same parameters and codes that a binding runs with ---- */

const waio_graph *waio_quantizer_graph(const waio_quantizer *quantizer);
const waio_scheme *waio_quantizer_scheme(const waio_quantizer *quantizer);
/* WAIO_EUSAGE if the request needs ranges and there are none. */
waio_status waio_quantizer_check(const waio_quantizer *quantizer,
                                 const waio_quant_request *request);
/* Whether node `n` stays float, by first_n or `real`. */
bool waio_quantizer_in_float(const waio_quantizer *quantizer, const waio_quant_request *request,
                             int n);
/* Index of the first node that is quantized; everything before it runs in float (by
 * first_n). */
int waio_quantizer_boundary(const waio_quantizer *quantizer, const waio_quant_request *request);
/* Parameters of a value (or of a constant operand) at `bits` bits, 2 to 16. */
waio_qparams waio_quantizer_value_params(const waio_quantizer *quantizer, int id, int bits);
/* Bits of the activation that node `n` reads first; float in the float prefix. */
int waio_quantizer_input_bits(const waio_quantizer *quantizer, const waio_quant_request *request,
                              int n);
/* The values of node `n`'s weights at `bits` bits (released with free()), and their scales (none
 * for f16 and float), in `arena`. Scales are wide enough for the bias of 32 bits that an input of
 * `input_bits` bits asks for (README.md, Eq. 6). */
waio_status waio_quantizer_weight_values(const waio_quantizer *quantizer, int n, int bits,
                                         int input_bits, float **values, waio_weight_scales *scales,
                                         waio_arena *arena);
/* The bias of node `n` that goes with weights of these values: corrected, where the scheme says so,
 * by what quantized weights change in the mean of its output: b - sum (w~ - w) E[x], over all cells
 * of the kernel. `bias` has OC numbers. */
void waio_quantizer_bias(const waio_quantizer *quantizer, int n, const float *values, float *bias);
/* The code of a bias at `scale`, the product of its input's and its weight's scale: limited to 32
 * bits, or, where the input has more than 8, to the 53 that a double holds. */
double waio_quantizer_bias_code(float bias, float scale, int input_bits);

#endif
