/* Integer add, sub, mul, maximum of equal shapes, or with a constant that has one number or one per
 * channel. */
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

/* Numbers of the repeated operand, 0 if none is, and where a spread one ends: whole repetitions. */
static int64_t period_of(const waio_kernel *kernel, int *repeated)
{
    *repeated = waio_shape_equal(&kernel->in[1], &kernel->out) ? 0 : 1;
    return waio_shape_equal(&kernel->in[*repeated], &kernel->out)
               ? 0
               : waio_shape_count(&kernel->in[*repeated]);
}

static int64_t spread_of(int64_t period)
{
    return period ? period * ((PIECE + period - 1) / period) : 0;
}

size_t waio_int_op_scratch_bytes(const waio_kernel *kernel)
{
    int repeated = 0;

    switch (kernel->node->op) {
    case WAIO_OP_ADD:
    case WAIO_OP_SUB:
    case WAIO_OP_MUL:
    case WAIO_OP_MAXIMUM:
        return (size_t)spread_of(period_of(kernel, &repeated)) * 2;
    case WAIO_OP_AVG_POOL:
    case WAIO_OP_MEAN:
    case WAIO_OP_SUM: /* a sum a channel */
        return (size_t)kernel->in[0].dim[kernel->in[0].rank - 1] * sizeof(int32_t);
    default:
        return 0;
    }
}

waio_status waio_int_binary(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const waio_int_op *op = kernel->int_op;
    size_t bytes = waio_type_bytes(op->type);
    int repeated = 0;
    int64_t period = period_of(kernel, &repeated), spread = spread_of(period);
    int64_t count = waio_shape_count(&kernel->out), step = period ? spread : count;
    waio_int_form form = form_of(kernel->node->op);

    for (int64_t i = 0; i < spread; i += period)
        memcpy((char *)args->scratch + (size_t)i * bytes, args->input[repeated],
               (size_t)period * bytes);
    for (int64_t i = 0; i < count; i += step) {
        const char *x[2];
        for (int k = 0; k < 2; k++)
            x[k] = period && k == repeated ? (const char *)args->scratch
                                           : (const char *)args->input[k] + (size_t)i * bytes;
        waio_int_flat_run(op, form,
                          &(waio_int_flat){x[0], x[1], (char *)args->output + (size_t)i * bytes,
                                           count - i < step ? count - i : step});
    }
    return WAIO_OK;
}
