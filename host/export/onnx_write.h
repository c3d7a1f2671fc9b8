/* ONNX files. */
#ifndef WAIO_EXPORT_ONNX_WRITE_H
#define WAIO_EXPORT_ONNX_WRITE_H

#include "graph/graph.h"

/* The bytes of a file that holds `graph`; released with free(). Inputs and outputs have the graph's
 * own order (NHWC), types and codes; the batch is left open ("N"). Inside, images are NCHW.
 *
 * Codes are written as QuantizeLinear and DequantizeLinear around float operators, from which
 * onnxruntime makes its integer kernels:
 *
 *   activations  of up to 8 bits: uint8, code + 128, since that with int8 weights is what x86 has
 *                instructions for; int8 where they enter or leave the network. Above: int16.
 *   fewer codes  than their type has, because of bits or a clamp: a Clip of uint8 or int8 behind
 *                QuantizeLinear, a Clip of float in front of it for int16.
 *   weights      int8 or int16, per channel or layer. Of float nodes: float32, or float16 with a
 *                Cast, or int8 and int16 with a DequantizeLinear.
 *   biases       int32 with the scale of the sums, or, where codes of 64 bits need it, a coarser
 * one.
 *
 * A sum is a float32 one where onnxruntime has no integer kernel, and ties are rounded to even, so
 * codes may differ from the graph's own by one.
 *
 * The opset is 17, 21 if there are codes of 16 bits.
 * WAIO_EUNSUPPORTED names the node and what ONNX lacks. */
waio_status waio_onnx_write(unsigned char **data, size_t *size, const waio_graph *graph);

#endif
