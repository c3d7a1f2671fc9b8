/* Integer softmax. 8 bits, as the desktop runtime has it: a table of 256 floats, t[k] = exp(-s *
 * (255 - k)), looked up by distance from the row's largest code. 16 bits: tables of exp on [-10, 0]
 * and of 1 / (1 + x) on [0, 1] in units of 2^-15, 512 steps of 128 codes with lines between them.
 */
#include <math.h>

#include "backend/ref/refq.h"

static void softmax_8(const waio_refq_call *call)
{
    int64_t width = call->out.shape.dim[call->out.shape.rank - 1];
    int64_t rows = waio_shape_count(&call->out.shape) / width;
    float table[256];

    for (int k = 0; k < 256; k++)
        table[k] = expf(-call->in[0].params.scale[0] * (float)(255 - k));
    for (int64_t r = 0; r < rows; r++) {
        int32_t top = -128;
        float sum = 0;
        for (int64_t i = 0; i < width; i++) {
            int32_t code = waio_refq_code(&call->in[0], r * width + i);
            top = code > top ? code : top;
        }
        for (int64_t i = 0; i < width; i++)
            sum += table[255 - top + waio_refq_code(&call->in[0], r * width + i)];
        float inverse = 1.0f / (sum / 256.0f);
        for (int64_t i = 0; i < width; i++) {
            float t = table[255 - top + waio_refq_code(&call->in[0], r * width + i)];
            waio_refq_store(call, r * width + i,
                            waio_clampi((int32_t)roundf(t * inverse) - 128, -128, 127));
        }
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

void waio_refq_softmax_row(const waio_refq_call *call, const waio_refq_softmax_tables *t,
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

void waio_refq_softmax_fill(waio_refq_softmax_tables *tables)
{
    fill_table(tables->exp, exp, -10, 0);
    fill_table(tables->reciprocal, reciprocal, 0, 1);
}

static void softmax_16(const waio_refq_call *call)
{
    int64_t width = call->out.shape.dim[call->out.shape.rank - 1];
    int64_t rows = waio_shape_count(&call->out.shape) / width;
    waio_refq_softmax_tables t;

    waio_refq_softmax_fill(&t);
    for (int64_t r = 0; r < rows; r++)
        waio_refq_softmax_row(call, &t, r * width, width);
}

void waio_refq_softmax(const waio_refq_call *call)
{
    if (call->in[0].type == WAIO_S8)
        softmax_8(call);
    else
        softmax_16(call);
}
