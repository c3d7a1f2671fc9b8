/* Results files on a bad day: a cut-off or damaged file never costs a row that was whole, a full
 * disk leaves the file as it was, and one process at a time writes. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"
#include "results_fixture.h"
#include "util/rng.h"

/* ---- cut off and damaged ---- */

/* stderr goes nowhere while thousands of cut files are opened. */
static int silence(void)
{
    int kept = dup(2), null = open("/dev/null", O_WRONLY);
    fflush(stderr);
    dup2(null, 2);
    close(null);
    return kept;
}

static void unsilence(int kept)
{
    fflush(stderr);
    dup2(kept, 2);
    close(kept);
}

/* The file with nasty texts cut at every length: what is whole stays, to the byte, and appending
 * what is missing gives the whole file again. */
static void test_truncated(void)
{
    const char *path = path_of("cut.csv");
    enum { ROWS = 3 };
    size_t end[ROWS + 1];
    waio_results *results = NULL;

    end[0] = make_file(path, 0).size;
    CHECK_OK(waio_results_open(&results, path));
    for (int k = 0; k < ROWS; k++) {
        waio_row row = nasty_row(k);
        CHECK_OK(waio_results_append(results, &row));
        end[k + 1] = read_bytes(path).size;
    }
    waio_results_close(results);
    bytes good = read_bytes(path);
    for (size_t n = end[0]; n <= good.size; n++) {
        int whole = 0, kept = silence();
        while (whole < ROWS && end[whole + 1] <= n)
            whole++;
        write_bytes(path, good.data, n);
        waio_status read = waio_results_read(&results, path);
        int seen = read == WAIO_OK ? waio_results_count(results) : -1;
        waio_results_close(results);
        bool touched = read_bytes(path).size != n;
        waio_status st = waio_results_open(&results, path);
        unsilence(kept);
        CHECK(seen == whole && !touched, "cut at %zu: read %d rows, not %d", n, seen, whole);
        CHECK(st == WAIO_OK, "cut at %zu: %s", n, waio_error_message());
        if (st != WAIO_OK)
            continue;
        bytes now = read_bytes(path);
        CHECK(now.size == end[whole] && memcmp(now.data, good.data, now.size) == 0,
              "cut at %zu: what was whole is not as it was", n);
        bool again = n % 7 == 0; /* each row is flushed to disk, which takes its time */
        for (int k = whole; k < ROWS && again; k++) {
            waio_row row = nasty_row(k);
            CHECK_OK(waio_results_append(results, &row));
        }
        waio_results_close(results);
        CHECK(!again || same(good, read_bytes(path)), "cut at %zu: not the same file again", n);
    }
}

/* A block of zeros at the end is what some file systems leave after a power cut. */
static void test_zero_tail(void)
{
    const char *path = path_of("zeros.csv");
    bytes good = make_file(path, 2);
    unsigned char *text = waio_arena_alloc(arena, good.size + 4096);
    waio_results *results = NULL;

    memcpy(text, good.data, good.size);
    write_bytes(path, text, good.size + 4096);
    int kept = silence();
    waio_status st = waio_results_open(&results, path);
    unsilence(kept);
    CHECK(st == WAIO_OK && waio_results_count(results) == 2, "%s", waio_error_message());
    waio_results_close(results);
    CHECK(same(good, read_bytes(path)), "what was whole is not as it was");
}

/* A damaged file is refused unchanged, or it gives well-formed rows; at most its last line goes. */
static void test_flipped(void)
{
    const char *path = path_of("flip.csv");
    bytes good = make_file(path, 4);
    size_t header = (size_t)((unsigned char *)memchr(good.data, '\n', good.size) - good.data) + 1;
    size_t row = (good.size - header) / 4;
    unsigned char *copy = waio_arena_alloc(arena, good.size);
    waio_rng rng = {3};
    waio_results *results = NULL;

    for (int i = 0; i < 4000; i++) {
        static const char special[] = "\",\n\r\0";
        size_t at = waio_rng_below(&rng, good.size);
        memcpy(copy, good.data, good.size);
        copy[at] = i % 2 ? (unsigned char)special[waio_rng_below(&rng, sizeof special - 1)]
                         : (unsigned char)waio_rng_below(&rng, 256);
        write_bytes(path, copy, good.size);
        int kept = silence();
        waio_status st = waio_results_open(&results, path);
        unsilence(kept);
        bytes now = {NULL, 0};
        CHECK(waio_file_read(&now.data, &now.size, path, arena) == WAIO_OK, "read");
        if (st == WAIO_OK) {
            int count = waio_results_count(results);
            CHECK(count == 4 || (count == 3 && at >= header + 3 * row), "byte %zu: %d rows left",
                  at, count);
            waio_results_close(results);
        } else {
            CHECK(st == WAIO_EINPUT && strstr(waio_error_message(), "flip.csv:"), "byte %zu: %s",
                  at, waio_error_message());
        }
        CHECK((st == WAIO_OK || now.size == good.size) && memcmp(now.data, copy, now.size) == 0,
              "byte %zu: the file was changed", at);
    }
}

/* ---- writing ---- */

/* A limit on the size of files stands for a full disk: a write stops in the middle of the row. */
static void test_full_disk(void)
{
    const char *path = path_of("full.csv");
    bytes two = make_file(path, 2), three = make_file(path, 3), good = make_file(path, 2);
    struct rlimit before, limit;
    waio_results *results = NULL;
    waio_row row = simple_row("config 2");

    CHECK(same(two, good), "two runs give two files");
    CHECK_OK(waio_results_open(&results, path));
    signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0, "%s", strerror(errno));
    for (rlim_t more = 0; more < three.size - two.size; more += 13) {
        limit = before;
        limit.rlim_cur = good.size + more;
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "%s", strerror(errno));
        waio_error_clear();
        waio_status st = waio_results_append(results, &row);
        CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0, "%s", strerror(errno));
        CHECK(st == WAIO_EIO && strstr(waio_error_message(), "full.csv: writing failed"),
              "%llu bytes of room: %s", (unsigned long long)more, waio_error_message());
        CHECK(same(good, read_bytes(path)), "the file is not as it was");
        CHECK(waio_results_count(results) == 2, "%d rows", waio_results_count(results));
    }
    CHECK_OK(waio_results_append(results, &row)); /* there is room again */
    CHECK(waio_results_line(results, 2) == 4, "line %d", waio_results_line(results, 2));
    CHECK(same(three, read_bytes(path)), "not the same as without a full disk");
    limit.rlim_cur = three.size / 2;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "%s", strerror(errno));
    waio_status st = waio_results_reorder(results, (int[]){2, 0}, 2);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0, "%s", strerror(errno));
    CHECK(st == WAIO_EIO, "%s", waio_error_message());
    CHECK(same(three, read_bytes(path)) && !waio_file_exists(path_of("full.csv.new")),
          "a reordering that failed left something");
    waio_results_close(results);
    limit.rlim_cur = 20;
    unlink(path);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "%s", strerror(errno));
    st = waio_results_open(&results, path);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0, "%s", strerror(errno));
    CHECK(st == WAIO_EIO, "%s", waio_error_message());
    CHECK_OK(waio_results_open(&results, path)); /* and once there is room, a new file */
    waio_results_close(results);
}

/* A row that the reader would refuse does not get into the file. */
static void test_bad_rows(void)
{
    const char *path = path_of("bad_row.csv");
    bytes good = make_file(path, 1);
    waio_results *results = NULL;
    waio_row row = simple_row("config 1");

    CHECK_OK(waio_results_open(&results, path));
    row.col_status = "fine";
    CHECK_FAILS(waio_results_append(results, &row), WAIO_EINPUT, "\"fine\" is none of ok");
    row.col_status = NULL;
    CHECK_FAILS(waio_results_append(results, &row), WAIO_EINPUT, "is none of ok");
    row = simple_row("config 1");
    row.col_images = -7;
    CHECK_FAILS(waio_results_append(results, &row), WAIO_EINPUT, "column images");
    CHECK(waio_results_count(results) == 1, "%d rows", waio_results_count(results));
    waio_results_close(results);
    CHECK(same(good, read_bytes(path)), "the file was changed");
}

static void test_one_writer(void)
{
    const char *path = path_of("lock.csv");
    waio_results *results = NULL, *second = NULL;
    int ready[2], status = 0;
    char byte;

    make_file(path, 2);
    CHECK_OK(waio_results_open(&results, path));
    CHECK_FAILS(waio_results_open(&second, path), WAIO_EIO, "lock.csv: in use");
    CHECK_OK(waio_results_read(&second, path)); /* readers are welcome */
    waio_results_close(second);
    CHECK_OK(waio_results_reorder(results, (int[]){1, 0}, 2));
    CHECK_FAILS(waio_results_open(&second, path), WAIO_EIO, "in use"); /* the new file as well */
    waio_results_close(results);
    CHECK_OK(waio_results_open(&results, path));
    waio_results_close(results);
    /* Another process holds it, and is killed. */
    CHECK(pipe(ready) == 0, "%s", strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        bool held = waio_results_open(&results, path) == WAIO_OK;
        if (write(ready[1], held ? "y" : "n", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    CHECK(read(ready[0], &byte, 1) == 1 && byte == 'y', "the other process could not open it");
    CHECK_FAILS(waio_results_open(&second, path), WAIO_EIO, "in use");
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    CHECK_OK(waio_results_open(&second, path));
    waio_results_close(second);
    close(ready[0]);
    close(ready[1]);
}

/* Somebody edits, replaces or removes the file during a run. */
static void test_meddling(void)
{
    const char *path = path_of("meddle.csv");
    waio_results *results = NULL;
    waio_row row = simple_row("config 1");

    make_file(path, 1);
    CHECK_OK(waio_results_open(&results, path));
    bytes file = read_bytes(path);
    FILE *other = fopen(path, "ab");
    fputs("note", other);
    fclose(other);
    CHECK_FAILS(waio_results_append(results, &row), WAIO_EIO, "changed by another program");
    CHECK(read_bytes(path).size == file.size + 4, "the other's work was changed");
    waio_results_close(results);
    make_file(path, 1);
    CHECK_OK(waio_results_open(&results, path));
    unlink(path);
    CHECK_FAILS(waio_results_append(results, &row), WAIO_EIO, "removed or replaced by another");
    waio_results_close(results);
}

static void test_reorder(void)
{
    const char *path = path_of("order.csv"), *link = path_of("link.csv");
    waio_results *results = NULL;

    bytes good = make_file(path, 5);
    unlink(link);
    CHECK(symlink("order.csv", link) == 0 && chmod(path, 0640) == 0, "%s", strerror(errno));
    CHECK_OK(waio_results_open(&results, link));
    waio_row row = nasty_row(2);
    CHECK_OK(waio_results_append(results, &row));
    const waio_row *kept = waio_results_row(results, 3);
    CHECK_OK(waio_results_reorder(results, (int[]){5, 3, 0}, 3));
    CHECK(waio_results_count(results) == 3 && waio_results_row(results, 1) == kept &&
              equal_texts(kept->col_config, "config 3") &&
              equal_rows(waio_results_row(results, 0), &row),
          "not the order asked for");
    CHECK(waio_results_line(results, 0) == 2, "line %d", waio_results_line(results, 0));
    CHECK(waio_results_line(results, 1) == 3, "line %d", waio_results_line(results, 1));
    int line = waio_results_line(results, 2);
    row = simple_row("config 9");
    CHECK_OK(waio_results_append(results, &row));
    CHECK(waio_results_line(results, 3) == line + 1, "line %d", waio_results_line(results, 3));
    waio_results_close(results);
    struct stat info;
    CHECK(lstat(link, &info) == 0 && S_ISLNK(info.st_mode), "the link became a file");
    CHECK(stat(path, &info) == 0 && (info.st_mode & 0777) == 0640, "other permissions");
    CHECK_OK(waio_results_read(&results, path));
    CHECK(waio_results_count(results) == 4 && waio_results_line(results, 2) == line, "read back");
    waio_results_close(results);
    CHECK_OK(waio_results_open(&results, path));
    CHECK_OK(waio_results_reorder(results, NULL, 0));
    waio_results_close(results);
    CHECK(read_bytes(path).size < good.size, "rows are left");
    make_file(path, 5);
    CHECK_OK(waio_results_open(&results, path));
    CHECK_OK(waio_results_reorder(results, (int[]){0, 1, 2, 3, 4}, 5));
    waio_results_close(results);
    CHECK(same(good, read_bytes(path)), "the same order is not the same file");
}

int main(void)
{
    fixture_open();
    test_truncated();
    test_zero_tail();
    test_flipped();
    test_full_disk();
    test_bad_rows();
    test_one_writer();
    test_meddling();
    test_reorder();
    return fixture_close();
}
