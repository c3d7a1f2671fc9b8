/* Suites, results files and CIFAR-10 files: good ones, and broken ones, which must end in an error
 * (or, where the damage means something else that is well-formed, load) and never crash. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "dataset/dataset.h"
#include "dataset/preprocess.h"
#include "open_dataset.h"
#include "result/row.h"
#include "sweep/config.h"
#include "sweep/plan.h"
#include "util/file.h"
#include "util/rng.h"

static char folder[] = "/tmp/waio_test_files_XXXXXX";
static waio_arena *arena;

static const char *path_of(const char *name)
{
    return waio_path_join(arena, folder, name);
}

static void write_bytes(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(data, 1, size, file) == size, "%s: %s", path, strerror(errno));
    if (file)
        fclose(file);
}

/* Every truncation of `data`, and `flips` seeded byte flips, through `load`. */
static void feed_broken(const char *path, const void *data, size_t size, int flips,
                        void (*load)(const char *path))
{
    unsigned char *copy = malloc(size + 1);
    waio_rng rng = {11};

    for (size_t n = 0; n<size; n += size> 2000 ? 211 : 1) {
        write_bytes(path, data, n);
        load(path);
    }
    for (int i = 0; i < flips; i++) {
        memcpy(copy, data, size);
        copy[waio_rng_below(&rng, size)] ^= (unsigned char)(1 + waio_rng_below(&rng, 255));
        write_bytes(path, copy, size);
        load(path);
    }
    free(copy);
}

/* ---- suites ---- */

static const char good_suite[] = "name: good\n"
                                 "models: [a, b.h5]\n"
                                 "datasets: [shapes]\n"
                                 "method: {name: ptq, granularity: layer}\n"
                                 "precision: {W: [4, f16], A: [8], I: [8, 32], O: [32]}\n"
                                 "first_n: [0, 2]\n"
                                 "feed: raw\n"
                                 "calibration: {images: 64, seed: 3}\n";

static void load_suite(const char *path)
{
    waio_suite suite;
    waio_plan plan;
    waio_arena *own = waio_arena_new();

    waio_error_clear();
    if (waio_suite_read(&suite, path, own) == WAIO_OK)
        CHECK_OK(waio_plan_make(&plan, &suite, 1, 1, own));
    else
        CHECK(strstr(waio_error_message(), "s.yaml") != NULL, "no file name: %s",
              waio_error_message());
    waio_arena_free(own);
}

static void suite_fails(const char *line, const char *part)
{
    char text[1024];
    waio_suite suite;
    const char *path = path_of("s.yaml");

    snprintf(text, sizeof text, "name: s\nmodels: [a]\ndatasets: [shapes]\n%s\n", line);
    write_bytes(path, text, strlen(text));
    CHECK_FAILS(waio_suite_read(&suite, path, arena), WAIO_EUSAGE, part);
}

static void test_suites(void)
{
    const char *path = path_of("s.yaml");
    const char *bits = "precision: {W: [8], A: [8], I: [8], O: [8]}\n";
    char text[512];
    waio_suite suite;
    waio_plan plan;

    write_bytes(path, good_suite, strlen(good_suite));
    CHECK_OK(waio_suite_read(&suite, path, arena));
    CHECK(suite.models.count == 2 && suite.W.count == 2 && suite.W.item[1] == WAIO_F16 &&
              suite.first_n.item[1] == 2 && suite.calibration.images == 64 &&
              suite.calibration.seed == 3 && strcmp(suite.feed, "raw") == 0 &&
              strcmp(suite.method.granularity, "layer") == 0 && suite.seed == 1,
          "the suite is not what the file says");
    CHECK_OK(waio_plan_make(&plan, &suite, 1, 1, arena));
    CHECK(plan.row_count == 2 * (1 + 2 * 2 * 2), "%d rows", plan.row_count);
    suite_fails("precision: {W: [33], A: [8], I: [8], O: [8]}", "s.yaml:4");
    suite_fails("precision: {W: [8], A: [], I: [8], O: [8]}", "s.yaml:4");
    suite_fails("precision: {W: [8], A: [8], I: [8, 8], O: [8]}", "s.yaml:4");
    suite_fails("precision: {W: [8], A: [8], I: [8]}", "O");
    for (int i = 0; i < 6; i++) {
        static const char *const wrong[] = {"colour: red",       "feed: bytes",
                                            "images: -1",        "calibration: {images: 0}",
                                            "method: {name: x}", "first_n: 2"};
        snprintf(text, sizeof text, "%s%s", bits, wrong[i]);
        suite_fails(text, "s.yaml:5");
    }
    feed_broken(path, good_suite, strlen(good_suite), 400, load_suite);
}

/* ---- configurations ---- */

static void test_config_text(void)
{
    waio_config config = waio_config_default(), back = waio_config_default();
    const char *text;

    config.model = "my models/net.h5";
    config.dataset = "cifar10";
    config.bits = (waio_precision){4, WAIO_F16, 16, 32};
    config.first_n = 3;
    config.feed = "raw";
    config.activations = "symmetric";
    text = waio_config_text(&config, arena);
    for (char *save = NULL, *part = strtok_r(waio_arena_strdup(arena, text), " ", &save); part;
         part = strtok_r(NULL, " ", &save))
        CHECK_OK(waio_config_set(&back, part, arena));
    CHECK(strcmp(waio_config_text(&back, arena), text) == 0, "%s came back as %s", text,
          waio_config_text(&back, arena));
    CHECK(strcmp(back.model, "my models/net.h5") == 0, "%s", back.model);
    CHECK_FAILS(waio_config_set(&back, "w=33", arena), WAIO_EUSAGE, "2 to 16 bits");
    CHECK_FAILS(waio_config_set(&back, "speed=1", arena), WAIO_EUSAGE, "first_n");
    CHECK_FAILS(waio_config_set(&back, "calib=0", arena), WAIO_EUSAGE, "from 1 to");
}

/* ---- results ---- */

static void nasty_row(waio_row *row, const char *config)
{
    waio_row_clear(row);
    row->col_config = config;
    row->col_suite = "s";
    row->col_reason = "a \"quote\", a comma\nand a line";
    row->col_status = "ok";
    row->col_images = 7;
    row->col_value = 1.0 / 3;
}

static void load_results(const char *path)
{
    waio_results *results = NULL;
    waio_error_clear();
    if (waio_results_read(&results, path) == WAIO_OK)
        waio_results_close(results);
}

static void test_results(void)
{
    const char *path = path_of("deep/er/r.csv");
    waio_results *results = NULL, *second = NULL;
    unsigned char *data = NULL;
    size_t size = 0, again = 0;
    waio_row row;

    CHECK_OK(waio_results_open(&results, path));
    nasty_row(&row, "first");
    CHECK_OK(waio_results_append(results, &row));
    nasty_row(&row, "second");
    CHECK_OK(waio_results_append(results, &row));
    CHECK_FAILS(waio_results_open(&second, path), WAIO_EIO, "in use");
    waio_results_close(results);
    CHECK_OK(waio_file_read(&data, &size, path, arena));
    CHECK_OK(waio_results_open(&results, path));
    CHECK(waio_results_count(results) == 2, "%d rows", waio_results_count(results));
    const waio_row *back = waio_results_row(results, 1);
    CHECK(strcmp(back->col_config, "second") == 0 &&
              strcmp(back->col_reason, "a \"quote\", a comma and a line") == 0,
          "texts changed: %s", back->col_reason);
    CHECK(back->col_images == 7 && back->col_size_bytes == -1 && isnan(back->col_stderr) &&
              fabs(back->col_value - 1.0 / 3) < 1e-9,
          "numbers changed");
    CHECK(waio_results_line(results, 1) == 3, "line %d", waio_results_line(results, 1));
    CHECK_OK(waio_results_reorder(results, (int[]){1}, 1));
    nasty_row(&row, "third");
    CHECK_OK(waio_results_append(results, &row));
    CHECK(waio_results_count(results) == 2, "%d rows", waio_results_count(results));
    waio_results_close(results);
    CHECK_OK(waio_results_read(&results, path));
    CHECK(strcmp(waio_results_row(results, 0)->col_config, "second") == 0 &&
              strcmp(waio_results_row(results, 1)->col_config, "third") == 0,
          "the rows are not in their new order");
    waio_results_close(results);
    /* Cut off inside the last row: that row goes, the rest stays as it was. */
    write_bytes(path, data, size - 5);
    CHECK_OK(waio_results_open(&results, path));
    CHECK(waio_results_count(results) == 1, "%d rows", waio_results_count(results));
    waio_results_close(results);
    unsigned char *cut = NULL;
    CHECK_OK(waio_file_read(&cut, &again, path, arena));
    CHECK(again < size && memcmp(cut, data, again) == 0, "what was whole changed");
    feed_broken(path, data, size, 300, load_results);
    CHECK_FAILS(waio_results_open(&results, "/dev/full"), WAIO_EINPUT, "regular file");
}

static void test_columns_document(void)
{
    char *table = NULL;
    unsigned char *readme = NULL;
    size_t size = 0, bytes = 0;
    FILE *out = open_memstream(&table, &bytes);

    waio_columns_document(out);
    fclose(out);
    CHECK_OK(waio_file_read(&readme, &size, PROJECT_DIR "/results/README.md", arena));
    CHECK(strstr((char *)readme, table) != NULL,
          "results/README.md lacks the table that `waio info --columns` prints");
    free(table);
}

/* ---- data ---- */

enum { RECORD = 3073, RECORDS = 12 };
static const waio_selection all = {0};

static void load_data(const char *path)
{
    waio_dataset *data = NULL;
    (void)path;
    waio_error_clear();
    if (open_dataset(&data, "cifar10", "test", folder, &all) == WAIO_OK)
        waio_dataset_close(data);
}

static void test_cifar10(void)
{
    static const char names[] = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n";
    static unsigned char records[RECORD * RECORDS];
    const char *path = path_of("cifar-10-batches-bin/test_batch.bin");
    waio_dataset *data = NULL;

    CHECK_FAILS(open_dataset(&data, "cifar10", "test", folder, &all), WAIO_EINPUT, "no folder");
    CHECK_OK(waio_make_dirs(path_of("cifar-10-batches-bin")));
    write_bytes(path_of("cifar-10-batches-bin/batches.meta.txt"), names, strlen(names));
    for (int i = 0; i < RECORD * RECORDS; i++)
        records[i] = (unsigned char)(i % RECORD == 0 ? i / RECORD % 10 : i * 31 % 251);
    write_bytes(path, records, sizeof records);
    CHECK_OK(open_dataset(&data, "cifar10", "test", folder, &all));
    CHECK(data->count == RECORDS && data->label[11] == 1 && strcmp(data->class_name[9], "j") == 0,
          "not what was written");
    for (int c = 0; c < 3; c++) /* pixel 33 of record 2, from its plane */
        CHECK(data->image[2 * 3072 + 33 * 3 + c] == records[2 * RECORD + 1 + c * 1024 + 33],
              "channel %d", c);
    waio_dataset_close(data);
    CHECK_FAILS(open_dataset(&data, "cifar10", "test", folder, &(waio_selection){.count = 13}),
                WAIO_EINPUT, "the split test has 12");
    CHECK_FAILS(open_dataset(&data, "cifar10", "val", folder, &all), WAIO_EUSAGE, "test train");
    CHECK_FAILS(open_dataset(&data, "cifar10", "train", folder, &all), WAIO_EINPUT,
                "data_batch_1.bin");
    /* A sample holds different images, the same ones for the same seed. */
    waio_dataset *again = NULL;
    waio_selection sample = {.sample = 7, .seed = 5};
    CHECK_OK(open_dataset(&data, "cifar10", "test", folder, &sample));
    CHECK_OK(open_dataset(&again, "cifar10", "test", folder, &sample));
    CHECK(data->count == 7 && strcmp(data->sha256, again->sha256) == 0, "%lld images",
          (long long)data->count);
    unsigned seen = 0;
    for (int i = 0; i < 7; i++)
        for (int r = 0; r < RECORDS; r++)
            if (data->image[i * 3072] == records[r * RECORD + 1] &&
                data->image[i * 3072 + 1] == records[r * RECORD + 1025])
                seen |= 1u << r;
    CHECK(__builtin_popcount(seen) == 7, "the sample holds %d different images",
          __builtin_popcount(seen));
    waio_dataset_close(data);
    waio_dataset_close(again);
    records[3 * RECORD] = 10;
    write_bytes(path, records, sizeof records);
    CHECK_FAILS(open_dataset(&data, "cifar10", "test", folder, &all), WAIO_EINPUT,
                "record 3 (byte 9219) has label 10");
    feed_broken(path, records, sizeof records, 40, load_data);
}

static void test_preprocess(void)
{
    waio_input_table t;

    CHECK_OK(waio_preprocess_table(&t, "caffe", 3));
    CHECK(t.source[0] == 2 && t.value[0][0] == -103.939f && t.value[2][255] == 255 - 123.68f,
          "caffe is B, G, R minus the means");
    CHECK_OK(waio_preprocess_table(&t, "tf", 3));
    CHECK(t.source[0] == 0 && t.value[1][0] == -1 && t.value[1][255] == 1, "tf is -1 to 1");
    CHECK_OK(waio_preprocess_table(&t, "torch", 3));
    CHECK(t.value[0][255] == (float)((1 - 0.485) / 0.229), "torch");
    CHECK_FAILS(waio_preprocess_table(&t, "none", 3), WAIO_EUSAGE,
                "raw, unit, u8, tf, caffe, torch");
}

int main(void)
{
    arena = waio_arena_new();
    CHECK(mkdtemp(folder) != NULL, "no folder for tests");
    test_suites();
    test_config_text();
    test_results();
    test_columns_document();
    test_cifar10();
    test_preprocess();
    char *command = waio_arena_printf(arena, "rm -rf %s", folder);
    CHECK(system(command) == 0, "%s", command);
    waio_arena_free(arena);
    return waio_check_result();
}
