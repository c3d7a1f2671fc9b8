/* The runtime's C functions on the emulator: every call does its work before it returns. */
#include "cuda_emulation/emulator_internal.h"

#include <stdio.h>
#include <string.h>

static cudaError_t last, sticky;

static cudaError_t result(cudaError_t error)
{
    if (sticky)
        error = sticky;
    if (error)
        last = error;
    return error;
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

cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **args,
                             size_t shared_bytes, cudaStream_t)
{
    launch_shape shape = {grid, block, shared_bytes};

    if (sticky)
        return result(sticky);
    cudaError_t error = launch_check(function, &shape);
    if (error)
        return result(error);
    if (!launch_run(function, args, &shape))
        sticky = cudaErrorLaunchFailure;
    return result(cudaSuccess);
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value)
{
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize)
        return result(launch_allow_shared(function, value));
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
