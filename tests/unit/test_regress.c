/* Two results files side by side: each kind of change, the rule of the standard error, files of
 * other versions, broken ones. */
#include "result/regress.h"

#include <fcntl.h>

#include "results_fixture.h"

static const waio_regress_options plain = {.factor = 1};

static waio_row full_row(const char *config)
{
    waio_row row = simple_row(config);

    row.col_stderr = 0.3;
    row.col_engine = "simulate";
    row.col_method = "ptq";
    row.col_agree_pct = 98;
    row.col_size_bytes = 1000;
    row.col_file_bytes = 1500;
    row.col_images_per_s = 4000;
    row.col_model_sha256 = "aa";
    row.col_data_sha256 = "bb";
    return row;
}

static const char *write_rows(const char *name, const waio_row *row, int count)
{
    const char *path = path_of(name);
    waio_results *results = NULL;

    unlink(path);
    CHECK_OK(waio_results_open(&results, path));
    for (int i = 0; i < count && results; i++)
        CHECK_OK(waio_results_append(results, &row[i]));
    waio_results_close(results);
    return path;
}

typedef struct pair {
    waio_results *file[2];
    waio_regress regress;
} pair;

static waio_status compare_files(pair *p, const char *old, const char *new,
                                 const waio_regress_options *options)
{
    waio_status st = WAIO_OK;
    const char *path[2] = {old, new};

    *p = (pair){{NULL, NULL}, {0}};
    for (int f = 0; f < 2; f++)
        WAIO_TRY(st, waio_results_read_any(&p->file[f], path[f]));
    st = waio_regress_compare(&p->regress, (const waio_results *const *)p->file, path, options,
                              arena);
done:
    return st;
}

static void close_pair(pair *p)
{
    waio_results_close(p->file[0]);
    waio_results_close(p->file[1]);
}

/* One row before and after: the kind of change, whether it counts, and a word of its text. */
static void expect_change(waio_row before, waio_row after, const waio_regress_options *options,
                          waio_change_kind kind, bool regression, const char *text)
{
    pair p;

    CHECK_OK(compare_files(&p, write_rows("old.csv", &before, 1), write_rows("new.csv", &after, 1),
                           options));
    CHECK(p.regress.count == 1, "%d changes", p.regress.count);
    if (p.regress.count == 1) {
        const waio_change *c = &p.regress.change[0];
        const char *said = waio_change_text(c, arena);
        CHECK(c->kind == kind, "%s instead of %s", waio_change_name(c->kind),
              waio_change_name(kind));
        CHECK(c->regression == regression, "%s: %d", waio_change_name(kind), c->regression);
        CHECK(p.regress.regressions == regression, "%d", p.regress.regressions);
        CHECK(said && strstr(said, text), "\"%s\" lacks \"%s\"", said, text);
    }
    close_pair(&p);
}

static void test_kinds(void)
{
    waio_row a = full_row("c"), b = a;
    waio_regress_options o = plain;

    expect_change(a, b, &plain, WAIO_CHANGE_NONE, false, "");
    b.col_images_per_s = 1; /* speed is not asked for */
    expect_change(a, b, &plain, WAIO_CHANGE_NONE, false, "");
    o.speed_ratio = 2;
    expect_change(a, b, &o, WAIO_CHANGE_SLOWER, true, "4000 -> 1 images/s");
    b.col_images_per_s = 2000;
    expect_change(a, b, &o, WAIO_CHANGE_NONE, false, "");
    b.col_images_per_s = 1999;
    expect_change(a, b, &o, WAIO_CHANGE_SLOWER, true, "4000 -> 1999");

    b = a, b.col_status = "failed", b.col_reason = "disk on fire", b.col_value = NAN;
    expect_change(a, b, &plain, WAIO_CHANGE_STATUS, true, "ok -> failed: disk on fire");
    expect_change(b, a, &plain, WAIO_CHANGE_RECOVERED, false, "failed -> ok");
    b = a, b.col_status = "mistrusted", b.col_reason = NULL;
    expect_change(a, b, &plain, WAIO_CHANGE_STATUS, true, "no reason given");
    b = a, b.col_model_sha256 = "ab";
    expect_change(a, b, &plain, WAIO_CHANGE_OTHER_MODEL, true, "another model");
    b = a, b.col_data_sha256 = "ab";
    expect_change(a, b, &plain, WAIO_CHANGE_OTHER_DATA, true, "other images");
    b = a, b.col_images = 9999;
    expect_change(a, b, &plain, WAIO_CHANGE_OTHER_DATA, true, "other images");
    b = a, b.col_size_bytes = 1001;
    expect_change(a, b, &plain, WAIO_CHANGE_SIZE, true, "size 1000 -> 1001");
    b = a, b.col_size_bytes = -1; /* a column that one version does not have */
    expect_change(a, b, &plain, WAIO_CHANGE_NONE, false, "");
    b = a, b.col_value = NAN;
    expect_change(a, b, &plain, WAIO_CHANGE_WORSE, true, "91.25 -> nothing");
}

/* 0.3 and 0.3 make 0.424264: the sum of squares, not the sum. */
static void test_standard_error(void)
{
    waio_row a = full_row("c"), b = a;
    waio_regress_options twice = {.factor = 2}, drops = {.factor = 1, .drops_only = true};

    b.col_value = a.col_value - 0.42;
    expect_change(a, b, &plain, WAIO_CHANGE_NONE, false, "");
    b.col_value = a.col_value - 0.43;
    expect_change(a, b, &plain, WAIO_CHANGE_WORSE, true, "91.25 -> 90.82, allowed 0.424");
    expect_change(a, b, &twice, WAIO_CHANGE_NONE, false, "");
    expect_change(a, b, &drops, WAIO_CHANGE_WORSE, true, "allowed");
    b.col_value = a.col_value + 0.43;
    expect_change(a, b, &plain, WAIO_CHANGE_BETTER, true, "91.25 -> 91.68");
    expect_change(a, b, &drops, WAIO_CHANGE_BETTER, false, "91.25 -> 91.68");
    b.col_value = a.col_value - 0.86;
    expect_change(a, b, &twice, WAIO_CHANGE_WORSE, true, "allowed 0.849");
    b.col_value = a.col_value - 0.01, b.col_stderr = NAN;
    expect_change(a, b, &plain, WAIO_CHANGE_WORSE, true, "no standard error");
    b.col_stderr = 0, a.col_stderr = 0;
    expect_change(a, b, &plain, WAIO_CHANGE_WORSE, true, "allowed 0");
}

/* A row on codes may not change in its last digit, however large its standard error. */
static void test_integer_rows(void)
{
    static const char *const engines[] = {"integer", "both"};
    waio_row a = full_row("c"), b;
    waio_regress_options huge = {.factor = 1e6};

    for (int i = 0; i < 2; i++) {
        a.col_engine = engines[i];
        b = a, b.col_value += 1e-6;
        expect_change(a, b, &huge, WAIO_CHANGE_INTEGER, true, "value 91.25 -> 91.250001");
        b = a, b.col_agree_pct = 98.01;
        expect_change(a, b, &huge, WAIO_CHANGE_INTEGER, true, "agree_pct 98 -> 98.01");
        b = a, b.col_file_bytes = 1504;
        expect_change(a, b, &huge, WAIO_CHANGE_INTEGER, true, "file 1500 -> 1504");
        b = a, b.col_backend = "cuda";
        expect_change(a, b, &huge, WAIO_CHANGE_NONE, false, "");
    }
    a.col_engine = "simulate", a.col_method = "file";
    b = a, b.col_value -= 0.0001;
    expect_change(a, b, &huge, WAIO_CHANGE_INTEGER, true, "may not change");
    a.col_method = "ptq";
    b = a, b.col_agree_pct = 97.9; /* of a simulated row it is not looked at */
    expect_change(a, b, &plain, WAIO_CHANGE_NONE, false, "");
}

/* Other order, a row less, a row more: matched by configuration all the same. */
static void test_matching(void)
{
    waio_row old[] = {full_row("a"), full_row("b"), full_row("c")};
    waio_row new[] = {full_row("d"), full_row("c"), full_row("a")};
    pair p;

    new[2].col_value = 80;
    for (int i = 0; i < 3; i++)
        new[i].col_images_per_s = 2000;
    CHECK_OK(
        compare_files(&p, write_rows("old.csv", old, 3), write_rows("new.csv", new, 3), &plain));
    const waio_regress *r = &p.regress;
    CHECK(r->count == 4, "%d", r->count);
    CHECK(r->change[0].kind == WAIO_CHANGE_WORSE, "%d", r->change[0].kind);
    CHECK(r->change[1].kind == WAIO_CHANGE_MISSING && r->change[1].regression &&
              !r->change[1].after,
          "%d", r->change[1].kind);
    CHECK(r->change[2].kind == WAIO_CHANGE_NONE, "%d", r->change[2].kind);
    CHECK(r->change[3].kind == WAIO_CHANGE_NEW && !r->change[3].regression && !r->change[3].before,
          "%d", r->change[3].kind);
    CHECK(r->regressions == 2, "%d", r->regressions);
    CHECK(r->speed == 0.5, "%g", r->speed);

    FILE *out = fopen(path_of("changes.csv"), "w");
    CHECK_OK(waio_regress_csv(out, r, false, arena));
    fclose(out);
    bytes b = read_bytes(path_of("changes.csv"));
    const char *text = waio_arena_printf(arena, "%.*s", (int)b.size, (const char *)b.data);
    CHECK(strstr(text, "\nworse,1,a,91.25,80,0.424264069,ok,ok,4000,2000,\"value 91.25 -> 80, ") !=
              NULL,
          "%s", text);
    CHECK(strstr(text, "\nmissing,1,b,91.25,,,ok,,4000,,the new") != NULL, "%s", text);
    CHECK(strstr(text, ",c,") == NULL, "an unchanged row: %s", text);
    close_pair(&p);
}

static void write_text(const char *name, const char *text)
{
    write_bytes(path_of(name), text, strlen(text));
}

/* What another version wrote is read by the names of its columns. */
static void test_other_versions(void)
{
    pair p;

    write_text("old.csv",
               "status,value,config,colour,stderr\nok,90,c1,red,0.1\nok,80,c2,blue,0.1\n");
    write_text("new.csv", "config,value,status\nc2,80,ok\nc1,70,ok\nc1");
    CHECK_OK(compare_files(&p, path_of("old.csv"), path_of("new.csv"), &plain));
    CHECK(p.regress.count == 2 && p.regress.change[0].kind == WAIO_CHANGE_WORSE &&
              p.regress.change[1].kind == WAIO_CHANGE_NONE,
          "%d changes", p.regress.count);
    CHECK(p.regress.count && p.regress.change[0].before->col_size_bytes == -1, "not empty");
    close_pair(&p);
}

static void test_broken(void)
{
    static const struct {
        const char *text, *word;
    } broken[] = {
        {"", "broken.csv: the file is empty"},
        {"config,value", "broken.csv:1: not a results file: it lacks the header line"},
        {"config,value,status", "broken.csv:1: not a results file"},
        {"config,value\nc,1\n", "broken.csv:1: not a results file: no column \"status\""},
        {"config,value,status,value\n", "broken.csv:1: the column \"value\" is there twice"},
        {"config,value,status\n", "broken.csv: no rows to compare"},
        {"config,value,status\nc,ninety,ok\n", "broken.csv:2: column value: \"ninety\""},
        {"config,value,status\nc,90,fine\n", "broken.csv:2: column status: \"fine\""},
        {"config,value,status\nc,90\n", "broken.csv:2: 2 fields where there are 3"},
        {"config,value,status\nc,90,ok,\n", "broken.csv:2: 4 fields where there are 3"},
        {"config,value,status\nb,1,ok\n\"c,90,ok\n", "broken.csv:3: a quote is opened"},
        {"config,value,status\nc,90,ok\rx\n", "broken.csv:2: a carriage return"},
        {"config,value,status\nb,1,ok\nc,1,ok\nb,1,ok\n",
         "broken.csv:4: the configuration of line 2 again: b"},
    };
    waio_row row = full_row("c");
    const char *good = write_rows("good.csv", &row, 1), *bad = path_of("broken.csv");
    pair p;

    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        write_text("broken.csv", broken[i].text);
        CHECK_FAILS(compare_files(&p, good, bad, &plain), WAIO_EINPUT, broken[i].word);
        close_pair(&p);
        CHECK_FAILS(compare_files(&p, bad, good, &plain), WAIO_EINPUT, broken[i].word);
        close_pair(&p);
    }
    char wide[4000] = "config,value,status";
    for (int i = 0; i < 300; i++)
        snprintf(wide + strlen(wide), 16, ",x%d", i);
    strcat(wide, "\n");
    write_text("broken.csv", wide);
    CHECK_FAILS(compare_files(&p, good, bad, &plain), WAIO_EINPUT, "303 columns");
    close_pair(&p);
    CHECK_FAILS(compare_files(&p, good, path_of("gone.csv"), &plain), WAIO_EINPUT, "gone.csv");
    close_pair(&p);
    CHECK_FAILS(compare_files(&p, good, folder, &plain), WAIO_EINPUT, "not a regular file");
    close_pair(&p);
}

/* A file cut at any byte, or with any byte damaged, is read or refused, never worse. */
static void test_damage(void)
{
    bytes b = make_file(path_of("whole.csv"), 3);
    unsigned char *copy = waio_arena_alloc(arena, b.size);
    int read = 0, refused = 0;

    for (size_t i = 0; copy && i < b.size; i++) {
        for (int kind = 0; kind < 2; kind++) {
            pair p;
            memcpy(copy, b.data, b.size);
            copy[i] = kind ? '"' : (unsigned char)(copy[i] ^ 0x15);
            write_bytes(path_of("damaged.csv"), copy, kind ? b.size : i);
            waio_status st =
                compare_files(&p, path_of("whole.csv"), path_of("damaged.csv"), &plain);
            CHECK(st == WAIO_OK || st == WAIO_EINPUT, "byte %zu: %s", i, waio_error_message());
            *(st == WAIO_OK ? &read : &refused) += 1;
            close_pair(&p);
        }
    }
    CHECK(read > 100 && refused > 100, "%d read, %d refused", read, refused);
}

int main(void)
{
    fixture_open();
    test_kinds();
    test_standard_error();
    test_integer_rows();
    test_matching();
    test_other_versions();
    test_broken();
    test_damage();
    return fixture_close();
}
