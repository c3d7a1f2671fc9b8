#include "backend/cpu/int_op.h"
#include "util/simd.h"

enum { PIECE = 256 };

/* ---- pieces of codes as 32-bit numbers ---- */

WAIO_SIMD static void widen_s8(int32_t *to, const int8_t *x, int64_t count, int32_t z)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = x[i] - z;
}

WAIO_SIMD static void widen_s16(int32_t *to, const int16_t *x, int64_t count, int32_t z)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = x[i] - z;
}

static void widen(const waio_int_op *op, int32_t *to, const void *x, int64_t at, int64_t count,
                  int32_t z)
{
    if (op->type == WAIO_S8)
        widen_s8(to, (const int8_t *)x + at, count, z);
    else
        widen_s16(to, (const int16_t *)x + at, count, z);
}

WAIO_SIMD static void shift_left(int32_t *x, int64_t count, int left)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = (int32_t)((uint32_t)x[i] << left);
}

WAIO_SIMD static void multiply_double(int32_t *x, int64_t count, waio_multiplier m)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = waio_multiply_by_quantized(x[i], m, 0, WAIO_REQUANT_DOUBLE);
}

WAIO_SIMD static void multiply_single(int32_t *x, int64_t count, waio_multiplier m)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = waio_multiply_by_quantized(x[i], m, 0, WAIO_REQUANT_SINGLE);
}

WAIO_SIMD static void multiply_real(int32_t *x, int64_t count, double real)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = waio_multiply_by_real(x[i], real);
}

static void multiply(const waio_int_requant *q, int32_t *x, int64_t count)
{
    if (q->rounding == WAIO_REQUANT_FLOAT)
        multiply_real(x, count, q->real[0]);
    else if (q->rounding == WAIO_REQUANT_SINGLE)
        multiply_single(x, count, q->multiplier[0]);
    else
        multiply_double(x, count, q->multiplier[0]);
}

WAIO_SIMD static void add(int32_t *a, const int32_t *b, int64_t count, int32_t sign)
{
    for (int64_t i = 0; i < count; i++)
        a[i] += sign * b[i];
}

WAIO_SIMD static void times(int32_t *a, const int32_t *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        a[i] *= b[i];
}

WAIO_SIMD static void store_s8(int8_t *y, const int32_t *x, int64_t count, const waio_int_op *op)
{
    int32_t z = op->out_zero_point, lo = op->lo - z, hi = op->hi - z;
    for (int64_t i = 0; i < count; i++)
        y[i] = (int8_t)(waio_clampi(x[i], lo, hi) + z);
}

WAIO_SIMD static void store_s16(int16_t *y, const int32_t *x, int64_t count, const waio_int_op *op)
{
    int32_t z = op->out_zero_point, lo = op->lo - z, hi = op->hi - z;
    for (int64_t i = 0; i < count; i++)
        y[i] = (int16_t)(waio_clampi(x[i], lo, hi) + z);
}

static void piece(const waio_int_op *op, waio_int_form form, const waio_int_flat *flat, int64_t at,
                  int64_t count)
{
    int32_t a[PIECE], b[PIECE];
    bool sum = form == WAIO_INT_ADD || form == WAIO_INT_SUB;

    widen(op, a, flat->a, at, count, op->zero_point[0]);
    if (form != WAIO_INT_SCALE)
        widen(op, b, flat->b, at, count, op->zero_point[1]);
    if (sum) {
        shift_left(a, count, op->left);
        shift_left(b, count, op->left);
        multiply(&op->in[0], a, count);
        multiply(&op->in[1], b, count);
        add(a, b, count, form == WAIO_INT_ADD ? 1 : -1);
    } else if (form == WAIO_INT_MUL) {
        times(a, b, count);
    }
    multiply(&op->out, a, count);
    if (op->type == WAIO_S8)
        store_s8((int8_t *)flat->y + at, a, count, op);
    else
        store_s16((int16_t *)flat->y + at, a, count, op);
}

/* ---- largest, clamp ---- */

WAIO_SIMD static void max_s8(int8_t *y, const int8_t *a, const int8_t *b, int64_t count, int8_t lo,
                             int8_t hi)
{
    for (int64_t i = 0; i < count; i++) {
        int8_t x = a[i] > b[i] ? a[i] : b[i];
        x = x < lo ? lo : x;
        y[i] = x > hi ? hi : x;
    }
}

WAIO_SIMD static void max_s16(int16_t *y, const int16_t *a, const int16_t *b, int64_t count,
                              int16_t lo, int16_t hi)
{
    for (int64_t i = 0; i < count; i++) {
        int16_t x = a[i] > b[i] ? a[i] : b[i];
        x = x < lo ? lo : x;
        y[i] = x > hi ? hi : x;
    }
}

static void larger(const waio_int_op *op, const waio_int_flat *flat)
{
    if (op->type == WAIO_S8)
        max_s8(flat->y, flat->a, flat->b, flat->count, (int8_t)op->lo, (int8_t)op->hi);
    else
        max_s16(flat->y, flat->a, flat->b, flat->count, (int16_t)op->lo, (int16_t)op->hi);
}

void waio_int_clamp(const waio_int_op *op, void *y, int64_t count)
{
    larger(op, &(waio_int_flat){y, y, y, count});
}

void waio_int_flat_run(const waio_int_op *op, waio_int_form form, const waio_int_flat *flat)
{
    if (form == WAIO_INT_MAX) {
        larger(op, flat);
        return;
    }
#if defined(__x86_64__)
    if (op->out.isa == WAIO_ISA_VNNI && op->out.rounding != WAIO_REQUANT_FLOAT) {
        int64_t done = form == WAIO_INT_ADD ? waio_int_add_vnni(op, flat) : 0;
        size_t bytes = (size_t)done * waio_type_bytes(op->type);
        waio_int_flat rest = {(const char *)flat->a + bytes,
                              flat->b ? (const char *)flat->b + bytes : NULL,
                              (char *)flat->y + bytes, flat->count - done};
        waio_int_flat_vnni(op, form, &rest);
        return;
    }
#endif
    for (int64_t i = 0; i < flat->count; i += PIECE)
        piece(op, form, flat, i, flat->count - i < PIECE ? flat->count - i : PIECE);
}
