/* Histograms of activations, and the ranges that follow from them. */
#ifndef WAIO_QUANT_HISTOGRAM_H
#define WAIO_QUANT_HISTOGRAM_H

#include <stdint.h>

#include "quant/scheme.h"

enum { WAIO_BINS = 2048 }; /* on each side of 0 */

/* Numbers from -reach to reach, in bins of reach / WAIO_BINS; numbers beyond are in the outermost
 * ones, NaN in none. */
typedef struct waio_histogram {
    float reach;
    uint64_t count[2 * WAIO_BINS];
} waio_histogram;

void waio_histogram_observe(waio_histogram *histogram, const float *data, int64_t count);
/* Adds another with the same reach. */
void waio_histogram_merge(waio_histogram *histogram, const waio_histogram *other);

/* Narrows [min, max], the range seen, by `rule` for codes of `bits` bits, `symmetric` or not; other
 * rules than these leave it. Bins count as their middle.
 *
 *   MSE  least squared error over k/100 of the range, k = 1..100, and then, asymmetric, over each
 *        end alone, in turn until nothing is better, 4 times at most; the narrower at ties
 *   P..  from the hundredth of all numbers to the ninety-ninth, and so on
 *   KL   TensorRT's: of the ranges of i bins, i from the number of levels on, the one whose
 *        numbers, limited to it, diverge least from the same in so many levels; the levels of one
 *        side of 0, all of them where nothing is below it
 *
 * The order of observing and merging does not matter. */
void waio_histogram_range(const waio_histogram *histogram, waio_range_rule rule, int bits,
                          bool symmetric, float *min, float *max);

#endif
