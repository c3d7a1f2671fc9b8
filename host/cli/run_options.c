#include "cli/run_options.h"

#include <signal.h>
#include <unistd.h>

void waio_cli_run_init(waio_cli_run *cli)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    *cli = (waio_cli_run){
        .backend = "auto", .threads = processors > 0 ? processors : 1, .memory = INT64_C(2) << 30};
}

waio_status waio_cli_run_apply(waio_run_options *options, const waio_cli_run *cli)
{
    options->data_dir = cli->data;
    options->models_dir = cli->models;
    options->threads = (int)cli->threads;
    options->batch = cli->batch;
    options->memory = cli->memory;
    return waio_backend_find(&options->backend, cli->backend);
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
