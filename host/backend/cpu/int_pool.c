/* Integer pooling over windows, mean and sum over an image, NHWC: inner loops run over channels.
 * Sums have 32 bits: up to 65,535 cells of 16-bit codes (waio_int_supports asks). */
#include <string.h>

#include "backend/cpu/int_op.h"
#include "backend/ref/refq.h"
#include "util/simd.h"

WAIO_SIMD static void add_s8(int32_t *sum, const int8_t *x, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        sum[c] += x[c];
}

WAIO_SIMD static void add_s16(int32_t *sum, const int16_t *x, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        sum[c] += x[c];
}

static void add_cell(const waio_int_op *op, int32_t *sum, const void *x, int64_t at,
                     int64_t channels)
{
    if (op->type == WAIO_S8)
        add_s8(sum, (const int8_t *)x + at, channels);
    else
        add_s16(sum, (const int16_t *)x + at, channels);
}

/* Sums over `cells`, half away from zero: the quotient of whole numbers of 32 bits in float64,
 * truncated, is the whole quotient, since it lies further from the next one than its rounding. */
WAIO_SIMD static void average(int32_t *sum, int64_t channels, int32_t offset, int32_t cells)
{
    int32_t half = cells / 2;
    double by = (double)cells;

    for (int64_t c = 0; c < channels; c++) {
        int32_t s = sum[c] + offset;
        sum[c] = (int32_t)((double)(s > 0 ? s + half : s - half) / by);
    }
}

/* The same of codes of uint8 files, which lie 128 lower than there: halves go up. */
WAIO_SIMD static void average_u8(int32_t *sum, int64_t channels, int32_t offset, int32_t cells)
{
    int32_t add = offset + 128 * cells + cells / 2;
    double by = (double)cells;

    for (int64_t c = 0; c < channels; c++)
        sum[c] = (int32_t)((double)(sum[c] + add) / by) - 128;
}

/* Codes within the op's limits, from 32-bit numbers. */
WAIO_SIMD static void store_s8(int8_t *y, const int32_t *x, int64_t channels, int32_t lo,
                               int32_t hi)
{
    for (int64_t c = 0; c < channels; c++)
        y[c] = (int8_t)waio_clampi(x[c], lo, hi);
}

WAIO_SIMD static void store_s16(int16_t *y, const int32_t *x, int64_t channels, int32_t lo,
                                int32_t hi)
{
    for (int64_t c = 0; c < channels; c++)
        y[c] = (int16_t)waio_clampi(x[c], lo, hi);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The window of an output cell; `cells` is what an average divides by. */
typedef struct window {
    int64_t y0, y1, x0, x1, cells;
} window;

static window window_at(const waio_kernel *k, int64_t oy, int64_t ox)
{
    const waio_pool_params *p = &k->node->pool;
    const int64_t *in = k->in[0].dim;
    int64_t y = oy * p->stride[0] - p->pad[0], x = ox * p->stride[1] - p->pad[1];
    int64_t y1 = y + p->kernel[0], x1 = x + p->kernel[1];
    window w = {y < 0 ? 0 : y, smaller(y1, in[1]), x < 0 ? 0 : x, smaller(x1, in[2]), 0};

    w.cells = (w.y1 - w.y0) * (w.x1 - w.x0);
    if (p->count_include_pad)
        w.cells = (smaller(y1, in[1] + p->pad[2]) - y) * (smaller(x1, in[2] + p->pad[3]) - x);
    return w;
}

static void average_cell(const waio_kernel *k, const waio_kernel_args *args, window w, int64_t n,
                         char *y)
{
    const waio_int_op *op = k->int_op;
    const int64_t *in = k->in[0].dim;
    int32_t *sum = args->scratch;
    int64_t real = (w.y1 - w.y0) * (w.x1 - w.x0);

    memset(sum, 0, (size_t)in[3] * sizeof *sum);
    for (int64_t r = w.y0; r < w.y1; r++)
        for (int64_t c = w.x0; c < w.x1; c++)
            add_cell(op, sum, args->input[0], ((n * in[1] + r) * in[2] + c) * in[3], in[3]);
    (op->u8 ? average_u8 : average)(sum, in[3], (int32_t)((w.cells - real) * op->out_zero_point),
                                    (int32_t)w.cells);
    if (op->type == WAIO_S8)
        store_s8((int8_t *)y, sum, in[3], op->lo, op->hi);
    else
        store_s16((int16_t *)(void *)y, sum, in[3], op->lo, op->hi);
}

static void largest_cell(const waio_kernel *k, const waio_kernel_args *args, window w, int64_t n,
                         char *y)
{
    const waio_int_op *op = k->int_op;
    const int64_t *in = k->in[0].dim;
    size_t bytes = waio_type_bytes(op->type);

    for (int64_t c = 0; c < in[3]; c++) { /* the lowest code stays where a window is all padding */
        if (op->type == WAIO_S8)
            ((int8_t *)y)[c] = (int8_t)op->lo;
        else
            ((int16_t *)(void *)y)[c] = (int16_t)op->lo;
    }
    for (int64_t r = w.y0; r < w.y1; r++)
        for (int64_t c = w.x0; c < w.x1; c++) {
            int64_t at = ((n * in[1] + r) * in[2] + c) * in[3];
            const char *x = (const char *)args->input[0] + (size_t)at * bytes;
            /* A clamp of each keeps the clamp of the largest. */
            waio_int_flat_run(op, WAIO_INT_MAX, &(waio_int_flat){x, y, y, in[3]});
        }
}

waio_status waio_int_pool(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const int64_t *out = kernel->out.dim;
    size_t cell = (size_t)out[3] * waio_type_bytes(kernel->int_op->type);
    bool average_it = kernel->node->op == WAIO_OP_AVG_POOL;
    char *y = (char *)args->output;

    for (int64_t n = 0; n < out[0]; n++)
        for (int64_t oy = 0; oy < out[1]; oy++)
            for (int64_t ox = 0; ox < out[2]; ox++, y += cell)
                (average_it ? average_cell : largest_cell)(kernel, args, window_at(kernel, oy, ox),
                                                           n, y);
    return WAIO_OK;
}

/* ---- mean and sum over height and width ---- */

waio_status waio_int_create_reduce(waio_int_op *op, const waio_kernel *kernel, waio_isa isa)
{
    const waio_value_params *x = &kernel->graph->value[kernel->node->input[0]].params;
    const waio_value_params *y = &kernel->graph->value[kernel->node->output].params;
    int64_t cells = kernel->in[0].dim[1] * kernel->in[0].dim[2];
    bool mean = kernel->node->op == WAIO_OP_MEAN;
    double real = (double)x->scale[0] / (double)y->scale[0];
    waio_multiplier m = waio_multiplier_of(real);

    op->zero_point[0] = x->zero_point[0];
    return waio_int_requant_uniform(&op->out, kernel->graph->requant,
                                    mean ? waio_refq_divide_multiplier(m, cells) : m,
                                    real / (mean ? (double)cells : 1.0), isa);
}

/* Sums of channels, less the zero points of all cells, to codes. */
static void finish(const waio_int_op *op, char *y, int32_t *sum, int64_t channels, int32_t offset)
{
    int32_t lo = op->lo, hi = op->hi, z = op->out_zero_point;

    for (int64_t c = 0; c < channels; c++)
        sum[c] = waio_finish_code(waio_multiply_by_quantized(sum[c] - offset, op->out.multiplier[0],
                                                             op->out.real[0], op->out.rounding),
                                  z, lo, hi);
    if (op->type == WAIO_S8)
        store_s8((int8_t *)y, sum, channels, lo, hi);
    else
        store_s16((int16_t *)(void *)y, sum, channels, lo, hi);
}

waio_status waio_int_reduce(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const waio_int_op *op = kernel->int_op;
    const int64_t *in = kernel->in[0].dim;
    int64_t cells = in[1] * in[2], at = 0;
    int32_t *sum = args->scratch;

    for (int64_t n = 0; n < in[0]; n++) {
        memset(sum, 0, (size_t)in[3] * sizeof *sum);
        for (int64_t i = 0; i < cells; i++, at += in[3])
            add_cell(op, sum, args->input[0], at, in[3]);
        finish(op, (char *)args->output + (size_t)(n * in[3]) * waio_type_bytes(op->type), sum,
               in[3], (int32_t)(op->zero_point[0] * cells));
    }
    return WAIO_OK;
}
