/* What the values of a network are like without looking at any image: mean and standard deviation
 * of every channel, from the statistics that folded batch norms left, and ranges from them (Nagel
 * et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019,
 * sections 4.2.1 and 5). A layer without a norm, and every other op, gets them from its inputs, as
 * if those were independent; clamps make clipped normals. */
#ifndef WAIO_QUANT_MOMENTS_H
#define WAIO_QUANT_MOMENTS_H

#include "graph/graph.h"

typedef struct waio_moment {
    float mean, std;      /* of the value, behind its clamp */
    float center, spread; /* the same in front of it: what ranges are made of */
    float lo, hi;         /* it is never outside of these */
} waio_moment;

typedef struct waio_moments {
    waio_moment **channel; /* per value, `channels` each (the last dimension); NULL: a constant */
    int64_t *channels;
} waio_moments;

/* `input`: of the image's channels. Everything lives in `arena`. */
waio_status waio_moments_create(waio_moments *moments, const waio_graph *graph,
                                const waio_moment *input, waio_arena *arena);

/* [least center - sigmas * spread, largest center + sigmas * spread] over the channels of value
 * `id`, each within lo and hi. Infinity and -infinity for a constant. */
void waio_moments_range(const waio_moments *moments, int id, float sigmas, float *min, float *max);

/* Mean and standard deviation of a normal number limited to [lo, hi]. */
void waio_clipped_normal(double *mean, double *std, double center, double spread, double lo,
                         double hi);

#endif
