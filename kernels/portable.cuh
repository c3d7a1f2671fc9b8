/* What a kernel file includes first, and the only way it meets CUDA. The same source compiles with
 * nvcc for GPUs and with g++ for the emulator of the tests, which brings a <cuda_runtime.h> of its
 * own: no <<<>>>, no asm outside ptx.cuh, shared memory only through WAIO_SHARED.
 *
 * WAIO_ARCH is the architecture that device code is compiled for, as __CUDA_ARCH__: 860 is sm_86.
 */
#ifndef WAIO_KERNELS_PORTABLE_CUH
#define WAIO_KERNELS_PORTABLE_CUH

#include <cuda_runtime.h>

#ifdef __CUDACC__

#ifdef __CUDA_ARCH__
#define WAIO_ARCH __CUDA_ARCH__
#else
#define WAIO_ARCH 0 /* nvcc's pass over host code */
#endif

/* Declares `name`, the block's dynamic shared memory as T *, 128-byte aligned. */
#define WAIO_SHARED(T, name)                                                                       \
    extern __shared__ __align__(128) unsigned char waio_shared_memory[];                           \
    T *const name = reinterpret_cast<T *>(waio_shared_memory)

template <class T> struct waio_same {
    typedef T type;
};

/* Launches kernel(args...); the arguments are converted to the kernel's parameter types. */
template <class... P>
static inline cudaError_t waio_launch(void (*kernel)(P...), dim3 grid, dim3 block,
                                      size_t shared_bytes, cudaStream_t stream,
                                      typename waio_same<P>::type... args)
{
    cudaLaunchConfig_t config = {};

    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, args...);
}

#else /* the emulator */

#ifdef WAIO_EMULATED_ARCH
#define WAIO_ARCH WAIO_EMULATED_ARCH
#else
#define WAIO_ARCH 860
#endif

#define WAIO_SHARED(T, name) T *const name = reinterpret_cast<T *>(emulated_shared)

template <class... P>
static inline cudaError_t waio_launch(void (*kernel)(P...), dim3 grid, dim3 block,
                                      size_t shared_bytes, cudaStream_t stream,
                                      typename emulated_same<P>::type... args)
{
    static const unsigned sizes[] = {sizeof(P)..., 0};
    void *pointers[] = {const_cast<void *>(static_cast<const void *>(&args))..., nullptr};
    const void *function = reinterpret_cast<const void *>(kernel);

    emulated_register_kernel(function, emulated_call<P...>::thunk, sizes);
    return cudaLaunchKernel(function, grid, block, pointers, shared_bytes, stream);
}

#endif

/* Asks for more than 48 KiB of dynamic shared memory for `kernel`, before its launch. */
template <class... P>
static inline cudaError_t waio_allow_shared(void (*kernel)(P...), size_t bytes)
{
    return cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel),
                                cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes);
}

#endif
