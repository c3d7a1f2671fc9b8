/* Kernels for test_cuda_emulator.c. */
#include "kernels/portable.cuh"

#include "cuda/cuda_emulator.h"

static __global__ void shuffles_kernel(int *out, double *wide, const int *x)
{
    const unsigned all = 0xffffffffu;
    int t = (int)threadIdx.x, n = (int)blockDim.x, value = x[t];

    out[t] = __shfl_sync(all, value, value & 31);
    out[n + t] = __shfl_sync(all, value, 3, 8);
    out[2 * n + t] = __shfl_up_sync(all, value, 5);
    out[3 * n + t] = __shfl_down_sync(all, value, 3, 16);
    out[4 * n + t] = __shfl_xor_sync(all, value, 9);
    out[5 * n + t] = __shfl_xor_sync(all, value, 12, 8);
    /* two halves on their own, at different places */
    int half = 0;
    if (t % 32 < 16)
        half = __shfl_xor_sync(0x0000ffffu, value, 15);
    else
        half = __shfl_xor_sync(0xffff0000u, value, 1);
    out[6 * n + t] = half;
    wide[t] = __shfl_down_sync(all, value * 1e-3, 1);
}

extern "C" cudaError_t cuda_emulator_shuffles(int *out, double *wide, const int *x, int threads)
{
    return waio_launch(shuffles_kernel, 1, threads, 0, NULL, out, wide, x);
}

static __global__ void votes_kernel(unsigned *out, const int *x)
{
    int t = (int)threadIdx.x;
    unsigned own = t % 32 < 16 ? 0x0000ffffu : 0xffff0000u;
    unsigned votes = __ballot_sync(own, x[t] % 2);

    if (!__any_sync(own, x[t] % 2) || __all_sync(own, x[t] % 2))
        votes = 0xdead;
    out[t] = votes;
}

extern "C" cudaError_t cuda_emulator_votes(unsigned *out, const int *x, int threads)
{
    return waio_launch(votes_kernel, 1, threads, 0, NULL, out, x);
}

static __global__ void atomics_kernel(unsigned long long *counters, const int *x, int count)
{
    int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    unsigned *word = reinterpret_cast<unsigned *>(counters);

    if (i >= count)
        return;
    int old = atomicAdd(reinterpret_cast<int *>(word), x[i]);
    atomicAdd(&counters[1], (unsigned long long)(x[i] + 5000000000ll));
    atomicMin(reinterpret_cast<int *>(word + 4), x[i]);
    atomicMax(reinterpret_cast<int *>(word + 6), x[i]);
    atomicOr(word + 8, 1u << (x[i] & 31));
    atomicMin(word + 10, (unsigned)x[i]);
    atomicMax(word + 12, (unsigned)x[i]);
    if (old == 0) /* the first one, or whenever the sum happens to be 0 */
        atomicAdd(word + 14, 1u);
}

extern "C" cudaError_t cuda_emulator_atomics(unsigned long long *counters, const int *x, int count)
{
    return waio_launch(atomics_kernel, (unsigned)(count + 95) / 96, 96, 0, NULL, counters, x,
                       count);
}

static __global__ void indices_kernel(unsigned *out)
{
    unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    unsigned i = block * blockDim.x * blockDim.y * blockDim.z + thread;

    out[i] = i;
}

extern "C" cudaError_t cuda_emulator_indices(unsigned *out, dim3 grid, dim3 block)
{
    return waio_launch(indices_kernel, grid, block, 0, NULL, out);
}

static __global__ void order_kernel(int *order, int *next)
{
    int place = atomicAdd(next, 1);
    order[place] = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    __syncthreads();
    __syncthreads();
}

extern "C" cudaError_t cuda_emulator_order(int *order, int *next, int blocks, int threads)
{
    return waio_launch(order_kernel, blocks, threads, 0, NULL, order, next);
}

static __global__ void nothing_kernel(void)
{
}

extern "C" cudaError_t cuda_emulator_nothing(dim3 grid, dim3 block)
{
    return waio_launch(nothing_kernel, grid, block, 0, NULL);
}

/* A kernel of its own: what is allowed once stays so. */
static __global__ void shared_kernel(void)
{
    WAIO_SHARED(unsigned char, shared);
    shared[threadIdx.x] = 1;
}

extern "C" cudaError_t cuda_emulator_shared(size_t bytes, size_t allowed)
{
    if (allowed) {
        cudaError_t error = waio_allow_shared(shared_kernel, allowed);
        if (error != cudaSuccess)
            return error;
    }
    return waio_launch(shared_kernel, 1, 32, bytes, NULL);
}
