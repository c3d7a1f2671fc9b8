#include "backend/binding.h"

#include <stdlib.h>

#include "backend/program_internal.h"

/* ---- constants ---- */

waio_status waio_binding_place(waio_binding *binding, const waio_program *program)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = program->graph;

    if (!program->backend->memory || !binding->constant)
        return WAIO_OK;
    binding->placed = calloc((size_t)graph->value_count + 1, sizeof *binding->placed);
    if (!binding->placed)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int v = 0; v < graph->value_count; v++)
        if (binding->constant[v] && program->placed[v]) /* an operand of a kernel there */
            WAIO_TRY(st, program->backend->memory->place(&binding->placed[v], binding->constant[v],
                                                         waio_constant_bytes(graph, v)));
done:
    if (st != WAIO_OK)
        waio_binding_unplace(binding, program);
    return st;
}

void waio_binding_unplace(waio_binding *binding, const waio_program *program)
{
    if (!binding->placed)
        return;
    for (int v = 0; v < program->graph->value_count; v++)
        if (binding->placed[v])
            program->backend->release(binding->placed[v]);
    free(binding->placed);
    binding->placed = NULL;
}

/* ---- the float network's ---- */

waio_status waio_float_binding_create(waio_float_binding *out, const waio_program *program)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_program_graph(program);
    waio_float_binding b = {.program = program};

    b.constant = calloc((size_t)graph->value_count + 1, sizeof *b.constant);
    b.packed = calloc((size_t)graph->node_count + 1, sizeof *b.packed);
    if (!b.constant || !b.packed)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int n = 0; n < graph->node_count; n++) {
        const waio_node *node = &graph->node[n];
        size_t bytes = 0;
        if (!waio_op_weighted(node->op))
            continue;
        const waio_value *weight = &graph->value[node->input[1]];
        WAIO_TRY(st, waio_program_pack(program, n, &b.packed[n], &bytes,
                                       weight->codes ? weight->codes : weight->data));
        b.constant[node->input[1]] = b.packed[n]; /* read by this node alone: graph.h */
        b.bytes += bytes;
    }
    b.binding.constant = b.constant;
    *out = b;
    return WAIO_OK;
done:
    waio_float_binding_free(&b);
    return st;
}

void waio_float_binding_free(waio_float_binding *binding)
{
    int nodes = binding->packed ? binding->program->graph->node_count : 0;

    for (int n = 0; n < nodes; n++)
        if (binding->packed[n])
            waio_program_release(binding->program, n, binding->packed[n]);
    free(binding->packed);
    free(binding->constant);
    *binding = (waio_float_binding){0};
}
