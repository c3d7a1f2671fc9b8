/* Integer softmax and logistic: the reference's own code, with tables that are filled once. */
#include <math.h>
#include <stdlib.h>

#include "backend/cpu/int_op.h"
#include "backend/ref/refq.h"

/* Every code of the input through the reference. */
static waio_status create_logistic(waio_int_op *op, const waio_kernel *kernel)
{
    waio_status st = WAIO_OK;
    int64_t count = op->type == WAIO_S8 ? 256 : 65536;
    size_t bytes = waio_type_bytes(op->type);
    const waio_graph *graph = kernel->graph;
    waio_shape shape = WAIO_SHAPE(1, count);
    char *codes = malloc((size_t)count * bytes);

    op->table = malloc((size_t)count * bytes);
    if (!codes || !op->table)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++) {
        if (op->type == WAIO_S8)
            ((int8_t *)codes)[i] = (int8_t)(i - 128);
        else
            ((int16_t *)(void *)codes)[i] = (int16_t)(i - 32768);
    }
    waio_refq_tensor in = {shape, op->type, graph->value[kernel->node->input[0]].params, codes};
    waio_refq_tensor out = {shape, op->type, graph->value[kernel->node->output].params, NULL};
    WAIO_TRY(st, waio_refq_run(&(waio_refq_call){.node = kernel->node,
                                                 .requant = graph->requant,
                                                 .in = &in,
                                                 .out = out,
                                                 .result = op->table}));
done:
    free(codes);
    return st;
}

waio_status waio_int_create_table(waio_int_op *op, const waio_kernel *kernel, waio_isa isa)
{
    const waio_value_params *x = &kernel->graph->value[kernel->node->input[0]].params;

    (void)isa;
    if (kernel->node->op == WAIO_OP_LOGISTIC)
        return create_logistic(op, kernel);
    op->table = malloc(sizeof(waio_refq_softmax_tables));
    if (!op->table)
        return waio_error(WAIO_ENOMEM, "out of memory");
    waio_refq_softmax_fill(op->table, op->type, x->scale[0]);
    return WAIO_OK;
}

waio_status waio_int_logistic(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const waio_int_op *op = kernel->int_op;
    int64_t count = waio_shape_count(&kernel->out);

    if (op->type == WAIO_S8) {
        const int8_t *table = (const int8_t *)op->table + 128, *x = args->input[0];
        int8_t *y = (int8_t *)args->output;
        for (int64_t i = 0; i < count; i++)
            y[i] = table[x[i]];
    } else {
        const int16_t *table = (const int16_t *)op->table + 32768, *x = args->input[0];
        int16_t *y = (int16_t *)(void *)args->output;
        for (int64_t i = 0; i < count; i++)
            y[i] = table[x[i]];
    }
    return WAIO_OK;
}

/* The reference's rows with tables that are filled once. */
waio_status waio_int_softmax(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const waio_graph *graph = kernel->graph;
    const waio_value *x = &graph->value[kernel->node->input[0]];
    const waio_value *y = &graph->value[kernel->node->output];
    int64_t width = kernel->out.dim[kernel->out.rank - 1], lost = 0;
    int64_t count = waio_shape_count(&kernel->out);
    waio_refq_tensor in = {kernel->in[0], x->type, x->params, args->input[0]};
    waio_refq_call call = {.node = kernel->node,
                           .requant = graph->requant,
                           .in = &in,
                           .out = {kernel->out, y->type, y->params, NULL},
                           .result = args->output,
                           .lost = &lost};

    for (int64_t i = 0; i < count; i += width)
        waio_refq_softmax_row(&call, kernel->int_op->table, i, width);
    if (lost)
        return waio_error(WAIO_EUNSUPPORTED, "node \"%s\" (softmax): more than 65,536 numbers",
                          kernel->node->name);
    waio_int_clamp(kernel->int_op, args->output, count);
    return WAIO_OK;
}
