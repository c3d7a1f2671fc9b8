/* cuBLAS on plain loops: the float product, and that of int8 as the library takes it: the first
 * operand transposed, the second not, sizes and leading dimensions multiples of 4. */
#include "cuda_double/double_internal.h"

#include <cublas_v2.h>

#include <stdint.h>

enum : size_t { HANDLE_BYTES = (size_t)1 << 16 };

struct cublasContext {
    int device;
    cudaStream_t stream;
    cublasMath_t math;
};

static cublasStatus_t code_of(int fault)
{
    if (fault == cudaErrorMemoryAllocation)
        return CUBLAS_STATUS_ALLOC_FAILED;
    return fault || double_sticky() ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    double_call call("cublasCreate");

    if (code_of(call.fault))
        return code_of(call.fault);
    if (!double_hold(HANDLE_BYTES))
        return CUBLAS_STATUS_ALLOC_FAILED;
    *handle = new cublasContext{double_current_device(), NULL, CUBLAS_DEFAULT_MATH};
    double_count_object(1);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
    double_call call("cublasDestroy");

    if (!handle)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    double_give_back(HANDLE_BYTES, handle->device);
    delete handle;
    double_count_object(-1);
    return code_of(call.fault);
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream)
{
    double_call call("cublasSetStream");

    if (!handle)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    handle->stream = stream;
    return code_of(call.fault);
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
    double_call call("cublasSetMathMode");

    if (!handle)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    handle->math = mode;
    return code_of(call.fault);
}

const char *cublasGetStatusString(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_SUCCESS           ? "success"
           : status == CUBLAS_STATUS_ALLOC_FAILED    ? "the resource allocation failed"
           : status == CUBLAS_STATUS_INVALID_VALUE   ? "an unsupported value or parameter"
           : status == CUBLAS_STATUS_NOT_SUPPORTED   ? "the functionality is not supported"
           : status == CUBLAS_STATUS_NOT_INITIALIZED ? "the library was not initialized"
                                                     : "the GPU program failed to execute";
}

/* Sizes of one product; column-major. */
typedef struct product {
    bool ta, tb;
    int m, n, k, lda, ldb, ldc;
} product;

static bool sizes_are_sound(const product *p)
{
    return p->m >= 0 && p->n >= 0 && p->k >= 0 && p->lda >= (p->ta ? p->k : p->m) &&
           p->ldb >= (p->tb ? p->n : p->k) && p->ldc >= p->m && p->lda > 0 && p->ldb > 0 &&
           p->ldc > 0;
}

/* Numbers that a matrix of `columns` columns spans. */
static size_t span(int rows, int columns, int pitch)
{
    return columns ? (size_t)(columns - 1) * (size_t)pitch + (size_t)rows : 0;
}

static bool operands_live(const product *p, const void *a, const void *b, const void *c,
                          size_t bytes, size_t result_bytes)
{
    return double_device_range(a, bytes * span(p->ta ? p->k : p->m, p->ta ? p->m : p->k, p->lda)) &&
           double_device_range(b, bytes * span(p->tb ? p->n : p->k, p->tb ? p->k : p->n, p->ldb)) &&
           double_device_range(c, result_bytes * span(p->m, p->n, p->ldc));
}

template <class T, class Sum, class Result>
static void multiply(const product *p, Result alpha, const T *a, const T *b, Result beta, Result *c)
{
    for (int j = 0; j < p->n; j++)
        for (int i = 0; i < p->m; i++) {
            Sum sum = 0;
            for (int l = 0; l < p->k; l++) {
                size_t at_a = p->ta ? (size_t)i * (size_t)p->lda + (size_t)l
                                    : (size_t)l * (size_t)p->lda + (size_t)i;
                size_t at_b = p->tb ? (size_t)l * (size_t)p->ldb + (size_t)j
                                    : (size_t)j * (size_t)p->ldb + (size_t)l;
                sum += (Sum)a[at_a] * (Sum)b[at_b];
            }
            Result *to = c + (size_t)j * (size_t)p->ldc + (size_t)i;
            Result old = beta == 0 ? (Result)0 : beta * *to;
            *to = (Result)((Result)(alpha * (Result)sum) + old);
        }
    arena_set_state(c, sizeof *c * span(p->m, p->n, p->ldc), EMULATOR_LIVE | EMULATOR_WRITTEN);
}

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t transa,
                           cublasOperation_t transb, int m, int n, int k, const float *alpha,
                           const float *a, int lda, const float *b, int ldb, const float *beta,
                           float *c, int ldc)
{
    double_call call("cublasSgemm");
    product p = {transa == CUBLAS_OP_T, transb == CUBLAS_OP_T, m, n, k, lda, ldb, ldc};
    float scale = *alpha, keep = *beta;

    if (code_of(call.fault))
        return code_of(call.fault);
    if (!handle)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!sizes_are_sound(&p) || handle->math == CUBLAS_TF32_TENSOR_OP_MATH)
        return CUBLAS_STATUS_INVALID_VALUE;
    double_queue(handle->stream, [=] {
        if (operands_live(&p, a, b, c, sizeof *a, sizeof *c))
            multiply<float, double, float>(&p, scale, a, b, keep, c);
    });
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa,
                            cublasOperation_t transb, int m, int n, int k, const void *alpha,
                            const void *a, cudaDataType a_type, int lda, const void *b,
                            cudaDataType b_type, int ldb, const void *beta, void *c,
                            cudaDataType c_type, int ldc, cublasComputeType_t compute,
                            cublasGemmAlgo_t)
{
    double_call call("cublasGemmEx");
    product p = {transa == CUBLAS_OP_T, transb == CUBLAS_OP_T, m, n, k, lda, ldb, ldc};

    if (code_of(call.fault))
        return code_of(call.fault);
    if (!handle)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!sizes_are_sound(&p))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!p.ta || p.tb || a_type != CUDA_R_8I || b_type != CUDA_R_8I || c_type != CUDA_R_32I ||
        compute != CUBLAS_COMPUTE_32I || m % 4 || k % 4 || lda % 4 || ldb % 4 || ldc % 4 ||
        (uintptr_t)a % 4 || (uintptr_t)b % 4 || (uintptr_t)c % 4)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    int32_t scale = *static_cast<const int32_t *>(alpha),
            keep = *static_cast<const int32_t *>(beta);
    double_queue(handle->stream, [=] {
        if (operands_live(&p, a, b, c, 1, sizeof(int32_t)))
            multiply<int8_t, int64_t, int32_t>(&p, scale, static_cast<const int8_t *>(a),
                                               static_cast<const int8_t *>(b), keep,
                                               static_cast<int32_t *>(c));
    });
    return CUBLAS_STATUS_SUCCESS;
}
