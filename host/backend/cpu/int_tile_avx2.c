/* The inner loop with AVX2: pmaddwd multiplies 16-bit numbers and adds pairs exactly, which
 * pmaddubsw on bytes would not. 4 pixels by 16 channels, two vectors each, stay in registers. */
#include "backend/cpu/int_tile.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#pragma GCC push_options
#pragma GCC target("avx2")

enum { MOST_PIXELS = 4 };

static inline __m256i broadcast(const uint8_t *x)
{
    int32_t four;

    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
}

static inline __m256i add_products(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

/* `pixels` is a constant where this is inlined, so that `sum` lives in registers. */
__attribute__((always_inline)) static inline void run(const waio_tile *t, int64_t first, int block,
                                                      const int pixels)
{
    __m256i sum[MOST_PIXELS][2];
    const uint8_t *w = t->w + block * t->w_block;
    const __m256i *init = (const __m256i *)(const void *)(t->init + block * WAIO_INT_LANES);

#pragma GCC unroll 4
    for (int i = 0; i < pixels; i++) {
        sum[i][0] = _mm256_loadu_si256(init);
        sum[i][1] = _mm256_loadu_si256(init + 1);
    }
    for (int s = 0; s < t->segments; s++) {
        const uint8_t *x = t->x + first * t->x_pixel + t->segment[s];
        for (int64_t k = 0; k < t->steps; k++, x += WAIO_INT_STEP_BYTES, w += WAIO_INT_BLOCK_STEP) {
            __m256i w0 = _mm256_loadu_si256((const __m256i *)w);
            __m256i w1 = _mm256_loadu_si256((const __m256i *)w + 1);
#pragma GCC unroll 4
            for (int i = 0; i < pixels; i++) {
                __m256i a = broadcast(x + i * t->x_pixel);
                sum[i][0] = add_products(sum[i][0], a, w0);
                sum[i][1] = add_products(sum[i][1], a, w1);
            }
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < pixels; i++) {
        int32_t *to = t->sum + (first + i) * WAIO_INT_SUM_ROW + block * WAIO_INT_LANES;
        _mm256_storeu_si256((__m256i *)to, sum[i][0]);
        _mm256_storeu_si256((__m256i *)to + 1, sum[i][1]);
    }
}

static void run_4(const waio_tile *t, int64_t first, int block)
{
    run(t, first, block, 4);
}

static void run_1(const waio_tile *t, int64_t first, int block)
{
    run(t, first, block, 1);
}

void waio_tile_s16_avx2(const waio_tile *t)
{
    for (int b = 0; b < t->blocks; b++) {
        int64_t first = 0;
        for (; first + MOST_PIXELS <= t->pixels; first += MOST_PIXELS)
            run_4(t, first, b);
        for (; first < t->pixels; first++)
            run_1(t, first, b);
    }
}

#pragma GCC pop_options

#endif
