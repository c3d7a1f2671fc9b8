/* Loops over neighbouring codes with AVX-512. */
#include "backend/cpu/int_op.h"

#if defined(__x86_64__)

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

#include "backend/cpu/int_lanes_vnni.h"

/* `lanes` codes from number `at` on, less a zero point. */
__attribute__((always_inline)) static inline __m512i
load(const void *x, int64_t at, __mmask16 lanes, const waio_type type, __m512i z)
{
    __m512i codes =
        type == WAIO_S8
            ? _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(lanes, (const int8_t *)x + at))
            : _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(lanes, (const int16_t *)x + at));
    return _mm512_sub_epi32(codes, z);
}

__attribute__((always_inline)) static inline void store(void *y, int64_t at, __mmask16 lanes,
                                                        const waio_type type, __m512i x)
{
    if (type == WAIO_S8)
        _mm_mask_storeu_epi8((int8_t *)y + at, lanes, _mm512_cvtepi32_epi8(x));
    else
        _mm256_mask_storeu_epi16((int16_t *)y + at, lanes, _mm512_cvtepi32_epi16(x));
}

/* `form` and `type` are constants where this is inlined. */
__attribute__((always_inline)) static inline void run(const waio_int_op *op,
                                                      const waio_int_flat *flat,
                                                      const waio_int_form form,
                                                      const waio_type type)
{
    bool sum = form == WAIO_INT_ADD || form == WAIO_INT_SUB;
    waio_lanes_vnni out = waio_lanes_load(op->out.lanes), of_a = out, of_b = out;
    __m512i za = _mm512_set1_epi32(op->zero_point[0]), zb = _mm512_set1_epi32(op->zero_point[1]);
    __m512i z = _mm512_set1_epi32(op->out_zero_point);
    __m512i lo = _mm512_set1_epi32(op->lo - op->out_zero_point);
    __m512i hi = _mm512_set1_epi32(op->hi - op->out_zero_point);
    __m128i left = _mm_cvtsi32_si128(op->left);

    if (sum) {
        of_a = waio_lanes_load(op->in[0].lanes);
        of_b = waio_lanes_load(op->in[1].lanes);
    }
    for (int64_t i = 0; i < flat->count; i += 16) {
        unsigned left_over = flat->count - i < 16 ? (unsigned)(flat->count - i) : 16;
        __mmask16 lanes = (__mmask16)((1u << left_over) - 1);
        __m512i a = load(flat->a, i, lanes, type, za);
        if (sum) {
            __m512i b = load(flat->b, i, lanes, type, zb);
            a = waio_lanes_multiply(_mm512_sll_epi32(a, left), &of_a, WAIO_LANES_ALL);
            b = waio_lanes_multiply(_mm512_sll_epi32(b, left), &of_b, WAIO_LANES_ALL);
            a = form == WAIO_INT_ADD ? _mm512_add_epi32(a, b) : _mm512_sub_epi32(a, b);
        } else if (form == WAIO_INT_MUL) {
            a = _mm512_mullo_epi32(a, load(flat->b, i, lanes, type, zb));
        }
        a = waio_lanes_multiply(a, &out, WAIO_LANES_ALL);
        a = _mm512_min_epi32(_mm512_max_epi32(a, lo), hi);
        store(flat->y, i, lanes, type, _mm512_add_epi32(a, z));
    }
}

__attribute__((always_inline)) static inline void
run_form(const waio_int_op *op, const waio_int_flat *flat, const waio_int_form form)
{
    if (op->type == WAIO_S8)
        run(op, flat, form, WAIO_S8);
    else
        run(op, flat, form, WAIO_S16);
}

void waio_int_flat_vnni(const waio_int_op *op, waio_int_form form, const waio_int_flat *flat)
{
    switch (form) {
    case WAIO_INT_ADD:
        run_form(op, flat, WAIO_INT_ADD);
        break;
    case WAIO_INT_SUB:
        run_form(op, flat, WAIO_INT_SUB);
        break;
    case WAIO_INT_MUL:
        run_form(op, flat, WAIO_INT_MUL);
        break;
    default:
        run_form(op, flat, WAIO_INT_SCALE);
        break;
    }
}

#pragma GCC pop_options

#endif
