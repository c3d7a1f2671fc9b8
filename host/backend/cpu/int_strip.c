/* The strip: input rows with their padding, as the numbers that the inner loops take. */
#include <string.h>

#include "backend/cpu/int_conv.h"
#include "util/simd.h"

WAIO_SIMD static void to_u8(uint8_t *to, const int8_t *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (uint8_t)x[i] ^ 0x80;
}

WAIO_SIMD static void to_s16(int16_t *to, const int8_t *x, int64_t count, int32_t z)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (int16_t)(x[i] - z);
}

/* `count` numbers of the input from number `at` on. */
static void prepare(waio_int_run *run, uint8_t *to, int64_t at, int64_t count)
{
    const waio_int_conv *c = run->conv;

    if (c->on_codes)
        run->nan |= waio_int_codes_prepare(c, run->args->on_codes, to,
                                           (const float *)run->args->input[0] + at, count);
    else if (c->bytes == 1)
        to_u8(to, (const int8_t *)run->args->input[0] + at, count);
    else if (c->x_type == WAIO_S8)
        to_s16((int16_t *)(void *)to, (const int8_t *)run->args->input[0] + at, count, c->x_zero);
    else
        memcpy(to, (const int16_t *)run->args->input[0] + at, (size_t)count * 2);
}

static void fill(const waio_int_run *run, uint8_t *to, int64_t pixels)
{
    const waio_int_conv *c = run->conv;
    int zero = c->on_codes ? -(int)run->args->on_codes->input.lo : c->x_zero + 128;

    memset(to, c->bytes == 1 ? zero : 0, (size_t)(pixels * c->ic * c->bytes));
}

void waio_int_prepare_rows(waio_int_run *run, int64_t n, int64_t y, int64_t rows)
{
    const waio_int_conv *c = run->conv;
    int64_t left = c->pad[1] < c->strip_width ? c->pad[1] : c->strip_width;
    int64_t real = c->strip_width - left < c->iw ? c->strip_width - left : c->iw;
    int64_t pixel = c->ic * c->bytes;

    for (int64_t r = 0; r < rows; r++, y++) {
        uint8_t *to = run->scratch.strip + r * c->row_bytes;
        if (y < 0 || y >= c->ih) {
            fill(run, to, c->strip_width);
            continue;
        }
        fill(run, to, left);
        prepare(run, to + left * pixel, (n * c->ih + y) * c->iw * c->ic, real * c->ic);
        fill(run, to + (left + real) * pixel, c->strip_width - left - real);
    }
}

void waio_int_prepare_flat(waio_int_run *run, int64_t first, int64_t count)
{
    const waio_int_conv *c = run->conv;
    prepare(run, run->scratch.strip, first * c->ic, count * c->ic);
}
