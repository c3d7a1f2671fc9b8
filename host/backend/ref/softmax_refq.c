/* Integer softmax. 8 bits, as TensorFlow Lite's reference kernel has it: exponentials of the
 * distances from the row's largest code and one over their sum in 32-bit fixed point
 * (kernels/qexp.h). The runtime's other kernels look a float table up instead: one code in some
 * 100,000 then differs by one. 16 bits: tables of exp on [-10, 0] and of 1 / (1 + x) on [0, 1] in
 * units of 2^-15, 512 steps of 128 codes with lines between them. */
#include <math.h>

#include "backend/ref/refq.h"
#include "kernels/qexp.h"

/* ---- 8 bits ---- */

/* e^-k * scale, by distance k, in units of 2^-31: the distance becomes an exponent in units of
 * 2^-26 by a multiplier; exponents of -31 and less count as nothing. */
static void fill_8(int32_t exps[256], float scale)
{
    waio_multiplier m = waio_multiplier_of((double)scale * (1 << 26));
    double radius = floor(ldexp(31, 26 - (m.shift > 0 ? m.shift : 0)));

    for (int32_t k = 0; k < 256; k++)
        exps[k] =
            (double)k > radius
                ? 0
                : waio_exp_of_negative(waio_multiply_by_quantized(-k, m, 0, WAIO_REQUANT_DOUBLE));
}

static void softmax_row_8(const waio_refq_call *call, const int32_t exps[256], int64_t at,
                          int64_t width)
{
    int32_t top = INT32_MIN;
    int64_t sum = 0; /* in units of 2^-19 */

    for (int64_t i = at; i < at + width; i++) {
        int32_t code = waio_refq_code(&call->in[0], i);
        top = code > top ? code : top;
    }
    for (int64_t i = at; i < at + width; i++)
        sum +=
            waio_rounding_divide_by_power_of_two(exps[top - waio_refq_code(&call->in[0], i)], 12);
    uint32_t total = (uint32_t)waio_refq_narrow(call, sum);
    int zeros = __builtin_clz(total), shift = 12 - zeros + 31 - 8;
    int32_t over_one = (int32_t)((total << zeros) - (UINT32_C(1) << 31)); /* sum / 2^n - 1 */
    int32_t reciprocal = waio_reciprocal_of_one_plus(over_one);
    for (int64_t i = at; i < at + width; i++) {
        int32_t y = waio_saturating_rounding_doubling_high_mul(
            reciprocal, exps[top - waio_refq_code(&call->in[0], i)]);
        y = shift > 31 ? 0 : waio_rounding_divide_by_power_of_two(y, shift);
        waio_refq_store(call, i, waio_clampi(y - 128, -128, 127));
    }
}

/* ---- 16 bits ---- */

enum { STEPS = WAIO_REFQ_SOFTMAX_STEPS };

static double reciprocal(double x)
{
    return 1 / (1 + x);
}

static int16_t to_s16(double x)
{
    return (int16_t)(x < 32767 ? x : 32767);
}

/* `f`, which is positive, sampled on [lo, hi]; each sample is moved against half of the error that
 * the line to the next one has in its middle. */
static void fill_table(int16_t table[STEPS + 1], double (*f)(double), double lo, double hi)
{
    double step = (hi - lo) / STEPS;

    for (int i = 0; i < STEPS; i++) {
        double sample = round(32768 * f(lo + i * step));
        double line = round((32768 * f(lo + (i + 1) * step) + sample) / 2);
        double middle = round(32768 * f(lo + i * step + step / 2));
        table[i] = to_s16(sample - round((line - middle) / 2));
    }
    table[STEPS] = to_s16(round(32768 * f(hi)));
}

static int32_t look_up(const int16_t table[STEPS + 1], int32_t code)
{
    int32_t at = code + 32768, base = table[at >> 7], slope = table[(at >> 7) + 1] - base;
    return base + ((slope * (at & 127) + 64) >> 7);
}

/* 1/sum in units of 2^-15 of the sum's leading power of two; `zeros` counts its leading zeros. */
static int32_t reciprocal_of(const waio_refq_softmax_tables *t, uint32_t sum, int zeros)
{
    int64_t shifted = (((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14;
    return look_up(t->reciprocal,
                   waio_clampi((int32_t)(shifted - (1 << 15) - (1 << 16)), -32768, 32767));
}

static void softmax_row_16(const waio_refq_call *call, const waio_refq_softmax_tables *t,
                           int64_t at, int64_t width)
{
    double real = (double)call->in[0].params.scale[0] / (10.0 / 65535);
    waio_multiplier m = waio_multiplier_of(real);
    waio_refq_tensor exps = call->out; /* the row's exponentials wait in the result */
    int32_t top = INT32_MIN;
    int64_t sum = 0;

    exps.data = call->result;
    for (int64_t i = at; i < at + width; i++) {
        int32_t code = waio_refq_code(&call->in[0], i);
        top = code > top ? code : top;
    }
    for (int64_t i = at; i < at + width; i++) {
        int32_t below = waio_multiply_by_quantized(waio_refq_code(&call->in[0], i) - top, m, real,
                                                   call->requant);
        int32_t y = look_up(t->exp, waio_finish_code(below, 32767, -32768, 32767));
        waio_refq_store(call, i, y);
        sum += y;
    }
    int zeros = __builtin_clz((uint32_t)waio_refq_narrow(call, sum)), shift = 31 - zeros;
    int64_t scale = reciprocal_of(t, (uint32_t)sum, zeros);
    for (int64_t i = at; i < at + width; i++) {
        int64_t y = (waio_refq_code(&exps, i) * scale + (INT64_C(1) << (shift - 1))) >> shift;
        waio_refq_store(call, i, y < 0 ? 0 : y > 32767 ? 32767 : (int32_t)y);
    }
}

/* ---- both ---- */

void waio_refq_softmax_fill(waio_refq_softmax_tables *tables, waio_type type, float scale)
{
    if (type == WAIO_S8) {
        fill_8(tables->exp_8, scale);
        return;
    }
    fill_table(tables->exp, exp, -10, 0);
    fill_table(tables->reciprocal, reciprocal, 0, 1);
}

void waio_refq_softmax_row(const waio_refq_call *call, const waio_refq_softmax_tables *t,
                           int64_t at, int64_t width)
{
    if (call->in[0].type == WAIO_S8)
        softmax_row_8(call, t->exp_8, at, width);
    else
        softmax_row_16(call, t, at, width);
}

void waio_refq_softmax(const waio_refq_call *call)
{
    int64_t width = call->out.shape.dim[call->out.shape.rank - 1];
    int64_t rows = waio_shape_count(&call->out.shape) / width;
    waio_refq_softmax_tables t;

    waio_refq_softmax_fill(&t, call->in[0].type, call->in[0].params.scale[0]);
    for (int64_t r = 0; r < rows; r++)
        waio_refq_softmax_row(call, &t, r * width, width);
}
