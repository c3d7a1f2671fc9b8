/* Average and maximum over a sliding window, mean and sum over whole axes. */
#include <math.h>

#include "backend/ref/ref.h"

/* The window of output cell (oy, ox): real cells [y0, y1) x [x0, x1). */
typedef struct window {
    int64_t y0, y1, x0, x1;
} window;

static window window_at(const waio_ref_call *c, int64_t oy, int64_t ox)
{
    const waio_pool_params *p = &c->node->pool;
    const int64_t *in = c->in[0].dim;
    int64_t y = oy * p->stride[0] - p->pad[0], x = ox * p->stride[1] - p->pad[1];
    int64_t y1 = y + p->kernel[0], x1 = x + p->kernel[1];

    return (window){y < 0 ? 0 : y, y1 > in[1] ? in[1] : y1, x < 0 ? 0 : x, x1 > in[2] ? in[2] : x1};
}

static double window_sum(const waio_ref_call *c, window w, int64_t n, int64_t ch)
{
    const int64_t *in = c->in[0].dim;
    double sum = 0;
    for (int64_t y = w.y0; y < w.y1; y++)
        for (int64_t x = w.x0; x < w.x1; x++)
            sum += c->x[0][((n * in[1] + y) * in[2] + x) * in[3] + ch];
    return sum;
}

static float window_max(const waio_ref_call *c, window w, int64_t n, int64_t ch)
{
    const int64_t *in = c->in[0].dim;
    float best = -INFINITY;
    for (int64_t y = w.y0; y < w.y1; y++)
        for (int64_t x = w.x0; x < w.x1; x++) {
            float v = c->x[0][((n * in[1] + y) * in[2] + x) * in[3] + ch];
            best = v > best || v != v ? v : best;
        }
    return best;
}

/* Cells that an average divides by: the real ones, or with count_include_pad all inside the padded
 * image (a window that hangs over the padded image's end counts only what is inside). */
static int64_t divisor(const waio_ref_call *c, window w, int64_t oy, int64_t ox)
{
    const waio_pool_params *p = &c->node->pool;
    const int64_t *in = c->in[0].dim;

    if (!p->count_include_pad)
        return (w.y1 - w.y0) * (w.x1 - w.x0);
    int64_t y = oy * p->stride[0] - p->pad[0], x = ox * p->stride[1] - p->pad[1];
    int64_t y1 = y + p->kernel[0], x1 = x + p->kernel[1];
    int64_t y_end = in[1] + p->pad[2], x_end = in[2] + p->pad[3];
    return ((y1 < y_end ? y1 : y_end) - y) * ((x1 < x_end ? x1 : x_end) - x);
}

void waio_ref_avg_pool(const waio_ref_call *c)
{
    const int64_t *out = c->out->dim;
    float *y = c->y;

    for (int64_t n = 0; n < out[0]; n++)
        for (int64_t oy = 0; oy < out[1]; oy++)
            for (int64_t ox = 0; ox < out[2]; ox++) {
                window w = window_at(c, oy, ox);
                double cells = (double)divisor(c, w, oy, ox);
                for (int64_t ch = 0; ch < out[3]; ch++)
                    *y++ = (float)(window_sum(c, w, n, ch) / cells);
            }
}

void waio_ref_max_pool(const waio_ref_call *c)
{
    const int64_t *out = c->out->dim;
    float *y = c->y;

    for (int64_t n = 0; n < out[0]; n++)
        for (int64_t oy = 0; oy < out[1]; oy++)
            for (int64_t ox = 0; ox < out[2]; ox++) {
                window w = window_at(c, oy, ox);
                for (int64_t ch = 0; ch < out[3]; ch++)
                    *y++ = window_max(c, w, n, ch);
            }
}

/* Sum over the reduced axes for the kept coordinates in `at` (reduced ones are walked here). */
static double reduce_from(const waio_ref_call *c, int axis, int64_t offset, const int64_t *at)
{
    const waio_shape *in = &c->in[0];

    if (axis == in->rank)
        return c->x[0][offset];
    if (!(c->node->reduce.axes >> axis & 1u))
        return reduce_from(c, axis + 1, offset * in->dim[axis] + at[axis], at);
    double sum = 0;
    for (int64_t i = 0; i < in->dim[axis]; i++)
        sum += reduce_from(c, axis + 1, offset * in->dim[axis] + i, at);
    return sum;
}

static void reduce(const waio_ref_call *c, double divide_by)
{
    const waio_shape *in = &c->in[0];
    int64_t count = waio_shape_count(c->out), at[WAIO_MAX_RANK] = {0};

    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i;
        for (int d = in->rank - 1; d >= 0; d--) {
            bool reduced = c->node->reduce.axes >> d & 1u;
            at[d] = reduced ? 0 : rest % in->dim[d];
            rest = reduced ? rest : rest / in->dim[d];
        }
        c->y[i] = (float)(reduce_from(c, 0, 0, at) / divide_by);
    }
}

void waio_ref_mean(const waio_ref_call *c)
{
    reduce(c, (double)waio_shape_count(&c->in[0]) / (double)waio_shape_count(c->out));
}

void waio_ref_sum(const waio_ref_call *c)
{
    reduce(c, 1.0);
}
