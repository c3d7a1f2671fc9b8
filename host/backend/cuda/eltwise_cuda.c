/* Ops of one number in, one out, and of two. */
#include "backend/cuda/cuda.h"

#include <stdlib.h>

#include "backend/ref/refq.h"

/* ---- clip ---- */

static waio_status run_clip(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    cudaStream_t stream = waio_cuda_stream(args->space);
    size_t count = waio_cuda_output_count(kernel);

    if (waio_cuda_gives_codes(kernel)) {
        waio_cuda_params in = waio_cuda_input_params(kernel, 0);
        waio_cuda_params out = waio_cuda_output_params(kernel);
        CUDA_TRY(st, waio_cuda_clip_q(args->output, args->input[0], count, &in, &out,
                                      kernel->graph->requant, stream));
    } else {
        waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
        CUDA_TRY(st, waio_cuda_clip_f32(args->output, args->input[0], count, &finish, stream));
    }
done:
    return st;
}

waio_status waio_cuda_create_unary(waio_kernel *kernel)
{
    kernel->run = run_clip;
    return WAIO_OK;
}

/* ---- batch_norm ---- */

static waio_status run_batch_norm(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
    waio_cuda_batch_norm layer = {.count = waio_shape_count(&kernel->out),
                                  .channels = kernel->out.dim[kernel->out.rank - 1],
                                  .gamma = args->input[1],
                                  .beta = args->input[2],
                                  .mean = args->input[3],
                                  .variance = args->input[4],
                                  .epsilon = kernel->node->epsilon};

    CUDA_TRY(st, waio_cuda_batch_norm_f32(args->output, args->input[0], &layer, &finish,
                                          waio_cuda_stream(args->space)));
done:
    return st;
}

waio_status waio_cuda_create_batch_norm(waio_kernel *kernel)
{
    kernel->run = run_batch_norm;
    return WAIO_OK;
}

/* ---- logistic: codes through a table of what the reference makes of each ---- */

static waio_status fill_table(void *table, const waio_kernel *kernel, waio_type type, int64_t count)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = kernel->graph;
    waio_shape shape = WAIO_SHAPE(1, count);
    int16_t *codes = malloc((size_t)count * sizeof *codes);

    if (!codes)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++) {
        if (type == WAIO_S8)
            ((int8_t *)codes)[i] = (int8_t)(i - count / 2);
        else
            codes[i] = (int16_t)(i - count / 2);
    }
    waio_refq_tensor in = {shape, type, graph->value[kernel->node->input[0]].params, codes};
    waio_refq_tensor out = {shape, type, graph->value[kernel->node->output].params, NULL};
    WAIO_TRY(st, waio_refq_run(&(waio_refq_call){.node = kernel->node,
                                                 .requant = graph->requant,
                                                 .in = &in,
                                                 .out = out,
                                                 .result = table}));
done:
    free(codes);
    return st;
}

static waio_status run_logistic(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    cudaStream_t stream = waio_cuda_stream(args->space);
    size_t count = waio_cuda_output_count(kernel);

    if (waio_cuda_gives_codes(kernel)) {
        int bytes = waio_cuda_output_params(kernel).bytes;
        CUDA_TRY(st, waio_cuda_look_up_q(args->output, args->input[0], count, bytes,
                                         waio_cuda_placed(args->space, kernel->state), stream));
    } else {
        waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
        CUDA_TRY(st, waio_cuda_logistic_f32(args->output, args->input[0], count, &finish, stream));
    }
done:
    return st;
}

waio_status waio_cuda_create_logistic(waio_kernel *kernel)
{
    waio_status st = WAIO_OK;
    waio_type type = kernel->graph->value[kernel->node->output].type;
    int64_t count = type == WAIO_S8 ? 256 : 65536;
    size_t bytes = (size_t)count * waio_type_bytes(type);
    void *table = NULL;

    kernel->run = run_logistic;
    if (type == WAIO_F32)
        return WAIO_OK;
    kernel->destroy = waio_cuda_release;
    table = malloc(bytes);
    if (!table)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, fill_table(table, kernel, type, count));
    WAIO_TRY(st, waio_cuda_place(&kernel->state, table, bytes));
done:
    free(table);
    return st;
}

/* ---- add sub mul maximum ---- */

static waio_cuda_binary binary_of(const waio_kernel *kernel)
{
    waio_op op = kernel->node->op;

    return (waio_cuda_binary){.op = op == WAIO_OP_ADD   ? WAIO_CUDA_ADD
                                    : op == WAIO_OP_SUB ? WAIO_CUDA_SUB
                                    : op == WAIO_OP_MUL ? WAIO_CUDA_MUL
                                                        : WAIO_CUDA_MAXIMUM,
                              .a = waio_cuda_shape_of(&kernel->in[0]),
                              .b = waio_cuda_shape_of(&kernel->in[1])};
}

static waio_status run_binary(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    cudaStream_t stream = waio_cuda_stream(args->space);
    waio_cuda_binary layer = binary_of(kernel);

    if (waio_cuda_gives_codes(kernel)) {
        waio_cuda_params params[3] = {waio_cuda_input_params(kernel, 0),
                                      waio_cuda_input_params(kernel, 1),
                                      waio_cuda_output_params(kernel)};
        CUDA_TRY(st, waio_cuda_binary_q(args->output, args->input[0], args->input[1], &layer,
                                        params, kernel->graph->requant, stream));
    } else {
        waio_cuda_finish finish = waio_cuda_finish_of(kernel, args);
        CUDA_TRY(st, waio_cuda_binary_f32(args->output, args->input[0], args->input[1], &layer,
                                          &finish, stream));
    }
done:
    return st;
}

waio_status waio_cuda_create_binary(waio_kernel *kernel)
{
    kernel->run = run_binary;
    return WAIO_OK;
}
