/* Shapes. Activations are NHWC and their dimension 0 is the batch, which a graph always holds as
 * 1; a program multiplies it by the batch it was compiled for. Constants have no batch. */
#ifndef WAIO_TENSOR_SHAPE_H
#define WAIO_TENSOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WAIO_MAX_RANK = 6 };

typedef struct waio_shape {
    int rank;                   /* 0 (a scalar) to WAIO_MAX_RANK */
    int64_t dim[WAIO_MAX_RANK]; /* each at least 1 */
} waio_shape;

/* WAIO_SHAPE(1, 32, 32, 3) */
#define WAIO_SHAPE(...)                                                                            \
    ((waio_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})

/* Number of elements; -1 if a dimension is below 1 or the product does not fit 2^40. */
int64_t waio_shape_count(const waio_shape *shape);
bool waio_shape_equal(const waio_shape *a, const waio_shape *b);
/* Writes "1x32x32x3" ("scalar" for rank 0) to `text` and returns it. */
char *waio_shape_text(const waio_shape *shape, char text[64]);
/* Numpy broadcasting of two shapes; false if they do not go together. */
bool waio_shape_broadcast(waio_shape *out, const waio_shape *a, const waio_shape *b);

#endif
