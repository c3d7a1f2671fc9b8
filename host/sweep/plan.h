/* From a suite to its rows in their order, and the passes that give them. The order makes passes
 * share as much as possible: I outermost (the first layer's outputs are kept while I stays), then
 * W and A, and all O of one prefix in a single pass. The float row of a model and data set comes
 * first. */
#ifndef WAIO_SWEEP_PLAN_H
#define WAIO_SWEEP_PLAN_H

#include "sweep/config.h"

typedef struct waio_plan_row {
    waio_config config;
    const char *text; /* canonical */
    bool in_shard;    /* this process writes it */
    bool done;        /* the results file has it */
} waio_plan_row;

/* Rows [first, first + count) come from one pass; the baseline is a pass of its own. */
typedef struct waio_plan_pass {
    int first, count;
    bool baseline;
    int pair; /* which model and data set */
} waio_plan_pass;

typedef struct waio_plan {
    waio_plan_row *row;
    int row_count;
    waio_plan_pass *pass;
    int pass_count;
    int pair_count;
} waio_plan;

/* `shard` of `shards` (1-based): passes are dealt out in turn. Everything lives in `arena`.
 * WAIO_EUSAGE if the suite has more rows than WAIO_PLAN_MAX_ROWS. */
enum { WAIO_PLAN_MAX_ROWS = 1000000 };
waio_status waio_plan_make(waio_plan *plan, const waio_suite *suite, int shard, int shards,
                           waio_arena *arena);

/* Index of the row with this canonical text, -1 if the plan has none. */
int waio_plan_find(const waio_plan *plan, const char *text);

#endif
