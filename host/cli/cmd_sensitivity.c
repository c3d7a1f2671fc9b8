/* waio sensitivity: what quantizing each layer costs, as CSV. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/run_options.h"
#include "sweep/sensitivity.h"
#include "util/clock.h"
#include "util/csv.h"
#include "util/file.h"

typedef struct sensitivity_args {
    waio_cli_run cli;
    const char *output, *threshold_text;
    double threshold;
    int64_t images;
    waio_config config;
} sensitivity_args;

typedef struct sensitivity_view {
    waio_progress progress;
    waio_run_state state;
    double started;
} sensitivity_view;

static void show_progress(void *payload, int64_t done, int64_t total, int64_t correct)
{
    sensitivity_view *view = payload;

    if (done < view->state.images_done) /* another pass */
        view->started = waio_clock();
    view->state.images_done = done;
    view->state.images_total = total;
    view->state.correct = correct;
    view->state.pass_seconds = waio_clock() - view->started;
    view->state.seconds_left =
        done ? view->state.pass_seconds / (double)done * (double)(total - done) : -1;
    waio_progress_show(&view->progress, &view->state);
}

static void put_real(FILE *out, double value)
{
    char text[32];

    waio_real_text(text, value);
    fprintf(out, ",%s", text);
}

static int print_layers(FILE *out, const waio_graph *graph, const waio_layer_cost *layer, int count,
                        double threshold)
{
    int suspects = 0;

    fputs("index,layer,op,rmse_over_scale,sqnr_db,value_only,value_all_but,suspect,params,macs\n",
          out);
    for (int k = 0; k < count; k++) {
        const waio_node *node = &graph->node[layer[k].node];
        bool suspect = waio_layer_suspect(&layer[k].error, threshold);
        fprintf(out, "%d,", layer[k].node);
        waio_csv_put(out, node->name);
        fprintf(out, ",%s", waio_op_name(node->op));
        put_real(out, layer[k].error.rmse_over_scale);
        put_real(out, layer[k].error.sqnr_db);
        put_real(out, layer[k].value_only);
        put_real(out, layer[k].value_all_but);
        fprintf(out, ",%d,%" PRId64 ",%" PRId64 "\n", suspect, waio_node_params(graph, node),
                waio_node_macs(graph, node));
        suspects += suspect;
    }
    return suspects;
}

/* To a file whole or not at all, or to stdout. */
static waio_status write_layers(const sensitivity_args *a, const waio_graph *graph,
                                const waio_layer_cost *layer, int count, int *suspects)
{
    waio_status st = WAIO_OK;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    if (!out)
        return waio_error(WAIO_ENOMEM, "out of memory");
    *suspects = print_layers(out, graph, layer, count, a->threshold);
    if (fclose(out) != 0)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    if (a->output)
        WAIO_TRY(st, waio_file_replace(a->output, text, bytes));
    else if (fwrite(text, 1, bytes, stdout) != bytes || fflush(stdout) != 0)
        WAIO_FAIL(st, WAIO_EIO, "the standard output cannot be written");
done:
    free(text);
    return st;
}

static waio_status measure(const sensitivity_args *a, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_session *session = NULL;
    waio_layer_cost *layer = NULL;
    sensitivity_view view = {0};
    waio_pass_progress progress = {show_progress, &view};
    int count = 0, suspects = 0;

    waio_progress_init(&view.progress, a->cli.quiet);
    view.state.config = waio_config_text(&a->config, arena);
    view.started = waio_clock();
    WAIO_TRY(st, waio_cli_open_session(&session, &a->cli, &a->config));
    st = waio_session_sensitivity(session, &a->config.bits, &layer, &count, &progress, arena);
    waio_progress_clear(&view.progress);
    WAIO_TRY(st, st);
    WAIO_TRY(st, write_layers(a, waio_session_model(session)->graph, layer, count, &suspects));
    fprintf(stderr, "%d of %d layers are suspect: error above %g scales; float %.2f %%\n", suspects,
            count, a->threshold, waio_session_float(session)->value);
done:
    waio_session_close(session);
    return st;
}

static waio_status read_args(sensitivity_args *a, const waio_arguments *args, waio_arena *arena)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_cli_read_config(&a->config, args, arena));
    if (waio_config_is_float(&a->config))
        WAIO_FAIL(st, WAIO_EUSAGE, "w=32 a=32 i=32 o=32: nothing is quantized");
    if (a->config.first_n || strcmp(a->config.suspects, "0") != 0)
        WAIO_FAIL(st, WAIO_EUSAGE, "first_n and suspects: here every layer has its turn");
    if (!waio_real_parse(&a->threshold, a->threshold_text) || !(a->threshold > 0))
        WAIO_FAIL(st, WAIO_EUSAGE, "--threshold %s; expected a number above 0", a->threshold_text);
    a->config.engine = "simulate";
    if (a->images)
        a->config.images = a->images;
done:
    return st;
}

int waio_cmd_sensitivity(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    sensitivity_args a = {.threshold_text = "0.7"};
    const waio_option table[] = {
        {"output", WAIO_OPTION_TEXT, &a.output, "FILE", "where the CSV goes [standard output]", 0,
         0},
        {"threshold", WAIO_OPTION_TEXT, &a.threshold_text, "X",
         "layers with a larger rmse_over_scale are suspect [0.7]", 0, 0},
        {"images", WAIO_OPTION_COUNT, &a.images, "N", "the first N of the test set [0: all]", 0,
         1000000000},
        WAIO_CLI_RUN_OPTIONS(a.cli),
    };
    const waio_command command = {
        .name = "sensitivity",
        .summary = "what quantizing each layer costs, and which layers are suspect",
        .positional = "MODEL KEY=VALUE ...",
        .fewest = 1,
        .most = 32,
        .details = "Keys as of `waio eval`; data is needed; without more, w=8 a=8 i=8 o=8. A line "
                   "a layer:\n"
                   "rmse_over_scale (as TensorFlow Lite's debugger has it: the layer beside its "
                   "float twin\n"
                   "on the same inputs; rounding alone gives 0.289) and sqnr_db, on the "
                   "calibration images\n"
                   "(calib=256 csplit=train); value_only and value_all_but: the metric on the test "
                   "set with\n"
                   "only this layer quantized, and with all but it. Engine simulate.",
        .example = "waio sensitivity shapes_resnet8 data=shapes w=4 a=4 --images 500",
        .option = table,
        .option_count = sizeof table / sizeof *table,
        .letter = 'o',
    };
    waio_arguments args;
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return waio_command_failed(&command, WAIO_ENOMEM);
    waio_cli_run_init(&a.cli);
    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        goto done;
    WAIO_TRY(st, read_args(&a, &args, arena));
    waio_cli_catch_signals();
    WAIO_TRY(st, measure(&a, arena));
done:
    waio_arena_free(arena);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
