/* quantize (of floats and of codes), dequantize, and clip, which is a requantization. */
#include "backend/cpu/int_op.h"
#include "util/simd.h"

waio_status waio_int_create_convert(waio_int_op *op, const waio_kernel *kernel, waio_isa isa)
{
    const waio_value *x = &kernel->graph->value[kernel->node->input[0]];
    const waio_value *y = &kernel->graph->value[kernel->node->output];

    if (x->type == WAIO_F32)
        return WAIO_OK;
    op->zero_point[0] = x->params.zero_point[0];
    float in = x->params.scale[0], out = y->params.scale[0];
    bool single = kernel->node->op == WAIO_OP_CLIP && kernel->graph->requant == WAIO_REQUANT_TFLITE;
    double real = single ? (double)(in / out) : (double)in / (double)out;
    return waio_int_requant_uniform(&op->out, kernel->graph->requant, waio_multiplier_of(real),
                                    real, isa);
}

WAIO_SIMD static void quantize_s8(int8_t *y, const float *x, int64_t count, waio_fq fq, int32_t z)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = (int8_t)waio_quantize_code(x[i], fq, z, WAIO_ROUND_HALF_AWAY);
}

WAIO_SIMD static void quantize_s16(int16_t *y, const float *x, int64_t count, waio_fq fq, int32_t z)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = (int16_t)waio_quantize_code(x[i], fq, z, WAIO_ROUND_HALF_AWAY);
}

waio_status waio_int_convert(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const waio_int_op *op = kernel->int_op;
    const waio_graph *graph = kernel->graph;
    int64_t count = waio_shape_count(&kernel->out);
    int32_t z = op->out_zero_point;

    if (graph->value[kernel->node->input[0]].type != WAIO_F32) {
        waio_int_flat_run(op, WAIO_INT_SCALE,
                          &(waio_int_flat){args->input[0], NULL, args->output, count});
        return WAIO_OK;
    }
    waio_fq fq = {graph->value[kernel->node->output].params.scale[0], (float)(op->lo - z),
                  (float)(op->hi - z)};
    if (op->type == WAIO_S8)
        quantize_s8((int8_t *)args->output, args->input[0], count, fq, z);
    else
        quantize_s16((int16_t *)args->output, args->input[0], count, fq, z);
    return WAIO_OK;
}

typedef struct dequantizer {
    float scale;
    int32_t zero_point;
    waio_clamp clamp;
} dequantizer;

WAIO_SIMD static void dequantize_s8(float *y, const int8_t *x, int64_t count, dequantizer d)
{
    for (int64_t i = 0; i < count; i++)
        y[i] =
            waio_clampf(waio_dequantize_code(x[i], d.scale, d.zero_point), d.clamp.lo, d.clamp.hi);
}

WAIO_SIMD static void dequantize_s16(float *y, const int16_t *x, int64_t count, dequantizer d)
{
    for (int64_t i = 0; i < count; i++)
        y[i] =
            waio_clampf(waio_dequantize_code(x[i], d.scale, d.zero_point), d.clamp.lo, d.clamp.hi);
}

waio_status waio_int_dequantize(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const waio_value_params *p = &kernel->graph->value[kernel->node->input[0]].params;
    dequantizer d = {p->scale[0], p->zero_point[0], kernel->node->clamp};
    int64_t count = waio_shape_count(&kernel->out);

    if (kernel->int_op->type == WAIO_S8)
        dequantize_s8(args->output, args->input[0], count, d);
    else
        dequantize_s16(args->output, args->input[0], count, d);
    return WAIO_OK;
}
