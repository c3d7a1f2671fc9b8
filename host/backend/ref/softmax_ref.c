/* Softmax over the last axis: exp(x - max) / sum. */
#include <math.h>

#include "backend/ref/ref.h"

void waio_ref_softmax(const waio_ref_call *c)
{
    int64_t width = c->out->dim[c->out->rank - 1], rows = waio_shape_count(c->out) / width;

    for (int64_t r = 0; r < rows; r++) {
        const float *x = c->x[0] + r * width;
        float *y = c->y + r * width;
        float top = x[0];
        double sum = 0;
        for (int64_t i = 1; i < width; i++)
            top = x[i] > top ? x[i] : top;
        for (int64_t i = 0; i < width; i++)
            sum += exp((double)x[i] - (double)top);
        for (int64_t i = 0; i < width; i++)
            y[i] = (float)(exp((double)x[i] - (double)top) / sum);
    }
}
