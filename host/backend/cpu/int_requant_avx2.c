/* Requantization with AVX2: the form of int_requant.h on 8 channels at a time. */
#include "backend/cpu/int_requant.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#pragma GCC push_options
#pragma GCC target("avx2")

/* Half of a block's lanes. */
typedef struct lanes {
    __m256i m, m_odd, left, down, add[2], less[2], up[2];
} lanes;

static inline __m256i load(const void *x)
{
    return _mm256_loadu_si256(x);
}

static inline lanes lanes_load(const waio_requant_lanes *of, int half)
{
    lanes v = {.m = load(of->m + 8 * half),
               .left = load(of->left + 8 * half),
               .down = load(of->down + 8 * half)};

    v.m_odd = _mm256_srli_epi64(v.m, 32);
    for (int i = 0; i < 2; i++) {
        v.add[i] = load(of->add[i] + 4 * half);
        v.less[i] = load(of->less[i] + 4 * half);
        v.up[i] = load(of->up[i] + 4 * half);
    }
    return v;
}

/* The upper half of the sum counts, once it is moved by `up`. */
static inline __m256i finish_product(__m256i p, const lanes *v, const int i)
{
    __m256i negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), p);

    p = _mm256_sub_epi64(_mm256_add_epi64(p, v->add[i]), _mm256_and_si256(negative, v->less[i]));
    return _mm256_sllv_epi64(p, v->up[i]);
}

static inline __m256i multiply(__m256i x, const lanes *v)
{
    x = _mm256_sllv_epi32(x, v->left);
    __m256i even = finish_product(_mm256_mul_epi32(x, v->m), v, 0);
    __m256i odd = finish_product(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), v->m_odd), v, 1);
    __m256i upper = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);

    return _mm256_srav_epi32(upper, v->down);
}

typedef struct bounds {
    __m256i lo, hi, zero_point; /* lo and hi less the zero point, so that nothing can wrap */
} bounds;

static inline __m256i finish(__m256i x, const bounds *b)
{
    return _mm256_add_epi32(_mm256_min_epi32(_mm256_max_epi32(x, b->lo), b->hi), b->zero_point);
}

/* 16 codes of 16 bits, in order. */
static inline __m256i pack(__m256i low, __m256i high)
{
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xD8);
}

void waio_int_requant_rows_avx2(const waio_int_requant *q, const waio_int_rows *rows)
{
    lanes low = lanes_load(&q->lanes[rows->block], 0), high = lanes_load(&q->lanes[rows->block], 1);
    bounds b = {_mm256_set1_epi32(q->lo - q->zero_point), _mm256_set1_epi32(q->hi - q->zero_point),
                _mm256_set1_epi32(q->zero_point)};
    size_t bytes = q->type == WAIO_S8 ? 1 : 2, real = (size_t)rows->channels * bytes;

    for (int64_t p = 0; p < rows->pixels; p++) {
        const int32_t *sum = rows->sum + p * WAIO_INT_SUM_ROW;
        char codes[32], *to = (char *)rows->y + (size_t)(p * rows->y_pixel) * bytes;
        __m256i y =
            pack(finish(multiply(load(sum), &low), &b), finish(multiply(load(sum + 8), &high), &b));
        if (bytes == 1)
            _mm_storeu_si128(
                (__m128i *)(void *)codes,
                _mm_packs_epi16(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1)));
        else
            _mm256_storeu_si256((__m256i *)(void *)codes, y);
        if (real == 16)
            memcpy(to, codes, 16);
        else
            memcpy(to, codes, real);
    }
}

#pragma GCC pop_options

#endif
