/* A network on three programs in step: the reference (ref), the backend with its own values
 * (free), and the backend given the reference's values before each layer (lock). The last shows
 * which layer is at fault, the second what comes out at the end. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/check.h"
#include "check/compare.h"
#include "check/float_run.h"
#include "check/tolerance.h"

typedef struct trio {
    const waio_graph *graph;
    const waio_check_args *args;
    waio_float_run ref, lock, free;
} trio;

static void trio_close(trio *t)
{
    waio_float_run_free(&t->ref);
    waio_float_run_free(&t->lock);
    waio_float_run_free(&t->free);
}

static waio_status trio_open(trio *t, const waio_graph *graph, const waio_check_args *args)
{
    waio_status st = WAIO_OK;
    waio_rng rng = {args->seed};
    float *x = NULL;

    *t = (trio){.graph = graph, .args = args};
    WAIO_TRY(st, waio_float_run_create(&t->ref, graph, &waio_backend_ref, args->images, 0));
    WAIO_TRY(st, waio_float_run_create(&t->lock, graph, args->backend, args->images, 0));
    WAIO_TRY(st, waio_float_run_create(&t->free, graph, args->backend, args->images, 0));
    t->free.weights.binding.quant = args->quant;
    x = waio_float_run_value(&t->ref, graph->input);
    size_t count = waio_float_run_count(&t->ref, graph->input);
    waio_fill_random(x, count, &rng);
    memcpy(waio_float_run_value(&t->lock, graph->input), x, count * sizeof *x);
    memcpy(waio_float_run_value(&t->free, graph->input), x, count * sizeof *x);
done:
    return st;
}

static waio_status run_one(const waio_float_run *run, int n)
{
    waio_run_range range = {.first = n, .end = n + 1};
    return waio_program_run(run->program, &run->weights.binding, &run->workspace, range, NULL);
}

/* How far x lies from the nearest tie between two codes, in steps. */
static double from_tie(float x, float scale)
{
    double steps = (double)x / scale;
    return fabs(steps - floor(steps) - 0.5);
}

/* Quantizes both sides, each on its own backend. Returns whether numbers that differ are one step
 * apart and came from a tie. */
static bool quantize_both(trio *t, const waio_value_quant *quant, float *want, float *got,
                          size_t count, waio_network_report *report)
{
    double step = (double)quant->fq.scale;
    bool explained = true;

    for (size_t i = 0; i < count; i++) {
        float raw_want = want[i], raw_got = got[i];
        waio_backend_ref.fake_quantize(&want[i], &raw_want, 1, quant->fq, quant->rounding);
        t->args->backend->fake_quantize(&got[i], &raw_got, 1, quant->fq, quant->rounding);
        report->quantized++;
        if (got[i] == want[i] || (got[i] != got[i] && want[i] != want[i]))
            continue;
        bool tie = fabs((double)got[i] - want[i]) <= 1.001 * step &&
                   from_tie(raw_want, quant->fq.scale) <= WAIO_BOUND_TIE &&
                   from_tie(raw_got, quant->fq.scale) <= WAIO_BOUND_TIE;
        report->steps_off += tie;
        explained = explained && tie;
    }
    return explained;
}

/* Runs node `n` on all three and judges it. */
static waio_status check_node(trio *t, int n, waio_network_report *report)
{
    waio_status st = WAIO_OK;
    int id = t->graph->node[n].output;
    size_t count = waio_float_run_count(&t->ref, id);
    float *want = waio_float_run_value(&t->ref, id), *got = waio_float_run_value(&t->lock, id);
    const waio_value_quant *quant = t->args->quant ? &t->args->quant[id] : NULL;
    waio_bound bound = waio_bound_of(t->graph, &t->graph->node[n]);

    WAIO_TRY(st, run_one(&t->ref, n));
    WAIO_TRY(st, run_one(&t->lock, n));
    WAIO_TRY(st, run_one(&t->free, n));
    WAIO_TRY(st, waio_float_run_fetch(&t->lock, id));
    WAIO_TRY(st, waio_float_run_fetch(&t->free, id));
    double share = waio_compare(got, want, count, bound);
    if (quant && quant->enabled && !quant->half &&
        !quantize_both(t, quant, want, got, count, report))
        share = INFINITY;
    for (size_t i = 0; quant && quant->enabled && quant->half && i < count; i++)
        want[i] = waio_round_to_half(want[i]);
    memcpy(got, want, count * sizeof *got);
    waio_workspace_put(&t->lock.workspace, id);
    if (!(share <= 1) && report->departed < 0) {
        report->departed = n;
        report->departed_share = share;
    }
    if (share > report->worst_share || report->worst < 0) {
        report->worst = n;
        report->worst_share = share;
    }
    if (t->args->out)
        fprintf(t->args->out, "%4d  %-28.28s %-10s %-7s %-7s %9.3g %11.3g  %s\n", n,
                t->graph->node[n].name, waio_op_name(t->graph->node[n].op),
                waio_program_node_backend(t->lock.program, n)->name, waio_bound_name(bound.kind),
                share, waio_nmse(waio_float_run_value(&t->free, id), want, count),
                share <= 1 ? "ok" : "DIFFERS");
done:
    return st;
}

/* Compares the largest numbers of one row. */
static void check_row(const float *got, const float *want, int64_t width, double margin,
                      waio_network_report *report)
{
    int64_t best_got = 0, best = 0;
    double lowest = want[0], second = -INFINITY;

    for (int64_t i = 1; i < width; i++) {
        best_got = got[i] > got[best_got] ? i : best_got;
        best = want[i] > want[best] ? i : best;
        lowest = fmin(lowest, (double)want[i]);
    }
    for (int64_t i = 0; i < width; i++)
        second = i == best ? second : fmax(second, (double)want[i]);
    if (best_got == best)
        return;
    report->top1_differ++;
    report->top1_wrong += want[best] - second > margin * (want[best] - lowest);
}

static void check_outputs(const trio *t, waio_network_report *report)
{
    double margin = t->args->quant ? WAIO_BOUND_MARGIN_QUANTIZED : WAIO_BOUND_MARGIN;

    for (int i = 0; i < t->graph->output_count; i++) {
        int id = t->graph->output[i];
        size_t count = waio_float_run_count(&t->ref, id);
        double nmse =
            waio_nmse(waio_float_run_value(&t->free, id), waio_float_run_value(&t->ref, id), count);
        report->output_nmse = nmse <= report->output_nmse ? report->output_nmse : nmse;
    }
    int id = t->graph->output[0];
    const waio_shape *shape = &t->graph->value[id].shape;
    int64_t width = shape->dim[shape->rank - 1];
    for (size_t at = 0; at < waio_float_run_count(&t->ref, id); at += (size_t)width)
        check_row(waio_float_run_value(&t->free, id) + at, waio_float_run_value(&t->ref, id) + at,
                  width, margin, report);
}

waio_status waio_check_network(const waio_graph *graph, const waio_check_args *args,
                               waio_network_report *report)
{
    waio_status st = WAIO_OK;
    trio t;

    *report = (waio_network_report){.departed = -1, .worst = -1};
    WAIO_TRY(st, trio_open(&t, graph, args));
    report->fallbacks = waio_program_fallbacks(t.lock.program);
    if (args->out)
        fprintf(args->out, "%4s  %-28s %-10s %-7s %-7s %9s %11s\n", "#", "layer", "op", "runs on",
                "bound", "share", "drift nmse");
    for (int n = 0; n < graph->node_count; n++)
        WAIO_TRY(st, check_node(&t, n, report));
    check_outputs(&t, report);
    double bound = args->quant ? WAIO_BOUND_NETWORK_QUANTIZED : WAIO_BOUND_NETWORK;
    report->agreed = report->departed < 0 && report->output_nmse <= bound && !report->top1_wrong;
done:
    trio_close(&t);
    return st;
}

/* ---- quantizers from random images ---- */

typedef struct extremes {
    float *least, *most; /* per value */
} extremes;

static void observe(void *payload, int id, const float *data, int64_t count)
{
    extremes *e = payload;

    for (int64_t i = 0; i < count; i++) {
        e->least[id] = fminf(e->least[id], data[i]);
        e->most[id] = fmaxf(e->most[id], data[i]);
    }
}

static waio_value_quant quantizer_of(float least, float most, int bits)
{
    double levels = ldexp(1, bits) - 1, low = -ldexp(1, bits - 1);
    double scale = most > least ? ((double)most - least) / levels : 1;
    double zero = fmin(fmax(round(low - least / scale), low), low + levels);

    return (waio_value_quant){
        .enabled = true,
        .fq = {(float)scale, (float)(low - zero), (float)(low + levels - zero)},
        .rounding = WAIO_ROUND_HALF_AWAY};
}

waio_status waio_check_quantizers(waio_value_quant **quant, const waio_graph *graph, int bits,
                                  int64_t images, uint64_t seed)
{
    waio_status st = WAIO_OK;
    size_t values = (size_t)graph->value_count;
    extremes e = {calloc(values, sizeof(float)), calloc(values, sizeof(float))};
    waio_observer_hook hook = {observe, &e};
    waio_run_range all = {.first = 0, .end = graph->node_count};
    waio_float_run run = {0};
    waio_rng rng = {seed};

    *quant = calloc(values, sizeof **quant);
    if (!*quant || !e.least || !e.most)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, waio_float_run_create(&run, graph, &waio_backend_ref, images, 0));
    waio_fill_random(waio_float_run_value(&run, graph->input),
                     waio_float_run_count(&run, graph->input), &rng);
    WAIO_TRY(st, waio_program_run(run.program, &run.weights.binding, &run.workspace, all, &hook));
    for (int n = 0; n < graph->node_count; n++) {
        int id = graph->node[n].output;
        (*quant)[id] = quantizer_of(e.least[id], e.most[id], bits);
    }
done:
    if (st != WAIO_OK) {
        free(*quant);
        *quant = NULL;
    }
    waio_float_run_free(&run);
    free(e.least);
    free(e.most);
    return st;
}
