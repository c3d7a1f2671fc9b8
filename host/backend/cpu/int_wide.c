/* 64-bit sums: parts of 32 bits are added up, checked against the accumulator that the node states,
 * and multiplied as kernels/qmath.h says. */
#include <string.h>

#include "backend/cpu/int_conv.h"
#include "util/simd.h"

/* sum += part * 2^shift for `count` numbers. */
WAIO_SIMD static void add_part(int64_t *sum, const int32_t *part, int64_t count, int shift)
{
    for (int64_t i = 0; i < count; i++)
        sum[i] += (int64_t)((uint64_t)part[i] << shift);
}

/* Adds each channel's init to the sums of a block; gives the lowest and the highest of them. */
WAIO_SIMD static void add_init(int64_t *sum, const int64_t *init, int64_t pixels, int channels,
                               int64_t range[2])
{
    int64_t lo = INT64_MAX, hi = INT64_MIN;

    for (int64_t p = 0; p < pixels; p++, sum += WAIO_INT_SUM_ROW)
        for (int c = 0; c < channels; c++) {
            int64_t s = sum[c] = (int64_t)((uint64_t)sum[c] + (uint64_t)init[c]);
            lo = s < lo ? s : lo;
            hi = s > hi ? s : hi;
        }
    range[0] = lo;
    range[1] = hi;
}

typedef struct multipliers {
    const waio_multiplier *m;
    const double *real;
} multipliers;

WAIO_SIMD static void multiply_real(int32_t *y, const int64_t *sum, multipliers by)
{
    for (int c = 0; c < WAIO_INT_LANES; c++)
        y[c] = waio_multiply_by_real(sum[c], by.real[c]);
}

WAIO_SIMD static void multiply_16(int32_t *y, const int64_t *sum, multipliers by)
{
    for (int c = 0; c < WAIO_INT_LANES; c++)
        y[c] = waio_multiply_by_quantized_64(sum[c], by.m[c]);
}

WAIO_SIMD static void narrow(int32_t *y, const int64_t *sum)
{
    for (int c = 0; c < WAIO_INT_LANES; c++)
        y[c] = (int32_t)sum[c];
}

/* Sums of 64 bits become 32-bit results without zero point, over their own memory's 32-bit twin. */
static void multiply(const waio_int_conv *c, int32_t *y, const int64_t *sum, int64_t pixels,
                     int block)
{
    multipliers by = {c->requant.multiplier + block * WAIO_INT_LANES,
                      c->requant.real + block * WAIO_INT_LANES};
    bool real = c->requant.rounding == WAIO_REQUANT_FLOAT;
    void (*run)(int32_t *, const int64_t *, multipliers) = real ? multiply_real : multiply_16;

    for (int64_t p = 0; p < pixels; p++, y += WAIO_INT_SUM_ROW, sum += WAIO_INT_SUM_ROW)
        run(y, sum, by);
}

static void store(const waio_int_requant *q, const waio_int_rows *rows)
{
    for (int64_t p = 0; p < rows->pixels; p++)
        for (int c = 0; c < rows->channels; c++) {
            int32_t code =
                waio_finish_code(rows->sum[p * WAIO_INT_SUM_ROW + c], q->zero_point, q->lo, q->hi);
            if (q->type == WAIO_S8)
                ((int8_t *)rows->y)[p * rows->y_pixel + c] = (int8_t)code;
            else
                ((int16_t *)rows->y)[p * rows->y_pixel + c] = (int16_t)code;
        }
}

/* The sums of one block, from the second on at `lane`, to the output. */
static void finish_block(waio_int_run *run, const waio_int_rows *rows, int lane)
{
    const waio_int_conv *c = run->conv;
    int64_t *sum = run->scratch.sum_64 + lane, range[2];
    int64_t least = c->sum_64 ? -(INT64_C(1) << 47) : INT32_MIN;
    int64_t most = c->sum_64 ? INT64_C(1) << 47 : INT32_MAX;
    waio_int_rows with = *rows;

    add_init(sum, run->scratch.init_64 + rows->block * WAIO_INT_LANES, rows->pixels, rows->channels,
             range);
    if (range[0] < least || range[1] > most) {
        run->lost = range[0] < least ? range[0] : range[1];
        return;
    }
    with.sum = run->scratch.sum + lane;
    if (c->sum_64) {
        multiply(c, run->scratch.sum + lane, sum, rows->pixels, rows->block);
        store(&c->requant, &with);
        return;
    }
    for (int64_t p = 0; p < rows->pixels; p++)
        narrow(run->scratch.sum + lane + p * WAIO_INT_SUM_ROW, sum + p * WAIO_INT_SUM_ROW);
    waio_int_requant_rows(&c->requant, &with);
}

/* All products of a chunk, part by part and term by term, to sum_64. */
static void add_parts(const waio_int_run *run, const waio_int_chunk *chunk, const uint8_t *x,
                      const uint8_t *w, int blocks)
{
    const waio_int_conv *c = run->conv;
    int64_t count = chunk->rows * chunk->row_pixels * WAIO_INT_SUM_ROW;
    static const int32_t zeros[WAIO_INT_SUM_ROW];
    ptrdiff_t offset[1];

    memset(run->scratch.sum_64, 0, (size_t)count * sizeof(int64_t));
    for (int term = 0; term < c->terms; term++)
        for (int i = 0; i < c->parts; i++) {
            const waio_int_part *part = &c->part[i];
            offset[0] = c->segment[part->segment] + part->step * WAIO_INT_STEP_BYTES;
            waio_tile tile = {.x = x,
                              .segment = part->segments == 1 ? offset : c->segment + part->segment,
                              .segments = part->segments,
                              .steps = part->steps,
                              .w = w + (size_t)term * waio_int_term_bytes(c) +
                                   (part->segment * c->steps + part->step) * WAIO_INT_BLOCK_STEP,
                              .w_block = (ptrdiff_t)waio_int_block_bytes(c),
                              .init = zeros,
                              .sum = run->scratch.sum,
                              .blocks = blocks};
            waio_int_sum_part(run, chunk, &tile);
            add_part(run->scratch.sum_64, run->scratch.sum, count, term * 8);
        }
}

void waio_int_wide_chunk(waio_int_run *run, const waio_int_chunk *chunk, int group, int block,
                         int blocks)
{
    const waio_int_conv *c = run->conv;
    int at = group * c->group_blocks + block;

    add_parts(run, chunk, chunk->x + waio_int_block_x(c, group, block),
              (const uint8_t *)run->args->input[1] + (size_t)at * waio_int_block_bytes(c), blocks);
    for (int b = 0; b < blocks; b++) {
        int64_t first = (block + b) * WAIO_INT_LANES, left = c->per_group - first;
        int64_t to = chunk->y_pixel * c->oc + group * c->per_group + first;
        waio_int_rows rows = {.pixels = chunk->rows * chunk->row_pixels,
                              .block = at + b,
                              .channels = (int)(left < WAIO_INT_LANES ? left : WAIO_INT_LANES),
                              .y = (char *)run->args->output +
                                   to * (c->requant.type == WAIO_S8 ? 1 : 2),
                              .y_pixel = c->oc};
        finish_block(run, &rows, b * WAIO_INT_LANES);
    }
}
