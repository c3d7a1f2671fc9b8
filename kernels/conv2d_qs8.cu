/* Convolutions of 8-bit codes as implicit matrix products: no patch is ever written to memory. */
#include "kernels/gemm_8.cuh"

extern "C" cudaError_t waio_cuda_conv2d_qs8(const waio_cuda_layer *layer, cudaStream_t stream)
{
    if (!layer || layer->pack.types != WAIO_PACK_S8_S8 || !waio_layer_is_possible(*layer))
        return cudaErrorInvalidValue;
    waio_cuda_layer resolved = waio_layer_rounding(*layer, WAIO_REQUANT_DOUBLE);
    if (layer->pack.flat)
        return waio_cuda_gemm_qs8(&resolved, stream);
    if (layer->pack.depthwise)
        return waio_cuda_depthwise_qs8(&resolved, stream);
    if (waio_overflow_is_unseen(*layer))
        return cudaErrorNotSupported;
    return waio_launch_8_tile<waio_image_source>(
        resolved, waio_image_of(resolved, waio_tile_128x128::A_CHUNKS), stream);
}
