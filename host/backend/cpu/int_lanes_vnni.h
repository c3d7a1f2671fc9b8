/* Requantization of 16 sums with AVX-512; for files compiled for it. The form is that of
 * int_requant.h. */
#ifndef WAIO_BACKEND_CPU_INT_LANES_VNNI_H
#define WAIO_BACKEND_CPU_INT_LANES_VNNI_H

#include <immintrin.h>

#include "backend/cpu/int_requant.h"

typedef struct waio_lanes_vnni {
    __m512i m, m_odd, left, down, add[2], less[2], up[2];
} waio_lanes_vnni;

__attribute__((always_inline)) static inline waio_lanes_vnni
waio_lanes_load(const waio_requant_lanes *lanes)
{
    waio_lanes_vnni v;

    v.m = _mm512_loadu_si512(lanes->m);
    v.m_odd = _mm512_srli_epi64(v.m, 32);
    v.left = _mm512_loadu_si512(lanes->left);
    v.down = _mm512_loadu_si512(lanes->down);
    for (int i = 0; i < 2; i++) {
        v.add[i] = _mm512_loadu_si512(lanes->add[i]);
        v.less[i] = _mm512_loadu_si512(lanes->less[i]);
        v.up[i] = _mm512_loadu_si512(lanes->up[i]);
    }
    return v;
}

/* What a multiplication must heed: constants where it is inlined. */
enum {
    WAIO_LANES_SHIFTS = 1, /* `left` and `up` */
    WAIO_LANES_LESS = 2,   /* `less`: needed unless results below 0 are clamped to 0 */
    WAIO_LANES_ALL = WAIO_LANES_SHIFTS | WAIO_LANES_LESS
};

/* Whether a result below 0 comes out as at least the code of 0: there `less` changes nothing, since
 * (y + 2^(r-1)) >> r is at most 0 for y < 0 with it and without. */
static inline int waio_lanes_heed(int32_t lo, int32_t zero_point)
{
    return lo >= zero_point ? 0 : WAIO_LANES_LESS;
}

/* p + add, less what negative products lose. */
__attribute__((always_inline)) static inline __m512i waio_lanes_add(__m512i p, __m512i add,
                                                                    __m512i less, const int heed)
{
    __m512i q = _mm512_add_epi64(p, add);

    return heed & WAIO_LANES_LESS ? _mm512_mask_sub_epi64(q, _mm512_movepi64_mask(p), q, less) : q;
}

/* x times the multipliers. */
__attribute__((always_inline)) static inline __m512i
waio_lanes_multiply(__m512i x, const waio_lanes_vnni *v, const int heed)
{
    if (heed & WAIO_LANES_SHIFTS)
        x = _mm512_sllv_epi32(x, v->left);
    __m512i even = _mm512_mul_epi32(x, v->m);
    __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(x, 32), v->m_odd);

    even = waio_lanes_add(even, v->add[0], v->less[0], heed);
    odd = waio_lanes_add(odd, v->add[1], v->less[1], heed);
    if (heed & WAIO_LANES_SHIFTS) {
        even = _mm512_sllv_epi64(even, v->up[0]);
        odd = _mm512_sllv_epi64(odd, v->up[1]);
    }
    __m512i upper = _mm512_mask_shuffle_epi32(odd, 0x5555, even, (_MM_PERM_ENUM)0xF5);
    return _mm512_srav_epi32(upper, v->down);
}

/* The limits of codes of 8 bits. */
typedef struct waio_codes_vnni {
    __m512i zero_point, lo, hi; /* of 16 bits; of 8 bits */
} waio_codes_vnni;

__attribute__((always_inline)) static inline waio_codes_vnni waio_codes_load(int32_t zero_point,
                                                                             int32_t lo, int32_t hi)
{
    return (waio_codes_vnni){_mm512_set1_epi16((short)zero_point), _mm512_set1_epi8((char)lo),
                             _mm512_set1_epi8((char)hi)};
}

/* Four vectors of results to 64 codes: in each 128 bits 4 of each vector. Saturating on the way
 * changes nothing, since the limits lie within 8 bits. */
__attribute__((always_inline)) static inline __m512i waio_codes_pack(const __m512i y[4],
                                                                     const waio_codes_vnni *c)
{
    __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(y[0], y[1]), c->zero_point);
    __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(y[2], y[3]), c->zero_point);

    return _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(low, high), c->lo), c->hi);
}

/* The same, vector after vector. */
__attribute__((always_inline)) static inline __m512i waio_codes_order(const __m512i y[4],
                                                                      const waio_codes_vnni *c)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, waio_codes_pack(y, c));
}

#endif
