/* Integer elementwise ops: add, sub, mul, maximum, clip, quantize, dequantize, logistic. */
#include <math.h>

#include "backend/ref/ref.h"
#include "backend/ref/refq.h"

static int32_t operand(const waio_refq_call *call, int i, int64_t index)
{
    return waio_refq_code(&call->in[i],
                          waio_broadcast_offset(&call->in[i].shape, &call->out.shape, index));
}

/* add and sub bring both operands to twice the larger scale, with `left` more bits (20 for s8, 15
 * for s16), before they meet. */
static void add_or_sub(const waio_refq_call *call, int sign)
{
    const waio_value_params *a = &call->in[0].params, *b = &call->in[1].params;
    const waio_value_params *out = &call->out.params;
    int left = call->out.type == WAIO_S8 ? 20 : 15;
    double twice = 2 * fmax((double)a->scale[0], (double)b->scale[0]);
    double real_a = (double)a->scale[0] / twice, real_b = (double)b->scale[0] / twice;
    double real_out = twice / ((double)(1 << left) * (double)out->scale[0]);
    waio_multiplier ma = waio_multiplier_of(real_a), mb = waio_multiplier_of(real_b);
    waio_multiplier mo = waio_multiplier_of(real_out);
    waio_refq_limits limits = waio_refq_output_limits(call);
    int64_t count = waio_shape_count(&call->out.shape);

    for (int64_t i = 0; i < count; i++) {
        int32_t x = (operand(call, 0, i) - a->zero_point[0]) * (1 << left);
        int32_t y = (operand(call, 1, i) - b->zero_point[0]) * (1 << left);
        x = waio_multiply_by_quantized(x, ma, real_a, call->requant);
        y = waio_multiply_by_quantized(y, mb, real_b, call->requant);
        int32_t code = waio_multiply_by_quantized(x + sign * y, mo, real_out, call->requant);
        waio_refq_store(call, i, waio_clampi(code + out->zero_point[0], limits.lo, limits.hi));
    }
}

void waio_refq_add(const waio_refq_call *call)
{
    add_or_sub(call, 1);
}

void waio_refq_sub(const waio_refq_call *call)
{
    add_or_sub(call, -1);
}

void waio_refq_mul(const waio_refq_call *call)
{
    const waio_value_params *a = &call->in[0].params, *b = &call->in[1].params;
    const waio_value_params *out = &call->out.params;
    double real = (double)a->scale[0] * (double)b->scale[0] / (double)out->scale[0];
    waio_multiplier m = waio_multiplier_of(real);
    waio_refq_limits limits = waio_refq_output_limits(call);
    int64_t count = waio_shape_count(&call->out.shape);

    for (int64_t i = 0; i < count; i++) {
        int32_t product =
            (operand(call, 0, i) - a->zero_point[0]) * (operand(call, 1, i) - b->zero_point[0]);
        int32_t code = waio_multiply_by_quantized(product, m, real, call->requant);
        waio_refq_store(call, i, waio_clampi(code + out->zero_point[0], limits.lo, limits.hi));
    }
}

void waio_refq_maximum(const waio_refq_call *call)
{
    waio_refq_limits limits = waio_refq_output_limits(call);
    int64_t count = waio_shape_count(&call->out.shape);

    for (int64_t i = 0; i < count; i++) {
        int32_t a = operand(call, 0, i), b = operand(call, 1, i);
        waio_refq_store(call, i, waio_clampi(a > b ? a : b, limits.lo, limits.hi));
    }
}

/* Codes of one scale to those of another. */
static void requantize(const waio_refq_call *call)
{
    const waio_value_params *in = &call->in[0].params, *out = &call->out.params;
    double real = (double)in->scale[0] / (double)out->scale[0];
    waio_multiplier m = waio_multiplier_of(real);
    waio_refq_limits limits = waio_refq_output_limits(call);
    int64_t count = waio_shape_count(&call->out.shape);

    for (int64_t i = 0; i < count; i++) {
        int32_t code = waio_multiply_by_quantized(
            waio_refq_code(&call->in[0], i) - in->zero_point[0], m, real, call->requant);
        waio_refq_store(call, i, waio_clampi(code + out->zero_point[0], limits.lo, limits.hi));
    }
}

void waio_refq_clip(const waio_refq_call *call)
{
    requantize(call);
}

void waio_refq_quantize(const waio_refq_call *call)
{
    const waio_value_params *p = &call->out.params;
    int64_t count = waio_shape_count(&call->out.shape);
    waio_refq_limits limits = waio_refq_output_limits(call);
    const float *x = call->in[0].data;

    if (call->in[0].type != WAIO_F32) {
        requantize(call);
        return;
    }
    waio_fq fq = {p->scale[0], (float)(limits.lo - p->zero_point[0]),
                  (float)(limits.hi - p->zero_point[0])};
    for (int64_t i = 0; i < count; i++)
        waio_refq_store(call, i,
                        waio_quantize_code(x[i], fq, p->zero_point[0], WAIO_ROUND_HALF_AWAY));
}

void waio_refq_dequantize(const waio_refq_call *call)
{
    const waio_value_params *p = &call->in[0].params;
    int64_t count = waio_shape_count(&call->out.shape);
    float *y = call->result;

    for (int64_t i = 0; i < count; i++)
        y[i] = waio_dequantize_code(waio_refq_code(&call->in[0], i), p->scale[0], p->zero_point[0]);
}

/* The desktop runtime's table: round(256 / (1 + e^-x)) - 128, clamped. */
void waio_refq_logistic(const waio_refq_call *call)
{
    const waio_value_params *p = &call->in[0].params;
    int64_t count = waio_shape_count(&call->out.shape);

    for (int64_t i = 0; i < count; i++) {
        float x = p->scale[0] * (float)(waio_refq_code(&call->in[0], i) - p->zero_point[0]);
        float y = 1.0f / (1.0f + expf(-x));
        waio_refq_store(call, i, waio_clampi((int32_t)roundf(y * 256.0f) - 128, -128, 127));
    }
}
