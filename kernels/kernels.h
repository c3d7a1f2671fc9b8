/* The CUDA kernels' launchers: all that the host sees of this folder.
 *
 * Pointers are device memory unless a comment says otherwise, aligned to their element; those that
 * are aligned to four elements run faster. A launcher queues its work on `stream` and returns at
 * once: cudaErrorInvalidValue for arguments that cannot be, else what the launch returned. No
 * elements is no work. Results equal the scalar rules of qmath.h bit for bit. */
#ifndef WAIO_KERNELS_KERNELS_H
#define WAIO_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cuda_runtime_api.h>

#include "kernels/pack.h"
#include "kernels/qmath.h"
#include "kernels/qobserve.h"
#include "kernels/qpo2.h"
#include "kernels/squant.h"

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

/* ---- SQuant's rounding: squant_round.cu ---- */

/* Rounds `weight` (channels, positions, inputs) to codes, as waio_squant_round of the host does, to
 * the same ones: `grid` (device memory) has one grid or one a channel. `scratch`: device memory of
 * waio_cuda_squant_scratch bytes, 8-byte aligned. cudaErrorNotSupported: more than
 * WAIO_SQUANT_EXACT weights in a channel. */
size_t waio_cuda_squant_scratch(waio_squant_shape shape);
cudaError_t waio_cuda_squant(float *code, void *scratch, const float *weight,
                             waio_squant_shape shape, const waio_squant_grid *grid,
                             int64_t grid_count, waio_squant_stages stages, cudaStream_t stream);

/* ---- layers ------------------------------------------------------------------------------------
 * One launcher per op for floats (_f32) and one for codes (_q: 8 or 16 bits, as the result's
 * params say). Tensors are dense and row-major, images NHWC; shapes hold the batch. A tensor has
 * up to 2^31 - 1 elements: beyond, cudaErrorNotSupported.
 *
 * dst, src, a, b and tables are device memory and the caller's, who keeps them until the stream is
 * done; structs and arrays of pointers are host memory, read before the launcher returns. No
 * launcher allocates or synchronizes. dst overlaps no source unless a comment allows it.
 *
 * Results in codes equal the reference's bit for bit. Results in floats are the same in every
 * launch; ops that sum or take exponentials round differently than the reference does, and say how
 * much, in eps = 2^-23. */

enum { WAIO_CUDA_MAX_RANK = 6 };

typedef struct waio_cuda_shape {
    int rank; /* 0 to WAIO_CUDA_MAX_RANK */
    int64_t dim[WAIO_CUDA_MAX_RANK];
} waio_cuda_shape;

/* What is done to each float result: the clamp, which keeps NaN, then the quantizer. */
enum { WAIO_CUDA_KEEP, WAIO_CUDA_FAKE_QUANTIZE, WAIO_CUDA_HALF };
typedef struct waio_cuda_finish {
    float lo, hi;  /* -INFINITY, INFINITY: no clamp */
    int quantizer; /* nothing, waio_fake_quantize or waio_round_to_half */
    waio_fq fq;    /* of WAIO_CUDA_FAKE_QUANTIZE, as is the rounding */
    int rounding;
} waio_cuda_finish;

/* The codes of one tensor. */
typedef struct waio_cuda_params {
    int bytes; /* of a code: 1 or 2 */
    float scale;
    int32_t zero_point;
    int32_t lo, hi; /* of a result: lowest and highest code with the node's clamp; else unused */
    bool u8;        /* codes of a uint8 file, which stand 128 higher there */
} waio_cuda_params;

/* ---- one tensor: unary.cu. dst may be src if elements are of the same size. ---- */

/* The finish alone: clip and ReLU. */
cudaError_t waio_cuda_clip_f32(float *dst, const float *src, size_t count,
                               const waio_cuda_finish *finish, cudaStream_t stream);
/* Off by at most 2 eps of the result. */
cudaError_t waio_cuda_logistic_f32(float *dst, const float *src, size_t count,
                                   const waio_cuda_finish *finish, cudaStream_t stream);
/* The last dimension has `channels`, as have gamma to variance. Off by at most 3 eps of |x - mean|
 * times the factor plus |beta|. */
typedef struct waio_cuda_batch_norm {
    int64_t count, channels;
    const float *gamma, *beta, *mean, *variance; /* device memory */
    float epsilon;
} waio_cuda_batch_norm;
cudaError_t waio_cuda_batch_norm_f32(float *dst, const float *src,
                                     const waio_cuda_batch_norm *layer,
                                     const waio_cuda_finish *finish, cudaStream_t stream);

/* Codes clamped to [lo, hi] of `params`. */
cudaError_t waio_cuda_clamp_q(void *dst, const void *src, size_t count,
                              const waio_cuda_params *params, cudaStream_t stream);
/* Codes of one scale to those of another, also of the other size: the op quantize between codes. */
cudaError_t waio_cuda_requantize_q(void *dst, const void *src, size_t count,
                                   const waio_cuda_params *in, const waio_cuda_params *out,
                                   waio_requant requant, cudaStream_t stream);
/* The op clip, whose ratio of scales WAIO_REQUANT_TFLITE rounds to float. */
cudaError_t waio_cuda_clip_q(void *dst, const void *src, size_t count, const waio_cuda_params *in,
                             const waio_cuda_params *out, waio_requant requant,
                             cudaStream_t stream);
/* Codes to numbers. */
cudaError_t waio_cuda_dequantize_q(float *dst, const void *src, size_t count,
                                   const waio_cuda_params *in, const waio_cuda_finish *finish,
                                   cudaStream_t stream);
/* dst[i] = table[src[i] - lowest code]: logistic. Codes have `bytes` bytes; the table, in device
 * memory, has 256 or 65,536 of them: what the reference makes of every code from the lowest. */
cudaError_t waio_cuda_look_up_q(void *dst, const void *src, size_t count, int bytes,
                                const void *table, cudaStream_t stream);

/* ---- two tensors: binary.cu ---- */

/* Numpy broadcasting: the result's shape is what those of a and b broadcast to. dst may be an
 * operand of that shape. */
typedef enum waio_cuda_binary_op {
    WAIO_CUDA_ADD,
    WAIO_CUDA_SUB,
    WAIO_CUDA_MUL,
    WAIO_CUDA_MAXIMUM
} waio_cuda_binary_op;
typedef struct waio_cuda_binary {
    waio_cuda_binary_op op;
    waio_cuda_shape a, b;
} waio_cuda_binary;
/* Exact. */
cudaError_t waio_cuda_binary_f32(float *dst, const float *a, const float *b,
                                 const waio_cuda_binary *layer, const waio_cuda_finish *finish,
                                 cudaStream_t stream);
/* params: of a, of b, of the result. */
cudaError_t waio_cuda_binary_q(void *dst, const void *a, const void *b,
                               const waio_cuda_binary *layer, const waio_cuda_params params[3],
                               waio_requant requant, cudaStream_t stream);

/* ---- windows: pool.cu ---- */

typedef struct waio_cuda_pool {
    bool average;                           /* else the maximum, of real cells */
    int64_t batch, height, width, channels; /* of the input */
    int64_t out[2];                         /* height and width of the result */
    int kernel[2], stride[2];               /* height, width */
    int pad[4];                             /* top, left, bottom, right; less than the kernel */
    bool count_include_pad;                 /* averages divide by all cells in the padded image */
} waio_cuda_pool;
/* Averages are off by at most 1 eps of the mean size of the cells; the maximum is exact, and NaN
 * where one of the cells is. */
cudaError_t waio_cuda_pool_f32(float *dst, const float *src, const waio_cuda_pool *layer,
                               const waio_cuda_finish *finish, cudaStream_t stream);
cudaError_t waio_cuda_pool_q(void *dst, const void *src, const waio_cuda_pool *layer,
                             const waio_cuda_params *params, cudaStream_t stream);

/* ---- sums over whole axes: reduce.cu ---- */

typedef struct waio_cuda_reduce {
    bool mean; /* else the sum */
    waio_cuda_shape in;
    unsigned axes; /* bit i: dimension i is summed over */
} waio_cuda_reduce;
/* Off by at most 1 eps of the sum (the mean) of the numbers' sizes. */
cudaError_t waio_cuda_reduce_f32(float *dst, const float *src, const waio_cuda_reduce *layer,
                                 const waio_cuda_finish *finish, cudaStream_t stream);
/* params: of the input, of the result. `lost`, a device word or NULL, becomes 1 if a sum of codes
 * does not fit 32 bits: the reference then fails. Nothing else writes it: clear it first. */
cudaError_t waio_cuda_reduce_q(void *dst, const void *src, const waio_cuda_reduce *layer,
                               const waio_cuda_params params[2], waio_requant requant, int *lost,
                               cudaStream_t stream);

/* ---- moving: move.cu; a reshape is a cudaMemcpyAsync ---- */

/* Inputs stand in a row along `axis`. One that has fewer elements in front of the axis than the
 * result (a constant among batches) is repeated. */
typedef struct waio_cuda_concat {
    waio_cuda_shape out;
    int axis, count;
    const waio_cuda_shape *in; /* `count` of them, as in src and params; of the result's rank */
} waio_cuda_concat;
/* Moves are exact. */
cudaError_t waio_cuda_concat_f32(float *dst, const float *const *src, const waio_cuda_concat *layer,
                                 const waio_cuda_finish *finish, cudaStream_t stream);
/* Inputs of other parameters than the result's are requantized. */
cudaError_t waio_cuda_concat_q(void *dst, const void *const *src, const waio_cuda_concat *layer,
                               const waio_cuda_params *in, const waio_cuda_params *out,
                               waio_requant requant, cudaStream_t stream);

typedef struct waio_cuda_pad {
    waio_cuda_shape in;
    int before[WAIO_CUDA_MAX_RANK], after[WAIO_CUDA_MAX_RANK]; /* at least 0 */
    float value;                                               /* codes: that of this number */
} waio_cuda_pad;
cudaError_t waio_cuda_pad_f32(float *dst, const float *src, const waio_cuda_pad *layer,
                              const waio_cuda_finish *finish, cudaStream_t stream);
cudaError_t waio_cuda_pad_q(void *dst, const void *src, const waio_cuda_pad *layer,
                            const waio_cuda_params *params, cudaStream_t stream);

typedef struct waio_cuda_transpose {
    waio_cuda_shape in;
    int perm[WAIO_CUDA_MAX_RANK]; /* dimension i of the result is dimension perm[i] of the input */
} waio_cuda_transpose;
cudaError_t waio_cuda_transpose_f32(float *dst, const float *src, const waio_cuda_transpose *layer,
                                    const waio_cuda_finish *finish, cudaStream_t stream);
cudaError_t waio_cuda_transpose_q(void *dst, const void *src, const waio_cuda_transpose *layer,
                                  const waio_cuda_params *params, cudaStream_t stream);

/* ---- softmax over the last dimension: softmax.cu ---- */

/* Off by at most 2 eps of the result. */
cudaError_t waio_cuda_softmax_f32(float *dst, const float *src, int64_t rows, int64_t width,
                                  const waio_cuda_finish *finish, cudaStream_t stream);
/* What waio_refq_softmax_fill makes for the input's scale; laid out as there. */
typedef struct waio_cuda_softmax_tables {
    int32_t exp_8[256];
    int16_t exp[513], reciprocal[513];
} waio_cuda_softmax_tables;
/* params: of the input, of the result. `tables` in device memory, aligned to 4 bytes. `lost` as of
 * waio_cuda_reduce_q. */
cudaError_t waio_cuda_softmax_q(void *dst, const void *src, int64_t rows, int64_t width,
                                const waio_cuda_params params[2], waio_requant requant,
                                const waio_cuda_softmax_tables *tables, int *lost,
                                cudaStream_t stream);

/* ---- resize: resize.cu ---- */

typedef struct waio_cuda_resize {
    int64_t batch, height, width, channels; /* of the input; sides up to 2^20 */
    int64_t out[2];                         /* height and width of the result */
    bool bilinear, half_pixel, align_corners;
} waio_cuda_resize;
/* Nearest is exact; bilinear is off by at most 8 eps of the largest of the four cells. */
cudaError_t waio_cuda_resize_f32(float *dst, const float *src, const waio_cuda_resize *layer,
                                 const waio_cuda_finish *finish, cudaStream_t stream);
/* Of `requant` only matters whether it rounds once. */
cudaError_t waio_cuda_resize_q(void *dst, const void *src, const waio_cuda_resize *layer,
                               const waio_cuda_params *params, waio_requant requant,
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

/* Raised whenever the speed of a tile may have changed: measured choices are kept for a version. */
enum { WAIO_CUDA_KERNELS_VERSION = 1 };

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
