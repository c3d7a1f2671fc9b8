/* Matrix products of 16-bit activations with weights of 8 or 16 bits, exact. */
#include "kernels/gemm_16.cuh"

extern "C" cudaError_t waio_cuda_gemm_qs16(const waio_cuda_layer *layer, cudaStream_t stream)
{
    if (!layer || !layer->pack.flat || !waio_pack_is_16(layer->pack) ||
        !waio_layer_is_possible(*layer))
        return cudaErrorInvalidValue;
    waio_cuda_layer resolved = waio_layer_rounding(*layer, WAIO_REQUANT_FLOAT);
    waio_matrix_view a = waio_rows_view(resolved);
    if (layer->pack.types == WAIO_PACK_S16_S8)
        return waio_launch_16_output<waio_tile_16x8, waio_math_16x8<waio_tile_16x8>,
                                     waio_matrix_source>(resolved, a, stream);
    return waio_launch_16_output<waio_tile_16x16, waio_math_16x16<waio_tile_16x16>,
                                 waio_matrix_source>(resolved, a, stream);
}
