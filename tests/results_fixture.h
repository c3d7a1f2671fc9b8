/* What the tests of results files share: files in a folder of their own, rows that are hard on CSV.
 */
#ifndef WAIO_TESTS_RESULTS_FIXTURE_H
#define WAIO_TESTS_RESULTS_FIXTURE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "result/row.h"
#include "util/file.h"

static char folder[] = "/tmp/waio_test_results_XXXXXX";
static waio_arena *arena;

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static inline const char *path_of(const char *name)
{
    return waio_path_join(arena, folder, name);
}

static inline void write_bytes(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(data, 1, size, file) == size, "%s: %s", path, strerror(errno));
    if (file)
        fclose(file);
}

static inline bytes read_bytes(const char *path)
{
    bytes b = {NULL, 0};
    CHECK_OK(waio_file_read(&b.data, &b.size, path, arena));
    return b;
}

static inline bool same(bytes a, bytes b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static inline waio_row simple_row(const char *config)
{
    waio_row row;
    waio_row_clear(&row);
    row.col_config = config;
    row.col_status = "ok";
    row.col_W = "8";
    row.col_images = 10000;
    row.col_value = 91.25;
    return row;
}

/* A file of `count` plain rows, "config 0" on. */
static inline bytes make_file(const char *path, int count)
{
    waio_results *results = NULL;
    unlink(path);
    CHECK_OK(waio_results_open(&results, path));
    for (int i = 0; i < count && results; i++) {
        waio_row row = simple_row(waio_arena_printf(arena, "config %d", i));
        CHECK_OK(waio_results_append(results, &row));
    }
    waio_results_close(results);
    return read_bytes(path);
}

static const char *const nasty[] = {"",
                                    "plain",
                                    " spaces ",
                                    "a,b",
                                    "\"",
                                    "\"\"",
                                    "say \"no\", twice",
                                    "line\nline",
                                    "\r",
                                    "\r\n",
                                    "\n",
                                    ",\",\n\",",
                                    "\t",
                                    "\xff\xfe\x01",
                                    "M\xc3\xbcnchen \xe2\x82\xac",
                                    "=1+1",
                                    "ends in a quote\"",
                                    "\"starts in a quote"};
static const double reals[] = {0,       -0.0,     1,    -1,        0.1,         1.0 / 3,
                               -2.5e-7, 1e300,    1e22, 5e-324,    91.25,       123456789,
                               1e-300,  INFINITY, NAN,  -INFINITY, 99.999999999};
static const int64_t counts[] = {-1, 0, 1, 2147483648, INT64_MAX};

enum { TEXTS = sizeof nasty / sizeof *nasty, REALS = sizeof reals / sizeof *reals };

static inline waio_row nasty_row(int k)
{
    waio_row row;
    int i = 0;
#define TEXT(field)                            (field) = nasty[(k + i) % TEXTS]
#define COUNT(field)                           (field) = counts[(k + i) % 5]
#define REAL(field)                            (field) = reals[(k + i) % REALS]
#define WAIO_COLUMN(name, KIND, unit, meaning) KIND(row.col_##name), i++;
#include "result/row.def"
#undef WAIO_COLUMN
    row.col_status = "mistrusted";
    return row;
}

/* A line break is written as a space. */
static inline bool equal_texts(const char *a, const char *b)
{
    a = a ? a : "";
    b = b ? b : "";
    for (; *a && *b; a++, b++)
        if ((strchr("\r\n", *a) ? ' ' : *a) != (strchr("\r\n", *b) ? ' ' : *b))
            return false;
    return *a == *b;
}

/* Nine digits are kept. */
static inline bool equal_reals(double a, double b)
{
    if (isnan(a) || isnan(b) || isinf(a) || isinf(b))
        return (isnan(a) && isnan(b)) || a == b;
    return fabs(a - b) <= 5e-9 * fabs(a) + 5e-324 && signbit(a) == signbit(b);
}

static inline bool equal_rows(const waio_row *a, const waio_row *b)
{
    bool equal = true;
#define EQUAL_TEXT(f)                          equal_texts(a->f, b->f)
#define EQUAL_COUNT(f)                         (a->f == b->f)
#define EQUAL_REAL(f)                          equal_reals(a->f, b->f)
#define WAIO_COLUMN(name, KIND, unit, meaning) equal = equal && EQUAL_##KIND(col_##name);
#include "result/row.def"
#undef WAIO_COLUMN
    return equal;
}

static inline void fixture_open(void)
{
    arena = waio_arena_new();
    CHECK(mkdtemp(folder) != NULL, "no folder for tests");
}

static inline int fixture_close(void)
{
    char *command = waio_arena_printf(arena, "rm -rf %s", folder);
    CHECK(system(command) == 0, "%s", command);
    waio_arena_free(arena);
    return waio_check_result();
}

#endif
