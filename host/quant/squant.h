/* SQuant: rounding of a weight tensor without data, so that the rounding errors of every kernel and
 * of every output channel nearly cancel (kernels/squant.h has the source and the rules).
 *
 * Stages, each over one output channel:
 *   E  every weight to its nearest code, ties to even;
 *   K  in every kernel (the KH x KW weights of one input channel) as many weights as the sum of
 *      errors asks for are flipped to their other neighbour, those with the largest errors first
 *      (ties: the earlier one); skipped where a kernel is one weight;
 *   C  the same over the channel: with K, one weight a kernel is open to it, else all are.
 * After K each kernel's errors sum to at most 0.5, after C each channel's, and a kernel's to at
 * most 1, where no weight is cut off by the ends of the grid. Codes stay within one of the nearest.
 */
#ifndef WAIO_QUANT_SQUANT_H
#define WAIO_QUANT_SQUANT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/squant.h"
#include "util/status.h"

/* The grid of a channel whose weights are in [min, max]: asymmetric, codes -2^(bits-1) ..
 * 2^(bits-1)-1, not widened to hold 0 (as SQuant's authors have it), or symmetric, codes -Q..Q. */
waio_squant_grid waio_squant_grid_of(float min, float max, int bits, bool symmetric);

/* Rounds `weight` to the codes of the channels' grids, `grid[0]` for all if `grid_count` is 1.
 * `code` receives them in the order of the weights. The same codes for any number of threads. */
waio_status waio_squant_round(float *code, const float *weight, const waio_squant_shape *shape,
                              const waio_squant_grid *grid, int64_t grid_count,
                              waio_squant_stages stages, int threads);

#endif
