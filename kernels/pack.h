/* Weights and per-channel constants as the CUDA kernels read them: one block of memory per layer,
 * made on the host, to be copied to the device as it is. Plain C, no CUDA.
 *
 * A layer is a convolution; a matrix product D[M,N] = A[M,K] B[N,K]^T is one of a 1 x M image of K
 * channels with N kernels of 1 x 1 (waio_conv_of_gemm).
 *
 * What the kernels multiply is x * w over all cells of the window: cells of padding hold the zero
 * point z as well, so that sum((x - z) w) + bias = sum(x w) + (bias - z sum(w)), and the second
 * term is a constant per channel, borders included. */
#ifndef WAIO_KERNELS_PACK_H
#define WAIO_KERNELS_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/qmath.h"

#ifdef __cplusplus
extern "C" {
#endif

/* NHWC images [images][ih][iw][ic] to [images][oh][ow][oc], kernels OHWI [oc][kh][kw][ic / groups].
 * Pairs are of y and x. pad: rows and columns in front; behind the image there are as many as oh
 * and ow ask for. All sizes, strides and dilations >= 1, pads >= 0; groups divides ic and oc. */
typedef struct waio_conv_shape {
    int32_t images, ih, iw, ic;
    int32_t oh, ow, oc;
    int32_t kh, kw;
    int32_t stride[2], dilation[2], pad[2];
    int32_t groups;
} waio_conv_shape;

waio_conv_shape waio_conv_of_gemm(int32_t m, int32_t n, int32_t k);

/* Types of the two operands. 16-bit activations are symmetric: their zero point is 0. */
typedef enum waio_pack_types {
    WAIO_PACK_S8_S8, /* activations, weights */
    WAIO_PACK_S8_U8, /* unsigned ones: matrix products only */
    WAIO_PACK_U8_S8,
    WAIO_PACK_U8_U8,
    WAIO_PACK_S16_S8, /* "16x8" */
    WAIO_PACK_S16_S16 /* "16x16" */
} waio_pack_types;

/* Where everything lies in the block. Offsets and sizes in bytes; each part begins at a multiple of
 * 256. Channel c of group g is number g * padded + c of the arrays; what pads is 0. */
typedef struct waio_pack {
    waio_conv_shape shape;
    waio_pack_types types;
    bool depthwise;       /* one kernel per channel: ic == oc == groups */
    bool flat;            /* a plain matrix product: pixels are rows, one group */
    int32_t per_group;    /* output channels of a group */
    int32_t padded;       /* the same, padded to 8 */
    int32_t depth_chunks; /* 16-byte chunks of activations of one cell of the window */
    int32_t k_chunks;     /* of all cells */
    int64_t row_bytes;    /* of one output channel's packed weights, a multiple of 16 */
    size_t weights, line, bias_32, bias_64, multiplier, real, scale, bias_f32;
    size_t bytes; /* of the whole block */
    /* Set by waio_pack_fill: some sum may leave 32 bits. Never for weights and biases that networks
     * of 8 bits have; with it kernels check every sum. */
    bool may_overflow;
} waio_pack;

/* The layout of a layer. False: the sizes cannot be, or are too large: output pixels and channels,
 * bytes of an image row by row, and products per sum must stay below 2^31. */
bool waio_pack_layout(waio_pack *out, const waio_conv_shape *shape, waio_pack_types types);

/* Smallest distance from pixel to pixel, in elements, that the kernels accept of the activations: a
 * multiple of 16 bytes. Elements between ic and the distance may hold anything. */
int64_t waio_pack_x_pitch(const waio_pack *pack);

/* The byte of a pixel at which the chunks of group `group` begin: aligned, so that its first
 * channel may lie a little behind. */
int32_t waio_pack_group_start(const waio_pack *pack, int32_t group);

/* What a layer's block is made of. All pointers are to host memory and stay the caller's. */
typedef struct waio_pack_source {
    const void *weight;     /* OHWI codes of one or two bytes */
    const int32_t *bias_32; /* [oc], or NULL; in units of the products */
    const int64_t *bias_64; /* the same; not both */
    int32_t x_zero;         /* zero point of the activations */
    /* [oc] each; NULL if the output has no use for them: */
    const waio_multiplier *multiplier; /* codes, by integer rules */
    const double *real;                /* codes, by WAIO_REQUANT_FLOAT */
    const float *scale, *bias_f32;     /* floats */
} waio_pack_source;

/* Fills `block` (pack->bytes of it) and sets pack->may_overflow. */
void waio_pack_fill(waio_pack *pack, void *block, const waio_pack_source *source);

/* ---- stems: convolutions of stride 2 over few channels ----
 * Their chunks of 16 bytes would be mostly padding. Blocks of 2x2 pixels become one pixel of 4 ic
 * channels (y, x, channel), and the layer one of stride 1 with a smaller window: 7x7 over 3
 * channels is 4x4 over 12. Equal in every bit; what a block has past the image is the zero point.
 */

/* The layer over blocks, if it is one of these: stride 2, dilation 1, one group, and no more bytes
 * in a block than pad a pixel (4 channels of 8 bits, 2 of 16). */
bool waio_pack_stem(waio_conv_shape *out, const waio_conv_shape *shape, waio_pack_types types);

/* Its weights: OHWI codes for `out` as above from those for `shape`; 1 or 2 bytes each by `types`.
 */
void waio_pack_stem_weights(void *to, const void *from, const waio_conv_shape *shape,
                            waio_pack_types types);

#ifdef __cplusplus
}
#endif
#endif
