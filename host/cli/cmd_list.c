/* waio list: the rows of a suite, nothing run. */
#include <stdio.h>

#include "cli/options.h"
#include "sweep/plan.h"

int waio_cmd_list(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    bool count_only = false;
    const waio_option options[] = {
        {"count", WAIO_OPTION_FLAG, &count_only, NULL, "only the number of rows and passes", 0, 0},
    };
    const waio_command command = {
        .name = "list",
        .summary = "list the rows that a suite would give, nothing is run",
        .positional = "SUITE",
        .fewest = 1,
        .most = 1,
        .details = "Each line is a configuration's canonical text; `waio eval` takes it as it is.",
        .example = "waio list suites/quickstart.yaml",
        .option = options,
        .option_count = sizeof options / sizeof *options,
    };
    waio_arguments args;
    waio_suite suite;
    waio_plan plan = {0};
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return waio_command_failed(&command, WAIO_ENOMEM);
    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        goto done;
    WAIO_TRY(st, waio_suite_read(&suite, args.item[0], arena));
    WAIO_TRY(st, waio_plan_make(&plan, &suite, 1, 1, arena));
    for (int r = 0; !count_only && r < plan.row_count; r++)
        printf("%s\n", plan.row[r].text);
    fprintf(count_only ? stdout : stderr, "%d rows from %d passes over the test set\n",
            plan.row_count, plan.pass_count);
done:
    waio_arena_free(arena);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
