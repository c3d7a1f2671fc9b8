#include "tensor/permute.h"

/* Rows of a matrix that are read side by side, so that a cache line is used up before it goes. */
enum { TILE = 16 };

static void transpose(float *out, const float *in, int64_t rows, int64_t columns)
{
    for (int64_t c0 = 0; c0 < columns; c0 += TILE)
        for (int64_t r0 = 0; r0 < rows; r0 += TILE)
            for (int64_t c = c0; c < columns && c < c0 + TILE; c++)
                for (int64_t r = r0; r < rows && r < r0 + TILE; r++)
                    out[c * rows + r] = in[r * columns + c];
}

void waio_permute(float *out, const float *in, const waio_shape *shape, const int perm[4])
{
    int64_t size[4] = {1, 1, 1, 1}, step[4] = {0, 0, 0, 0}, stride[4], n = 1;

    if (shape->rank == 2 && perm[0] == 1) {
        transpose(out, in, shape->dim[0], shape->dim[1]);
        return;
    }
    if (shape->rank == 4 && perm[0] == 3 && perm[1] == 0 && perm[2] == 1) { /* (H,W,I,O) to OHWI */
        transpose(out, in, shape->dim[0] * shape->dim[1] * shape->dim[2], shape->dim[3]);
        return;
    }
    for (int i = shape->rank - 1; i >= 0; i--) {
        stride[i] = n;
        n *= shape->dim[i];
    }
    for (int i = 0; i < shape->rank; i++) {
        size[i] = shape->dim[perm[i]];
        step[i] = stride[perm[i]];
    }
    for (int64_t a = 0; a < size[0]; a++)
        for (int64_t b = 0; b < size[1]; b++)
            for (int64_t c = 0; c < size[2]; c++)
                for (int64_t d = 0; d < size[3]; d++)
                    *out++ = in[a * step[0] + b * step[1] + c * step[2] + d * step[3]];
}
