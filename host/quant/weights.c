#include "quant/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/qparams.h"

static void quantize_block(float *out, float *scale, const float *weight, int64_t count, int bits,
                           const waio_scheme *scheme)
{
    float min = INFINITY, max = -INFINITY;

    for (int64_t i = 0; i < count; i++) {
        min = weight[i] < min ? weight[i] : min;
        max = weight[i] > max ? weight[i] : max;
    }
    if (scheme->weights == WAIO_SYMMETRIC) {
        waio_qparams p = waio_qparams_symmetric(min, max, bits);
        float inverse = 1.0f / p.scale, top = (float)p.hi;
        *scale = p.scale;
        for (int64_t i = 0; i < count; i++)
            out[i] = waio_fake_quantize_weight(weight[i], p.scale, inverse, top, scheme->rounding);
        return;
    }
    waio_qparams p = waio_qparams_asymmetric(min, max, bits);
    waio_fq fq = waio_qparams_fq(&p);
    *scale = p.scale;
    for (int64_t i = 0; i < count; i++)
        out[i] = waio_fake_quantize(weight[i], fq, scheme->rounding);
}

waio_status waio_quantize_weights(float *out, waio_weight_scales *scales, const float *weight,
                                  int64_t count, int64_t channels, int bits,
                                  const waio_scheme *scheme, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    int64_t blocks = scheme->per_channel ? channels : 1, block = count / blocks;

    *scales = (waio_weight_scales){0};
    if (bits == WAIO_F16) {
        for (int64_t i = 0; i < count; i++)
            out[i] = waio_round_to_half(weight[i]);
        return WAIO_OK;
    }
    WAIO_NEW(st, scales->scale, arena, (size_t)blocks);
    scales->count = (int)blocks;
    for (int64_t b = 0; b < blocks; b++)
        quantize_block(out + b * block, &scales->scale[b], weight + b * block, block, bits, scheme);
done:
    return st;
}

void waio_weight_codes(int16_t *codes, const float *values, const waio_weight_scales *scales,
                       int64_t count)
{
    int64_t block = count / scales->count;
    for (int64_t i = 0; i < count; i++)
        codes[i] = (int16_t)lround((double)values[i] / (double)scales->scale[i / block]);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

waio_status waio_count_levels(int64_t *levels, const float *data, int64_t count, int64_t blocks,
                              int64_t limit)
{
    int64_t block = count / blocks;
    float *sorted = malloc((size_t)(block ? block : 1) * sizeof *sorted);

    if (!sorted)
        return waio_error(WAIO_ENOMEM, "out of memory");
    *levels = 0;
    for (int64_t b = 0; b < blocks; b++) {
        int64_t found = block > 0;
        memcpy(sorted, data + b * block, (size_t)block * sizeof *sorted);
        qsort(sorted, (size_t)block, sizeof *sorted, by_value);
        for (int64_t i = 1; i < block && found <= limit; i++)
            found += sorted[i] != sorted[i - 1];
        *levels = found > *levels ? found : *levels;
    }
    free(sorted);
    return WAIO_OK;
}
