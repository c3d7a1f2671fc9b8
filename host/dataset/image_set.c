#include "dataset/image_set.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataset/resize.h"
#include "util/clock.h"
#include "util/parallel.h"

/* Memory of one thread while it loads, kept for the next image. */
typedef struct scratch {
    waio_image image;
    struct scratch *next;
} scratch;

typedef struct set_reader {
    waio_dataset *dataset;
    const waio_image_source *source;
    const waio_dataset_params *params;
    waio_resize resize;
    size_t bytes; /* of an image */
    unsigned char *image;
    waio_cache_entry *entry;
    char (*sha)[65];
    pthread_mutex_t lock; /* of what follows */
    scratch *idle;
    int64_t done, first_bad; /* first_bad: `count` if there is none */
    char message[512];       /* of it */
    double shown;
} set_reader;

static scratch *take_scratch(set_reader *r)
{
    pthread_mutex_lock(&r->lock);
    scratch *s = r->idle;
    if (s)
        r->idle = s->next;
    pthread_mutex_unlock(&r->lock);
    return s ? s : calloc(1, sizeof *s);
}

static void give_scratch(set_reader *r, scratch *s)
{
    pthread_mutex_lock(&r->lock);
    s->next = r->idle;
    r->idle = s;
    pthread_mutex_unlock(&r->lock);
}

static waio_status step(set_reader *r)
{
    enum { UPDATES_A_SECOND = 5 };
    waio_status st = WAIO_OK;
    const waio_reading *reading = r->params->reading;

    pthread_mutex_lock(&r->lock);
    r->done++;
    double now = waio_clock();
    if (reading && (now - r->shown > 1.0 / UPDATES_A_SECOND || r->done == r->source->count)) {
        r->shown = now;
        st = reading->update(reading->payload, r->dataset->name, r->dataset->split, r->done,
                             r->source->count);
    }
    pthread_mutex_unlock(&r->lock);
    return st;
}

static void note_bad(set_reader *r, int64_t index)
{
    if (r->params->problem)
        r->params->problem(r->params->problem_payload, waio_error_message());
    pthread_mutex_lock(&r->lock);
    if (index < r->first_bad) {
        r->first_bad = index;
        snprintf(r->message, sizeof r->message, "%.500s", waio_error_message());
    }
    pthread_mutex_unlock(&r->lock);
}

static waio_status load(set_reader *r, int64_t i, waio_image *image)
{
    waio_status st = WAIO_OK;
    const waio_dataset *d = r->dataset;

    WAIO_TRY(st, r->source->load(r->source->payload, i, image, r->sha[i]));
    r->entry[i] = (waio_cache_entry){image->height, image->width, 0, 1};
    if (r->source->check)
        WAIO_TRY(st, r->source->check(r->source->payload, i,
                                      (waio_image_size){image->height, image->width}));
    WAIO_TRY(st, waio_resize_run(r->image + (size_t)i * r->bytes, d->height, d->width, image->pixel,
                                 image->height, image->width, &r->resize));
done:
    return st;
}

static waio_status load_one(void *payload, int64_t i)
{
    set_reader *r = payload;
    scratch *s = take_scratch(r);
    waio_status st = s ? load(r, i, &s->image) : waio_error(WAIO_ENOMEM, "out of memory");

    if (s)
        give_scratch(r, s);
    if (st == WAIO_EINPUT && r->params->skip_bad) {
        note_bad(r, i);
        r->entry[i] = (waio_cache_entry){0};
        st = WAIO_OK;
    }
    return st == WAIO_OK ? step(r) : st;
}

/* ---- where the bytes live ---- */

static waio_status hold(set_reader *r, const char *cache_path)
{
    waio_dataset *d = r->dataset;
    int64_t budget = r->params->memory, bytes = r->source->count * (int64_t)r->bytes;

    if (cache_path)
        return waio_cache_create(d, &r->image, cache_path, r->source->count, r->bytes);
    if (budget && bytes > budget)
        return waio_error(WAIO_ENOMEM,
                          "data set %s: %" PRId64 " images of %dx%d take %" PRId64
                          " MiB, the budget is %" PRId64 " MiB; a larger one (--memory), or a "
                          "folder to keep them on disk (--cache or WAIO_CACHE), will do",
                          d->name, r->source->count, d->height, d->width, bytes >> 20,
                          budget >> 20);
    void *at =
        mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return waio_error(WAIO_ENOMEM, "data set %s: out of memory for %" PRId64 " MiB of images",
                          d->name, bytes >> 20);
    d->mapping = at;
    d->mapping_bytes = (size_t)bytes;
    r->image = at;
    return WAIO_OK;
}

/* ---- what is left when all are loaded ---- */

/* Moves the good images together and sums up. */
static waio_status gather(set_reader *r, int64_t *kept, waio_image_size *size)
{
    waio_sha256 sha;
    int64_t n = 0;

    waio_sha256_init(&sha);
    for (int64_t i = 0; i < r->source->count; i++) {
        if (!r->entry[i].good)
            continue;
        if (n != i)
            memmove(r->image + (size_t)n * r->bytes, r->image + (size_t)i * r->bytes, r->bytes);
        waio_sha256_add(&sha, r->sha[i], 64);
        size[n] = (waio_image_size){r->entry[i].height, r->entry[i].width};
        kept[n++] = i;
    }
    waio_sha256_hex(&sha, r->dataset->sha256);
    r->dataset->count = n;
    r->dataset->image = r->image;
    r->dataset->notes.skipped = r->source->count - n;
    return WAIO_OK;
}

/* Whether the images of a cache file are those that would be kept now. */
static bool same_images(set_reader *r, const waio_cache_entry *entry, int64_t *kept,
                        waio_image_size *size)
{
    int64_t n = 0;

    for (int64_t i = 0; i < r->source->count; i++) {
        waio_image_size s = {entry[i].height, entry[i].width};
        if (!entry[i].good)
            continue;
        if (r->source->check && r->source->check(r->source->payload, i, s) != WAIO_OK)
            return false;
        size[n] = s;
        kept[n++] = i;
    }
    r->dataset->notes.skipped = r->source->count - n;
    return n == r->dataset->count;
}

static waio_status try_cache(set_reader *r, bool *found, const char *path, int64_t *kept,
                             waio_image_size *size)
{
    waio_status st = WAIO_OK;
    waio_dataset *d = r->dataset;
    const waio_cache_entry *entry = NULL;

    WAIO_TRY(st, waio_cache_open(d, found, &entry, path, r->source->count, r->bytes,
                                 r->params->threads));
    if (*found && !same_images(r, entry, kept, size)) {
        munmap(d->mapping, d->mapping_bytes);
        d->mapping = NULL;
        d->image = NULL;
        d->on_disk = *found = false;
    }
    if (*found && d->notes.skipped)
        d->notes.first_skipped = "found when the cache was written";
done:
    return st;
}

static waio_status load_all(set_reader *r, const char *cache_path, int64_t *kept,
                            waio_image_size *size)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();
    int64_t count = r->source->count;
    bool created = false;

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_NEW(st, r->entry, arena, (size_t)count);
    WAIO_NEW(st, r->sha, arena, (size_t)count);
    WAIO_TRY(st, hold(r, cache_path));
    created = cache_path != NULL;
    WAIO_TRY(st, waio_parallel_for(r->params->threads, count, load_one, r));
    if (r->first_bad < count) {
        r->dataset->notes.first_skipped = waio_arena_strdup(r->dataset->arena, r->message);
        if (!r->dataset->notes.first_skipped)
            WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    }
    WAIO_TRY(st, gather(r, kept, size));
    if (created)
        WAIO_TRY(st, waio_cache_finish(r->dataset, r->entry, cache_path, count, r->bytes,
                                       r->params->threads));
    created = false;
done:
    if (created)
        waio_cache_abandon(r->dataset, cache_path);
    for (scratch *s = r->idle, *next; s; s = next) {
        next = s->next;
        free(s->image.pixel);
        free(s);
    }
    waio_arena_free(arena);
    return st;
}

waio_status waio_image_set_read(waio_dataset *d, int64_t **kept, const waio_image_source *source,
                                const waio_dataset_params *params)
{
    waio_status st = WAIO_OK;
    set_reader r = {.dataset = d, .source = source, .params = params, .first_bad = source->count};
    char text[WAIO_RESIZE_TEXT];
    const char *path = NULL;
    waio_image_size *size = NULL;
    bool found = false;

    pthread_mutex_init(&r.lock, NULL);
    if (source->count == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "data set %s: the split %s has no images", d->name, d->split);
    WAIO_TRY(st, waio_resize_parse(&r.resize, params->resize));
    r.bytes = 3 * (size_t)d->height * (size_t)d->width;
    d->resize = waio_arena_strdup(d->arena, waio_resize_text(text, &r.resize));
    WAIO_NEW(st, *kept, d->arena, (size_t)source->count);
    WAIO_NEW(st, size, d->arena, (size_t)source->count);
    if (!d->resize)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    if (params->cache) {
        path = waio_cache_path(d, source, d->resize, params);
        if (!path)
            WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
        WAIO_TRY(st, try_cache(&r, &found, path, *kept, size));
    }
    if (!found)
        WAIO_TRY(st, load_all(&r, path, *kept, size));
    d->image_size = size;
    if (d->count == 0)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "data set %s: not one of the %" PRId64
                  " images of the split %s is good; the first: %s",
                  d->name, source->count, d->split,
                  d->notes.first_skipped ? d->notes.first_skipped : "?");
done:
    pthread_mutex_destroy(&r.lock);
    return st;
}
