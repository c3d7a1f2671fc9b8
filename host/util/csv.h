/* CSV after RFC 4180, read strictly, and numbers as text that no locale changes. Lines end in LF; a
 * reader also takes CR LF, which spreadsheets write. A record is one line: so a quote that damage
 * has opened ends at the line's end, and never swallows the records behind it. */
#ifndef WAIO_UTIL_CSV_H
#define WAIO_UTIL_CSV_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "util/status.h"

/* A place in a CSV text that lies in memory. */
typedef struct waio_csv {
    char *at, *end;
    int line; /* of `at`, from 1 */
} waio_csv;

typedef struct waio_csv_record {
    int line;   /* that it starts in */
    int count;  /* its fields */
    bool whole; /* false: the text ends inside this record, at is left at its start */
} waio_csv_record;

/* Reads the record at csv->at (which is before csv->end) and moves on behind it. Fields are
 * unquoted in place and end in a zero byte; with more than `capacity` of them they are only
 * counted. WAIO_EINPUT, without file and line, for a stray quote, CR or zero byte; record->line is
 * set then too. */
waio_status waio_csv_next(waio_csv *csv, waio_csv_record *record, char **field, int capacity);

/* Writes one field, quoted if it must be; NULL is written as nothing, a line break as a space. */
void waio_csv_put(FILE *out, const char *text);

/* A double as %.9g, "inf" and "-inf"; nothing for NaN. */
void waio_real_text(char text[32], double value);
/* The same back ("" is NaN); false if `text` is anything else. */
bool waio_real_parse(double *value, const char *text);
/* Digits only; false also if it is too large. */
bool waio_count_parse(int64_t *value, const char *text);

#endif
