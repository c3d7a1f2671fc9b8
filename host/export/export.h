/* Networks, float or quantized, as files that other tools run. */
#ifndef WAIO_EXPORT_EXPORT_H
#define WAIO_EXPORT_EXPORT_H

#include "graph/graph.h"

/* WAIO_EUSAGE, with what is allowed, if `path` does not end in a suffix that can be written. */
waio_status waio_export_check(const char *path);

/* Writes `graph` to `path`: TensorFlow Lite (.tflite) or ONNX (.onnx). The file is written beside
 * it and renamed when it is whole, so `path` holds the old or the new network. The same graph gives
 * the same bytes. WAIO_EUNSUPPORTED names a node that the format cannot hold, WAIO_EIO says why
 * writing failed. */
waio_status waio_export_model(const waio_graph *graph, const char *path);

/* The bytes that waio_export_model would write; nothing is written. */
waio_status waio_export_size(size_t *size, const waio_graph *graph, const char *path);

#endif
