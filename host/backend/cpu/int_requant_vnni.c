#include "backend/cpu/int_requant.h"

#if defined(__x86_64__)

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

#include "backend/cpu/int_lanes_vnni.h"

/* One pixel at a time, any number of channels. */
__attribute__((always_inline)) static inline void
run(const waio_int_requant *q, const waio_int_rows *rows, int64_t first, const waio_type type)
{
    waio_lanes_vnni lanes = waio_lanes_load(&q->lanes[rows->block]);
    __mmask16 real = (__mmask16)((1u << rows->channels) - 1);
    /* less the zero point, so that nothing can wrap */
    __m512i lo = _mm512_set1_epi32(q->lo - q->zero_point);
    __m512i hi = _mm512_set1_epi32(q->hi - q->zero_point);
    __m512i zero_point = _mm512_set1_epi32(q->zero_point);
    int8_t *y8 = rows->y;
    int16_t *y16 = rows->y;

    for (int64_t p = first; p < rows->pixels; p++) {
        __m512i x = _mm512_loadu_si512(rows->sum + p * WAIO_INT_SUM_ROW);
        x = waio_lanes_multiply(x, &lanes, WAIO_LANES_ALL);
        x = _mm512_add_epi32(_mm512_min_epi32(_mm512_max_epi32(x, lo), hi), zero_point);
        if (type == WAIO_S8)
            _mm_mask_storeu_epi8(y8 + p * rows->y_pixel, real, _mm512_cvtepi32_epi8(x));
        else
            _mm256_mask_storeu_epi16(y16 + p * rows->y_pixel, real, _mm512_cvtepi32_epi16(x));
    }
}

static void run_s8(const waio_int_requant *q, const waio_int_rows *rows, int64_t first)
{
    run(q, rows, first, WAIO_S8);
}

static void run_s16(const waio_int_requant *q, const waio_int_rows *rows)
{
    run(q, rows, 0, WAIO_S16);
}

/* Four pixels of 16 channels at a time. */
__attribute__((always_inline)) static inline void
run_fours(const waio_int_requant *q, const waio_int_rows *rows, const int heed)
{
    waio_lanes_vnni lanes = waio_lanes_load(&q->lanes[rows->block]);
    waio_codes_vnni codes = waio_codes_load(q->zero_point, q->lo, q->hi);
    int64_t p = 0;

    for (; p + 4 <= rows->pixels; p += 4) {
        int8_t *to = (int8_t *)rows->y + p * rows->y_pixel;
        __m512i y[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            y[i] = waio_lanes_multiply(_mm512_loadu_si512(rows->sum + (p + i) * WAIO_INT_SUM_ROW),
                                       &lanes, heed);
        __m512i four = waio_codes_order(y, &codes);
        if (rows->y_pixel == 16) {
            _mm512_storeu_si512(to, four);
            continue;
        }
        _mm_storeu_si128((__m128i *)to, _mm512_castsi512_si128(four));
        _mm_storeu_si128((__m128i *)(to + rows->y_pixel), _mm512_extracti32x4_epi32(four, 1));
        _mm_storeu_si128((__m128i *)(to + 2 * rows->y_pixel), _mm512_extracti32x4_epi32(four, 2));
        _mm_storeu_si128((__m128i *)(to + 3 * rows->y_pixel), _mm512_extracti32x4_epi32(four, 3));
    }
    run_s8(q, rows, p);
}

static void run_fours_relu(const waio_int_requant *q, const waio_int_rows *rows)
{
    run_fours(q, rows, 0);
}

static void run_fours_any(const waio_int_requant *q, const waio_int_rows *rows)
{
    run_fours(q, rows, WAIO_LANES_LESS);
}

void waio_int_requant_rows_vnni(const waio_int_requant *q, const waio_int_rows *rows)
{
    if (q->type == WAIO_S16)
        run_s16(q, rows);
    else if (q->shifts || rows->channels < WAIO_INT_LANES)
        run_s8(q, rows, 0);
    else
        (waio_lanes_heed(q->lo, q->zero_point) ? run_fours_any : run_fours_relu)(q, rows);
}

#pragma GCC pop_options

#endif
