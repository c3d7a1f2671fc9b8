/* The open results file, for results.c and results_read.c; others use row.h. */
#ifndef WAIO_RESULT_RESULTS_FILE_H
#define WAIO_RESULT_RESULTS_FILE_H

#include <sys/types.h>

#include "result/row.h"

typedef struct waio_results_entry {
    waio_row row;
    int line;
} waio_results_entry;

struct waio_results {
    waio_arena *arena; /* path, entries, the text of the file, the lines of appended rows */
    const char *path;
    int fd; /* -1: read only */
    off_t size;
    int lines;                  /* in the file */
    waio_results_entry **entry; /* on the heap; the entries themselves do not move */
    int count, capacity;
};

/* A row or header as text, on the heap. */
typedef struct waio_line {
    char *text;
    size_t bytes;
} waio_line;

/* `row` NULL: the header. The caller frees line->text, also after an error. */
waio_status waio_line_make(waio_line *line, const waio_row *row);

/* The message and errno's text behind the path: WAIO_EIO. */
waio_status waio_results_io_error(const waio_results *results, const char *what);

waio_status waio_results_add_entry(waio_results *results, const waio_row *row, int line);

/* Reads what `fd` has: `bytes` of the file, of which `whole` reach to the end of the last whole
 * row. `whole` is 0 if there is not even a header: a new file. */
waio_status waio_results_read_fd(waio_results *results, int fd, size_t *bytes, size_t *whole);

/* The same of a file of any version, as waio_results_read_any says. */
waio_status waio_results_read_foreign_fd(waio_results *results, int fd);

#endif
