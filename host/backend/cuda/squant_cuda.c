/* SQuant's rounding of a layer on the device: memory for it comes and goes with the call. */
#include "backend/cuda/cuda.h"

enum { ALIGNMENT = 256 };

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

waio_status waio_cuda_squant_layer(float *code, const float *weight, const waio_squant_shape *shape,
                                   const waio_squant_grid *grid, int64_t grid_count,
                                   waio_squant_stages stages)
{
    waio_status st = WAIO_OK;
    size_t bytes = (size_t)(shape->channels * shape->positions * shape->inputs) * sizeof *weight;
    size_t grid_bytes = (size_t)grid_count * sizeof *grid;
    size_t codes_at = rounded(bytes), grids_at = 2 * codes_at;
    size_t scratch_at = grids_at + rounded(grid_bytes);
    unsigned char *memory = NULL;

    if (bytes == 0)
        return WAIO_OK;
    if (shape->positions * shape->inputs > WAIO_SQUANT_EXACT)
        return waio_error(WAIO_EUNSUPPORTED, "cuda: more than %d weights in a channel",
                          WAIO_SQUANT_EXACT);
    CUDA_TRY(st, cudaMalloc((void **)&memory, scratch_at + waio_cuda_squant_scratch(*shape)));
    float *codes = (float *)(void *)(memory + codes_at);
    waio_squant_grid *grids = (waio_squant_grid *)(void *)(memory + grids_at);
    CUDA_TRY(st, cudaMemcpyAsync(memory, weight, bytes, cudaMemcpyHostToDevice, NULL));
    CUDA_TRY(st, cudaMemcpyAsync(grids, grid, grid_bytes, cudaMemcpyHostToDevice, NULL));
    CUDA_TRY(st, waio_cuda_squant(codes, memory + scratch_at, (const float *)(void *)memory, *shape,
                                  grids, grid_count, stages, NULL));
    CUDA_TRY(st, cudaMemcpyAsync(code, codes, bytes, cudaMemcpyDeviceToHost, NULL));
    CUDA_TRY(st, cudaStreamSynchronize(NULL));
done:
    if (memory && cudaFree(memory) != cudaSuccess)
        (void)cudaGetLastError();
    return st;
}
