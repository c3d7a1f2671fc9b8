/* Weights in the order in which the inner loops read them: [group][block][term][run][step][channel
 * of 16][4 bytes], zeros where there is no channel or number; behind them what a channel's sum of
 * weights takes from its sum of products, per padded channel. Where the zero point of the weights
 * is not taken off them, a block of ones comes in between. */
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

size_t waio_int_all_bytes(const waio_int_conv *c)
{
    return ((size_t)waio_int_blocks(c) + (c->w_apart ? 1 : 0)) * waio_int_block_bytes(c);
}

/* Weight `i` or its term: w = 256 * term 1 + term 0, term 0 in [-128, 127]. */
static int32_t weight_at(const waio_int_conv *c, const void *weight, int64_t i, int term)
{
    if (c->w_type == WAIO_S8)
        return ((const int8_t *)weight)[i] - (c->w_apart ? 0 : c->w_zero);
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

/* Ones in every channel, zeros behind the runs. */
static void pack_ones(const waio_int_conv *c, uint8_t *to)
{
    for (int s = 0; s < c->segments; s++)
        for (int64_t k = 0; k < c->run; k++)
            for (int lane = 0; lane < WAIO_INT_LANES; lane++)
                to[(s * c->steps + k / 4) * WAIO_INT_BLOCK_STEP + lane * 4 + k % 4] = 1;
}

waio_status waio_int_conv_pack(const waio_int_conv *c, void **packed, size_t *bytes,
                               const void *weight)
{
    size_t blocks = (size_t)waio_int_blocks(c), block = waio_int_block_bytes(c);
    uint32_t offset = c->bytes == 1 ? (uint32_t)(c->on_codes ? 1 : 128 + c->x_zero) : 0;
    uint32_t zeros = c->w_apart ? (uint32_t)(c->segments * c->run) * (uint32_t)c->w_zero : 0;

    if (c->by_vectors)
        return waio_int_depthwise_pack(c, packed, bytes, weight);
    *bytes = waio_int_all_bytes(c) + blocks * WAIO_INT_LANES * sizeof(int32_t);
    *packed = waio_aligned_calloc(*bytes);
    if (!*packed)
        return WAIO_ENOMEM;
    int32_t *taken = (int32_t *)((char *)*packed + waio_int_all_bytes(c));
    if (c->w_apart)
        pack_ones(c, (uint8_t *)*packed + blocks * block);
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
                    (int32_t)(offset * (zeros - pack_channel(c, to, (int)lane, weight, o, term)));
        }
    }
    return WAIO_OK;
}
