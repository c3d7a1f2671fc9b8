/* Integer ops with two operands and numpy broadcasting: add, sub, mul, maximum. */
#include <math.h>

#include "backend/ref/ref.h"
#include "backend/ref/refq.h"

/* Code of operand `i` that belongs to element `index` of the result, less the zero point. */
static int32_t operand(const waio_refq_call *call, int i, int64_t index)
{
    const waio_refq_tensor *x = &call->in[i];

    if (!waio_shape_equal(&x->shape, &call->out.shape))
        index = waio_broadcast_offset(&x->shape, &call->out.shape, index);
    return waio_refq_code(x, index) - x->params.zero_point[0];
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
        int32_t x = operand(call, 0, i) * (1 << left), y = operand(call, 1, i) * (1 << left);
        x = waio_multiply_by_quantized(x, ma, real_a, call->requant);
        y = waio_multiply_by_quantized(y, mb, real_b, call->requant);
        int32_t code = waio_multiply_by_quantized(x + sign * y, mo, real_out, call->requant);
        waio_refq_store(call, i, waio_finish_code(code, out->zero_point[0], limits.lo, limits.hi));
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
    if (call->requant == WAIO_REQUANT_TFLITE)
        real = (double)(a->scale[0] * b->scale[0] / out->scale[0]);
    waio_multiplier m = waio_multiplier_of(real);
    waio_refq_limits limits = waio_refq_output_limits(call);
    int64_t count = waio_shape_count(&call->out.shape);

    for (int64_t i = 0; i < count; i++) {
        int32_t product = operand(call, 0, i) * operand(call, 1, i);
        int32_t code = waio_multiply_by_quantized(product, m, real, call->requant);
        waio_refq_store(call, i, waio_finish_code(code, out->zero_point[0], limits.lo, limits.hi));
    }
}

void waio_refq_maximum(const waio_refq_call *call)
{
    waio_refq_limits limits = waio_refq_output_limits(call);
    int64_t count = waio_shape_count(&call->out.shape);

    for (int64_t i = 0; i < count; i++) {
        int32_t a = operand(call, 0, i), b = operand(call, 1, i);
        waio_refq_store(
            call, i,
            waio_finish_code(a > b ? a : b, call->out.params.zero_point[0], limits.lo, limits.hi));
    }
}
