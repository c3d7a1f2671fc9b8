/* Launchers of cuda_ptx_kernels.cu: each runs one wrapper of kernels/ptx.cuh. Device pointers. */
#ifndef WAIO_TESTS_CUDA_PTX_H
#define WAIO_TESTS_CUDA_PTX_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CUDA_PTX_8X8X16, CUDA_PTX_16X8X16, CUDA_PTX_16X8X32 };

/* One warp: d[32][4] += a[32][4] * b[32][2], registers per lane; what a shape does not have is not
 * used. */
cudaError_t cuda_ptx_mma(int shape, int a_signed, int b_signed, int *d, const unsigned *a,
                         const unsigned *b);
/* registers[32][count] of `count` (1, 2, 4) matrices of 8 rows of 16 bytes. */
cudaError_t cuda_ptx_ldmatrix(int count, unsigned *registers, const void *bytes);
/* dst: 2 * threads pieces of `bytes` (4, 8, 16) bytes from src, the first valid[i] of each. */
cudaError_t cuda_ptx_copy(int bytes, int threads, unsigned char *dst, const unsigned char *src,
                          const unsigned *valid);
/* dst: `threads` pieces of 16 bytes, 0 where valid[i] is not 16. */
cudaError_t cuda_ptx_copy_whole(int threads, void *dst, const void *src, const unsigned *valid);
/* out[count][5]: four dot products (ss, su, us, uu) added to sum, and bytes chosen by sum. */
cudaError_t cuda_ptx_bytes(int *out, const unsigned *a, const unsigned *b, const int *sum,
                           int count);

#ifdef __cplusplus
}
#endif
#endif
