/* Rows as lines of the results file, for row.c and results_file.c. */
#ifndef WAIO_RESULT_ROW_TEXT_H
#define WAIO_RESULT_ROW_TEXT_H

#include "result/row.h"
#include "util/csv.h"

enum {
#define WAIO_COLUMN(name, KIND, unit, meaning) WAIO_COLUMN_##name,
#include "result/row.def"
#undef WAIO_COLUMN
    WAIO_COLUMNS
};

/* One line, its \n included. */
waio_status waio_row_write(waio_text *out, const waio_row *row);
waio_status waio_row_write_header(waio_text *out);

/* From the fields of a record, which must outlive the row. WAIO_EINPUT names the column. */
waio_status waio_row_read(waio_row *row, char *const *field);

#endif
