/* The launchers of kernels.h that gemm_faults.c runs, with one tile and one output: small enough to
 * be compiled once per fault. */
#include "kernels/gemm_8.cuh"

typedef waio_tile_64x64 tile;

extern "C" cudaError_t waio_cuda_gemm_qs8(const waio_cuda_layer *layer, cudaStream_t stream)
{
    waio_cuda_layer l = waio_layer_rounding(*layer, WAIO_REQUANT_DOUBLE);
    return waio_launch_8<tile, true, true, waio_matrix_source, waio_epilogue_qs8<false>>(
        l, waio_rows_view(l), stream);
}

extern "C" cudaError_t waio_cuda_conv2d_qs8(const waio_cuda_layer *layer, cudaStream_t stream)
{
    waio_cuda_layer l = waio_layer_rounding(*layer, WAIO_REQUANT_DOUBLE);
    return waio_launch_8<tile, true, true, waio_image_source, waio_epilogue_qs8<false>>(
        l, waio_image_of(l, tile::A_CHUNKS), stream);
}

extern "C" waio_cuda_tile waio_cuda_choose_tile(int64_t, int64_t, int64_t, waio_cuda_device)
{
    return WAIO_CUDA_TILE_64X64;
}

extern "C" size_t waio_cuda_workspace_bytes(const waio_pack *)
{
    return 0;
}

#define NOT_HERE(name)                                                                             \
    extern "C" cudaError_t name(const waio_cuda_layer *, cudaStream_t)                             \
    {                                                                                              \
        return cudaErrorNotSupported;                                                              \
    }
NOT_HERE(waio_cuda_depthwise_qs8)
NOT_HERE(waio_cuda_gemm_qs16)
NOT_HERE(waio_cuda_conv2d_qs16)
NOT_HERE(waio_cuda_depthwise_qs16)

extern "C" cudaError_t waio_cuda_arrange_qs8(int8_t *, const int8_t *, waio_cuda_arrangement,
                                             cudaStream_t)
{
    return cudaErrorNotSupported;
}

extern "C" cudaError_t waio_cuda_arrange_qs16(int16_t *, const int16_t *, waio_cuda_arrangement,
                                              cudaStream_t)
{
    return cudaErrorNotSupported;
}
