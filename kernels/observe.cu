/* Observers of a tensor's numbers: range, histogram, the squared error of several grids. Integer
 * atomics are exact in any order; sums of floats have one fixed order (qobserve.h), so all results
 * repeat, on every device. */
#include "kernels/elementwise.cuh"
#include "kernels/kernels.h"

enum { OBSERVE_THREADS = 256, OBSERVE_WARPS = OBSERVE_THREADS / 32, OBSERVE_MOST_BLOCKS = 512 };

static unsigned observe_blocks(size_t count)
{
    return waio_blocks(count, 4 * OBSERVE_THREADS, OBSERVE_MOST_BLOCKS);
}

/* ---- range ---- */

static __device__ void range_add(waio_ordered_range *range, float x)
{
    if (x == x) {
        int32_t ordered = waio_ordered_of_float(x);
        range->min = min(range->min, ordered);
        range->max = max(range->max, ordered);
    }
}

static __device__ waio_ordered_range range_empty(void)
{
    return {waio_ordered_of_float(INFINITY), waio_ordered_of_float(-INFINITY)};
}

/* The range of a warp, known to lane 0. */
static __device__ waio_ordered_range range_of_warp(waio_ordered_range range)
{
    for (int d = 16; d > 0; d /= 2) {
        range.min = min(range.min, __shfl_down_sync(0xffffffffu, range.min, d));
        range.max = max(range.max, __shfl_down_sync(0xffffffffu, range.max, d));
    }
    return range;
}

/* Each thread its own range, then a warp, then one atomic per warp. */
static __global__ void __launch_bounds__(OBSERVE_THREADS)
    range_widen_kernel(waio_ordered_range *range, const float *src, size_t count, bool by_four)
{
    const size_t first = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    const size_t step = (size_t)gridDim.x * blockDim.x;
    const size_t fours = by_four ? count / 4 : 0;
    waio_ordered_range own = range_empty();

    for (size_t i = first; i < fours; i += step) {
        const float4 x = waio_ld16(reinterpret_cast<const float4 *>(src) + i);
        range_add(&own, x.x);
        range_add(&own, x.y);
        range_add(&own, x.z);
        range_add(&own, x.w);
    }
    for (size_t i = 4 * fours + first; i < count; i += step)
        range_add(&own, src[i]);
    own = range_of_warp(own);
    if (threadIdx.x % 32 == 0) {
        atomicMin(&range->min, own.min);
        atomicMax(&range->max, own.max);
    }
}

static __global__ void range_reset_kernel(waio_ordered_range *ranges, size_t count)
{
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;

    if (i < count)
        ranges[i] = range_empty();
}

extern "C" cudaError_t waio_cuda_range_reset(waio_ordered_range *ranges, size_t count,
                                             cudaStream_t stream)
{
    if (count == 0)
        return cudaSuccess;
    if (!ranges || count > (size_t)OBSERVE_THREADS << 20)
        return cudaErrorInvalidValue;
    return waio_launch(range_reset_kernel,
                       dim3((unsigned)((count + OBSERVE_THREADS - 1) / OBSERVE_THREADS)),
                       dim3(OBSERVE_THREADS), 0, stream, ranges, count);
}

extern "C" cudaError_t waio_cuda_range_widen(waio_ordered_range *range, const float *src,
                                             size_t count, cudaStream_t stream)
{
    if (count == 0)
        return cudaSuccess;
    if (!range || !src)
        return cudaErrorInvalidValue;
    return waio_launch(range_widen_kernel, dim3(observe_blocks(count)), dim3(OBSERVE_THREADS), 0,
                       stream, range, src, count, waio_is_aligned(src, 16));
}

/* ---- histogram ---- */

typedef struct histogram_bins {
    float lo, width;
    int bins;
} histogram_bins;

/* A block counts in shared memory and adds its counters to the tensor's at the end. */
static __global__ void __launch_bounds__(OBSERVE_THREADS)
    histogram_kernel(unsigned long long *counts, const float *src, size_t count, histogram_bins h)
{
    WAIO_SHARED(unsigned, own);
    const size_t first = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    const size_t step = (size_t)gridDim.x * blockDim.x;

    for (int bin = (int)threadIdx.x; bin < h.bins; bin += (int)blockDim.x)
        own[bin] = 0;
    __syncthreads();
    for (size_t i = first; i < count; i += step) {
        int32_t bin = waio_histogram_bin(src[i], h.lo, h.width, h.bins);
        if (bin >= 0)
            atomicAdd(&own[bin], 1u);
    }
    __syncthreads();
    for (int bin = (int)threadIdx.x; bin < h.bins; bin += (int)blockDim.x)
        if (own[bin])
            atomicAdd(&counts[bin], (unsigned long long)own[bin]);
}

extern "C" cudaError_t waio_cuda_histogram(unsigned long long *counts, const float *src,
                                           size_t count, float lo, float width, int bins,
                                           cudaStream_t stream)
{
    histogram_bins h = {lo, width, bins};

    if (bins < 1 || bins > WAIO_CUDA_BINS || !(width > 0))
        return cudaErrorInvalidValue;
    if (count == 0)
        return cudaSuccess;
    /* a block's counters have 32 bits */
    if (!counts || !src || count / OBSERVE_MOST_BLOCKS > UINT32_MAX / 2)
        return cudaErrorInvalidValue;
    return waio_launch(histogram_kernel, dim3(observe_blocks(count)), dim3(OBSERVE_THREADS),
                       (size_t)bins * sizeof(unsigned), stream, counts, src, count, h);
}

/* ---- squared errors of several grids ---- */

typedef struct error_grids {
    waio_cuda_grid grid[WAIO_CUDA_GRIDS];
    int count;
} error_grids;

/* The sum over the block, known to thread 0: waio_tree_sum. `shared` holds OBSERVE_WARPS doubles;
 * ends with a barrier, so that it may be used again at once. */
static __device__ double error_block_sum(double x, double *shared)
{
    const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;

    for (int d = 16; d > 0; d /= 2)
        x += __shfl_down_sync(0xffffffffu, x, d);
    if (lane == 0)
        shared[warp] = x;
    __syncthreads();
    if (warp == 0) {
        x = lane < OBSERVE_WARPS ? shared[lane] : 0.0;
        for (int d = OBSERVE_WARPS / 2; d > 0; d /= 2)
            x += __shfl_down_sync(0xffffffffu, x, d);
    }
    __syncthreads();
    return x;
}

/* This thread's 16 numbers of the piece that begins at `src`; NaN, which counts as no error, past
 * its end. */
static __device__ void error_load(float *x, const float *src, size_t count, bool by_four)
{
#pragma unroll
    for (int j = 0; j < 4; j++) {
        const size_t i = 4 * (size_t)(OBSERVE_THREADS * j + (int)threadIdx.x);
        if (by_four && i + 4 <= count) {
            const float4 four = waio_ld16(reinterpret_cast<const float4 *>(src + i));
            x[4 * j] = four.x;
            x[4 * j + 1] = four.y;
            x[4 * j + 2] = four.z;
            x[4 * j + 3] = four.w;
        } else {
#pragma unroll
            for (int c = 0; c < 4; c++)
                x[4 * j + c] = i + c < count ? src[i + c] : NAN;
        }
    }
}

/* Block p: piece p for all grids, sums[b * pieces + p]. */
static __global__ void __launch_bounds__(OBSERVE_THREADS)
    squared_errors_kernel(double *sums, const float *src, size_t count,
                          const __grid_constant__ error_grids grids, bool by_four)
{
    WAIO_SHARED(double, shared);
    const size_t start = (size_t)blockIdx.x * WAIO_ERROR_PIECE;
    float x[16];

    error_load(x, src + start, count - start, by_four);
    for (int b = 0; b < grids.count; b++) {
        const waio_fq fq = grids.grid[b].fq;
        const int rounding = grids.grid[b].rounding;
        float sum = 0;
#pragma unroll
        for (int i = 0; i < 16; i++)
            sum += waio_squared_error(x[i], fq, rounding);
        double total = error_block_sum(sum, shared);
        if (threadIdx.x == 0)
            sums[(size_t)b * gridDim.x + blockIdx.x] = total;
    }
}

/* Block b: the sums of grid b's pieces. */
static __global__ void __launch_bounds__(OBSERVE_THREADS)
    add_errors_kernel(double *errors, const double *sums, size_t pieces)
{
    WAIO_SHARED(double, shared);
    double sum = 0;

    for (size_t p = threadIdx.x; p < pieces; p += OBSERVE_THREADS)
        sum += sums[blockIdx.x * pieces + p];
    sum = error_block_sum(sum, shared);
    if (threadIdx.x == 0)
        errors[blockIdx.x] = sum;
}

static size_t error_pieces(size_t count)
{
    return (count + WAIO_ERROR_PIECE - 1) / WAIO_ERROR_PIECE;
}

extern "C" size_t waio_cuda_error_scratch(size_t count, int grid_count)
{
    return error_pieces(count) * (size_t)grid_count * sizeof(double);
}

extern "C" cudaError_t waio_cuda_squared_errors(double *errors, void *scratch, const float *src,
                                                size_t count, const waio_cuda_grid *grids,
                                                int grid_count, cudaStream_t stream)
{
    const size_t pieces = error_pieces(count), shared = OBSERVE_WARPS * sizeof(double);
    double *sums = static_cast<double *>(scratch);
    error_grids list = {};

    if (grid_count < 0 || grid_count > WAIO_CUDA_GRIDS)
        return cudaErrorInvalidValue;
    if (grid_count == 0)
        return cudaSuccess;
    if (!errors || !grids || (count && (!scratch || !src)) || pieces > INT32_MAX)
        return cudaErrorInvalidValue;
    for (int b = 0; b < grid_count; b++)
        list.grid[b] = grids[b];
    list.count = grid_count;
    if (count) {
        cudaError_t error =
            waio_launch(squared_errors_kernel, dim3((unsigned)pieces), dim3(OBSERVE_THREADS),
                        shared, stream, sums, src, count, list, waio_is_aligned(src, 16));
        if (error != cudaSuccess)
            return error;
    }
    return waio_launch(add_errors_kernel, dim3((unsigned)grid_count), dim3(OBSERVE_THREADS), shared,
                       stream, errors, static_cast<const double *>(sums), pieces);
}
