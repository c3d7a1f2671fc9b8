/* Where each activation lives in one buffer: values that are alive at the same time do not overlap.
 * Largest first, each into the lowest gap that fits (as in Pisarchyk and Lee, Efficient Memory
 * Management for Deep Neural Net Inference, 2020, "greedy by size"). */
#ifndef WAIO_GRAPH_MEMPLAN_H
#define WAIO_GRAPH_MEMPLAN_H

#include <stddef.h>

#include "util/status.h"

typedef struct waio_lifetime {
    size_t bytes;    /* 0: needs no memory */
    int first, last; /* steps in which it is alive, both inside */
    size_t offset;   /* result: a multiple of 64 */
} waio_lifetime;

/* Fills the offsets of `count` items; `total` receives the bytes of the whole buffer. */
waio_status waio_memplan(waio_lifetime *item, int count, size_t *total);

#endif
