#include "backend/cpu/int_requant.h"

#if defined(__x86_64__)

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

#include "backend/cpu/int_lanes_vnni.h"

typedef struct bounds {
    __m512i lo, hi, zero_point; /* lo and hi less the zero point, so that nothing can wrap */
    __mmask16 real;             /* channels that are stored */
} bounds;

__attribute__((always_inline)) static inline __m512i finish(__m512i x, const bounds *b)
{
    x = _mm512_min_epi32(_mm512_max_epi32(x, b->lo), b->hi);
    return _mm512_add_epi32(x, b->zero_point);
}

__attribute__((always_inline)) static inline void
run(const waio_int_requant *q, const waio_int_rows *rows, const bool shifts, const waio_type type)
{
    waio_lanes_vnni lanes = waio_lanes_load(&q->lanes[rows->block]);
    __m512i init = _mm512_loadu_si512(rows->init);
    bounds b = {_mm512_set1_epi32(q->lo - q->zero_point), _mm512_set1_epi32(q->hi - q->zero_point),
                _mm512_set1_epi32(q->zero_point), (__mmask16)((1u << rows->channels) - 1)};
    int8_t *y8 = rows->y;
    int16_t *y16 = rows->y;

    for (int64_t p = 0; p < rows->pixels; p++) {
        __m512i x = _mm512_loadu_si512(rows->sum + p * WAIO_INT_SUM_ROW);
        x = finish(waio_lanes_multiply(_mm512_add_epi32(x, init), &lanes, shifts), &b);
        if (type == WAIO_S8)
            _mm_mask_storeu_epi8(y8 + p * rows->y_pixel, b.real, _mm512_cvtepi32_epi8(x));
        else
            _mm256_mask_storeu_epi16(y16 + p * rows->y_pixel, b.real, _mm512_cvtepi32_epi16(x));
    }
}

static void run_s8(const waio_int_requant *q, const waio_int_rows *rows)
{
    run(q, rows, false, WAIO_S8);
}

static void run_s8_shifts(const waio_int_requant *q, const waio_int_rows *rows)
{
    run(q, rows, true, WAIO_S8);
}

static void run_s16(const waio_int_requant *q, const waio_int_rows *rows)
{
    run(q, rows, true, WAIO_S16);
}

void waio_int_requant_rows_vnni(const waio_int_requant *q, const waio_int_rows *rows)
{
    if (q->type == WAIO_S16)
        run_s16(q, rows);
    else
        (q->shifts ? run_s8_shifts : run_s8)(q, rows);
}

#pragma GCC pop_options

#endif
