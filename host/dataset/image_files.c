/* Image files as a source: read, digested, decoded. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dataset/image_set.h"

enum { MAX_FILE = 256 << 20 };

static waio_status read_whole(unsigned char **data, size_t *size, const char *path)
{
    waio_status st = WAIO_OK;
    struct stat info;
    FILE *file = fopen(path, "rb");

    *data = NULL;
    if (!file || fstat(fileno(file), &info) != 0)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_size > MAX_FILE)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: no regular file of at most %d MiB", path, MAX_FILE >> 20);
    *size = (size_t)info.st_size;
    *data = malloc(*size + 1);
    if (!*data)
        WAIO_FAIL(st, WAIO_ENOMEM, "%s: out of memory", path);
    if (fread(*data, 1, *size, file) != *size)
        WAIO_FAIL(st, WAIO_EIO, "%s: reading failed", path);
done:
    if (file)
        fclose(file);
    return st;
}

static waio_status load_file(void *payload, int64_t index, waio_image *image, char sha[65])
{
    const waio_image_files *files = payload;
    const char *path = files->path[index];
    waio_status st = WAIO_OK;
    unsigned char *data = NULL;
    size_t size = 0;
    waio_sha256 digest;

    WAIO_TRY(st, read_whole(&data, &size, path));
    waio_sha256_init(&digest);
    waio_sha256_add(&digest, data, size);
    waio_sha256_hex(&digest, sha);
    WAIO_TRY(st, waio_image_decode(image, data, size, path, files->upright));
done:
    free(data);
    return st == WAIO_OK ? st : waio_error_context(st, "%s:%d", files->list, files->line[index]);
}

static waio_status check_file(void *payload, int64_t index, waio_image_size size)
{
    const waio_image_files *files = payload;
    return files->check ? files->check(files->payload, index, size) : WAIO_OK;
}

waio_image_source waio_image_files_source(waio_image_files *files, int64_t count)
{
    waio_image_source source = {
        .count = count, .load = load_file, .check = check_file, .payload = files};
    waio_sha256 sha;

    waio_sha256_init(&sha);
    for (int64_t i = 0; i < count; i++) {
        struct stat info = {0};
        bool there = stat(files->path[i], &info) == 0;
        int64_t seen[4] = {there, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
        waio_sha256_add(&sha, files->path[i], strlen(files->path[i]) + 1);
        waio_sha256_add(&sha, seen, sizeof seen);
    }
    waio_sha256_hex(&sha, source.identity);
    return source;
}
