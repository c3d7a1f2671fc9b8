/* Quantizing one weight tensor. */
#ifndef WAIO_QUANT_WEIGHTS_H
#define WAIO_QUANT_WEIGHTS_H

#include <stdint.h>

#include "quant/precision.h"
#include "quant/scheme.h"
#include "quant/squant.h"
#include "tensor/shape.h"
#include "util/arena.h"

typedef struct waio_weight_scales {
    float *scale; /* `count` scales: one per output channel, or one */
    int count;
} waio_weight_scales;

/* The values that `count` weights of `channels` output channels (outermost) have at `bits` bits
 * (2..16 or f16) are written to `out`; scales (for f16: none) to `scales`, in `arena`. */
waio_status waio_quantize_weights(float *out, waio_weight_scales *scales, const float *weight,
                                  int64_t count, int64_t channels, int bits,
                                  const waio_scheme *scheme, waio_arena *arena);

/* Who rounds by SQuant's rule: `device` first, waio_backend's squant, if it is not NULL; what that
 * leaves is for `threads` threads of the host. Neither changes a code. */
typedef struct waio_rounder {
    waio_status (*device)(float *code, const float *weight, const waio_squant_shape *shape,
                          const waio_squant_grid *grid, int64_t grid_count,
                          waio_squant_stages stages);
    int threads;
} waio_rounder;

/* The same for a layer's weights by everything that the scheme says, SQuant among it. Values on
 * asymmetric grids of SQuant are no products of code and scale. `least`: a scale that is below
 * least[k] becomes least[k], for each scale k; NULL: none does (asymmetric SQuant: none can). */
waio_status waio_quantize_layer(float *out, waio_weight_scales *scales, const float *weight,
                                const waio_squant_shape *shape, int bits, const waio_scheme *scheme,
                                const float *least, const waio_rounder *rounder, waio_arena *arena);
/* The shape of a layer's weights, (OC, KH, KW, IC) or (OC, IC). */
waio_squant_shape waio_layer_shape(const waio_shape *weight);

/* The codes, less their zero point, of `count` values that waio_quantize_weights gave with
 * `scales`. A value is code * scale rounded once, so dividing gives the code exactly. */
void waio_weight_codes(int16_t *codes, const float *values, const waio_weight_scales *scales,
                       int64_t count);

/* Most distinct numbers in any of the `blocks` equal blocks of `data`; counting in a block stops
 * at limit + 1. */
waio_status waio_count_levels(int64_t *levels, const float *data, int64_t count, int64_t blocks,
                              int64_t limit);

#endif
