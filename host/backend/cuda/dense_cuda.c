/* Float dense layers through cuBLAS: y(M, N) = x(M, K) w(N, K)^T, row-major, is the column-major
 * product w^T x with the leading dimensions below. */
#include "backend/cuda/cuda.h"

static waio_status run_dense(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    const float one = 1, zero = 0;
    int n = (int)kernel->in[1].dim[0], k = (int)kernel->in[1].dim[1];
    int m = (int)(waio_shape_count(&kernel->out) / n);
    cublasHandle_t blas = NULL;

    WAIO_TRY(st, waio_cuda_blas(&blas, args->space));
    CUBLAS_TRY(st, cublasSgemm(blas, CUBLAS_OP_T, CUBLAS_OP_N, n, m, k, &one, args->input[1], k,
                               args->input[0], k, &zero, args->output, n));
    WAIO_TRY(st, waio_cuda_bias_clamp(kernel, args));
done:
    return st;
}

waio_status waio_cuda_create_dense(waio_kernel *kernel)
{
    kernel->run = run_dense;
    return WAIO_OK;
}
