/* The CUDA kernels' launchers: all that the host sees of this folder.
 *
 * Pointers are device memory unless a comment says otherwise, aligned to their element; those that
 * are aligned to four elements run faster. A launcher queues its work on `stream` and returns at
 * once: cudaErrorInvalidValue for arguments that cannot be, else what the launch returned. No
 * elements is no work. Results equal the scalar rules of qmath.h bit for bit. */
#ifndef WAIO_KERNELS_KERNELS_H
#define WAIO_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include <cuda_runtime_api.h>

#include "kernels/pack.h"
#include "kernels/qmath.h"
#include "kernels/qobserve.h"
#include "kernels/qpo2.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How numbers become codes. rounding: WAIO_ROUND_HALF_AWAY or WAIO_ROUND_HALF_EVEN. */
typedef struct waio_cuda_grid {
    waio_fq fq;
    int32_t zero_point; /* 0 where no codes are made */
    int rounding;
} waio_cuda_grid;

/* ---- one tensor: quantize.cu ---- */

/* dst[i] = waio_fake_quantize(src[i]); dst may be src. */
cudaError_t waio_cuda_fake_quantize(float *dst, const float *src, size_t count, waio_cuda_grid grid,
                                    cudaStream_t stream);

/* dst[i] = waio_quantize_code(src[i]); the codes must fit the type. */
cudaError_t waio_cuda_quantize_qs8(int8_t *dst, const float *src, size_t count, waio_cuda_grid grid,
                                   cudaStream_t stream);
cudaError_t waio_cuda_quantize_qs16(int16_t *dst, const float *src, size_t count,
                                    waio_cuda_grid grid, cudaStream_t stream);

/* dst[i] = waio_dequantize_code(src[i]). */
cudaError_t waio_cuda_dequantize_qs8(float *dst, const int8_t *src, size_t count, float scale,
                                     int32_t zero_point, cudaStream_t stream);
cudaError_t waio_cuda_dequantize_qs16(float *dst, const int16_t *src, size_t count, float scale,
                                      int32_t zero_point, cudaStream_t stream);

/* dst[i] = waio_map_to_power_of_two(src[i]); dst may be src. */
cudaError_t waio_cuda_map_to_power_of_two(float *dst, const float *src, size_t count, waio_po2 po2,
                                          cudaStream_t stream);

/* ---- codes to codes: requantize.cu ---- */

/* dst = waio_finish_code(waio_multiply_by_quantized(src - src_zero_point, ...)). */
typedef struct waio_cuda_requant {
    waio_multiplier multiplier;
    double real; /* read for WAIO_REQUANT_FLOAT alone */
    waio_requant rounding;
    int32_t src_zero_point; /* 0 for sums of 32 bits */
    int32_t dst_zero_point;
    int32_t lo, hi; /* of the result; must fit its type */
} waio_cuda_requant;

/* Bits of src and dst say the types: 8, 16 or 32 to 8 or 16; cudaErrorInvalidValue for others. dst
 * may be src if the types are the same. */
cudaError_t waio_cuda_requantize(void *dst, int dst_bits, const void *src, int src_bits,
                                 size_t count, waio_cuda_requant requant, cudaStream_t stream);

/* ---- many at once: fakequant.cu ---- */

/* One read of src for several grids: dst[b * stride + i] = waio_fake_quantize(src[i]) with
 * grids[b]. `grids` is host memory, up to WAIO_CUDA_GRIDS of them. dst must not overlap src. */
enum { WAIO_CUDA_GRIDS = 16 };
cudaError_t waio_cuda_fake_quantize_several(float *dst, size_t stride, const float *src,
                                            size_t count, const waio_cuda_grid *grids,
                                            int grid_count, cudaStream_t stream);

/* One tensor among many that a single launch fake-quantizes. Number i has channel (i / inner) %
 * channels. */
typedef struct waio_cuda_fq_job {
    float *dst;
    const float *src; /* dst may be src; jobs do not overlap otherwise */
    size_t count;
    const waio_fq *channel_fq; /* device memory, one per channel; NULL: `fq` for all */
    size_t inner, channels;    /* both at least 1 where there is channel_fq */
    waio_fq fq;
    int rounding;
    /* 1: waio_fake_quantize_weight with top = hi, as TensorFlow Lite's converter rounds weights. */
    int weight_rule;
    size_t first_piece; /* set by waio_cuda_fq_prepare */
} waio_cuda_fq_job;

/* Fills in what the jobs' launch needs. Host memory; call it before the jobs are copied to the
 * device. Returns the pieces in all. */
size_t waio_cuda_fq_prepare(waio_cuda_fq_job *jobs, int job_count);
/* Runs `job_count` jobs in device memory, of `pieces` pieces. */
cudaError_t waio_cuda_fake_quantize_jobs(const waio_cuda_fq_job *jobs, int job_count, size_t pieces,
                                         cudaStream_t stream);

/* ---- observers: observe.cu ---- */

/* Makes `count` ranges empty. */
cudaError_t waio_cuda_range_reset(waio_ordered_range *ranges, size_t count, cudaStream_t stream);
/* Widens *range (device memory) by src; NaN is passed over. */
cudaError_t waio_cuda_range_widen(waio_ordered_range *range, const float *src, size_t count,
                                  cudaStream_t stream);

/* Adds src to `bins` counters (1 to WAIO_CUDA_BINS; waio_histogram_bin). NaN is passed over. */
enum { WAIO_CUDA_BINS = 8192 };
cudaError_t waio_cuda_histogram(unsigned long long *counts, const float *src, size_t count,
                                float lo, float width, int bins, cudaStream_t stream);

/* errors[b] = sum of waio_squared_error(src[i]) with grids[b], added up in the order of qobserve.h,
 * so that the least of several ranges is the same on every device. `grids` is host memory, up to
 * WAIO_CUDA_GRIDS. `scratch`: device memory of waio_cuda_error_scratch bytes, 8-byte aligned. */
size_t waio_cuda_error_scratch(size_t count, int grid_count);
cudaError_t waio_cuda_squared_errors(double *errors, void *scratch, const float *src, size_t count,
                                     const waio_cuda_grid *grids, int grid_count,
                                     cudaStream_t stream);

/* ---- weighted layers: gemm_qs8.cu, conv2d_qs8.cu, gemm_qs16.cu, depthwise.cu ----
 * Integer matrix products and convolutions on tensor cores, with what follows them in the same
 * kernel. Any size is accepted (waio_pack_layout says what is too large); what is padded is the
 * memory: a pixel of x begins at a multiple of 16 bytes. */

/* What becomes of a sum s of channel n, bias and zero point included:
 *   CODES  clamp(requantize(s) + zero_point, lo, hi), of the type of x; biases are the packed
 *          integer ones. 32-bit sums: waio_multiply_by_quantized; sums_64: that of 64 bits; with
 *          WAIO_REQUANT_FLOAT waio_multiply_by_real of either. WAIO_REQUANT_TFLITE is DOUBLE for
 *          conv2d and depthwise, FLOAT for gemm.
 *   FLOAT  fmaf((float)s, scale[n], bias_f32[n]), clamped to [lo_f32, hi_f32], then with
 *          `fake_quantized` through waio_fake_quantize by `grid`. 8 bits only.
 *   SUMS   s itself: int32_t for 8 bits, int64_t for 16 bits. */
typedef enum waio_cuda_output { WAIO_CUDA_CODES, WAIO_CUDA_FLOAT, WAIO_CUDA_SUMS } waio_cuda_output;

/* Rows and columns of the output that one block of threads computes; AUTO chooses by their number
 * and the device. Results do not depend on it. 16 bits have one tile; sums, and codes by
 * WAIO_REQUANT_FLOAT, have no 256X128 and take the next. */
typedef enum waio_cuda_tile {
    WAIO_CUDA_TILE_AUTO,
    WAIO_CUDA_TILE_64X64,
    WAIO_CUDA_TILE_128X128,
    WAIO_CUDA_TILE_256X128 /* from sm_80 on */
} waio_cuda_tile;

/* Bits of `flags`. OVERFLOW: a sum was too large for the 32 bits (or, with sums_64, the 2^47) that
 * its rule takes: the output is wrong, and ref refuses such an input. */
enum { WAIO_CUDA_FLAG_OVERFLOW = 1 };

typedef struct waio_cuda_device {
    int sms;  /* multiprocessors */
    int arch; /* 860 is sm_86 */
} waio_cuda_device;

/* One layer and one run of it. Memory of the device is the caller's, and must live until the
 * stream has passed. */
typedef struct waio_cuda_layer {
    waio_pack pack;     /* by value, after waio_pack_fill */
    const void *packed; /* device: the block; 256-byte aligned, as cudaMalloc gives it */
    const void *x;      /* device, 16-byte aligned: [pixel][x_pitch] codes */
    int64_t x_pitch;    /* elements; a multiple of 16 bytes, >= waio_pack_x_pitch; any bytes pad */
    void *y;            /* device, aligned to its elements: [pixel][y_pitch] */
    int64_t y_pitch;    /* elements, >= oc; columns from oc on are not written. Runs faster if rows
                           begin at multiples of 8 codes or 4 numbers of 32 bits */
    waio_cuda_output output;
    waio_requant rounding;
    bool sums_64; /* 16 bits: the accumulator's type is int64_t */
    int32_t zero_point, lo, hi;
    float lo_f32, hi_f32;
    bool fake_quantized;
    waio_cuda_grid grid;
    unsigned *flags; /* device word, set to 0 by the caller; bits are added. Not NULL if sums may
                        overflow: pack.may_overflow, or 16 bits with output CODES */
    void *workspace; /* device, 256-byte aligned: waio_cuda_workspace_bytes, NULL if that is 0 */
    waio_cuda_device device;
    waio_cuda_tile tile;
} waio_cuda_layer;

/* Memory that a run needs besides: none but for sums of more than 32,768 products of 16 bits. */
size_t waio_cuda_workspace_bytes(const waio_pack *pack);

/* Types as in the name: qs8 takes the packs of 8 bits (u8 with gemm only), qs16 those of 16x8 and
 * 16x16. gemm wants a flat pack, depthwise a depthwise one; conv2d takes any, and runs those two
 * forms by the kernels made for them. cudaErrorNotSupported: more than 131,071 products of 8 bits
 * whose sums may overflow, so that it could not be seen (32-bit sums wrap around: up to 65,793
 * products of u8 x s8 and 33,025 of u8 x u8 are safe with output SUMS and FLOAT). */
cudaError_t waio_cuda_gemm_qs8(const waio_cuda_layer *layer, cudaStream_t stream);
cudaError_t waio_cuda_conv2d_qs8(const waio_cuda_layer *layer, cudaStream_t stream);
cudaError_t waio_cuda_depthwise_qs8(const waio_cuda_layer *layer, cudaStream_t stream);
cudaError_t waio_cuda_gemm_qs16(const waio_cuda_layer *layer, cudaStream_t stream);
cudaError_t waio_cuda_conv2d_qs16(const waio_cuda_layer *layer, cudaStream_t stream);
cudaError_t waio_cuda_depthwise_qs16(const waio_cuda_layer *layer, cudaStream_t stream);

/* ---- activations as weighted layers read them: arrange.cu ---- */

/* Dense images [images][ih][iw][ic] become ones of [ceil(ih / block)][ceil(iw / block)][pitch]:
 * block 1 only widens the pixels, block 2 is for stems (pack.h). What a block has past the image is
 * the zero point, what pads a pixel is 0. */
typedef struct waio_cuda_arrangement {
    int32_t images, ih, iw, ic;
    int32_t block;      /* 1 or 2 */
    int64_t pitch;      /* elements of a new pixel; a multiple of 16 bytes, >= block^2 ic */
    int32_t zero_point; /* of floats: grid's */
} waio_cuda_arrangement;

/* dst: 16-byte aligned. From codes, and from floats that waio_quantize_code makes codes of. */
cudaError_t waio_cuda_arrange_qs8(int8_t *dst, const int8_t *src, waio_cuda_arrangement how,
                                  cudaStream_t stream);
cudaError_t waio_cuda_arrange_qs16(int16_t *dst, const int16_t *src, waio_cuda_arrangement how,
                                   cudaStream_t stream);
cudaError_t waio_cuda_quantize_arrange_qs8(int8_t *dst, const float *src, waio_cuda_arrangement how,
                                           waio_cuda_grid grid, cudaStream_t stream);
cudaError_t waio_cuda_quantize_arrange_qs16(int16_t *dst, const float *src,
                                            waio_cuda_arrangement how, waio_cuda_grid grid,
                                            cudaStream_t stream);

/* The tile that AUTO takes for an output of `rows` x `columns` in each of `groups` groups. */
waio_cuda_tile waio_cuda_choose_tile(int64_t rows, int64_t columns, int64_t groups,
                                     waio_cuda_device device);

#ifdef __cplusplus
}
#endif
#endif
