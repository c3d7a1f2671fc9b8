#include "check/float_run.h"

#include <string.h>

waio_status waio_float_run_create(waio_float_run *out, const waio_graph *graph,
                                  const waio_backend *backend, int64_t batch, int keep_from)
{
    waio_status st = WAIO_OK;
    waio_float_run run = {0};

    WAIO_TRY(st, waio_program_compile(&run.program, graph, backend, batch, keep_from));
    WAIO_TRY(st, waio_float_binding_create(&run.weights, run.program));
    WAIO_TRY(st, waio_workspace_create(&run.workspace, run.program));
    *out = run;
    return WAIO_OK;
done:
    waio_float_run_free(&run);
    return st;
}

void waio_float_run_free(waio_float_run *run)
{
    waio_workspace_free(&run->workspace);
    waio_float_binding_free(&run->weights);
    waio_program_free(run->program);
    run->program = NULL;
}

float *waio_float_run_value(const waio_float_run *run, int id)
{
    return waio_workspace_value(&run->workspace, run->program, id);
}

waio_status waio_float_run_fetch(const waio_float_run *run, int id)
{
    return waio_workspace_fetch(&run->workspace, run->program, id);
}

size_t waio_float_run_count(const waio_float_run *run, int id)
{
    const waio_graph *graph = waio_program_graph(run->program);
    return (size_t)(waio_shape_count(&graph->value[id].shape) * waio_program_batch(run->program));
}

size_t waio_float_run_bytes(const waio_float_run *run, int id)
{
    const waio_graph *graph = waio_program_graph(run->program);
    return waio_float_run_count(run, id) * waio_type_bytes(graph->value[id].type);
}

waio_status waio_float_run_whole(const waio_float_run *run, const void *input)
{
    const waio_graph *graph = waio_program_graph(run->program);
    waio_run_range all = {.first = 0, .end = graph->node_count};

    memcpy(waio_float_run_value(run, graph->input), input, waio_float_run_bytes(run, graph->input));
    return waio_program_run(run->program, &run->weights.binding, &run->workspace, all, NULL);
}

void waio_fill_random(float *data, size_t count, waio_rng *rng)
{
    for (size_t i = 0; i < count; i++)
        data[i] = 2 * waio_rng_unit(rng) - 1;
}
