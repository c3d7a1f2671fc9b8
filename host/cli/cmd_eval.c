/* waio eval: one configuration. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/run_options.h"
#include "sweep/config.h"
#include "util/clock.h"

typedef struct eval_view {
    waio_progress progress;
    waio_run_state state;
    double pass_started, last_update;
} eval_view;

static void show_progress(void *payload, int64_t done, int64_t total, int64_t correct)
{
    eval_view *view = payload;

    if (done < view->state.images_done) /* the float pass is over, the quantized one began */
        view->pass_started = view->last_update;
    view->last_update = waio_clock();
    view->state.images_done = done;
    view->state.images_total = total;
    view->state.correct = correct;
    view->state.pass_seconds = view->last_update - view->pass_started;
    view->state.seconds_left =
        done ? view->state.pass_seconds / (double)done * (double)(total - done) : -1;
    waio_progress_show(&view->progress, &view->state);
}

static waio_status read_config(waio_config *config, const waio_arguments *args, waio_arena *arena)
{
    waio_status st = WAIO_OK;

    *config = waio_config_default();
    for (int i = 0; i < args->count; i++)
        WAIO_TRY(st, waio_config_set(config, args->item[i], arena));
    if (!config->model || !config->dataset)
        WAIO_FAIL(st, WAIO_EUSAGE, "model=... and data=... are needed");
    if (strcmp(config->method, "float") == 0 && !waio_config_is_float(config))
        WAIO_FAIL(st, WAIO_EUSAGE, "method=float goes with w=32 a=32 i=32 o=32");
done:
    return st;
}

int waio_cmd_eval(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    waio_cli_run cli;
    waio_run_options options = {.shard = 1, .shards = 1};
    bool verify = false;
    const waio_option table[] = {
        {"verify", WAIO_OPTION_FLAG, &verify, NULL,
         "count the levels of every quantized tensor; fail if one has too many", 0, 0},
        {"details", WAIO_OPTION_TEXT, &options.details, "DIR",
         "also results by class and by image, as files there", 0, 0},
        WAIO_CLI_RUN_OPTIONS(cli),
    };
    const waio_command command = {
        .name = "eval",
        .summary = "evaluate one configuration from options",
        .positional = "KEY=VALUE ...",
        .fewest = 1,
        .most = 32,
        .details =
            "Keys as `waio list` prints them; model and data are needed, the rest has\n"
            "defaults: split=test images=0 (all) pre=raw method=ptq w=32 a=32 i=32 o=32\n"
            "first_n=0 suspects=0 feed=quantized calib=256 cseed=1 csplit=train engine=simulate\n"
            "requant=tflite seed=1. Methods (ptq, ptq_mse, squant, dfq) are presets of\n"
            "range, gran, wsym, asym, wround, wrange, equalize, absorb, correct\n"
            "(suites/README.md has them); each of these may be given beside the method.\n"
            "Of detectors: metric=map_coco (default), ap50, voc07, voc10; difficult=count, "
            "ignore.\n"
            "method=file runs a .tflite that is quantized already; engine=both compares the\n"
            "network on codes with its simulation.",
        .example = "waio eval model=shapes_resnet8 data=shapes w=8 a=8 i=8 o=8 --verify",
        .option = table,
        .option_count = sizeof table / sizeof *table,
    };
    waio_arguments args;
    waio_config config;
    waio_row row;
    int tensors = 0;
    eval_view view = {0};
    waio_pass_progress progress = {show_progress, &view};
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return waio_command_failed(&command, WAIO_ENOMEM);
    waio_cli_run_init(&cli);
    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        goto done;
    WAIO_TRY(st, waio_cli_run_apply(&options, &cli));
    WAIO_TRY(st, read_config(&config, &args, arena));
    waio_progress_init(&view.progress, cli.quiet);
    view.state.config = waio_config_text(&config, arena);
    view.state.rows_total = 1;
    view.pass_started = waio_clock();
    waio_cli_catch_signals();
    st = waio_eval_config(&row, &config, &options, verify, &tensors, &progress, arena);
    waio_progress_clear(&view.progress);
    WAIO_TRY(st, st);
    waio_table_header(stdout);
    waio_table_row(stdout, &row);
    if (!isnan(row.col_engines_agree_pct))
        printf(
            "integer %.2f %%, simulate %.2f %%; both engines see the same class on %.2f %% of the "
            "images\n",
            row.col_value, row.col_simulate_value, row.col_engines_agree_pct);
    if (verify)
        printf("verified: %d quantized tensors hold no more levels than their bits allow\n",
               tensors);
done:
    waio_arena_free(arena);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
