#include "backend/program_internal.h"

#include <assert.h>
#include <stdlib.h>

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
    waio_step *s = &program->step[n];
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
    size_t *most = s->backend->memory ? &program->scratch_bytes : &program->host_scratch_bytes;
    *most = scratch > *most ? scratch : *most;
    return WAIO_OK;
}

size_t waio_constant_bytes(const waio_graph *graph, int id)
{
    const waio_value *value = &graph->value[id];
    return (size_t)waio_shape_count(&value->shape) * waio_type_bytes(value->type);
}

/* Constant operands that kernels in the backend's own memory read, copied there. */
static waio_status place_constants(waio_program *program, int n)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = program->graph;
    const waio_node *node = &graph->node[n];
    const waio_backend *backend = program->step[n].backend;

    for (int i = 0; backend->memory && i < node->input_count; i++) {
        int id = node->input[i];
        const waio_value *value = &graph->value[id];
        bool weight = i == 1 && waio_op_weighted(node->op);
        if (!waio_value_is_const(graph, id) || weight || program->placed[id])
            continue;
        WAIO_TRY(st, backend->memory->place(&program->placed[id],
                                            value->codes ? value->codes : value->data,
                                            waio_constant_bytes(graph, id)));
    }
done:
    return st;
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
    program->placed = calloc((size_t)graph->value_count + 1, sizeof *program->placed);
    if (!program->step || !program->place || !program->placed)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int n = 0; n < graph->node_count; n++) {
        WAIO_TRY(st, create_step(program, n));
        WAIO_TRY(st, place_constants(program, n));
    }
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
    for (int v = 0; program->placed && v < program->graph->value_count; v++)
        if (program->placed[v])
            program->backend->release(program->placed[v]);
    free(program->step);
    free(program->place);
    free(program->placed);
    free(program);
}

/* What node `n` reads as `id`, an operand or the packed weight, brought to where it runs. */
static waio_status input_of(const void **input, const waio_program *program,
                            const waio_binding *binding, const waio_workspace *workspace, int n,
                            int id)
{
    waio_status st = WAIO_OK;
    const waio_value *value = &program->graph->value[id];
    bool in_space = program->step[n].backend->memory != NULL;

    if (!waio_value_is_const(program->graph, id)) {
        WAIO_TRY(st, in_space ? waio_workspace_to_space(workspace, program, id)
                              : waio_workspace_to_host(workspace, program, id));
        *input = in_space ? waio_workspace_space_value(workspace, program, id)
                          : waio_workspace_host_value(workspace, program, id);
    } else if (in_space && program->placed[id]) {
        bool bound = binding->placed && binding->placed[id];
        *input = bound ? binding->placed[id] : program->placed[id];
    } else if (binding->constant && binding->constant[id]) {
        *input = binding->constant[id];
    } else {
        *input = value->codes ? value->codes : (const void *)value->data;
    }
done:
    return st;
}

/* Runs node `n`, and with it the quantizer behind it if its kernel can: then `quant` is no longer
 * enabled. */
static waio_status run_node(const waio_program *program, const waio_binding *binding,
                            const waio_workspace *workspace, int n, waio_value_quant *quant)
{
    waio_status st = WAIO_OK;
    const waio_node *node = &program->graph->node[n];
    const waio_step *s = &program->step[n];
    const waio_mirror *mirror = s->backend->memory ? workspace->mirror : NULL;
    const void *input[WAIO_MAX_INPUTS];

    for (int i = 0; i < node->input_count; i++)
        WAIO_TRY(st, input_of(&input[i], program, binding, workspace, n, node->input[i]));
    waio_kernel_args args = {
        .input = input,
        .output = mirror ? waio_workspace_space_value(workspace, program, node->output)
                         : waio_workspace_host_value(workspace, program, node->output),
        .scratch = mirror ? mirror->memory->scratch(mirror->space) : workspace->scratch,
        .space = mirror ? mirror->space : NULL,
        .clamp_follows = quant->enabled && !quant->half};
    if (binding->on_codes && binding->on_codes[n].factor)
        args.on_codes = &binding->on_codes[n];
    if (args.clamp_follows && s->backend->fuses && s->backend->fuses(s->kernel)) {
        args.quantizer = &quant->fq;
        args.rounding = quant->rounding;
        quant->enabled = false;
    }
    WAIO_TRY(st, s->backend->run(s->kernel, &args));
    waio_workspace_wrote(workspace, node->output, mirror != NULL);
done:
    return st;
}

static int64_t value_count(const waio_program *program, int id)
{
    return waio_shape_count(&program->graph->value[id].shape) * program->batch;
}

static waio_status quantize_value(const waio_program *program, const waio_value_quant *quant,
                                  const waio_workspace *workspace, int id)
{
    waio_status st = WAIO_OK;
    int64_t count = value_count(program, id);
    const waio_mirror *mirror = workspace->mirror;

    if (waio_workspace_in_space(workspace, id) && !quant->half) {
        st = mirror->memory->fake_quantize(mirror->space,
                                           waio_workspace_space_value(workspace, program, id),
                                           (size_t)count, quant->fq, quant->rounding);
        waio_workspace_wrote(workspace, id, true);
        return st;
    }
    WAIO_TRY(st, waio_workspace_to_host(workspace, program, id));
    float *data = waio_workspace_host_value(workspace, program, id);
    for (int64_t i = 0; quant->half && i < count; i++)
        data[i] = waio_round_to_half(data[i]);
    if (!quant->half)
        program->backend->fake_quantize(data, data, (size_t)count, quant->fq, quant->rounding);
    waio_workspace_wrote(workspace, id, false);
done:
    return st;
}

static waio_status cross_boundary(const waio_program *program, const waio_binding *binding,
                                  const waio_workspace *workspace)
{
    waio_status st = WAIO_OK;

    for (int i = 0; i < binding->boundary_count; i++) {
        int id = binding->boundary_value[i];
        assert(program->graph->value[id].type == WAIO_F32);
        WAIO_TRY(st, quantize_value(program, &binding->boundary_quant[i], workspace, id));
    }
done:
    return st;
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

static waio_status show(const waio_observer_hook *hook, const waio_program *program,
                        const waio_workspace *workspace, int id)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_workspace_to_host(workspace, program, id));
    hook->value(hook->payload, id, waio_workspace_host_value(workspace, program, id),
                value_count(program, id));
done:
    return st;
}

waio_status waio_program_run(const waio_program *program, const waio_binding *binding,
                             const waio_workspace *workspace, waio_run_range range,
                             const waio_observer_hook *hook)
{
    waio_status st = WAIO_OK;

    if (range.first == 0 && range.end > 0)
        waio_workspace_begin(workspace, program);
    for (int n = range.first; n < range.end; n++) {
        const waio_node *node = &program->graph->node[n];
        int id = node->output;
        bool suspended = range.suspend && n == range.end - 1;
        waio_value_quant quant = {0};

        if (!suspended && binding->quant && binding->quant[id].enabled)
            quant = with_clamp(binding->quant[id], node->clamp);
        assert(!quant.enabled || program->graph->value[id].type == WAIO_F32);
        if (n == binding->boundary)
            WAIO_TRY(st, cross_boundary(program, binding, workspace));
        if (!(range.resume && n == range.first))
            WAIO_TRY(st, run_node(program, binding, workspace, n, &quant));
        if (quant.enabled)
            WAIO_TRY(st, quantize_value(program, &quant, workspace, id));
        if (hook)
            WAIO_TRY(st, show(hook, program, workspace, id));
    }
done:
    return st;
}

waio_status waio_program_pack(const waio_program *program, int node, void **packed, size_t *bytes,
                              const void *weight)
{
    return program->step[node].backend->pack(program->step[node].kernel, packed, bytes, weight);
}

bool waio_program_takes_codes(const waio_program *program, int node)
{
    const waio_step *s = &program->step[node];
    return s->backend->takes_codes && s->backend->takes_codes(s->kernel);
}

waio_status waio_program_pack_codes(const waio_program *program, int node, void **packed,
                                    size_t *bytes, const int8_t *code)
{
    const waio_step *s = &program->step[node];
    return s->backend->pack_codes(s->kernel, packed, bytes, code);
}

void waio_program_release(const waio_program *program, int node, void *packed)
{
    const waio_backend *backend = program->step[node].backend;

    if (backend->release)
        backend->release(packed);
    else
        free(packed);
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
