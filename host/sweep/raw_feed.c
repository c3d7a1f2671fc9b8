#include "sweep/raw_feed.h"

#include "backend/binding.h"
#include "backend/program.h"
#include "quant/lower.h"

enum { BYTES = 256 };

typedef struct identity {
    waio_graph *graph;   /* float */
    waio_graph *lowered; /* on codes */
    waio_roles roles;
    waio_ranges ranges;
    waio_program *program;
    waio_quantizer *quantizer;
    waio_arena *arena;
} identity;

static waio_status build(identity *n)
{
    waio_status st = WAIO_OK;
    waio_shape shape = WAIO_SHAPE(1, 1), bias = WAIO_SHAPE(1);
    int x = -1, w = -1, b = -1, y = -1;
    float *weight = NULL;

    n->graph = waio_graph_new("identity");
    if (!n->graph)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_graph_add_input(n->graph, &x, "byte", &shape));
    WAIO_TRY(st, waio_graph_add_const(n->graph, &w, "weight", &shape, &weight));
    WAIO_TRY(st, waio_graph_add_const(n->graph, &b, "bias", &bias, NULL));
    weight[0] = 1;
    waio_node dense = {
        .op = WAIO_OP_DENSE, .name = "identity", .input = {x, w, b}, .input_count = 3};
    WAIO_TRY(st, waio_graph_add_node(n->graph, &y, &dense));
    WAIO_TRY(st, waio_graph_add_output(n->graph, y));
    WAIO_TRY(st, waio_graph_validate(n->graph));
    WAIO_TRY(st, waio_roles_assign(&n->roles, n->graph, n->arena));
done:
    return st;
}

/* An identity's output has the range of its input. */
static waio_status calibrate(identity *n, int from, int to)
{
    waio_status st = WAIO_OK;
    waio_scheme scheme;

    WAIO_TRY(st, waio_ranges_create(&n->ranges, n->graph, n->arena));
    for (int x = from; x <= to; x++) {
        float number = (float)x;
        waio_ranges_observe(&n->ranges, n->graph->input, &number, 1);
        waio_ranges_observe(&n->ranges, n->graph->output[0], &number, 1);
    }
    WAIO_TRY(st, waio_scheme_read(&scheme, waio_preset_find("ptq")));
    WAIO_TRY(st, waio_program_compile(&n->program, n->graph, &waio_backend_ref, 1,
                                      n->graph->node_count));
    WAIO_TRY(st, waio_quantizer_create(&n->quantizer, n->program, &n->roles, &n->ranges, &scheme,
                                       1 << 20));
    waio_quant_request request = {.bits = {8, 8, 8, 8}};
    WAIO_TRY(st, waio_lower(&n->lowered, n->quantizer, &request, WAIO_REQUANT_TFLITE));
    WAIO_TRY(st, waio_lower_open_ends(n->lowered));
done:
    return st;
}

static waio_status run(int8_t answer[BYTES], const identity *n, const int8_t code[BYTES],
                       const waio_backend *backend)
{
    waio_status st = WAIO_OK;
    waio_program *program = NULL;
    waio_float_binding binding = {0};
    waio_workspace workspace = {0};
    const waio_graph *g = n->lowered;

    WAIO_TRY(st, waio_program_compile(&program, g, backend, BYTES, g->node_count));
    WAIO_TRY(st, waio_float_binding_create(&binding, program));
    WAIO_TRY(st, waio_workspace_create(&workspace, program));
    int8_t *in = (int8_t *)waio_workspace_value(&workspace, program, g->input);
    for (int i = 0; i < BYTES; i++)
        in[i] = code[i];
    waio_run_range all = {0, g->node_count, false, false};
    WAIO_TRY(st, waio_program_run(program, &binding.binding, &workspace, all, NULL));
    WAIO_TRY(st, waio_workspace_fetch(&workspace, program, g->output[0]));
    const int8_t *result = (const int8_t *)waio_workspace_value(&workspace, program, g->output[0]);
    for (int i = 0; i < BYTES; i++)
        answer[i] = result[i];
done:
    waio_workspace_free(&workspace);
    waio_float_binding_free(&binding);
    waio_program_free(program);
    return st;
}

static waio_qparams params_of(const waio_graph *graph, int id)
{
    const waio_value_params *p = &graph->value[id].params;
    return (waio_qparams){p->scale[0], p->zero_point[0], waio_params_lo(p), waio_params_hi(p)};
}

static double stands_for(const waio_qparams *p, int code)
{
    return (double)p->scale * (code - p->zero_point);
}

static waio_status ask(waio_raw_feed *out, const identity *n, const waio_backend *backend)
{
    waio_status st = WAIO_OK;
    int8_t code[BYTES], answer[BYTES];

    out->input = params_of(n->lowered, n->lowered->input);
    out->output = params_of(n->lowered, n->lowered->output[0]);
    for (int x = 0; x < BYTES; x++)
        code[x] = (int8_t)waio_quantize_code((float)x, waio_qparams_fq(&out->input),
                                             out->input.zero_point, WAIO_ROUND_HALF_AWAY);
    WAIO_TRY(st, run(answer, n, code, backend));
    for (int x = 0; x < BYTES; x++) {
        out->byte[x].code = code[x];
        out->byte[x].answer = answer[x];
        out->byte[x].value = stands_for(&out->output, answer[x]);
        code[x] = (int8_t)(x > 127 ? x - 256 : x);
    }
    WAIO_TRY(st, run(answer, n, code, backend));
    for (int x = 0; x < BYTES; x++) {
        out->byte[x].raw_code = code[x];
        out->byte[x].raw_answer = answer[x];
        out->byte[x].seen = stands_for(&out->input, code[x]);
        out->byte[x].raw_value = stands_for(&out->output, answer[x]);
    }
done:
    return st;
}

waio_status waio_raw_feed_run(waio_raw_feed *out, int from, int to, const waio_backend *backend)
{
    waio_status st = WAIO_OK;
    identity n = {.arena = waio_arena_new()};

    if (!n.arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, build(&n));
    WAIO_TRY(st, calibrate(&n, from, to));
    WAIO_TRY(st, ask(out, &n, backend));
done:
    waio_quantizer_free(n.quantizer);
    waio_program_free(n.program);
    waio_graph_free(n.lowered);
    waio_graph_free(n.graph);
    waio_arena_free(n.arena);
    return st;
}
