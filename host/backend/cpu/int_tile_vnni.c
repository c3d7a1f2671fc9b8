/* Inner loops with AVX-512 VNNI: up to 8 pixels by 2 blocks of 16 channels stay in registers. */
#include "backend/cpu/int_tile.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

enum { MOST_PIXELS = 8 };

static inline __m512i broadcast(const uint8_t *x)
{
    int32_t four;

    memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
}

/* All counts are constants where this is inlined, so that `sum` lives in registers. */
__attribute__((always_inline)) static inline void
run(const waio_tile *t, int64_t first, const int pixels, const int blocks, const int bytes)
{
    __m512i sum[MOST_PIXELS][2];
    const uint8_t *w = t->w;

#pragma GCC unroll 8
    for (int i = 0; i < pixels; i++) {
        sum[i][0] = sum[i][1] = _mm512_loadu_si512(t->init);
        if (blocks == 2)
            sum[i][1] = _mm512_loadu_si512(t->init + WAIO_INT_LANES);
    }
    for (int s = 0; s < t->segments; s++) {
        const uint8_t *x = t->x + first * t->x_pixel + t->segment[s];
        for (int64_t k = 0; k < t->steps; k++, x += WAIO_INT_STEP_BYTES, w += WAIO_INT_BLOCK_STEP) {
            __m512i w0 = _mm512_loadu_si512(w), w1 = w0;
            if (blocks == 2)
                w1 = _mm512_loadu_si512(w + t->w_block);
#pragma GCC unroll 8
            for (int i = 0; i < pixels; i++) {
                __m512i a = broadcast(x + i * t->x_pixel);
                sum[i][0] = bytes == 1 ? _mm512_dpbusd_epi32(sum[i][0], a, w0)
                                       : _mm512_dpwssd_epi32(sum[i][0], a, w0);
                if (blocks == 2)
                    sum[i][1] = bytes == 1 ? _mm512_dpbusd_epi32(sum[i][1], a, w1)
                                           : _mm512_dpwssd_epi32(sum[i][1], a, w1);
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < pixels; i++) {
        int32_t *to = t->sum + (first + i) * WAIO_INT_SUM_ROW;
        _mm512_storeu_si512(to, sum[i][0]);
        if (blocks == 2)
            _mm512_storeu_si512(to + WAIO_INT_LANES, sum[i][1]);
    }
}

/* The rest of a row, 1 to 7 pixels. */
__attribute__((always_inline)) static inline void run_rest(const waio_tile *t, int64_t first,
                                                           const int blocks, const int bytes)
{
    switch (t->pixels - first) {
    case 1:
        run(t, first, 1, blocks, bytes);
        break;
    case 2:
        run(t, first, 2, blocks, bytes);
        break;
    case 3:
        run(t, first, 3, blocks, bytes);
        break;
    case 4:
        run(t, first, 4, blocks, bytes);
        break;
    case 5:
        run(t, first, 5, blocks, bytes);
        break;
    case 6:
        run(t, first, 6, blocks, bytes);
        break;
    case 7:
        run(t, first, 7, blocks, bytes);
        break;
    default:
        break;
    }
}

__attribute__((always_inline)) static inline void run_row(const waio_tile *t, const int blocks,
                                                          const int bytes)
{
    int64_t first = 0;

    for (; first + MOST_PIXELS <= t->pixels; first += MOST_PIXELS)
        run(t, first, MOST_PIXELS, blocks, bytes);
    run_rest(t, first, blocks, bytes);
}

static void u8s8_1(const waio_tile *t)
{
    run_row(t, 1, 1);
}

static void u8s8_2(const waio_tile *t)
{
    run_row(t, 2, 1);
}

static void s16_1(const waio_tile *t)
{
    run_row(t, 1, 2);
}

static void s16_2(const waio_tile *t)
{
    run_row(t, 2, 2);
}

void waio_tile_u8s8_vnni(const waio_tile *tile)
{
    (tile->blocks == 2 ? u8s8_2 : u8s8_1)(tile);
}

void waio_tile_s16_vnni(const waio_tile *tile)
{
    (tile->blocks == 2 ? s16_2 : s16_1)(tile);
}

#pragma GCC pop_options

#endif
