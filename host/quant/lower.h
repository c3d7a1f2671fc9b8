/* From a float network and one configuration to the integer network that a device runs: what
 * `engine: integer` computes and what exporters write. Weights, scales and zero points are those
 * that a binding of the same quantizer has (quant/quantizer.h); codes are stored in lanes: S8 for 2
 * to 8 bits, S16 for 9 to 16.
 *
 *   image --[quantize]--> codes --ops on codes--> codes --[dequantize]--> float outputs
 *
 * The input and the outputs stay float. A node runs on codes if its inputs, its output and its
 * weights are all quantized and an integer kernel has it; else it runs in float, with dequantize in
 * front and quantize behind: 32-bit parts, the prefix of first_n, float weights, softmax and
 * logistic at other than 8 bits. Where 8 and 16 bits meet, the node runs in 16-bit lanes: codes go
 * in as (q - z) at the same scale and come out so, both without loss. Ops that keep scale and zero
 * point (pools, concat, reshape, ...) get their inputs requantized first where bits differ.
 *
 * Where a bias of 32 bits asks for it, scales of weights are wider, in both engines (README.md, Eq.
 * 6). Two limits differ from the simulation's. Symmetric activations that fill their lane (16 bits,
 * or 8) use its lowest code too, as TensorFlow Lite's kernels do: a number below the calibrated
 * range becomes -2^(B-1) instead of -(2^(B-1) - 1). Biases of 64 bits end at +-2^46, since an
 * accumulator of the 16-bit kernels holds 47.
 *
 * f16 means weights here: they are kept as halves, the tensors around them stay float. */
#ifndef WAIO_QUANT_LOWER_H
#define WAIO_QUANT_LOWER_H

#include "quant/quantizer.h"

/* A new graph (free it with waio_graph_free) that shares nothing with the float one. `requant` is
 * the rounding of its integer nodes. WAIO_EUNSUPPORTED, with what to choose instead, for float16
 * activations, asymmetric weights on integer nodes, asymmetric activations of more than 8 bits and
 * rounding half to even. */
waio_status waio_lower(waio_graph **out, const waio_quantizer *quantizer,
                       const waio_quant_request *request, waio_requant requant);

/* Takes the quantize at the input and the dequantize at the outputs away, so that codes go in and
 * come out. WAIO_EUNSUPPORTED, and the graph as it was, if one of these values is float. */
waio_status waio_lower_open_ends(waio_graph *graph);

#endif
