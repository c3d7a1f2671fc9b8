#include "quant/roles.h"

#include <stdlib.h>
#include <string.h>

/* Gives every reader of a constant a value of its own, so that each can have it at its own bits and
 * scale. */
static waio_status split_constants(waio_graph *graph, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    bool *taken = NULL;

    WAIO_NEW(st, taken, arena, (size_t)graph->value_count);
    for (int n = 0; n < graph->node_count; n++) {
        waio_node *node = &graph->node[n];
        for (int i = 0; i < node->input_count; i++) {
            int id = node->input[i];
            waio_value shared = graph->value[id]; /* the array may move */
            float *data = NULL;
            if (!shared.data)
                continue;
            if (taken[id]) {
                WAIO_TRY(st, waio_graph_add_const(graph, &node->input[i], shared.name,
                                                  &shared.shape, &data));
                memcpy(data, shared.data, (size_t)waio_shape_count(&shared.shape) * sizeof *data);
            }
            taken[id] = true;
        }
    }
done:
    return st;
}

/* Index of the first or last node with weights, -1 if there is none. */
static int find_weighted(const waio_graph *graph, bool last)
{
    int found = -1;
    for (int n = 0; n < graph->node_count; n++)
        if (waio_op_weighted(graph->node[n].op) && (last || found < 0))
            found = n;
    return found;
}

/* Roles of computed values, from front to back. */
static void propagate(waio_role *role, const waio_graph *graph, int last_weighted)
{
    role[graph->input] = WAIO_ROLE_I;
    for (int n = 0; n < graph->node_count; n++) {
        const waio_node *node = &graph->node[n];
        waio_role top = waio_op_weighted(node->op) ? WAIO_ROLE_A : WAIO_ROLE_I;
        for (int i = 0; i < node->input_count; i++)
            if (!waio_value_is_const(graph, node->input[i]) && role[node->input[i]] > top)
                top = role[node->input[i]];
        if (n == last_weighted)
            top = WAIO_ROLE_O;
        role[node->output] = top;
        for (int i = 0; i < node->input_count; i++)
            if (waio_value_is_const(graph, node->input[i]))
                role[node->input[i]] = top;
    }
}

/* Stable partition of the nodes by role; the first layer with weights right behind the I nodes. */
static waio_status reorder(waio_graph *graph, const waio_role *role, int first_weighted)
{
    waio_node *sorted = malloc((size_t)graph->node_count * sizeof *sorted);
    int at = 0;

    if (!sorted)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int r = WAIO_ROLE_I; r <= WAIO_ROLE_O; r++) {
        if (r == WAIO_ROLE_A && role[graph->node[first_weighted].output] == WAIO_ROLE_A)
            sorted[at++] = graph->node[first_weighted];
        for (int n = 0; n < graph->node_count; n++) {
            bool placed = n == first_weighted && r == WAIO_ROLE_A;
            if ((int)role[graph->node[n].output] == r && !placed)
                sorted[at++] = graph->node[n];
        }
    }
    memcpy(graph->node, sorted, (size_t)graph->node_count * sizeof *sorted);
    free(sorted);
    return WAIO_OK;
}

waio_status waio_roles_assign(waio_roles *roles, waio_graph *graph, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    int first = find_weighted(graph, false), last = find_weighted(graph, true);

    if (first < 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "%s: no layer has weights, so there is nothing to "
                  "quantize",
                  graph->name);
    WAIO_TRY(st, split_constants(graph, arena));
    WAIO_NEW(st, roles->value, arena, (size_t)graph->value_count);
    propagate(roles->value, graph, last);
    WAIO_TRY(st, reorder(graph, roles->value, first));
    roles->first_weighted = find_weighted(graph, false);
    roles->last_weighted = find_weighted(graph, true);
done:
    return st;
}
