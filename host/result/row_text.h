/* A row as a line of CSV and back, for results.c; others use row.h. */
#ifndef WAIO_RESULT_ROW_TEXT_H
#define WAIO_RESULT_ROW_TEXT_H

#include "result/row.h"

typedef enum waio_column_kind {
    WAIO_COLUMN_TEXT,
    WAIO_COLUMN_COUNT,
    WAIO_COLUMN_REAL
} waio_column_kind;

typedef struct waio_column {
    const char *name;
    waio_column_kind kind;
    size_t offset; /* in waio_row */
    const char *unit, *meaning;
} waio_column;

#define WAIO_COLUMN(name, KIND, unit, meaning) +1
enum {
    WAIO_COLUMNS = 0
#include "result/row.def"
};
#undef WAIO_COLUMN

extern const waio_column waio_column_table[WAIO_COLUMNS];

/* The header line and the line of a row, both with their newline. */
void waio_row_write_header(FILE *out);
void waio_row_write(FILE *out, const waio_row *row);

/* Fills a row from its fields; texts point at them. WAIO_EINPUT, without file and line: the number
 * of fields, a number that is none, a status that is not known. */
waio_status waio_row_parse(waio_row *row, char **field, int count);

#endif
