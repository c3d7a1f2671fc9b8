/* Command-line options: one table a command, from which parsing and help both come. */
#ifndef WAIO_CLI_OPTIONS_H
#define WAIO_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/status.h"

typedef enum waio_option_kind {
    WAIO_OPTION_FLAG,  /* bool */
    WAIO_OPTION_TEXT,  /* const char * */
    WAIO_OPTION_COUNT, /* int64_t, least..most */
    WAIO_OPTION_BYTES, /* int64_t, with an optional suffix K, M, G (powers of 1024) */
} waio_option_kind;

typedef struct waio_option {
    const char *name; /* without the dashes */
    waio_option_kind kind;
    void *value;             /* holds the default before parsing */
    const char *placeholder; /* "FILE"; NULL for flags */
    const char *help;        /* ends in the default in brackets, if there is one */
    int64_t least, most;
} waio_option;

typedef struct waio_command {
    const char *name;
    const char *summary;    /* one line */
    const char *positional; /* "SUITE", "MODEL [MODEL ...]", "" */
    int fewest, most;       /* positional arguments */
    const char *details;    /* further text of the help, or NULL */
    const char *example;    /* a command line that works */
    const waio_option *option;
    int option_count;
    char letter; /* the short form of the first option, as o in -o; 0: none */
} waio_command;

typedef struct waio_arguments {
    const char *item[32]; /* positional arguments */
    int count;
    bool help; /* --help was given and the help printed: nothing else to do */
} waio_arguments;

/* Reads argv[1..] (argv[0] is the command's name). --name VALUE, --name=VALUE and -x VALUE, "--"
 * ends the options. WAIO_EUSAGE with what is allowed for unknown options, missing or bad values and
 * a wrong number of arguments. */
waio_status waio_options_parse(const waio_command *command, int argc, char **argv,
                               waio_arguments *arguments);

/* Prints `waio NAME: MESSAGE` for the last error to stderr; returns the exit status for `code`. */
int waio_command_failed(const waio_command *command, waio_status code);

/* The verbs; each returns the process's exit status. */
int waio_cmd_run(int argc, char **argv);
int waio_cmd_list(int argc, char **argv);
int waio_cmd_eval(int argc, char **argv);
int waio_cmd_show(int argc, char **argv);
int waio_cmd_sensitivity(int argc, char **argv);
int waio_cmd_check(int argc, char **argv);
int waio_cmd_info(int argc, char **argv);
int waio_cmd_infer(int argc, char **argv);
int waio_cmd_quantize(int argc, char **argv);
int waio_cmd_diff(int argc, char **argv);
int waio_cmd_map(int argc, char **argv);
int waio_cmd_data(int argc, char **argv);
int waio_cmd_explain(int argc, char **argv);
int waio_cmd_compare(int argc, char **argv);
int waio_cmd_bench(int argc, char **argv);

#endif
