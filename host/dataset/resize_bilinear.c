/* Bilinear from the four neighbours, as TensorFlow (both ways of placing pixels, in float) and
 * OpenCV (weights of 11 bits) have it. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataset/resize.h"

/* Of one output pixel along an axis: its two neighbours and how far it is from the first. */
typedef struct neighbour {
    int low, high;
    float part;
    int fixed; /* the same in 1 / 2048 */
} neighbour;

static neighbour tf_neighbour(int out, waio_axis axis, bool half)
{
    float scale = (float)axis.in / (float)axis.out;
    float at = half ? ((float)out + 0.5f) * scale - 0.5f : (float)out * scale;
    float low = floorf(at);
    neighbour n = {(int)low, (int)ceilf(at), at - low, 0};

    n.low = n.low < 0 ? 0 : n.low;
    n.high = n.high > axis.in - 1 ? axis.in - 1 : n.high;
    return n;
}

/* `round` is half to even, as OpenCV's saturate_cast. */
static neighbour cv_neighbour(int out, waio_axis axis)
{
    double scale = 1 / ((double)axis.out / axis.in);
    float at = (float)((out + 0.5) * scale - 0.5);
    int low = (int)floorf(at);
    float part = at - (float)low;

    if (low < 0)
        low = 0, part = 0;
    if (low >= axis.in - 1)
        low = axis.in - 1, part = 0;
    return (neighbour){low, low + 1 < axis.in ? low + 1 : low, part, (int)nearbyintf(part * 2048)};
}

static neighbour *neighbours(waio_axis axis, waio_filter filter)
{
    neighbour *n = malloc((size_t)axis.count * sizeof *n);

    for (int i = 0; n && i < axis.count; i++)
        n[i] = filter == WAIO_CV_LINEAR
                   ? cv_neighbour(axis.first + i, axis)
                   : tf_neighbour(axis.first + i, axis, filter == WAIO_TF2_BILINEAR);
    return n;
}

static void tf_row(unsigned char *dst, const unsigned char *low, const unsigned char *high,
                   float down, const neighbour *x, int count)
{
    for (int i = 0; i < count; i++, dst += 3)
        for (int c = 0; c < 3; c++) {
            int l = 3 * x[i].low + c, h = 3 * x[i].high + c;
            float top = (float)low[l] + (float)(low[h] - low[l]) * x[i].part;
            float bottom = (float)high[l] + (float)(high[h] - high[l]) * x[i].part;
            dst[c] = (unsigned char)lrintf(top + (bottom - top) * down);
        }
}

/* Sums of 11 bits of weight along the row; down the column as OpenCV's vector code has it. */
static void cv_row(unsigned char *dst, const unsigned char *low, const unsigned char *high,
                   int down, const neighbour *x, int count)
{
    for (int i = 0; i < count; i++, dst += 3)
        for (int c = 0; c < 3; c++) {
            int l = 3 * x[i].low + c, h = 3 * x[i].high + c, part = x[i].fixed;
            int top = low[l] * (2048 - part) + low[h] * part;
            int bottom = high[l] * (2048 - part) + high[h] * part;
            int sum = (((2048 - down) * (top >> 4)) >> 16) + ((down * (bottom >> 4)) >> 16);
            dst[c] = (unsigned char)((sum + 2) >> 2);
        }
}

waio_status waio_resize_bilinear(unsigned char *dst, int stride, const unsigned char *src,
                                 int src_stride, waio_filter filter, waio_axis y, waio_axis x)
{
    neighbour *rows = neighbours(y, filter), *columns = neighbours(x, filter);
    size_t bytes = (size_t)src_stride;

    for (int i = 0; rows && columns && i < y.count; i++) {
        unsigned char *to = dst + (size_t)i * (size_t)stride;
        const unsigned char *low = src + (size_t)rows[i].low * bytes;
        const unsigned char *high = src + (size_t)rows[i].high * bytes;
        if (filter == WAIO_CV_LINEAR)
            cv_row(to, low, high, rows[i].fixed, columns, x.count);
        else
            tf_row(to, low, high, rows[i].part, columns, x.count);
    }
    bool good = rows && columns;
    free(rows);
    free(columns);
    return good ? WAIO_OK : waio_error(WAIO_ENOMEM, "out of memory");
}
