/* The options that run, list and eval have in common, once. */
#ifndef WAIO_CLI_RUN_OPTIONS_H
#define WAIO_CLI_RUN_OPTIONS_H

#include "cli/options.h"
#include "sweep/config.h"
#include "sweep/runner.h"

typedef struct waio_cli_run {
    const char *data, *models, *backend, *devices;
    int64_t threads, batch, memory;
    bool quiet, no_autotune, skip_bad;
    const char *cache;
} waio_cli_run;

/* Defaults: all processors, 2 GiB. */
void waio_cli_run_init(waio_cli_run *cli);

/* Rows for the option table of a command; `CLI` is a waio_cli_run. */
#define WAIO_CLI_RUN_OPTIONS(CLI)                                                                    \
    {"data", WAIO_OPTION_TEXT, &(CLI).data, "DIR", "folder of data sets [WAIO_DATA]", 0, 0},         \
        {"models", WAIO_OPTION_TEXT, &(CLI).models, "DIR", "folder of model files [WAIO_MODELS]", 0, \
         0},                                                                                         \
        {"backend",                                                                                  \
         WAIO_OPTION_TEXT,                                                                           \
         &(CLI).backend,                                                                             \
         "NAME",                                                                                     \
         "auto, cuda, cpu, ref or null [auto]",                                                      \
         0,                                                                                          \
         0},                                                                                         \
        {"devices",                                                                                  \
         WAIO_OPTION_TEXT,                                                                           \
         &(CLI).devices,                                                                             \
         "LIST",                                                                                     \
         "GPUs of cuda, as 0,2 [all of a kind]",                                                     \
         0,                                                                                          \
         0},                                                                                         \
        {"no-autotune",                                                                              \
         WAIO_OPTION_FLAG,                                                                           \
         &(CLI).no_autotune,                                                                         \
         NULL,                                                                                       \
         "cuda: tiles by rule, none timed",                                                          \
         0,                                                                                          \
         0},                                                                                         \
        {"threads", WAIO_OPTION_COUNT, &(CLI).threads, "N", "worker threads [all processors]", 1,    \
         1024},                                                                                      \
        {"batch",                                                                                    \
         WAIO_OPTION_COUNT,                                                                          \
         &(CLI).batch,                                                                               \
         "N",                                                                                        \
         "images that run at once [0: chosen from the network]",                                     \
         0,                                                                                          \
         4096},                                                                                      \
        {"memory", WAIO_OPTION_BYTES, &(CLI).memory, "SIZE", "memory budget [2G]",                   \
         64 << 20, INT64_C(1) << 50},                                                                \
        {"skip-bad",                                                                                 \
         WAIO_OPTION_FLAG,                                                                           \
         &(CLI).skip_bad,                                                                            \
         NULL,                                                                                       \
         "leave bad images out and count them [they end the run]",                                   \
         0,                                                                                          \
         0},                                                                                         \
        {"cache",                                                                                    \
         WAIO_OPTION_TEXT,                                                                           \
         &(CLI).cache,                                                                               \
         "DIR",                                                                                      \
         "folder that keeps decoded images [WAIO_CACHE]",                                            \
         0,                                                                                          \
         0},                                                                                         \
    {                                                                                                \
        "quiet", WAIO_OPTION_FLAG, &(CLI).quiet, NULL, "no progress line", 0, 0                      \
    }

waio_status waio_cli_run_apply(waio_run_options *options, const waio_cli_run *cli);

/* MODEL KEY=VALUE ... into the configuration of a network to be quantized: keys as eval takes them,
 * w=8 a=8 i=8 o=8 without more. WAIO_EUSAGE if the data set is missing, which a network that stays
 * float (w=32 a=32 i=32 o=32) can do without. */
waio_status waio_cli_read_config(waio_config *config, const waio_arguments *args,
                                 waio_arena *arena);
/* Opens the session of a configuration with a command's options. */
waio_status waio_cli_open_session(waio_session **session, const waio_cli_run *cli,
                                  const waio_config *config);

/* SIGINT and SIGTERM end the running pass; a second one ends the process. */
void waio_cli_catch_signals(void);

#endif
