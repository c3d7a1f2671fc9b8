/* The 8-bit kernel and its launch, for any source of A. */
#ifndef WAIO_KERNELS_GEMM_8_CUH
#define WAIO_KERNELS_GEMM_8_CUH

#include "kernels/gemm.cuh"
#include "kernels/gemm_epilogue.cuh"
#include "kernels/gemm_math.cuh"
#include "kernels/weighted.cuh"

/* ROWS, COLUMNS, of a warp, stages, bytes of k. */
typedef waio_tile<64, 64, 32, 32, 3, 64, 64> waio_tile_64x64;
typedef waio_tile<128, 128, 64, 32, 3, 64, 64> waio_tile_128x128;
typedef waio_tile<256, 128, 64, 64, 3, 64, 64> waio_tile_256x128; /* 72 KiB: not for sm_75 */

/* A's source knows by itself which rows there are; tiles: of k. */
template <class Tile, bool A_SIGNED, bool B_SIGNED, template <int> class Source, class Epilogue>
static __global__ void __launch_bounds__(Tile::THREADS)
    gemm_8_kernel(const typename Source<1>::view a, const waio_matrix_view b, int tiles,
                  const waio_output_view out)
{
    if (WAIO_ARCH > 0 && WAIO_ARCH < 800 && Tile::SHARED_BYTES > 64 * 1024)
        return;
    WAIO_SHARED(unsigned char, shared);
    waio_origin origin = waio_origin_of<Tile>(out.columns);
    waio_math_8<Tile, A_SIGNED, B_SIGNED> math(origin);
    waio_copier<Tile, Source<Tile::A_COPIES>> copier(a, b, origin.row, origin.column);

    waio_gemm_loop<Tile>(math, copier, shared, tiles);
    waio_gemm_store<Tile, Epilogue>(math, out, origin);
}

template <class Tile, bool A_SIGNED, bool B_SIGNED, template <int> class Source, class Epilogue>
static cudaError_t waio_launch_8(const waio_cuda_layer &layer, const typename Source<1>::view &a,
                                 cudaStream_t stream)
{
    void (*kernel)(const typename Source<1>::view, const waio_matrix_view, int,
                   const waio_output_view) =
        gemm_8_kernel<Tile, A_SIGNED, B_SIGNED, Source, Epilogue>;
    const waio_pack &p = layer.pack;
    dim3 grid = waio_gemm_blocks(p, Tile::ROWS, Tile::COLUMNS);
    int tiles = (p.k_chunks + Tile::A_CHUNKS - 1) / Tile::A_CHUNKS;

    if (Tile::SHARED_BYTES > 48 * 1024) {
        cudaError_t error = waio_allow_shared(kernel, Tile::SHARED_BYTES);
        if (error != cudaSuccess)
            return error;
    }
    return waio_launch(kernel, grid, dim3(Tile::THREADS), Tile::SHARED_BYTES, stream, a,
                       waio_weights_view(layer), tiles, waio_output_of(layer));
}

/* The epilogue that the layer asks for. The largest tile has two of them, which keeps the time to
 * compile in bounds; it is for large layers, and others have the next one. */
template <class Tile, bool A_SIGNED, bool B_SIGNED, template <int> class Source>
static cudaError_t waio_launch_8_output(const waio_cuda_layer &layer,
                                        const typename Source<1>::view &a, cudaStream_t stream)
{
    if (layer.output == WAIO_CUDA_FLOAT)
        return waio_launch_8<Tile, A_SIGNED, B_SIGNED, Source, waio_epilogue_f32>(layer, a, stream);
    if (layer.output == WAIO_CUDA_CODES && layer.rounding != WAIO_REQUANT_FLOAT)
        return waio_launch_8<Tile, A_SIGNED, B_SIGNED, Source, waio_epilogue_qs8<false>>(layer, a,
                                                                                         stream);
    if constexpr (Tile::ROWS == 256)
        return waio_launch_8_output<waio_tile_128x128, A_SIGNED, B_SIGNED, Source>(layer, a,
                                                                                   stream);
    else if (layer.output == WAIO_CUDA_SUMS)
        return waio_launch_8<Tile, A_SIGNED, B_SIGNED, Source, waio_epilogue_s32>(layer, a, stream);
    else
        return waio_launch_8<Tile, A_SIGNED, B_SIGNED, Source, waio_epilogue_qs8<true>>(layer, a,
                                                                                        stream);
}

/* Signed bytes, by the tile that the layer asks for or that fits it. */
template <template <int> class Source>
static cudaError_t waio_launch_8_tile(const waio_cuda_layer &layer,
                                      const typename Source<1>::view &a, cudaStream_t stream)
{
    switch (waio_tile_of(layer)) {
    case WAIO_CUDA_TILE_64X64:
        return waio_launch_8_output<waio_tile_64x64, true, true, Source>(layer, a, stream);
    case WAIO_CUDA_TILE_256X128:
        return waio_launch_8_output<waio_tile_256x128, true, true, Source>(layer, a, stream);
    default:
        return waio_launch_8_output<waio_tile_128x128, true, true, Source>(layer, a, stream);
    }
}

#endif
