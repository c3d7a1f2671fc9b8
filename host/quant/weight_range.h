/* The range that a block of weights gets its grid from. */
#ifndef WAIO_QUANT_WEIGHT_RANGE_H
#define WAIO_QUANT_WEIGHT_RANGE_H

#include <stdint.h>

#include "quant/scheme.h"

/* A range for `count` weights at `bits` bits on the grid that `scheme` makes of it: by its
 * weight_range. `mse` tries 1, 2, ... 100 hundredths of the whole range (the smaller one at ties),
 * asymmetric ones then each end alone, in turn until
 * nothing is better, 4 times at most; errors are those of nearest rounding. */
waio_status waio_weight_range(float *min, float *max, const float *weight, int64_t count, int bits,
                              const waio_scheme *scheme);

#endif
