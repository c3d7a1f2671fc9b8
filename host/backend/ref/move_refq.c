/* Integer ops that move codes: concat (inputs of other parameters are requantized first), pad (with
 * the zero point), reshape, transpose. */
#include <string.h>

#include "backend/ref/refq.h"

static int64_t product(const waio_shape *shape, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= shape->dim[i];
    return n;
}

/* How the codes of one input of concat become the output's: not at all, by requantization, or, of
 * uint8 files, in float32 on the codes that stand in the file. */
typedef struct conversion {
    bool same, u8;
    waio_multiplier multiplier;
    double real;
    float scale, bias;
} conversion;

static conversion conversion_of(const waio_value_params *in, const waio_value_params *out)
{
    double real = (double)in->scale[0] / (double)out->scale[0];
    float scale = in->scale[0] * (1.0f / out->scale[0]);

    return (conversion){.same = real == 1 && in->zero_point[0] == out->zero_point[0],
                        .u8 = out->u8,
                        .multiplier = waio_multiplier_of(real),
                        .real = real,
                        .scale = scale,
                        .bias = -(float)(in->zero_point[0] + 128) * scale};
}

/* `code` without its zero point in units of the output. */
static int32_t convert(const waio_refq_call *call, const conversion *c, int32_t code, int32_t z)
{
    if (c->same)
        return code - z;
    if (c->u8) {
        float moved = roundf((float)(code + 128) * c->scale + c->bias);
        return (int32_t)waio_clampf(moved, -512, 512);
    }
    return waio_multiply_by_quantized(code - z, c->multiplier, c->real, call->requant);
}

void waio_refq_concat(const waio_refq_call *call)
{
    const waio_value_params *out = &call->out.params;
    int axis = call->node->axis.axis;
    int64_t rows = product(&call->out.shape, 0, axis);
    int64_t row = product(&call->out.shape, axis, call->out.shape.rank), start = 0;
    waio_refq_limits limits = waio_refq_output_limits(call);

    for (int k = 0; k < call->node->input_count; k++) {
        const waio_refq_tensor *x = &call->in[k];
        int64_t part = product(&x->shape, axis, x->shape.rank);
        int64_t period = product(&x->shape, 0, axis);
        conversion to = conversion_of(&x->params, out);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < part; i++) {
                int32_t code = convert(call, &to, waio_refq_code(x, r % period * part + i),
                                       x->params.zero_point[0]);
                waio_refq_store(call, r * row + start + i,
                                waio_finish_code(code, out->zero_point[0], limits.lo, limits.hi));
            }
        start += part;
    }
}

void waio_refq_pad(const waio_refq_call *call)
{
    const waio_pad_params *p = &call->node->pad;
    const waio_value_params *q = &call->out.params;
    int rank = call->out.shape.rank;
    int64_t count = waio_shape_count(&call->out.shape);
    int32_t fill = waio_bound_code(p->value, q->scale[0], q->zero_point[0], waio_params_lo(q),
                                   waio_params_hi(q));

    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, offset = 0, stride = 1;
        bool inside = true;
        for (int d = rank - 1; d >= 0; d--) {
            int64_t at = rest % call->out.shape.dim[d] - p->before[d];
            rest /= call->out.shape.dim[d];
            inside = inside && at >= 0 && at < call->in[0].shape.dim[d];
            offset += at * stride;
            stride *= call->in[0].shape.dim[d];
        }
        waio_refq_store(call, i, inside ? waio_refq_code(&call->in[0], offset) : fill);
    }
}

void waio_refq_reshape(const waio_refq_call *call)
{
    memcpy(call->result, call->in[0].data,
           (size_t)waio_shape_count(&call->out.shape) * waio_type_bytes(call->out.type));
}

void waio_refq_transpose(const waio_refq_call *call)
{
    int rank = call->out.shape.rank;
    int64_t stride[WAIO_MAX_RANK], count = waio_shape_count(&call->out.shape);

    for (int d = 0; d < rank; d++)
        stride[d] = product(&call->in[0].shape, call->node->transpose.perm[d] + 1, rank);
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, offset = 0;
        for (int d = rank - 1; d >= 0; d--) {
            offset += rest % call->out.shape.dim[d] * stride[d];
            rest /= call->out.shape.dim[d];
        }
        waio_refq_store(call, i, waio_refq_code(&call->in[0], offset));
    }
}
