/* Integer conv2d and dense: acc = sum of w * (x - z_in) + bias; cells of padding add nothing; the
 * accumulator is requantized by s_in * s_w[c] / s_out, moved by z_out and clamped. */
#include <math.h>
#include <string.h>

#include "backend/ref/refq.h"

/* What turns an accumulator of channel `c` into a code. */
typedef struct finish {
    waio_requant requant;
    waio_refq_limits limits;
    int32_t zero_point;
    double input_scale, output_scale;
    const waio_value_params *weight;
} finish;

/* The desktop runtime's dense layers round once (seen with ai-edge-litert 2.3.0: its reference
 * kernels give the bytes of this rule and not of the other), its convolutions twice. */
static finish finish_of(const waio_refq_call *call)
{
    bool once = call->requant == WAIO_REQUANT_TFLITE && call->node->op == WAIO_OP_DENSE;
    return (finish){once ? WAIO_REQUANT_SINGLE : call->requant,
                    waio_refq_output_limits(call),
                    call->out.params.zero_point[0],
                    (double)call->in[0].params.scale[0],
                    (double)call->out.params.scale[0],
                    &call->in[1].params};
}

static double real_multiplier(const finish *f, int64_t c)
{
    return f->input_scale * (double)f->weight->scale[f->weight->count == 1 ? 0 : c] /
           f->output_scale;
}

static int32_t finish_code(const finish *f, const waio_refq_call *call, int64_t acc, int64_t c)
{
    double real = real_multiplier(f, c);
    waio_multiplier m = waio_multiplier_of(real);
    int32_t code;

    if (call->in[0].type == WAIO_S8)
        code = waio_multiply_by_quantized((int32_t)acc, m, real, f->requant);
    else if (f->requant == WAIO_REQUANT_FLOAT)
        code = (int32_t)fmin(fmax(round((double)acc * real), -65536.0), 65536.0);
    else
        code = waio_multiply_by_quantized_64(acc, m);
    return waio_clampi(code + f->zero_point, f->limits.lo, f->limits.hi);
}

/* Sum of w * (x - z) over `count` neighbours. */
static int64_t dot(const waio_refq_tensor *x, int64_t x_at, const waio_refq_tensor *w, int64_t w_at,
                   int64_t count)
{
    int32_t z = x->params.zero_point[0];

    if (x->type == WAIO_S8 && w->type == WAIO_S8) {
        const int8_t *a = (const int8_t *)x->data + x_at, *b = (const int8_t *)w->data + w_at;
        int32_t sum = 0;
        for (int64_t i = 0; i < count; i++)
            sum += ((int32_t)a[i] - z) * b[i];
        return sum;
    }
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (int64_t)(waio_refq_code(x, x_at + i) - z) * waio_refq_code(w, w_at + i);
    return sum;
}

static int64_t conv_cell(const waio_refq_call *call, int64_t n, int64_t oy, int64_t ox, int64_t oc)
{
    const waio_conv_params *p = &call->node->conv;
    const int64_t *in = call->in[0].shape.dim, *w = call->in[1].shape.dim;
    int64_t group = oc / (w[0] / p->groups), sum = 0;

    for (int64_t ky = 0; ky < w[1]; ky++) {
        int64_t iy = oy * p->stride[0] - p->pad[0] + ky * p->dilation[0];
        if (iy < 0 || iy >= in[1])
            continue;
        for (int64_t kx = 0; kx < w[2]; kx++) {
            int64_t ix = ox * p->stride[1] - p->pad[1] + kx * p->dilation[1];
            if (ix < 0 || ix >= in[2])
                continue;
            sum += dot(&call->in[0], ((n * in[1] + iy) * in[2] + ix) * in[3] + group * w[3],
                       &call->in[1], ((oc * w[1] + ky) * w[2] + kx) * w[3], w[3]);
        }
    }
    return sum;
}

void waio_refq_conv2d(const waio_refq_call *call)
{
    const int64_t *out = call->out.shape.dim;
    finish f = finish_of(call);
    int64_t at = 0;

    for (int64_t n = 0; n < out[0]; n++)
        for (int64_t oy = 0; oy < out[1]; oy++)
            for (int64_t ox = 0; ox < out[2]; ox++)
                for (int64_t oc = 0; oc < out[3]; oc++, at++) {
                    int64_t acc = conv_cell(call, n, oy, ox, oc) + waio_refq_bias(call, oc);
                    waio_refq_store(call, at, finish_code(&f, call, acc, oc));
                }
}

void waio_refq_dense(const waio_refq_call *call)
{
    int64_t outputs = call->in[1].shape.dim[0], inputs = call->in[1].shape.dim[1];
    int64_t rows = waio_shape_count(&call->out.shape) / outputs;
    finish f = finish_of(call);

    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < outputs; o++) {
            int64_t acc = dot(&call->in[0], r * inputs, &call->in[1], o * inputs, inputs) +
                          waio_refq_bias(call, o);
            waio_refq_store(call, r * outputs + o, finish_code(&f, call, acc, o));
        }
}
