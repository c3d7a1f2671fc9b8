/* Ranges by rule, of weights and of histograms, against searches written out here. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "quant/histogram.h"
#include "quant/weight_range.h"
#include "util/rng.h"

enum { COUNT = 400 };

static waio_rng rng = {31};

/* About normal, with a few far out. */
static float number(void)
{
    float x = -6;
    for (int i = 0; i < 12; i++)
        x += waio_rng_unit(&rng);
    return waio_rng_below(&rng, 50) == 0 ? 5 * x : x;
}

static waio_scheme scheme_of(const char *range, bool symmetric, bool squant)
{
    waio_scheme_words words = *waio_preset_find("ptq");
    waio_scheme scheme;

    words.weight_range = range;
    words.weights = symmetric ? "symmetric" : "asymmetric";
    words.rounding = squant ? "squant" : "nearest";
    CHECK_OK(waio_scheme_read(&scheme, &words));
    return scheme;
}

/* Squared error of numbers on the grid of [min, max], by the equations of host/quant/README.md. */
static double error_of(const float *x, int count, double min, double max, int bits, bool symmetric,
                       bool widened)
{
    double levels = ldexp(1, bits) - 1, top = ldexp(1, bits - 1) - 1, sum = 0;

    if (widened) {
        min = fmin(min, 0);
        max = fmax(max, 0);
    }
    double s = symmetric ? fmax(fabs(min), fabs(max)) / top : (max - min) / levels;
    double lo = symmetric ? -top : -top - 1;
    double z = symmetric ? 0 : widened ? round(lo - min / s) : -(rint(min / s) + top + 1);
    for (int i = 0; i < count; i++) {
        double q = fmin(fmax(rint((double)x[i] / s) + z, lo), top);
        double e = (q - z) * s - (double)x[i];
        sum += e * e;
    }
    return sum;
}

static void weights_of_least_error(void)
{
    for (int round = 0; round < 40; round++) {
        bool symmetric = round & 1, squant = round & 2;
        int bits = 2 + round % 7;
        float w[COUNT], min = 0, max = 0, low = INFINITY, high = -INFINITY;
        waio_scheme scheme = scheme_of("mse", symmetric, squant);
        for (int i = 0; i < COUNT; i++) {
            w[i] = number() + (symmetric ? 0 : 0.5f);
            low = fminf(low, w[i]);
            high = fmaxf(high, w[i]);
        }
        CHECK_OK(waio_weight_range(&min, &max, w, COUNT, bits, &scheme));
        double got = error_of(w, COUNT, (double)min, (double)max, bits, symmetric, !squant),
               best = INFINITY;
        for (int k = 1; k <= 100; k++) {
            double part = k / 100.0, reach = fmax(fabs((double)low), fabs((double)high));
            best = fmin(best, error_of(w, COUNT, symmetric ? -reach * part : (double)low * part,
                                       symmetric ? reach * part : (double)high * part, bits,
                                       symmetric, !squant));
        }
        /* Asymmetric ends are also moved alone, which may only help. Ranges are float32 here. */
        CHECK(got <= best * 1.0001, "round %d, %d bits: error %g, one range has %g", round, bits,
              got, best);
        CHECK(!symmetric || got >= best * 0.9999, "round %d: error %g below the best, %g", round,
              got, best);
        CHECK(min >= low - 1e-6f * fabsf(low) || symmetric, "wider than the weights");
    }
}

static void weights_by_percentile(void)
{
    float w[COUNT], min = 0, max = 0;
    waio_scheme scheme = scheme_of("p99", true, false);

    for (int i = 0; i < COUNT; i++)
        w[i] = (float)((i * 7) % COUNT); /* 0 .. 399 in another order */
    CHECK_OK(waio_weight_range(&min, &max, w, COUNT, 8, &scheme));
    CHECK(fabsf(min - 3.99f) < 1e-4f && fabsf(max - 395.01f) < 1e-4f, "%g .. %g", (double)min,
          (double)max);
    scheme = scheme_of("p99.9", true, false);
    CHECK_OK(waio_weight_range(&min, &max, w, COUNT, 8, &scheme));
    CHECK(fabsf(max - 398.601f) < 1e-4f, "%g", (double)max);
    scheme = scheme_of("minmax", true, false);
    CHECK_OK(waio_weight_range(&min, &max, w, COUNT, 8, &scheme));
    CHECK(min == 0 && max == 399, "%g .. %g", (double)min, (double)max);
    CHECK_OK(waio_weight_range(&min, &max, w, 1, 8, &scheme));
    CHECK(min == 0 && max == 0, "one weight");
}

/* ---- histograms ---- */

static waio_histogram histogram, part[3];

static void observe(const float *x, int count, float reach)
{
    memset(&histogram, 0, sizeof histogram);
    histogram.reach = reach;
    waio_histogram_observe(&histogram, x, count);
}

static void observing(void)
{
    static const float x[] = {-2, -1.9999f, 0, 1.9999f, 2, 3, -3, NAN, 0.5f};

    observe(x, 9, 2);
    CHECK(histogram.count[0] == 3 && histogram.count[2 * WAIO_BINS - 1] == 3 &&
              histogram.count[WAIO_BINS] == 1 && histogram.count[WAIO_BINS + WAIO_BINS / 4] == 1,
          "bins");
    for (int k = 0; k < 3; k++) {
        part[k].reach = 2;
        waio_histogram_observe(&part[k], x + 3 * k, 3);
    }
    waio_histogram_merge(&part[2], &part[0]);
    waio_histogram_merge(&part[2], &part[1]);
    CHECK(memcmp(&part[2], &histogram, sizeof histogram) == 0, "merged in another order");
}

static float data[20000];

static float draw(bool positive)
{
    float reach = 0;

    for (int i = 0; i < 20000; i++) {
        data[i] = positive ? fmaxf(0, number()) : number();
        reach = fmaxf(reach, fabsf(data[i]));
    }
    observe(data, 20000, reach);
    return reach;
}

static void histogram_of_least_error(void)
{
    for (int bits = 3; bits <= 8; bits++)
        for (int kind = 0; kind < 3; kind++) {
            bool symmetric = kind == 1, positive = kind == 2;
            float reach = draw(positive), min = positive ? 0 : -reach, max = reach;
            double whole = error_of(data, 20000, (double)min, (double)max, bits, symmetric, true);
            double best = whole;
            for (int k = 1; k <= 100; k++)
                best = fmin(best, error_of(data, 20000, (double)min * k / 100,
                                           (double)max * k / 100, bits, symmetric, true));
            waio_histogram_range(&histogram, WAIO_RANGE_MSE, bits, symmetric, &min, &max);
            double got = error_of(data, 20000, (double)min, (double)max, bits, symmetric, true);
            /* Numbers stand for the middle of their bin there. */
            CHECK(got <= best * 1.02, "%d bits, kind %d: error %g, the best is %g of %g", bits,
                  kind, got, best, whole);
        }
}

/* One number far out on one side: that end alone moves. */
static void one_end_moves(void)
{
    float min = -8, max = 1;

    for (int i = 0; i < 20000; i++)
        data[i] = waio_rng_unit(&rng);
    data[5] = -8;
    data[6] = 1;
    observe(data, 20000, 8);
    waio_histogram_range(&histogram, WAIO_RANGE_MSE, 4, false, &min, &max);
    CHECK(min > -1 && max > 0.95f, "histogram: %g .. %g", (double)min, (double)max);
    waio_scheme scheme = scheme_of("mse", false, true);
    CHECK_OK(waio_weight_range(&min, &max, data, 20000, 4, &scheme));
    CHECK(min > -1 && max > 0.9f, "weights: %g .. %g", (double)min, (double)max);
}

static void histogram_percentiles(void)
{
    float min = 0, max = 1;

    for (int i = 0; i < 10000; i++)
        data[i] = ((float)i + 0.5f) / 10000;
    observe(data, 10000, 1);
    waio_histogram_range(&histogram, WAIO_RANGE_P99, 8, false, &min, &max);
    CHECK(fabsf(min - 0.01f) < 1e-3f && fabsf(max - 0.99f) < 1e-3f, "%g .. %g", (double)min,
          (double)max);
    min = 0;
    max = 1;
    waio_histogram_range(&histogram, WAIO_RANGE_P99_99, 8, false, &min, &max);
    CHECK(fabsf(max - 0.9999f) < 1e-3f && max > 0.999f, "%g", (double)max);
}

/* Divergence cuts a far outlier off and keeps a uniform range whole. */
static void histogram_of_least_divergence(void)
{
    float min = 0, max = 0;

    for (int i = 0; i < 20000; i++)
        data[i] = waio_rng_unit(&rng);
    data[7] = 30;
    observe(data, 20000, 30);
    min = 0;
    max = 30;
    waio_histogram_range(&histogram, WAIO_RANGE_KL, 4, false, &min, &max);
    CHECK(min == 0 && max > 0.9f && max < 8, "an outlier: %g .. %g", (double)min, (double)max);
    data[7] = 0.5f;
    observe(data, 20000, 1);
    min = 0;
    max = 1;
    waio_histogram_range(&histogram, WAIO_RANGE_KL, 4, false, &min, &max);
    CHECK(max > 0.95f, "uniform: %g .. %g", (double)min, (double)max);
    histogram.count[WAIO_BINS] += 100000;
    float with_zeros[2] = {0, 1};
    waio_histogram_range(&histogram, WAIO_RANGE_KL, 4, false, &with_zeros[0], &with_zeros[1]);
    CHECK(with_zeros[1] == max, "zeros move the end from %g to %g", (double)max,
          (double)with_zeros[1]);
    for (int i = 0; i < 20000; i++)
        data[i] -= 0.5f;
    observe(data, 20000, 0.5f);
    min = -0.5f;
    max = 0.5f;
    waio_histogram_range(&histogram, WAIO_RANGE_KL, 4, false, &min, &max);
    CHECK(min < -0.45f && max > 0.45f, "both signs: %g .. %g", (double)min, (double)max);
    memset(&histogram, 0, sizeof histogram);
    min = INFINITY;
    max = -INFINITY;
    waio_histogram_range(&histogram, WAIO_RANGE_KL, 4, false, &min, &max);
    CHECK(min == INFINITY && max == -INFINITY, "nothing was seen");
}

int main(void)
{
    weights_of_least_error();
    weights_by_percentile();
    observing();
    histogram_of_least_error();
    one_end_moves();
    histogram_percentiles();
    histogram_of_least_divergence();
    return waio_check_result();
}
