#include "backend/cpu/int_depthwise.h"

#if defined(__x86_64__)

#include <string.h>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

#include "backend/cpu/int_lanes_vnni.h"

static inline __mmask64 first_lanes(int64_t count)
{
    return count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
}

/* ---- the strip ---- */

/* to = x + 128 for `count` codes. */
static inline void flip(uint8_t *to, const int8_t *x, int64_t count)
{
    const __m512i top = _mm512_set1_epi8((char)0x80);

    for (int64_t i = 0; i < count; i += 64) {
        __mmask64 lanes = first_lanes(count - i);
        _mm512_mask_storeu_epi8(to + i, lanes,
                                _mm512_xor_si512(_mm512_maskz_loadu_epi8(lanes, x + i), top));
    }
}

/* Pixel `column` of a prepared row, counted with its padding. */
static inline uint8_t *pixel_at(const waio_int_conv *c, uint8_t *row, int64_t column)
{
    const waio_int_depthwise *d = c->by_vectors;
    int64_t stride = c->stride[1];

    return row + (column % stride * d->phase_pixels + column / stride) * d->channels;
}

static void prepare_row(const waio_int_conv *c, const int8_t *x, uint8_t *row)
{
    const waio_int_depthwise *d = c->by_vectors;
    int64_t left = c->pad[1] < c->strip_width ? c->pad[1] : c->strip_width;
    int64_t real = c->strip_width - left < c->iw ? c->strip_width - left : c->iw;

    if (c->stride[1] == 1) {
        memset(row, c->x_zero + 128, (size_t)(left * d->channels));
        flip(row + left * d->channels, x, real * d->channels);
        memset(row + (left + real) * d->channels, c->x_zero + 128,
               (size_t)((c->strip_width - left - real) * d->channels));
        return;
    }
    for (int64_t i = 0; i < left; i++)
        memset(pixel_at(c, row, i), c->x_zero + 128, (size_t)d->channels);
    for (int64_t i = left + real; i < c->strip_width; i++)
        memset(pixel_at(c, row, i), c->x_zero + 128, (size_t)d->channels);
    for (int64_t phase = 0; phase < c->stride[1]; phase++) {
        /* the first real column of this phase */
        int64_t column = left + (phase - left % c->stride[1] + c->stride[1]) % c->stride[1];
        uint8_t *to = pixel_at(c, row, column);
        for (; column < left + real; column += c->stride[1], to += d->channels)
            flip(to, x + (column - left) * d->channels, d->channels);
    }
}

void waio_int_depthwise_prepare(const waio_int_conv *c, const int8_t *image, int64_t y,
                                int64_t rows, uint8_t *strip)
{
    const waio_int_depthwise *d = c->by_vectors;

    for (int64_t r = 0; r < rows; r++, y++, strip += d->row_bytes) {
        if (y < 0 || y >= c->ih)
            memset(strip, c->x_zero + 128, (size_t)d->row_bytes);
        else
            prepare_row(c, image + y * c->iw * d->channels, strip);
    }
}

/* ---- sums and results ---- */

/* Adds the products of four positions; x points to the vector's place, w to 4 vectors. */
__attribute__((always_inline)) static inline void add_quad(__m512i sum[4], const uint8_t *x,
                                                           const ptrdiff_t *tap, const int8_t *w)
{
    __m512i t0 = _mm512_loadu_si512(x + tap[0]), t1 = _mm512_loadu_si512(x + tap[1]);
    __m512i t2 = _mm512_loadu_si512(x + tap[2]), t3 = _mm512_loadu_si512(x + tap[3]);
    __m512i low01 = _mm512_unpacklo_epi8(t0, t1), high01 = _mm512_unpackhi_epi8(t0, t1);
    __m512i low23 = _mm512_unpacklo_epi8(t2, t3), high23 = _mm512_unpackhi_epi8(t2, t3);

    sum[0] =
        _mm512_dpbusd_epi32(sum[0], _mm512_unpacklo_epi16(low01, low23), _mm512_loadu_si512(w));
    sum[1] = _mm512_dpbusd_epi32(sum[1], _mm512_unpackhi_epi16(low01, low23),
                                 _mm512_loadu_si512(w + 64));
    sum[2] = _mm512_dpbusd_epi32(sum[2], _mm512_unpacklo_epi16(high01, high23),
                                 _mm512_loadu_si512(w + 128));
    sum[3] = _mm512_dpbusd_epi32(sum[3], _mm512_unpackhi_epi16(high01, high23),
                                 _mm512_loadu_si512(w + 192));
}

/* 64 sums to codes in order. */
__attribute__((always_inline)) static inline __m512i finish(const __m512i sum[4],
                                                            const waio_requant_lanes *lanes,
                                                            const waio_codes_vnni *codes,
                                                            const int heed)
{
    __m512i y[4];

#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) {
        waio_lanes_vnni v = waio_lanes_load(&lanes[k]);
        y[k] = waio_lanes_multiply(sum[k], &v, heed);
    }
    return waio_codes_pack(y, codes);
}

/* `heed` and `quads` (0: as many as there are) are constants where this is inlined. */
__attribute__((always_inline)) static inline void
run(const waio_int_depthwise *d, const waio_int_depthwise_row *row, const int heed, const int quads)
{
    waio_codes_vnni codes = waio_codes_load(d->requant.zero_point, d->requant.lo, d->requant.hi);
    int count = quads ? quads : d->quads, pattern = 0;

    for (int64_t i = 0; i < row->count; i += WAIO_DW_BYTES) {
        const int32_t *init = row->init + pattern * WAIO_DW_BYTES;
        const int8_t *w = row->w + (size_t)(pattern * count) * 256;
        __m512i sum[4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            sum[k] = _mm512_loadu_si512(init + 16 * k);
#pragma GCC unroll 5
        for (int q = 0; q < count; q++)
            add_quad(sum, row->x + i, d->tap + 4 * q, w + 256 * q);
        __m512i y = finish(sum, d->requant.lanes + 4 * pattern, &codes, heed);
        _mm512_mask_storeu_epi8(row->y + i, first_lanes(row->count - i), y);
        pattern = pattern + 1 == d->patterns ? 0 : pattern + 1;
    }
}

static void run_3x3(const waio_int_depthwise *d, const waio_int_depthwise_row *row)
{
    run(d, row, WAIO_LANES_LESS, 3);
}

static void run_3x3_relu(const waio_int_depthwise *d, const waio_int_depthwise_row *row)
{
    run(d, row, 0, 3);
}

/* 3x3 with every position twice. */
static void run_twice(const waio_int_depthwise *d, const waio_int_depthwise_row *row)
{
    run(d, row, WAIO_LANES_LESS, 5);
}

static void run_any(const waio_int_depthwise *d, const waio_int_depthwise_row *row)
{
    run(d, row, WAIO_LANES_ALL, 0);
}

void waio_int_depthwise_vnni(const waio_int_depthwise *d, const waio_int_depthwise_row *row)
{
    if (d->quads == 5 && !d->requant.shifts)
        run_twice(d, row);
    else if (d->quads != 3 || d->requant.shifts)
        run_any(d, row);
    else
        (waio_lanes_heed(d->requant.lo, d->requant.zero_point) ? run_3x3 : run_3x3_relu)(d, row);
}

#pragma GCC pop_options

#endif
