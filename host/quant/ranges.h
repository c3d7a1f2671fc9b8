/* Ranges of activations: what calibration observes, and which tensors must share one.
 *
 * Post-training quantization as TensorFlow Lite does it: the range of a tensor is the smallest
 * minimum and the largest maximum over all calibration images; concat, pools, pad, reshape,
 * transpose, resize and maximum keep scale and zero point from input to output, so the tensors
 * around them share a range; softmax and logistic have the fixed range [0, 1). */
#ifndef WAIO_QUANT_RANGES_H
#define WAIO_QUANT_RANGES_H

#include "graph/graph.h"
#include "quant/histogram.h"
#include "quant/moments.h"
#include "quant/noise.h"

typedef struct waio_ranges {
    float *min, *max; /* per value, as observed */
    int count;
    /* How a range at some bits follows: by MINMAX, which is the start, from the above alone. */
    waio_range_rule rule;
    waio_histogram **histogram;  /* per value, NULL: none; for MSE, percentiles and KL */
    const waio_moments *moments; /* for BATCH_NORM */
    waio_noise *noise;           /* per value, for NOISE */
} waio_ranges;

/* Nothing observed yet: min +inf, max -inf. */
waio_status waio_ranges_create(waio_ranges *ranges, const waio_graph *graph, waio_arena *arena);
/* Widens value `id`'s range by `count` numbers. NaN is passed over. */
void waio_ranges_observe(waio_ranges *ranges, int id, const float *data, int64_t count);
/* Widens all ranges by another's; the order of merging does not matter. */
void waio_ranges_merge(waio_ranges *ranges, const waio_ranges *other);

/* Gives value `id` a histogram, in `arena`, of the range observed. */
waio_status waio_ranges_add_histogram(waio_ranges *ranges, int id, waio_arena *arena);
/* The range of value `id` alone for codes of `bits` bits. BATCH_NORM: as many standard deviations
 * as README.md lists for the bits. */
void waio_ranges_at(const waio_ranges *ranges, int id, int bits, bool symmetric, float *min,
                    float *max);

typedef struct waio_range_groups {
    int *group;       /* per value: the value that speaks for its group */
    bool *fixed;      /* per value, of the group's speaker: range [0, 1) */
    float *min, *max; /* per value: the group's range, of rule MINMAX */
} waio_range_groups;

/* Who shares, and, of rule MINMAX, the ranges that follow from the observed ones. */
waio_status waio_range_groups_create(waio_range_groups *groups, const waio_graph *graph,
                                     const waio_ranges *ranges, waio_arena *arena);

/* Sets min and max of all groups to those for codes of `bits` bits. */
void waio_range_groups_at(float *min, float *max, const waio_range_groups *groups,
                          const waio_graph *graph, const waio_ranges *ranges, int bits,
                          bool symmetric);

/* True for ops that only move or select numbers: outputs of quantized inputs are quantized. */
bool waio_op_moves(const waio_node *node);

#endif
