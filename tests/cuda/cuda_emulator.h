/* Launchers of cuda_emulator_kernels.cu: what CUDA C itself promises, for test_cuda_emulator.c. */
#ifndef WAIO_TESTS_CUDA_EMULATOR_H
#define WAIO_TESTS_CUDA_EMULATOR_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CUDA_SHUFFLES = 7, CUDA_COUNTERS = 8 };

/* One block of `threads` (a multiple of 32): out[CUDA_SHUFFLES][threads]. */
cudaError_t cuda_emulator_shuffles(int *out, double *wide, const int *x, int threads);
/* out[thread]: of the lanes of its own half of the warp, those with an odd number. */
cudaError_t cuda_emulator_votes(unsigned *out, const int *x, int threads);
/* Counters: sum, 64-bit sum, least, greatest, or, unsigned least, unsigned greatest, old values. */
cudaError_t cuda_emulator_atomics(unsigned long long *counters, const int *x, int count);
/* out[i] = i for every thread of the grid, by its own indices. */
cudaError_t cuda_emulator_indices(unsigned *out, dim3 grid, dim3 block);
/* order[n] = the n-th thread that ran, counted by an atomic. */
cudaError_t cuda_emulator_order(int *order, int *next, int blocks, int threads);
/* Does nothing, with `bytes` of shared memory, after asking for `allowed` unless that is 0. */
cudaError_t cuda_emulator_shared(size_t bytes, size_t allowed);
cudaError_t cuda_emulator_nothing(dim3 grid, dim3 block);

#ifdef __cplusplus
}
#endif
#endif
