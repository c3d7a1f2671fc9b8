/* Faults that are planted in cuda_planted.cu, one per build of that file, to see that the emulator
 * and its checker notice. Each row: name, the kernel it is in. Build 0 is right. */
#ifndef WAIO_TESTS_CUDA_PLANTED_H
#define WAIO_TESTS_CUDA_PLANTED_H

#include <stdint.h>

#include <cuda_runtime_api.h>

#define PLANTED_NOTHING 0
/* in sum: */
#define PLANTED_GLOBAL_PAST_END    1
#define PLANTED_TAIL_UNINITIALISED 2
#define PLANTED_NO_BARRIER         3
#define PLANTED_BARRIER_IN_BRANCH  4
#define PLANTED_SHARED_PAST_END    5
#define PLANTED_EARLY_RETURN       6
#define PLANTED_TWO_BARRIERS       7
#define PLANTED_TOO_MUCH_SHARED    8
#define PLANTED_NO_ATOMICS         9
/* in warp: */
#define PLANTED_WARP_SYNCHRONOUS     10
#define PLANTED_NO_SYNCWARP          11
#define PLANTED_SHUFFLE_IN_BRANCH    12
#define PLANTED_SHUFFLE_OUTSIDE_MASK 13
#define PLANTED_NOT_IN_OWN_MASK      14
#define PLANTED_TWO_MASKS            15
/* in copy: */
#define PLANTED_READ_BEFORE_WAIT     16
#define PLANTED_WAIT_WITHOUT_BARRIER 17
#define PLANTED_NO_WAIT              18
#define PLANTED_COPY_MISALIGNED      19
/* in gemm: */
#define PLANTED_GEMM_NO_BARRIER          20
#define PLANTED_GEMM_WAITS_TOO_LITTLE    21
#define PLANTED_GEMM_LOADS_TOO_EARLY     22
#define PLANTED_GEMM_ROWS_UNGUARDED      23
#define PLANTED_GEMM_TAIL_NOT_ZERO       24
#define PLANTED_GEMM_NO_SWIZZLE          25
#define PLANTED_GEMM_LDMATRIX_MISALIGNED 26
/* in sum again: */
#define PLANTED_READ_BY_TWO_WARPS 27
#define PLANTED_COUNT             28

enum { PLANTED_THREADS = 64, PLANTED_TILE = 32 };

/* The launchers of one build. Device pointers. */
typedef struct planted_build {
    /* sums[b] = sum of x[64b .. 64b+63] as far as they are < count; *total = sum of all x. */
    cudaError_t (*sum)(int *sums, int *total, const int *x, int count);
    /* Per block of 32 numbers: sums[b] their sum, turned[i] the numbers back to front, swapped[i]
     * neighbours exchanged. */
    cudaError_t (*warp)(int *sums, int *turned, int *swapped, const int *x, int blocks);
    /* dst[i] = src[(i + 32) % 64], 64 pieces of 16 bytes. */
    cudaError_t (*copy)(void *dst, const void *src);
    /* d[m][n] = sum over k of a[m][k] * b[n][k]; k: a multiple of 16. */
    cudaError_t (*gemm)(int32_t *d, const int8_t *a, const int8_t *b, int m, int n, int k);
} planted_build;

#endif
