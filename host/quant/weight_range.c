#include "quant/weight_range.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/qmath.h"
#include "quant/squant.h"
#include "tensor/qparams.h"
#include "util/simd.h"

enum { MOST_TURNS = 8 };

typedef struct block {
    const float *weight;
    int64_t count;
    int bits;
    const waio_scheme *scheme;
} block;

/* Codes of x = w * inverse - offset, limited to [lo, hi], with values (q + offset) * step. */
typedef struct line {
    float inverse, offset, lo, hi, step;
} line;

static line line_of(const block *b, float min, float max)
{
    if (b->scheme->weight_rounding != WAIO_WEIGHTS_NEAREST) {
        waio_squant_grid g =
            waio_squant_grid_of(min, max, b->bits, b->scheme->weights == WAIO_SYMMETRIC);
        return (line){g.inverse, g.offset, g.lo, g.hi, 1.0f / g.inverse};
    }
    waio_qparams p = b->scheme->weights == WAIO_SYMMETRIC
                         ? waio_qparams_symmetric(min, max, b->bits)
                         : waio_qparams_asymmetric(min, max, b->bits);
    return (line){1.0f / p.scale, (float)-p.zero_point, (float)p.lo, (float)p.hi, p.scale};
}

/* Sum of squared errors, in a fixed order. */
WAIO_SIMD static double squared_error(const float *weight, int64_t count, line g)
{
    enum { LANES = 16, PART = 4096 };
    double whole = 0;

    for (int64_t first = 0; first < count; first += PART) {
        int64_t end = first + PART < count ? first + PART : count, i = first;
        float lane[LANES] = {0}, sum = 0;
        for (; i + LANES <= end; i += LANES)
            for (int k = 0; k < LANES; k++) {
                float q = waio_round_half_even(
                    waio_clampf(weight[i + k] * g.inverse - g.offset, g.lo, g.hi));
                float e = (q + g.offset) * g.step - weight[i + k];
                lane[k] += e * e;
            }
        for (; i < end; i++) {
            float q =
                waio_round_half_even(waio_clampf(weight[i] * g.inverse - g.offset, g.lo, g.hi));
            float e = (q + g.offset) * g.step - weight[i];
            sum += e * e;
        }
        for (int k = 0; k < LANES; k++)
            sum += lane[k];
        whole += (double)sum;
    }
    return whole;
}

typedef struct search {
    double error;
    float min, max;
} search;

static void try_range(search *best, const block *b, float min, float max)
{
    double error = squared_error(b->weight, b->count, line_of(b, min, max));

    if (error < best->error)
        *best = (search){error, min, max};
}

static void least_error(const block *b, float *min, float *max)
{
    search best = {INFINITY, *min, *max};
    bool symmetric = b->scheme->weights == WAIO_SYMMETRIC;
    float reach = fmaxf(fabsf(*min), fabsf(*max));

    for (int k = 1; k <= 100; k++) {
        float part = (float)k / 100;
        try_range(&best, b, symmetric ? -reach * part : *min * part,
                  symmetric ? reach * part : *max * part);
    }
    for (int turn = 0, idle = 0; turn < MOST_TURNS && idle < 2 && !symmetric; turn++) {
        search fixed = best;
        for (int k = 1; k <= 100; k++) {
            float part = (float)k / 100;
            try_range(&best, b, turn % 2 == 0 ? *min * part : fixed.min,
                      turn % 2 == 0 ? fixed.max : *max * part);
        }
        idle = best.min == fixed.min && best.max == fixed.max ? idle + 1 : 0;
    }
    *min = best.min;
    *max = best.max;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* Between the two sorted numbers around `part` of the way, in a straight line. */
static float quantile(const float *sorted, int64_t count, double part)
{
    double at = part * (double)(count - 1);
    int64_t i = (int64_t)floor(at);
    int64_t next = i + 1 < count ? i + 1 : i;

    return (float)((double)sorted[i] +
                   (at - (double)i) * ((double)sorted[next] - (double)sorted[i]));
}

static waio_status percentiles(const block *b, double part, float *min, float *max)
{
    float *sorted = malloc((size_t)b->count * sizeof *sorted);

    if (!sorted)
        return waio_error(WAIO_ENOMEM, "out of memory");
    memcpy(sorted, b->weight, (size_t)b->count * sizeof *sorted);
    qsort(sorted, (size_t)b->count, sizeof *sorted, by_value);
    *min = quantile(sorted, b->count, 1 - part);
    *max = quantile(sorted, b->count, part);
    free(sorted);
    return WAIO_OK;
}

waio_status waio_weight_range(float *min, float *max, const float *weight, int64_t count, int bits,
                              const waio_scheme *scheme)
{
    block b = {weight, count, bits, scheme};

    *min = INFINITY;
    *max = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        *min = weight[i] < *min ? weight[i] : *min;
        *max = weight[i] > *max ? weight[i] : *max;
    }
    switch (scheme->weight_range) {
    case WAIO_RANGE_MSE:
        least_error(&b, min, max);
        return WAIO_OK;
    case WAIO_RANGE_P99:
        return percentiles(&b, 0.99, min, max);
    case WAIO_RANGE_P99_9:
        return percentiles(&b, 0.999, min, max);
    case WAIO_RANGE_P99_99:
        return percentiles(&b, 0.9999, min, max);
    default:
        return WAIO_OK;
    }
}
