/* Many configurations that differ from one, the trunk, in a few places: everything before the first
 * difference is computed once. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/sensitivity.h"
#include "sweep/session_internal.h"
#include "util/clock.h"

typedef struct branch {
    int index; /* of its request */
    int start; /* the first node that it computes otherwise; 0 also: its input is another */
    waio_quant_binding binding;
    waio_input_table table; /* start 0 */
    waio_answers answers;
} branch;

typedef struct branching {
    waio_session *session;
    waio_quant_binding trunk;
    waio_input_table table;
    branch *branch; /* by start */
    int count;
    float **saved; /* one a worker: what is alive in front of a node */
    const waio_pass_progress *progress;
    atomic_llong done;
} branching;

/* ---- where a branch leaves the trunk ---- */

static bool same_quant(const waio_value_quant *a, const waio_value_quant *b)
{
    return a->enabled == b->enabled &&
           (!a->enabled || (a->half == b->half && a->rounding == b->rounding &&
                            (a->half || (a->fq.scale == b->fq.scale && a->fq.lo == b->fq.lo &&
                                         a->fq.hi == b->fq.hi))));
}

/* Packed weights are shared, so the same ones have one address; other constants are copies. */
static bool same_constant(const waio_graph *graph, int id, bool packed, const void *a,
                          const void *b)
{
    if (a == b || packed || !a || !b)
        return a == b;
    return memcmp(a, b, (size_t)waio_shape_count(&graph->value[id].shape) * sizeof(float)) == 0;
}

static bool same_node(const waio_graph *graph, int n, const waio_binding *a, const waio_binding *b)
{
    const waio_node *node = &graph->node[n];
    bool same = same_quant(&a->quant[node->output], &b->quant[node->output]);

    for (int i = 0; same && i < node->input_count; i++) {
        int id = node->input[i];
        bool packed = i == 1 && waio_op_weighted(node->op);
        same = !waio_value_is_const(graph, id) ||
               same_constant(graph, id, packed, a->constant[id], b->constant[id]);
    }
    return same;
}

static int find_start(const waio_graph *graph, const waio_quant_binding *trunk,
                      const waio_quant_binding *other)
{
    int n = 0;

    if (trunk->input_bits != other->input_bits ||
        !same_quant(&trunk->input_quant, &other->input_quant) || other->binding.boundary_count)
        return 0;
    while (n < graph->node_count && same_node(graph, n, &trunk->binding, &other->binding))
        n++;
    /* The same network: its outputs still have to be looked at. */
    return n < graph->node_count ? n : graph->node_count - 1;
}

static int by_start(const void *a, const void *b)
{
    const branch *x = a, *y = b;
    return x->start != y->start ? (x->start > y->start) - (x->start < y->start)
                                : (x->index > y->index) - (x->index < y->index);
}

/* ---- one batch ---- */

/* Saves or brings back everything that is alive in front of node `n`. */
static waio_status copy_alive(const branching *b, const waio_workspace *workspace, int worker,
                              int n, bool save)
{
    waio_status st = WAIO_OK;
    const waio_session *s = b->session;
    const waio_graph *graph = s->model.graph;
    float *saved = b->saved[worker];

    for (int v = 0; v < graph->value_count; v++) {
        if (!waio_value_crosses(s->program, v, n - 1))
            continue;
        size_t count =
            (size_t)(waio_shape_count(&graph->value[v].shape) * waio_program_batch(s->program));
        if (save)
            WAIO_TRY(st, waio_workspace_fetch(workspace, s->program, v));
        float *live = waio_workspace_value(workspace, s->program, v);
        memcpy(save ? saved : live, save ? live : saved, count * sizeof *saved);
        saved += count;
        if (!save)
            waio_workspace_put(workspace, v);
    }
done:
    return st;
}

static waio_status run_branch(branching *b, branch *k, int worker, int64_t first, int64_t images)
{
    waio_status st = WAIO_OK;
    const waio_session *s = b->session;
    const waio_workspace *workspace = &s->workspace[worker];
    int64_t correct = 0;
    waio_run_range range = {k->start, s->model.graph->node_count, false, false};

    if (k->start == 0)
        waio_fill_input(s->program, s->dataset, &k->table, workspace, NULL, first, images);
    WAIO_TRY(st, waio_program_run(s->program, &k->binding.binding, workspace, range, NULL));
    WAIO_TRY(st, waio_answers_take(&k->answers, &correct, s, worker, s->program, workspace, first,
                                   images));
done:
    return st;
}

static waio_status run_chunk(void *payload, int worker, int64_t chunk)
{
    waio_status st = WAIO_OK;
    branching *b = payload;
    const waio_session *s = b->session;
    const waio_workspace *workspace = &s->workspace[worker];
    int64_t batch = waio_program_batch(s->program), first = chunk * batch;
    int64_t images = s->dataset->count - first < batch ? s->dataset->count - first : batch;
    int at = 0, k = 0; /* the trunk has been computed to here */

    for (; k < b->count && b->branch[k].start == 0; k++)
        WAIO_TRY(st, run_branch(b, &b->branch[k], worker, first, images));
    waio_fill_input(s->program, s->dataset, &b->table, workspace, NULL, first, images);
    for (bool used = false; k < b->count; k++, used = true) {
        int start = b->branch[k].start;
        if (used)
            WAIO_TRY(st, copy_alive(b, workspace, worker, at, false));
        if (start > at) {
            WAIO_TRY(st, waio_program_run(s->program, &b->trunk.binding, workspace,
                                          (waio_run_range){at, start, false, false}, NULL));
            at = start;
            WAIO_TRY(st, copy_alive(b, workspace, worker, at, true));
        }
        WAIO_TRY(st, run_branch(b, &b->branch[k], worker, first, images));
    }
    atomic_fetch_add(&b->done, images);
done:
    return st;
}

static void tick(void *payload)
{
    branching *b = payload;
    if (b->progress && b->progress->update)
        b->progress->update(b->progress->payload, atomic_load(&b->done), b->session->dataset->count,
                            -1);
}

/* ---- all of them ---- */

static size_t most_alive(const waio_session *s)
{
    const waio_graph *graph = s->model.graph;
    size_t most = 0;

    for (int n = 0; n < graph->node_count; n++) {
        size_t alive = 0;
        for (int v = 0; v < graph->value_count; v++)
            if (waio_value_crosses(s->program, v, n - 1))
                alive += (size_t)waio_shape_count(&graph->value[v].shape);
        most = alive > most ? alive : most;
    }
    return most * (size_t)waio_program_batch(s->program);
}

static waio_status bind_all(branching *b, const waio_quant_request *trunk,
                            const waio_quant_request *request, int count, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_session *s = b->session;

    WAIO_NEW(st, b->branch, arena, (size_t)count);
    WAIO_NEW(st, b->saved, arena, (size_t)s->options.threads);
    for (int t = 0; t < s->options.threads; t++)
        WAIO_NEW(st, b->saved[t], arena, most_alive(s));
    WAIO_TRY(st, waio_quantizer_bind(s->quantizer, trunk, &b->trunk));
    waio_input_numbers(&b->table, s, &b->trunk);
    for (; b->count < count; b->count++) {
        branch *k = &b->branch[b->count];
        k->index = b->count;
        WAIO_TRY(st, waio_quantizer_bind(s->quantizer, &request[k->index], &k->binding));
        k->start = find_start(s->model.graph, &b->trunk, &k->binding);
        waio_input_numbers(&k->table, s, &k->binding);
        WAIO_TRY(st, waio_answers_make(&k->answers, s, arena));
    }
    qsort(b->branch, (size_t)count, sizeof *b->branch, by_start);
done:
    return st;
}

/* As many configurations as go through together. */
static waio_status run_group(waio_session *s, const waio_quant_request *trunk,
                             const waio_quant_request *request, int count, waio_outcome *outcome,
                             const waio_pass_progress *progress)
{
    waio_status st = WAIO_OK;
    double start = waio_clock();
    waio_arena *arena = waio_arena_new();
    branching b = {.session = s, .progress = progress};
    int64_t batch = waio_program_batch(s->program);

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, bind_all(&b, trunk, request, count, arena));
    WAIO_TRY(st, waio_run_chunks(s, (s->dataset->count + batch - 1) / batch, run_chunk, &b, tick));
    for (int k = 0; k < count; k++) {
        waio_outcome *out = &outcome[b.branch[k].index];
        WAIO_TRY(st, waio_count_outcome(out, s, &b.branch[k].answers, waio_clock() - start,
                                        b.branch[k].binding.size_bytes));
        out->fallbacks = waio_program_fallbacks(s->program);
    }
done:
    for (int k = 0; k < b.count; k++) {
        waio_answers_free(&b.branch[k].answers, s);
        waio_quant_binding_free(&b.branch[k].binding);
    }
    waio_quant_binding_free(&b.trunk);
    waio_arena_free(arena);
    return st;
}

waio_status waio_session_branches(waio_session *s, const waio_quant_request *trunk,
                                  const waio_quant_request *request, int count,
                                  waio_outcome *outcome, const waio_pass_progress *progress)
{
    waio_status st = WAIO_OK;
    const waio_detector *d = s->detecting.detector;
    int64_t answer = d ? (int64_t)sizeof(waio_found) * d->most : (int64_t)sizeof(int32_t);
    int64_t together = s->options.memory / 8 / (answer * s->dataset->count); /* of the budget */

    together = together < 1 ? 1 : together > count ? count : together;
    WAIO_TRY(st, waio_session_calibrate(s));
    for (int k = 0; k < count; k += (int)together)
        WAIO_TRY(st, run_group(s, trunk, request + k,
                               count - k < (int)together ? count - k : (int)together, outcome + k,
                               progress));
done:
    return st;
}
