#ifndef WAIO_EXPORT_ONNX_WRITE_H
#define WAIO_EXPORT_ONNX_WRITE_H
#include "graph/graph.h"
waio_status waio_onnx_write(unsigned char **data, size_t *size, const waio_graph *graph);
#endif
