/* waio diff: two runs of a network side by side, layer by layer. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/run_options.h"
#include "sweep/diff.h"
#include "util/file.h"

enum { DEPARTED = 1 };

typedef struct diff_args {
    waio_cli_run cli;
    const char *left, *right, *tolerance;
    int64_t images;
    waio_config config;
} diff_args;

/* ENGINE[@BACKEND], or a file's name[@BACKEND]. */
static waio_status read_side(waio_diff_side *side, const char *text, const char *backend,
                             waio_arena *arena)
{
    waio_status st = WAIO_OK;
    char *name = waio_arena_strdup(arena, text), *at = name ? strrchr(name, '@') : NULL;

    if (!name)
        return WAIO_ENOMEM;
    if (at)
        *at++ = '\0';
    WAIO_TRY(st, waio_backend_find(&side->backend, at ? at : backend));
    side->integer = strcmp(name, "integer") == 0;
    if (!side->integer && strcmp(name, "simulate") != 0)
        side->file = name;
    if (side->file && !waio_path_has_suffix(name, ".tflite"))
        WAIO_FAIL(st, WAIO_EUSAGE,
                  "\"%s\" is no side; there are: simulate, integer, a .tflite file, each with "
                  "@BACKEND behind it or not",
                  text);
done:
    return st;
}

static waio_status read_tolerance(double *tolerance, const char *text)
{
    char *end = NULL;

    *tolerance = strtod(text, &end);
    if (end == text || *end || !(*tolerance >= 0) || *tolerance > 1e9)
        return waio_error(WAIO_EUSAGE, "--tolerance %s: expected a number of steps", text);
    *tolerance += 1e-3; /* rounding of the numbers that the codes stand for */
    return WAIO_OK;
}

static void print_layers(const waio_diff *d)
{
    printf("%4s  %-36s %-11s %12s %10s %9s\n", "#", "layer", "op", "step", "worst", "off");
    for (int l = 0; l < d->count; l++) {
        const waio_diff_layer *x = &d->layer[l];
        printf("%4d  %-36.36s %-11s %12.6g %10.4g %8.3f%%%s%s\n", l, x->name, waio_op_name(x->op),
               x->step, x->worst, 100.0 * (double)x->off / (double)x->count,
               x->quantized ? "" : "  float", l == d->first ? "  <- departs first" : "");
    }
}

static void print_outputs(const waio_diff *d)
{
    for (int o = 0; o < d->outputs; o++) {
        const waio_diff_output *x = &d->output[o];
        printf("output %d, %s: %" PRId64 " of %" PRId64 " numbers off, the worst by %.4g steps\n",
               o, x->name, x->off, x->count, x->worst);
    }
}

static void print_summary(const waio_diff *d, const diff_args *a)
{
    printf("%d layers in common (%s has %d nodes, %s has %d); %" PRId64 " images, %s on %" PRId64
           "\n",
           d->count, a->left, d->left_nodes, a->right, d->right_nodes, d->images,
           d->boxes ? "other boxes" : "top-1 differs", d->differ);
    print_outputs(d);
    if (d->first < 0) {
        printf("no number is more than %s steps apart\n", a->tolerance);
        return;
    }
    const waio_diff_layer *x = &d->layer[d->first];
    printf("the first layer that departs is %s (%s): %" PRId64 " of %" PRId64
           " numbers are more than %s steps apart, the worst %.4g steps of %.6g\n",
           x->name, waio_op_name(x->op), x->off, x->count, a->tolerance, x->worst, x->step);
}

static waio_status compare(waio_diff *diff, const diff_args *a, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_diff_side side[2] = {{0}};
    waio_session *session = NULL;
    waio_quant_request request;
    double tolerance = 0;

    WAIO_TRY(st, read_tolerance(&tolerance, a->tolerance));
    WAIO_TRY(st, read_side(&side[0], a->left, a->cli.backend, arena));
    WAIO_TRY(st, read_side(&side[1], a->right, a->cli.backend, arena));
    WAIO_TRY(st, waio_cli_open_session(&session, &a->cli, &a->config));
    WAIO_TRY(st, waio_config_resolve(&request, &a->config, session, arena));
    WAIO_TRY(st, waio_session_diff(diff, session, &request, waio_config_requant(&a->config), side,
                                   a->images, tolerance, arena));
done:
    waio_session_close(session);
    return st;
}

int waio_cmd_diff(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    diff_args a = {.left = "simulate", .right = "integer", .tolerance = "1", .images = 16};
    const waio_option table[] = {
        {"left", WAIO_OPTION_TEXT, &a.left, "SIDE", "[simulate]", 0, 0},
        {"right", WAIO_OPTION_TEXT, &a.right, "SIDE", "[integer]", 0, 0},
        {"tolerance", WAIO_OPTION_TEXT, &a.tolerance, "STEPS", "how far apart numbers may be [1]",
         0, 0},
        {"compare", WAIO_OPTION_COUNT, &a.images, "N", "images to compare on [16]", 1, 1000000},
        WAIO_CLI_RUN_OPTIONS(a.cli),
    };
    const waio_command command = {
        .name = "diff",
        .summary = "two runs of a network side by side, layer by layer",
        .positional = "MODEL KEY=VALUE ...",
        .fewest = 1,
        .most = 32,
        .details =
            "A side is an engine (simulate, integer) or a .tflite file, with @BACKEND behind it\n"
            "if it is not --backend. Each side goes on with its own numbers. A step is the scale\n"
            "of a layer's codes (of a float layer: 1e-4 of its largest number). Keys as of `waio\n"
            "eval`; without more, w=8 a=8 i=8 o=8. Every output is compared, and the first class,\n"
            "or of a detector the boxes of a score of a half or more. Exit status 1 if a layer\n"
            "departs.",
        .example = "waio diff shapes_resnet8 data=shapes --left integer@ref --right integer@cpu",
        .option = table,
        .option_count = sizeof table / sizeof *table,
    };
    waio_arguments args;
    waio_diff diff = {.first = -1};
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return waio_command_failed(&command, WAIO_ENOMEM);
    waio_cli_run_init(&a.cli);
    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        goto done;
    WAIO_TRY(st, waio_cli_read_config(&a.config, &args, arena));
    if (!a.config.dataset)
        WAIO_FAIL(st, WAIO_EUSAGE, "data=... is needed: its images run through both");
    a.config.images = a.images;
    WAIO_TRY(st, compare(&diff, &a, arena));
    print_layers(&diff);
    print_summary(&diff, &a);
done:
    waio_arena_free(arena);
    return st != WAIO_OK ? waio_command_failed(&command, st) : diff.first >= 0 ? DEPARTED : 0;
}
