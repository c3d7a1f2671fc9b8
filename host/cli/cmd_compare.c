/* waio compare: two results files, what moved. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/options.h"
#include "result/regress.h"

enum { REGRESSION = 3 };

typedef struct compare_args {
    const char *factor, *speed_ratio;
    bool drops_only, csv, all;
} compare_args;

static waio_status read_number(double *out, const char *option, const char *text, double least)
{
    char *end = NULL;

    *out = strtod(text, &end);
    if (end == text || *end || !(*out >= least) || *out > 1e6)
        return waio_error(WAIO_EUSAGE, "--%s %s: expected a number from %g to 1000000", option,
                          text, least);
    return WAIO_OK;
}

static waio_status print_table(const waio_regress *r, bool all, waio_arena *arena)
{
    bool header = false;

    for (int i = 0; i < r->count; i++) {
        const waio_change *c = &r->change[i];
        if (c->kind == WAIO_CHANGE_NONE && !all)
            continue;
        const char *text = waio_change_text(c, arena);
        if (!text)
            return WAIO_ENOMEM;
        if (!header)
            printf("%-11s %-3s %8s %8s %8s  %s\n", "change", "reg", "old", "new", "allowed",
                   "configuration");
        header = true;
        printf("%-11s %-3s", waio_change_name(c->kind), c->regression ? "yes" : "");
        const double shown[] = {c->before ? c->before->col_value : NAN,
                                c->after ? c->after->col_value : NAN, c->allowed};
        for (int k = 0; k < 3; k++)
            if (isnan(shown[k]))
                printf(" %8s", "");
            else
                printf(" %8.3f", shown[k]);
        printf("  %s\n", (c->before ? c->before : c->after)->col_config);
        if (text[0])
            printf("%15s %s\n", "", text);
    }
    return WAIO_OK;
}

static void print_summary(const waio_regress *r)
{
    int compared = r->count - r->kinds[WAIO_CHANGE_MISSING] - r->kinds[WAIO_CHANGE_NEW];

    fprintf(stderr, "%d rows compared, %d unchanged", compared, r->kinds[WAIO_CHANGE_NONE]);
    for (int k = WAIO_CHANGE_NONE + 1; k < WAIO_CHANGE_KINDS; k++)
        if (r->kinds[k])
            fprintf(stderr, ", %d %s", r->kinds[k], waio_change_name((waio_change_kind)k));
    fprintf(stderr, "; %d regression%s", r->regressions, r->regressions == 1 ? "" : "s");
    if (!isnan(r->speed))
        fprintf(stderr, "; speed x %.2f (median)", r->speed);
    fputc('\n', stderr);
}

static waio_status compare(waio_regress *r, const waio_arguments *args, const compare_args *a,
                           waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_results *file[2] = {NULL, NULL};
    waio_regress_options options = {.drops_only = a->drops_only};

    WAIO_TRY(st, read_number(&options.factor, "factor", a->factor, 0));
    if (a->speed_ratio)
        WAIO_TRY(st, read_number(&options.speed_ratio, "speed-ratio", a->speed_ratio, 1));
    for (int f = 0; f < 2; f++)
        WAIO_TRY(st, waio_results_read_any(&file[f], args->item[f]));
    WAIO_TRY(st, waio_regress_compare(r, (const waio_results *const *)file, args->item, &options,
                                      arena));
    WAIO_TRY(st,
             a->csv ? waio_regress_csv(stdout, r, a->all, arena) : print_table(r, a->all, arena));
    if (fflush(stdout) != 0)
        WAIO_FAIL(st, WAIO_EIO, "writing to standard output failed");
    print_summary(r);
done:
    waio_results_close(file[0]);
    waio_results_close(file[1]);
    return st;
}

int waio_cmd_compare(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    compare_args a = {.factor = "1"};
    const waio_option table[] = {
        {"factor", WAIO_OPTION_TEXT, &a.factor, "X", "standard errors that a value may move by [1]",
         0, 0},
        {"speed-ratio", WAIO_OPTION_TEXT, &a.speed_ratio, "X",
         "a row that is more than X times slower is a regression [off]", 0, 0},
        {"drops-only", WAIO_OPTION_FLAG, &a.drops_only, NULL,
         "values that rose are shown and are no regression", 0, 0},
        {"csv", WAIO_OPTION_FLAG, &a.csv, NULL, "CSV on stdout instead of the table", 0, 0},
        {"all", WAIO_OPTION_FLAG, &a.all, NULL, "also rows that did not change", 0, 0},
    };
    const waio_command command = {
        .name = "compare",
        .summary = "two results files: which rows moved, for the nightly",
        .positional = "OLD NEW",
        .fewest = 2,
        .most = 2,
        .details =
            "Rows are matched by their configuration. A regression is: a value that moved by more\n"
            "than --factor times sqrt(stderr_old^2 + stderr_new^2), down or up; any change at all\n"
            "of a row on codes (engine integer or both, method file), or of a size; a status that\n"
            "became worse; a row that is missing, or was computed with another model or on other\n"
            "images. Speed counts with --speed-ratio alone, since machines differ. New rows and\n"
            "recovered ones are shown. Exit status 3 if there is a regression.",
        .example = "waio compare results/quickstart.csv results/quickstart.csv --all",
        .option = table,
        .option_count = sizeof table / sizeof *table,
    };
    waio_arguments args;
    waio_regress regress = {0};
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return waio_command_failed(&command, WAIO_ENOMEM);
    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        goto done;
    WAIO_TRY(st, compare(&regress, &args, &a, arena));
done:
    waio_arena_free(arena);
    if (st != WAIO_OK)
        return waio_command_failed(&command, st);
    return regress.regressions ? REGRESSION : 0;
}
