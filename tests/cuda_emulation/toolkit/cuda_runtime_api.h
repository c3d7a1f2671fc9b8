/* The part of the CUDA runtime's C interface that waio uses, for builds without the toolkit: the
 * emulator implements it on the CPU. Names, types and error codes are the toolkit's. In emulated
 * builds the include path finds this file, under nvcc the toolkit's. */
#ifndef WAIO_TESTS_CUDA_RUNTIME_API_H
#define WAIO_TESTS_CUDA_RUNTIME_API_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUDART_VERSION 13000

typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInvalidDevicePointer = 17,
    cudaErrorInvalidMemcpyDirection = 21,
    cudaErrorInvalidDeviceFunction = 98,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchFailure = 719,
    cudaErrorNotSupported = 801,
    cudaErrorUnknown = 999
} cudaError_t;

enum cudaMemcpyKind {
    cudaMemcpyHostToHost = 0,
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3,
    cudaMemcpyDefault = 4
};

enum cudaFuncAttribute {
    cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
    cudaFuncAttributePreferredSharedMemoryCarveout = 9
};

typedef struct CUstream_st *cudaStream_t;

#define WAIO_ALIGNED(bytes) __attribute__((aligned(bytes)))
typedef struct uint3 {
    unsigned x, y, z;
} uint3;
typedef struct WAIO_ALIGNED(8) int2 {
    int x, y;
} int2;
typedef struct WAIO_ALIGNED(8) uint2 {
    unsigned x, y;
} uint2;
typedef struct WAIO_ALIGNED(8) float2 {
    float x, y;
} float2;
typedef struct WAIO_ALIGNED(16) int4 {
    int x, y, z, w;
} int4;
typedef struct WAIO_ALIGNED(16) uint4 {
    unsigned x, y, z, w;
} uint4;
typedef struct WAIO_ALIGNED(16) float4 {
    float x, y, z, w;
} float4;
typedef struct WAIO_ALIGNED(16) double2 {
    double x, y;
} double2;
typedef struct WAIO_ALIGNED(4) char4 {
    signed char x, y, z, w;
} char4;
typedef struct WAIO_ALIGNED(4) uchar4 {
    unsigned char x, y, z, w;
} uchar4;
typedef struct WAIO_ALIGNED(4) short2 {
    short x, y;
} short2;
typedef struct WAIO_ALIGNED(8) short4 {
    short x, y, z, w;
} short4;
#undef WAIO_ALIGNED

typedef struct dim3 {
    unsigned x, y, z;
#ifdef __cplusplus
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
#endif
} dim3;

cudaError_t cudaMalloc(void **pointer, size_t bytes);
cudaError_t cudaFree(void *pointer);
cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemset(void *dst, int value, size_t bytes);
cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetLastError(void);
cudaError_t cudaPeekAtLastError(void);
const char *cudaGetErrorName(cudaError_t error);
const char *cudaGetErrorString(cudaError_t error);
cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value);
cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **args,
                             size_t shared_bytes, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
