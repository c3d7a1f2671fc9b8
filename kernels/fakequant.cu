/* Fake-quantization of many at once. Bytes decide the time: B grids of one tensor in one pass cost
 * 4 + 4B bytes an element instead of 8B; many small tensors, as all weights of a network, cost one
 * launch instead of one each. */
#include "kernels/elementwise.cuh"
#include "kernels/kernels.h"

/* ---- several grids of one tensor ---- */

typedef struct fq_grids {
    waio_cuda_grid grid[WAIO_CUDA_GRIDS];
    int count;
} fq_grids;

/* One thread: four numbers, or one, for all grids. */
static __global__ void __launch_bounds__(WAIO_ELEMENTWISE_THREADS)
    fake_quantize_several_kernel(float *dst, size_t stride, const float *src, size_t count,
                                 const __grid_constant__ fq_grids grids, bool by_four)
{
    const size_t first = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    const size_t step = (size_t)gridDim.x * blockDim.x;
    const size_t fours = by_four ? count / 4 : 0;

    for (size_t i = first; i < fours; i += step) {
        const float4 x = waio_ld16(reinterpret_cast<const float4 *>(src) + i);
        for (int b = 0; b < grids.count; b++) {
            const waio_fq fq = grids.grid[b].fq;
            const int rounding = grids.grid[b].rounding;
            float4 y = {
                waio_fake_quantize(x.x, fq, rounding), waio_fake_quantize(x.y, fq, rounding),
                waio_fake_quantize(x.z, fq, rounding), waio_fake_quantize(x.w, fq, rounding)};
            waio_st16(reinterpret_cast<float4 *>(dst + b * stride) + i, y);
        }
    }
    for (size_t i = 4 * fours + first; i < count; i += step)
        for (int b = 0; b < grids.count; b++)
            dst[b * stride + i] =
                waio_fake_quantize(src[i], grids.grid[b].fq, grids.grid[b].rounding);
}

extern "C" cudaError_t waio_cuda_fake_quantize_several(float *dst, size_t stride, const float *src,
                                                       size_t count, const waio_cuda_grid *grids,
                                                       int grid_count, cudaStream_t stream)
{
    bool by_four = waio_is_aligned(dst, 16) && waio_is_aligned(src, 16) && stride % 4 == 0;
    fq_grids list = {};

    if (grid_count < 0 || grid_count > WAIO_CUDA_GRIDS)
        return cudaErrorInvalidValue;
    if (count == 0 || grid_count == 0)
        return cudaSuccess;
    if (!dst || !src || !grids || stride < count)
        return cudaErrorInvalidValue;
    for (int b = 0; b < grid_count; b++)
        list.grid[b] = grids[b];
    list.count = grid_count;
    return waio_launch(fake_quantize_several_kernel,
                       dim3(waio_elementwise_blocks(by_four ? (count + 3) / 4 : count)),
                       dim3(WAIO_ELEMENTWISE_THREADS), 0, stream, dst, stride, src, count, list,
                       by_four);
}

/* ---- many tensors ----
 * A tensor is cut into pieces; a block takes one piece after another and looks up whose it is. */

enum { FQ_PIECE = 4096, FQ_MOST_BLOCKS = 4096 };

/* The job that piece `piece` belongs to: the last one that begins no later. Jobs without numbers
 * begin where the next one does, so they are never found. */
static __device__ int fq_job_of(const waio_cuda_fq_job *jobs, int job_count, size_t piece)
{
    int low = 0, high = job_count - 1;

    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (jobs[middle].first_piece <= piece)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static __device__ float fq_apply(const waio_cuda_fq_job &job, float x, waio_fq fq)
{
    if (job.weight_rule)
        return waio_fake_quantize_weight(x, fq.scale, 1.0f / fq.scale, fq.hi, job.rounding);
    return waio_fake_quantize(x, fq, job.rounding);
}

/* The channel that number i is in, and how many numbers further the next one begins. */
typedef struct fq_channel {
    size_t number, rest;
} fq_channel;

static __device__ void fq_next(fq_channel *c, const waio_cuda_fq_job &job)
{
    if (--c->rest == 0) {
        c->rest = job.inner;
        c->number = c->number + 1 == job.channels ? 0 : c->number + 1;
    }
}

/* Numbers i to i + 3 of a job with parameters per channel, as far as they are below `end`. */
static __device__ void fq_four_by_channel(const waio_cuda_fq_job &job, size_t i, size_t end)
{
    fq_channel c = {i / job.inner % job.channels, job.inner - i % job.inner};

    for (; i < end; i++) {
        job.dst[i] = fq_apply(job, job.src[i], job.channel_fq[c.number]);
        fq_next(&c, job);
    }
}

/* Numbers i to i + 3 of a job with one grid, by one access where that is possible. */
static __device__ void fq_four(const waio_cuda_fq_job &job, size_t i, size_t end, bool by_four)
{
    if (by_four && end - i == 4) {
        float4 x = waio_ld16(reinterpret_cast<const float4 *>(job.src + i));
        float4 y = {fq_apply(job, x.x, job.fq), fq_apply(job, x.y, job.fq),
                    fq_apply(job, x.z, job.fq), fq_apply(job, x.w, job.fq)};
        waio_st16(reinterpret_cast<float4 *>(job.dst + i), y);
        return;
    }
    for (; i < end; i++)
        job.dst[i] = fq_apply(job, job.src[i], job.fq);
}

static __global__ void __launch_bounds__(WAIO_ELEMENTWISE_THREADS)
    fake_quantize_jobs_kernel(const waio_cuda_fq_job *jobs, int job_count, size_t pieces)
{
    for (size_t piece = blockIdx.x; piece < pieces; piece += gridDim.x) {
        const waio_cuda_fq_job job = jobs[fq_job_of(jobs, job_count, piece)];
        const bool by_four = ((uintptr_t)job.src | (uintptr_t)job.dst) % 16 == 0;
        const size_t start = (piece - job.first_piece) * FQ_PIECE;
        const size_t end = min(start + FQ_PIECE, job.count);

        for (size_t i = start + 4 * threadIdx.x; i < end; i += 4 * blockDim.x) {
            const size_t stop = min(i + 4, end);
            if (job.channel_fq)
                fq_four_by_channel(job, i, stop);
            else
                fq_four(job, i, stop, by_four);
        }
    }
}

extern "C" size_t waio_cuda_fq_prepare(waio_cuda_fq_job *jobs, int job_count)
{
    size_t pieces = 0;

    for (int j = 0; j < job_count; j++) {
        jobs[j].first_piece = pieces;
        pieces += (jobs[j].count + FQ_PIECE - 1) / FQ_PIECE;
    }
    return pieces;
}

extern "C" cudaError_t waio_cuda_fake_quantize_jobs(const waio_cuda_fq_job *jobs, int job_count,
                                                    size_t pieces, cudaStream_t stream)
{
    if (job_count == 0 || pieces == 0)
        return cudaSuccess;
    if (!jobs || job_count < 0)
        return cudaErrorInvalidValue;
    return waio_launch(fake_quantize_jobs_kernel, dim3(waio_blocks(pieces, 1, FQ_MOST_BLOCKS)),
                       dim3(WAIO_ELEMENTWISE_THREADS), 0, stream, jobs, job_count, pieces);
}
