/* Exchanging the dimensions of an array. */
#ifndef WAIO_TENSOR_PERMUTE_H
#define WAIO_TENSOR_PERMUTE_H

#include "tensor/shape.h"

/* out[o0,o1,o2,o3] = in[...], where dimension i of `out` is dimension perm[i] of `in`, whose shape
 * is given and has at most 4 dimensions. */
void waio_permute(float *out, const float *in, const waio_shape *shape, const int perm[4]);

#endif
