/* Effective bits: does a configuration hold what it claims? Counts the distinct numbers of every
 * quantized activation over the test set, and of every quantized weight tensor. */
#include <stdlib.h>
#include <string.h>

#include "sweep/session_internal.h"

/* Distinct numbers of one value, up to limit + 1: an open-addressing set of bit patterns. */
typedef struct level_set {
    uint32_t *slot; /* bit pattern + 1; 0 is empty */
    uint32_t mask;
    int64_t found, limit;
} level_set;

typedef struct verification {
    const waio_session *session;
    level_set *set; /* per value; limit 0: not quantized */
    int over;       /* value id that has too many levels, -1 if none has */
} verification;

static void add_level(level_set *set, float number)
{
    uint32_t bits;
    float canonical = number == 0 ? 0 : number; /* -0 is 0 */

    memcpy(&bits, &canonical, sizeof bits);
    uint32_t at = (bits * 2654435761u) >> 7 & set->mask;
    while (set->slot[at] && set->slot[at] != bits + 1)
        at = (at + 1) & set->mask;
    if (!set->slot[at] && set->found <= set->limit) {
        set->slot[at] = bits + 1;
        set->found++;
    }
}

static void count_levels(void *payload, int id, const float *data, int64_t count)
{
    verification *v = payload;
    level_set *set = &v->set[id];

    for (int64_t i = 0; set->limit && i < count; i++)
        add_level(set, data[i]);
    if (set->limit && set->found > set->limit && v->over < 0)
        v->over = id;
}

static waio_status prepare_sets(verification *v, const waio_quant_request *request, int *tensors,
                                waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_session *s = v->session;
    const waio_graph *graph = s->model.graph;

    WAIO_NEW(st, v->set, arena, (size_t)graph->value_count);
    for (int id = 0; id < graph->value_count; id++) {
        bool computed = id == graph->input || waio_graph_producer(graph, id) >= 0;
        int bits = computed ? waio_quantizer_value_bits(s->quantizer, request, id) : WAIO_FLOAT;
        if (!waio_bits_quantized(bits))
            continue;
        v->set[id].limit = INT64_C(1) << bits;
        v->set[id].mask = (UINT32_C(4) << bits) - 1;
        WAIO_NEW(st, v->set[id].slot, arena, (size_t)v->set[id].mask + 1);
        ++*tensors;
    }
done:
    return st;
}

/* Values of a float prefix (first_n) are quantized at its end, behind the hook of their node: they
 * are looked at when the boundary has been crossed. */
static waio_status count_boundary(verification *v, const waio_binding *binding,
                                  const waio_workspace *workspace)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = v->session->model.graph;
    int64_t batch = waio_program_batch(v->session->program);

    for (int i = 0; i < binding->boundary_count; i++) {
        int id = binding->boundary_value[i];
        WAIO_TRY(st, waio_workspace_fetch(workspace, v->session->program, id));
        count_levels(v, id, waio_workspace_value(workspace, v->session->program, id),
                     batch * waio_shape_count(&graph->value[id].shape));
    }
done:
    return st;
}

static waio_status verify_batch(verification *v, const waio_quant_binding *binding,
                                const waio_input_table *table, int64_t first)
{
    waio_status st = WAIO_OK;
    const waio_session *s = v->session;
    const waio_graph *graph = s->model.graph;
    int64_t batch = waio_program_batch(s->program), total = s->dataset->count;
    int boundary = binding->binding.boundary_count ? binding->binding.boundary : 0;
    const waio_workspace *workspace = &s->workspace[0];
    waio_observer_hook hook = {count_levels, v};

    waio_fill_input(s->program, s->dataset, table, workspace, NULL, first,
                    total - first < batch ? total - first : batch);
    if (binding->input_bits != WAIO_FLOAT)
        count_levels(v, graph->input, waio_workspace_value(workspace, s->program, graph->input),
                     batch * waio_shape_count(&graph->value[graph->input].shape));
    WAIO_TRY(st, waio_program_run(s->program, &binding->binding, workspace,
                                  (waio_run_range){0, boundary, false, false}, NULL));
    if (boundary) {
        /* One node across the boundary quantizes the prefix's values. */
        WAIO_TRY(st,
                 waio_program_run(s->program, &binding->binding, workspace,
                                  (waio_run_range){boundary, boundary + 1, false, false}, &hook));
        WAIO_TRY(st, count_boundary(v, &binding->binding, workspace));
        boundary++;
    }
    WAIO_TRY(st,
             waio_program_run(s->program, &binding->binding, workspace,
                              (waio_run_range){boundary, graph->node_count, false, false}, &hook));
done:
    return st;
}

waio_status waio_session_verify(waio_session *s, const waio_quant_request *request, int *tensors)
{
    waio_status st = WAIO_OK;
    verification v = {.session = s, .over = -1};
    waio_quant_binding binding = {0};
    waio_input_table table;
    waio_arena *arena = waio_arena_new();
    const waio_graph *graph = s->model.graph;

    *tensors = 0;
    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_session_calibrate(s));
    WAIO_TRY(st, waio_quantizer_verify_weights(s->quantizer, request, tensors));
    WAIO_TRY(st, waio_quantizer_bind(s->quantizer, request, &binding));
    WAIO_TRY(st, prepare_sets(&v, request, tensors, arena));
    waio_input_numbers(&table, s, &binding);
    for (int64_t i = 0; i < s->dataset->count && v.over < 0; i += waio_program_batch(s->program))
        WAIO_TRY(st, verify_batch(&v, &binding, &table, i));
    if (v.over >= 0)
        WAIO_FAIL(st, WAIO_EINTERNAL, "%s holds more than the %lld levels of %d bits",
                  graph->value[v.over].name, (long long)v.set[v.over].limit,
                  waio_quantizer_value_bits(s->quantizer, request, v.over));
done:
    waio_quant_binding_free(&binding);
    waio_arena_free(arena);
    return st;
}
