/* Ops that move numbers: concat, pad, reshape, transpose. */
#include <string.h>

#include "backend/ref/ref.h"

static int64_t product(const waio_shape *shape, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= shape->dim[i];
    return n;
}

void waio_ref_concat(const waio_ref_call *c)
{
    int axis = c->node->axis.axis;
    int64_t rows = product(c->out, 0, axis), row = product(c->out, axis, c->out->rank);
    float *y = c->y;

    for (int i = 0; i < c->node->input_count; i++) {
        int64_t part = product(&c->in[i], axis, c->in[i].rank);
        /* A constant operand has one row for every image alike. */
        int64_t period = product(&c->in[i], 0, axis);
        for (int64_t r = 0; r < rows; r++)
            memcpy(y + r * row, c->x[i] + r % period * part, (size_t)part * sizeof *y);
        y += part;
    }
}

void waio_ref_pad(const waio_ref_call *c)
{
    const waio_pad_params *p = &c->node->pad;
    int rank = c->out->rank;
    int64_t count = waio_shape_count(c->out);

    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, offset = 0, stride = 1;
        bool inside = true;
        for (int d = rank - 1; d >= 0; d--) {
            int64_t at = rest % c->out->dim[d] - p->before[d];
            rest /= c->out->dim[d];
            inside = inside && at >= 0 && at < c->in[0].dim[d];
            offset += at * stride;
            stride *= c->in[0].dim[d];
        }
        c->y[i] = inside ? c->x[0][offset] : p->value;
    }
}

void waio_ref_reshape(const waio_ref_call *c)
{
    memcpy(c->y, c->x[0], (size_t)waio_shape_count(c->out) * sizeof *c->y);
}

void waio_ref_transpose(const waio_ref_call *c)
{
    int rank = c->out->rank;
    int64_t stride[WAIO_MAX_RANK], count = waio_shape_count(c->out);

    for (int d = 0; d < rank; d++)
        stride[d] = product(&c->in[0], c->node->transpose.perm[d] + 1, rank);
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, offset = 0;
        for (int d = rank - 1; d >= 0; d--) {
            offset += rest % c->out->dim[d] * stride[d];
            rest /= c->out->dim[d];
        }
        c->y[i] = c->x[0][offset];
    }
}
