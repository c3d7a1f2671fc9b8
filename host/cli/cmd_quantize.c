/* waio quantize: a quantized network as a file that other tools run. */
#include <stdio.h>
#include <string.h>

#include "cli/run_options.h"
#include "export/export.h"
#include "models/models.h"
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
    waio_quant_request request;
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_cli_open_session(&session, &q->cli, &q->config));
    WAIO_TRY(st, waio_config_resolve(&request, &q->config, session, arena));
    WAIO_TRY(st, waio_session_lower(session, graph, &request, waio_config_requant(&q->config)));
done:
    waio_session_close(session);
    waio_arena_free(arena);
    return st;
}

/* A float network is written as it is: nothing to calibrate, and no rule about inputs and outputs.
 */
static waio_status load_float(waio_model *model, const quantize_args *q)
{
    waio_status st = WAIO_OK;
    waio_model_paths paths = {.models_dir = q->cli.models};

    WAIO_TRY(st, waio_model_load(model, q->config.model, &paths));
    if (waio_graph_is_quantized(model->graph))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "model %s is quantized already", model->name);
    if (model->trained != WAIO_TRAINED)
        fprintf(stderr, "waio quantize: warning: %s is not trained: its weights are random\n",
                model->trained == WAIO_UNTRAINED ? model->name : "the classifier");
done:
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
    waio_model model = {0};

    WAIO_TRY(st, waio_export_check(q->output));
    if (waio_config_is_float(&q->config))
        WAIO_TRY(st, load_float(&model, q));
    else
        WAIO_TRY(st, lower(&graph, q));
    if (strcmp(q->ends, "codes") == 0) {
        if (!graph)
            WAIO_FAIL(st, WAIO_EUSAGE, "--ends codes: the network is float");
        WAIO_TRY(st, waio_lower_open_ends(graph));
    }
    WAIO_TRY(st, waio_export_model(graph ? graph : model.graph, q->output));
    print_summary(graph ? graph : model.graph, q->output);
done:
    waio_graph_free(graph);
    waio_model_free(&model);
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
            "images of csplit=train), but not for method=squant, method=dfq and\n"
            "w=32 a=32 i=32 o=32, the float network as it is. Without more, w=8 a=8 i=8\n"
            "o=8. The file computes what the engine integer does: weights of 2 to 8 bits (to 4\n"
            "bits packed in a .tflite, where its kernels take that) or f16, activations of 2 to\n"
            "16 bits, 32 is float.",
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
    if (!waio_config_calibrates(&q.config))
        q.config.dataset = NULL; /* needs no images, and opens none */
    WAIO_TRY(st, quantize(&q));
done:
    waio_arena_free(arena);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
