/* waio bench: how many images a network runs a second on random inputs, one worker a thread, each
 * with batches of its own. Nothing is read or compared: the time is the network's alone. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/binding.h"
#include "cli/options.h"
#include "models/models.h"
#include "util/clock.h"
#include "util/rng.h"

enum { RUNS = 5, MOST_THREADS = 256 };

typedef struct worker {
    const waio_program *program;
    const waio_binding *binding;
    waio_workspace workspace;
    pthread_t thread;
    double until; /* on the clock */
    int64_t batches;
    double seconds; /* that they took */
    waio_status status;
    char message[512];
} worker;

/* Codes or numbers in [0, 1), anew for every batch: operations may overwrite their input. */
static void fill_input(const worker *w, waio_rng *rng)
{
    const waio_graph *graph = waio_program_graph(w->program);
    const waio_value *x = &graph->value[graph->input];
    int64_t count = waio_shape_count(&x->shape) * waio_program_batch(w->program);
    float *to = waio_workspace_value(&w->workspace, w->program, graph->input);

    for (int64_t i = 0; i < count && x->type == WAIO_F32; i++)
        to[i] = waio_rng_unit(rng);
    for (int64_t i = 0; i < count * (int64_t)waio_type_bytes(x->type) && x->type != WAIO_F32; i++)
        ((uint8_t *)to)[i] = (uint8_t)waio_rng_below(rng, 256);
}

/* Batches until the time is over, at least one. The input is filled outside of the time taken. */
static void *work(void *argument)
{
    worker *w = argument;
    waio_rng rng = {1};
    waio_run_range all = {0, waio_program_graph(w->program)->node_count, false, false};
    size_t bytes = 0;
    const waio_graph *graph = waio_program_graph(w->program);
    const waio_value *x = &graph->value[graph->input];
    void *to = waio_workspace_value(&w->workspace, w->program, graph->input);

    bytes = (size_t)(waio_shape_count(&x->shape) * waio_program_batch(w->program)) *
            waio_type_bytes(x->type);
    fill_input(w, &rng);
    void *input = malloc(bytes);
    if (!input) {
        w->status = waio_error(WAIO_ENOMEM, "out of memory");
        return NULL;
    }
    memcpy(input, to, bytes);
    double start = waio_clock(), now = start;
    for (w->batches = 0; w->batches == 0 || now < w->until; w->batches++, now = waio_clock()) {
        memcpy(to, input, bytes);
        w->status = waio_program_run(w->program, w->binding, &w->workspace, all, NULL);
        if (w->status != WAIO_OK) {
            snprintf(w->message, sizeof w->message, "%s", waio_error_message());
            break;
        }
    }
    w->seconds = now - start;
    free(input);
    return NULL;
}

/* Images a second of all workers together. */
static waio_status measure(double *rate, worker *workers, int threads, double seconds)
{
    waio_status st = WAIO_OK;
    int started = 0;

    *rate = 0;
    for (; started < threads; started++) {
        workers[started].until = waio_clock() + seconds;
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0)
            break;
    }
    for (int t = 0; t < started; t++)
        pthread_join(workers[t].thread, NULL);
    if (started < threads)
        return waio_error(WAIO_EINTERNAL, "worker thread %d could not be started", started);
    for (int t = 0; t < threads; t++) {
        if (workers[t].status != WAIO_OK)
            WAIO_FAIL(st, workers[t].status, "%s", workers[t].message);
        *rate += (double)(workers[t].batches * waio_program_batch(workers[t].program)) /
                 workers[t].seconds;
    }
done:
    return st;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* One line a layer: its part of the time of a batch on one thread, the median of RUNS. */
static waio_status print_layers(const worker *w)
{
    enum { TIMES = 15 };
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_program_graph(w->program);
    double *time = calloc((size_t)graph->node_count * TIMES, sizeof *time), total = 0;
    waio_rng rng = {1};

    if (!time)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int run = 0; run < TIMES; run++) {
        fill_input(w, &rng);
        for (int n = 0; n < graph->node_count; n++) {
            double start = waio_clock();
            WAIO_TRY(st, waio_program_run(w->program, w->binding, &w->workspace,
                                          (waio_run_range){n, n + 1, false, false}, NULL));
            time[n * TIMES + run] = waio_clock() - start;
        }
    }
    for (int n = 0; n < graph->node_count; n++) {
        qsort(time + n * TIMES, TIMES, sizeof *time, ascending);
        total += time[n * TIMES + TIMES / 2];
    }
    printf("# layer, op, microseconds an image, share, GOP/s, backend\n");
    for (int n = 0; n < graph->node_count; n++) {
        double seconds = time[n * TIMES + TIMES / 2] / (double)waio_program_batch(w->program);
        printf("%4d %-10s %10.2f %5.1f%% %8.1f  %s\n", n, waio_op_name(graph->node[n].op),
               1e6 * seconds, 100 * time[n * TIMES + TIMES / 2] / total,
               2e-9 * (double)waio_node_macs(graph, &graph->node[n]) / seconds,
               waio_program_node_backend(w->program, n)->name);
    }
done:
    free(time);
    return st;
}

typedef struct bench_request {
    int64_t batch, threads, seconds;
    bool layers;
} bench_request;

static waio_status bench(const waio_model *model, const waio_backend *backend,
                         const bench_request *request)
{
    waio_status st = WAIO_OK;
    waio_program *program = NULL;
    waio_float_binding binding = {0};
    worker *workers = calloc(MOST_THREADS, sizeof *workers);
    int threads = (int)request->threads;
    double rate[RUNS + 1];

    if (!workers)
        return waio_error(WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, waio_program_compile(&program, model->graph, backend, request->batch,
                                      model->graph->node_count));
    WAIO_TRY(st, waio_float_binding_create(&binding, program));
    for (int t = 0; t < threads; t++) {
        workers[t].program = program;
        workers[t].binding = &binding.binding;
        WAIO_TRY(st, waio_workspace_create(&workers[t].workspace, program));
    }
    for (int run = 0; run <= RUNS; run++) /* the first one warms up */
        WAIO_TRY(st, measure(&rate[run], workers, threads,
                             (double)request->seconds / (run ? RUNS : 5 * RUNS)));
    qsort(rate + 1, RUNS, sizeof *rate, ascending);
    if (request->layers)
        WAIO_TRY(st, print_layers(&workers[0]));
    printf("%s on %s, batch %lld, %d threads: %.1f images/s (median of %d; %.1f to %.1f), "
           "%d layers on ref\n",
           model->name, backend->name, (long long)request->batch, threads, rate[1 + RUNS / 2], RUNS,
           rate[1], rate[RUNS], waio_program_fallbacks(program));
done:
    for (int t = 0; t < threads; t++)
        waio_workspace_free(&workers[t].workspace);
    free(workers);
    waio_float_binding_free(&binding);
    waio_program_free(program);
    return st;
}

int waio_cmd_bench(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    const char *models_dir = NULL, *backend_name = "auto";
    bench_request request = {.batch = 16, .threads = 2, .seconds = 5};
    const waio_option options[] = {
        {"backend", WAIO_OPTION_TEXT, &backend_name, "NAME", "auto, cpu, ref or null [auto]", 0, 0},
        {"batch", WAIO_OPTION_COUNT, &request.batch, "N", "images that run at once [16]", 1, 4096},
        {"threads", WAIO_OPTION_COUNT, &request.threads, "N",
         "workers, each with its own batch [2]", 1, MOST_THREADS},
        {"seconds", WAIO_OPTION_COUNT, &request.seconds, "S", "for all runs together [5]", 1, 3600},
        {"layers", WAIO_OPTION_FLAG, &request.layers, NULL, "a line a layer as well", 0, 0},
        {"models", WAIO_OPTION_TEXT, &models_dir, "DIR", "folder of model files [WAIO_MODELS]", 0,
         0},
    };
    const waio_command command = {
        .name = "bench",
        .summary = "how many images a second a network runs, on random inputs",
        .positional = "MODEL",
        .fewest = 1,
        .most = 1,
        .example = "waio bench shapes_resnet8 --batch 32",
        .option = options,
        .option_count = sizeof options / sizeof *options,
    };
    waio_arguments args;
    waio_model model = {0};
    const waio_backend *backend = NULL;

    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        return 0;
    WAIO_TRY(st, waio_backend_find(&backend, backend_name));
    waio_model_paths paths = {NULL, models_dir};
    WAIO_TRY(st, waio_model_load(&model, args.item[0], &paths));
    WAIO_TRY(st, bench(&model, backend, &request));
done:
    waio_model_free(&model);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
