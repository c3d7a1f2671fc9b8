/* TensorFlow Lite files, version 3 of the schema. */
#ifndef WAIO_EXPORT_TFLITE_WRITE_H
#define WAIO_EXPORT_TFLITE_WRITE_H

#include "graph/graph.h"

/* The bytes of a file that holds `graph`; released with free(). The runtime's kernels give the
 * codes of the graph's own, where its requantization is WAIO_REQUANT_TFLITE:
 *
 *   activations  int8, or int16 above 8 bits. Codes of fewer bits than their lane has are kept in
 *                their range by MINIMUM and MAXIMUM; so are clamps that no fused activation is.
 *   weights      int8 per channel or layer; up to 4 bits packed as int4 where conv2d and dense take
 *                int8 activations. 9 bits and more: WAIO_EUNSUPPORTED. Of float nodes: float32, or
 *                float16 or int8 with a DEQUANTIZE.
 *   padding      SAME or VALID where it is one of them, else PAD in front.
 *
 * The batch is left open (shape signature -1). WAIO_EUNSUPPORTED names the node and what
 * TensorFlow Lite lacks. */
waio_status waio_tflite_write(unsigned char **data, size_t *size, const waio_graph *graph);

#endif
