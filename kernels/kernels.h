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

#include "kernels/qmath.h"

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

#ifdef __cplusplus
}
#endif
#endif
