/* Small networks with random weights, for comparing backends: the blocks of the architectures that
 * people measure. */
#ifndef WAIO_CHECK_NETWORKS_H
#define WAIO_CHECK_NETWORKS_H

#include "graph/graph.h"

typedef struct waio_check_net {
    const char *name, *summary;
    waio_status (*build)(waio_graph *graph, uint64_t seed);
} waio_check_net;

/* Ends in a row without a name. */
extern const waio_check_net waio_check_nets[];

/* Builds a network of the table as an importer would: batch norms and clips are nodes of their
 * own. The caller frees it. */
waio_status waio_check_net_build(waio_graph **out, const waio_check_net *net, uint64_t seed);

#endif
