#include "backend/binding.h"

#include <stdlib.h>

waio_status waio_float_binding_create(waio_float_binding *out, const waio_program *program)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_program_graph(program);
    waio_float_binding b = {.node_count = graph->node_count};

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
    for (int n = 0; binding->packed && n < binding->node_count; n++)
        free(binding->packed[n]);
    free(binding->packed);
    free(binding->constant);
    *binding = (waio_float_binding){0};
}
