#include "backend/cpu/int_depthwise.h"

#include <stdlib.h>
#include <string.h>

enum { STRIP_BYTES = 48 * 1024 };

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The number of a row, within 64 * patterns, that lane `lane` of block `block` stands for. */
static int64_t number_of(int64_t block, int64_t lane)
{
    return block / 4 * WAIO_DW_BYTES + lane / 4 * 16 + block % 4 * 4 + lane % 4;
}

static void set_strip(waio_int_depthwise *d, const waio_int_conv *c)
{
    int64_t window = (c->kh - 1) * c->dilation[0] + 1;

    d->phase_pixels = (c->strip_width + c->stride[1] - 1) / c->stride[1];
    d->row_bytes = d->phase_pixels * c->stride[1] * d->channels;
    int64_t fit = (STRIP_BYTES / d->row_bytes - window) / c->stride[0] + 1;
    d->strip_rows = fit < 1 ? 1 : fit < c->oh ? fit : c->oh;
    d->in_rows = (d->strip_rows - 1) * c->stride[0] + window;
}

/* A weight less its zero point, or what of it 8 bits do not hold. */
static int32_t weight_of(const waio_int_conv *c, const int8_t *weight, int64_t i, bool rest)
{
    int32_t w = weight[i] - c->w_zero, held = waio_clampi(w, -128, 127);
    return rest ? w - held : held;
}

/* Whether a channel's weight at `position` does not fit 8 bits. */
static bool needs_rest(const waio_int_conv *c, const int8_t *weight, int64_t position)
{
    for (int64_t o = 0; c->w_zero && o < c->oc; o++)
        if (weight_of(c, weight, o * c->kh * c->kw + position, true) != 0)
            return true;
    return false;
}

/* 255 = 127 + 128 has no two parts. */
static bool has_parts(const waio_int_conv *c, const waio_value *weight)
{
    for (int64_t i = 0; i < waio_shape_count(&weight->shape); i++)
        if (weight_of(c, weight->codes, i, true) > 127)
            return false;
    return true;
}

static waio_status set_taps(waio_int_depthwise *d, const waio_int_conv *c, const int8_t *weight)
{
    int positions = (int)(c->kh * c->kw);

    d->position = calloc((size_t)positions * 2, sizeof *d->position);
    if (!d->position)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int p = 0; p < positions; p++)
        d->position[d->taps++] = p;
    for (int p = 0; p < positions; p++)
        if (needs_rest(c, weight, p))
            d->position[d->taps++] = p;
    d->quads = (d->taps + WAIO_DW_TOGETHER - 1) / WAIO_DW_TOGETHER;
    d->tap = calloc((size_t)d->quads * WAIO_DW_TOGETHER, sizeof *d->tap); /* rest: weight 0 */
    if (!d->tap)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int i = 0; i < d->taps; i++) {
        int64_t t = d->position[i];
        int64_t column = t % c->kw * c->dilation[1], phase = column % c->stride[1];
        d->tap[i] = t / c->kw * c->dilation[0] * d->row_bytes +
                    (phase * d->phase_pixels + column / c->stride[1]) * d->channels;
    }
    return WAIO_OK;
}

/* The factors of conv->requant in the order of the vectors. */
static waio_status set_requant(waio_int_depthwise *d, const waio_int_conv *c, waio_isa isa)
{
    waio_status st = WAIO_OK;
    size_t count = (size_t)d->patterns * WAIO_DW_BYTES;
    double *real = calloc(count, sizeof *real);
    waio_multiplier *multiplier = calloc(count, sizeof *multiplier);

    if (!real || !multiplier)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        int64_t channel =
            number_of((int64_t)i / WAIO_INT_LANES, (int64_t)i % WAIO_INT_LANES) % d->channels;
        real[i] = c->requant.real[channel];
        multiplier[i] = c->requant.multiplier[channel];
    }
    d->requant.type = WAIO_S8;
    d->requant.zero_point = c->requant.zero_point;
    d->requant.lo = c->requant.lo;
    d->requant.hi = c->requant.hi;
    WAIO_TRY(st, waio_int_requant_create(&d->requant, c->requant.rounding, multiplier, real,
                                         d->patterns * 4, isa));
done:
    free(real);
    free(multiplier);
    return st;
}

waio_status waio_int_depthwise_create(waio_int_depthwise **out, const waio_int_conv *c,
                                      const waio_value *weight, waio_isa isa)
{
    waio_status st = WAIO_OK;
    int64_t patterns = c->oc / gcd(c->oc, WAIO_DW_BYTES);

    *out = NULL;
    if (!c->depthwise || c->wide || isa != WAIO_ISA_VNNI || patterns > WAIO_DW_MOST_PATTERNS ||
        c->requant.rounding == WAIO_REQUANT_FLOAT || !has_parts(c, weight))
        return WAIO_OK;
    waio_int_depthwise *d = calloc(1, sizeof *d);
    if (!d)
        return waio_error(WAIO_ENOMEM, "out of memory");
    d->channels = c->oc;
    d->patterns = (int)patterns;
    set_strip(d, c);
    WAIO_TRY(st, set_taps(d, c, weight->codes));
    WAIO_TRY(st, set_requant(d, c, isa));
    *out = d;
    d = NULL;
done:
    waio_int_depthwise_free(d);
    return st;
}

void waio_int_depthwise_free(waio_int_depthwise *d)
{
    if (!d)
        return;
    free(d->tap);
    free(d->position);
    waio_int_requant_free(&d->requant);
    free(d);
}

/* ---- weights: [pattern][quad][4 vectors][16 lanes][4 positions], then per channel what x + 128 is
 * too much ---- */

static size_t weight_bytes(const waio_int_depthwise *d)
{
    return (size_t)d->patterns * (size_t)d->quads * 4 * WAIO_DW_BYTES;
}

waio_status waio_int_depthwise_pack(const waio_int_conv *c, void **packed, size_t *bytes,
                                    const int8_t *weight)
{
    const waio_int_depthwise *d = c->by_vectors;
    int64_t positions = c->kh * c->kw;

    *bytes = weight_bytes(d) + (size_t)d->channels * sizeof(int32_t);
    *packed = waio_aligned_calloc(*bytes);
    if (!*packed)
        return WAIO_ENOMEM;
    int8_t *to = *packed;
    int32_t *taken = (int32_t *)(void *)(to + weight_bytes(d));
    for (int64_t block = 0; block < d->patterns * 4; block++)
        for (int64_t i = 0; i < d->quads * WAIO_DW_BYTES; i++) {
            int64_t lane = i / 4 % WAIO_INT_LANES, quad = i / WAIO_DW_BYTES, tap = quad * 4 + i % 4;
            int64_t channel = number_of(block, lane) % d->channels;
            int64_t at = ((block / 4 * d->quads + quad) * 4 + block % 4) * WAIO_DW_BYTES;
            if (tap < d->taps)
                to[at + i % WAIO_DW_BYTES] = (int8_t)weight_of(
                    c, weight, channel * positions + d->position[tap], tap >= positions);
        }
    for (int64_t o = 0; o < d->channels; o++) {
        int32_t sum = 0;
        for (int64_t t = 0; t < positions; t++)
            sum += weight[o * positions + t] - c->w_zero;
        taken[o] = (int32_t)(0u - (uint32_t)(128 + c->x_zero) * (uint32_t)sum);
    }
    return WAIO_OK;
}

/* ---- running ---- */

static size_t init_count(const waio_int_depthwise *d)
{
    return (size_t)d->patterns * WAIO_DW_BYTES;
}

size_t waio_int_depthwise_scratch_bytes(const waio_int_depthwise *d)
{
    return init_count(d) * sizeof(int32_t) + (size_t)(d->in_rows * d->row_bytes) + WAIO_INT_SLACK;
}

#if defined(__x86_64__)

static void set_init(const waio_int_conv *c, const waio_kernel_args *args, int32_t *init)
{
    const waio_int_depthwise *d = c->by_vectors;
    const int32_t *bias = c->bias_type == WAIO_F32 ? NULL : args->input[2];
    const int32_t *taken =
        (const int32_t *)(const void *)((const char *)args->input[1] + weight_bytes(d));

    for (size_t i = 0; i < init_count(d); i++) {
        int64_t channel =
            number_of((int64_t)i / WAIO_INT_LANES, (int64_t)i % WAIO_INT_LANES) % d->channels;
        init[i] = (int32_t)((uint32_t)taken[channel] + (bias ? (uint32_t)bias[channel] : 0));
    }
}

void waio_int_depthwise_run(const waio_int_conv *c, const waio_kernel_args *args)
{
    const waio_int_depthwise *d = c->by_vectors;
    int64_t window = (c->kh - 1) * c->dilation[0] + 1, count = c->ow * d->channels;
    int32_t *init = args->scratch;
    uint8_t *strip = (uint8_t *)(init + init_count(d));
    waio_int_depthwise_row row = {
        .w = args->input[1], .init = init, .y = (int8_t *)args->output, .count = count};

    set_init(c, args, init);
    for (int64_t n = 0; n < c->images; n++) {
        const int8_t *image = (const int8_t *)args->input[0] + n * c->ih * c->iw * c->ic;
        for (int64_t oy = 0; oy < c->oh; oy += d->strip_rows) {
            int64_t rows = c->oh - oy < d->strip_rows ? c->oh - oy : d->strip_rows;
            waio_int_depthwise_prepare(c, image, oy * c->stride[0] - c->pad[0],
                                       (rows - 1) * c->stride[0] + window, strip);
            for (int64_t r = 0; r < rows; r++, row.y += count) {
                row.x = strip + r * c->stride[0] * d->row_bytes;
                waio_int_depthwise_vnni(d, &row);
            }
        }
    }
}

#else

void waio_int_depthwise_run(const waio_int_conv *conv, const waio_kernel_args *args)
{
    (void)conv;
    (void)args;
}

#endif
