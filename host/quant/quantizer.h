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
#include "tensor/qparams.h"

typedef struct waio_quantizer waio_quantizer;

/* Program, roles and ranges must outlive the quantizer. `ranges` may be NULL if only float
 * activations will be asked for. `keep_bytes`: packed weights that no binding uses are dropped
 * when all of them together take more. */
waio_status waio_quantizer_create(waio_quantizer **out, const waio_program *program,
                                  const waio_roles *roles, const waio_ranges *ranges,
                                  const waio_scheme *scheme, size_t keep_bytes);
void waio_quantizer_free(waio_quantizer *quantizer);

typedef struct waio_quant_request {
    waio_precision bits;
    int first_n; /* the first so many layers with weights, and all before them, stay float */
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

#endif
