/* The inner loop of integer conv2d and dense: 32-bit sums of a row of output pixels for 16 or 32
 * output channels.
 *
 * A pixel's operand is a list of runs of neighbouring numbers ("segments", for instance a row of a
 * convolution's kernel); a step takes four bytes of it, which are 4 numbers of 8 bits or 2 of 16.
 * A weight block holds, for each step, 64 bytes: 16 output channels times those 4 bytes. Runs that
 * are no whole number of steps read up to 3 bytes beyond their end, where the weight is 0.
 *
 * Sums run modulo 2^32: they are exact if the complete sum fits, whatever its parts do. Products of
 * two 16-bit numbers are added in pairs within 32 bits first, which only -32768 * -32768 twice
 * would leave; callers keep weights within +-128 or +-255. */
#ifndef WAIO_BACKEND_CPU_INT_TILE_H
#define WAIO_BACKEND_CPU_INT_TILE_H

#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/isa.h"

enum {
    WAIO_INT_LANES = 16,     /* output channels of a block */
    WAIO_INT_STEP_BYTES = 4, /* of a pixel's operand in a step */
    WAIO_INT_BLOCK_STEP = 64 /* bytes of a weight block in a step */
};

typedef struct waio_tile {
    const uint8_t *x;         /* operand of the first pixel */
    ptrdiff_t x_pixel;        /* bytes from pixel to pixel */
    const ptrdiff_t *segment; /* where each run begins, in bytes from x */
    int segments;
    int64_t steps;       /* of each run */
    const uint8_t *w;    /* the first block; its steps, run after run */
    ptrdiff_t w_block;   /* bytes from block to block */
    const int32_t *init; /* per channel of the blocks: what sums begin with */
    int32_t *sum;        /* [pixel][2 * WAIO_INT_LANES]: overwritten */
    int64_t pixels;
    int blocks; /* 1 or 2 */
} waio_tile;

enum { WAIO_INT_SUM_ROW = 2 * WAIO_INT_LANES };

typedef void waio_tile_run(const waio_tile *tile);

/* 8 bits unsigned times 8 bits signed; NULL if `isa` has no such instruction. */
waio_tile_run *waio_tile_u8s8(waio_isa isa);
/* 16 bits signed times 16 bits signed; every isa has it. */
waio_tile_run *waio_tile_s16(waio_isa isa);

/* Depthwise, 16 bits: segment s is position s of the kernel, one number a channel; 16 channels lie
 * one behind the other in x and in w, which has 32 bytes a position. `steps` is 1. */
waio_tile_run waio_tile_depthwise;

#if defined(__x86_64__)
waio_tile_run waio_tile_s16_avx2, waio_tile_s16_vnni, waio_tile_u8s8_vnni;
#endif

#endif
