#include "quant/histogram.h"

#include <math.h>

#include "tensor/qparams.h"

enum { ALL = 2 * WAIO_BINS, MOST_TURNS = 8 };

void waio_histogram_observe(waio_histogram *h, const float *data, int64_t count)
{
    float scale = h->reach > 0 ? WAIO_BINS / h->reach : 0;

    for (int64_t i = 0; i < count; i++) {
        float at = floorf(data[i] * scale) + WAIO_BINS;
        if (!(at == at))
            continue;
        h->count[at < 0 ? 0 : at >= ALL ? ALL - 1 : (int)at]++;
    }
}

void waio_histogram_merge(waio_histogram *h, const waio_histogram *other)
{
    for (int i = 0; i < ALL; i++)
        h->count[i] += other->count[i];
}

static float middle(const waio_histogram *h, int bin)
{
    return ((float)(bin - WAIO_BINS) + 0.5f) * (h->reach / WAIO_BINS);
}

/* ---- least squared error ---- */

typedef struct search {
    float x[ALL];
    double weight[ALL]; /* of the bins that hold something */
    int bins, bits;
    bool symmetric;
    double error;
    float min, max; /* the best */
} search;

static void try_range(search *s, float min, float max)
{
    waio_qparams p = s->symmetric ? waio_qparams_symmetric(min, max, s->bits)
                                  : waio_qparams_asymmetric(min, max, s->bits);
    waio_fq fq = waio_qparams_fq(&p);
    double error = 0;

    for (int i = 0; i < s->bins; i++) {
        double e = (double)(waio_fake_quantize(s->x[i], fq, WAIO_ROUND_HALF_AWAY) - s->x[i]);
        error += s->weight[i] * e * e;
    }
    if (error < s->error) {
        s->error = error;
        s->min = min;
        s->max = max;
    }
}

static void least_error(const waio_histogram *h, int bits, bool symmetric, float *min, float *max)
{
    search s = {.bits = bits, .symmetric = symmetric, .error = INFINITY, .min = *min, .max = *max};

    for (int i = 0; i < ALL; i++)
        if (h->count[i]) {
            s.x[s.bins] = middle(h, i);
            s.weight[s.bins++] = (double)h->count[i];
        }
    for (int k = 1; k <= 100; k++)
        try_range(&s, *min * (float)k / 100, *max * (float)k / 100);
    for (int turn = 0, idle = 0; turn < MOST_TURNS && idle < 2 && !symmetric; turn++) {
        float fixed_min = s.min, fixed_max = s.max;
        for (int k = 1; k <= 100; k++)
            try_range(&s, turn % 2 == 0 ? *min * (float)k / 100 : fixed_min,
                      turn % 2 == 0 ? fixed_max : *max * (float)k / 100);
        idle = s.min == fixed_min && s.max == fixed_max ? idle + 1 : 0;
    }
    *min = s.min;
    *max = s.max;
}

/* ---- percentiles ---- */

/* The number that `part` of all lie below, in a straight line through a bin. */
static float quantile(const waio_histogram *h, double part)
{
    double whole = 0, below = 0;

    for (int i = 0; i < ALL; i++)
        whole += (double)h->count[i];
    for (int i = 0; i < ALL; i++) {
        double here = (double)h->count[i];
        if (here > 0 && below + here >= part * whole) {
            double inside = (part * whole - below) / here;
            return ((float)(i - WAIO_BINS) + (float)inside) * (h->reach / WAIO_BINS);
        }
        below += here;
    }
    return h->reach;
}

static void percentiles(const waio_histogram *h, double part, float *min, float *max)
{
    *min = fmaxf(*min, quantile(h, 1 - part));
    *max = fminf(*max, quantile(h, part));
}

/* ---- divergence ---- */

/* Of the first `bins` of `p`, those behind them added to the last, from the same in `levels`
 * levels. Infinite where the levels have nothing of what p has. */
static double divergence(const double *p, int bins, int levels, double tail, double whole)
{
    double inside = whole - tail, sum = 0;

    for (int level = 0; level < levels; level++) {
        int first = (int)((int64_t)level * bins / levels);
        int end = (int)((int64_t)(level + 1) * bins / levels), used = 0;
        double mass = 0;
        for (int i = first; i < end; i++) {
            mass += p[i];
            used += p[i] > 0;
        }
        for (int i = first; i < end; i++) {
            double here = (p[i] + (i == bins - 1 ? tail : 0)) / whole;
            if (here <= 0)
                continue;
            if (p[i] <= 0)
                return INFINITY;
            sum += here * log(here / (mass / used / inside));
        }
    }
    return sum;
}

static void least_divergence(const waio_histogram *h, int bits, float *min, float *max)
{
    double side[WAIO_BINS], whole = 0, best = INFINITY, tail = 0;
    int levels = *min < 0 ? 1 << (bits - 1) : 1 << bits, best_bins = WAIO_BINS;

    for (int i = 0; i < WAIO_BINS; i++) {
        side[i] = (double)h->count[WAIO_BINS + i] + (double)h->count[WAIO_BINS - 1 - i];
        whole += side[i];
    }
    side[0] = side[1]; /* zeros, of ReLU, say nothing about where to cut */
    whole = 0;
    for (int i = 0; i < WAIO_BINS; i++)
        whole += side[i];
    if (!(whole > 0))
        return;
    for (int bins = WAIO_BINS; bins >= levels; bins--) {
        double d = tail < whole ? divergence(side, bins, levels, tail, whole) : INFINITY;
        if (d <= best) {
            best = d;
            best_bins = bins;
        }
        tail += side[bins - 1];
    }
    float reach = (float)best_bins * (h->reach / WAIO_BINS);
    *min = fmaxf(*min, -reach);
    *max = fminf(*max, reach);
}

void waio_histogram_range(const waio_histogram *h, waio_range_rule rule, int bits, bool symmetric,
                          float *min, float *max)
{
    if (!(h->reach > 0) || !(*min <= *max))
        return;
    switch (rule) {
    case WAIO_RANGE_MSE:
        least_error(h, bits, symmetric, min, max);
        return;
    case WAIO_RANGE_P99:
        percentiles(h, 0.99, min, max);
        return;
    case WAIO_RANGE_P99_9:
        percentiles(h, 0.999, min, max);
        return;
    case WAIO_RANGE_P99_99:
        percentiles(h, 0.9999, min, max);
        return;
    case WAIO_RANGE_KL:
        least_divergence(h, bits, min, max);
        return;
    default:
        return;
    }
}
