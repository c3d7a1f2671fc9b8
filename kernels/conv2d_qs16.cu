/* Convolutions of 16-bit activations with weights of 8 or 16 bits, exact: implicit matrix products.
 */
#include "kernels/gemm_16.cuh"

extern "C" cudaError_t waio_cuda_conv2d_qs16(const waio_cuda_layer *layer, cudaStream_t stream)
{
    if (!layer || !waio_pack_is_16(layer->pack) || !waio_layer_is_possible(*layer))
        return cudaErrorInvalidValue;
    waio_cuda_layer resolved = waio_layer_rounding(*layer, WAIO_REQUANT_DOUBLE);
    if (layer->pack.flat)
        return waio_cuda_gemm_qs16(&resolved, stream);
    if (layer->pack.depthwise)
        return waio_cuda_depthwise_qs16(&resolved, stream);
    if (layer->pack.types == WAIO_PACK_S16_S8)
        return waio_launch_16_output<waio_tile_16x8, waio_math_16x8<waio_tile_16x8>,
                                     waio_image_source>(
            resolved, waio_image_of(resolved, waio_tile_16x8::A_CHUNKS), stream);
    return waio_launch_16_output<waio_tile_16x16, waio_math_16x16<waio_tile_16x16>,
                                 waio_image_source>(
        resolved, waio_image_of(resolved, waio_tile_16x16::A_CHUNKS), stream);
}
