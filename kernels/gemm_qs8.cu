/* Matrix products of 8-bit codes. */
#include "kernels/gemm_8.cuh"

/* ---- choice of a tile ---- */

/* Time of all blocks, in multiply-adds of one multiprocessor: whole waves of blocks, `together` of
 * them on a multiprocessor, each element costing `cost` thousandths more in the smaller tiles,
 * which read more of L2 and of shared memory per product (bytes per product: 12, 16 and 32). */
static int64_t tile_time(int64_t rows, int64_t columns, int64_t groups, int64_t sms, int tile_rows,
                         int tile_columns, int together, int cost)
{
    int64_t blocks =
        (rows + tile_rows - 1) / tile_rows * ((columns + tile_columns - 1) / tile_columns) * groups;
    int64_t waves = (blocks + sms * together - 1) / (sms * together);

    return waves * together * tile_rows * tile_columns * cost;
}

extern "C" waio_cuda_tile waio_cuda_choose_tile(int64_t rows, int64_t columns, int64_t groups,
                                                waio_cuda_device device)
{
    int64_t sms = device.sms > 0 ? device.sms : 1;
    int64_t small = tile_time(rows, columns, groups, sms, 64, 64, 2, 1300);
    int64_t middle = tile_time(rows, columns, groups, sms, 128, 128, 1, 1050);
    int64_t large = tile_time(rows, columns, groups, sms, 256, 128, 1, 1000);

    if (device.arch >= 800 && large < middle && large < small)
        return WAIO_CUDA_TILE_256X128;
    return middle < small ? WAIO_CUDA_TILE_128X128 : WAIO_CUDA_TILE_64X64;
}

/* ---- launchers ---- */

static cudaError_t launch_signs(const waio_cuda_layer &layer, cudaStream_t stream)
{
    waio_matrix_view a = waio_rows_view(layer);

    switch (layer.pack.types) {
    case WAIO_PACK_S8_S8:
        return waio_launch_8_tile<waio_matrix_source>(layer, a, stream);
    case WAIO_PACK_S8_U8:
        return waio_launch_8_output<waio_tile_64x64, true, false, waio_matrix_source>(layer, a,
                                                                                      stream);
    case WAIO_PACK_U8_S8:
        return waio_launch_8_output<waio_tile_64x64, false, true, waio_matrix_source>(layer, a,
                                                                                      stream);
    default:
        return waio_launch_8_output<waio_tile_64x64, false, false, waio_matrix_source>(layer, a,
                                                                                       stream);
    }
}

extern "C" cudaError_t waio_cuda_gemm_qs8(const waio_cuda_layer *layer, cudaStream_t stream)
{
    if (!layer || !layer->pack.flat || waio_pack_is_16(layer->pack) ||
        !waio_layer_is_possible(*layer))
        return cudaErrorInvalidValue;
    if (waio_overflow_is_unseen(*layer))
        return cudaErrorNotSupported;
    return launch_signs(waio_layer_rounding(*layer, WAIO_REQUANT_FLOAT), stream);
}

extern "C" size_t waio_cuda_workspace_bytes(const waio_pack *pack)
{
    if (!waio_pack_is_16(*pack) || pack->depthwise || pack->k_chunks <= WAIO_FLUSH_CHUNKS)
        return 0;
    return (size_t)waio_output_pixels(*pack) * (size_t)pack->shape.groups * (size_t)pack->padded *
           sizeof(int64_t);
}
