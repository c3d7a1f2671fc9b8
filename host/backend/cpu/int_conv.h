/* Integer conv2d and dense of the cpu backend. Rows of the image are brought into a strip of
 * scratch memory with their padding, as numbers that the inner loops (int_tile.h) take; each output
 * pixel is then gathered where it lies, without im2col. Types and what their sums can hold:
 *
 *   narrow  8x8 on VNNI: x + 128 as u8, padding z + 128; sum (x - z) w = sum (x + 128) w - (128 +
 * z) sum w. 8x8 elsewhere: x - z as s16, padding 0. Sums of 32 bits from end to end: taken where no
 * channel's sum |w| * largest |x - z| + |bias| leaves them, which is known when the kernel is made
 * (65,793 products of the largest size, less for a bias). wide    everything else: s16 numbers,
 * sums of 64 bits from parts of 32. 8x8: x - z; a part has up to WAIO_INT_PART_8 = 65,534 products
 * of at most 2^15 - 128. 16x8: parts of up to WAIO_INT_PART_16 = 510 products of at most 2^22.
 * 16x16: w = 256 h + l with l in [-128, 127] and h in [-128, 128], twice as many parts. Sums beyond
 * the accumulator that the type states are found and refused, as on the reference.
 *
 * Depthwise: narrow on VNNI see int_depthwise.h; else a run is one number for each of 16 channels;
 * s16 numbers; up to 510 positions of the kernel where sums are wide, more of them are left to the
 * reference.
 *
 * Weights of uint8 files have a zero point, so that |w - z_w| <= 255. Where s16 numbers are taken,
 * and where all w - z_w of a layer have 8 bits, that is what is packed; products are then at most
 * 255^2, and a part holds half as many. Otherwise, on VNNI, w stays as it is and z_w sum (x - z) is
 * taken off each pixel's sums: one block more, of ones, gives sum (x + 128). */
#ifndef WAIO_BACKEND_CPU_INT_CONV_H
#define WAIO_BACKEND_CPU_INT_CONV_H

#include "backend/backend.h"
#include "backend/cpu/int_requant.h"

enum {
    WAIO_INT_PART_8 = 65534, /* products of a 32-bit part of a wide sum; even */
    WAIO_INT_PART_16 = 510,
    WAIO_INT_CHUNK = 128, /* output pixels that are summed before they are requantized */
    WAIO_INT_SLACK = 128, /* bytes behind a strip that may be read */
};

typedef struct waio_int_conv waio_int_conv;
typedef struct waio_int_depthwise waio_int_depthwise;

/* WAIO_EUNSUPPORTED: the reference must run the node (see above). */
waio_status waio_int_conv_create(waio_int_conv **out, const waio_graph *graph,
                                 const waio_node *node, int64_t batch, waio_isa isa);
/* A float layer's kernel on codes (backend.h); its weights are packed from int8 codes. */
waio_status waio_int_conv_create_on_codes(waio_int_conv **out, const waio_graph *graph,
                                          const waio_node *node, int64_t batch, waio_isa isa);
void waio_int_conv_free(waio_int_conv *conv);
size_t waio_int_conv_scratch_bytes(const waio_int_conv *conv);
waio_status waio_int_conv_pack(const waio_int_conv *conv, void **packed, size_t *bytes,
                               const void *weight);
waio_status waio_int_conv_run(const waio_int_conv *conv, const waio_kernel_args *args);

/* ---- for the files int_*.c ---- */

/* A part of a wide sum: steps [step, step + steps) of `segments` runs from `segment` on. */
typedef struct waio_int_part {
    int segment, segments;
    int64_t step, steps;
} waio_int_part;

struct waio_int_conv {
    const waio_node *node;
    waio_type x_type, w_type, bias_type; /* bias_type F32: none */
    int32_t x_zero, w_zero;
    bool w_apart; /* w_zero is taken off the sums, not the weights */
    /* Images as the kernel sees them; dense layers and 1x1 convolutions over whole images are
     * `flat`: one row of pixels, of which the strip holds a piece. */
    bool flat;
    int64_t images, ih, iw, ic, oh, ow, oc;
    int64_t kh, kw;
    int stride[2], dilation[2], pad[2], groups;
    bool depthwise;           /* as many groups as channels in and out; `groups` is then 1 */
    int64_t depth, per_group; /* input and output channels of a group */
    int group_blocks;         /* of 16 output channels */

    bool on_codes; /* floats come and go; x_type is F32 */
    bool wide;
    int bytes, terms;    /* of a prepared number; weights of 16 bits have two terms */
    int segments;        /* runs of a pixel's operand */
    ptrdiff_t *segment;  /* where they begin */
    int64_t run, steps;  /* numbers and steps of a run */
    int64_t strip_width; /* pixels of a prepared row */
    int64_t row_bytes, strip_rows, in_rows; /* output rows of a strip, input rows they need */
    waio_int_part *part;
    int parts;
    waio_tile_run *tile;
    waio_int_requant requant;
    waio_int_depthwise *by_vectors; /* int_depthwise.h, or NULL */
    bool sum_64;                    /* the accumulator's type */
};

/* Bytes of one block's weights, and of one term of it. */
size_t waio_int_block_bytes(const waio_int_conv *conv);
size_t waio_int_term_bytes(const waio_int_conv *conv);
/* What the operands of block `block` of a group begin with, from the pixel on, in bytes. */
ptrdiff_t waio_int_block_x(const waio_int_conv *conv, int group, int block);
/* All blocks, padded output channels. */
int waio_int_blocks(const waio_int_conv *conv);
/* Bytes of the weights of all blocks, with the block of ones; the channels' offsets lie behind. */
size_t waio_int_all_bytes(const waio_int_conv *conv);

/* Up to WAIO_INT_CHUNK output pixels: `rows` rows of `row_pixels`, whose results lie one behind the
 * other from pixel `y_pixel` on. */
typedef struct waio_int_chunk {
    const uint8_t *x;
    int64_t rows, row_pixels, y_pixel;
} waio_int_chunk;

/* Scratch memory of a run. */
typedef struct waio_int_scratch {
    int32_t *init;    /* narrow: per padded channel */
    int64_t *init_64; /* wide */
    int32_t *sum;     /* [chunk][32] */
    int32_t *x_sum;   /* w_apart: the same, of x + 128, in 16 equal lanes */
    int64_t *sum_64;  /* wide: the same */
    uint8_t *strip;
} waio_int_scratch;

/* What a run is given, and where it notes a sum that does not fit. */
typedef struct waio_int_run {
    const waio_int_conv *conv;
    const waio_kernel_args *args;
    waio_int_scratch scratch;
    int64_t lost;
    bool nan; /* a float of the input was none */
} waio_int_run;

/* Kernels on codes (int_on_codes.c): the prepared codes of `count` floats, true if one was NaN; */
bool waio_int_codes_prepare(const waio_int_conv *conv, const waio_on_codes *on, uint8_t *to,
                            const float *x, int64_t count);
/* sums of a block, whose first channel is `channel`, to floats; */
void waio_int_codes_finish(const waio_int_conv *conv, const waio_kernel_args *args,
                           const waio_int_rows *rows, int64_t channel);
/* and NaN where an input of a result was NaN. */
void waio_int_codes_spread_nan(const waio_int_conv *conv, const waio_kernel_args *args);

/* Sums of a chunk for blocks [block, block + blocks) of `group`, over one part. */
void waio_int_sum_part(const waio_int_run *run, const waio_int_chunk *chunk, const waio_tile *tile);
/* A chunk for one or two blocks of a group with 64-bit sums, to the output. */
void waio_int_wide_chunk(waio_int_run *run, const waio_int_chunk *chunk, int group, int block,
                         int blocks);
/* Rows of the strip from input row `y` of image `n` on (padding where there is none). */
void waio_int_prepare_rows(waio_int_run *run, int64_t n, int64_t y, int64_t rows);
/* Pixels [first, first + count) of a flat image. */
void waio_int_prepare_flat(waio_int_run *run, int64_t first, int64_t count);

#endif
