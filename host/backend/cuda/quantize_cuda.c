/* Between numbers and codes. */
#include "backend/cuda/cuda.h"

/* The codes that are used, with the node's clamp. */
static waio_cuda_grid grid_of(const waio_node *node, const waio_value_params *p)
{
    int32_t z = p->zero_point[0], lo = waio_params_lo(p), hi = waio_params_hi(p);
    int32_t low = waio_bound_code(node->clamp.lo, p->scale[0], z, lo, hi);
    int32_t high = waio_bound_code(node->clamp.hi, p->scale[0], z, lo, hi);

    return (waio_cuda_grid){
        {p->scale[0], (float)(low - z), (float)(high - z)}, z, WAIO_ROUND_HALF_AWAY};
}

static waio_status run_quantize(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    const waio_value *y = &kernel->graph->value[kernel->node->output];
    size_t count = (size_t)waio_shape_count(&kernel->out);
    waio_cuda_grid grid = grid_of(kernel->node, &y->params);
    cudaStream_t stream = waio_cuda_stream(args->space);

    if (y->type == WAIO_S8)
        CUDA_TRY(st, waio_cuda_quantize_qs8((int8_t *)args->output, args->input[0], count, grid,
                                            stream));
    else
        CUDA_TRY(st, waio_cuda_quantize_qs16((int16_t *)args->output, args->input[0], count, grid,
                                             stream));
done:
    return st;
}

static waio_status run_requantize(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    waio_cuda_params in = waio_cuda_input_params(kernel, 0), out = waio_cuda_output_params(kernel);

    CUDA_TRY(st, waio_cuda_requantize_q(args->output, args->input[0],
                                        waio_cuda_output_count(kernel), &in, &out,
                                        kernel->graph->requant, waio_cuda_stream(args->space)));
done:
    return st;
}

static waio_status run_dequantize(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    waio_cuda_params in = waio_cuda_input_params(kernel, 0);
    waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);

    CUDA_TRY(st,
             waio_cuda_dequantize_q(args->output, args->input[0], waio_cuda_output_count(kernel),
                                    &in, &finish, waio_cuda_stream(args->space)));
done:
    return st;
}

waio_status waio_cuda_create_quantize(waio_kernel *kernel)
{
    bool codes = kernel->graph->value[kernel->node->input[0]].type != WAIO_F32;
    kernel->run = codes ? run_requantize : run_quantize;
    return WAIO_OK;
}

waio_status waio_cuda_create_dequantize(waio_kernel *kernel)
{
    kernel->run = run_dequantize;
    return WAIO_OK;
}
