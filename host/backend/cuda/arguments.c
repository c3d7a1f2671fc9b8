/* What launchers take, from what nodes say; and what float conv2d and dense end with. */
#include "backend/cuda/cuda.h"

#include <string.h>

waio_cuda_shape waio_cuda_shape_of(const waio_shape *shape)
{
    waio_cuda_shape out = {.rank = shape->rank};

    memcpy(out.dim, shape->dim, sizeof out.dim);
    return out;
}

static waio_cuda_params params_of(const waio_value *value)
{
    const waio_value_params *p = &value->params;

    return (waio_cuda_params){.bytes = (int)waio_type_bytes(value->type),
                              .scale = p->scale[0],
                              .zero_point = p->zero_point[0],
                              .lo = waio_params_lo(p),
                              .hi = waio_params_hi(p),
                              .u8 = p->u8};
}

waio_cuda_params waio_cuda_input_params(const waio_kernel *kernel, int input)
{
    return params_of(&kernel->graph->value[kernel->node->input[input]]);
}

waio_cuda_params waio_cuda_output_params(const waio_kernel *kernel)
{
    waio_clamp clamp = kernel->node->clamp;
    waio_cuda_params out = params_of(&kernel->graph->value[kernel->node->output]);
    int32_t lo = out.lo, hi = out.hi;

    out.lo = waio_bound_code(clamp.lo, out.scale, out.zero_point, lo, hi);
    out.hi = waio_bound_code(clamp.hi, out.scale, out.zero_point, lo, hi);
    return out;
}

waio_cuda_finish waio_cuda_finish_of(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_clamp clamp = args->clamp_follows ? WAIO_NO_CLAMP : kernel->node->clamp;
    waio_cuda_finish finish = {.lo = clamp.lo, .hi = clamp.hi, .quantizer = WAIO_CUDA_KEEP};

    if (args->quantizer) {
        finish.quantizer = WAIO_CUDA_FAKE_QUANTIZE;
        finish.fq = *args->quantizer;
        finish.rounding = args->rounding;
    }
    return finish;
}

bool waio_cuda_gives_codes(const waio_kernel *kernel)
{
    return kernel->graph->value[kernel->node->output].type != WAIO_F32;
}

size_t waio_cuda_output_count(const waio_kernel *kernel)
{
    return (size_t)waio_shape_count(&kernel->out);
}

waio_status waio_cuda_bias_clamp(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
    bool changes = finish.lo > -INFINITY || finish.hi < INFINITY || args->quantizer;
    cudaStream_t stream = waio_cuda_stream(args->space);

    if (kernel->node->input_count == 3) {
        waio_cuda_binary add = {.op = WAIO_CUDA_ADD,
                                .a = waio_cuda_shape_of(&kernel->out),
                                .b = waio_cuda_shape_of(&kernel->in[2])};
        CUDA_TRY(st, waio_cuda_binary_f32(args->output, args->output, args->input[2], &add, &finish,
                                          stream));
    } else if (changes) {
        CUDA_TRY(st, waio_cuda_clip_f32(args->output, args->output, waio_cuda_output_count(kernel),
                                        &finish, stream));
    }
done:
    return st;
}
