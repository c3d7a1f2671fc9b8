/* Pillow's resampling of bytes: along a row first, then down the columns, each pass a weighted sum
 * of as many pixels as the filter covers, weights in fixed point of 22 bits, sums rounded to bytes.
 * A pass that would change nothing is left out, as there. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataset/resize.h"

enum { BITS = 32 - 8 - 2, MOST_WEIGHTS = 1 << 28 };

/* Per output pixel `begin`, `taps` and `room` weights of them. */
typedef struct weights {
    int *begin, *taps;
    int32_t *weight;
    int room;
} weights;

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double cubic(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static void weights_free(weights *w)
{
    free(w->begin);
    free(w->weight);
    *w = (weights){0};
}

/* The weights of output pixel `out`. `value` is room for them. */
static void fill(weights *w, int at, int out, waio_axis axis, waio_filter filter, double *value)
{
    double scale = (double)axis.in / axis.out, wide = scale < 1 ? 1 : scale;
    double support = (filter == WAIO_PIL_BICUBIC ? 2.0 : 1.0) * wide;
    double centre = (out + 0.5) * scale, sum = 0, per = 1 / wide;
    int begin = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);

    begin = begin < 0 ? 0 : begin;
    end = end > axis.in ? axis.in : end;
    for (int k = 0; k < end - begin; k++) {
        double x = (k + begin - centre + 0.5) * per;
        value[k] = filter == WAIO_PIL_BICUBIC ? cubic(x) : triangle(x);
        sum += value[k];
    }
    for (int k = 0; k < end - begin; k++) {
        double v = (sum != 0 ? value[k] * (1 / sum) : value[k]) * (1 << BITS);
        w->weight[(size_t)at * (size_t)w->room + (size_t)k] = (int32_t)(v < 0 ? v - 0.5 : v + 0.5);
    }
    w->begin[at] = begin;
    w->taps[at] = end - begin;
}

static waio_status weights_make(weights *w, waio_axis axis, waio_filter filter)
{
    waio_status st = WAIO_OK;
    double scale = (double)axis.in / axis.out;
    double support = (filter == WAIO_PIL_BICUBIC ? 2.0 : 1.0) * (scale < 1 ? 1 : scale);
    double *value = NULL;

    w->room = (int)ceil(support) * 2 + 1;
    if ((int64_t)w->room * axis.count > MOST_WEIGHTS)
        return waio_error(WAIO_ENOMEM, "resizing %d pixels to %d needs too many weights", axis.in,
                          axis.out);
    w->begin = malloc((size_t)axis.count * 2 * sizeof *w->begin);
    w->weight = malloc((size_t)axis.count * (size_t)w->room * sizeof *w->weight);
    value = malloc((size_t)w->room * sizeof *value);
    if (!w->begin || !w->weight || !value)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    w->taps = w->begin + axis.count;
    for (int i = 0; i < axis.count; i++)
        fill(w, i, axis.first + i, axis, filter, value);
done:
    free(value);
    return st;
}

static unsigned char to_byte(int32_t sum)
{
    int32_t v = sum >> BITS;
    return (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void along_row(unsigned char *dst, const unsigned char *src, const weights *w, int count)
{
    for (int i = 0; i < count; i++) {
        const unsigned char *s = src + 3 * (size_t)w->begin[i];
        const int32_t *k = w->weight + (size_t)i * (size_t)w->room;
        int32_t r = 1 << (BITS - 1), g = r, b = r;
        for (int t = 0; t < w->taps[i]; t++, s += 3) {
            r += s[0] * k[t];
            g += s[1] * k[t];
            b += s[2] * k[t];
        }
        dst[3 * i] = to_byte(r);
        dst[3 * i + 1] = to_byte(g);
        dst[3 * i + 2] = to_byte(b);
    }
}

/* One output row from rows of `bytes` bytes; `sum` is room for as many numbers. */
__attribute__((target_clones("default", "avx2"))) static void
down_columns(unsigned char *restrict dst, const unsigned char *restrict src, size_t stride,
             const int32_t *restrict weight, int taps, int bytes, int32_t *restrict sum)
{
    for (int i = 0; i < bytes; i++)
        sum[i] = 1 << (BITS - 1);
    for (int t = 0; t < taps; t++) {
        const unsigned char *row = src + (size_t)t * stride;
        for (int i = 0; i < bytes; i++)
            sum[i] += row[i] * weight[t];
    }
    for (int i = 0; i < bytes; i++) {
        int32_t v = sum[i] >> BITS;
        dst[i] = (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

waio_status waio_resize_pil(unsigned char *dst, int stride, const unsigned char *src,
                            int src_stride, waio_filter filter, waio_axis y, waio_axis x)
{
    waio_status st = WAIO_OK;
    weights across = {0}, down = {0};
    unsigned char *rows = NULL;
    int32_t *sum = NULL;
    bool narrow = x.in != x.out, low = y.in != y.out;
    int first_row = y.first, end_row = y.first + y.count;
    size_t bytes = 3 * (size_t)x.count;

    if (low) {
        WAIO_TRY(st, weights_make(&down, y, filter));
        first_row = down.begin[0];
        end_row = down.begin[y.count - 1] + down.taps[y.count - 1];
    }
    if (narrow)
        WAIO_TRY(st, weights_make(&across, x, filter));
    rows = malloc((size_t)(end_row - first_row) * bytes);
    sum = malloc(bytes * sizeof *sum);
    if (!rows || !sum)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int r = first_row; r < end_row; r++) {
        unsigned char *to = rows + (size_t)(r - first_row) * bytes;
        if (narrow)
            along_row(to, src + (size_t)r * (size_t)src_stride, &across, x.count);
        else
            memcpy(to, src + (size_t)r * (size_t)src_stride + 3 * (size_t)x.first, bytes);
    }
    for (int i = 0; i < y.count; i++) {
        unsigned char *to = dst + (size_t)i * (size_t)stride;
        if (low)
            down_columns(to, rows + (size_t)(down.begin[i] - first_row) * bytes, bytes,
                         down.weight + (size_t)i * (size_t)down.room, down.taps[i], (int)bytes,
                         sum);
        else
            memcpy(to, rows + (size_t)i * bytes, bytes);
    }
done:
    weights_free(&across);
    weights_free(&down);
    free(rows);
    free(sum);
    return st;
}
