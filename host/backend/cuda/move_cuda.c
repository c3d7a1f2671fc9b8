/* Ops that move numbers and compute nothing. */
#include "backend/cuda/cuda.h"

#include <string.h>

/* Whether numbers change on the way. */
static bool clamps(const waio_kernel *kernel, const waio_kernel_args *args)
{
    return (!waio_clamp_is_none(kernel->node->clamp) && !args->clamp_follows) || args->quantizer;
}

static waio_status run_reshape(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    cudaStream_t stream = waio_cuda_stream(args->space);
    size_t count = waio_cuda_output_count(kernel);
    waio_type type = kernel->graph->value[kernel->node->output].type;

    if (clamps(kernel, args) && type == WAIO_F32) {
        waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
        CUDA_TRY(st, waio_cuda_clip_f32(args->output, args->input[0], count, &finish, stream));
    } else if (clamps(kernel, args)) {
        waio_cuda_params params = waio_cuda_output_params(kernel);
        CUDA_TRY(st, waio_cuda_clamp_q(args->output, args->input[0], count, &params, stream));
    } else {
        CUDA_TRY(st, cudaMemcpyAsync(args->output, args->input[0], count * waio_type_bytes(type),
                                     cudaMemcpyDeviceToDevice, stream));
    }
done:
    return st;
}

waio_status waio_cuda_create_reshape(waio_kernel *kernel)
{
    kernel->run = run_reshape;
    return WAIO_OK;
}

/* ---- concat ---- */

static waio_status run_concat(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    cudaStream_t stream = waio_cuda_stream(args->space);
    waio_cuda_shape in[WAIO_MAX_INPUTS];
    waio_cuda_params params[WAIO_MAX_INPUTS];
    waio_cuda_concat layer = {.out = waio_cuda_shape_of(&kernel->out),
                              .axis = kernel->node->axis.axis,
                              .count = kernel->node->input_count,
                              .in = in};

    for (int i = 0; i < kernel->node->input_count; i++)
        in[i] = waio_cuda_shape_of(&kernel->in[i]);
    if (waio_cuda_gives_codes(kernel)) {
        waio_cuda_params out = waio_cuda_output_params(kernel);
        for (int i = 0; i < kernel->node->input_count; i++)
            params[i] = waio_cuda_input_params(kernel, i);
        CUDA_TRY(st, waio_cuda_concat_q(args->output, args->input, &layer, params, &out,
                                        kernel->graph->requant, stream));
    } else {
        const float *src[WAIO_MAX_INPUTS];
        waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
        for (int i = 0; i < kernel->node->input_count; i++)
            src[i] = args->input[i];
        CUDA_TRY(st, waio_cuda_concat_f32(args->output, src, &layer, &finish, stream));
    }
done:
    return st;
}

waio_status waio_cuda_create_concat(waio_kernel *kernel)
{
    kernel->run = run_concat;
    return WAIO_OK;
}

/* ---- pad ---- */

static waio_status run_pad(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    cudaStream_t stream = waio_cuda_stream(args->space);
    const waio_pad_params *p = &kernel->node->pad;
    waio_cuda_pad layer = {.in = waio_cuda_shape_of(&kernel->in[0]), .value = p->value};

    memcpy(layer.before, p->before, sizeof layer.before);
    memcpy(layer.after, p->after, sizeof layer.after);
    if (waio_cuda_gives_codes(kernel)) {
        waio_cuda_params params = waio_cuda_output_params(kernel);
        CUDA_TRY(st, waio_cuda_pad_q(args->output, args->input[0], &layer, &params, stream));
    } else {
        waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
        CUDA_TRY(st, waio_cuda_pad_f32(args->output, args->input[0], &layer, &finish, stream));
    }
done:
    return st;
}

waio_status waio_cuda_create_pad(waio_kernel *kernel)
{
    kernel->run = run_pad;
    return WAIO_OK;
}

/* ---- transpose ---- */

static waio_status run_transpose(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    cudaStream_t stream = waio_cuda_stream(args->space);
    waio_cuda_transpose layer = {.in = waio_cuda_shape_of(&kernel->in[0])};

    memcpy(layer.perm, kernel->node->transpose.perm, sizeof layer.perm);
    if (waio_cuda_gives_codes(kernel)) {
        waio_cuda_params params = waio_cuda_output_params(kernel);
        CUDA_TRY(st, waio_cuda_transpose_q(args->output, args->input[0], &layer, &params, stream));
    } else {
        waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
        CUDA_TRY(st,
                 waio_cuda_transpose_f32(args->output, args->input[0], &layer, &finish, stream));
    }
done:
    return st;
}

waio_status waio_cuda_create_transpose(waio_kernel *kernel)
{
    kernel->run = run_transpose;
    return WAIO_OK;
}
