/* Many images, loaded by all threads, brought to one size and put where a data set's bytes live:
 * memory, or a mapped file of the cache folder. */
#ifndef WAIO_DATASET_IMAGE_SET_H
#define WAIO_DATASET_IMAGE_SET_H

#include "dataset/dataset.h"
#include "dataset/image.h"
#include "util/sha256.h"

typedef struct waio_image_source {
    int64_t count;
    /* Loads image `index` into `image`, whose memory it may use; `sha` receives the digest of what
     * is stored. Called by several threads at once. */
    waio_status (*load)(void *payload, int64_t index, waio_image *image, char sha[65]);
    /* Whether an image of this size will do: called after loading, by several threads. NULL: any.
     */
    waio_status (*check)(void *payload, int64_t index, waio_image_size size);
    void *payload;
    char identity[65]; /* of all that is stored, without reading it: part of a cache file's name */
} waio_image_source;

/* Fills count, image, image_size, mapping, sha256 (of what is stored, image by image), resize and
 * notes.skipped of `dataset`, whose height and width say the size. `kept` receives, in the
 * dataset's arena, the source's index of every image: all of them, or by skip_bad the good ones.
 * WAIO_EINPUT: a bad image, or none is left. */
waio_status waio_image_set_read(waio_dataset *dataset, int64_t **kept,
                                const waio_image_source *source, const waio_dataset_params *params);

/* A list of image files, and where in which list each was named, for messages. */
typedef struct waio_image_files {
    const char *const *path;
    const char *list; /* file */
    const int *line;
    bool upright;
    /* Called as the source's check. */
    waio_status (*check)(void *payload, int64_t index, waio_image_size size);
    void *payload;
} waio_image_files;

/* The source of `count` files; `files` must outlive it. Path, size and time of change are the
 * identity. A missing file is no error here. */
waio_image_source waio_image_files_source(waio_image_files *files, int64_t count);

/* ---- image_cache.c ---- */

typedef struct waio_cache_entry {
    int32_t height, width; /* as stored */
    uint32_t crc;          /* of the bytes */
    uint32_t good;         /* 0: a bad image, which has no bytes */
} waio_cache_entry;

/* The file in folder `cache` for these images; NULL: out of memory. */
const char *waio_cache_path(const waio_dataset *dataset, const waio_image_source *source,
                            const char *resize, const waio_dataset_params *params);
/* Maps a cache file for `count` images of `bytes` each: fills mapping, mapping_bytes, image, count
 * and sha256; `entry` receives the table, which lives in the mapping. `found` is false and nothing
 * is mapped if there is no such file, or it is damaged (a line on stderr says so). */
waio_status waio_cache_open(waio_dataset *dataset, bool *found, const waio_cache_entry **entry,
                            const char *path, int64_t count, size_t bytes, int threads);
/* Makes room for a new one in a file beside `path`, mapped for writing. */
waio_status waio_cache_create(waio_dataset *dataset, unsigned char **image, const char *path,
                              int64_t count, size_t bytes);
/* Writes table and header, gives it its name; the mapping can only be read from then on. */
waio_status waio_cache_finish(waio_dataset *dataset, waio_cache_entry *entry, const char *path,
                              int64_t count, size_t bytes, int threads);
/* Takes the unfinished file away. */
void waio_cache_abandon(waio_dataset *dataset, const char *path);

#endif
