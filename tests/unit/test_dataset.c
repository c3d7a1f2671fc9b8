/* CIFAR-10 files written here: what is read from good ones, what is said about broken ones;
 * samples; input normalizations against numbers worked by hand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "dataset/dataset.h"
#include "dataset/preprocess.h"
#include "open_dataset.h"
#include "util/file.h"
#include "util/rng.h"
#include "util/sha256.h"

enum { PLANE = 1024, RECORD = 1 + 3 * PLANE, MOST = 8 };

static char base[] = "/tmp/waio_test_dataset_XXXXXX";
static char folder[256], path[300];
static const char names[] = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n";

static const char *file_named(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(file_named(name), "wb");
    CHECK(file && fwrite(data, 1, size, file) == size, "%s: %s", path, strerror(errno));
    if (file)
        fclose(file);
}

/* Record `k` of file `f`: its label, and what byte stands in plane `c` at row `y`, column `x`. */
static int label_of(int f, int k)
{
    return (3 * f + k) % 10;
}

static unsigned char byte_of(int f, int k, int c, int y, int x)
{
    return (unsigned char)(61 * f + 17 * k + 85 * c + 7 * y + x * x);
}

static unsigned char *records_of(int f, int count)
{
    static unsigned char data[MOST * RECORD];

    for (int k = 0; k < count; k++) {
        unsigned char *at = data + k * RECORD;
        *at++ = (unsigned char)label_of(f, k);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 32; y++)
                for (int x = 0; x < 32; x++)
                    *at++ = byte_of(f, k, c, y, x);
    }
    return data;
}

static void write_records(const char *name, int f, int count)
{
    write_file(name, records_of(f, count), (size_t)(count * RECORD));
}

static waio_dataset *open_all(const char *split)
{
    waio_dataset *data = NULL;
    CHECK_OK(open_dataset(&data, "cifar10", split, base, &(waio_selection){0}));
    return data;
}

static void check_fails(const char *split, waio_status code, const char *part)
{
    waio_dataset *data = NULL;
    CHECK_FAILS(open_dataset(&data, "cifar10", split, base, &(waio_selection){0}), code, part);
    CHECK(data == NULL, "a data set came back");
    waio_dataset_close(data);
}

/* Whether image `i` is record `k` of file `f`. */
static bool is_record(const waio_dataset *data, int64_t i, int f, int k)
{
    bool same = data->label[i] == label_of(f, k);

    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 32; x++)
            for (int c = 0; c < 3; c++)
                same =
                    same && data->image[((i * 32 + y) * 32 + x) * 3 + c] == byte_of(f, k, c, y, x);
    return same;
}

/* ---- good files ---- */

static void good_file(void)
{
    char sha[65];

    write_records("test_batch.bin", 0, 7);
    waio_dataset *data = open_all("test");
    CHECK(data->count == 7 && data->height == 32 && data->width == 32 && data->channels == 3 &&
              data->classes == 10,
          "%lld images", (long long)data->count);
    for (int k = 0; k < 7; k++)
        CHECK(is_record(data, k, 0, k), "image %d is not what was written", k);
    CHECK(strcmp(data->class_name[0], "one") == 0 && strcmp(data->class_name[9], "ten") == 0,
          "%s .. %s", data->class_name[0], data->class_name[9]);
    CHECK(strcmp(data->name, "cifar10") == 0 && strcmp(data->split, "test") == 0, "names");
    CHECK_OK(waio_sha256_file(sha, file_named("test_batch.bin")));
    CHECK(strcmp(data->sha256, sha) == 0, "%s is not the file's %s", data->sha256, sha);
    waio_dataset_close(data);
}

static void first_images(void)
{
    waio_dataset *data = NULL;
    waio_sha256 sha;
    char digest[65];

    CHECK_OK(open_dataset(&data, "cifar10", "test", base, &(waio_selection){.count = 3}));
    CHECK(data->count == 3 && is_record(data, 2, 0, 2), "the first three");
    waio_sha256_init(&sha);
    waio_sha256_add(&sha, records_of(0, 3), 3 * RECORD);
    waio_sha256_hex(&sha, digest);
    CHECK(strcmp(data->sha256, digest) == 0, "the digest is of the images that are used");
    waio_dataset_close(data);
    CHECK_OK(open_dataset(&data, "cifar10", "test", base, &(waio_selection){.count = 7}));
    waio_dataset_close(data);
    CHECK_FAILS(open_dataset(&data, "cifar10", "test", base, &(waio_selection){.count = 8}),
                WAIO_EINPUT, "8 images asked for, the split test has 7");
}

/* Training files 1 .. n, of different lengths, are read one behind the other. */
static void training_files(void)
{
    for (int files = 1; files <= 5; files++) {
        char name[32];
        waio_dataset *data = NULL;
        waio_sha256 sha;
        int64_t at = 0;
        char digest[65];
        snprintf(name, sizeof name, "data_batch_%d.bin", files);
        write_records(name, files, 1 + files % 3);
        data = open_all("train");
        waio_sha256_init(&sha);
        for (int f = 1; f <= files; f++) {
            for (int k = 0; k < 1 + f % 3; k++, at++)
                CHECK(is_record(data, at, f, k), "file %d of %d, record %d", f, files, k);
            waio_sha256_add(&sha, records_of(f, 1 + f % 3), (size_t)((1 + f % 3) * RECORD));
        }
        waio_sha256_hex(&sha, digest);
        CHECK(data->count == at, "%d files: %lld images", files, (long long)data->count);
        CHECK(strcmp(data->sha256, digest) == 0, "the digest of the files in order");
        waio_dataset_close(data);
    }
    write_records("data_batch_6.bin", 6, 1); /* the format has five */
    waio_dataset *data = open_all("train");
    CHECK(data->count == 2 + 3 + 1 + 2 + 3, "%lld images", (long long)data->count);
    waio_dataset_close(data);
}

/* A sample of all files together: `count` different records, the same ones for the same seed. */
static void samples(void)
{
    waio_dataset *a = NULL, *b = NULL, *c = NULL;
    static const int records[] = {2, 3, 1, 2, 3};
    int different = 0;

    for (uint64_t seed = 0; seed < 20; seed++) {
        waio_selection s = {.sample = 6, .seed = seed};
        int found = 0;
        CHECK_OK(open_dataset(&a, "cifar10", "train", base, &s));
        CHECK_OK(open_dataset(&b, "cifar10", "train", base, &s));
        s.seed++;
        CHECK_OK(open_dataset(&c, "cifar10", "train", base, &s));
        CHECK(a->count == 6 && strcmp(a->sha256, b->sha256) == 0, "a seed says the sample");
        different += strcmp(a->sha256, c->sha256) != 0;
        for (int f = 0; f < 5; f++)
            for (int k = 0; k < records[f]; k++) {
                int times = 0;
                for (int i = 0; i < 6; i++)
                    times += is_record(a, i, f + 1, k);
                CHECK(times <= 1, "a record twice");
                found += times;
            }
        CHECK(found == 6, "%d of 6 images are records", found);
        waio_dataset_close(a);
        waio_dataset_close(b);
        waio_dataset_close(c);
    }
    CHECK(different >= 18, "%d of 20 seeds give another sample", different);
    CHECK_OK(open_dataset(&a, "cifar10", "train", base, &(waio_selection){.sample = 100}));
    CHECK(a->count == 11, "a sample of more than there is: %lld", (long long)a->count);
    waio_dataset_close(a);
}

/* ---- broken files ---- */

static void missing_files(void)
{
    waio_dataset *data = NULL;
    waio_selection all = {0};

    CHECK_FAILS(open_dataset(&data, "cifar10", "test", base, &all), WAIO_EINPUT,
                "cifar-10-batches-bin");
    CHECK(strstr(waio_error_message(), "WAIO_DATA") != NULL, "%s", waio_error_message());
    CHECK_OK(waio_make_dirs(folder));
    check_fails("test", WAIO_EINPUT, "test_batch.bin");
    check_fails("train", WAIO_EINPUT, "data_batch_1.bin");
    CHECK_FAILS(open_dataset(&data, "cifar10", "validation", base, &all), WAIO_EUSAGE,
                "there are: test train");
    CHECK_FAILS(open_dataset(&data, "imagenet", "test", base, &all), WAIO_EUSAGE,
                "there are: shapes, shapes_pets");
    write_records("test_batch.bin", 0, 2);
    check_fails("test", WAIO_EINPUT, "batches.meta.txt");
    unlink(file_named("test_batch.bin"));
    write_file("batches.meta.txt", names, strlen(names));
}

static void wrong_lengths(void)
{
    static const struct {
        size_t bytes;
        const char *part;
    } row[] = {{0, "0 bytes"},
               {1, "1 bytes"},
               {RECORD - 1, "0 records of 3073 bytes and 3072 bytes more"},
               {3 * RECORD - 1, "2 records of 3073 bytes and 3072 bytes more"},
               {3 * RECORD + 1, "3 records of 3073 bytes and 1 bytes more"}};

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        write_file("test_batch.bin", records_of(0, 4), row[i].bytes);
        check_fails("test", WAIO_EINPUT, row[i].part);
        CHECK(strstr(waio_error_message(), "test_batch.bin") != NULL, "%s", waio_error_message());
    }
    write_records("data_batch_2.bin", 0, 4);
    write_file("data_batch_3.bin", records_of(0, 4), 2 * RECORD + 5);
    check_fails("train", WAIO_EINPUT, "data_batch_3.bin");
    write_records("data_batch_3.bin", 3, 1);
}

static void wrong_labels(void)
{
    unsigned char *data = records_of(0, 5);

    data[4 * RECORD] = 10;
    write_file("test_batch.bin", data, 5 * RECORD);
    check_fails("test", WAIO_EINPUT, "test_batch.bin: record 4 (byte 12292) has label 10");
    data[RECORD] = 255;
    write_file("test_batch.bin", data, 5 * RECORD);
    check_fails("test", WAIO_EINPUT, "record 1 (byte 3073) has label 255, expected 0 to 9");
    waio_dataset *first = NULL;
    CHECK_OK(open_dataset(&first, "cifar10", "test", base, &(waio_selection){.count = 1}));
    waio_dataset_close(first);
    data = records_of(2, 3);
    data[2 * RECORD] = 11;
    write_file("data_batch_2.bin", data, 3 * RECORD); /* the place is that in its file */
    check_fails("train", WAIO_EINPUT, "data_batch_2.bin: record 2 (byte 6146) has label 11");
    write_records("data_batch_2.bin", 2, 3);
}

/* A file less in the middle must not quietly make a smaller split. */
static void gap_in_the_training_files(void)
{
    unlink(file_named("data_batch_2.bin"));
    check_fails("train", WAIO_EINPUT, "data_batch_2.bin");
    CHECK(strstr(waio_error_message(), "data_batch_3.bin") != NULL, "%s", waio_error_message());
    write_records("data_batch_2.bin", 2, 3);
    unlink(file_named("data_batch_1.bin"));
    check_fails("train", WAIO_EINPUT, "data_batch_1.bin");
    write_records("data_batch_1.bin", 1, 2);
}

static void class_names(void)
{
    write_records("test_batch.bin", 0, 2);
    unlink(file_named("batches.meta.txt"));
    check_fails("test", WAIO_EINPUT, "batches.meta.txt");
    write_file("batches.meta.txt", names, 0);
    check_fails("test", WAIO_EINPUT, "0 class names, expected 10");
    write_file("batches.meta.txt", names, 20);
    check_fails("test", WAIO_EINPUT, "5 class names, expected 10");
    static const char eleven[] = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n";
    write_file("batches.meta.txt", eleven, strlen(eleven));
    check_fails("test", WAIO_EINPUT, "11 class names, expected 10");
    static const char windows[] = "a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj j\r\n\r\n";
    write_file("batches.meta.txt", windows, strlen(windows));
    waio_dataset *data = open_all("test");
    CHECK(strcmp(data->class_name[0], "a") == 0 && strcmp(data->class_name[9], "j j") == 0,
          "\"%s\"", data->class_name[9]);
    waio_dataset_close(data);
    write_file("batches.meta.txt", names, strlen(names));
}

static void files_that_are_none(void)
{
    unlink(file_named("test_batch.bin"));
    CHECK(mkdir(path, 0700) == 0, "%s", strerror(errno));
    check_fails("test", WAIO_EINPUT, "test_batch.bin");
    rmdir(path);
    CHECK(mkfifo(path, 0600) == 0, "%s", strerror(errno));
    check_fails("test", WAIO_EINPUT, "test_batch.bin"); /* and does not wait for a writer */
    unlink(path);
    write_records("test_batch.bin", 0, 2);
    CHECK(chmod(path, 0) == 0, "%s", strerror(errno));
    if (geteuid() != 0) /* root reads it all the same */
        check_fails("test", WAIO_EINPUT, "test_batch.bin");
    unlink(path);
}

/* Bytes changed anywhere: it loads, or an error names the file. */
static void flipped_bytes(void)
{
    unsigned char copy[3 * RECORD + sizeof names];
    waio_rng rng = {4};

    for (int i = 0; i < 300; i++) {
        bool text = i % 3 == 0;
        size_t size = text ? strlen(names) : 3 * RECORD;
        waio_dataset *data = NULL;
        memcpy(copy, text ? (const unsigned char *)names : records_of(0, 3), size);
        for (int k = 0; k < 3; k++)
            copy[i % 5 ? waio_rng_below(&rng, size) : waio_rng_below(&rng, 3) * (size / 3)] =
                (unsigned char)waio_rng_below(&rng, 256);
        write_records("test_batch.bin", 0, 3);
        write_file(text ? "batches.meta.txt" : "test_batch.bin", copy, size);
        if (open_dataset(&data, "cifar10", "test", base, &(waio_selection){0}) == WAIO_OK) {
            for (int k = 0; k < 3; k++)
                CHECK(data->label[k] < 10, "label %d", data->label[k]);
            waio_dataset_close(data);
        } else {
            CHECK(strstr(waio_error_message(), path) != NULL, "%s", waio_error_message());
        }
        write_file("batches.meta.txt", names, strlen(names));
    }
}

/* ---- normalization ---- */

static void normalizations(void)
{
    /* What bytes 0, 100 and 255 of R, G, B become in the network's channels. */
    static const struct {
        const char *name;
        int source[3];
        double value[3][3];
    } row[] = {
        {"raw", {0, 1, 2}, {{0, 100, 255}, {0, 100, 255}, {0, 100, 255}}},
        {"unit", {0, 1, 2}, {{0, 0.39215686, 1}, {0, 0.39215686, 1}, {0, 0.39215686, 1}}},
        {"u8",
         {0, 1, 2},
         {{-1, -0.21875, 0.9921875}, {-1, -0.21875, 0.9921875}, {-1, -0.21875, 0.9921875}}},
        {"tf", {0, 1, 2}, {{-1, -0.21568627, 1}, {-1, -0.21568627, 1}, {-1, -0.21568627, 1}}},
        {"caffe",
         {2, 1, 0},
         {{-103.939, -3.939, 151.061}, {-116.779, -16.779, 138.221}, {-123.68, -23.68, 131.32}}},
        {"torch",
         {0, 1, 2},
         {{-2.1179039, -0.4054286, 2.2489083},
          {-2.0357143, -0.2850140, 2.4285714},
          {-1.8044444, -0.0615251, 2.64}}},
    };
    static const int bytes[] = {0, 100, 255};
    waio_input_table table;

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        CHECK_OK(waio_preprocess_table(&table, row[i].name, 3));
        CHECK(table.channels == 3, "%d channels", table.channels);
        for (int c = 0; c < 3; c++) {
            CHECK(table.source[c] == row[i].source[c], "%s: channel %d takes %d", row[i].name, c,
                  table.source[c]);
            for (int k = 0; k < 3; k++)
                CHECK(fabs((double)table.value[c][bytes[k]] - row[i].value[c][k]) <=
                          3e-7 * fmax(1, fabs(row[i].value[c][k])),
                      "%s: byte %d of channel %d is %.9g, by hand %.9g", row[i].name, bytes[k], c,
                      (double)table.value[c][bytes[k]], row[i].value[c][k]);
            for (int x = 1; x < 256; x++)
                CHECK(table.value[c][x] > table.value[c][x - 1], "%s rises", row[i].name);
        }
    }
    CHECK_FAILS(waio_preprocess_table(&table, "imagenet", 3), WAIO_EUSAGE,
                "there are: raw, unit, u8, tf, caffe, torch");
    CHECK_FAILS(waio_preprocess_table(&table, "tf", 1), WAIO_EINPUT, "3 channels");
}

int main(void)
{
    CHECK(mkdtemp(base) != NULL, "no folder for tests");
    snprintf(folder, sizeof folder, "%s/cifar-10-batches-bin", base);
    missing_files();
    good_file();
    first_images();
    training_files();
    samples();
    wrong_lengths();
    wrong_labels();
    gap_in_the_training_files();
    class_names();
    files_that_are_none();
    flipped_bytes();
    normalizations();
    char command[300];
    snprintf(command, sizeof command, "rm -rf %s", base);
    CHECK(system(command) == 0, "%s", command);
    return waio_check_result();
}
