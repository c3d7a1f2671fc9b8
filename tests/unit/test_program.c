/* Programs: any way of cutting a run into pieces, sharing a prefix or running on several threads
 * gives the bytes of one whole run. */
#include "check.h"

#include <pthread.h>
#include <stdlib.h>

#include "check/check.h"
#include "check/float_run.h"
#include "check/networks.h"

enum { BATCH = 3, VARIANTS = 3 };

typedef struct fixture {
    waio_graph *graph;
    waio_value_quant *quant[VARIANTS]; /* float, 8 bits, 3 bits */
    float *x;
    size_t x_count, y_count;
    int end; /* node count */
} fixture;

static void open_fixture(fixture *f, const waio_check_net *net)
{
    static const int bits[VARIANTS] = {0, 8, 3};
    waio_rng rng = {11};

    *f = (fixture){0};
    CHECK_OK(waio_check_net_build(&f->graph, net, 7));
    CHECK_OK(waio_graph_optimize(f->graph));
    f->end = f->graph->node_count;
    for (int i = 1; i < VARIANTS; i++)
        CHECK_OK(waio_check_quantizers(&f->quant[i], f->graph, bits[i], 2, 5));
    f->quant[0] = calloc((size_t)f->graph->value_count, sizeof *f->quant[0]);
    f->x_count = (size_t)waio_shape_count(&f->graph->value[f->graph->input].shape) * BATCH;
    f->y_count = (size_t)waio_shape_count(&f->graph->value[f->graph->output[0]].shape) * BATCH;
    f->x = calloc(f->x_count, sizeof *f->x);
    waio_fill_random(f->x, f->x_count, &rng);
}

static void close_fixture(fixture *f)
{
    for (int i = 0; i < VARIANTS; i++)
        free(f->quant[i]);
    free(f->x);
    waio_graph_free(f->graph);
}

static waio_float_run compile(const fixture *f, int keep_from)
{
    waio_float_run run = {0};
    CHECK_OK(waio_float_run_create(&run, f->graph, &waio_backend_cpu, BATCH, keep_from));
    return run;
}

static void put_input(const fixture *f, const waio_float_run *run)
{
    memcpy(waio_float_run_value(run, f->graph->input), f->x, f->x_count * sizeof *f->x);
}

static void run_range(const waio_float_run *run, const waio_value_quant *quant,
                      waio_run_range range)
{
    waio_binding binding = run->weights.binding;
    binding.quant = quant;
    CHECK_OK(waio_program_run(run->program, &binding, &run->workspace, range, NULL));
}

static const float *output_of(const fixture *f, const waio_float_run *run)
{
    return waio_float_run_value(run, f->graph->output[0]);
}

/* Variant `v` from node `k` on, float before it. Release with free(). */
static waio_value_quant *quant_from(const fixture *f, int v, int k)
{
    waio_value_quant *quant = calloc((size_t)f->graph->value_count, sizeof *quant);
    for (int n = k; n < f->end; n++)
        quant[f->graph->node[n].output] = f->quant[v][f->graph->node[n].output];
    return quant;
}

/* What a whole run of variant `v` from node `k` on gives. Release with free(). */
static float *whole(const fixture *f, const waio_float_run *plain, int v, int k)
{
    waio_value_quant *quant = quant_from(f, v, k);
    float *y = calloc(f->y_count, sizeof *y);

    put_input(f, plain);
    run_range(plain, quant, (waio_run_range){.first = 0, .end = f->end});
    memcpy(y, output_of(f, plain), f->y_count * sizeof *y);
    free(quant);
    return y;
}

static void check_equal(const fixture *f, const float *got, const float *want, const char *what,
                        int k, int v)
{
    CHECK(memcmp(got, want, f->y_count * sizeof *got) == 0,
          "%s: %s at node %d, variant %d: other bytes than a whole run", f->graph->name, what, k,
          v);
}

/* Nodes before k once, nodes from k on for each variant, twice over. */
static void share_prefix(const fixture *f, const waio_float_run *plain, int k)
{
    waio_float_run run = compile(f, k);

    put_input(f, &run);
    run_range(&run, f->quant[0], (waio_run_range){.first = 0, .end = k});
    for (int i = 0; i < 2 * VARIANTS; i++) {
        int v = i % VARIANTS;
        waio_value_quant *quant = quant_from(f, v, k);
        float *want = whole(f, plain, v, k);
        run_range(&run, quant, (waio_run_range){.first = k, .end = f->end});
        check_equal(f, output_of(f, &run), want, "shared prefix", k, v);
        free(want);
        free(quant);
    }
    waio_float_run_free(&run);
}

static void copy_crossing(const fixture *f, const waio_float_run *run, int k, float *store,
                          bool restore)
{
    for (int id = 0; id < f->graph->value_count; id++) {
        if (!waio_value_crosses(run->program, id, k))
            continue;
        size_t count = waio_float_run_count(run, id);
        float *live = waio_float_run_value(run, id);
        memcpy(restore ? live : store, restore ? store : live, count * sizeof *store);
        store += count;
    }
}

/* NaN everywhere: what is not restored shows. */
static void forget_everything(const fixture *f, const waio_float_run *run)
{
    for (int n = 0; n < f->end; n++) {
        int id = f->graph->node[n].output;
        memset(waio_float_run_value(run, id), 0xff, waio_float_run_count(run, id) * sizeof(float));
    }
}

/* Up to node k without its quantizer; what is read later is put aside and brought back for each
 * variant, as a sweep over activation bits does. */
static void suspend_and_resume(const fixture *f, const waio_float_run *plain, int k)
{
    waio_float_run run = compile(f, f->end);
    size_t bytes = waio_workspace_bytes(run.program);
    float *store = calloc(1, bytes + 64);
    waio_value_quant *first = quant_from(f, 2, k); /* must not come to pass */

    put_input(f, &run);
    run_range(&run, first, (waio_run_range){.first = 0, .end = k + 1, .suspend = true});
    free(first);
    copy_crossing(f, &run, k, store, false);
    for (int v = 0; v < VARIANTS; v++) {
        waio_value_quant *quant = quant_from(f, v, k);
        float *want = whole(f, plain, v, k);
        forget_everything(f, &run);
        copy_crossing(f, &run, k, store, true);
        run_range(&run, quant, (waio_run_range){.first = k, .end = f->end, .resume = true});
        check_equal(f, output_of(f, &run), want, "resumed", k, v);
        free(want);
        free(quant);
    }
    free(store);
    waio_float_run_free(&run);
}

static void pieces_are_the_whole(const fixture *f)
{
    waio_float_run plain = compile(f, f->end);

    for (int k = 0; k <= f->end; k++)
        share_prefix(f, &plain, k);
    for (int k = 0; k < f->end; k++)
        suspend_and_resume(f, &plain, k);
    waio_float_run_free(&plain);
}

/* ---- the boundary of a float prefix ---- */

static void boundary_quantizes_what_crosses(const fixture *f)
{
    waio_float_run plain = compile(f, f->end), run = compile(f, f->end);

    for (int b = 1; b < f->end; b++) {
        int id = f->graph->node[b - 1].output;
        waio_value_quant quant = f->quant[2][id];
        waio_binding binding = run.weights.binding;
        put_input(f, &plain);
        run_range(&plain, NULL, (waio_run_range){.first = 0, .end = b});
        float *data = waio_float_run_value(&plain, id);
        waio_backend_ref.fake_quantize(data, data, waio_float_run_count(&plain, id), quant.fq,
                                       quant.rounding);
        run_range(&plain, NULL, (waio_run_range){.first = b, .end = f->end});
        binding.boundary = b;
        binding.boundary_value = &id;
        binding.boundary_quant = &quant;
        binding.boundary_count = 1;
        put_input(f, &run);
        CHECK_OK(waio_program_run(run.program, &binding, &run.workspace,
                                  (waio_run_range){.first = 0, .end = f->end}, NULL));
        check_equal(f, output_of(f, &run), output_of(f, &plain), "boundary", b, 2);
    }
    waio_float_run_free(&plain);
    waio_float_run_free(&run);
}

/* ---- hook ---- */

typedef struct visits {
    const fixture *f;
    const waio_float_run *run;
    int next, wrong;
} visits;

static void visit(void *payload, int id, const float *data, int64_t count)
{
    visits *v = payload;
    const waio_value_quant *quant = &v->f->quant[2][id];

    v->wrong += id != v->f->graph->node[v->next++].output;
    v->wrong += data != waio_float_run_value(v->run, id);
    v->wrong += (size_t)count != waio_float_run_count(v->run, id);
    for (int64_t i = 0; i < count; i++) /* quantized before: quantizing again changes nothing */
        v->wrong += waio_fake_quantize(data[i], quant->fq, quant->rounding) != data[i];
}

static void hook_sees_every_quantized_value(const fixture *f)
{
    waio_float_run run = compile(f, f->end);
    visits v = {.f = f, .run = &run};
    waio_observer_hook hook = {visit, &v};
    waio_binding binding = run.weights.binding;

    binding.quant = f->quant[2];
    put_input(f, &run);
    CHECK_OK(waio_program_run(run.program, &binding, &run.workspace,
                              (waio_run_range){.first = 0, .end = f->end}, &hook));
    CHECK(v.next == f->end && v.wrong == 0, "%d values seen, %d wrong", v.next, v.wrong);
    waio_float_run_free(&run);
}

static void half_is_rounded_to_half(const fixture *f)
{
    waio_float_run run = compile(f, f->end), plain = compile(f, f->end);
    waio_value_quant *quant = calloc((size_t)f->graph->value_count, sizeof *quant);
    int id = f->graph->node[0].output, wrong = 0;

    quant[id] = (waio_value_quant){.enabled = true, .half = true};
    put_input(f, &run);
    put_input(f, &plain);
    run_range(&run, quant, (waio_run_range){.first = 0, .end = 1});
    run_range(&plain, NULL, (waio_run_range){.first = 0, .end = 1});
    for (size_t i = 0; i < waio_float_run_count(&run, id); i++)
        wrong += waio_float_run_value(&run, id)[i] !=
                 waio_round_to_half(waio_float_run_value(&plain, id)[i]);
    CHECK(wrong == 0, "%d numbers are no halves", wrong);
    free(quant);
    waio_float_run_free(&run);
    waio_float_run_free(&plain);
}

/* ---- threads ---- */

typedef struct worker {
    const fixture *f;
    const waio_float_run *shared;
    waio_workspace workspace;
    int variant, different;
    const float *want;
} worker;

static void *work(void *payload)
{
    worker *w = payload;
    waio_float_run own = *w->shared;

    own.workspace = w->workspace;
    for (int i = 0; i < 30; i++) {
        put_input(w->f, &own);
        waio_binding binding = own.weights.binding;
        binding.quant = w->f->quant[w->variant];
        w->different +=
            waio_program_run(own.program, &binding, &own.workspace,
                             (waio_run_range){.first = 0, .end = w->f->end}, NULL) != WAIO_OK;
        w->different += memcmp(output_of(w->f, &own), w->want, w->f->y_count * sizeof(float)) != 0;
    }
    return NULL;
}

static void threads_do_not_meet(const fixture *f)
{
    waio_float_run run = compile(f, f->end);
    worker workers[3] = {0};
    pthread_t thread[3];

    for (int i = 0; i < 3; i++) {
        workers[i] = (worker){.f = f, .shared = &run, .variant = i};
        workers[i].want = whole(f, &run, i, 0);
        CHECK_OK(waio_workspace_create(&workers[i].workspace, run.program));
    }
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&thread[i], NULL, work, &workers[i]) == 0, "thread %d", i);
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
        CHECK(workers[i].different == 0, "thread %d: %d runs differ", i, workers[i].different);
        waio_workspace_free(&workers[i].workspace);
        free((void *)workers[i].want);
    }
    waio_float_run_free(&run);
}

/* ---- fallbacks ---- */

static void fallbacks_are_counted(void)
{
    waio_graph *graph = waio_graph_new("fallbacks");
    waio_node resize = {
        .op = WAIO_OP_RESIZE, .name = "resize", .input_count = 1, .resize = {{5, 5}, true}};
    waio_node clip = {.op = WAIO_OP_CLIP, .name = "clip", .input_count = 1, .clamp = {0, 1}};
    waio_node move = {.op = WAIO_OP_TRANSPOSE,
                      .name = "transpose",
                      .input_count = 1,
                      .transpose = {{0, 2, 1, 3}}};
    waio_program *program = NULL;
    int id = -1;

    CHECK_OK(waio_graph_add_input(graph, &resize.input[0], "x", &WAIO_SHAPE(1, 3, 3, 2)));
    CHECK_OK(waio_graph_add_node(graph, &clip.input[0], &resize));
    CHECK_OK(waio_graph_add_node(graph, &move.input[0], &clip));
    CHECK_OK(waio_graph_add_node(graph, &id, &move));
    CHECK_OK(waio_graph_add_output(graph, id));
    for (int i = 0; waio_backends[i]; i++) {
        CHECK_OK(waio_program_compile(&program, graph, waio_backends[i], 1, 0));
        int fallbacks = 0;
        for (int n = 0; n < 3; n++) {
            const char *reason = NULL;
            bool supported = waio_backends[i]->supports(graph, &graph->node[n], &reason);
            const waio_backend *runs_on = waio_program_node_backend(program, n);
            CHECK(runs_on == (supported ? waio_backends[i] : &waio_backend_ref),
                  "node %d runs on %s", n, runs_on->name);
            CHECK(supported || (reason && reason[0]), "refused without a reason");
            fallbacks += !supported;
        }
        CHECK(waio_program_fallbacks(program) == fallbacks, "%s: %d fallbacks counted, %d made",
              waio_backends[i]->name, waio_program_fallbacks(program), fallbacks);
        CHECK(waio_backends[i] == &waio_backend_cpu || fallbacks == 0, "ref and null take all");
        waio_program_free(program);
    }
    waio_graph_free(graph);
}

static void backends_by_name(void)
{
    const waio_backend *backend = NULL;

    CHECK_OK(waio_backend_find(&backend, "auto"));
    CHECK(backend == waio_backends[0], "auto takes the first");
    for (int i = 0; waio_backends[i]; i++) {
        CHECK_OK(waio_backend_find(&backend, waio_backends[i]->name));
        CHECK(backend == waio_backends[i], "%s", waio_backends[i]->name);
    }
    CHECK_FAILS(waio_backend_find(&backend, "gpu"), WAIO_EUSAGE, "\"gpu\" is unknown");
}

int main(void)
{
    for (const waio_check_net *net = waio_check_nets; net->name; net++) {
        fixture f;
        open_fixture(&f, net);
        pieces_are_the_whole(&f);
        boundary_quantizes_what_crosses(&f);
        hook_sees_every_quantized_value(&f);
        half_is_rounded_to_half(&f);
        threads_do_not_meet(&f);
        close_fixture(&f);
    }
    fallbacks_are_counted();
    backends_by_name();
    return waio_check_result();
}
