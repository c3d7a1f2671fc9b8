/* Pooling and the mean or sum over an image, NHWC: the inner loop runs over channels. Sums are
 * float32 in row order, so that they do not depend on the vector width. */
#include <math.h>
#include <stddef.h>

#include "backend/cpu/cpu_kernel.h"
#include "util/simd.h"

WAIO_SIMD static void add_rows(float *sum, const float *x, size_t channels)
{
    for (size_t c = 0; c < channels; c++)
        sum[c] += x[c];
}

WAIO_SIMD static void max_rows(float *best, const float *x, size_t channels)
{
    for (size_t c = 0; c < channels; c++)
        best[c] = x[c] > best[c] || x[c] != x[c] ? x[c] : best[c];
}

WAIO_SIMD static void finish(float *y, size_t channels, float divide_by, waio_clamp clamp)
{
    for (size_t c = 0; c < channels; c++)
        y[c] = waio_clampf(y[c] / divide_by, clamp.lo, clamp.hi);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void pool_cell(const waio_kernel *k, const float *image, float *y, int64_t oy, int64_t ox)
{
    const waio_pool_params *p = &k->node->pool;
    const int64_t *in = k->in[0].dim;
    bool maximum = k->node->op == WAIO_OP_MAX_POOL;
    int64_t top = oy * p->stride[0] - p->pad[0], left = ox * p->stride[1] - p->pad[1];
    int64_t y0 = larger(top, 0), y1 = smaller(top + p->kernel[0], in[1]);
    int64_t x0 = larger(left, 0), x1 = smaller(left + p->kernel[1], in[2]);
    int64_t cells = (y1 - y0) * (x1 - x0);

    if (p->count_include_pad)
        cells = (smaller(top + p->kernel[0], in[1] + p->pad[2]) - top) *
                (smaller(left + p->kernel[1], in[2] + p->pad[3]) - left);
    for (int64_t c = 0; c < in[3]; c++)
        y[c] = maximum ? -INFINITY : 0;
    for (int64_t r = y0; r < y1; r++)
        for (int64_t q = x0; q < x1; q++)
            (maximum ? max_rows : add_rows)(y, image + (r * in[2] + q) * in[3], (size_t)in[3]);
    finish(y, (size_t)in[3], maximum ? 1.0f : (float)cells, k->node->clamp);
}

waio_status waio_cpu_pool(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const int64_t *in = kernel->in[0].dim, *out = kernel->out.dim;
    float *y = args->output;

    for (int64_t n = 0; n < out[0]; n++) {
        const float *image = (const float *)args->input[0] + n * in[1] * in[2] * in[3];
        for (int64_t oy = 0; oy < out[1]; oy++)
            for (int64_t ox = 0; ox < out[2]; ox++, y += out[3])
                pool_cell(kernel, image, y, oy, ox);
    }
    return WAIO_OK;
}

waio_status waio_cpu_reduce_image(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const int64_t *in = kernel->in[0].dim;
    size_t channels = (size_t)in[3], cells = (size_t)(in[1] * in[2]);
    float divide_by = kernel->node->op == WAIO_OP_MEAN ? (float)cells : 1.0f;
    const float *x = args->input[0];

    for (int64_t n = 0; n < in[0]; n++) {
        float *y = args->output + (size_t)n * channels;
        for (size_t c = 0; c < channels; c++)
            y[c] = 0;
        for (size_t i = 0; i < cells; i++, x += channels)
            add_rows(y, x, channels);
        finish(y, channels, divide_by, kernel->node->clamp);
    }
    return WAIO_OK;
}
