/* Depthwise conv2d of 8 bits with AVX-512 VNNI. A row of the output is a row of neighbouring
 * numbers, pixel by pixel, 64 to a vector whatever the number of channels is; a position of the
 * kernel reads it shifted by whole pixels. For that a prepared row (x + 128, padding z + 128) has
 * its pixels sorted by column modulo the stride. Four positions are interleaved by bytes, so that
 * vpdpbusd adds their products: vector `k` of four then has the channels 16 l + 4 k + d in lane 4 l
 * + d, and packing the results to bytes brings them back in order.
 *
 * Weights less their zero point may have 9 bits: at positions of the kernel where a channel's has,
 * the position comes twice, with the part that 8 bits hold and with the rest.
 *
 * Weights and factors repeat with the row: `patterns` vectors of 64 until a vector begins with
 * channel 0 again. Sums have 32 bits and must fit (as for a narrow sum in int_conv.h). */
#ifndef WAIO_BACKEND_CPU_INT_DEPTHWISE_H
#define WAIO_BACKEND_CPU_INT_DEPTHWISE_H

#include "backend/cpu/int_conv.h"

enum { WAIO_DW_BYTES = 64, WAIO_DW_TOGETHER = 4, WAIO_DW_MOST_PATTERNS = 64 };

struct waio_int_depthwise {
    int64_t channels;
    int patterns, quads;  /* vectors until they repeat; positions by fours */
    int taps;             /* positions, those that come twice counted so */
    int *position;        /* per tap: of the kernel; the second of its kind has the rest */
    ptrdiff_t *tap;       /* where each position of a quad begins, 4 * quads */
    int64_t phase_pixels; /* of a prepared row, per column modulo stride */
    int64_t row_bytes, strip_rows, in_rows;
    waio_int_requant requant; /* blocks: 4 * patterns, in the order of the vectors */
};

/* Whether the kernel fits here; then `out` is made. Otherwise `out` is NULL. */
waio_status waio_int_depthwise_create(waio_int_depthwise **out, const waio_int_conv *conv,
                                      const waio_value *weight, waio_isa isa);
void waio_int_depthwise_free(waio_int_depthwise *depthwise);
size_t waio_int_depthwise_scratch_bytes(const waio_int_depthwise *depthwise);
waio_status waio_int_depthwise_pack(const waio_int_conv *conv, void **packed, size_t *bytes,
                                    const int8_t *weight);
void waio_int_depthwise_run(const waio_int_conv *conv, const waio_kernel_args *args);

#if defined(__x86_64__)
/* Input rows [y, y + rows) of image `n` into the strip. */
void waio_int_depthwise_prepare(const waio_int_conv *conv, const int8_t *image, int64_t y,
                                int64_t rows, uint8_t *strip);
/* A row of `count` results from the strip's place `x`. */
typedef struct waio_int_depthwise_row {
    const uint8_t *x;
    const int8_t *w;
    const int32_t *init; /* 64 * patterns, in the order of the vectors */
    int8_t *y;
    int64_t count;
} waio_int_depthwise_row;
void waio_int_depthwise_vnni(const waio_int_depthwise *depthwise,
                             const waio_int_depthwise_row *row);
#endif

#endif
