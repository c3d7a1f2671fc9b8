/* Ops over windows, axes and rows: pools, mean and sum, resize, softmax. */
#include "backend/cuda/cuda.h"

#include <string.h>

#include "backend/ref/refq.h"

/* ---- pools ---- */

static waio_cuda_pool pool_of(const waio_kernel *kernel)
{
    const waio_pool_params *p = &kernel->node->pool;
    const int64_t *in = kernel->in[0].dim, *out = kernel->out.dim;
    waio_cuda_pool layer = {.average = kernel->node->op == WAIO_OP_AVG_POOL,
                            .batch = in[0],
                            .height = in[1],
                            .width = in[2],
                            .channels = in[3],
                            .out = {out[1], out[2]},
                            .count_include_pad = p->count_include_pad};

    memcpy(layer.kernel, p->kernel, sizeof layer.kernel);
    memcpy(layer.stride, p->stride, sizeof layer.stride);
    memcpy(layer.pad, p->pad, sizeof layer.pad);
    return layer;
}

static waio_status run_pool(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    cudaStream_t stream = waio_cuda_stream(args->space);
    waio_cuda_pool layer = pool_of(kernel);

    if (waio_cuda_gives_codes(kernel)) {
        waio_cuda_params params = waio_cuda_output_params(kernel);
        CUDA_TRY(st, waio_cuda_pool_q(args->output, args->input[0], &layer, &params, stream));
    } else {
        waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
        CUDA_TRY(st, waio_cuda_pool_f32(args->output, args->input[0], &layer, &finish, stream));
    }
done:
    return st;
}

waio_status waio_cuda_create_pool(waio_kernel *kernel)
{
    const waio_pool_params *p = &kernel->node->pool;

    for (int i = 0; i < 4; i++)
        if (p->pad[i] >= p->kernel[i % 2])
            return waio_error(WAIO_EUNSUPPORTED, "cuda: a border as wide as the window");
    kernel->run = run_pool;
    return WAIO_OK;
}

/* ---- mean and sum ---- */

static waio_status run_reduce(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    cudaStream_t stream = waio_cuda_stream(args->space);
    waio_cuda_reduce layer = {.mean = kernel->node->op == WAIO_OP_MEAN,
                              .in = waio_cuda_shape_of(&kernel->in[0]),
                              .axes = kernel->node->reduce.axes};

    if (waio_cuda_gives_codes(kernel)) {
        waio_cuda_params params[2] = {waio_cuda_input_params(kernel, 0),
                                      waio_cuda_output_params(kernel)};
        CUDA_TRY(st, waio_cuda_reduce_q(args->output, args->input[0], &layer, params,
                                        kernel->graph->requant,
                                        waio_cuda_lost_flag(args->space, kernel), stream));
    } else {
        waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
        CUDA_TRY(st, waio_cuda_reduce_f32(args->output, args->input[0], &layer, &finish, stream));
    }
done:
    return st;
}

waio_status waio_cuda_create_reduce(waio_kernel *kernel)
{
    kernel->run = run_reduce;
    return WAIO_OK;
}

/* ---- resize ---- */

static waio_status run_resize(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    cudaStream_t stream = waio_cuda_stream(args->space);
    const waio_resize_params *p = &kernel->node->resize;
    const int64_t *in = kernel->in[0].dim, *out = kernel->out.dim;
    waio_cuda_resize layer = {.batch = in[0],
                              .height = in[1],
                              .width = in[2],
                              .channels = in[3],
                              .out = {out[1], out[2]},
                              .bilinear = p->bilinear,
                              .half_pixel = p->half_pixel,
                              .align_corners = p->align_corners};

    if (waio_cuda_gives_codes(kernel)) {
        waio_cuda_params params = waio_cuda_output_params(kernel);
        CUDA_TRY(st, waio_cuda_resize_q(args->output, args->input[0], &layer, &params,
                                        kernel->graph->requant, stream));
    } else {
        waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
        CUDA_TRY(st, waio_cuda_resize_f32(args->output, args->input[0], &layer, &finish, stream));
    }
done:
    return st;
}

waio_status waio_cuda_create_resize(waio_kernel *kernel)
{
    kernel->run = run_resize;
    return WAIO_OK;
}

/* ---- softmax ---- */

static waio_status run_softmax(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    cudaStream_t stream = waio_cuda_stream(args->space);
    int64_t width = kernel->out.dim[kernel->out.rank - 1];
    int64_t rows = waio_shape_count(&kernel->out) / width;

    if (waio_cuda_gives_codes(kernel)) {
        waio_cuda_params params[2] = {waio_cuda_input_params(kernel, 0),
                                      waio_cuda_output_params(kernel)};
        CUDA_TRY(st, waio_cuda_softmax_q(args->output, args->input[0], rows, width, params,
                                         kernel->graph->requant,
                                         waio_cuda_placed(args->space, kernel->state),
                                         waio_cuda_lost_flag(args->space, kernel), stream));
    } else {
        waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
        CUDA_TRY(st,
                 waio_cuda_softmax_f32(args->output, args->input[0], rows, width, &finish, stream));
    }
done:
    return st;
}

_Static_assert(sizeof(waio_cuda_softmax_tables) == sizeof(waio_refq_softmax_tables),
               "one layout of the tables");

waio_status waio_cuda_create_softmax(waio_kernel *kernel)
{
    const waio_value *x = &kernel->graph->value[kernel->node->input[0]];
    waio_refq_softmax_tables tables;

    kernel->run = run_softmax;
    if (!waio_cuda_gives_codes(kernel))
        return WAIO_OK;
    memset(&tables, 0, sizeof tables); /* only those of one type are filled */
    waio_refq_softmax_fill(&tables, x->type, x->params.scale[0]);
    kernel->destroy = waio_cuda_release;
    return waio_cuda_place(&kernel->state, &tables, sizeof tables);
}
