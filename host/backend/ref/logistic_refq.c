/* Integer logistic. 8 bits: the desktop runtime's table, round(256 / (1 + e^-x)) - 128. 16 bits: a
 * table of 256 samples at steps of 1/24 with lines between them. */
#include <math.h>

#include "backend/ref/refq.h"

static void logistic_8(const waio_refq_call *call)
{
    const waio_value_params *p = &call->in[0].params;
    int64_t count = waio_shape_count(&call->out.shape);
    int8_t table[256];

    for (int32_t code = -128; code < 128; code++) {
        float x = waio_dequantize_code(code, p->scale[0], p->zero_point[0]);
        float y = 1.0f / (1.0f + expf(-x));
        table[code + 128] = (int8_t)waio_clampi((int32_t)roundf(y * 256.0f) - 128, -128, 127);
    }
    for (int64_t i = 0; i < count; i++)
        waio_refq_store(call, i, table[waio_refq_code(&call->in[0], i) + 128]);
}

static double sigmoid(int step)
{
    return 1 / (1 + exp(-step / 24.0));
}

/* Samples in units of 2^-16. Where a curve bends, the line between two samples lies beside it by
 * up to 1/8 of the second difference; each sample is moved by half of that, so that the line is as
 * far off in its middle as at its ends. The last one, at 10.6, stands for 1. */
static void fill_table(uint16_t table[256])
{
    for (int i = 0; i < 255; i++) {
        double bend = sigmoid(i + 1) - 2 * sigmoid(i) + sigmoid(i - 1);
        table[i] = (uint16_t)round(65536 * (sigmoid(i) - bend / 16));
    }
    table[255] = 65535;
}

/* What brings an input code to steps of 2^-9 / 24: a factor of 15 bits and a shift to the right. A
 * scale of 2^-12, to within a thousandth of a power, is taken as exact. */
static waio_multiplier input_multiplier(float scale)
{
    double factor = (double)scale * 4096.0 * 3.0;
    int shift = 0;

    if (fabsf(logf(scale) * (1 / logf(2.0f)) + 12) < 1e-3f)
        return (waio_multiplier){3, 0};
    while (factor <= 32767.0 / 2 && shift <= 30) {
        factor *= 2;
        shift++;
    }
    return (waio_multiplier){(int32_t)factor, shift};
}

/* Sigmoid in units of 2^-15 of x in steps of 2^-9 / 24. It is 1 - sigmoid(-x) for x < 0. */
static int32_t interpolate(const uint16_t table[256], int32_t x)
{
    uint32_t size = x < 0 ? 0u - (uint32_t)x : (uint32_t)x, at = size >> 9, rest = size & 511;
    uint32_t y = 0x7FFFu << 10;

    if (at < 255)
        y = ((uint32_t)table[at] << 9) + rest * (uint32_t)(table[at + 1] - table[at]);
    y = x >= 0 ? y + 512 : (UINT32_C(1) << 25) - y + 511;
    return (int32_t)(y >> 10);
}

static void logistic_16(const waio_refq_call *call)
{
    waio_multiplier m = input_multiplier(call->in[0].params.scale[0]);
    int64_t count = waio_shape_count(&call->out.shape);
    int64_t half = m.shift > 0 ? INT64_C(1) << (m.shift - 1) : 0;
    uint16_t table[256];

    fill_table(table);
    for (int64_t i = 0; i < count; i++) {
        int64_t x = (int64_t)waio_refq_code(&call->in[0], i) * m.m + half;
        waio_refq_store(call, i, interpolate(table, (int32_t)(x >> m.shift)));
    }
}

void waio_refq_logistic(const waio_refq_call *call)
{
    if (call->in[0].type == WAIO_S8)
        logistic_8(call);
    else
        logistic_16(call);
}
