/* conv2d and dense: y = sum over the window of w * x, plus bias. Cells of padding add nothing. */
#include "backend/ref/ref.h"

/* The sum for output channel `oc` at output cell (oy, ox) of image `n`. */
static double conv_cell(const waio_ref_call *c, int64_t n, int64_t oy, int64_t ox, int64_t oc)
{
    const waio_conv_params *p = &c->node->conv;
    const int64_t *in = c->in[0].dim, *w = c->in[1].dim;
    int64_t group = oc / (w[0] / p->groups);
    double sum = 0;

    for (int64_t ky = 0; ky < w[1]; ky++) {
        int64_t iy = oy * p->stride[0] - p->pad[0] + ky * p->dilation[0];
        if (iy < 0 || iy >= in[1])
            continue;
        for (int64_t kx = 0; kx < w[2]; kx++) {
            int64_t ix = ox * p->stride[1] - p->pad[1] + kx * p->dilation[1];
            if (ix < 0 || ix >= in[2])
                continue;
            const float *x = c->x[0] + ((n * in[1] + iy) * in[2] + ix) * in[3] + group * w[3];
            const float *k = c->x[1] + ((oc * w[1] + ky) * w[2] + kx) * w[3];
            for (int64_t i = 0; i < w[3]; i++)
                sum += (double)x[i] * (double)k[i];
        }
    }
    return sum;
}

void waio_ref_conv2d(const waio_ref_call *c)
{
    const float *bias = c->node->input_count == 3 ? c->x[2] : NULL;
    const int64_t *out = c->out->dim;
    float *y = c->y;

    for (int64_t n = 0; n < out[0]; n++)
        for (int64_t oy = 0; oy < out[1]; oy++)
            for (int64_t ox = 0; ox < out[2]; ox++)
                for (int64_t oc = 0; oc < out[3]; oc++)
                    *y++ = (float)(conv_cell(c, n, oy, ox, oc) + (bias ? (double)bias[oc] : 0.0));
}

void waio_ref_dense(const waio_ref_call *c)
{
    const float *bias = c->node->input_count == 3 ? c->x[2] : NULL;
    int64_t outputs = c->in[1].dim[0], inputs = c->in[1].dim[1];
    int64_t rows = waio_shape_count(c->out) / outputs;

    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < outputs; o++) {
            double sum = bias ? (double)bias[o] : 0.0;
            for (int64_t i = 0; i < inputs; i++)
                sum += (double)c->x[0][r * inputs + i] * (double)c->x[1][o * inputs + i];
            c->y[r * outputs + o] = (float)sum;
        }
}
