#include "cli/run_options.h"

#include <signal.h>
#include <unistd.h>

#include "backend/plugin.h"
#include "cli/progress.h"

void waio_cli_run_init(waio_cli_run *cli)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    *cli = (waio_cli_run){
        .backend = "auto", .threads = processors > 0 ? processors : 1, .memory = INT64_C(2) << 30};
}

waio_status waio_cli_run_apply(waio_run_options *options, const waio_cli_run *cli)
{
    static waio_cli_reading reading; /* of the process, as the line that it writes */
    waio_status st = WAIO_OK;

    waio_cli_reading_init(&reading, cli->quiet);
    options->reading = &reading.reading;
    options->skip_bad = cli->skip_bad;
    options->cache = cli->cache;
    options->data_dir = cli->data;
    options->models_dir = cli->models;
    options->threads = (int)cli->threads;
    options->batch = cli->batch;
    options->memory = cli->memory;
    waio_backend_be_quiet(cli->quiet);
    waio_plugin_cuda_choose(
        (waio_plugin_options){.devices = cli->devices, .autotune = !cli->no_autotune});
    WAIO_TRY(st, waio_backend_find(&options->backend, cli->backend));
    if (cli->devices && !options->backend->memory)
        WAIO_FAIL(st, WAIO_EUSAGE, "--devices goes with the backend cuda; this is %s",
                  options->backend->name);
done:
    return st;
}

static void on_signal(int number)
{
    waio_interrupt();
    signal(number, SIG_DFL);
}

void waio_cli_catch_signals(void)
{
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
}

waio_status waio_cli_read_config(waio_config *config, const waio_arguments *args, waio_arena *arena)
{
    waio_status st = WAIO_OK;

    *config = waio_config_default();
    config->bits = (waio_precision){8, 8, 8, 8};
    config->engine = "integer"; /* what is written, and what compared with simulate */
    config->model = args->item[0];
    for (int i = 1; i < args->count; i++)
        WAIO_TRY(st, waio_config_set(config, args->item[i], arena));
    if (!config->dataset && !waio_config_is_float(config) && waio_config_calibrates(config))
        WAIO_FAIL(st, WAIO_EUSAGE, "data=... is needed: activations are calibrated on it");
    if (waio_config_is_file(config))
        WAIO_FAIL(st, WAIO_EUSAGE, "method=file: that network is quantized already");
done:
    return st;
}

waio_status waio_cli_open_session(waio_session **session, const waio_cli_run *cli,
                                  const waio_config *config)
{
    waio_status st = WAIO_OK;
    waio_run_options run = {.shard = 1, .shards = 1};
    waio_session_options options;

    WAIO_TRY(st, waio_cli_run_apply(&run, cli));
    WAIO_TRY(st, waio_run_session_options(&options, &run, config));
    WAIO_TRY(st, waio_session_open(session, config->model, config->dataset, &options, NULL));
done:
    return st;
}
