/* The results file. What keeps it whole:
 * - one lock (flock) for as long as it is open, which the kernel drops when the process dies;
 * - a row is one write(2), then fdatasync; a write that came short is cut off again;
 * - what a power cut leaves, a last line without its newline, is cut off at the next opening;
 * - the header goes to disk before the first row; part of a header alone is a new file;
 * - before each row the file is looked at: if another program changed it, nothing is written. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "result/row.h"
#include "result/row_text.h"
#include "util/csv.h"
#include "util/file.h"

typedef struct entry {
    waio_row row;
    int line;
} entry;

struct waio_results {
    waio_arena *arena; /* path, the text of the file, the lines of appended rows */
    const char *path;
    int fd; /* -1: read only */
    off_t size;
    int lines; /* lines in the file */
    entry *entry;
    int count, capacity;
};

/* A row or header as text, on the heap. */
typedef struct line_text {
    char *text;
    size_t bytes;
} line_text;

static waio_status io_error(const waio_results *r, const char *what)
{
    return waio_error(WAIO_EIO, "%s: %s: %s", r->path, what, strerror(errno));
}

/* `row` NULL: the header. */
static waio_status make_line(line_text *line, const waio_row *row)
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

/* ---- reading -------------------------------------------------------------------------------- */

static waio_status add_entry(waio_results *r, const waio_row *row, int line)
{
    if (r->count == r->capacity) {
        int capacity = r->capacity ? 2 * r->capacity : 64;
        entry *grown = realloc(r->entry, (size_t)capacity * sizeof *grown);
        if (!grown)
            return waio_error(WAIO_ENOMEM, "out of memory");
        r->entry = grown;
        r->capacity = capacity;
    }
    r->entry[r->count++] = (entry){*row, line};
    return WAIO_OK;
}

static waio_status read_all(waio_results *r, int fd, char **data, size_t *bytes)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return io_error(r, "cannot be read");
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
            return io_error(r, "reading failed");
    }
    return WAIO_OK;
}

/* Nothing, or a part of the header without its newline: a run that was killed before it began. */
static waio_status is_new(bool *yes, const char *data, size_t bytes)
{
    line_text header = {NULL, 0};
    waio_status st = make_line(&header, NULL);

    if (st == WAIO_OK)
        *yes = bytes < header.bytes && memcmp(data, header.text, bytes) == 0;
    free(header.text);
    return st;
}

static waio_status read_header(const waio_results *r, waio_csv *csv)
{
    char *field[WAIO_COLUMNS];
    waio_csv_record record;
    waio_status st = waio_csv_next(csv, &record, field, WAIO_COLUMNS);

    if (st != WAIO_OK)
        return waio_error_context(st, "%s:%d", r->path, record.line);
    if (!record.whole)
        return waio_error(WAIO_EINPUT, "%s:1: not a results file: it lacks the header line",
                          r->path);
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
        st = add_entry(r, &row, record.line);
        if (st != WAIO_OK)
            return st;
    }
    /* A quote that a fault in the middle has opened swallows all rows behind it. Those must not be
     * cut off as if they were the unfinished last row. */
    const char *line = memchr(csv.at, '\n', (size_t)(csv.end - csv.at));
    if (line && waio_csv_holds_record(line + 1, csv.end, WAIO_COLUMNS))
        return waio_error(WAIO_EINPUT, "%s:%d: a quote is opened and not closed", r->path,
                          csv.line);
    *whole = (size_t)(csv.at - data);
    r->lines = csv.line - 1;
    return WAIO_OK;
}

/* Reads what `fd` has. `whole` 0: a new file, no header yet. */
static waio_status read_file(waio_results *r, int fd, size_t *bytes, size_t *whole)
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

/* ---- writing -------------------------------------------------------------------------------- */

static waio_status sync_folder(const waio_results *r, const char *path)
{
    char *folder = waio_path_dir(r->arena, path);
    if (!folder)
        return WAIO_ENOMEM;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* EINVAL: a file system that has nothing to flush. */
    bool good = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    waio_status st = good ? WAIO_OK : io_error(r, "cannot flush its folder");
    if (fd >= 0)
        close(fd);
    return st;
}

/* One write, flushed; what came short is cut off. `size` is where the file ends, before and after.
 */
static waio_status write_whole(const waio_results *r, int fd, off_t *size, const line_text *line)
{
    ssize_t n;

    do
        n = pwrite(fd, line->text, line->bytes, *size);
    while (n < 0 && errno == EINTR);
    int fault = n < 0 ? errno : ENOSPC; /* less than asked for, without a reason: no room */
    if (n == (ssize_t)line->bytes) {
        if (fdatasync(fd) == 0 || errno == EINVAL) {
            *size += n;
            return WAIO_OK;
        }
        fault = errno;
    }
    bool cut = ftruncate(fd, *size) == 0;
    return waio_error(WAIO_EIO, "%s: writing failed: %s%s", r->path, strerror(fault),
                      cut ? "; what it held before is untouched"
                          : "; a partial last line is left, the next run removes it");
}

/* Locks the file that `path` names. The loser of a race with a rename holds a file without name. */
static waio_status lock(const waio_results *r, int fd)
{
    struct stat mine, named;

    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return io_error(r, "cannot be locked");
    } else if (fstat(fd, &mine) == 0 && stat(r->path, &named) == 0 && mine.st_ino == named.st_ino &&
               mine.st_dev == named.st_dev) {
        return WAIO_OK;
    }
    return waio_error(WAIO_EIO, "%s: in use by another process; wait for it, or write elsewhere",
                      r->path);
}

static waio_status write_header(waio_results *r)
{
    line_text header = {NULL, 0};
    waio_status st = WAIO_OK;

    r->size = 0;
    WAIO_TRY(st, make_line(&header, NULL));
    if (ftruncate(r->fd, 0) != 0) {
        st = io_error(r, "cannot be cut");
        goto done;
    }
    WAIO_TRY(st, write_whole(r, r->fd, &r->size, &header));
    r->lines = 1;
    WAIO_TRY(st, sync_folder(r, r->path));
done:
    free(header.text);
    return st;
}

static waio_status open_locked(waio_results *r)
{
    waio_status st = WAIO_OK;
    size_t bytes = 0, whole = 0;

    WAIO_TRY(st, lock(r, r->fd));
    WAIO_TRY(st, read_file(r, r->fd, &bytes, &whole));
    if (whole == 0)
        return write_header(r);
    if (whole < bytes) {
        fprintf(stderr, "%s:%d: the last row is incomplete (an earlier run was cut off); dropped\n",
                r->path, r->lines + 1);
        if (ftruncate(r->fd, (off_t)whole) != 0 || fdatasync(r->fd) != 0) {
            st = io_error(r, "cannot be cut back to its last whole row");
            goto done;
        }
    }
    r->size = (off_t)whole;
done:
    return st;
}

/* ---- the interface -------------------------------------------------------------------------- */

static waio_status new_results(waio_results **out, const char *path)
{
    waio_results *r = calloc(1, sizeof *r);

    *out = NULL;
    if (!r)
        return waio_error(WAIO_ENOMEM, "out of memory");
    r->fd = -1;
    r->arena = waio_arena_new();
    r->path = r->arena ? waio_arena_strdup(r->arena, path) : NULL;
    if (!r->path) {
        waio_results_close(r);
        return WAIO_ENOMEM;
    }
    *out = r;
    return WAIO_OK;
}

waio_status waio_results_open(waio_results **out, const char *path)
{
    waio_results *r = NULL;
    waio_status st = new_results(&r, path);

    *out = NULL;
    if (st != WAIO_OK)
        return st;
    char *folder = waio_path_dir(r->arena, path);
    if (!folder) {
        st = WAIO_ENOMEM;
        goto done;
    }
    WAIO_TRY(st, waio_make_dirs(folder));
    r->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    if (r->fd < 0) {
        st = io_error(r, "cannot be opened for writing");
        goto done;
    }
    WAIO_TRY(st, open_locked(r));
    *out = r;
    r = NULL;
done:
    waio_results_close(r);
    return st;
}

waio_status waio_results_read(waio_results **out, const char *path)
{
    waio_results *r = NULL;
    size_t bytes = 0, whole = 0;
    int fd = -1;
    waio_status st = new_results(&r, path);

    *out = NULL;
    if (st != WAIO_OK)
        return st;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %s", path, strerror(errno));
    WAIO_TRY(st, read_file(r, fd, &bytes, &whole));
    *out = r;
    r = NULL;
done:
    if (fd >= 0)
        close(fd);
    waio_results_close(r);
    return st;
}

void waio_results_close(waio_results *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd); /* every row is on disk already */
    free(r->entry);
    waio_arena_free(r->arena);
    free(r);
}

int waio_results_count(const waio_results *r)
{
    return r->count;
}

const waio_row *waio_results_row(const waio_results *r, int index)
{
    assert(index >= 0 && index < r->count);
    return &r->entry[index].row;
}

int waio_results_line(const waio_results *r, int index)
{
    assert(index >= 0 && index < r->count);
    return r->entry[index].line;
}

/* ---- rows that come and go ------------------------------------------------------------------ */

/* Keeps an appended line as a row of its own, read back from its text. */
static waio_status take_line(waio_results *r, const line_text *line)
{
    waio_status st = WAIO_OK;
    char *field[WAIO_COLUMNS], *copy = waio_arena_alloc(r->arena, line->bytes + 1);
    waio_csv csv = {.at = copy, .end = copy + line->bytes, .line = r->lines + 1};
    waio_csv_record record;
    waio_row row;

    if (!copy)
        return WAIO_ENOMEM;
    memcpy(copy, line->text, line->bytes);
    WAIO_TRY(st, waio_csv_next(&csv, &record, field, WAIO_COLUMNS));
    WAIO_TRY(st, waio_row_parse(&row, field, record.count));
    WAIO_TRY(st, add_entry(r, &row, r->lines + 1));
    r->lines = csv.line - 1;
done:
    return st;
}

waio_status waio_results_append(waio_results *r, const waio_row *row)
{
    waio_status st = WAIO_OK;
    line_text line = {NULL, 0};
    struct stat info;

    assert(r->fd >= 0);
    WAIO_TRY(st, make_line(&line, row));
    if (fstat(r->fd, &info) != 0) {
        st = io_error(r, "cannot be read");
        goto done;
    }
    if (info.st_size != r->size)
        WAIO_FAIL(st, WAIO_EIO, "%s: another program changed the file; nothing was written",
                  r->path);
    WAIO_TRY(st, write_whole(r, r->fd, &r->size, &line));
    WAIO_TRY(st, take_line(r, &line));
done:
    free(line.text);
    return st;
}

/* Header and rows in the given order as one text. */
static waio_status make_file(line_text *file, const waio_results *r, const int *order, int count)
{
    FILE *out = open_memstream(&file->text, &file->bytes);

    if (!out)
        return waio_error(WAIO_ENOMEM, "out of memory");
    waio_row_write_header(out);
    for (int i = 0; i < count; i++)
        waio_row_write(out, waio_results_row(r, order[i]));
    bool bad = ferror(out) != 0;
    if (fclose(out) != 0 || bad)
        return waio_error(WAIO_ENOMEM, "out of memory");
    return WAIO_OK;
}

waio_status waio_results_reorder(waio_results *r, const int *order, int count)
{
    waio_status st = WAIO_OK;
    line_text file = {NULL, 0};
    waio_results *fresh = NULL;
    char *beside = waio_arena_printf(r->arena, "%s.new", r->path);
    int fd = -1;
    off_t size = 0;

    if (!beside)
        return WAIO_ENOMEM;
    WAIO_TRY(st, make_file(&file, r, order, count));
    fd = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        WAIO_FAIL(st, WAIO_EIO, "%s: cannot be opened for writing: %s", beside, strerror(errno));
    WAIO_TRY(st, write_whole(r, fd, &size, &file));
    if (rename(beside, r->path) != 0) {
        st = io_error(r, "cannot be replaced");
        goto done;
    }
    WAIO_TRY(st, waio_results_open(&fresh, r->path));
    /* The new file takes the old one's place behind the same pointer. */
    waio_results old = *r;
    *r = *fresh;
    *fresh = old;
done:
    if (fd >= 0)
        close(fd);
    if (st != WAIO_OK && fd >= 0)
        unlink(beside);
    free(file.text);
    waio_results_close(fresh);
    return st;
}
