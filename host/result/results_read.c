/* Reading a results file: strict, since a resumed run builds on it. Only what a cut-off run leaves
 * behind, a last line without its newline, is no error. */
#include "result/results_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "result/row_text.h"
#include "util/csv.h"

enum { MAX_FIELDS = 256 };

waio_status waio_results_io_error(const waio_results *r, const char *what)
{
    return waio_error(WAIO_EIO, "%s: %s: %s", r->path, what, strerror(errno));
}

waio_status waio_line_make(waio_line *line, const waio_row *row)
{
    FILE *out = open_memstream(&line->text, &line->bytes);

    if (!out)
        return waio_error(WAIO_ENOMEM, "out of memory");
    if (row)
        waio_row_write(out, row);
    else
        waio_row_write_header(out);
    bool bad = ferror(out) != 0;
    if (fclose(out) != 0 || bad)
        return waio_error(WAIO_ENOMEM, "out of memory");
    return WAIO_OK;
}

waio_status waio_results_add_entry(waio_results *r, const waio_row *row, int line)
{
    if (r->count == r->capacity) {
        int capacity = r->capacity ? 2 * r->capacity : 64;
        waio_results_entry **grown = realloc(r->entry, (size_t)capacity * sizeof *grown);
        if (!grown)
            return waio_error(WAIO_ENOMEM, "out of memory");
        r->entry = grown;
        r->capacity = capacity;
    }
    waio_results_entry *entry = waio_arena_alloc(r->arena, sizeof *entry);
    if (!entry)
        return WAIO_ENOMEM;
    *entry = (waio_results_entry){*row, line};
    r->entry[r->count++] = entry;
    return WAIO_OK;
}

static waio_status read_all(waio_results *r, int fd, char **data, size_t *bytes)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return waio_results_io_error(r, "cannot be read");
    if (!S_ISREG(info.st_mode))
        return waio_error(WAIO_EINPUT, "%s: not a regular file", r->path);
    *bytes = (size_t)info.st_size;
    *data = waio_arena_alloc(r->arena, *bytes + 1);
    if (!*data)
        return WAIO_ENOMEM;
    for (size_t got = 0; got < *bytes;) {
        ssize_t n = pread(fd, *data + got, *bytes - got, (off_t)got);
        if (n > 0)
            got += (size_t)n;
        else if (n == 0)
            return waio_error(WAIO_EIO, "%s: became shorter while it was read", r->path);
        else if (errno != EINTR)
            return waio_results_io_error(r, "reading failed");
    }
    return WAIO_OK;
}

/* Nothing, or a part of the header without its newline: a run that was killed before it began. */
static waio_status is_new(bool *yes, const char *data, size_t bytes)
{
    waio_line header = {NULL, 0};
    waio_status st = waio_line_make(&header, NULL);

    if (st == WAIO_OK)
        *yes = bytes < header.bytes && memcmp(data, header.text, bytes) == 0;
    free(header.text);
    return st;
}

/* The header's names. */
static waio_status next_header(const waio_results *r, waio_csv *csv, waio_csv_record *record,
                               char **field, int capacity)
{
    waio_status st = waio_csv_next(csv, record, field, capacity);

    if (st != WAIO_OK)
        return waio_error_context(st, "%s:%d", r->path, record->line);
    if (!record->whole)
        return waio_error(WAIO_EINPUT, "%s:1: not a results file: it lacks the header line",
                          r->path);
    return WAIO_OK;
}

static waio_status read_header(const waio_results *r, waio_csv *csv)
{
    char *field[WAIO_COLUMNS];
    waio_csv_record record;
    waio_status st = next_header(r, csv, &record, field, WAIO_COLUMNS);

    if (st != WAIO_OK)
        return st;
    for (int i = 0; i < record.count && record.count <= WAIO_COLUMNS; i++)
        if (strcmp(field[i], waio_column_table[i].name) != 0)
            return waio_error(WAIO_EINPUT,
                              "%s:1: not a results file of this version: column %d is \"%.100s\", "
                              "expected \"%s\"",
                              r->path, i + 1, field[i], waio_column_table[i].name);
    if (record.count != WAIO_COLUMNS)
        return waio_error(WAIO_EINPUT,
                          "%s:1: not a results file of this version: %d columns, expected %d",
                          r->path, record.count, WAIO_COLUMNS);
    return WAIO_OK;
}

/* Where each field of an other version's file goes: column of this version, or -1. */
typedef struct foreign {
    int place[MAX_FIELDS];
    int count;
} foreign;

static waio_status read_foreign_header(const waio_results *r, waio_csv *csv, foreign *f)
{
    static const char *const needed[] = {"config", "value", "status"};
    char *field[MAX_FIELDS];
    waio_csv_record record;
    waio_status st = next_header(r, csv, &record, field, MAX_FIELDS);

    if (st != WAIO_OK)
        return st;
    if (record.count > MAX_FIELDS)
        return waio_error(WAIO_EINPUT, "%s:1: %d columns; a results file has at most %d", r->path,
                          record.count, MAX_FIELDS);
    f->count = record.count;
    for (int i = 0; i < record.count; i++) {
        f->place[i] = -1;
        for (int c = 0; c < WAIO_COLUMNS; c++)
            if (strcmp(field[i], waio_column_table[c].name) == 0)
                f->place[i] = c;
        for (int k = 0; k < i; k++)
            if (strcmp(field[i], field[k]) == 0)
                return waio_error(WAIO_EINPUT, "%s:1: the column \"%.100s\" is there twice",
                                  r->path, field[i]);
    }
    for (size_t n = 0; n < sizeof needed / sizeof *needed; n++) {
        bool found = false;
        for (int i = 0; i < record.count; i++)
            found = found || strcmp(field[i], needed[n]) == 0;
        if (!found)
            return waio_error(WAIO_EINPUT, "%s:1: not a results file: no column \"%s\"", r->path,
                              needed[n]);
    }
    return WAIO_OK;
}

static waio_status read_foreign_rows(waio_results *r, waio_csv csv, const foreign *f)
{
    static char empty[] = "";
    char *field[MAX_FIELDS], *placed[WAIO_COLUMNS];
    waio_csv_record record;
    waio_row row;

    while (csv.at < csv.end) {
        waio_status st = waio_csv_next(&csv, &record, field, MAX_FIELDS);
        if (st == WAIO_OK && !record.whole)
            break;
        for (int c = 0; c < WAIO_COLUMNS; c++)
            placed[c] = empty;
        for (int i = 0; st == WAIO_OK && i < f->count && i < record.count; i++)
            if (f->place[i] >= 0)
                placed[f->place[i]] = field[i];
        if (st == WAIO_OK && record.count != f->count)
            st = waio_error(WAIO_EINPUT, "%d fields where there are %d columns", record.count,
                            f->count);
        if (st == WAIO_OK)
            st = waio_row_parse(&row, placed, WAIO_COLUMNS);
        if (st != WAIO_OK)
            return waio_error_context(st, "%s:%d", r->path, record.line);
        st = waio_results_add_entry(r, &row, record.line);
        if (st != WAIO_OK)
            return st;
    }
    r->lines = csv.line - 1;
    return WAIO_OK;
}

waio_status waio_results_read_foreign_fd(waio_results *r, int fd)
{
    waio_status st = WAIO_OK;
    char *data = NULL;
    size_t bytes = 0;
    foreign f = {.count = 0};

    WAIO_TRY(st, read_all(r, fd, &data, &bytes));
    waio_csv csv = {.at = data, .end = data + bytes, .line = 1};
    if (bytes == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: the file is empty", r->path);
    WAIO_TRY(st, read_foreign_header(r, &csv, &f));
    WAIO_TRY(st, read_foreign_rows(r, csv, &f));
done:
    return st;
}

/* Fills the entries; `whole` becomes the number of bytes up to the last whole row. */
static waio_status read_rows(waio_results *r, waio_csv csv, const char *data, size_t *whole)
{
    char *field[WAIO_COLUMNS];
    waio_csv_record record;
    waio_row row;

    while (csv.at < csv.end) {
        waio_status st = waio_csv_next(&csv, &record, field, WAIO_COLUMNS);
        if (st == WAIO_OK && !record.whole)
            break;
        if (st == WAIO_OK)
            st = waio_row_parse(&row, field, record.count);
        if (st != WAIO_OK)
            return waio_error_context(st, "%s:%d", r->path, record.line);
        st = waio_results_add_entry(r, &row, record.line);
        if (st != WAIO_OK)
            return st;
    }
    *whole = (size_t)(csv.at - data);
    r->lines = csv.line - 1;
    return WAIO_OK;
}

waio_status waio_results_read_fd(waio_results *r, int fd, size_t *bytes, size_t *whole)
{
    waio_status st = WAIO_OK;
    char *data = NULL;
    bool fresh = false;

    *whole = 0;
    WAIO_TRY(st, read_all(r, fd, &data, bytes));
    WAIO_TRY(st, is_new(&fresh, data, *bytes));
    if (fresh)
        goto done;
    waio_csv csv = {.at = data, .end = data + *bytes, .line = 1};
    WAIO_TRY(st, read_header(r, &csv));
    WAIO_TRY(st, read_rows(r, csv, data, whole));
done:
    return st;
}
