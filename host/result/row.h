/* One row of results and the CSV file that holds them. A row is appended and flushed to disk when
 * it is done; a file that ends inside a row (a power cut) is cut back to its last whole row when it
 * is opened again. */
#ifndef WAIO_RESULT_ROW_H
#define WAIO_RESULT_ROW_H

#include <stdint.h>
#include <stdio.h>

#include "util/arena.h"
#include "util/status.h"

/* The kinds of row.def as C types. */
typedef const char *waio_column_TEXT;
typedef int64_t waio_column_COUNT;
typedef double waio_column_REAL;

/* A field a column. Texts are NULL or "" if empty; a REAL that does not apply is NAN, a COUNT that
 * does not apply is -1: both are written as nothing. Fields are named col_<column>. */
typedef struct waio_row {
#define WAIO_COLUMN(name, KIND, unit, meaning) waio_column_##KIND col_##name;
#include "result/row.def"
#undef WAIO_COLUMN
} waio_row;

/* All fields empty. */
void waio_row_clear(waio_row *row);

typedef struct waio_results waio_results; /* an open results file */

/* Opens `path` for appending, makes it (and its folder) with a header line if it is not there, and
 * reads the rows that it has. Only one process can have it open: a second one gets WAIO_EIO
 * ("in use"). WAIO_EINPUT: not a results file of this version (other header: says which column),
 * or a broken row in the middle: file and line; nothing is changed then. WAIO_EIO: not writable.
 * A last line without its newline is dropped and said on stderr. Texts of rows live as long as the
 * results. */
waio_status waio_results_open(waio_results **out, const char *path);
/* The same, but reads only; a partial last line is left out. */
waio_status waio_results_read(waio_results **out, const char *path);
/* The same of a file that another version wrote: columns are found by name; unknown ones are passed
 * over, and those that are not there are empty. `config`, `value` and `status` must be there. */
waio_status waio_results_read_any(waio_results **out, const char *path);
void waio_results_close(waio_results *results);

int waio_results_count(const waio_results *results);
const waio_row *waio_results_row(const waio_results *results, int index);
/* Line of the file that row `index` starts in. */
int waio_results_line(const waio_results *results, int index);

/* Writes one row in a single write and flushes it to disk. On failure (disk full) the file is cut
 * back to its last whole row: WAIO_EIO, nothing lost. */
waio_status waio_results_append(waio_results *results, const waio_row *row);

/* Replaces the file by `count` of its rows (indices as in waio_results_row, rows appended since it
 * was opened counted) in the given order: written beside it, flushed, renamed. */
waio_status waio_results_reorder(waio_results *results, const int *order, int count);

/* A fixed-width table of the given rows for people: model, dataset, W A I O, feed, metric value,
 * change, agreement, size, images/s, status. */
void waio_table_header(FILE *out);
void waio_table_row(FILE *out, const waio_row *row);

/* The text of results/README.md's column table (Markdown), from row.def. */
void waio_columns_document(FILE *out);

#endif
