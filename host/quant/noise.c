#include "quant/noise.h"

#include <math.h>

waio_noise waio_noise_new(void)
{
    return (waio_noise){.min = INFINITY, .max = -INFINITY};
}

static void add(struct waio_noise_sums *s, double x)
{
    s->count++;
    s->sum += x;
    s->squares += x * x;
}

void waio_noise_observe(waio_noise *n, const float *data, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        double x = (double)data[i];
        if (isnan(x))
            continue;
        add(&n->all, x);
        if (x > 0)
            add(&n->positive, x);
        n->min = fminf(n->min, data[i]);
        n->max = fmaxf(n->max, data[i]);
    }
}

double waio_noise_deviation(const waio_noise *n)
{
    const struct waio_noise_sums *s = n->min < 0 ? &n->all : &n->positive;
    double count = (double)s->count;

    if (s->count < 2)
        return 0;
    return sqrt(fmax(0, (s->squares - s->sum * s->sum / count) / (count - 1)));
}

void waio_noise_range(const waio_noise *n, int bits, float *min, float *max)
{
    static const double deviations[] = {[2] = 12, [3] = 12, [4] = 12, [5] = 13, [6] = 14, [7] = 19};
    double times = bits < 8 ? deviations[bits] : 25;
    bool both = n->min < 0;
    double reach = times * waio_noise_deviation(n) / (both ? 1.25 : 1);

    if (bits < 6)
        reach = fmin(reach, (double)n->max);
    *max = (float)fmax(reach, 0);
    *min = both ? -*max : 0;
}
