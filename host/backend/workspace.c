/* Workspaces, and where the numbers of each value are. A backend with memory of its own has every
 * value twice: in the host's memory by the same plan, which is only touched where nodes run on the
 * host or somebody looks, and there. Copies are made when one side needs what the other has. */
#include "backend/program_internal.h"

#include <stdlib.h>
#include <string.h>

#include "util/arena.h"

enum { IN_HOST = 1, IN_SPACE = 2 };

static size_t bytes_of(const waio_program *program, int id)
{
    return program->place[id].bytes;
}

/* ---- making ---- */

/* Memory that takes no room before it is touched. */
static void *reserve(size_t bytes)
{
    size_t rounded = (bytes + 63) / 64 * 64;
    void *p = aligned_alloc(64, rounded ? rounded : 64);

    if (!p)
        waio_error(WAIO_ENOMEM, "out of memory: %zu bytes asked for", bytes);
    return p;
}

/* Weights of the float network, or twice that of a quantized one. */
static waio_space_plan plan_space(const waio_program *program)
{
    const waio_graph *graph = program->graph;
    waio_space_plan plan = {.activations = program->activation_bytes,
                            .scratch = program->scratch_bytes,
                            .input = bytes_of(program, graph->input),
                            .nodes = graph->node_count};

    for (int n = 0; n < graph->node_count; n++) {
        const waio_node *node = &graph->node[n];
        if (!waio_op_weighted(node->op) || !program->step[n].backend->memory)
            continue;
        plan.reserve +=
            sizeof(float) * (size_t)waio_shape_count(&graph->value[node->input[1]].shape);
        plan.floats = plan.floats || graph->value[node->output].type == WAIO_F32;
    }
    return plan;
}

static waio_status open_mirror(waio_workspace *workspace, const waio_program *program)
{
    const waio_graph *graph = program->graph;
    waio_space_plan plan = plan_space(program);
    waio_mirror *mirror = calloc(1, sizeof *mirror);

    workspace->mirror = mirror;
    if (!mirror || !(mirror->current = calloc((size_t)graph->value_count + 1, 1)))
        return waio_error(WAIO_ENOMEM, "out of memory");
    mirror->memory = program->backend->memory;
    return mirror->memory->open(&mirror->space, &plan);
}

size_t waio_workspace_bytes(const waio_program *program)
{
    size_t twice = program->backend->memory ? 2 * bytes_of(program, program->graph->input) : 0;
    return program->activation_bytes + program->host_scratch_bytes + twice;
}

waio_status waio_workspace_create(waio_workspace *workspace, const waio_program *program)
{
    waio_status st = WAIO_OK;

    *workspace = (waio_workspace){0};
    workspace->activations = program->backend->memory
                                 ? reserve(program->activation_bytes)
                                 : waio_aligned_calloc(program->activation_bytes);
    workspace->scratch = waio_aligned_calloc(program->host_scratch_bytes);
    if (!workspace->activations || !workspace->scratch)
        st = WAIO_ENOMEM;
    else if (program->backend->memory)
        st = open_mirror(workspace, program);
    if (st != WAIO_OK)
        waio_workspace_free(workspace);
    return st;
}

void waio_workspace_free(waio_workspace *workspace)
{
    if (workspace->mirror) {
        if (workspace->mirror->space)
            workspace->mirror->memory->close(workspace->mirror->space);
        free(workspace->mirror->current);
    }
    free(workspace->mirror);
    free(workspace->activations);
    free(workspace->scratch);
    *workspace = (waio_workspace){0};
}

/* ---- addresses ---- */

void *waio_workspace_host_value(const waio_workspace *workspace, const waio_program *program,
                                int id)
{
    if (workspace->mirror && id == program->graph->input)
        return workspace->mirror->input;
    return workspace->activations + program->place[id].offset;
}

void *waio_workspace_space_value(const waio_workspace *workspace, const waio_program *program,
                                 int id)
{
    const waio_mirror *mirror = workspace->mirror;
    return (unsigned char *)mirror->memory->activations(mirror->space) + program->place[id].offset;
}

float *waio_workspace_value(const waio_workspace *workspace, const waio_program *program, int id)
{
    const waio_mirror *mirror = workspace->mirror;

    if (mirror && id == program->graph->input)
        return mirror->memory->input(mirror->space);
    return (float *)(workspace->activations + program->place[id].offset);
}

/* ---- who has the numbers ---- */

void waio_workspace_begin(const waio_workspace *workspace, const waio_program *program)
{
    waio_mirror *mirror = workspace->mirror;

    if (!mirror)
        return;
    mirror->input = mirror->memory->input(mirror->space);
    mirror->current[program->graph->input] = IN_HOST;
}

waio_status waio_workspace_to_space(const waio_workspace *workspace, const waio_program *program,
                                    int id)
{
    waio_status st = WAIO_OK;
    waio_mirror *mirror = workspace->mirror;

    if (mirror->current[id] & IN_SPACE)
        return WAIO_OK;
    void *to = waio_workspace_space_value(workspace, program, id);
    if (id == program->graph->input)
        WAIO_TRY(st, mirror->memory->send_input(mirror->space, to));
    else
        WAIO_TRY(st, mirror->memory->upload(mirror->space, to,
                                            waio_workspace_host_value(workspace, program, id),
                                            bytes_of(program, id)));
    mirror->current[id] |= IN_SPACE;
done:
    return st;
}

waio_status waio_workspace_to_host(const waio_workspace *workspace, const waio_program *program,
                                   int id)
{
    waio_status st = WAIO_OK;
    waio_mirror *mirror = workspace->mirror;

    if (!mirror || mirror->current[id] & IN_HOST)
        return WAIO_OK;
    WAIO_TRY(st, mirror->memory->download(
                     mirror->space, waio_workspace_host_value(workspace, program, id),
                     waio_workspace_space_value(workspace, program, id), bytes_of(program, id)));
    mirror->current[id] |= IN_HOST;
done:
    return st;
}

void waio_workspace_wrote(const waio_workspace *workspace, int id, bool in_space)
{
    if (workspace->mirror)
        workspace->mirror->current[id] = in_space ? IN_SPACE : IN_HOST;
}

bool waio_workspace_in_space(const waio_workspace *workspace, int id)
{
    return workspace->mirror && workspace->mirror->current[id] & IN_SPACE;
}

waio_status waio_workspace_fetch(const waio_workspace *workspace, const waio_program *program,
                                 int id)
{
    return waio_workspace_to_host(workspace, program, id);
}

void waio_workspace_put(const waio_workspace *workspace, int id)
{
    waio_workspace_wrote(workspace, id, false);
}
