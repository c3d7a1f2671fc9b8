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

/* p + add, less what negative products lose. */
__attribute__((always_inline)) static inline __m512i waio_lanes_add(__m512i p, __m512i add,
                                                                    __m512i less)
{
    __mmask8 negative = _mm512_movepi64_mask(p);

    p = _mm512_add_epi64(p, add);
    return _mm512_mask_sub_epi64(p, negative, p, less);
}

/* x times the multipliers; `shifts` (a constant where this is inlined): heed left and up. */
__attribute__((always_inline)) static inline __m512i
waio_lanes_multiply(__m512i x, const waio_lanes_vnni *v, const bool shifts)
{
    if (shifts)
        x = _mm512_sllv_epi32(x, v->left);
    __m512i even = _mm512_mul_epi32(x, v->m);
    __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(x, 32), v->m_odd);

    even = waio_lanes_add(even, v->add[0], v->less[0]);
    odd = waio_lanes_add(odd, v->add[1], v->less[1]);
    if (shifts) {
        even = _mm512_sllv_epi64(even, v->up[0]);
        odd = _mm512_sllv_epi64(odd, v->up[1]);
    }
    __m512i upper = _mm512_mask_shuffle_epi32(odd, 0x5555, even, (_MM_PERM_ENUM)0xF5);
    return _mm512_srav_epi32(upper, v->down);
}

#endif
