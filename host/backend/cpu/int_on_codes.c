/* Both ends of a float layer on codes: floats of a grid to codes, exact sums to floats. */
#include <math.h>
#include <string.h>

#include "backend/cpu/int_conv.h"
#include "util/simd.h"

/* x / scale is a whole number but for two roundings of x * (1 / scale), far below 1/2 for codes of
 * 8 bits. Adding 1.5 * 2^23 makes it the lower bits of a float, rounded to nearest; a NaN there has
 * other upper bits. */
static const float magic = 12582912.0f;
enum { MAGIC_HIGH = 0x4B40 };

static inline uint32_t bits_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

WAIO_SIMD static uint32_t prepare_u8(uint8_t *restrict to, const float *restrict x, int64_t count,
                                     float inverse, float shift)
{
    uint32_t odd = 0;

    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = bits_of(x[i] * inverse + shift);
        odd |= bits >> 16 ^ MAGIC_HIGH;
        to[i] = (uint8_t)bits;
    }
    return odd;
}

WAIO_SIMD static uint32_t prepare_s16(int16_t *restrict to, const float *restrict x, int64_t count,
                                      float inverse, float shift)
{
    uint32_t odd = 0;

    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = bits_of(x[i] * inverse + shift);
        odd |= bits >> 16 ^ MAGIC_HIGH;
        to[i] = (int16_t)((int32_t)(bits & 0xFFFF) - 0x4000);
    }
    return odd;
}

bool waio_int_codes_prepare(const waio_int_conv *c, const waio_on_codes *on, uint8_t *to,
                            const float *x, int64_t count)
{
    float inverse = 1.0f / on->input.scale;

    if (c->bytes == 1)
        return prepare_u8(to, x, count, inverse, magic - on->input.lo) != 0;
    return prepare_s16((int16_t *)(void *)to, x, count, inverse, magic + 0x4000) != 0;
}

/* ---- results ---- */

typedef struct finish {
    float *y;
    const int32_t *sum;
    const float *factor, *bias;
    int64_t pixels, y_pixel;
    int channels;
    waio_clamp clamp; /* or: */
    waio_fq fq;
} finish;

static inline float value(const finish *f, const int32_t *sum, int c)
{
    return (float)sum[c] * f->factor[c] + f->bias[c];
}

WAIO_SIMD static void finish_clamp(const finish *f)
{
    float *y = f->y, lo = f->clamp.lo, hi = f->clamp.hi;
    const int32_t *sum = f->sum;

    for (int64_t p = 0; p < f->pixels; p++, y += f->y_pixel, sum += WAIO_INT_SUM_ROW)
        for (int c = 0; c < f->channels; c++)
            y[c] = waio_clampf(value(f, sum, c), lo, hi);
}

WAIO_SIMD static void finish_away(const finish *f)
{
    float *restrict y = f->y;
    const int32_t *restrict sum = f->sum;

    for (int64_t p = 0; p < f->pixels; p++, y += f->y_pixel, sum += WAIO_INT_SUM_ROW)
        for (int c = 0; c < f->channels; c++)
            y[c] = waio_fake_quantize(value(f, sum, c), f->fq, WAIO_ROUND_HALF_AWAY);
}

WAIO_SIMD static void finish_even(const finish *f)
{
    float *restrict y = f->y;
    const int32_t *restrict sum = f->sum;

    for (int64_t p = 0; p < f->pixels; p++, y += f->y_pixel, sum += WAIO_INT_SUM_ROW)
        for (int c = 0; c < f->channels; c++)
            y[c] = waio_fake_quantize(value(f, sum, c), f->fq, WAIO_ROUND_HALF_EVEN);
}

void waio_int_codes_finish(const waio_int_conv *conv, const waio_kernel_args *args,
                           const waio_int_rows *rows, int64_t channel)
{
    static const float zeros[WAIO_INT_LANES];
    finish f = {
        .y = rows->y,
        .sum = rows->sum,
        .factor = args->on_codes->factor + channel,
        .bias = conv->node->input_count == 3 ? (const float *)args->input[2] + channel : zeros,
        .pixels = rows->pixels,
        .y_pixel = rows->y_pixel,
        .channels = rows->channels,
        .clamp = args->clamp_follows ? (waio_clamp){-INFINITY, INFINITY} : conv->node->clamp};

    if (args->quantizer)
        f.fq = *args->quantizer;
    if (!args->quantizer)
        finish_clamp(&f);
    else if (args->rounding == WAIO_ROUND_HALF_EVEN)
        finish_even(&f);
    else
        finish_away(&f);
}

/* ---- NaN ---- */

static bool window_has_nan(const waio_int_conv *c, const float *image, int64_t oy, int64_t ox,
                           int64_t group)
{
    for (int64_t ky = 0; ky < c->kh; ky++)
        for (int64_t kx = 0; kx < c->kw; kx++) {
            int64_t y = oy * c->stride[0] - c->pad[0] + ky * c->dilation[0];
            int64_t x = ox * c->stride[1] - c->pad[1] + kx * c->dilation[1];
            if (y < 0 || y >= c->ih || x < 0 || x >= c->iw)
                continue;
            const float *pixel = image + (y * c->iw + x) * c->ic + group * c->depth;
            for (int64_t i = 0; i < c->depth; i++)
                if (isnan(pixel[i]))
                    return true;
        }
    return false;
}

void waio_int_codes_spread_nan(const waio_int_conv *c, const waio_kernel_args *args)
{
    int64_t groups = c->depthwise ? c->oc : c->groups, each = c->oc / groups;
    float *y = args->output;

    for (int64_t p = 0; p < c->images * c->oh * c->ow; p++)
        for (int64_t g = 0; g < groups; g++, y += each) {
            const float *image =
                (const float *)args->input[0] + p / (c->oh * c->ow) * c->ih * c->iw * c->ic;
            if (window_has_nan(c, image, p / c->ow % c->oh, p % c->ow, g))
                for (int64_t o = 0; o < each; o++)
                    y[o] = NAN;
        }
}
