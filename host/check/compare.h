/* Whether numbers of two backends are as near as they must be (tolerance.h). */
#ifndef WAIO_CHECK_COMPARE_H
#define WAIO_CHECK_COMPARE_H

#include "graph/graph.h"

typedef enum waio_bound_kind {
    WAIO_BOUND_EQUAL_NUMBERS,
    WAIO_BOUND_OF_VALUE,   /* |a - b| <= limit * eps * |b| */
    WAIO_BOUND_OF_LARGEST, /* |a - b| <= limit * eps * max |b| */
    WAIO_BOUND_NMSE        /* sum (a - b)^2 <= limit * sum b^2 */
} waio_bound_kind;

typedef struct waio_bound {
    waio_bound_kind kind;
    double limit;
} waio_bound;

const char *waio_bound_name(waio_bound_kind kind);

/* What `node` may differ by between two backends. */
waio_bound waio_bound_of(const waio_graph *graph, const waio_node *node);

/* The share of the bound that `got` uses against `want`: at most 1 if it holds, infinity if a
 * number is NaN or infinite on one side alone. NaN equals NaN. */
double waio_compare(const float *got, const float *want, size_t count, waio_bound bound);

/* Sum (got - want)^2 / sum want^2; 0 if both are zero. */
double waio_nmse(const float *got, const float *want, size_t count);

#endif
