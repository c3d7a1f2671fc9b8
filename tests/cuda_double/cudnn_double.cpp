/* cuDNN's float convolution on plain loops: NHWC images, filters with the channels last, sums in
 * double. Descriptors are checked as there: sizes that do not go together are refused. */
#include "cuda_double/double_internal.h"

#include <cudnn.h>

enum : size_t { HANDLE_BYTES = (size_t)1 << 16 };

struct cudnnContext {
    int device;
    cudaStream_t stream;
};
struct cudnnTensorStruct {
    int n, c, h, w;
    bool sound;
};
struct cudnnFilterStruct {
    int k, c, h, w;
    bool sound;
};
struct cudnnConvolutionStruct {
    int pad[2], stride[2], dilation[2], groups;
    cudnnMathType_t math;
    bool sound;
};

static cudnnStatus_t code_of(int fault)
{
    if (fault == cudaErrorMemoryAllocation)
        return CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
    return fault || double_sticky() ? CUDNN_STATUS_EXECUTION_FAILED : CUDNN_STATUS_SUCCESS;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    return status == CUDNN_STATUS_SUCCESS         ? "CUDNN_STATUS_SUCCESS"
           : status == CUDNN_STATUS_BAD_PARAM     ? "CUDNN_STATUS_BAD_PARAM"
           : status == CUDNN_STATUS_NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED"
           : status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED
               ? "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"
               : "CUDNN_STATUS_EXECUTION_FAILED";
}

/* ---- handles and descriptors ---- */

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    double_call call("cudnnCreate");

    if (code_of(call.fault))
        return code_of(call.fault);
    if (!double_hold(HANDLE_BYTES))
        return CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
    *handle = new cudnnContext{double_current_device(), NULL};
    double_count_object(1);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    double_call call("cudnnDestroy");

    double_give_back(HANDLE_BYTES, handle->device);
    delete handle;
    double_count_object(-1);
    return code_of(call.fault);
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    double_call call("cudnnSetStream");

    handle->stream = stream;
    return code_of(call.fault);
}

#define DESCRIPTOR(Name, type)                                                                     \
    cudnnStatus_t cudnnCreate##Name##Descriptor(cudnn##Name##Descriptor_t *out)                    \
    {                                                                                              \
        double_call call("cudnnCreate" #Name "Descriptor");                                        \
        if (code_of(call.fault))                                                                   \
            return code_of(call.fault);                                                            \
        *out = new type();                                                                         \
        double_count_object(1);                                                                    \
        return CUDNN_STATUS_SUCCESS;                                                               \
    }                                                                                              \
    cudnnStatus_t cudnnDestroy##Name##Descriptor(cudnn##Name##Descriptor_t descriptor)             \
    {                                                                                              \
        double_call call("cudnnDestroy" #Name "Descriptor");                                       \
        delete descriptor;                                                                         \
        double_count_object(-1);                                                                   \
        return code_of(call.fault);                                                                \
    }
DESCRIPTOR(Tensor, cudnnTensorStruct)
DESCRIPTOR(Filter, cudnnFilterStruct)
DESCRIPTOR(Convolution, cudnnConvolutionStruct)
#undef DESCRIPTOR

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w)
{
    double_call call("cudnnSetTensor4dDescriptor");

    if (code_of(call.fault))
        return code_of(call.fault);
    if (n < 1 || c < 1 || h < 1 || w < 1)
        return CUDNN_STATUS_BAD_PARAM;
    if (format != CUDNN_TENSOR_NHWC || type != CUDNN_DATA_FLOAT)
        return CUDNN_STATUS_NOT_SUPPORTED;
    *tensor = {n, c, h, w, true};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w)
{
    double_call call("cudnnSetFilter4dDescriptor");

    if (code_of(call.fault))
        return code_of(call.fault);
    if (k < 1 || c < 1 || h < 1 || w < 1)
        return CUDNN_STATUS_BAD_PARAM;
    if (format != CUDNN_TENSOR_NHWC || type != CUDNN_DATA_FLOAT)
        return CUDNN_STATUS_NOT_SUPPORTED;
    *filter = {k, c, h, w, true};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t conv, int pad_h,
                                              int pad_w, int stride_h, int stride_w, int dilation_h,
                                              int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t compute)
{
    double_call call("cudnnSetConvolution2dDescriptor");

    if (code_of(call.fault))
        return code_of(call.fault);
    if (pad_h < 0 || pad_w < 0 || stride_h < 1 || stride_w < 1 || dilation_h < 1 || dilation_w < 1)
        return CUDNN_STATUS_BAD_PARAM;
    if (mode != CUDNN_CROSS_CORRELATION || compute != CUDNN_DATA_FLOAT)
        return CUDNN_STATUS_NOT_SUPPORTED;
    *conv = {{pad_h, pad_w},           {stride_h, stride_w},
             {dilation_h, dilation_w}, 1,
             CUDNN_DEFAULT_MATH,       true};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t conv, int groups)
{
    double_call call("cudnnSetConvolutionGroupCount");

    if (code_of(call.fault))
        return code_of(call.fault);
    conv->groups = groups;
    return groups < 1 ? CUDNN_STATUS_BAD_PARAM : CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t conv, cudnnMathType_t math)
{
    double_call call("cudnnSetConvolutionMathType");

    if (code_of(call.fault))
        return code_of(call.fault);
    conv->math = math;
    return CUDNN_STATUS_SUCCESS;
}

/* ---- convolution ---- */

typedef struct problem {
    cudnnTensorStruct x, y;
    cudnnFilterStruct w;
    cudnnConvolutionStruct conv;
} problem;

static int output_side(int in, int filter, const cudnnConvolutionStruct *c, int axis)
{
    int reach = (filter - 1) * c->dilation[axis] + 1;
    return (in + 2 * c->pad[axis] - reach) / c->stride[axis] + 1;
}

static cudnnStatus_t check(const problem *p)
{
    if (!p->x.sound || !p->y.sound || !p->w.sound || !p->conv.sound)
        return CUDNN_STATUS_BAD_PARAM;
    if (p->x.n != p->y.n || p->y.c != p->w.k || p->x.c != p->w.c * p->conv.groups ||
        p->w.k % p->conv.groups || p->y.h != output_side(p->x.h, p->w.h, &p->conv, 0) ||
        p->y.w != output_side(p->x.w, p->w.w, &p->conv, 1))
        return CUDNN_STATUS_BAD_PARAM;
    if (p->conv.math != CUDNN_FMA_MATH) /* others may take TF32 */
        return CUDNN_STATUS_NOT_SUPPORTED;
    return CUDNN_STATUS_SUCCESS;
}

static size_t workspace_of(const problem *p, cudnnConvolutionFwdAlgo_t algo)
{
    return algo == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM
               ? 4 * (size_t)(p->w.h * p->w.w * p->w.c)
               : 0;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, const cudnnTensorDescriptor_t x,
                                                     const cudnnFilterDescriptor_t w,
                                                     const cudnnConvolutionDescriptor_t conv,
                                                     const cudnnTensorDescriptor_t y,
                                                     const int asked, int *returned,
                                                     cudnnConvolutionFwdAlgoPerf_t *result)
{
    double_call call("cudnnGetConvolutionForwardAlgorithm_v7");
    problem p = {*x, *y, *w, *conv};
    static const cudnnConvolutionFwdAlgo_t algos[] = {
        CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM};

    if (code_of(call.fault))
        return code_of(call.fault);
    cudnnStatus_t status = check(&p);
    *returned = 0;
    for (int i = 0; !status && i < asked && i < 2; i++)
        result[(*returned)++] = {algos[i],
                                 CUDNN_STATUS_SUCCESS,
                                 (float)i,
                                 workspace_of(&p, algos[i]),
                                 CUDNN_DETERMINISTIC,
                                 CUDNN_FMA_MATH,
                                 {0, 0, 0}};
    return status;
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t,
                                                      const cudnnTensorDescriptor_t x,
                                                      const cudnnFilterDescriptor_t w,
                                                      const cudnnConvolutionDescriptor_t conv,
                                                      const cudnnTensorDescriptor_t y,
                                                      cudnnConvolutionFwdAlgo_t algo, size_t *bytes)
{
    double_call call("cudnnGetConvolutionForwardWorkspaceSize");
    problem p = {*x, *y, *w, *conv};

    if (code_of(call.fault))
        return code_of(call.fault);
    *bytes = workspace_of(&p, algo);
    return check(&p);
}

static double sum_at(const problem *p, const float *x, const float *w, int n, int oy, int ox, int k)
{
    double sum = 0;
    int first = k / (p->w.k / p->conv.groups) * p->w.c;

    for (int ky = 0; ky < p->w.h; ky++)
        for (int kx = 0; kx < p->w.w; kx++) {
            int iy = oy * p->conv.stride[0] - p->conv.pad[0] + ky * p->conv.dilation[0];
            int ix = ox * p->conv.stride[1] - p->conv.pad[1] + kx * p->conv.dilation[1];
            if (iy < 0 || iy >= p->x.h || ix < 0 || ix >= p->x.w)
                continue;
            const float *pixel =
                x + (((size_t)n * (size_t)p->x.h + (size_t)iy) * (size_t)p->x.w + (size_t)ix) *
                        (size_t)p->x.c;
            const float *tap =
                w + (((size_t)k * (size_t)p->w.h + (size_t)ky) * (size_t)p->w.w + (size_t)kx) *
                        (size_t)p->w.c;
            for (int c = 0; c < p->w.c; c++)
                sum += (double)pixel[first + c] * (double)tap[c];
        }
    return sum;
}

static size_t bytes_of(const cudnnTensorStruct *t)
{
    return sizeof(float) * (size_t)t->n * (size_t)t->c * (size_t)t->h * (size_t)t->w;
}

static void convolve(const problem *p, const float *x, const float *w, float *y)
{
    size_t at = 0, filter = sizeof(float) * (size_t)p->w.k * (size_t)p->w.c * (size_t)p->w.h *
                            (size_t)p->w.w;

    if (!double_device_range(x, bytes_of(&p->x)) || !double_device_range(w, filter) ||
        !double_device_range(y, bytes_of(&p->y)))
        return;
    for (int n = 0; n < p->y.n; n++)
        for (int oy = 0; oy < p->y.h; oy++)
            for (int ox = 0; ox < p->y.w; ox++)
                for (int k = 0; k < p->y.c; k++)
                    y[at++] = (float)sum_at(p, x, w, n, oy, ox, k);
    arena_set_state(y, bytes_of(&p->y), EMULATOR_LIVE | EMULATOR_WRITTEN);
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha,
                                      const cudnnTensorDescriptor_t x_desc, const void *x,
                                      const cudnnFilterDescriptor_t w_desc, const void *w,
                                      const cudnnConvolutionDescriptor_t conv,
                                      cudnnConvolutionFwdAlgo_t algo, void *workspace,
                                      size_t workspace_bytes, const void *beta,
                                      const cudnnTensorDescriptor_t y_desc, void *y)
{
    double_call call("cudnnConvolutionForward");
    problem p = {*x_desc, *y_desc, *w_desc, *conv};

    if (code_of(call.fault))
        return code_of(call.fault);
    cudnnStatus_t status = check(&p);
    if (status)
        return status;
    size_t needed = workspace_of(&p, algo);
    if (*static_cast<const float *>(alpha) != 1 || *static_cast<const float *>(beta) != 0)
        return CUDNN_STATUS_NOT_SUPPORTED; /* nobody asks for it */
    if (workspace_bytes < needed || !arena_holds(x) || !arena_holds(w) || !arena_holds(y) ||
        (needed && !(arena_holds(workspace) && arena_inside(workspace, needed))))
        return CUDNN_STATUS_BAD_PARAM;
    double_queue(handle->stream, [=] {
        if (needed && double_device_range(workspace, needed))
            memset(workspace, 0xAA,
                   needed); /* it is the library's, whoever else thinks it is his */
        convolve(&p, static_cast<const float *>(x), static_cast<const float *>(w),
                 static_cast<float *>(y));
    });
    return CUDNN_STATUS_SUCCESS;
}
