/* Comma-separated values as RFC 4180 has them: a field with a comma, a quote or a line end stands
 * in quotes, quotes inside are doubled. Lines end in \n; \r\n is read as well. */
#ifndef WAIO_UTIL_CSV_H
#define WAIO_UTIL_CSV_H

#include <stddef.h>

#include "util/status.h"

/* A growing text. Starts as {0}; release `data` with free(). */
typedef struct waio_text {
    char *data; /* zero-terminated once something was added */
    size_t size, capacity;
} waio_text;

waio_status waio_text_add(waio_text *text, const char *bytes, size_t count);

/* Appends one field, quoted if need be; `first` leaves out the comma in front. */
waio_status waio_csv_add_field(waio_text *text, const char *field, int first);

/* Cuts one record out of `*at` (zero-terminated, changed in place): fields of up to `most` are
 * pointed to by `field`. `*at` moves behind the record's line end, `*lines` grows by its lines.
 * Returns the number of fields (also when there are more than `most`), 0 at the end of the text, -1
 * if the text ends inside a record (no line end, or an open quote), -2 if a quote stands where none
 * may. */
int waio_csv_next(char **field, int most, char **at, int *lines);

#endif
