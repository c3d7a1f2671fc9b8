#include "backend/cpu/int_requant.h"

#include <stdlib.h>
#include <string.h>

#include "util/simd.h"

static void set_lane(waio_requant_lanes *to, int lane, waio_multiplier m, waio_requant rounding)
{
    bool single = rounding == WAIO_REQUANT_SINGLE;
    int right = m.shift < 0 ? -m.shift : 0, shift = single ? 31 - m.shift : 31 + right;
    int half = lane % 2, at = lane / 2;
    int64_t add = INT64_C(1) << 30;

    if (single)
        add = INT64_C(1) << (shift - 1);
    else if (right > 0)
        add += INT64_C(1) << (right + 30);
    to->m[lane] = m.m;
    to->left[lane] = !single && m.shift > 0 ? m.shift : 0;
    to->down[lane] = shift > 32 ? shift - 32 : 0;
    to->add[half][at] = add;
    to->less[half][at] = !single && right > 0 ? INT64_C(1) << 31 : 0;
    to->up[half][at] = shift < 32 ? 32 - shift : 0;
}

waio_status waio_int_requant_create(waio_int_requant *out, waio_requant rounding,
                                    const waio_multiplier *multiplier, const double *real,
                                    int blocks, waio_isa isa)
{
    size_t channels = (size_t)blocks * WAIO_INT_LANES;

    out->rounding = rounding == WAIO_REQUANT_TFLITE ? WAIO_REQUANT_DOUBLE : rounding;
    out->blocks = blocks;
    out->isa = isa;
    out->shifts = false;
    out->multiplier = calloc(channels, sizeof *out->multiplier);
    out->real = calloc(channels, sizeof *out->real);
    out->lanes = waio_aligned_calloc((size_t)blocks * sizeof *out->lanes);
    if (!out->multiplier || !out->real || !out->lanes)
        return waio_error(WAIO_ENOMEM, "out of memory");
    memcpy(out->real, real, channels * sizeof *real);
    for (size_t c = 0; c < channels; c++) {
        waio_requant_lanes *lanes = &out->lanes[c / WAIO_INT_LANES];
        int lane = (int)(c % WAIO_INT_LANES);
        out->multiplier[c] = multiplier[c];
        if (multiplier[c].m == 0)
            out->multiplier[c].shift = -1; /* 0 in any case; keeps `shifts` false */
        set_lane(lanes, lane, out->multiplier[c], out->rounding);
        out->shifts = out->shifts || lanes->left[lane] || lanes->up[lane % 2][lane / 2];
    }
    return WAIO_OK;
}

waio_status waio_int_requant_uniform(waio_int_requant *out, waio_requant rounding,
                                     waio_multiplier multiplier, double real, waio_isa isa)
{
    waio_multiplier m[WAIO_INT_LANES];
    double r[WAIO_INT_LANES];

    for (int c = 0; c < WAIO_INT_LANES; c++) {
        m[c] = multiplier;
        r[c] = real;
    }
    return waio_int_requant_create(out, rounding, m, r, 1, isa);
}

void waio_int_requant_free(waio_int_requant *requant)
{
    free(requant->multiplier);
    free(requant->real);
    free(requant->lanes);
    *requant = (waio_int_requant){0};
}

static void store(const waio_int_requant *q, void *y, int64_t i, int32_t x)
{
    int32_t code = waio_finish_code(x, q->zero_point, q->lo, q->hi);

    if (q->type == WAIO_S8)
        ((int8_t *)y)[i] = (int8_t)code;
    else
        ((int16_t *)y)[i] = (int16_t)code;
}

/* A pixel's sums times their multipliers. */
WAIO_SIMD static void multiply(int32_t *y, const int32_t *sum, const waio_multiplier *m,
                               const double *real, waio_requant rounding)
{
    for (int c = 0; c < WAIO_INT_LANES; c++)
        y[c] = waio_multiply_by_quantized(sum[c], m[c], real[c], rounding);
}

static void rows_portable(const waio_int_requant *q, const waio_int_rows *rows)
{
    const waio_multiplier *m = q->multiplier + rows->block * WAIO_INT_LANES;
    const double *real = q->real + rows->block * WAIO_INT_LANES;
    int32_t y[WAIO_INT_LANES];

    for (int64_t p = 0; p < rows->pixels; p++) {
        multiply(y, rows->sum + p * WAIO_INT_SUM_ROW, m, real, q->rounding);
        for (int c = 0; c < rows->channels; c++)
            store(q, rows->y, p * rows->y_pixel + c, y[c]);
    }
}

void waio_int_requant_rows(const waio_int_requant *requant, const waio_int_rows *rows)
{
#if defined(__x86_64__)
    if (requant->isa == WAIO_ISA_VNNI && requant->rounding != WAIO_REQUANT_FLOAT) {
        waio_int_requant_rows_vnni(requant, rows);
        return;
    }
#endif
    rows_portable(requant, rows);
}
