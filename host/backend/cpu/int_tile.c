/* The choice of an inner loop, and the portable one. */
#include "backend/cpu/int_tile.h"

#include <string.h>

#include "util/simd.h"

/* Adds a step's products for the 16 channels of a block. */
static inline void add_step(int32_t *sum, const uint8_t *x, const uint8_t *w)
{
    int16_t a[2], b[2 * WAIO_INT_LANES];

    memcpy(a, x, sizeof a);
    memcpy(b, w, sizeof b);
    for (int c = 0; c < WAIO_INT_LANES; c++)
        sum[c] = (int32_t)((uint32_t)sum[c] + (uint32_t)(a[0] * b[2 * c]) +
                           (uint32_t)(a[1] * b[2 * c + 1]));
}

static void pixel_s16(const waio_tile *t, int64_t pixel, int block)
{
    int32_t *sum = t->sum + pixel * WAIO_INT_SUM_ROW + block * WAIO_INT_LANES;
    const uint8_t *w = t->w + block * t->w_block;

    memcpy(sum, t->init + block * WAIO_INT_LANES, WAIO_INT_LANES * sizeof *sum);
    for (int s = 0; s < t->segments; s++) {
        const uint8_t *x = t->x + pixel * t->x_pixel + t->segment[s];
        for (int64_t k = 0; k < t->steps; k++, w += WAIO_INT_BLOCK_STEP)
            add_step(sum, x + k * WAIO_INT_STEP_BYTES, w);
    }
}

static void tile_s16_portable(const waio_tile *t)
{
    for (int64_t p = 0; p < t->pixels; p++)
        for (int b = 0; b < t->blocks; b++)
            pixel_s16(t, p, b);
}

WAIO_SIMD static void depthwise_pixel(int32_t *restrict to, const uint8_t *x,
                                      const ptrdiff_t *segment, int segments, const uint8_t *w,
                                      const int32_t *init)
{
    int32_t sum[WAIO_INT_LANES];

    memcpy(sum, init, sizeof sum);
    for (int s = 0; s < segments; s++) {
        int16_t a[WAIO_INT_LANES], b[WAIO_INT_LANES];
        memcpy(a, x + segment[s], sizeof a);
        memcpy(b, w + (size_t)s * sizeof b, sizeof b);
        for (int c = 0; c < WAIO_INT_LANES; c++)
            sum[c] = (int32_t)((uint32_t)sum[c] + (uint32_t)(a[c] * b[c]));
    }
    memcpy(to, sum, sizeof sum);
}

void waio_tile_depthwise(const waio_tile *t)
{
    for (int64_t p = 0; p < t->pixels; p++)
        for (int b = 0; b < t->blocks; b++)
            depthwise_pixel(t->sum + p * WAIO_INT_SUM_ROW + b * WAIO_INT_LANES,
                            t->x + p * t->x_pixel + b * WAIO_INT_LANES * 2, t->segment, t->segments,
                            t->w + b * t->w_block, t->init + b * WAIO_INT_LANES);
}

waio_tile_run *waio_tile_u8s8(waio_isa isa)
{
#if defined(__x86_64__)
    if (isa == WAIO_ISA_VNNI)
        return waio_tile_u8s8_vnni;
#endif
    (void)isa;
    return NULL;
}

waio_tile_run *waio_tile_s16(waio_isa isa)
{
#if defined(__x86_64__)
    if (isa == WAIO_ISA_VNNI)
        return waio_tile_s16_vnni;
    if (isa == WAIO_ISA_AVX2)
        return waio_tile_s16_avx2;
#endif
    (void)isa;
    return tile_s16_portable;
}
