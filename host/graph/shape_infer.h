/* Shape inference: one function per op of ops.def, called as nodes are added. */
#ifndef WAIO_GRAPH_SHAPE_INFER_H
#define WAIO_GRAPH_SHAPE_INFER_H

#include "graph/graph.h"

/* Shape of `node`'s output from its inputs' shapes and parameters; WAIO_EINPUT with what was found
 * and what was expected if they do not go together. */
waio_status waio_infer_shape(waio_shape *out, const waio_graph *graph, const waio_node *node);

#endif
