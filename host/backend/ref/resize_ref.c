/* Nearest and bilinear resize of height and width, as TensorFlow and ONNX define them: the source
 * position of cell i is (i + 0.5) * in/out - 0.5 (half_pixel), i * (in-1)/(out-1) (align_corners)
 * or i * in/out. Nearest takes floor of the position (half_pixel: of (i + 0.5) * in/out; with
 * align_corners the nearest cell, halves up), limited to the image. */
#include <math.h>

#include "backend/ref/ref.h"

static double source_of(const waio_resize_params *p, int64_t i, int64_t in, int64_t out)
{
    if (p->align_corners)
        return out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0.0;
    if (p->half_pixel)
        return ((double)i + 0.5) * (double)in / (double)out - 0.5;
    return (double)i * (double)in / (double)out;
}

static int64_t limit(int64_t i, int64_t count)
{
    return i < 0 ? 0 : i >= count ? count - 1 : i;
}

int64_t waio_ref_nearest(const waio_resize_params *p, int64_t i, int64_t in, int64_t out)
{
    double source = source_of(p, i, in, out);
    if (p->half_pixel || p->align_corners)
        source += 0.5;
    return limit((int64_t)floor(source), in);
}

static void nearest(const waio_ref_call *c, float *y, int64_t n, int64_t oy, int64_t ox)
{
    const int64_t *in = c->in[0].dim, *out = c->out->dim;
    int64_t iy = waio_ref_nearest(&c->node->resize, oy, in[1], out[1]);
    int64_t ix = waio_ref_nearest(&c->node->resize, ox, in[2], out[2]);
    const float *x = c->x[0] + ((n * in[1] + iy) * in[2] + ix) * in[3];

    for (int64_t ch = 0; ch < in[3]; ch++)
        y[ch] = x[ch];
}

static void bilinear(const waio_ref_call *c, float *y, int64_t n, int64_t oy, int64_t ox)
{
    const int64_t *in = c->in[0].dim, *out = c->out->dim;
    double sy = source_of(&c->node->resize, oy, in[1], out[1]);
    double sx = source_of(&c->node->resize, ox, in[2], out[2]);
    int64_t y0 = (int64_t)floor(sy), x0 = (int64_t)floor(sx);
    double fy = sy - (double)y0, fx = sx - (double)x0;
    const float *row0 = c->x[0] + (n * in[1] + limit(y0, in[1])) * in[2] * in[3];
    const float *row1 = c->x[0] + (n * in[1] + limit(y0 + 1, in[1])) * in[2] * in[3];
    int64_t left = limit(x0, in[2]) * in[3], right = limit(x0 + 1, in[2]) * in[3];

    for (int64_t ch = 0; ch < in[3]; ch++) {
        double top = row0[left + ch] + fx * ((double)row0[right + ch] - row0[left + ch]);
        double bottom = row1[left + ch] + fx * ((double)row1[right + ch] - row1[left + ch]);
        y[ch] = (float)(top + fy * (bottom - top));
    }
}

void waio_ref_resize(const waio_ref_call *c)
{
    const int64_t *out = c->out->dim;
    float *y = c->y;

    for (int64_t n = 0; n < out[0]; n++)
        for (int64_t oy = 0; oy < out[1]; oy++)
            for (int64_t ox = 0; ox < out[2]; ox++, y += out[3])
                (c->node->resize.bilinear ? bilinear : nearest)(c, y, n, oy, ox);
}
