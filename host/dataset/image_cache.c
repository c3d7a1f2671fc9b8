/* A cache file: a header, an entry a listed image, then from the next page on the bytes of the good
 * ones. It is written beside its place and renamed when whole, so one that has its name is whole;
 * checksums find what the disk did since. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "dataset/image_set.h"
#include "util/file.h"
#include "util/parallel.h"

/* Part of every file's name: to be changed when decoding or resizing gives other bytes. */
static const char code_version[] = "waio images 1";
static const char magic[8] = {'W', 'A', 'I', 'O', 'I', 'M', 'G', '1'};
enum { PAGE = 4096 };

typedef struct cache_header {
    char magic[8];
    int64_t listed, good;
    uint64_t image_bytes;
    char sha256[65];
    char padding[3];
    uint32_t crc; /* of the header before it and of the table */
} cache_header;

static size_t body_at(int64_t count)
{
    size_t head = sizeof(cache_header) + (size_t)count * sizeof(waio_cache_entry);
    return (head + PAGE - 1) / PAGE * PAGE;
}

static uint32_t crc_of(const void *data, size_t bytes)
{
    return (uint32_t)crc32_z(0, data, bytes);
}

static uint32_t head_crc(const cache_header *header, const waio_cache_entry *entry, int64_t count)
{
    uLong crc = crc32_z(0, (const Bytef *)header, offsetof(cache_header, crc));
    return (uint32_t)crc32_z(crc, (const Bytef *)entry, (size_t)count * sizeof *entry);
}

const char *waio_cache_path(const waio_dataset *d, const waio_image_source *source,
                            const char *resize, const waio_dataset_params *params)
{
    waio_sha256 sha;
    char hex[65];
    int64_t how[4] = {d->height, d->width, source->count, params->skip_bad};

    waio_sha256_init(&sha);
    waio_sha256_add(&sha, code_version, sizeof code_version);
    waio_sha256_add(&sha, source->identity, 64);
    waio_sha256_add(&sha, how, sizeof how);
    waio_sha256_add(&sha, resize, strlen(resize));
    waio_sha256_hex(&sha, hex);
    return waio_arena_printf(d->arena, "%s/%s.images", params->cache, hex);
}

/* ---- checksums, by all threads ---- */

typedef struct checker {
    const unsigned char *body;
    const int64_t *place; /* of listed image i among the good ones */
    waio_cache_entry *write;
    const waio_cache_entry *entry;
    size_t bytes;
    atomic_int damaged;
} checker;

static waio_status check_image(void *payload, int64_t i)
{
    checker *c = payload;

    if (!c->entry[i].good)
        return WAIO_OK;
    uint32_t crc = crc_of(c->body + (size_t)c->place[i] * c->bytes, c->bytes);
    if (c->write)
        c->write[i].crc = crc;
    else if (crc != c->entry[i].crc)
        atomic_store(&c->damaged, 1);
    return WAIO_OK;
}

static waio_status check_images(checker *c, int64_t count, int threads)
{
    int64_t *place = malloc((size_t)count * sizeof *place), n = 0;

    if (!place)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++)
        place[i] = c->entry[i].good ? n++ : -1;
    c->place = place;
    waio_status st = waio_parallel_for(threads, count, check_image, c);
    free(place);
    return st;
}

/* ---- reading ---- */

static bool whole_header(const cache_header *h, size_t size, int64_t count, size_t bytes)
{
    const waio_cache_entry *entry = (const waio_cache_entry *)(h + 1);
    int64_t good = 0;

    if (size < body_at(count) || memcmp(h->magic, magic, sizeof magic) != 0 || h->listed != count ||
        h->image_bytes != bytes || h->crc != head_crc(h, entry, count))
        return false;
    for (int64_t i = 0; i < count; i++)
        good += entry[i].good != 0;
    return good == h->good && size == body_at(count) + (size_t)good * bytes;
}

waio_status waio_cache_open(waio_dataset *d, bool *found, const waio_cache_entry **entry,
                            const char *path, int64_t count, size_t bytes, int threads)
{
    waio_status st = WAIO_OK;
    struct stat info;
    void *at = MAP_FAILED;
    bool good = false;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *found = false;
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        goto done;
    size = (size_t)info.st_size;
    if (size >= body_at(count))
        at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    const cache_header *h = at;
    if (at != MAP_FAILED && whole_header(h, size, count, bytes)) {
        checker c = {.body = (unsigned char *)at + body_at(count), .bytes = bytes};
        c.entry = *entry = (const waio_cache_entry *)(h + 1);
        WAIO_TRY(st, check_images(&c, count, threads));
        good = !atomic_load(&c.damaged);
    }
    if (!good) {
        fprintf(stderr, "cache: %s is damaged; its images are decoded again\n", path);
        goto done;
    }
    d->mapping = at;
    d->mapping_bytes = size;
    d->image = (unsigned char *)at + body_at(count);
    d->count = h->good;
    memcpy(d->sha256, h->sha256, sizeof d->sha256);
    d->sha256[64] = '\0';
    *found = d->on_disk = true;
done:
    if (!*found && at != MAP_FAILED)
        munmap(at, size);
    if (fd >= 0)
        close(fd);
    return st;
}

/* ---- writing ---- */

static const char *beside(const waio_dataset *d, const char *path)
{
    return waio_arena_printf(d->arena, "%s.%ld.new", path, (long)getpid());
}

waio_status waio_cache_create(waio_dataset *d, unsigned char **image, const char *path,
                              int64_t count, size_t bytes)
{
    waio_status st = WAIO_OK;
    size_t size = body_at(count) + (size_t)count * bytes;
    const char *made = beside(d, path), *folder = waio_path_dir(d->arena, path);
    int fd = -1, error;

    if (!made || !folder)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_make_dirs(folder));
    fd = open(made, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        WAIO_FAIL(st, WAIO_EIO, "%s: %s", made, strerror(errno));
    /* All of the room now: a full disk is an error here and a killed process later. */
    if ((error = posix_fallocate(fd, 0, (off_t)size)) != 0)
        WAIO_FAIL(st, WAIO_EIO, "%s: no room for %zu MiB of images: %s", made, size >> 20,
                  strerror(error));
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        WAIO_FAIL(st, WAIO_EIO, "%s: cannot be mapped: %s", made, strerror(errno));
    d->mapping = at;
    d->mapping_bytes = size;
    d->on_disk = true;
    *image = (unsigned char *)at + body_at(count);
done:
    if (fd >= 0)
        close(fd);
    if (st != WAIO_OK && fd >= 0)
        unlink(made);
    return st;
}

waio_status waio_cache_finish(waio_dataset *d, waio_cache_entry *entry, const char *path,
                              int64_t count, size_t bytes, int threads)
{
    waio_status st = WAIO_OK;
    cache_header *h = d->mapping;
    const char *made = beside(d, path);
    size_t size = body_at(count) + (size_t)d->count * bytes;
    checker c = {.body = d->image, .write = entry, .entry = entry, .bytes = bytes};

    if (!made)
        return WAIO_ENOMEM;
    WAIO_TRY(st, check_images(&c, count, threads));
    memcpy(h->magic, magic, sizeof magic);
    h->listed = count;
    h->good = d->count;
    h->image_bytes = bytes;
    memcpy(h->sha256, d->sha256, sizeof h->sha256);
    memcpy(h + 1, entry, (size_t)count * sizeof *entry);
    h->crc = head_crc(h, (const waio_cache_entry *)(h + 1), count);
    if (msync(d->mapping, d->mapping_bytes, MS_SYNC) != 0 || truncate(made, (off_t)size) != 0 ||
        rename(made, path) != 0)
        WAIO_FAIL(st, WAIO_EIO, "%s: %s", path, strerror(errno));
    mprotect(d->mapping, d->mapping_bytes, PROT_READ);
done:
    return st;
}

void waio_cache_abandon(waio_dataset *d, const char *path)
{
    const char *made = beside(d, path);

    if (made)
        unlink(made);
}
