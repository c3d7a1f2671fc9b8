/* waio quantize: a quantized network as a file that other tools run. */
#include <stdio.h>
#include <string.h>

#include "cli/run_options.h"
#include "export/export.h"
#include "sweep/config.h"
#include "util/file.h"

typedef struct quantize_args {
    waio_cli_run cli;
    const char *output, *ends;
    waio_config config;
} quantize_args;

static waio_status lower(waio_graph **graph, const quantize_args *q)
{
    waio_status st = WAIO_OK;
    waio_session *session = NULL;
    waio_quant_request request = waio_config_request(&q->config);

    WAIO_TRY(st, waio_cli_open_session(&session, &q->cli, &q->config));
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
            "images of csplit=train; method=squant and method=dfq take none of them). Without\n"
            "more, w=8 a=8 i=8 o=8. The file computes what the engine integer does: weights of\n"
            "2 to 8 bits (to 4 bits packed in a .tflite, where its kernels take that) or f16,\n"
            "activations of 2 to 16 bits, 32 is float.",
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
    WAIO_TRY(st, waio_cli_read_config(&q.config, &args, arena));
    q.config.images = 1; /* calibration has its own images */
    WAIO_TRY(st, quantize(&q));
done:
    waio_arena_free(arena);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
