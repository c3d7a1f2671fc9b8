/* Integer add, sub, mul, maximum of equal shapes, with a constant that has one number or one per
 * channel, or with a computed operand of one number per image and channel. */
#include <math.h>
#include <string.h>

#include "backend/cpu/int_op.h"

enum { PIECE = 256 }; /* a repeated constant is spread over at least so many numbers */

static const waio_value_params *params(const waio_kernel *kernel, int i)
{
    return &kernel->graph->value[kernel->node->input[i]].params;
}

static waio_status create_sum(waio_int_op *op, const waio_kernel *kernel, waio_isa isa)
{
    waio_status st = WAIO_OK;
    waio_requant rounding = kernel->graph->requant;
    double a = (double)params(kernel, 0)->scale[0], b = (double)params(kernel, 1)->scale[0];
    double y = (double)kernel->graph->value[kernel->node->output].params.scale[0];
    double twice = 2 * fmax(a, b);

    op->left = op->type == WAIO_S8 ? 20 : 15;
    double out = twice / ((double)(1 << op->left) * y);
    WAIO_TRY(st, waio_int_requant_uniform(&op->in[0], rounding, waio_multiplier_of(a / twice),
                                          a / twice, isa));
    WAIO_TRY(st, waio_int_requant_uniform(&op->in[1], rounding, waio_multiplier_of(b / twice),
                                          b / twice, isa));
    WAIO_TRY(st, waio_int_requant_uniform(&op->out, rounding, waio_multiplier_of(out), out, isa));
done:
    return st;
}

waio_status waio_int_create_binary(waio_int_op *op, const waio_kernel *kernel, waio_isa isa)
{
    float a = params(kernel, 0)->scale[0], b = params(kernel, 1)->scale[0];
    float y = kernel->graph->value[kernel->node->output].params.scale[0];
    waio_requant rounding = kernel->graph->requant;

    for (int i = 0; i < 2; i++)
        op->zero_point[i] = params(kernel, i)->zero_point[0];
    if (kernel->node->op == WAIO_OP_MAXIMUM)
        return WAIO_OK;
    if (kernel->node->op != WAIO_OP_MUL)
        return create_sum(op, kernel, isa);
    double real =
        rounding == WAIO_REQUANT_TFLITE ? (double)(a * b / y) : (double)a * (double)b / (double)y;
    return waio_int_requant_uniform(&op->out, rounding, waio_multiplier_of(real), real, isa);
}

static waio_int_form form_of(waio_op op)
{
    switch (op) {
    case WAIO_OP_ADD:
        return WAIO_INT_ADD;
    case WAIO_OP_SUB:
        return WAIO_INT_SUB;
    case WAIO_OP_MUL:
        return WAIO_INT_MUL;
    default:
        return WAIO_INT_MAX;
    }
}

/* (N, 1, ..., 1, C) beside `out`. */
static bool per_image_channel(const waio_shape *x, const waio_shape *out)
{
    for (int d = 1; d < x->rank - 1; d++)
        if (x->dim[d] != 1)
            return false;
    return x->rank == out->rank && x->rank >= 2 && x->dim[0] == out->dim[0] &&
           x->dim[x->rank - 1] == out->dim[x->rank - 1];
}

bool waio_int_binary_supported(const waio_graph *graph, const waio_node *node)
{
    const waio_shape *a = &graph->value[node->input[0]].shape;
    const waio_shape *b = &graph->value[node->input[1]].shape;
    const waio_shape *out = &graph->value[node->output].shape;

    if (waio_cpu_binary_supported(graph, node))
        return true;
    if (waio_value_is_const(graph, node->input[0]) || waio_value_is_const(graph, node->input[1]))
        return false;
    return (waio_shape_equal(a, out) && per_image_channel(b, out)) ||
           (waio_shape_equal(b, out) && per_image_channel(a, out));
}

/* Which operand is repeated, after how many numbers (0: none is), and how often it changes. */
typedef struct repetition {
    int operand;
    int64_t period, images;
} repetition;

static repetition repetition_of(const waio_kernel *kernel)
{
    repetition r = {.operand = waio_shape_equal(&kernel->in[1], &kernel->out) ? 0 : 1, .images = 1};
    const waio_shape *x = &kernel->in[r.operand];

    if (waio_shape_equal(x, &kernel->out))
        return r;
    if (!waio_value_is_const(kernel->graph, kernel->node->input[r.operand]))
        r.images = x->dim[0];
    r.period = waio_shape_count(x) / r.images;
    return r;
}

static int64_t spread_of(int64_t period)
{
    return period ? period * ((PIECE + period - 1) / period) : 0;
}

size_t waio_int_op_scratch_bytes(const waio_kernel *kernel)
{
    switch (kernel->node->op) {
    case WAIO_OP_ADD:
    case WAIO_OP_SUB:
    case WAIO_OP_MUL:
    case WAIO_OP_MAXIMUM:
        return (size_t)spread_of(repetition_of(kernel).period) * 2;
    case WAIO_OP_AVG_POOL:
    case WAIO_OP_MEAN:
    case WAIO_OP_SUM: /* a sum a channel */
        return (size_t)kernel->in[0].dim[kernel->in[0].rank - 1] * sizeof(int32_t);
    default:
        return 0;
    }
}

/* Numbers [from, to); the repeated operand's begin at `at` and are spread first. */
static void run_image(const waio_kernel *kernel, const waio_kernel_args *args, const repetition *r,
                      int64_t from, int64_t to, const char *at)
{
    const waio_int_op *op = kernel->int_op;
    size_t bytes = waio_type_bytes(op->type);
    int64_t spread = spread_of(r->period), step = r->period ? spread : to - from;

    for (int64_t i = 0; i < spread; i += r->period)
        memcpy((char *)args->scratch + (size_t)i * bytes, at, (size_t)r->period * bytes);
    for (int64_t i = from; i < to; i += step) {
        const char *x[2];
        for (int k = 0; k < 2; k++)
            x[k] = r->period && k == r->operand ? (const char *)args->scratch
                                                : (const char *)args->input[k] + (size_t)i * bytes;
        waio_int_flat_run(op, form_of(kernel->node->op),
                          &(waio_int_flat){x[0], x[1], (char *)args->output + (size_t)i * bytes,
                                           to - i < step ? to - i : step});
    }
}

waio_status waio_int_binary(const waio_kernel *kernel, const waio_kernel_args *args)
{
    repetition r = repetition_of(kernel);
    size_t bytes = waio_type_bytes(kernel->int_op->type);
    int64_t count = waio_shape_count(&kernel->out) / r.images;

    for (int64_t n = 0; n < r.images; n++)
        run_image(kernel, args, &r, n * count, (n + 1) * count,
                  (const char *)args->input[r.operand] + (size_t)(n * r.period) * bytes);
    return WAIO_OK;
}
