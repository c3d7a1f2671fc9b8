/* waio run: the main job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/run_options.h"

typedef struct run_view {
    waio_progress progress;
    bool header_shown;
} run_view;

static void show_progress(void *payload, const waio_run_state *state)
{
    waio_progress_show(&((run_view *)payload)->progress, state);
}

static void show_row(void *payload, const waio_row *row)
{
    run_view *view = payload;

    waio_progress_clear(&view->progress);
    if (!view->header_shown)
        waio_table_header(stdout);
    view->header_shown = true;
    waio_table_row(stdout, row);
    fflush(stdout);
}

static void show_note(void *payload, const char *text)
{
    waio_progress_clear(&((run_view *)payload)->progress);
    fprintf(stderr, "%s\n", text);
}

/* "2/8" */
static waio_status parse_shard(waio_run_options *options, const char *text)
{
    char behind;
    if (sscanf(text, "%d/%d%c", &options->shard, &options->shards, &behind) != 2 ||
        options->shards < 1 || options->shards > 10000 || options->shard < 1 ||
        options->shard > options->shards)
        return waio_error(WAIO_EUSAGE, "--shard %s: expected I/N with 1 <= I <= N <= 10000", text);
    return WAIO_OK;
}

static void show_summary(const waio_run_summary *s)
{
    fprintf(stderr, "%d rows in %s: %d ok, %d mistrusted, %d failed", s->rows, s->path, s->ok,
            s->mistrusted, s->failed);
    if (s->resumed)
        fprintf(stderr, " (%d from before)", s->resumed);
    fprintf(stderr, "; %.1f s\n", s->seconds);
}

static waio_status run(waio_run_summary *summary, const waio_suite *suite,
                       waio_run_options *options, int64_t merge, bool quiet)
{
    waio_status st = WAIO_OK;
    run_view view = {0};
    const waio_run_view callbacks = {show_progress, show_row, show_note, &view};

    waio_progress_init(&view.progress, quiet);
    if (merge) {
        options->shards = (int)merge;
        return waio_merge_shards(summary, suite, options);
    }
    waio_cli_catch_signals();
    st = waio_run_suite(summary, suite, options, &callbacks);
    waio_progress_clear(&view.progress);
    return st;
}

int waio_cmd_run(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    waio_cli_run cli;
    waio_run_options options = {.shard = 1, .shards = 1};
    const char *shard = "1/1";
    int64_t merge = 0;
    const waio_option table[] = {
        {"out", WAIO_OPTION_TEXT, &options.out, "FILE", "results [results/<suite>.csv]", 0, 0},
        {"shard", WAIO_OPTION_TEXT, &shard, "I/N", "only part I of N, to a file of its own [1/1]",
         0, 0},
        {"merge", WAIO_OPTION_COUNT, &merge, "N",
         "put the files of N finished shards together, run nothing", 1, 10000},
        {"retry", WAIO_OPTION_FLAG, &options.retry, NULL, "compute failed rows again", 0, 0},
        {"no-share", WAIO_OPTION_FLAG, &options.no_share, NULL,
         "every row alone from the start: the same rows, slower", 0, 0},
        {"details", WAIO_OPTION_TEXT, &options.details, "DIR",
         "also results by class and by image, as files there", 0, 0},
        WAIO_CLI_RUN_OPTIONS(cli),
    };
    const waio_command command = {
        .name = "run",
        .summary = "run a suite: every configuration over the test set, rows to CSV",
        .positional = "SUITE",
        .fewest = 1,
        .most = 1,
        .details = "Rows that the results file has are not computed again, so a run that was\n"
                   "stopped goes on where it was. suites/README.md explains suites,\n"
                   "results/README.md the columns.",
        .example = "waio run suites/quickstart.yaml",
        .option = table,
        .option_count = sizeof table / sizeof *table,
    };
    waio_arguments args;
    waio_suite suite;
    waio_run_summary summary = {0};
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return waio_command_failed(&command, WAIO_ENOMEM);
    waio_cli_run_init(&cli);
    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        goto done;
    WAIO_TRY(st, waio_cli_run_apply(&options, &cli));
    WAIO_TRY(st, parse_shard(&options, shard));
    WAIO_TRY(st, waio_suite_read(&suite, args.item[0], arena));
    st = run(&summary, &suite, &options, merge, cli.quiet);
    if (summary.rows)
        show_summary(&summary);
done:
    waio_arena_free(arena);
    if (st != WAIO_OK)
        return waio_command_failed(&command, st);
    return summary.failed ? 1 : 0;
}
