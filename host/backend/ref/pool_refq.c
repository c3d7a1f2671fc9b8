/* Integer pooling, mean and sum. Averages divide the sum of codes by the number of real cells, half
 * away from zero (codes of uint8 files, which are not negative there, up); mean and sum over axes
 * requantize where scales differ. */
#include "backend/ref/refq.h"

/* The window of an output cell: real cells [y0, y1) x [x0, x1), and all that count, which with
 * count_include_pad are those of the padding as well (of code z, up to the padded image's end). */
typedef struct window {
    int64_t y0, y1, x0, x1, cells;
} window;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static window window_at(const waio_refq_call *call, int64_t oy, int64_t ox)
{
    const waio_pool_params *p = &call->node->pool;
    const int64_t *in = call->in[0].shape.dim;
    int64_t y = oy * p->stride[0] - p->pad[0], x = ox * p->stride[1] - p->pad[1];
    int64_t y1 = y + p->kernel[0], x1 = x + p->kernel[1];
    window w = {y < 0 ? 0 : y, least(y1, in[1]), x < 0 ? 0 : x, least(x1, in[2]), 0};

    w.cells = (w.y1 - w.y0) * (w.x1 - w.x0);
    if (p->count_include_pad)
        w.cells = (least(y1, in[1] + p->pad[2]) - y) * (least(x1, in[2] + p->pad[3]) - x);
    return w;
}

static int64_t window_max(const waio_refq_call *call, window w, int64_t n, int64_t ch)
{
    const int64_t *in = call->in[0].shape.dim;
    int64_t best = INT32_MIN;

    for (int64_t y = w.y0; y < w.y1; y++)
        for (int64_t x = w.x0; x < w.x1; x++) {
            int64_t code = waio_refq_code(&call->in[0], ((n * in[1] + y) * in[2] + x) * in[3] + ch);
            best = code > best ? code : best;
        }
    return best;
}

static int64_t window_average(const waio_refq_call *call, window w, int64_t n, int64_t ch)
{
    const int64_t *in = call->in[0].shape.dim;
    int64_t real = (w.y1 - w.y0) * (w.x1 - w.x0);
    int64_t sum = (w.cells - real) * call->in[0].params.zero_point[0];

    for (int64_t y = w.y0; y < w.y1; y++)
        for (int64_t x = w.x0; x < w.x1; x++)
            sum += waio_refq_code(&call->in[0], ((n * in[1] + y) * in[2] + x) * in[3] + ch);
    if (call->out.params.u8)
        return (sum + 128 * w.cells + w.cells / 2) / w.cells - 128;
    return sum > 0 ? (sum + w.cells / 2) / w.cells : (sum - w.cells / 2) / w.cells;
}

static void pool(const waio_refq_call *call,
                 int64_t (*of)(const waio_refq_call *, window, int64_t, int64_t))
{
    const int64_t *out = call->out.shape.dim;
    waio_refq_limits limits = waio_refq_output_limits(call);
    int64_t at = 0;

    for (int64_t n = 0; n < out[0]; n++)
        for (int64_t oy = 0; oy < out[1]; oy++)
            for (int64_t ox = 0; ox < out[2]; ox++) {
                window w = window_at(call, oy, ox);
                for (int64_t ch = 0; ch < out[3]; ch++, at++)
                    waio_refq_store(call, at,
                                    waio_clampi((int32_t)of(call, w, n, ch), limits.lo, limits.hi));
            }
}

void waio_refq_avg_pool(const waio_refq_call *call)
{
    pool(call, window_average);
}

void waio_refq_max_pool(const waio_refq_call *call)
{
    pool(call, window_max);
}

/* Sum of codes over the reduced axes; `at` holds the kept coordinates. */
static int64_t reduce_from(const waio_refq_call *call, int axis, int64_t offset, const int64_t *at)
{
    const waio_shape *in = &call->in[0].shape;

    if (axis == in->rank)
        return waio_refq_code(&call->in[0], offset);
    if (!(call->node->reduce.axes >> axis & 1u))
        return reduce_from(call, axis + 1, offset * in->dim[axis] + at[axis], at);
    int64_t sum = 0;
    for (int64_t i = 0; i < in->dim[axis]; i++)
        sum += reduce_from(call, axis + 1, offset * in->dim[axis] + i, at);
    return sum;
}

waio_multiplier waio_refq_divide_multiplier(waio_multiplier m, int64_t n)
{
    int shift = 63 - __builtin_clzll((uint64_t)n);

    shift = shift < 32 ? shift : 32;
    shift = shift < 31 + m.shift ? shift : 31 + m.shift;
    return (waio_multiplier){(int32_t)(((int64_t)m.m << shift) / n), m.shift - shift};
}

static void reduce(const waio_refq_call *call, bool mean)
{
    const waio_shape *in = &call->in[0].shape;
    const waio_value_params *p = &call->in[0].params, *q = &call->out.params;
    int64_t count = waio_shape_count(&call->out.shape), at[WAIO_MAX_RANK] = {0};
    int64_t cells = waio_shape_count(in) / count;
    double real = (double)p->scale[0] / (double)q->scale[0] / (mean ? (double)cells : 1.0);
    waio_multiplier m = waio_multiplier_of((double)p->scale[0] / (double)q->scale[0]);
    waio_refq_limits limits = waio_refq_output_limits(call);

    if (mean)
        m = waio_refq_divide_multiplier(m, cells);
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i;
        for (int d = in->rank - 1; d >= 0; d--) {
            bool reduced = call->node->reduce.axes >> d & 1u;
            at[d] = reduced ? 0 : rest % in->dim[d];
            rest = reduced ? rest : rest / in->dim[d];
        }
        int64_t sum = reduce_from(call, 0, 0, at) - p->zero_point[0] * cells;
        int32_t code =
            waio_multiply_by_quantized(waio_refq_narrow(call, sum), m, real, call->requant);
        waio_refq_store(call, i, waio_finish_code(code, q->zero_point[0], limits.lo, limits.hi));
    }
}

void waio_refq_mean(const waio_refq_call *call)
{
    reduce(call, true);
}

void waio_refq_sum(const waio_refq_call *call)
{
    reduce(call, false);
}
