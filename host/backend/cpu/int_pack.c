/* Weights in the order in which the inner loops read them: [group][block][term][run][step][channel
 * of 16][4 bytes], zeros where there is no channel or number; behind them what a channel's sum of
 * weights takes from its sum of products, per padded channel. */
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/int_depthwise.h"

size_t waio_int_term_bytes(const waio_int_conv *c)
{
    return (size_t)(c->segments * c->steps) *
           (c->depthwise ? WAIO_INT_LANES * sizeof(int16_t) : WAIO_INT_BLOCK_STEP);
}

size_t waio_int_block_bytes(const waio_int_conv *c)
{
    return waio_int_term_bytes(c) * (size_t)c->terms;
}

/* Weight `i` or its term: w = 256 * term 1 + term 0, term 0 in [-128, 127]. */
static int32_t weight_at(const waio_int_conv *c, const void *weight, int64_t i, int term)
{
    if (c->w_type == WAIO_S8)
        return ((const int8_t *)weight)[i];
    int32_t w = ((const int16_t *)weight)[i], low = ((w + 128) & 255) - 128;
    return term == 0 ? low : (w - low) / 256;
}

static void put(const waio_int_conv *c, uint8_t *to, int64_t at, int32_t w)
{
    if (c->bytes == 1)
        ((int8_t *)to)[at] = (int8_t)w;
    else
        ((int16_t *)(void *)to)[at] = (int16_t)w;
}

/* A depthwise kernel's block: [position][channel of 16]. */
static void pack_depthwise(const waio_int_conv *c, uint8_t *to, int lane, const void *weight,
                           int64_t channel, int term)
{
    for (int s = 0; s < c->segments; s++)
        put(c, to, (int64_t)s * WAIO_INT_LANES + lane,
            weight_at(c, weight, channel * c->segments + s, term));
}

/* One output channel's weights for one term; `to` is the block's memory. Gives their sum. */
static uint32_t pack_channel(const waio_int_conv *c, uint8_t *to, int lane, const void *weight,
                             int64_t channel, int term)
{
    int64_t per_step = WAIO_INT_STEP_BYTES / c->bytes, at = channel * c->segments * c->run;
    uint32_t sum = 0;

    for (int s = 0; s < c->segments; s++)
        for (int64_t k = 0; k < c->run; k++, at++) {
            int64_t step = s * c->steps + k / per_step;
            int32_t w = weight_at(c, weight, at, term);
            put(c, to + step * WAIO_INT_BLOCK_STEP, lane * per_step + k % per_step, w);
            sum += (uint32_t)w;
        }
    return sum;
}

waio_status waio_int_conv_pack(const waio_int_conv *c, void **packed, size_t *bytes,
                               const void *weight)
{
    size_t blocks = (size_t)waio_int_blocks(c), block = waio_int_block_bytes(c);
    uint32_t offset = c->bytes == 1 ? (uint32_t)(c->on_codes ? 1 : 128 + c->x_zero) : 0;

    if (c->by_vectors)
        return waio_int_depthwise_pack(c, packed, bytes, weight);
    *bytes = blocks * (block + WAIO_INT_LANES * sizeof(int32_t));
    *packed = waio_aligned_calloc(*bytes);
    if (!*packed)
        return WAIO_ENOMEM;
    int32_t *taken = (int32_t *)((char *)*packed + blocks * block);
    for (int64_t o = 0; o < c->oc; o++) {
        int64_t lane = o % c->per_group;
        int64_t at = o / c->per_group * c->group_blocks + lane / WAIO_INT_LANES;
        lane %= WAIO_INT_LANES;
        for (int term = 0; term < c->terms; term++) {
            uint8_t *to =
                (uint8_t *)*packed + (size_t)at * block + (size_t)term * waio_int_term_bytes(c);
            if (c->depthwise)
                pack_depthwise(c, to, (int)lane, weight, o, term);
            else
                taken[at * WAIO_INT_LANES + lane] =
                    (int32_t)(0u - offset * pack_channel(c, to, (int)lane, weight, o, term));
        }
    }
    return WAIO_OK;
}
