/* The results file: whole rows only, each written at once and flushed, one writer at a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "result/row.h"
#include "result/row_text.h"
#include "util/file.h"

struct waio_results {
    waio_arena *arena; /* path and texts of rows */
    const char *path;
    int fd; /* -1: opened for reading only */
    off_t end; /* behind the last whole row */
    waio_row *row;
    int *line;
    int count, capacity;
    int next_line; /* the line that an appended row begins in */
};

/* ---- reading ---- */

static waio_status keep_row(waio_results *r, const waio_row *row, int line)
{
    if (r->count == r->capacity) {
        int capacity = r->capacity ? r->capacity * 2 : 64;
        waio_row *rows = realloc(r->row, (size_t)capacity * sizeof *rows);
        r->row = rows ? rows : r->row;
        int *lines = realloc(r->line, (size_t)capacity * sizeof *lines);
        r->line = lines ? lines : r->line;
        if (!rows || !lines)
            return waio_error(WAIO_ENOMEM, "out of memory");
        r->capacity = capacity;
    }
    r->row[r->count] = *row;
    r->line[r->count++] = line;
    return WAIO_OK;
}

/* The first line must be our header; says the first column that is not. */
static waio_status check_header(const waio_results *r, char **at, int *lines)
{
    static const char *const name[] = {
#define WAIO_COLUMN(name, KIND, unit, meaning) #name,
#include "result/row.def"
#undef WAIO_COLUMN
    };
    char *field[WAIO_COLUMNS] = {0};
    int count = waio_csv_next(field, WAIO_COLUMNS, at, lines);

    for (int i = 0; i < WAIO_COLUMNS; i++)
        if (i >= count || strcmp(field[i], name[i]) != 0)
            return waio_error(WAIO_EINPUT,
                              "%s:1: not a results file of this version: column %d is \"%.40s\", "
                              "expected \"%s\"",
                              r->path, i + 1, i < count ? field[i] : "", name[i]);
    if (count > WAIO_COLUMNS)
        return waio_error(WAIO_EINPUT,
                          "%s:1: not a results file of this version: %d columns, expected %d",
                          r->path, count, WAIO_COLUMNS);
    return WAIO_OK;
}

/* Whether `text` is a header that a killed process left unfinished (or nothing at all). */
static waio_status is_unfinished_header(bool *yes, const char *text, size_t size)
{
    waio_text header = {0};
    waio_status st = waio_row_write_header(&header);

    *yes = st == WAIO_OK && size < header.size && memcmp(text, header.data, size) == 0;
    free(header.data);
    return st;
}

static waio_status read_rows(waio_results *r, char *text, size_t size)
{
    waio_status st = WAIO_OK;
    char *at = text, *field[WAIO_COLUMNS];
    int lines = 1;

    if (memchr(text, '\0', size))
        WAIO_FAIL(st, WAIO_EINPUT, "%s: holds a zero byte: not a results file", r->path);
    WAIO_TRY(st, check_header(r, &at, &lines));
    for (;;) {
        int line = lines;
        char *start = at;
        waio_row row;
        int count = waio_csv_next(field, WAIO_COLUMNS, &at, &lines);
        r->end = start - text;
        r->next_line = line;
        if (count == 0 || count == -1)
            break; /* a record that the file breaks off in is dropped by the caller */
        if (count != WAIO_COLUMNS)
            WAIO_FAIL(st, WAIO_EINPUT, "%s:%d: %s, expected %d fields", r->path, line,
                      count < 0 ? "a quote inside a field" : "the wrong number of fields",
                      WAIO_COLUMNS);
        if ((st = waio_row_read(&row, field)) != WAIO_OK) {
            waio_error_context(st, "%s:%d", r->path, line);
            goto done;
        }
        WAIO_TRY(st, keep_row(r, &row, line));
    }
done:
    return st;
}

static waio_status read_file(waio_results *r)
{
    waio_status st = WAIO_OK;
    unsigned char *text = NULL;
    size_t size = 0;
    bool unfinished = false;

    WAIO_TRY(st, waio_file_read(&text, &size, r->path, r->arena));
    WAIO_TRY(st, is_unfinished_header(&unfinished, (char *)text, size));
    r->next_line = 2;
    if (!unfinished)
        WAIO_TRY(st, read_rows(r, (char *)text, size));
    if (!unfinished && (size_t)r->end < size)
        fprintf(stderr, "%s: the last row is not whole (the run was cut off there): dropped\n",
                r->path);
done:
    return st;
}

/* ---- writing ---- */

static waio_status write_failed(const waio_results *r)
{
    return waio_error(WAIO_EIO, "%s: writing failed: %s", r->path, strerror(errno));
}

/* All of `text` behind the last whole row, or nothing of it. */
static waio_status write_line(waio_results *r, const waio_text *text)
{
    size_t done = 0;

    while (done < text->size) {
        ssize_t n = pwrite(r->fd, text->data + done, text->size - done, r->end + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            waio_status st = write_failed(r);
            if (ftruncate(r->fd, r->end) != 0)
                waio_error_context(st, "the row that was begun could not be taken back");
            return st;
        }
        done += (size_t)n;
    }
    if (fdatasync(r->fd) != 0 && errno != EINVAL && errno != EROFS)
        return write_failed(r);
    r->end += (off_t)text->size;
    return WAIO_OK;
}

static waio_status write_header(waio_results *r)
{
    waio_text text = {0};
    waio_status st = waio_row_write_header(&text);

    r->end = 0;
    if (st == WAIO_OK)
        st = write_line(r, &text);
    free(text.data);
    return st;
}

static waio_status open_file(waio_results *r)
{
    char *dir = waio_path_dir(r->arena, r->path);
    waio_status st = dir ? waio_make_dirs(dir) : WAIO_ENOMEM;

    if (st != WAIO_OK)
        return st;
    r->fd = open(r->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (r->fd < 0)
        return waio_error(WAIO_EIO, "%s: cannot be opened for writing: %s", r->path,
                          strerror(errno));
    if (flock(r->fd, LOCK_EX | LOCK_NB) != 0)
        return waio_error(WAIO_EIO, "%s: in use by another process", r->path);
    struct stat info;
    if (fstat(r->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return waio_error(WAIO_EIO, "%s: not a regular file", r->path);
    return WAIO_OK;
}

static waio_results *results_new(const char *path)
{
    waio_results *r = calloc(1, sizeof *r);

    if (r) {
        r->fd = -1;
        r->arena = waio_arena_new();
        r->path = r->arena ? waio_arena_strdup(r->arena, path) : NULL;
    }
    if (!r || !r->path) {
        waio_error(WAIO_ENOMEM, "out of memory");
        waio_results_close(r);
        return NULL;
    }
    return r;
}

waio_status waio_results_open(waio_results **out, const char *path)
{
    waio_status st = WAIO_OK;
    waio_results *r = results_new(path);

    if (!r)
        return WAIO_ENOMEM;
    WAIO_TRY(st, open_file(r));
    WAIO_TRY(st, read_file(r));
    if (ftruncate(r->fd, r->end) != 0) {
        st = write_failed(r);
        goto done;
    }
    if (r->end == 0)
        WAIO_TRY(st, write_header(r));
    *out = r;
    r = NULL;
done:
    waio_results_close(r);
    return st;
}

waio_status waio_results_read(waio_results **out, const char *path)
{
    waio_status st = WAIO_OK;
    waio_results *r = results_new(path);

    if (!r)
        return WAIO_ENOMEM;
    WAIO_TRY(st, read_file(r));
    *out = r;
    r = NULL;
done:
    waio_results_close(r);
    return st;
}

void waio_results_close(waio_results *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd); /* gives the lock back */
    free(r->row);
    free(r->line);
    waio_arena_free(r->arena);
    free(r);
}

int waio_results_count(const waio_results *r)
{
    return r->count;
}

const waio_row *waio_results_row(const waio_results *r, int index)
{
    return &r->row[index];
}

int waio_results_line(const waio_results *r, int index)
{
    return r->line[index];
}

/* A copy of `row` whose texts live in the results' own arena. */
static waio_status copy_row(waio_results *r, waio_row *copy, const waio_row *row)
{
#define COPY_TEXT(to, from)                                                                        \
    if (!((to) = waio_arena_strdup(r->arena, (from) ? (from) : "")))                               \
        return WAIO_ENOMEM;
#define COPY_COUNT(to, from) (to) = (from);
#define COPY_REAL(to, from) (to) = (from);
#define WAIO_COLUMN(name, KIND, unit, meaning) COPY_##KIND(copy->col_##name, row->col_##name)
#include "result/row.def"
#undef WAIO_COLUMN
    return WAIO_OK;
}

waio_status waio_results_append(waio_results *r, const waio_row *row)
{
    waio_status st = WAIO_OK;
    waio_text text = {0};
    waio_row copy;

    WAIO_TRY(st, waio_row_write(&text, row));
    WAIO_TRY(st, copy_row(r, &copy, row));
    WAIO_TRY(st, write_line(r, &text));
    WAIO_TRY(st, keep_row(r, &copy, r->next_line));
    for (size_t i = 0; i < text.size; i++)
        r->next_line += text.data[i] == '\n';
done:
    free(text.data);
    return st;
}

/* ---- rewriting ---- */

/* The new contents, and the rows in their new order. */
static waio_status gather(waio_text *text, waio_results *r, const int *order, int count)
{
    waio_status st = WAIO_OK;
    waio_row *rows = NULL;

    WAIO_NEW(st, rows, r->arena, (size_t)count);
    WAIO_TRY(st, waio_row_write_header(text));
    for (int i = 0; i < count; i++) {
        rows[i] = r->row[order[i]];
        WAIO_TRY(st, waio_row_write(text, &rows[i]));
    }
    r->count = 0;
    r->next_line = 2;
    for (int i = 0; i < count; i++)
        WAIO_TRY(st, keep_row(r, &rows[i], r->next_line++));
done:
    return st;
}

waio_status waio_results_reorder(waio_results *r, const int *order, int count)
{
    waio_status st = WAIO_OK;
    waio_text text = {0};
    int old = r->fd;
    off_t old_end = r->end;
    const char *path = r->path, *beside = waio_arena_printf(r->arena, "%s.new", path);

    if (!beside)
        return WAIO_ENOMEM;
    WAIO_TRY(st, gather(&text, r, order, count));
    r->fd = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (r->fd < 0)
        WAIO_FAIL(st, WAIO_EIO, "%s: cannot be opened for writing: %s", beside, strerror(errno));
    r->end = 0;
    if (flock(r->fd, LOCK_EX | LOCK_NB) != 0)
        WAIO_FAIL(st, WAIO_EIO, "%s: in use by another process", beside);
    WAIO_TRY(st, write_line(r, &text));
    if (rename(beside, path) != 0)
        WAIO_FAIL(st, WAIO_EIO, "%s: cannot be replaced: %s", path, strerror(errno));
    close(old);
    old = -1;
done:
    if (st != WAIO_OK && old >= 0) {
        if (r->fd >= 0 && r->fd != old) {
            close(r->fd);
            unlink(beside);
        }
        r->fd = old;
        r->end = old_end;
    }
    free(text.data);
    return st;
}
