/* Float convolutions through cuDNN's call for one operation, NHWC with OHWI filters, FMA arithmetic
 * (no TF32). It pads both sides alike; where a node does not, the image is copied into a larger one
 * first. */
#include "backend/cuda/cuda.h"

#include <stdlib.h>

enum { ALIGNMENT = 256 };
#define MOST_WORKSPACE ((size_t)256 << 20)

typedef struct conv_state {
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t conv;
    cudnnConvolutionFwdAlgo_t algo;
    size_t workspace, padded_bytes; /* padded: 0 if the image is read where it lies */
    int64_t height, width;          /* of the image that is read */
} conv_state;

static void destroy_conv(void *state)
{
    conv_state *s = state;

    if (!s)
        return;
    if (s->x)
        (void)cudnnDestroyTensorDescriptor(s->x);
    if (s->y)
        (void)cudnnDestroyTensorDescriptor(s->y);
    if (s->w)
        (void)cudnnDestroyFilterDescriptor(s->w);
    if (s->conv)
        (void)cudnnDestroyConvolutionDescriptor(s->conv);
    free(s);
}

/* ---- making ---- */

static waio_status describe_image(cudnnTensorDescriptor_t *out, const int64_t *dim, int64_t height,
                                  int64_t width)
{
    waio_status st = WAIO_OK;

    CUDNN_TRY(st, cudnnCreateTensorDescriptor(out));
    CUDNN_TRY(st, cudnnSetTensor4dDescriptor(*out, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, (int)dim[0],
                                             (int)dim[3], (int)height, (int)width));
done:
    return st;
}

static waio_status describe(conv_state *s, const waio_kernel *kernel)
{
    waio_status st = WAIO_OK;
    const waio_conv_params *p = &kernel->node->conv;
    const int64_t *w = kernel->in[1].dim, *out = kernel->out.dim;
    bool pads = s->padded_bytes == 0;

    WAIO_TRY(st, describe_image(&s->x, kernel->in[0].dim, s->height, s->width));
    WAIO_TRY(st, describe_image(&s->y, out, out[1], out[2]));
    CUDNN_TRY(st, cudnnCreateFilterDescriptor(&s->w));
    CUDNN_TRY(st, cudnnSetFilter4dDescriptor(s->w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, (int)w[0],
                                             (int)w[3], (int)w[1], (int)w[2]));
    CUDNN_TRY(st, cudnnCreateConvolutionDescriptor(&s->conv));
    CUDNN_TRY(st, cudnnSetConvolution2dDescriptor(s->conv, pads ? p->pad[0] : 0,
                                                  pads ? p->pad[1] : 0, p->stride[0], p->stride[1],
                                                  p->dilation[0], p->dilation[1],
                                                  CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    CUDNN_TRY(st, cudnnSetConvolutionGroupCount(s->conv, p->groups));
    CUDNN_TRY(st, cudnnSetConvolutionMathType(s->conv, CUDNN_FMA_MATH));
done:
    return st;
}

/* The fastest by cuDNN's own table that takes no more memory than is given. */
static waio_status choose_algorithm(conv_state *s)
{
    waio_status st = WAIO_OK;
    cudnnConvolutionFwdAlgoPerf_t found[CUDNN_CONVOLUTION_FWD_ALGO_COUNT];
    cudnnHandle_t handle = NULL;
    int count = 0;

    WAIO_TRY(st, waio_cuda_shape_handle(&handle));
    CUDNN_TRY(st, cudnnGetConvolutionForwardAlgorithm_v7(handle, s->x, s->w, s->conv, s->y,
                                                         CUDNN_CONVOLUTION_FWD_ALGO_COUNT, &count,
                                                         found));
    for (int i = 0; i < count; i++) {
        if (found[i].status != CUDNN_STATUS_SUCCESS || found[i].memory > MOST_WORKSPACE ||
            found[i].mathType == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION)
            continue;
        s->algo = found[i].algo;
        CUDNN_TRY(st, cudnnGetConvolutionForwardWorkspaceSize(handle, s->x, s->w, s->conv, s->y,
                                                              s->algo, &s->workspace));
        return WAIO_OK;
    }
    st = waio_error(WAIO_EUNSUPPORTED, "cuda: cuDNN has no algorithm for this convolution");
done:
    return st;
}

/* ---- running ---- */

/* The image with its border of zeros, in scratch memory. */
static waio_status pad_image(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    const conv_state *s = kernel->state;
    const int *pad = kernel->node->conv.pad;
    const int64_t *x = kernel->in[0].dim;
    size_t pixel = (size_t)x[3] * sizeof(float), row = (size_t)x[2] * pixel;
    size_t wide = (size_t)s->width * pixel;
    struct cudaMemcpy3DParms copy = {
        .srcPtr = {(void *)args->input[0], row, row, (size_t)x[1]},
        .dstPtr = {args->scratch, wide, wide, (size_t)s->height},
        .dstPos = {(size_t)pad[1] * pixel, (size_t)pad[0], 0},
        .extent = {row, (size_t)x[1], (size_t)x[0]},
        .kind = cudaMemcpyDeviceToDevice,
    };

    CUDA_TRY(st, cudaMemsetAsync(args->scratch, 0, s->padded_bytes, waio_cuda_stream(args->space)));
    CUDA_TRY(st, cudaMemcpy3DAsync(&copy, waio_cuda_stream(args->space)));
done:
    return st;
}

static waio_status run_conv(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    const conv_state *s = kernel->state;
    const float one = 1, zero = 0;
    unsigned char *scratch = args->scratch;
    cudnnHandle_t dnn = NULL;

    WAIO_TRY(st, waio_cuda_dnn(&dnn, args->space));
    if (s->padded_bytes)
        WAIO_TRY(st, pad_image(kernel, args));
    CUDNN_TRY(st, cudnnConvolutionForward(
                      dnn, &one, s->x, s->padded_bytes ? args->scratch : args->input[0], s->w,
                      args->input[1], s->conv, s->algo, scratch + s->padded_bytes, s->workspace,
                      &zero, s->y, args->output));
    WAIO_TRY(st, waio_cuda_bias_clamp(kernel, args));
done:
    return st;
}

waio_status waio_cuda_create_conv2d(waio_kernel *kernel)
{
    waio_status st = WAIO_OK;
    const int *pad = kernel->node->conv.pad;
    const int64_t *x = kernel->in[0].dim;
    bool uneven = pad[0] != pad[2] || pad[1] != pad[3];
    conv_state *s = calloc(1, sizeof *s);

    if (!s)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    kernel->state = s;
    kernel->destroy = destroy_conv;
    kernel->run = run_conv;
    s->height = x[1] + (uneven ? pad[0] + pad[2] : 0);
    s->width = x[2] + (uneven ? pad[1] + pad[3] : 0);
    if (uneven) {
        size_t bytes = (size_t)(x[0] * s->height * s->width * x[3]) * sizeof(float);
        s->padded_bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    WAIO_TRY(st, describe(s, kernel));
    WAIO_TRY(st, choose_algorithm(s));
    kernel->scratch_bytes = s->padded_bytes + s->workspace;
done:
    return st;
}
