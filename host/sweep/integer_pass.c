/* The integer engine: the test set through a network on codes. That is the quantized network of one
 * configuration (quant/lower.h), or a model file that has codes already. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/binding.h"
#include "export/export.h"
#include "sweep/session_internal.h"
#include "util/clock.h"

typedef struct integer_pass {
    const waio_session *session;
    const waio_graph *graph;
    waio_program *program;
    waio_float_binding weights;
    waio_workspace *workspace; /* one a worker */
    waio_input_table table;
    waio_answers answers;
    const waio_pass_progress *progress;
    atomic_llong done, correct;
} integer_pass;

/* ---- a network made ready ---- */

/* The largest batch that the budget allows, at most the one that suits the caches. */
static waio_status compile(integer_pass *p)
{
    waio_status st = WAIO_OK;
    const waio_session *s = p->session;
    int64_t batch = s->options.batch ? s->options.batch : waio_choose_batch(s, p->graph);

    for (;; batch /= 2) {
        WAIO_TRY(st, waio_program_compile(&p->program, p->graph, s->options.backend, batch,
                                          p->graph->node_count));
        int64_t bytes = s->options.threads * (int64_t)waio_workspace_bytes(p->program);
        if (batch == 1 || waio_session_held_bytes(s) + bytes <= s->options.memory)
            break;
        waio_program_free(p->program);
        p->program = NULL;
    }
done:
    return st;
}

void waio_table_to_codes(waio_input_table *table, const waio_value *input)
{
    const waio_value_params *q = &input->params;

    if (input->type == WAIO_F32)
        return;
    int32_t z = q->zero_point[0];
    waio_fq fq = {q->scale[0], (float)(waio_params_lo(q) - z), (float)(waio_params_hi(q) - z)};

    for (int c = 0; c < table->channels; c++)
        for (int x = 0; x < 256; x++)
            table->value[c][x] =
                (float)waio_quantize_code(table->value[c][x], fq, z, WAIO_ROUND_HALF_AWAY);
}

static waio_status prepare(integer_pass *p, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    int threads = p->session->options.threads;
    const waio_value *input = &p->graph->value[p->graph->input];

    WAIO_TRY(st, waio_answers_make(&p->answers, p->session, arena));
    WAIO_NEW(st, p->workspace, arena, (size_t)threads);
    WAIO_TRY(st, compile(p));
    WAIO_TRY(st, waio_open_workspaces(p->session, &p->program, p->workspace, p->graph->node_count));
    WAIO_TRY(st, waio_float_binding_create(&p->weights, p->program));
    waio_table_to_codes(&p->table, input);
done:
    return st;
}

static void release(integer_pass *p)
{
    for (int t = 0; p->workspace && t < p->session->options.threads; t++)
        waio_workspace_free(&p->workspace[t]);
    waio_float_binding_free(&p->weights);
    waio_program_free(p->program);
}

/* ---- the pass ---- */

static waio_status run_chunk(void *payload, int worker, int64_t chunk)
{
    waio_status st = WAIO_OK;
    integer_pass *p = payload;
    const waio_dataset *d = p->session->dataset;
    const waio_workspace *workspace = &p->workspace[worker];
    int64_t batch = waio_program_batch(p->program), first = chunk * batch, correct = 0;
    int64_t images = d->count - first < batch ? d->count - first : batch;

    waio_fill_input(p->program, d, &p->table, workspace, NULL, first, images);
    WAIO_TRY(st, waio_program_run(p->program, &p->weights.binding, workspace,
                                  (waio_run_range){0, p->graph->node_count, false, false}, NULL));
    WAIO_TRY(st, waio_answers_take(&p->answers, &correct, p->session, worker, p->program, workspace,
                                   first, images));
    atomic_fetch_add(&p->correct, correct);
    atomic_fetch_add(&p->done, images);
done:
    return st;
}

static void tick(void *payload)
{
    integer_pass *p = payload;
    if (p->progress && p->progress->update)
        p->progress->update(p->progress->payload, atomic_load(&p->done), p->session->dataset->count,
                            atomic_load(&p->correct));
}

static waio_status run_all(integer_pass *p, waio_arena *arena)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, prepare(p, arena));
    int64_t batch = waio_program_batch(p->program);
    WAIO_TRY(st, waio_run_chunks(p->session, (p->session->dataset->count + batch - 1) / batch,
                                 run_chunk, p, tick));
done:
    return st;
}

/* The same configuration in the engine `simulate`: how often both see the same class. */
static waio_status compare_engines(waio_session *s, const waio_quant_request *request,
                                   const integer_pass *p, waio_outcome *out,
                                   const waio_pass_progress *progress)
{
    waio_status st = WAIO_OK;
    waio_outcome simulated;

    WAIO_TRY(st, waio_session_pass(s, request, 1, true, &simulated, progress));
    out->simulate_correct = simulated.correct;
    out->simulate_value = simulated.value;
    out->engines_agree = waio_answers_agree(s, &p->answers, false);
    waio_outcome_free(&simulated, s);
done:
    return st;
}

/* Codes of boxes reach far below 0, scores from 0 to 1: with one scale for both, one is coarse. */
static void warn_of_shared_scale(const waio_session *s, const waio_graph *graph)
{
    const waio_detector *d = s->detecting.detector;
    const waio_value *box = d ? &graph->value[graph->output[d->boxes]] : NULL;
    const waio_value *score = d ? &graph->value[graph->output[d->scores]] : NULL;

    if (d && box->type != WAIO_F32 && score->type == box->type &&
        box->params.scale[0] == score->params.scale[0] &&
        box->params.zero_point[0] == score->params.zero_point[0])
        fprintf(stderr, "warning: boxes and scores of %s have one output scale, %g\n",
                s->model.name, (double)box->params.scale[0]);
}

waio_status waio_session_integer(waio_session *s, const waio_quant_request *request,
                                 waio_requant requant, bool simulate_too, waio_outcome *out,
                                 const waio_pass_progress *progress)
{
    waio_status st = WAIO_OK;
    double start = waio_clock();
    waio_arena *arena = waio_arena_new();
    waio_graph *lowered = NULL;
    waio_quant_binding binding = {0};
    integer_pass p = {.session = s, .graph = s->model.graph, .progress = progress};
    int64_t size = s->model.bytes;

    if (!arena)
        return WAIO_ENOMEM;
    p.table = s->input_table;
    if (s->options.from_file) {
        s->model.graph->requant = requant;
    } else {
        WAIO_TRY(st, waio_session_lower(s, &lowered, request, requant));
        WAIO_TRY(st, waio_quantizer_bind(s->quantizer, request, &binding));
        waio_input_numbers(&p.table, s, &binding);
        p.graph = lowered;
        size = binding.size_bytes;
    }
    WAIO_TRY(st, run_all(&p, arena));
    warn_of_shared_scale(s, p.graph);
    WAIO_TRY(st, waio_count_outcome(out, s, &p.answers, waio_clock() - start, size));
    out->fallbacks = waio_program_fallbacks(p.program);
    if (simulate_too)
        WAIO_TRY(st, compare_engines(s, request, &p, out, progress));
done:
    waio_answers_free(&p.answers, s);
    release(&p);
    waio_quant_binding_free(&binding);
    waio_graph_free(lowered);
    waio_arena_free(arena);
    return st;
}

/* ---- what a file takes ---- */

waio_status waio_session_file_bytes(waio_session *s, const waio_quant_request *request,
                                    int64_t *bytes)
{
    waio_status st = WAIO_OK;
    waio_graph *lowered = NULL;
    size_t size = 0;

    *bytes = s->model.bytes;
    if (s->options.from_file)
        return WAIO_OK;
    *bytes = -1;
    st = waio_session_lower(s, &lowered, request, WAIO_REQUANT_TFLITE);
    if (st == WAIO_OK)
        st = waio_export_size(&size, lowered, "model.tflite");
    if (st == WAIO_OK)
        *bytes = (int64_t)size;
    waio_graph_free(lowered);
    return st == WAIO_EUNSUPPORTED ? WAIO_OK : st;
}
