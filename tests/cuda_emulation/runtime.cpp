/* The runtime's C functions on the emulator: every call does its work before it returns. */
#include "cuda_emulation/emulator_internal.h"

#include <stdio.h>
#include <string.h>

typedef struct kernel {
    const void *function;
    emulated_thunk thunk;
    const unsigned *sizes;
    size_t shared_allowed;
} kernel;

enum { MAX_KERNELS = 4096, SHARED_WITHOUT_ASKING = 48 << 10 };
static kernel kernels[MAX_KERNELS];
static int kernel_count;
static size_t shared_limit = 99 << 10;
static cudaError_t last, sticky;

static cudaError_t result(cudaError_t error)
{
    if (sticky)
        error = sticky;
    if (error)
        last = error;
    return error;
}

static kernel *kernel_find(const void *function)
{
    for (int i = 0; i < kernel_count; i++)
        if (kernels[i].function == function)
            return &kernels[i];
    if (kernel_count == MAX_KERNELS)
        return NULL;
    kernels[kernel_count] = {function, NULL, NULL, SHARED_WITHOUT_ASKING};
    return &kernels[kernel_count++];
}

void emulated_register_kernel(const void *function, emulated_thunk thunk, const unsigned *sizes)
{
    kernel *k = kernel_find(function);
    if (k) {
        k->thunk = thunk;
        k->sizes = sizes;
    }
}

void emulator_set_shared_limit(size_t bytes)
{
    shared_limit = bytes;
}

void emulator_reset(void)
{
    last = sticky = cudaSuccess;
    emulator_set_message("%s", "");
}

/* ---- memory ---- */

cudaError_t cudaMalloc(void **pointer, size_t bytes)
{
    if (!pointer)
        return result(cudaErrorInvalidValue);
    *pointer = NULL;
    if (sticky || bytes == 0)
        return result(cudaSuccess);
    *pointer = arena_allocate(bytes);
    return result(*pointer ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void *pointer)
{
    if (!pointer || arena_free(pointer))
        return result(cudaSuccess);
    return result(cudaErrorInvalidValue);
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind)
{
    bool to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    bool from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;

    if (kind == cudaMemcpyDefault) {
        to = arena_holds(dst);
        from = arena_holds(src);
    }
    if (bytes == 0 || sticky)
        return result(cudaSuccess);
    if (to != arena_holds(dst) || from != arena_holds(src))
        return result(cudaErrorInvalidMemcpyDirection);
    if ((to && !arena_inside(dst, bytes)) || (from && !arena_inside(src, bytes)))
        return result(cudaErrorInvalidValue);
    memmove(dst, src, bytes);
    if (to)
        arena_set_state(dst, bytes, EMULATOR_LIVE | EMULATOR_WRITTEN);
    if (to && from)
        memcpy(arena_state + arena_offset(dst), arena_state + arena_offset(src), bytes);
    return result(cudaSuccess);
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t)
{
    return cudaMemcpy(dst, src, bytes, kind);
}

cudaError_t cudaMemset(void *dst, int value, size_t bytes)
{
    if (bytes == 0 || sticky)
        return result(cudaSuccess);
    if (!arena_inside(dst, bytes))
        return result(cudaErrorInvalidValue);
    memset(dst, value, bytes);
    arena_set_state(dst, bytes, EMULATOR_LIVE | EMULATOR_WRITTEN);
    return result(cudaSuccess);
}

cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t)
{
    return cudaMemset(dst, value, bytes);
}

/* ---- launch ---- */

/* What a launch may not ask for: the message, NULL if all is well. */
static const char *launch_fault(const kernel *k, const launch_shape *s)
{
    size_t threads = (size_t)s->block.x * s->block.y * s->block.z;

    if (threads < 1 || threads > EMULATOR_MAX_THREADS || s->block.z > 64)
        return "a block has 1 to 1024 threads, at most 64 in z";
    if (s->grid.x < 1 || s->grid.x > 0x7fffffffu || s->grid.y < 1 || s->grid.y > 65535 ||
        s->grid.z < 1 || s->grid.z > 65535)
        return "a grid has 1 to 2147483647 x 65535 x 65535 blocks";
    if (s->shared_bytes > shared_limit)
        return "more shared memory than the device has";
    if (s->shared_bytes > k->shared_allowed)
        return "more shared memory than 48 KiB or than waio_allow_shared was asked for";
    return NULL;
}

cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **args,
                             size_t shared_bytes, cudaStream_t)
{
    kernel *k = kernel_find(function);
    launch_shape shape = {grid, block, shared_bytes};

    if (sticky)
        return result(sticky);
    if (!k || !k->thunk)
        return result(cudaErrorInvalidDeviceFunction);
    const char *fault = launch_fault(k, &shape);
    if (fault) {
        emulator_set_message("launch of %u x %u x %u blocks of %u x %u x %u threads, %zu bytes: %s",
                             grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes,
                             fault);
        return result(cudaErrorInvalidConfiguration);
    }
    if (!emulator_run(k->thunk, function, args, &shape))
        sticky = cudaErrorLaunchFailure;
    return result(cudaSuccess);
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value)
{
    kernel *k = kernel_find(function);

    if (!k)
        return result(cudaErrorInvalidDeviceFunction);
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
        if (value < 0 || (size_t)value > shared_limit)
            return result(cudaErrorInvalidValue);
        k->shared_allowed = (size_t)value;
    }
    return result(cudaSuccess);
}

/* ---- the rest ---- */

cudaError_t cudaDeviceSynchronize(void)
{
    return result(cudaSuccess);
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return result(cudaSuccess);
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaPeekAtLastError(void)
{
    return last;
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t error = last;
    last = sticky;
    return error;
}

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "no error";
    case cudaErrorInvalidValue:
        return "invalid argument";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorInvalidConfiguration:
        return "invalid configuration argument";
    case cudaErrorInvalidMemcpyDirection:
        return "invalid copy direction for memcpy";
    case cudaErrorInvalidDeviceFunction:
        return "invalid device function";
    case cudaErrorLaunchFailure:
        return "unspecified launch failure";
    default:
        return "unknown error";
    }
}

const char *cudaGetErrorName(cudaError_t error)
{
    return cudaGetErrorString(error);
}
