#include "quant/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/weight_range.h"
#include "tensor/qparams.h"
#include "util/parallel.h"

/* ---- one tensor: blocks of one scale each ---- */

typedef struct tensor {
    float *out;
    const float *weight;
    int64_t block; /* weights of one scale */
    int bits;
    const waio_scheme *scheme;
    const float *least;     /* per block: the smallest scale; NULL: any */
    float *scale;           /* per block */
    waio_squant_grid *grid; /* per block; NULL: rounding to nearest */
} tensor;

static float widened(const tensor *t, int64_t b, float scale)
{
    return t->least ? fmaxf(scale, t->least[b]) : scale;
}

static void round_nearest(const tensor *t, int64_t b, float min, float max)
{
    float *out = t->out + b * t->block;
    const float *weight = t->weight + b * t->block;
    int rounding = t->scheme->rounding;

    if (t->scheme->weights == WAIO_SYMMETRIC) {
        waio_qparams p = waio_qparams_symmetric(min, max, t->bits);
        p.scale = widened(t, b, p.scale);
        float inverse = 1.0f / p.scale, top = (float)p.hi;
        t->scale[b] = p.scale;
        for (int64_t i = 0; i < t->block; i++)
            out[i] = waio_fake_quantize_weight(weight[i], p.scale, inverse, top, rounding);
        return;
    }
    waio_qparams p = waio_qparams_asymmetric(min, max, t->bits);
    p.scale = widened(t, b, p.scale);
    waio_fq fq = waio_qparams_fq(&p);
    t->scale[b] = p.scale;
    for (int64_t i = 0; i < t->block; i++)
        out[i] = waio_fake_quantize(weight[i], fq, rounding);
}

/* The range of a block, and its grid (SQuant) or its values. */
static waio_status do_block(void *payload, int64_t b)
{
    waio_status st = WAIO_OK;
    const tensor *t = payload;
    float min = 0, max = 0;

    WAIO_TRY(st,
             waio_weight_range(&min, &max, t->weight + b * t->block, t->block, t->bits, t->scheme));
    if (!t->grid) {
        round_nearest(t, b, min, max);
        goto done;
    }
    t->grid[b] = waio_squant_grid_of(min, max, t->bits, t->scheme->weights == WAIO_SYMMETRIC);
    if (t->grid[b].scale > 0) {
        t->grid[b].scale = widened(t, b, t->grid[b].scale);
        t->grid[b].inverse = 1.0f / t->grid[b].scale;
    }
    t->scale[b] = t->grid[b].scale > 0 ? t->grid[b].scale : 1.0f / t->grid[b].inverse;
done:
    return st;
}

static waio_status quantize_blocks(tensor *t, waio_weight_scales *scales, int64_t count,
                                   int64_t channels, int threads, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    int64_t blocks = t->scheme->per_channel ? channels : 1;

    *scales = (waio_weight_scales){0};
    if (t->bits == WAIO_F16) {
        for (int64_t i = 0; i < count; i++)
            t->out[i] = waio_round_to_half(t->weight[i]);
        return WAIO_OK;
    }
    WAIO_NEW(st, scales->scale, arena, (size_t)blocks);
    scales->count = (int)blocks;
    t->scale = scales->scale;
    t->block = count / blocks;
    WAIO_TRY(st, waio_parallel_for(threads, blocks, do_block, t));
done:
    return st;
}

waio_status waio_quantize_weights(float *out, waio_weight_scales *scales, const float *weight,
                                  int64_t count, int64_t channels, int bits,
                                  const waio_scheme *scheme, waio_arena *arena)
{
    tensor t = {.out = out, .weight = weight, .bits = bits, .scheme = scheme};

    return quantize_blocks(&t, scales, count, channels, 1, arena);
}

/* ---- SQuant ---- */

static waio_squant_stages stages_of(waio_weight_rounding rounding)
{
    return (waio_squant_stages){
        .kernel = rounding == WAIO_WEIGHTS_SQUANT || rounding == WAIO_WEIGHTS_SQUANT_K,
        .channel = rounding == WAIO_WEIGHTS_SQUANT || rounding == WAIO_WEIGHTS_SQUANT_C};
}

static waio_status round_squant(float *code, const float *weight, const waio_squant_shape *shape,
                                const waio_squant_grid *grid, int64_t grid_count,
                                waio_squant_stages stages, const waio_rounder *rounder)
{
    waio_status st = rounder->device
                         ? rounder->device(code, weight, shape, grid, grid_count, stages)
                         : WAIO_EUNSUPPORTED;

    if (st != WAIO_EUNSUPPORTED && st != WAIO_ENOMEM)
        return st;
    return waio_squant_round(code, weight, shape, grid, grid_count, stages, rounder->threads);
}

waio_status waio_quantize_layer(float *out, waio_weight_scales *scales, const float *weight,
                                const waio_squant_shape *shape, int bits, const waio_scheme *scheme,
                                const float *least, const waio_rounder *rounder, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    int64_t count = shape->channels * shape->positions * shape->inputs;
    tensor t = {.out = out, .weight = weight, .bits = bits, .scheme = scheme, .least = least};

    if (scheme->weight_rounding != WAIO_WEIGHTS_NEAREST && bits != WAIO_F16)
        WAIO_NEW(st, t.grid, arena, (size_t)shape->channels);
    WAIO_TRY(st, quantize_blocks(&t, scales, count, shape->channels, rounder->threads, arena));
    if (!t.grid)
        goto done;
    WAIO_TRY(st, round_squant(out, weight, shape, t.grid, scales->count,
                              stages_of(scheme->weight_rounding), rounder));
    for (int64_t i = 0; i < count; i++)
        out[i] = waio_squant_value(out[i], t.grid[i / t.block]);
done:
    return st;
}

waio_squant_shape waio_layer_shape(const waio_shape *weight)
{
    waio_squant_shape shape = {weight->dim[0], 1, weight->dim[weight->rank - 1]};

    for (int i = 1; i < weight->rank - 1; i++)
        shape.positions *= weight->dim[i];
    return shape;
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
