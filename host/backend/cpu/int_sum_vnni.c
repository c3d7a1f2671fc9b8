/* add of 8-bit codes with AVX-512, double rounding. An operand x (less its zero point, 9 bits)
 * comes to ((x << 20) * m + 2^30) >> 31, then a rounding shift by r. With m = 2^11 h + l this is
 *     x h + ((x l + 2^10) >> 11)
 * within 32 bits. The operand of the larger scale has m = 2^30, r = 0: it is x << 19. */
#include "backend/cpu/int_op.h"

#if defined(__x86_64__)

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

#include "backend/cpu/int_lanes_vnni.h"

typedef struct operand {
    __m512i high, low, add_low, add; /* h; l; 2^10 - z l; -z h, or -z << 19 */
    __m512i half;                    /* 2^(r-1), 0 for r = 0 */
    __m512i negative;                /* all ones if r > 0 */
    __m128i right;                   /* r */
} operand;

static inline bool is_half(const waio_int_requant *q)
{
    return q->multiplier[0].m == 1 << 30 && q->multiplier[0].shift == 0;
}

__attribute__((always_inline)) static inline operand operand_of(const waio_int_requant *q,
                                                                int32_t z)
{
    int32_t m = q->multiplier[0].m, r = -q->multiplier[0].shift, high = m >> 11, low = m & 2047;

    return (operand){.high = _mm512_set1_epi32(high),
                     .low = _mm512_set1_epi32(low),
                     .add_low = _mm512_set1_epi32((1 << 10) - z * low),
                     .add = _mm512_set1_epi32(is_half(q) ? -z * (1 << 19) : -z * high),
                     .half = _mm512_set1_epi32(r > 0 ? 1 << (r - 1) : 0),
                     .negative = _mm512_set1_epi32(r > 0 ? -1 : 0),
                     .right = _mm_cvtsi32_si128(r)};
}

/* `half`, a constant where this is inlined: the operand of the larger scale. */
__attribute__((always_inline)) static inline __m512i scaled(const int8_t *codes, const operand *o,
                                                            const bool half)
{
    __m512i x = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)codes));

    if (half)
        return _mm512_add_epi32(_mm512_slli_epi32(x, 19), o->add);
    /* the upper 16 bits of l are 0, and so is the second product of each pair */
    __m512i low = _mm512_srai_epi32(_mm512_dpwssd_epi32(o->add_low, x, o->low), 11);
    x = _mm512_add_epi32(_mm512_add_epi32(_mm512_mullo_epi32(x, o->high), o->add), low);
    __m512i sign = _mm512_and_si512(_mm512_srai_epi32(x, 31), o->negative);
    return _mm512_sra_epi32(_mm512_add_epi32(_mm512_add_epi32(x, o->half), sign), o->right);
}

/* The first whole 64s of `flat`; gives how many codes that are. */
__attribute__((always_inline)) static inline int64_t run(const waio_int_op *op,
                                                         const waio_int_flat *flat,
                                                         const bool half_a, const bool half_b,
                                                         const int heed)
{
    operand a = operand_of(&op->in[0], op->zero_point[0]);
    operand b = operand_of(&op->in[1], op->zero_point[1]);
    waio_lanes_vnni out = waio_lanes_load(op->out.lanes);
    waio_codes_vnni codes = waio_codes_load(op->out_zero_point, op->lo, op->hi);
    const int8_t *x = flat->a, *z = flat->b;
    int64_t i = 0;

    for (; i + 64 <= flat->count; i += 64) {
        __m512i y[4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            __m512i sum = _mm512_add_epi32(scaled(x + i + 16 * k, &a, half_a),
                                           scaled(z + i + 16 * k, &b, half_b));
            y[k] = waio_lanes_multiply(sum, &out, heed);
        }
        _mm512_storeu_si512((int8_t *)flat->y + i, waio_codes_order(y, &codes));
    }
    return i;
}

static int64_t run_first(const waio_int_op *op, const waio_int_flat *flat)
{
    return run(op, flat, true, false, WAIO_LANES_LESS);
}

static int64_t run_second(const waio_int_op *op, const waio_int_flat *flat)
{
    return run(op, flat, false, true, WAIO_LANES_LESS);
}

static int64_t run_first_relu(const waio_int_op *op, const waio_int_flat *flat)
{
    return run(op, flat, true, false, 0);
}

static int64_t run_second_relu(const waio_int_op *op, const waio_int_flat *flat)
{
    return run(op, flat, false, true, 0);
}

int64_t waio_int_add_vnni(const waio_int_op *op, const waio_int_flat *flat)
{
    if (op->type != WAIO_S8 || op->out.shifts || op->out.rounding != WAIO_REQUANT_DOUBLE)
        return 0;
    int heed = waio_lanes_heed(op->lo, op->out_zero_point);
    if (is_half(&op->in[0]))
        return (heed ? run_first : run_first_relu)(op, flat);
    return is_half(&op->in[1]) ? (heed ? run_second : run_second_relu)(op, flat) : 0;
}

#pragma GCC pop_options

#endif
