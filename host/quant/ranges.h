/* Ranges of activations: what calibration observes, and which tensors must share one.
 *
 * Post-training quantization as TensorFlow Lite does it: the range of a tensor is the smallest
 * minimum and the largest maximum over all calibration images; concat, pools, pad, reshape,
 * transpose, resize and maximum keep scale and zero point from input to output, so the tensors
 * around them share a range; softmax and logistic have the fixed range [0, 1). */
#ifndef WAIO_QUANT_RANGES_H
#define WAIO_QUANT_RANGES_H

#include "graph/graph.h"

typedef struct waio_ranges {
    float *min, *max; /* per value */
    int count;
} waio_ranges;

/* Nothing observed yet: min +inf, max -inf. */
waio_status waio_ranges_create(waio_ranges *ranges, const waio_graph *graph, waio_arena *arena);
/* Widens value `id`'s range by `count` numbers. NaN is passed over. */
void waio_ranges_observe(waio_ranges *ranges, int id, const float *data, int64_t count);
/* Widens all ranges by another's; the order of merging does not matter. */
void waio_ranges_merge(waio_ranges *ranges, const waio_ranges *other);

typedef struct waio_range_groups {
    int *group;       /* per value: the value that speaks for its group */
    bool *fixed;      /* per value, of the group's speaker: range [0, 1) */
    float *min, *max; /* per value: the group's range */
} waio_range_groups;

/* The shared ranges that follow from observed ones. */
waio_status waio_range_groups_create(waio_range_groups *groups, const waio_graph *graph,
                                     const waio_ranges *ranges, waio_arena *arena);

/* True for ops that only move or select numbers: outputs of quantized inputs are quantized. */
bool waio_op_moves(const waio_node *node);

#endif
