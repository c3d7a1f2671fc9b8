/* waio bench: how many images a network runs a second on random inputs, one worker a thread, each
 * with batches of its own. Nothing is read or compared: the time is the network's alone. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/binding.h"
#include "backend/plugin.h"
#include "cli/bench_kernels.h"
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
    double seconds, own_seconds; /* that they took, and of processor time */
    waio_status status;
    char message[512];
} worker;

static size_t input_bytes(const worker *w)
{
    const waio_graph *graph = waio_program_graph(w->program);
    const waio_value *x = &graph->value[graph->input];

    return (size_t)(waio_shape_count(&x->shape) * waio_program_batch(w->program)) *
           waio_type_bytes(x->type);
}

static void *input_of(const worker *w)
{
    const waio_graph *graph = waio_program_graph(w->program);
    return waio_workspace_value(&w->workspace, w->program, graph->input);
}

/* Codes of any value, or numbers in [0, 1). */
static void fill_input(void *to, const worker *w)
{
    const waio_graph *graph = waio_program_graph(w->program);
    size_t bytes = input_bytes(w);
    waio_rng rng = {1};

    if (graph->value[graph->input].type == WAIO_F32) {
        for (size_t i = 0; i < bytes / sizeof(float); i++)
            ((float *)to)[i] = waio_rng_unit(&rng);
        return;
    }
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = (uint8_t)waio_rng_below(&rng, 256);
}

/* Batches until the time is over, at least one. Each gets its input anew, since the input's memory
 * serves other values once it has been read. */
static waio_status run_batches(worker *w, const void *input)
{
    waio_status st = WAIO_OK;
    waio_run_range all = {0, waio_program_graph(w->program)->node_count, false, false};
    double start = waio_clock(), start_own = waio_clock_thread();

    for (w->batches = 0; w->batches == 0 || waio_clock() < w->until; w->batches++) {
        memcpy(input_of(w), input, input_bytes(w));
        WAIO_TRY(st, waio_program_run(w->program, w->binding, &w->workspace, all, NULL));
        WAIO_TRY(st, waio_workspace_fetch(&w->workspace, w->program,
                                          waio_program_graph(w->program)->output[0]));
    }
    w->seconds = waio_clock() - start;
    w->own_seconds = waio_clock_thread() - start_own;
done:
    return st;
}

static void *work(void *argument)
{
    worker *w = argument;
    void *input = malloc(input_bytes(w));

    w->status = WAIO_ENOMEM;
    snprintf(w->message, sizeof w->message, "out of memory");
    if (!input)
        return NULL;
    fill_input(input, w);
    w->status = run_batches(w, input);
    if (w->status != WAIO_OK)
        snprintf(w->message, sizeof w->message, "%.500s", waio_error_message());
    free(input);
    return NULL;
}

/* Images a second of all workers together, and for each second of processor time. */
typedef struct speed {
    double images, images_own;
} speed;

static waio_status measure(speed *out, worker *workers, int threads, double seconds)
{
    waio_status st = WAIO_OK;
    int started = 0;
    double own = 0, images = 0;

    *out = (speed){0, 0};
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
        double done_here = (double)(workers[t].batches * waio_program_batch(workers[t].program));
        out->images += done_here / workers[t].seconds;
        images += done_here;
        own += workers[t].own_seconds;
    }
    out->images_own = images / own;
done:
    return st;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

enum { TIMES = 15 };

/* Seconds of every layer, TIMES each, in `time`: [node][run]. On a device a layer's result is
 * waited for and copied, which is part of the time. */
static waio_status time_layers(double *time, const worker *w)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_program_graph(w->program);
    int nodes = graph->node_count;
    double (*now)(void) = w->workspace.mirror ? waio_clock : waio_clock_thread;

    for (int run = 0; run < TIMES; run++) {
        fill_input(input_of(w), w);
        for (int n = 0; n < nodes; n++) {
            double start = now();
            WAIO_TRY(st, waio_program_run(w->program, w->binding, &w->workspace,
                                          (waio_run_range){n, n + 1, false, false}, NULL));
            WAIO_TRY(st, waio_workspace_fetch(&w->workspace, w->program, graph->node[n].output));
            time[n * TIMES + run] = now() - start;
        }
    }
done:
    return st;
}

/* One line a layer: its part of the time of a batch on one thread, the median of TIMES. */
static waio_status print_layers(const worker *w)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = waio_program_graph(w->program);
    double *time = calloc((size_t)graph->node_count * TIMES, sizeof *time), total = 0;

    if (!time)
        return waio_error(WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, time_layers(time, w));
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

static void print_speed(const waio_program *program, const char *name, int threads,
                        const speed *runs)
{
    double wall[RUNS], own[RUNS];

    for (int i = 0; i < RUNS; i++) {
        wall[i] = runs[i].images;
        own[i] = runs[i].images_own;
    }
    qsort(wall, RUNS, sizeof *wall, ascending);
    qsort(own, RUNS, sizeof *own, ascending);
    printf(
        "%s, batch %lld, %d threads: %.1f images/s (median of %d; %.1f to %.1f), %.1f a second of "
        "processor time, %d layers on ref\n",
        name, (long long)waio_program_batch(program), threads, wall[RUNS / 2], RUNS, wall[0],
        wall[RUNS - 1], own[RUNS / 2], waio_program_fallbacks(program));
}

static waio_status bench(const waio_model *model, const waio_backend *backend,
                         const bench_request *request)
{
    waio_status st = WAIO_OK;
    waio_program *program = NULL;
    waio_float_binding binding = {0};
    worker *workers = calloc(MOST_THREADS, sizeof *workers);
    int threads = (int)request->threads;
    speed runs[RUNS + 1];

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
        WAIO_TRY(st, measure(&runs[run], workers, threads,
                             (double)request->seconds / (run ? RUNS : 5 * RUNS)));
    if (request->layers)
        WAIO_TRY(st, print_layers(&workers[0]));
    print_speed(program, model->name, threads, runs + 1);
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
    bench_request request = {.batch = 0, .threads = 2, .seconds = 5};
    waio_kernels_request of_kernels = {0};
    bool kernels = false;
    int wrong = 0;
    const waio_option options[] = {
        {"backend", WAIO_OPTION_TEXT, &backend_name, "NAME", "auto, cuda, cpu, ref or null [auto]",
         0, 0},
        {"batch", WAIO_OPTION_COUNT, &request.batch, "N",
         "images that run at once [16; kernels: 64]", 1, 4096},
        {"threads", WAIO_OPTION_COUNT, &request.threads, "N",
         "workers, each with its own batch [2]", 1, MOST_THREADS},
        {"seconds", WAIO_OPTION_COUNT, &request.seconds, "S", "for all runs together [5]", 1, 3600},
        {"layers", WAIO_OPTION_FLAG, &request.layers, NULL, "a line a layer as well", 0, 0},
        {"models", WAIO_OPTION_TEXT, &models_dir, "DIR", "folder of model files [WAIO_MODELS]", 0,
         0},
        {"kernels", WAIO_OPTION_FLAG, &kernels, NULL, "the CUDA kernels one by one, no MODEL", 0,
         0},
        {"only", WAIO_OPTION_TEXT, &of_kernels.only, "TEXT", "kernels with this in their name", 0,
         0},
        {"out", WAIO_OPTION_TEXT, &of_kernels.out, "FILE", "their times as CSV", 0, 0},
        {"small", WAIO_OPTION_FLAG, &of_kernels.small, NULL,
         "tiny shapes: to see that all kernels run", 0, 0},
    };
    const waio_command command = {
        .name = "bench",
        .summary = "how many images a second a network runs, on random inputs; times of kernels",
        .positional = "[MODEL]",
        .fewest = 0,
        .most = 1,
        .details =
            "--kernels: each CUDA kernel at shapes of ResNet50 and MobileNetV1, products of\n"
            "4096 x 4096 x 4096, tensors of 2^26 numbers: median time, GB/s and TOP/s of what\n"
            "must be moved and done, the share of the card's limit, which the driver tells,\n"
            "and the time of cuBLAS (int8, float), cuDNN (float) or a copy for the same work.\n"
            "Results are compared with the scalar rules; exit status 1 if one is wrong.",
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
    if (kernels) {
        if (args.count || (strcmp(backend_name, "auto") != 0 && strcmp(backend_name, "cuda") != 0))
            WAIO_FAIL(st, WAIO_EUSAGE,
                      "--kernels times those of the backend cuda, without a MODEL");
        of_kernels.batch = request.batch ? request.batch : 64;
        WAIO_TRY(st, waio_bench_kernels(&wrong, &of_kernels));
        return wrong ? 1 : 0;
    }
    if (of_kernels.only || of_kernels.out || of_kernels.small)
        WAIO_FAIL(st, WAIO_EUSAGE, "--only, --out and --small go with --kernels");
    if (args.count == 0)
        WAIO_FAIL(st, WAIO_EUSAGE, "a MODEL is missing (or --kernels)");
    request.batch = request.batch ? request.batch : 16;
    waio_plugin_cuda_choose((waio_plugin_options){.autotune = true});
    WAIO_TRY(st, waio_backend_find(&backend, backend_name));
    waio_model_paths paths = {NULL, models_dir};
    WAIO_TRY(st, waio_model_load(&model, args.item[0], &paths));
    WAIO_TRY(st, bench(&model, backend, &request));
done:
    waio_model_free(&model);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
