/* Results files: rows come back as they went in, what is not a results file is refused with its
 * line, and the tables that people see. test_results_disk.c has power cuts, full disks and locks.
 */
#include <locale.h>
#include <sys/stat.h>

#include "check.h"
#include "result/row_text.h"
#include "results_fixture.h"
#include "util/csv.h"

static void test_round_trip(void)
{
    const char *path = path_of("new/folder/r.csv");
    waio_results *results = NULL;
    int rows = 40, line = 2;

    CHECK_OK(waio_results_open(&results, path));
    for (int k = 0; k < rows; k++) {
        waio_row row = nasty_row(k);
        CHECK_OK(waio_results_append(results, &row));
        CHECK(equal_rows(waio_results_row(results, k), &row), "row %d as appended", k);
    }
    const waio_row *kept = waio_results_row(results, 0);
    CHECK(equal_rows(kept, &(waio_row[]){nasty_row(0)}[0]), "row 0 moved as the table grew");
    waio_results_close(results);
    bytes before = read_bytes(path);
    for (int writing = 0; writing < 2; writing++) {
        CHECK_OK(writing ? waio_results_open(&results, path) : waio_results_read(&results, path));
        CHECK(waio_results_count(results) == rows, "%d rows", waio_results_count(results));
        for (int k = 0; k < waio_results_count(results); k++) {
            waio_row row = nasty_row(k);
            CHECK(equal_rows(waio_results_row(results, k), &row), "row %d", k);
        }
        waio_results_close(results);
    }
    CHECK(same(before, read_bytes(path)), "opening changed the file");
    CHECK_OK(waio_results_read(&results, path));
    for (int k = 0; k < rows; k++) { /* the line of each row, by counting */
        CHECK(waio_results_line(results, k) == line, "row %d: line %d, not %d", k,
              waio_results_line(results, k), line);
        waio_row row = nasty_row(k);
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        waio_row_write(out, &row);
        fclose(out);
        for (char *p = text; *p; p++)
            line += *p == '\n';
        free(text);
    }
    waio_results_close(results);
}

static void test_cleared(void)
{
    waio_row row;
    memset(&row, 1, sizeof row);
    waio_row_clear(&row);
    CHECK(row.col_config == NULL && row.col_images == -1 && isnan(row.col_value), "not empty");
}

static void test_numbers(void)
{
    static const char *const bad_reals[] = {" 1",       "1 ", "0x1p3", "nan", "1,5",  "1e999",
                                            "infinity", "-",  "1e",    "--1", "1.5.2"};
    static const char *const bad_counts[] = {"", "-1", "+1", "1.0", "9223372036854775808", " 1"};
    char text[32];
    double real;
    int64_t count;

    waio_real_text(text, 1234.56789123);
    CHECK(strcmp(text, "1234.56789") == 0, "%s", text);
    waio_real_text(text, NAN);
    CHECK(strcmp(text, "") == 0, "%s", text);
    CHECK(waio_real_parse(&real, "-1.5e-3") && real == -1.5e-3, "%g", real);
    CHECK(waio_real_parse(&real, "") && isnan(real), "%g", real);
    for (size_t i = 0; i < sizeof bad_reals / sizeof *bad_reals; i++)
        CHECK(!waio_real_parse(&real, bad_reals[i]), "\"%s\" was taken", bad_reals[i]);
    for (size_t i = 0; i < sizeof bad_counts / sizeof *bad_counts; i++)
        CHECK(!waio_count_parse(&count, bad_counts[i]), "\"%s\" was taken", bad_counts[i]);
    CHECK(waio_count_parse(&count, "9223372036854775807") && count == INT64_MAX, "largest");
}

/* ---- what the reader refuses ---- */

static const char *const *column_names(void)
{
    static const char *const names[] = {
#define WAIO_COLUMN(name, KIND, unit, meaning) #name,
#include "result/row.def"
#undef WAIO_COLUMN
    };
    return names;
}

/* The line of an otherwise empty good row with `text` in column `name`, as it stands in the file.
 */
static const char *line_with(const char *name, const char *text)
{
    const char *line = "";
    for (int i = 0; i < WAIO_COLUMNS; i++) {
        const char *column = column_names()[i];
        line = waio_arena_printf(arena, "%s%s%s", line, i ? "," : "",
                                 strcmp(column, name) == 0       ? text
                                 : strcmp(column, "status") == 0 ? "ok"
                                                                 : "");
    }
    return waio_arena_printf(arena, "%s\n", line);
}

/* Puts `line` between two good rows: both ways of opening must refuse it and leave it alone. */
static void middle_fails(const char *line, size_t size, const char *part)
{
    const char *path = path_of("middle.csv");
    bytes good = make_file(path, 2);
    size_t header = (size_t)((unsigned char *)memchr(good.data, '\n', good.size) - good.data) + 1;
    size_t first = (good.size - header) / 2;
    char start[400];
    waio_results *results = NULL;

    unsigned char *text = waio_arena_alloc(arena, good.size + size);
    memcpy(text, good.data, header + first);
    memcpy(text + header + first, line, size);
    memcpy(text + header + first + size, good.data + header + first, first);
    write_bytes(path, text, good.size + size);
    bytes before = read_bytes(path);
    snprintf(start, sizeof start, "%s:3: %s", path, part);
    CHECK_FAILS(waio_results_open(&results, path), WAIO_EINPUT, start);
    CHECK(results == NULL, "results of a failed call");
    CHECK_FAILS(waio_results_read(&results, path), WAIO_EINPUT, start);
    CHECK(same(before, read_bytes(path)), "the file was changed");
}

static void test_strict(void)
{
    static const char zero[] = "a\0b,c\n";
    const char *good = line_with("model", "m");

    middle_fails("a,b,c\n", 6, "3 fields where there are");
    middle_fails("\n", 1, "1 fields where there are");
    middle_fails(zero, sizeof zero - 1, "a zero byte in field 1");
    middle_fails("a\"b,c\n", 6, "a quote that does not enclose the field in field 1");
    middle_fails("c,\"a\"b,c\n", 9, "a quote that does not enclose the field in field 2");
    middle_fails("a\rb\n", 4, "a carriage return without line feed in field 1");
    middle_fails("\"open,a\n", 8, "a quote is opened and not closed");
    const struct {
        const char *column, *text, *part;
    } fault[] = {
        {"value", "abc", "column value: \"abc\" is not a number"},
        {"value", "1.5x", "column value: \"1.5x\" is not a number"},
        {"value", "\"1,5\"", "column value: \"1,5\" is not a number"},
        {"images", "1.5", "column images: \"1.5\" is not a whole number"},
        {"images", "-1", "column images: \"-1\" is not a whole number"},
        {"seed", "99999999999999999999", "column seed: \"99999999999999999999\" is not a whole"},
        {"status", "", "column status: \"\" is none of ok, skipped, unsupported, mistrusted, fai"},
        {"status", "OK", "column status: \"OK\" is none of"},
        {"model", "a,b",
         waio_arena_printf(arena, "%d fields where there are %d", WAIO_COLUMNS + 1, WAIO_COLUMNS)},
    };
    for (size_t i = 0; i < sizeof fault / sizeof *fault; i++) {
        const char *line = line_with(fault[i].column, fault[i].text);
        middle_fails(line, strlen(line), fault[i].part);
    }
    /* What a spreadsheet does to line ends is no fault. */
    const char *path = path_of("crlf.csv");
    bytes file = make_file(path, 0);
    char *crlf = waio_arena_printf(arena, "%.*s\r\n%.*s\r\n", (int)file.size - 1, (char *)file.data,
                                   (int)strlen(good) - 1, good);
    waio_results *results = NULL;
    write_bytes(path, crlf, strlen(crlf));
    CHECK_OK(waio_results_read(&results, path));
    CHECK(results && equal_texts(waio_results_row(results, 0)->col_model, "m"), "CR LF");
    waio_results_close(results);
}

static void test_headers(void)
{
    const char *path = path_of("header.csv");
    bytes good = make_file(path, 1), empty = make_file(path, 0);
    waio_results *results = NULL;
    static const char *const other[] = {"model,accuracy\n1,2\n", "x", "\n", "no header at all",
                                        "\"a\n"};

    for (size_t n = 0; n < empty.size; n++) { /* killed while the header was written */
        write_bytes(path, empty.data, n);
        CHECK_OK(waio_results_read(&results, path));
        CHECK(waio_results_count(results) == 0, "%d rows", waio_results_count(results));
        waio_results_close(results);
        CHECK_OK(waio_results_open(&results, path));
        waio_row row = simple_row("config 0");
        CHECK_OK(waio_results_append(results, &row));
        waio_results_close(results);
        CHECK(same(good, read_bytes(path)), "from %zu bytes of header", n);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        write_bytes(path, other[i], strlen(other[i]));
        bytes before = read_bytes(path);
        CHECK_FAILS(waio_results_open(&results, path), WAIO_EINPUT, "header.csv:1: ");
        CHECK_FAILS(waio_results_read(&results, path), WAIO_EINPUT, "header.csv:1: ");
        CHECK(same(before, read_bytes(path)), "the file was changed");
    }
    char *text = waio_arena_printf(arena, "%s", (char *)good.data);
    *strstr(text, "dataset") = 'D';
    write_bytes(path, text, strlen(text));
    CHECK_FAILS(waio_results_open(&results, path), WAIO_EINPUT,
                "column 4 is \"Dataset\", expected \"dataset\"");
    text = waio_arena_printf(arena, "%.*s,more\n", (int)empty.size - 1, (char *)empty.data);
    write_bytes(path, text, strlen(text));
    CHECK_FAILS(waio_results_open(&results, path), WAIO_EINPUT, "columns, expected");
    CHECK_FAILS(waio_results_read(&results, path_of("none.csv")), WAIO_EINPUT, "No such file");
    CHECK_FAILS(waio_results_read(&results, folder), WAIO_EINPUT, "");
    CHECK_FAILS(waio_results_open(&results, folder), WAIO_EIO, "");
    CHECK_FAILS(waio_results_open(&results, "/dev/full"), WAIO_EINPUT, "not a regular file");
    CHECK_FAILS(waio_results_open(&results, path_of("header.csv/r.csv")), WAIO_EIO, "");
}

/* ---- what people see ---- */

static char *table_of(const waio_row *row)
{
    char *text = NULL, *copy;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (row)
        waio_table_row(out, row);
    else
        waio_table_header(out);
    fclose(out);
    copy = waio_arena_strdup(arena, text);
    free(text);
    return copy;
}

static int columns_of(const char *line)
{
    int n = 0;
    for (; *line && *line != '\n'; line++)
        n += (*line & 0xc0) != 0x80;
    return n;
}

static void test_table(void)
{
    const char *header = table_of(NULL);
    waio_row row = simple_row("c");

    row.col_model = "m\xc3\xbcller_network_with_a_very_long_name.onnx";
    row.col_dataset = "oxford_pets";
    row.col_feed = "raw";
    row.col_status = "failed";
    row.col_reason = "s.yaml:3: first line\n\x1b[31mthe second line, which goes on and on and on";
    row.col_change_pct = 1.5;
    row.col_size_bytes = 3 << 20;
    const char *text = table_of(&row);
    CHECK(columns_of(header) <= 120 && columns_of(text) <= 120, "%d columns: %s", columns_of(text),
          text);
    CHECK(strchr(text, '\n') == text + strlen(text) - 1, "not one line: %s", text);
    CHECK(strchr(text, '\x1b') == NULL, "a control character reaches the terminal");
    CHECK(strstr(text, " 91.25 ") && strstr(text, "+1.50 ") &&
              strstr(text, "failed (raw feed): s."),
          "%s", text);
    row.col_value = NAN; /* no number: more room for the reason */
    row.col_reason =
        "a/very/long/path/to/the/folder/of/this/data/set/data_batch_1.bin: No such file";
    text = table_of(&row);
    CHECK(columns_of(text) <= 120 && strstr(text, "failed (raw feed): a/very") &&
              strstr(text, "batch_1.bin: No such file\n"),
          "%s", text);
    waio_row_clear(&row);
    text = table_of(&row); /* nothing at all, and the float network */
    CHECK(strstr(text, " 32  32  32  32") && !strstr(text, "null"), "%s", text);
    for (int k = 0; k < 100; k++) {
        row = nasty_row(k);
        text = table_of(&row);
        CHECK(columns_of(text) <= 120, "%d columns: %s", columns_of(text), text);
    }
    row = simple_row("c");
    row.col_model = "m";
    row.col_dataset = "d";
    row.col_size_bytes = 3 << 20;
    text = table_of(&row);
    CHECK(strstr(text, " 3.00 MiB "), "%s", text);
    CHECK(strstr(header, "status") - header == strstr(text, "ok") - text, "%s%s", header, text);
}

static void test_columns_document(void)
{
    char *table = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&table, &size);

    waio_columns_document(out);
    fclose(out);
    bytes readme = read_bytes(PROJECT_DIR "/results/README.md");
    CHECK(readme.data && strstr((char *)readme.data, table) != NULL,
          "results/README.md lacks the table that `waio info --columns` prints");
    for (int i = 0; i < WAIO_COLUMNS; i++)
        CHECK(strstr(table, waio_arena_printf(arena, "\n| `%s` | ", column_names()[i])) != NULL,
              "no row for %s", column_names()[i]);
    free(table);
}

/* A locale with a decimal comma: one that is installed, or one made for this test. */
static bool set_comma_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (setlocale(LC_ALL, names[i]) && strcmp(localeconv()->decimal_point, ",") == 0)
            return true;
    char *command = waio_arena_printf(
        arena, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >%s/localedef.log 2>&1", folder, folder);
    if (system(command) != 0)
        return false;
    setenv("LOCPATH", folder, 1);
    return setlocale(LC_ALL, "de_DE.UTF-8") && strcmp(localeconv()->decimal_point, ",") == 0;
}

static void test_locale(void)
{
    const char *path = path_of("locale.csv");
    bytes good = make_file(path, 2);
    waio_row row = simple_row("c");
    const char *table = table_of(&row);
    waio_results *results = NULL;

    if (!set_comma_locale()) {
        fprintf(stderr, "no locale with a decimal comma; that part was left out\n");
        return;
    }
    CHECK(same(good, make_file(path, 2)), "the locale changes the file");
    CHECK(strcmp(table, table_of(&row)) == 0, "the locale changes the table");
    CHECK_OK(waio_results_read(&results, path));
    CHECK(results && waio_results_row(results, 1)->col_value == 91.25, "the locale changes values");
    waio_results_close(results);
    setlocale(LC_ALL, "C");
}

int main(void)
{
    fixture_open();
    test_cleared();
    test_numbers();
    test_round_trip();
    test_strict();
    test_headers();
    test_table();
    test_columns_document();
    test_locale();
    return fixture_close();
}
