#include "sweep/sensitivity.h"

#include <stdlib.h>
#include <string.h>

#include "sweep/session_internal.h"

bool waio_layer_suspect(const waio_layer_error *error, double threshold)
{
    return error->applies && error->has_scale && !(error->rmse_over_scale <= threshold);
}

/* Outcomes of one request a layer, in which every node is float (`others`) but the layer. */
static waio_status run_each(waio_session *s, const waio_precision *bits,
                            const waio_layer_cost *layer, int count, bool others,
                            waio_outcome *outcome, const waio_pass_progress *progress)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();
    waio_quant_request *request = NULL;
    waio_quant_request trunk = {.bits = *bits};
    size_t nodes = (size_t)s->model.graph->node_count;

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_NEW(st, request, arena, (size_t)count);
    for (int k = 0; k < count; k++) {
        bool *real = NULL;
        WAIO_NEW(st, real, arena, nodes);
        memset(real, others, nodes * sizeof *real);
        real[layer[k].node] = !others;
        request[k] = (waio_quant_request){.bits = *bits, .real = real};
    }
    if (others) {
        bool *all = NULL;
        WAIO_NEW(st, all, arena, nodes);
        memset(all, true, nodes * sizeof *all);
        trunk.real = all;
    }
    WAIO_TRY(st, waio_session_branches(s, &trunk, request, count, outcome, progress));
done:
    waio_arena_free(arena);
    return st;
}

waio_status waio_session_sensitivity(waio_session *s, const waio_precision *bits,
                                     waio_layer_cost **out, int *count,
                                     const waio_pass_progress *progress, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_layer_error *error = NULL;
    waio_layer_cost *layer = NULL;
    waio_outcome *outcome = NULL;
    int nodes = s->model.graph->node_count;

    *count = 0;
    WAIO_TRY(st, waio_session_layer_errors(s, bits, &error));
    WAIO_NEW(st, layer, arena, (size_t)nodes);
    WAIO_NEW(st, outcome, arena, (size_t)nodes);
    for (int n = 0; n < nodes; n++)
        if (error[n].applies)
            layer[(*count)++] = (waio_layer_cost){.node = n, .error = error[n]};
    for (int others = 0; others < 2; others++) {
        WAIO_TRY(st, run_each(s, bits, layer, *count, others, outcome, progress));
        for (int k = 0; k < *count; k++) {
            *(others ? &layer[k].value_only : &layer[k].value_all_but) = outcome[k].value;
            waio_outcome_free(&outcome[k], s);
        }
    }
    *out = layer;
done:
    return st;
}
