/* CIFAR-10 binary version (https://www.cs.toronto.edu/~kriz/cifar.html): label byte, then the red,
 * green and blue plane, row by row. Planes become interleaved pixels here. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dataset/dataset.h"
#include "dataset/image_set.h"
#include "util/file.h"
#include "util/sha256.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, RECORD = 1 + 3 * PLANE, MAX_FILES = 5 };

typedef struct batch_files {
    const char *path[MAX_FILES];
    int64_t records[MAX_FILES];
    int count;
    int64_t total;
} batch_files;

static waio_status add_file(batch_files *files, const char *path)
{
    size_t bytes = 0;
    waio_status st = waio_file_size(&bytes, path);

    if (st != WAIO_OK)
        return st;
    if (bytes == 0 || bytes % RECORD)
        return waio_error(WAIO_EINPUT,
                          "%s: %zu bytes, which is %zu records of %d bytes and %zu bytes more; "
                          "expected whole records, so the file is cut short or is no CIFAR-10 "
                          "binary file",
                          path, bytes, bytes / RECORD, RECORD, bytes % RECORD);
    files->path[files->count] = path;
    files->records[files->count++] = (int64_t)(bytes / RECORD);
    files->total += (int64_t)(bytes / RECORD);
    return WAIO_OK;
}

static waio_status find_files(batch_files *files, waio_dataset *dataset, const char *folder)
{
    waio_status st = WAIO_OK;
    const char *missing = NULL;

    if (strcmp(dataset->split, "test") == 0) {
        const char *path = waio_path_join(dataset->arena, folder, "test_batch.bin");
        return path ? add_file(files, path) : WAIO_ENOMEM;
    }
    for (int i = 1; i <= MAX_FILES; i++) {
        const char *path = waio_arena_printf(dataset->arena, "%s/data_batch_%d.bin", folder, i);
        if (!path)
            return WAIO_ENOMEM;
        if (i > 1 && !waio_file_exists(path)) {
            missing = missing ? missing : path;
            continue;
        }
        if (missing)
            WAIO_FAIL(st, WAIO_EINPUT, "%s is missing, but there is %s", missing, path);
        WAIO_TRY(st, add_file(files, path));
    }
done:
    return st;
}

/* One name a line; empty lines at the end do not count. */
static waio_status read_class_names(waio_dataset *dataset, const char *folder)
{
    waio_status st = WAIO_OK;
    unsigned char *text = NULL;
    size_t size = 0;
    int count = 0;
    const char *path = waio_path_join(dataset->arena, folder, "batches.meta.txt");

    if (!path)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_file_read(&text, &size, path, dataset->arena));
    WAIO_NEW(st, dataset->class_name, dataset->arena, (size_t)dataset->classes);
    for (char *save = NULL, *line = strtok_r((char *)text, "\r\n", &save); line;
         line = strtok_r(NULL, "\r\n", &save), count++)
        if (count < dataset->classes)
            dataset->class_name[count] = line;
    if (count != dataset->classes)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %d class names, expected %d", path, count,
                  dataset->classes);
done:
    return st;
}

static waio_status check_label(const waio_dataset *dataset, const unsigned char *record,
                               const char *path, int64_t index)
{
    if (record[0] >= dataset->classes)
        return waio_error(WAIO_EINPUT, "%s: record %lld (byte %lld) has label %d, expected 0 to %d",
                          path, (long long)index, (long long)index * RECORD, record[0],
                          dataset->classes - 1);
    return WAIO_OK;
}

/* The file that holds record `*index` of the split; `*index` becomes its place in that file. */
static int file_of(const batch_files *files, int64_t *index)
{
    int f = 0;
    while (*index >= files->records[f])
        *index -= files->records[f++];
    return f;
}

/* Reads the records named by `index`, in that order, into the dataset's arena. */
static waio_status read_records(unsigned char **out, waio_dataset *dataset,
                                const batch_files *files, const int64_t *index, int64_t count)
{
    waio_status st = WAIO_OK;
    unsigned char *record = NULL;
    waio_sha256 sha;
    FILE *file[MAX_FILES] = {0};

    WAIO_NEW(st, record, dataset->arena, (size_t)count * RECORD);
    *out = record;
    waio_sha256_init(&sha);
    for (int64_t i = 0; i < count; i++, record += RECORD) {
        int64_t at = index[i];
        int f = file_of(files, &at);
        if (!file[f] && !(file[f] = fopen(files->path[f], "rb")))
            WAIO_FAIL(st, WAIO_EINPUT, "%s: cannot be opened", files->path[f]);
        bool next = i > 0 && index[i] == index[i - 1] + 1 && at > 0;
        if ((!next && fseek(file[f], (long)(at * RECORD), SEEK_SET) != 0) ||
            fread(record, 1, RECORD, file[f]) != RECORD)
            WAIO_FAIL(st, WAIO_EIO, "%s: reading record %lld failed", files->path[f],
                      (long long)at);
        waio_sha256_add(&sha, record, RECORD);
        WAIO_TRY(st, check_label(dataset, record, files->path[f], at));
    }
    waio_sha256_hex(&sha, dataset->sha256);
done:
    for (int f = 0; f < MAX_FILES; f++)
        if (file[f])
            fclose(file[f]);
    return st;
}

static void to_pixels(unsigned char *image, const unsigned char *record)
{
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++)
            image[3 * i + c] = record[1 + c * PLANE + i];
}

static waio_status take_labels(waio_dataset *dataset, const unsigned char *record, int64_t count)
{
    waio_status st = WAIO_OK;
    uint16_t *label = NULL;

    WAIO_NEW(st, label, dataset->arena, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        label[i] = record[i * RECORD];
    dataset->label = label;
done:
    return st;
}

/* The images as stored. */
static waio_status take_images(waio_dataset *dataset, const unsigned char *record, int64_t count)
{
    waio_status st = WAIO_OK;
    unsigned char *image = NULL;

    WAIO_NEW(st, image, dataset->arena, (size_t)count * 3 * PLANE);
    for (int64_t i = 0; i < count; i++)
        to_pixels(image + i * 3 * PLANE, record + i * RECORD);
    dataset->count = count;
    dataset->image = image;
    dataset->resize = "none";
done:
    return st;
}

static waio_status load_record(void *payload, int64_t index, waio_image *image, char sha[65])
{
    const unsigned char *record = payload;
    waio_status st = waio_image_room(image, SIDE, SIDE, "record");

    memset(sha, '0', 64);
    if (st == WAIO_OK)
        to_pixels(image->pixel, record + index * RECORD);
    return st;
}

/* The images at the size that is asked for. */
static waio_status resize_images(waio_dataset *dataset, unsigned char *record, int64_t count,
                                 const waio_dataset_params *params)
{
    waio_status st = WAIO_OK;
    waio_image_source source = {.count = count, .load = load_record, .payload = record};
    int64_t *kept = NULL;
    char sha256[65];

    memcpy(sha256, dataset->sha256, sizeof sha256);
    memcpy(source.identity, sha256, sizeof sha256);
    WAIO_TRY(st, waio_image_set_read(dataset, &kept, &source, params));
    memcpy(dataset->sha256, sha256, sizeof sha256);
    dataset->image_size = NULL;
done:
    return st;
}

waio_status waio_cifar10_open(waio_dataset *dataset, const waio_dataset_kind *kind,
                              const char *folder, const waio_dataset_params *params)
{
    waio_status st = WAIO_OK;
    batch_files files = {0};
    int64_t *index = NULL, count = 0;
    unsigned char *record = NULL;
    bool as_stored = dataset->height == SIDE && dataset->width == SIDE;

    WAIO_TRY(st, waio_dataset_check_split(dataset, kind->splits));
    WAIO_TRY(st, find_files(&files, dataset, folder));
    WAIO_TRY(st, waio_select_images(&index, &count, &params->selection, files.total, dataset));
    WAIO_TRY(st, read_class_names(dataset, folder));
    WAIO_TRY(st, read_records(&record, dataset, &files, index, count));
    WAIO_TRY(st, take_labels(dataset, record, count));
    if (as_stored)
        WAIO_TRY(st, take_images(dataset, record, count));
    else
        WAIO_TRY(st, resize_images(dataset, record, count, params));
done:
    return st;
}
