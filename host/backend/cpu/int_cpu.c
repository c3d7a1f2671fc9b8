/* Which integer kernel runs a node. */
#include "backend/cpu/cpu_kernel.h"
#include "backend/ref/refq.h"

static waio_status run_conv(const waio_kernel *kernel, const waio_kernel_args *args)
{
    return waio_int_conv_run(kernel->int_conv, args);
}

bool waio_int_supports(const waio_graph *graph, const waio_node *node, const char **reason)
{
    (void)graph;
    *reason = "no fast integer loop yet";
    return waio_op_weighted(node->op);
}

waio_status waio_int_create(waio_kernel *kernel, const waio_graph *graph, int64_t batch)
{
    waio_status st = WAIO_OK;
    waio_isa isa = WAIO_ISA_PORTABLE;

    WAIO_TRY(st, waio_refq_check(graph, kernel->node));
    WAIO_TRY(st, waio_isa_choose(&isa));
    kernel->graph = graph;
    if (waio_op_weighted(kernel->node->op)) {
        WAIO_TRY(st, waio_int_conv_create(&kernel->int_conv, graph, kernel->node, batch, isa));
        kernel->loop = run_conv;
    }
done:
    return st;
}
