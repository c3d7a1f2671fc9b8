#include "backend/program.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "graph/memplan.h"

typedef struct step {
    const waio_backend *backend;
    waio_kernel *kernel;
} step;

struct waio_program {
    const waio_graph *graph;
    const waio_backend *backend;
    int64_t batch;
    step *step;           /* per node */
    waio_lifetime *place; /* per value */
    size_t activation_bytes, scratch_bytes;
    int fallbacks;
};

static size_t value_bytes(const waio_program *program, int id)
{
    if (waio_value_is_const(program->graph, id))
        return 0;
    const waio_value *value = &program->graph->value[id];
    return (size_t)(waio_shape_count(&value->shape) * program->batch) *
           waio_type_bytes(value->type);
}

/* Lifetimes in steps: the input is born in step 0, node n computes in step n + 1. */
static waio_status plan_memory(waio_program *program, int keep_from)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = program->graph;
    int end = graph->node_count + 1;

    for (int v = 0; v < graph->value_count; v++)
        program->place[v].first = program->place[v].last = -1;
    program->place[graph->input].first = program->place[graph->input].last = 0;
    for (int n = 0; n < graph->node_count; n++) {
        const waio_node *node = &graph->node[n];
        program->place[node->output].first = program->place[node->output].last = n + 1;
        for (int i = 0; i < node->input_count; i++)
            program->place[node->input[i]].last = n + 1;
    }
    for (int i = 0; i < graph->output_count; i++)
        program->place[graph->output[i]].last = end;
    for (int v = 0; v < graph->value_count; v++) {
        waio_lifetime *place = &program->place[v];
        place->bytes = place->first < 0 ? 0 : value_bytes(program, v);
        if (place->first <= keep_from && place->last > keep_from)
            place->last = end;
    }
    WAIO_TRY(st, waio_memplan(program->place, graph->value_count, &program->activation_bytes));
done:
    return st;
}

static waio_status create_step(waio_program *program, int n)
{
    const waio_node *node = &program->graph->node[n];
    step *s = &program->step[n];
    const char *reason = "";

    waio_status st = WAIO_EUNSUPPORTED;
    s->backend = program->backend;
    if (s->backend->supports(program->graph, node, &reason))
        st = s->backend->create(&s->kernel, program->graph, node, program->batch);
    if (st == WAIO_EUNSUPPORTED) { /* a library may find out only now */
        s->backend = &waio_backend_ref;
        program->fallbacks++;
        st = s->backend->create(&s->kernel, program->graph, node, program->batch);
    }
    if (st != WAIO_OK)
        return waio_error_context(st, "node \"%s\" (%s)", node->name, waio_op_name(node->op));
    size_t scratch = s->backend->scratch_bytes(s->kernel);
    if (scratch > program->scratch_bytes)
        program->scratch_bytes = scratch;
    return WAIO_OK;
}

waio_status waio_program_compile(waio_program **out, const waio_graph *graph,
                                 const waio_backend *backend, int64_t batch, int keep_from)
{
    waio_status st = WAIO_OK;
    waio_program *program = calloc(1, sizeof *program);

    if (!program)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    program->graph = graph;
    program->backend = backend;
    program->batch = batch;
    program->step = calloc((size_t)graph->node_count + 1, sizeof *program->step);
    program->place = calloc((size_t)graph->value_count + 1, sizeof *program->place);
    if (!program->step || !program->place)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int n = 0; n < graph->node_count; n++)
        WAIO_TRY(st, create_step(program, n));
    WAIO_TRY(st, plan_memory(program, keep_from));
    *out = program;
    program = NULL;
done:
    waio_program_free(program);
    return st;
}

void waio_program_free(waio_program *program)
{
    if (!program)
        return;
    for (int n = 0; program->step && n < program->graph->node_count; n++)
        if (program->step[n].kernel)
            program->step[n].backend->destroy(program->step[n].kernel);
    free(program->step);
    free(program->place);
    free(program);
}

size_t waio_workspace_bytes(const waio_program *program)
{
    return program->activation_bytes + program->scratch_bytes;
}

waio_status waio_workspace_create(waio_workspace *workspace, const waio_program *program)
{
    workspace->activations = waio_aligned_calloc(program->activation_bytes);
    workspace->scratch = waio_aligned_calloc(program->scratch_bytes);
    if (workspace->activations && workspace->scratch)
        return WAIO_OK;
    waio_workspace_free(workspace);
    return WAIO_ENOMEM;
}

void waio_workspace_free(waio_workspace *workspace)
{
    free(workspace->activations);
    free(workspace->scratch);
    *workspace = (waio_workspace){0};
}

float *waio_workspace_value(const waio_workspace *workspace, const waio_program *program, int id)
{
    return (float *)(workspace->activations + program->place[id].offset);
}

static const void *input_of(const waio_program *program, const waio_binding *binding,
                            const waio_workspace *workspace, int id)
{
    if (!waio_value_is_const(program->graph, id))
        return waio_workspace_value(workspace, program, id);
    if (binding->constant && binding->constant[id])
        return binding->constant[id];
    if (program->graph->value[id].codes)
        return program->graph->value[id].codes;
    return program->graph->value[id].data;
}

static waio_status run_node(const waio_program *program, const waio_binding *binding,
                            const waio_workspace *workspace, int n, bool clamp_follows)
{
    const waio_node *node = &program->graph->node[n];
    const step *s = &program->step[n];
    const void *input[WAIO_MAX_INPUTS];

    for (int i = 0; i < node->input_count; i++)
        input[i] = input_of(program, binding, workspace, node->input[i]);
    waio_kernel_args args = {.input = input,
                             .output = waio_workspace_value(workspace, program, node->output),
                             .scratch = workspace->scratch,
                             .clamp_follows = clamp_follows};
    return s->backend->run(s->kernel, &args);
}

static void quantize_value(const waio_program *program, const waio_value_quant *quant, float *data,
                           int64_t count)
{
    if (quant->half) {
        for (int64_t i = 0; i < count; i++)
            data[i] = waio_round_to_half(data[i]);
        return;
    }
    program->backend->fake_quantize(data, data, (size_t)count, quant->fq, quant->rounding);
}

static int64_t value_count(const waio_program *program, int id)
{
    return waio_shape_count(&program->graph->value[id].shape) * program->batch;
}

static void cross_boundary(const waio_program *program, const waio_binding *binding,
                           const waio_workspace *workspace)
{
    for (int i = 0; i < binding->boundary_count; i++) {
        int id = binding->boundary_value[i];
        assert(program->graph->value[id].type == WAIO_F32);
        quantize_value(program, &binding->boundary_quant[i],
                       waio_workspace_value(workspace, program, id), value_count(program, id));
    }
}

/* The quantizer behind node `n` with the node's clamp [a, b] in its bounds. Division and rounding
 * keep order, so clamping x to [a, b] before quantizing and clamping the code to [round(a / s),
 * round(b / s)] after it give the same. */
static waio_value_quant with_clamp(waio_value_quant quant, waio_clamp clamp)
{
    if (!quant.half) {
        float lo = waio_round(clamp.lo / quant.fq.scale, quant.rounding);
        float hi = waio_round(clamp.hi / quant.fq.scale, quant.rounding);
        lo = waio_clampf(lo, quant.fq.lo, quant.fq.hi);
        quant.fq.hi = waio_clampf(hi, quant.fq.lo, quant.fq.hi);
        quant.fq.lo = lo;
    }
    return quant;
}

waio_status waio_program_run(const waio_program *program, const waio_binding *binding,
                             const waio_workspace *workspace, waio_run_range range,
                             const waio_observer_hook *hook)
{
    waio_status st = WAIO_OK;

    for (int n = range.first; n < range.end; n++) {
        const waio_node *node = &program->graph->node[n];
        int id = node->output;
        float *data = waio_workspace_value(workspace, program, id);
        int64_t count = value_count(program, id);
        bool suspended = range.suspend && n == range.end - 1;
        waio_value_quant quant = {0};

        if (!suspended && binding->quant && binding->quant[id].enabled)
            quant = with_clamp(binding->quant[id], node->clamp);
        assert(!quant.enabled || program->graph->value[id].type == WAIO_F32);
        if (n == binding->boundary)
            cross_boundary(program, binding, workspace);
        if (!(range.resume && n == range.first))
            WAIO_TRY(st, run_node(program, binding, workspace, n, quant.enabled && !quant.half));
        if (quant.enabled)
            quantize_value(program, &quant, data, count);
        if (hook)
            hook->value(hook->payload, id, data, count);
    }
done:
    return st;
}

waio_status waio_program_pack(const waio_program *program, int node, void **packed, size_t *bytes,
                              const void *weight)
{
    return program->step[node].backend->pack(program->step[node].kernel, packed, bytes, weight);
}

bool waio_value_crosses(const waio_program *program, int id, int node)
{
    const waio_lifetime *place = &program->place[id];
    return place->bytes > 0 && place->first <= node + 1 && place->last > node + 1;
}

int64_t waio_program_batch(const waio_program *program)
{
    return program->batch;
}

const waio_graph *waio_program_graph(const waio_program *program)
{
    return program->graph;
}

int waio_program_fallbacks(const waio_program *program)
{
    return program->fallbacks;
}

const waio_backend *waio_program_node_backend(const waio_program *program, int node)
{
    return program->step[node].backend;
}
