/* Bias and clamp behind float convolutions and dense layers. */
#include "backend/cuda/cuda.h"

bool waio_cuda_clamp_supported(waio_clamp clamp)
{
    return waio_clamp_is_none(clamp) || (clamp.lo == 0 && clamp.hi > 0);
}

/* The output as rows of channels: whatever its shape, that is all that bias and clamp see. */
static waio_status describe_rows(cudnnTensorDescriptor_t *out, int64_t rows, int64_t channels)
{
    waio_status st = WAIO_OK;

    *out = NULL;
    CUDNN_TRY(st, cudnnCreateTensorDescriptor(out));
    CUDNN_TRY(st, cudnnSetTensor4dDescriptor(*out, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, (int)rows,
                                             (int)channels, 1, 1));
done:
    return st;
}

static waio_status add_bias(cudnnHandle_t dnn, cudnnTensorDescriptor_t rows, int64_t channels,
                            const float *bias, float *y)
{
    waio_status st = WAIO_OK;
    const float one = 1;
    cudnnTensorDescriptor_t row = NULL;

    WAIO_TRY(st, describe_rows(&row, 1, channels));
    CUDNN_TRY(st, cudnnAddTensor(dnn, &one, row, bias, &one, rows, y));
done:
    if (row)
        (void)cudnnDestroyTensorDescriptor(row);
    return st;
}

static waio_status clamp_rows(cudnnHandle_t dnn, cudnnTensorDescriptor_t rows, waio_clamp clamp,
                              float *y)
{
    waio_status st = WAIO_OK;
    const float one = 1, zero = 0;
    bool ceiling = clamp.hi < INFINITY;
    cudnnActivationDescriptor_t activation = NULL;

    CUDNN_TRY(st, cudnnCreateActivationDescriptor(&activation));
    CUDNN_TRY(st, cudnnSetActivationDescriptor(
                      activation, ceiling ? CUDNN_ACTIVATION_CLIPPED_RELU : CUDNN_ACTIVATION_RELU,
                      CUDNN_PROPAGATE_NAN, ceiling ? (double)clamp.hi : 0));
    CUDNN_TRY(st, cudnnActivationForward(dnn, activation, &one, rows, y, &zero, rows, y));
done:
    if (activation)
        (void)cudnnDestroyActivationDescriptor(activation);
    return st;
}

waio_status waio_cuda_finish(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    int64_t channels = kernel->out.dim[kernel->out.rank - 1];
    bool bias = kernel->node->input_count == 3;
    bool clamp = !waio_clamp_is_none(kernel->node->clamp) && !args->clamp_follows;
    cudnnTensorDescriptor_t rows = NULL;
    cudnnHandle_t dnn = NULL;

    if (!bias && !clamp)
        return WAIO_OK;
    WAIO_TRY(st, waio_cuda_dnn(&dnn, args->space));
    WAIO_TRY(st, describe_rows(&rows, waio_shape_count(&kernel->out) / channels, channels));
    if (bias)
        WAIO_TRY(st, add_bias(dnn, rows, channels, args->input[2], args->output));
    if (clamp)
        WAIO_TRY(st, clamp_rows(dnn, rows, kernel->node->clamp, args->output));
done:
    if (rows)
        (void)cudnnDestroyTensorDescriptor(rows);
    return st;
}
