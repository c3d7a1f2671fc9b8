/* Two results files side by side: what moved. Rows are matched by their configuration.
 *
 * The rule, for a pair of rows with the same configuration, the first that holds:
 *   other model, data    the digests or the number of images differ: not comparable
 *   status               the status became worse (ok < mistrusted < skipped, unsupported < failed)
 *   integer              a row on codes (engine integer or both, method file): any change at all of
 *                        value, agree_pct, size_bytes or file_bytes
 *   size                 size_bytes differ
 *   worse, better        |new - old| > factor x sqrt(stderr_old^2 + stderr_new^2)
 *   slower               images_per_s below old / speed_ratio
 *   recovered            the status became better
 * and a configuration in one file alone is missing or new. All but better (where only drops count),
 * recovered and new are regressions. */
#ifndef WAIO_RESULT_REGRESS_H
#define WAIO_RESULT_REGRESS_H

#include <stdbool.h>

#include "result/row.h"

typedef enum waio_change_kind {
    WAIO_CHANGE_NONE,
    WAIO_CHANGE_MISSING,
    WAIO_CHANGE_OTHER_MODEL,
    WAIO_CHANGE_OTHER_DATA,
    WAIO_CHANGE_STATUS,
    WAIO_CHANGE_INTEGER,
    WAIO_CHANGE_SIZE,
    WAIO_CHANGE_WORSE,
    WAIO_CHANGE_BETTER,
    WAIO_CHANGE_SLOWER,
    WAIO_CHANGE_RECOVERED,
    WAIO_CHANGE_NEW
} waio_change_kind;
enum { WAIO_CHANGE_KINDS = WAIO_CHANGE_NEW + 1 };

/* "worse", "missing", ... */
const char *waio_change_name(waio_change_kind kind);

typedef struct waio_regress_options {
    double factor;      /* of the combined standard error; 1 is the standard error itself */
    double speed_ratio; /* 0: speed is not compared; else above 1 */
    bool drops_only;    /* a value that rose is no regression */
} waio_regress_options;

typedef struct waio_change {
    waio_change_kind kind;
    bool regression;
    const waio_row *before, *after; /* NULL: not in that file */
    double allowed;                 /* difference of values that is no change; NAN if none is */
} waio_change;

typedef struct waio_regress {
    waio_change *change; /* a configuration each: in the order of the old file, then the new ones */
    int count;
    int kinds[WAIO_CHANGE_KINDS]; /* how many of each */
    int regressions;
    double speed; /* median of new / old images_per_s; NAN if there is none */
} waio_regress;

/* Compares; the changes lie in `arena` and point to the rows of both files. WAIO_EINPUT: a
 * configuration that one file has twice (both lines), or a file without rows: `path` names them. */
waio_status waio_regress_compare(waio_regress *out, const waio_results *const file[2],
                                 const char *const path[2], const waio_regress_options *options,
                                 waio_arena *arena);

/* What changed in words: "value 93.90 -> 92.10, 0.55 allowed", in `arena`; NULL: out of memory. */
const char *waio_change_text(const waio_change *change, waio_arena *arena);

/* The changes as CSV: change, regression, config, old_value, new_value, allowed, old_status,
 * new_status, old_images_per_s, new_images_per_s, text. `all`: also rows that did not change. */
waio_status waio_regress_csv(FILE *out, const waio_regress *regress, bool all, waio_arena *arena);

#endif
