/* waio quantize: a quantized network as a file that other tools run. */
#include <stdio.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/run_options.h"
#include "export/export.h"
#include "sweep/config.h"
#include "util/file.h"

typedef struct quantize_args {
    waio_cli_run cli;
    const char *output, *ends;
    waio_config config;
} quantize_args;

/* MODEL, then keys as eval takes them. */
static waio_status read_config(waio_config *config, const waio_arguments *args, waio_arena *arena)
{
    waio_status st = WAIO_OK;

    *config = waio_config_default();
    config->bits = (waio_precision){8, 8, 8, 8};
    config->model = args->item[0];
    for (int i = 1; i < args->count; i++)
        WAIO_TRY(st, waio_config_set(config, args->item[i], arena));
    if (!config->dataset)
        WAIO_FAIL(st, WAIO_EUSAGE, "data=... is needed: activations are calibrated on it");
    if (waio_config_is_file(config))
        WAIO_FAIL(st, WAIO_EUSAGE, "method=file: that network is quantized already");
    config->images = 1; /* calibration has its own images */
done:
    return st;
}

static waio_status lower(waio_graph **graph, const quantize_args *q)
{
    waio_status st = WAIO_OK;
    waio_run_options run = {.shard = 1, .shards = 1};
    waio_session_options options = {0};
    waio_session *session = NULL;
    waio_quant_request request = waio_config_request(&q->config);

    WAIO_TRY(st, waio_cli_run_apply(&run, &q->cli));
    options = (waio_session_options){.backend = run.backend,
                                     .data_dir = run.data_dir,
                                     .model_paths = {.models_dir = run.models_dir},
                                     .threads = run.threads,
                                     .batch = run.batch,
                                     .memory = run.memory};
    WAIO_TRY(st, waio_config_session_options(&options, &q->config));
    WAIO_TRY(st,
             waio_session_open(&session, q->config.model, q->config.dataset, &options, NULL));
    WAIO_TRY(st, waio_session_lower(session, graph, &request, waio_config_requant(&q->config)));
done:
    waio_session_close(session);
    return st;
}

static void print_summary(const waio_graph *graph, const char *path)
{
    size_t bytes = 0;
    int codes = 0;

    for (int n = 0; n < graph->node_count; n++)
        codes += graph->value[graph->node[n].output].type != WAIO_F32;
    if (waio_file_size(&bytes, path) == WAIO_OK)
        printf("%s: %zu bytes, %d nodes, %d of them on codes\n", path, bytes, graph->node_count,
               codes);
}

static waio_status quantize(const quantize_args *q)
{
    waio_status st = WAIO_OK;
    waio_graph *graph = NULL;

    WAIO_TRY(st, waio_export_check(q->output));
    WAIO_TRY(st, lower(&graph, q));
    if (strcmp(q->ends, "codes") == 0)
        WAIO_TRY(st, waio_lower_open_ends(graph));
    WAIO_TRY(st, waio_export_model(graph, q->output));
    print_summary(graph, q->output);
done:
    waio_graph_free(graph);
    return st;
}

int waio_cmd_quantize(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    quantize_args q = {.ends = "float"};
    const waio_option table[] = {
        {"output", WAIO_OPTION_TEXT, &q.output, "FILE", "where the network goes: .tflite or .onnx",
         0, 0},
        {"ends", WAIO_OPTION_TEXT, &q.ends, "FORM",
         "what goes in and comes out: float or codes [float]", 0, 0},
        WAIO_CLI_RUN_OPTIONS(q.cli),
    };
    const waio_command command = {
        .name = "quantize",
        .summary = "write a quantized network as .tflite or .onnx",
        .positional = "MODEL KEY=VALUE ...",
        .fewest = 1,
        .most = 32,
        .details =
            "Keys as of `waio eval`; data is needed, to calibrate activations on (calib=256\n"
            "images of csplit=train). Without more, w=8 a=8 i=8 o=8. The file computes what the\n"
            "engine integer does: weights of 2 to 8 bits (to 4 bits packed in a .tflite, where\n"
            "its kernels take that) or f16, activations of 2 to 16 bits, 32 is float.",
        .example = "waio quantize shapes_resnet8 data=shapes w=8 a=8 -o resnet8_int8.tflite",
        .option = table,
        .option_count = sizeof table / sizeof *table,
        .letter = 'o',
    };
    waio_arguments args;
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return waio_command_failed(&command, WAIO_ENOMEM);
    waio_cli_run_init(&q.cli);
    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        goto done;
    if (!q.output)
        WAIO_FAIL(st, WAIO_EUSAGE, "--output FILE is needed");
    if (strcmp(q.ends, "float") != 0 && strcmp(q.ends, "codes") != 0)
        WAIO_FAIL(st, WAIO_EUSAGE, "--ends %s; there are: float, codes", q.ends);
    WAIO_TRY(st, read_config(&q.config, &args, arena));
    WAIO_TRY(st, quantize(&q));
done:
    waio_arena_free(arena);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
