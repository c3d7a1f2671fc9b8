/* Elementwise ops: batch norm, clip, logistic, and the two-input ops with numpy broadcasting. */
#include <assert.h>
#include <math.h>

#include "backend/ref/ref.h"

void waio_ref_batch_norm(const waio_ref_call *c)
{
    int64_t count = waio_shape_count(c->out), channels = c->out->dim[c->out->rank - 1];

    for (int64_t i = 0; i < count; i++) {
        int64_t ch = i % channels;
        double k = c->x[1][ch] / sqrt((double)c->x[4][ch] + (double)c->node->epsilon);
        c->y[i] = (float)(((double)c->x[0][i] - c->x[3][ch]) * k + c->x[2][ch]);
    }
}

void waio_ref_clip(const waio_ref_call *c)
{
    int64_t count = waio_shape_count(c->out);
    for (int64_t i = 0; i < count; i++)
        c->y[i] = c->x[0][i]; /* the node's clamp does the rest */
}

void waio_ref_logistic(const waio_ref_call *c)
{
    int64_t count = waio_shape_count(c->out);
    for (int64_t i = 0; i < count; i++)
        c->y[i] = (float)(1.0 / (1.0 + exp(-(double)c->x[0][i])));
}

int64_t waio_broadcast_offset(const waio_shape *shape, const waio_shape *out, int64_t index)
{
    int64_t offset = 0, stride = 1;

    for (int i = out->rank - 1; i >= 0; i--) {
        int d = i - (out->rank - shape->rank);
        int64_t at = index % out->dim[i];
        index /= out->dim[i];
        if (d < 0)
            break;
        offset += shape->dim[d] == 1 ? 0 : at * stride;
        stride *= shape->dim[d];
    }
    return offset;
}

static float operand(const waio_shape *shape, const float *x, const waio_shape *out, int64_t index)
{
    return x[waio_broadcast_offset(shape, out, index)];
}

static float add(float a, float b)
{
    return a + b;
}

static float subtract(float a, float b)
{
    return a - b;
}

static float multiply(float a, float b)
{
    return a * b;
}

static float larger(float a, float b)
{
    return a > b || a != a ? a : b; /* NaN on either side stays NaN */
}

static void binary(const waio_ref_call *c, float (*f)(float, float))
{
    int64_t count = waio_shape_count(c->out);
    for (int64_t i = 0; i < count; i++)
        c->y[i] = f(operand(&c->in[0], c->x[0], c->out, i), operand(&c->in[1], c->x[1], c->out, i));
}

void waio_ref_add(const waio_ref_call *c)
{
    binary(c, add);
}

void waio_ref_sub(const waio_ref_call *c)
{
    binary(c, subtract);
}

void waio_ref_mul(const waio_ref_call *c)
{
    binary(c, multiply);
}

void waio_ref_maximum(const waio_ref_call *c)
{
    binary(c, larger);
}

/* Conversions run among the integer kernels, which are called for every integer value. */
void waio_ref_quantize(const waio_ref_call *c)
{
    (void)c;
    assert(!"quantize without an integer value");
}

void waio_ref_dequantize(const waio_ref_call *c)
{
    (void)c;
    assert(!"dequantize without an integer value");
}
