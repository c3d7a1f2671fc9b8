/* The 16-bit kernel and its launch, for any source of A. */
#ifndef WAIO_KERNELS_GEMM_16_CUH
#define WAIO_KERNELS_GEMM_16_CUH

#include "kernels/gemm.cuh"
#include "kernels/gemm_epilogue.cuh"
#include "kernels/gemm_math.cuh"
#include "kernels/weighted.cuh"

/* 32 numbers of k in a stage of 16x16, 64 in one of 16x8. */
typedef waio_tile<64, 64, 32, 32, 3, 64, 64> waio_tile_16x16;
typedef waio_tile<64, 64, 32, 32, 3, 128, 64> waio_tile_16x8;

/* Sums of 32 bits hold 32,768 products; then they are added to the workspace. */
template <class Tile, class Math, template <int> class Source, class Epilogue>
static __global__ void __launch_bounds__(Tile::THREADS, 2)
    gemm_16_kernel(const typename Source<1>::view a, const waio_matrix_view b, int tiles,
                   const waio_output_view out)
{
    enum { TILES_OF_PART = WAIO_FLUSH_CHUNKS / Tile::A_CHUNKS };
    WAIO_SHARED(unsigned char, shared);
    waio_origin origin = waio_origin_of<Tile>(out.columns);
    Math math(origin);
    waio_copier<Tile, Source<Tile::A_COPIES>> copier(a, b, origin.row, origin.column);

    for (;;) {
        waio_gemm_loop<Tile>(math, copier, shared, tiles < TILES_OF_PART ? tiles : TILES_OF_PART);
        tiles -= TILES_OF_PART;
        if (tiles <= 0)
            break;
        waio_gemm_store<Tile, waio_epilogue_part>(math, out, origin);
        math.clear();
        __syncthreads(); /* before the stages are filled anew */
    }
    waio_gemm_store<Tile, waio_epilogue_with_parts<Epilogue>>(math, out, origin);
}

template <class Tile, class Math, template <int> class Source, class Epilogue>
static cudaError_t waio_launch_16(const waio_cuda_layer &layer, const typename Source<1>::view &a,
                                  cudaStream_t stream)
{
    const waio_pack &p = layer.pack;
    int tiles = (p.k_chunks + Tile::A_CHUNKS - 1) / Tile::A_CHUNKS;
    size_t parts = waio_cuda_workspace_bytes(&p);
    waio_output_view out = waio_output_of(layer);

    if (parts) {
        cudaError_t error = cudaMemsetAsync(layer.workspace, 0, parts, stream);
        if (error != cudaSuccess)
            return error;
    } else
        out.workspace = NULL;
    return waio_launch(gemm_16_kernel<Tile, Math, Source, Epilogue>,
                       waio_gemm_blocks(p, Tile::ROWS, Tile::COLUMNS), dim3(Tile::THREADS),
                       Tile::SHARED_BYTES, stream, a, waio_weights_view(layer), tiles, out);
}

template <class Tile, class Math, template <int> class Source>
static cudaError_t waio_launch_16_output(const waio_cuda_layer &layer,
                                         const typename Source<1>::view &a, cudaStream_t stream)
{
    if (layer.output == WAIO_CUDA_SUMS)
        return waio_launch_16<Tile, Math, Source, waio_epilogue_s64>(layer, a, stream);
    if (layer.rounding == WAIO_REQUANT_FLOAT)
        return waio_launch_16<Tile, Math, Source, waio_epilogue_qs16<true>>(layer, a, stream);
    return waio_launch_16<Tile, Math, Source, waio_epilogue_qs16<false>>(layer, a, stream);
}

#endif
