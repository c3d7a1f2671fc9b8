/* Between numbers and codes, and between codes of different parameters: quantize, dequantize, and
 * clip, which is a requantization with a clamp. */
#include "backend/ref/refq.h"

/* Codes of one scale to those of another, `real` times as large. */
static void requantize(const waio_refq_call *call, double real)
{
    const waio_value_params *in = &call->in[0].params, *out = &call->out.params;
    waio_multiplier m = waio_multiplier_of(real);
    waio_refq_limits limits = waio_refq_output_limits(call);
    int64_t count = waio_shape_count(&call->out.shape);

    for (int64_t i = 0; i < count; i++) {
        int32_t code = waio_multiply_by_quantized(
            waio_refq_code(&call->in[0], i) - in->zero_point[0], m, real, call->requant);
        waio_refq_store(call, i, waio_finish_code(code, out->zero_point[0], limits.lo, limits.hi));
    }
}

void waio_refq_clip(const waio_refq_call *call)
{
    float in = call->in[0].params.scale[0], out = call->out.params.scale[0];
    requantize(call, call->requant == WAIO_REQUANT_TFLITE ? (double)(in / out)
                                                          : (double)in / (double)out);
}

void waio_refq_quantize(const waio_refq_call *call)
{
    const waio_value_params *p = &call->out.params;
    int64_t count = waio_shape_count(&call->out.shape);
    waio_refq_limits limits = waio_refq_output_limits(call);
    const float *x = call->in[0].data;

    if (call->in[0].type != WAIO_F32) {
        requantize(call, (double)call->in[0].params.scale[0] / (double)p->scale[0]);
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
