/* Integer resize: nearest picks codes, bilinear weighs four of them in fixed point with 10 bits per
 * axis and rounds half away from zero, or upwards where requantization rounds once; codes of uint8
 * files in float32, halves up. */
#include <math.h>

#include "backend/ref/ref.h"
#include "backend/ref/refq.h"

enum { ONE = 1 << 10 };

/* Source cells of output cell `i`: position in 1/1024 cells, the cell below and the one above. */
typedef struct source {
    int32_t at, lower, upper;
} source;

static source source_of(const waio_resize_params *p, int64_t i, int64_t in, int64_t out)
{
    int32_t scale = (int32_t)((ONE * in + out / 2) / out);

    if (p->align_corners && out > 1)
        scale = (int32_t)((ONE * (in - 1) + (out - 1) / 2) / (out - 1));
    int32_t at = (int32_t)i * scale;
    if (p->half_pixel)
        at += scale / 2 - ONE / 2;
    int32_t last = (int32_t)in - 1;
    return (source){at, waio_clampi(at / ONE, 0, last), waio_clampi((at + ONE - 1) / ONE, 0, last)};
}

static int32_t blend(const waio_refq_call *call, int64_t n, source y, source x, int64_t ch)
{
    const int64_t *in = call->in[0].shape.dim;
    int64_t row0 = (n * in[1] + y.lower) * in[2], row1 = (n * in[1] + y.upper) * in[2];
    int64_t fy = y.at - ONE * y.lower, fx = x.at - ONE * x.lower;
    int64_t sum = 0;

    sum += waio_refq_code(&call->in[0], (row0 + x.lower) * in[3] + ch) * (ONE - fy) * (ONE - fx);
    sum += waio_refq_code(&call->in[0], (row1 + x.lower) * in[3] + ch) * fy * (ONE - fx);
    sum += waio_refq_code(&call->in[0], (row0 + x.upper) * in[3] + ch) * (ONE - fy) * fx;
    sum += waio_refq_code(&call->in[0], (row1 + x.upper) * in[3] + ch) * fy * fx;
    if (call->requant == WAIO_REQUANT_SINGLE)
        return (int32_t)((sum + (INT64_C(1) << 19)) >> 20);
    int64_t half = sum > 0 ? INT64_C(1) << 19 : -(INT64_C(1) << 19);
    return (int32_t)((sum + half) / (INT64_C(1) << 20));
}

/* Position of output cell `i` as a float, and its cells. */
typedef struct float_source {
    float at;
    int64_t lower, upper;
} float_source;

static float_source float_source_of(const waio_resize_params *p, int64_t i, int64_t in, int64_t out)
{
    bool corners = p->align_corners && out > 1;
    float scale = corners ? (float)(in - 1) / (float)(out - 1) : (float)in / (float)out;
    float at = p->half_pixel ? ((float)i + 0.5f) * scale - 0.5f : (float)i * scale;
    int64_t lower = (int64_t)floorf(at), upper = (int64_t)ceilf(at);

    return (float_source){at, lower > 0 ? lower : 0, upper < in - 1 ? upper : in - 1};
}

static int32_t blend_u8(const waio_refq_call *call, int64_t n, float_source y, float_source x,
                        int64_t ch)
{
    const int64_t *in = call->in[0].shape.dim;
    int64_t row0 = (n * in[1] + y.lower) * in[2], row1 = (n * in[1] + y.upper) * in[2];
    const int64_t at[4] = {row0 + x.lower, row1 + x.lower, row0 + x.upper, row1 + x.upper};
    float fy = y.at - (float)y.lower, fx = x.at - (float)x.lower, code[4];

    for (int i = 0; i < 4; i++)
        code[i] = (float)(waio_refq_code(&call->in[0], at[i] * in[3] + ch) + 128);
    float sum = code[0] * (1 - fy) * (1 - fx) + code[1] * fy * (1 - fx) + code[2] * (1 - fy) * fx +
                code[3] * fy * fx + 0.5f;
    return (int32_t)sum - 128;
}

/* The code of channel `ch` at output cell (oy, ox). */
static int32_t code_of(const waio_refq_call *call, int64_t n, int64_t oy, int64_t ox, int64_t ch)
{
    const waio_resize_params *p = &call->node->resize;
    const int64_t *in = call->in[0].shape.dim, *out = call->out.shape.dim;

    if (!p->bilinear) {
        int64_t y = waio_ref_nearest(p, oy, in[1], out[1]);
        int64_t x = waio_ref_nearest(p, ox, in[2], out[2]);
        return waio_refq_code(&call->in[0], ((n * in[1] + y) * in[2] + x) * in[3] + ch);
    }
    if (call->out.params.u8)
        return blend_u8(call, n, float_source_of(p, oy, in[1], out[1]),
                        float_source_of(p, ox, in[2], out[2]), ch);
    return blend(call, n, source_of(p, oy, in[1], out[1]), source_of(p, ox, in[2], out[2]), ch);
}

void waio_refq_resize(const waio_refq_call *call)
{
    const int64_t *out = call->out.shape.dim;
    int64_t at = 0;

    for (int64_t n = 0; n < out[0]; n++)
        for (int64_t oy = 0; oy < out[1]; oy++)
            for (int64_t ox = 0; ox < out[2]; ox++)
                for (int64_t ch = 0; ch < out[3]; ch++, at++)
                    waio_refq_store(call, at, code_of(call, n, oy, ox, ch));
}
