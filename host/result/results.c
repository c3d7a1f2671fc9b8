/* The results file. What keeps it whole:
 * - one lock (flock) for as long as it is open, which the kernel drops when the process dies;
 * - a row is one write(2), then fdatasync; a write that came short is cut off again;
 * - what a power cut leaves, a last line without its newline, is cut off at the next opening;
 * - the header goes to disk before the first row; part of a header alone is a new file;
 * - before each row the file is looked at: if another program changed it, nothing is written. */
#include "result/results_file.h"

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

#include "result/row_text.h"
#include "util/csv.h"
#include "util/file.h"

/* ---- writing -------------------------------------------------------------------------------- */

static waio_status sync_folder(const waio_results *r, const char *path)
{
    char *folder = waio_path_dir(r->arena, path);
    if (!folder)
        return WAIO_ENOMEM;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* EINVAL: a file system that has nothing to flush. EACCES: a folder that only lets write. */
    bool good = fd >= 0 ? fsync(fd) == 0 || errno == EINVAL : errno == EACCES;
    waio_status st = good ? WAIO_OK : waio_results_io_error(r, "cannot flush its folder");
    if (fd >= 0)
        close(fd);
    return st;
}

/* One write, flushed; what came short is cut off. `size` is where the file ends, before and after.
 */
static waio_status write_whole(const waio_results *r, int fd, off_t *size, const waio_line *line)
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
            return waio_results_io_error(r, "cannot be locked");
    } else if (fstat(fd, &mine) == 0 && stat(r->path, &named) == 0 && mine.st_ino == named.st_ino &&
               mine.st_dev == named.st_dev) {
        return WAIO_OK;
    }
    return waio_error(WAIO_EIO, "%s: in use by another process; wait for it, or write elsewhere",
                      r->path);
}

static waio_status write_header(waio_results *r)
{
    waio_line header = {NULL, 0};
    waio_status st = WAIO_OK;

    r->size = 0;
    WAIO_TRY(st, waio_line_make(&header, NULL));
    if (ftruncate(r->fd, 0) != 0) {
        st = waio_results_io_error(r, "cannot be cut");
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
    WAIO_TRY(st, waio_results_read_fd(r, r->fd, &bytes, &whole));
    if (whole == 0)
        return write_header(r);
    if (whole < bytes) {
        fprintf(stderr, "%s:%d: the last row is incomplete (an earlier run was cut off); dropped\n",
                r->path, r->lines + 1);
        if (ftruncate(r->fd, (off_t)whole) != 0 || fdatasync(r->fd) != 0) {
            st = waio_results_io_error(r, "cannot be cut back to its last whole row");
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
        st = waio_results_io_error(r, "cannot be opened for writing");
        goto done;
    }
    WAIO_TRY(st, open_locked(r));
    *out = r;
    r = NULL;
done:
    waio_results_close(r);
    return st;
}

static waio_status read_only(waio_results **out, const char *path, bool any_version)
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
    WAIO_TRY(st, any_version ? waio_results_read_foreign_fd(r, fd)
                             : waio_results_read_fd(r, fd, &bytes, &whole));
    *out = r;
    r = NULL;
done:
    if (fd >= 0)
        close(fd);
    waio_results_close(r);
    return st;
}

waio_status waio_results_read(waio_results **out, const char *path)
{
    return read_only(out, path, false);
}

waio_status waio_results_read_any(waio_results **out, const char *path)
{
    return read_only(out, path, true);
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
    return &r->entry[index]->row;
}

int waio_results_line(const waio_results *r, int index)
{
    assert(index >= 0 && index < r->count);
    return r->entry[index]->line;
}

/* ---- appending ------------------------------------------------------------------------------ */

static waio_status check_unchanged(const waio_results *r)
{
    struct stat info;

    if (fstat(r->fd, &info) != 0)
        return waio_results_io_error(r, "cannot be read");
    if (info.st_nlink == 0 || info.st_size != r->size)
        return waio_error(WAIO_EIO, "%s: was %s by another program during the run; start it again",
                          r->path, info.st_nlink == 0 ? "removed or replaced" : "changed");
    return WAIO_OK;
}

static int count_newlines(const waio_line *line)
{
    int n = 0;
    for (size_t i = 0; i < line->bytes; i++)
        n += line->text[i] == '\n';
    return n;
}

/* Keeps the row as the file will give it back, so that a resumed run sees what this one saw; what
 * the reader would refuse is refused before it is written. */
static waio_status keep_row(waio_results *r, const waio_line *line)
{
    char *field[WAIO_COLUMNS];
    waio_csv_record record;
    waio_row row;
    waio_status st = WAIO_OK;
    char *copy = waio_arena_strdup(r->arena, line->text);

    if (!copy)
        return WAIO_ENOMEM;
    waio_csv csv = {.at = copy, .end = copy + line->bytes, .line = 1};
    WAIO_TRY(st, waio_csv_next(&csv, &record, field, WAIO_COLUMNS));
    WAIO_TRY(st, waio_row_parse(&row, field, record.count));
    WAIO_TRY(st, waio_results_add_entry(r, &row, r->lines + 1));
done:
    return st == WAIO_OK ? st : waio_error_context(st, "%s: a row to append", r->path);
}

waio_status waio_results_append(waio_results *r, const waio_row *row)
{
    waio_line line = {NULL, 0};
    waio_status st = WAIO_OK;

    assert(r->fd >= 0);
    WAIO_TRY(st, waio_line_make(&line, row));
    WAIO_TRY(st, check_unchanged(r));
    WAIO_TRY(st, keep_row(r, &line));
    st = write_whole(r, r->fd, &r->size, &line);
    if (st == WAIO_OK)
        r->lines += count_newlines(&line);
    else
        r->count--;
done:
    free(line.text);
    return st;
}

/* ---- reordering ----------------------------------------------------------------------------- */

/* Header and rows as one text; `lines` gets the line that each row starts in. */
static waio_status make_file(waio_line *text, int *lines, int *total, const waio_results *r,
                             const int *order, int count)
{
    waio_status st = WAIO_OK;
    waio_line line = {NULL, 0};
    FILE *out = open_memstream(&text->text, &text->bytes);

    *total = 0;
    if (!out)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int i = -1; i < count && st == WAIO_OK; i++) {
        st = waio_line_make(&line, i < 0 ? NULL : waio_results_row(r, order[i]));
        if (st == WAIO_OK) {
            fwrite(line.text, 1, line.bytes, out);
            if (i >= 0)
                lines[i] = *total + 1;
            *total += count_newlines(&line);
        }
        free(line.text);
        line = (waio_line){NULL, 0};
    }
    bool bad = ferror(out) != 0;
    if ((fclose(out) != 0 || bad) && st == WAIO_OK)
        st = waio_error(WAIO_ENOMEM, "out of memory");
    return st;
}

/* Writes `text` beside the file and puts it in its place. The new file is locked before it gets the
 * name, so that nobody comes in between. */
static waio_status replace_file(waio_results *r, const waio_line *text)
{
    waio_status st = WAIO_OK;
    char real[PATH_MAX]; /* a link stays a link */
    struct stat info;
    off_t size = 0;
    int fd = -1;

    if (!realpath(r->path, real) || fstat(r->fd, &info) != 0)
        return waio_results_io_error(r, "cannot be found");
    char *beside = waio_arena_printf(r->arena, "%s.new", real);
    if (!beside)
        return WAIO_ENOMEM;
    fd = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0 || fchmod(fd, info.st_mode & 07777) != 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        st = waio_results_io_error(r, "cannot write its copy");
        goto done;
    }
    WAIO_TRY(st, write_whole(r, fd, &size, text));
    if (rename(beside, real) != 0) {
        st = waio_results_io_error(r, "cannot be replaced");
        goto done;
    }
    close(r->fd);
    r->fd = fd;
    r->size = size;
    return sync_folder(r, real);
done:
    if (fd >= 0) {
        unlink(beside);
        close(fd);
    }
    return st;
}

waio_status waio_results_reorder(waio_results *r, const int *order, int count)
{
    waio_status st = WAIO_OK;
    waio_line text = {NULL, 0};
    int total = 0, *lines = NULL;
    waio_results_entry **kept = NULL;

    assert(r->fd >= 0 && count >= 0);
    WAIO_NEW(st, lines, r->arena, (size_t)count);
    kept = calloc((size_t)count + 1, sizeof *kept);
    if (!kept)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, make_file(&text, lines, &total, r, order, count));
    WAIO_TRY(st, check_unchanged(r));
    WAIO_TRY(st, replace_file(r, &text));
    for (int i = 0; i < count; i++) {
        kept[i] = r->entry[order[i]];
        kept[i]->line = lines[i];
    }
    free(r->entry);
    r->entry = kept;
    r->count = count;
    r->capacity = count + 1;
    r->lines = total;
    kept = NULL;
done:
    free(kept);
    free(text.text);
    return st;
}
