/* Elementwise loops, copies, padding and softmax. Float32 throughout; each result is the float
 * operation that the reference rounds to, except softmax, logistic and batch norm, which agree
 * with it to a few units in the last place. */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu_kernel.h"
#include "backend/ref/ref.h"
#include "util/simd.h"

WAIO_SIMD static void clamp_all(float *y, const float *x, size_t n, float lo, float hi)
{
    for (size_t i = 0; i < n; i++)
        y[i] = waio_clampf(x[i], lo, hi);
}

void waio_cpu_clamp_output(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_clamp clamp = kernel->node->clamp;
    if (!waio_clamp_is_none(clamp) && !args->clamp_follows)
        clamp_all(args->output, args->output, (size_t)waio_shape_count(&kernel->out), clamp.lo,
                  clamp.hi);
}

waio_status waio_cpu_clip(const waio_kernel *kernel, const waio_kernel_args *args)
{
    clamp_all(args->output, args->input[0], (size_t)waio_shape_count(&kernel->out),
              kernel->node->clamp.lo, kernel->node->clamp.hi);
    return WAIO_OK;
}

WAIO_SIMD static void scale_channels(float *y, const float *x, size_t rows, size_t channels,
                                     const float *mean, const float *k, const float *beta,
                                     waio_clamp clamp)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < channels; c++)
            y[r * channels + c] =
                waio_clampf((x[r * channels + c] - mean[c]) * k[c] + beta[c], clamp.lo, clamp.hi);
}

/* The mean is taken away first: x * k - mean * k would lose the digits that the two share. */

waio_status waio_cpu_batch_norm(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const float *const *p = (const float *const *)args->input;
    size_t channels = (size_t)kernel->out.dim[kernel->out.rank - 1];
    size_t rows = (size_t)waio_shape_count(&kernel->out) / channels;
    float *k = args->scratch;

    for (size_t c = 0; c < channels; c++)
        k[c] = (float)(p[1][c] / sqrt((double)p[4][c] + (double)kernel->node->epsilon));
    scale_channels(args->output, p[0], rows, channels, p[3], k, p[2], kernel->node->clamp);
    return WAIO_OK;
}

waio_status waio_cpu_logistic(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const float *x = args->input[0];
    size_t n = (size_t)waio_shape_count(&kernel->out);

    for (size_t i = 0; i < n; i++)
        args->output[i] = 1.0f / (1.0f + expf(-x[i]));
    waio_cpu_clamp_output(kernel, args);
    return WAIO_OK;
}

waio_status waio_cpu_softmax(const waio_kernel *kernel, const waio_kernel_args *args)
{
    size_t width = (size_t)kernel->out.dim[kernel->out.rank - 1];
    size_t rows = (size_t)waio_shape_count(&kernel->out) / width;

    for (size_t r = 0; r < rows; r++) {
        const float *x = (const float *)args->input[0] + r * width;
        float *y = args->output + r * width, top = x[0], sum = 0;
        for (size_t i = 1; i < width; i++)
            top = x[i] > top ? x[i] : top;
        for (size_t i = 0; i < width; i++)
            sum += y[i] = expf(x[i] - top);
        for (size_t i = 0; i < width; i++)
            y[i] /= sum;
    }
    waio_cpu_clamp_output(kernel, args);
    return WAIO_OK;
}

/* ---- two inputs ---- */

/* How the second operand repeats: 0 it does not, else it has `period` numbers, one per channel. */
static bool per_channel(const waio_shape *operand, const waio_shape *out)
{
    int64_t n = waio_shape_count(operand);
    return n == 1 || (operand->rank >= 1 && n == operand->dim[operand->rank - 1] &&
                      n == out->dim[out->rank - 1]);
}

bool waio_cpu_binary_supported(const waio_graph *graph, const waio_node *node)
{
    const waio_shape *a = &graph->value[node->input[0]].shape;
    const waio_shape *b = &graph->value[node->input[1]].shape;
    const waio_shape *out = &graph->value[node->output].shape;

    if (waio_shape_equal(a, b))
        return true;
    /* Computed operands carry the batch, so only a constant can be per channel. */
    if (waio_value_is_const(graph, node->input[1]))
        return waio_shape_equal(a, out) && per_channel(b, out);
    return waio_value_is_const(graph, node->input[0]) && waio_shape_equal(b, out) &&
           per_channel(a, out);
}

#define BINARY_LOOPS(name, expression)                                                             \
    WAIO_SIMD static void name##_same(float *y, const float *x, const float *z, size_t n,          \
                                      waio_clamp clamp)                                            \
    {                                                                                              \
        for (size_t i = 0; i < n; i++) {                                                           \
            float a = x[i], b = z[i];                                                              \
            y[i] = waio_clampf(expression, clamp.lo, clamp.hi);                                    \
        }                                                                                          \
    }                                                                                              \
    WAIO_SIMD static void name##_channels(float *y, const float *x, const float *z, size_t rows,   \
                                          size_t channels, waio_clamp clamp)                       \
    {                                                                                              \
        for (size_t r = 0; r < rows; r++)                                                          \
            for (size_t c = 0; c < channels; c++) {                                                \
                float a = x[r * channels + c], b = z[c];                                           \
                y[r * channels + c] = waio_clampf(expression, clamp.lo, clamp.hi);                 \
            }                                                                                      \
    }

BINARY_LOOPS(add, a + b)
BINARY_LOOPS(subtract, a - b)
BINARY_LOOPS(subtract_from, b - a)
BINARY_LOOPS(multiply, a *b)
BINARY_LOOPS(larger, a > b || a != a ? a : b)

typedef struct binary_loops {
    void (*same)(float *, const float *, const float *, size_t, waio_clamp);
    void (*channels)(float *, const float *, const float *, size_t, size_t, waio_clamp);
} binary_loops;

static binary_loops loops_of(waio_op op, bool swapped)
{
    switch (op) {
    case WAIO_OP_ADD:
        return (binary_loops){add_same, add_channels};
    case WAIO_OP_SUB:
        return swapped ? (binary_loops){subtract_from_same, subtract_from_channels}
                       : (binary_loops){subtract_same, subtract_channels};
    case WAIO_OP_MUL:
        return (binary_loops){multiply_same, multiply_channels};
    default:
        return (binary_loops){larger_same, larger_channels};
    }
}

waio_status waio_cpu_binary(const waio_kernel *kernel, const waio_kernel_args *args)
{
    bool swapped = !waio_shape_equal(&kernel->in[0], &kernel->out);
    const waio_shape *operand = &kernel->in[swapped ? 0 : 1];
    const float *x = args->input[swapped ? 1 : 0], *z = args->input[swapped ? 0 : 1];
    size_t n = (size_t)waio_shape_count(&kernel->out), period = (size_t)waio_shape_count(operand);
    binary_loops loops = loops_of(kernel->node->op, swapped);

    if (waio_shape_equal(operand, &kernel->out))
        loops.same(args->output, x, z, n, kernel->node->clamp);
    else
        loops.channels(args->output, x, z, n / period, period, kernel->node->clamp);
    return WAIO_OK;
}

/* ---- copies ---- */

waio_status waio_cpu_copy(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_ref_run(&(waio_ref_call){kernel->node, kernel->in, &kernel->out,
                                  (const float *const *)args->input, args->output});
    return WAIO_OK;
}

waio_status waio_cpu_pad(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const waio_pad_params *p = &kernel->node->pad;
    const int64_t *in = kernel->in[0].dim, *out = kernel->out.dim;
    size_t row = (size_t)(in[2] * in[3]);
    const float *x = args->input[0];
    size_t count = (size_t)waio_shape_count(&kernel->out);

    for (size_t i = 0; i < count; i++)
        args->output[i] = p->value;
    for (int64_t n = 0; n < in[0]; n++)
        for (int64_t h = 0; h < in[1]; h++, x += row)
            memcpy(args->output +
                       ((n * out[1] + h + p->before[1]) * out[2] + p->before[2]) * out[3],
                   x, row * sizeof *x);
    waio_cpu_clamp_output(kernel, args);
    return WAIO_OK;
}
