#include "metric/coco_json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/file.h"

typedef struct id_list {
    int64_t *id; /* ascending */
    int64_t count;
} id_list;

/* An entry of either file while it is read. */
typedef struct entry {
    int64_t image, class; /* places in the lists; class -1: not listed */
    double box[4];        /* x, y, width, height */
} entry;

/* ---- JSON ---- */

static waio_status read_json(cJSON **out, const char *path, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    unsigned char *text = NULL;
    size_t size = 0;
    const char *end = NULL;

    WAIO_TRY(st, waio_file_read(&text, &size, path, arena));
    if (strlen((const char *)text) != size)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: byte %zu: a zero byte, expected JSON", path,
                  strlen((const char *)text));
    *out = cJSON_ParseWithLengthOpts((const char *)text, size + 1, &end, 1);
    if (!*out)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: byte %zu: no valid JSON", path,
                  end ? (size_t)(end - (const char *)text) : 0);
done:
    return st;
}

static waio_status whole(int64_t *out, const cJSON *item, const char *key, int64_t least)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(item, key);
    double x = cJSON_IsNumber(number) ? number->valuedouble : NAN;

    if (!(x >= (double)least && x <= 9007199254740992.0 && x == floor(x)))
        return waio_error(WAIO_EINPUT, "\"%s\" is missing, or no whole number from %lld", key,
                          (long long)least);
    *out = (int64_t)x;
    return WAIO_OK;
}

/* A finite number; `fallback` where it is missing, NaN: it may not be. */
static waio_status real(double *out, const cJSON *item, const char *key, double fallback)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(item, key);

    *out = number ? NAN : fallback;
    if (cJSON_IsNumber(number))
        *out = number->valuedouble;
    if (!isfinite(*out))
        return waio_error(WAIO_EINPUT, "\"%s\" is missing, or no finite number", key);
    return WAIO_OK;
}

/* 0 or 1, or a truth value; false where it is missing. */
static waio_status flag(bool *out, const cJSON *item, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, key);
    bool number = cJSON_IsNumber(value) && (value->valuedouble == 0 || value->valuedouble == 1);

    *out = cJSON_IsTrue(value) || (number && value->valuedouble == 1);
    if (value && !number && !cJSON_IsBool(value))
        return waio_error(WAIO_EINPUT, "\"%s\" is neither 0 nor 1", key);
    return WAIO_OK;
}

static waio_status read_box(double box[4], const cJSON *item)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(item, "bbox"), *number = NULL;
    int i = 0;

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != 4)
        return waio_error(WAIO_EINPUT, "\"bbox\" is missing, or no list of x, y, width, height");
    cJSON_ArrayForEach(number, list)
    {
        box[i] = cJSON_IsNumber(number) ? number->valuedouble : NAN;
        if (!isfinite(box[i]) || (i >= 2 && box[i] < 0))
            return waio_error(WAIO_EINPUT, "number %d of \"bbox\" is %s", i,
                              i >= 2 && box[i] < 0 ? "negative" : "not finite");
        i++;
    }
    return WAIO_OK;
}

static waio_status get_list(const cJSON **out, const cJSON *root, const char *key)
{
    *out = cJSON_GetObjectItemCaseSensitive(root, key);
    return cJSON_IsArray(*out)
               ? WAIO_OK
               : waio_error(WAIO_EINPUT, "there is no list \"%s\", as annotations of COCO have",
                            key);
}

/* ---- ids ---- */

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The ids of a list's entries, none twice. */
static waio_status read_ids(id_list *out, const cJSON *list, const char *key, int64_t least,
                            waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const cJSON *item = NULL;

    out->count = 0;
    WAIO_NEW(st, out->id, arena, (size_t)cJSON_GetArraySize(list));
    cJSON_ArrayForEach(item, list)
    {
        if ((st = whole(&out->id[out->count], item, "id", least)) != WAIO_OK)
            return waio_error_context(st, "\"%s\", entry %lld", key, (long long)out->count);
        out->count++;
    }
    qsort(out->id, (size_t)out->count, sizeof *out->id, ascending);
    for (int64_t i = 1; i < out->count; i++)
        if (out->id[i] == out->id[i - 1])
            WAIO_FAIL(st, WAIO_EINPUT, "\"%s\" has the id %lld twice", key, (long long)out->id[i]);
done:
    return st;
}

static int64_t place_of(const id_list *list, int64_t id)
{
    const int64_t *at =
        list->count ? bsearch(&id, list->id, (size_t)list->count, sizeof id, ascending) : NULL;
    return at ? at - list->id : -1;
}

static waio_status read_entry(entry *out, const cJSON *item, const id_list *images,
                              const id_list *classes)
{
    waio_status st = WAIO_OK;
    int64_t image = 0, category = 0;

    WAIO_TRY(st, whole(&image, item, "image_id", INT64_MIN / 1024));
    WAIO_TRY(st, whole(&category, item, "category_id", INT64_MIN / 1024));
    WAIO_TRY(st, read_box(out->box, item));
    out->image = place_of(images, image);
    out->class = place_of(classes, category);
    if (out->image < 0)
        WAIO_FAIL(st, WAIO_EINPUT, "image_id %lld is not among the images of the annotations",
                  (long long)image);
done:
    return st;
}

/* ---- both files ---- */

/* From counts per image (at [image + 1]) to where each image begins. */
static void add_up(int64_t *begin, int64_t images)
{
    for (int64_t i = 0; i < images; i++)
        begin[i + 1] += begin[i];
}

static waio_status read_truth(waio_coco_files *out, const cJSON *list, const id_list *images,
                              const id_list *classes, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const cJSON *item = NULL;
    size_t count = (size_t)cJSON_GetArraySize(list), at = 0;
    waio_truth *read = NULL, *sorted = NULL;
    int64_t *begin = NULL, *next = NULL, *image = NULL;
    id_list ids;

    WAIO_TRY(st, read_ids(&ids, list, "annotations", 1, arena));
    WAIO_NEW(st, read, arena, count);
    WAIO_NEW(st, sorted, arena, count);
    WAIO_NEW(st, image, arena, count);
    WAIO_NEW(st, begin, arena, (size_t)images->count + 1);
    WAIO_NEW(st, next, arena, (size_t)images->count + 1);
    cJSON_ArrayForEach(item, list)
    {
        entry e;
        waio_truth *t = &read[at];
        if ((st = read_entry(&e, item, images, classes)) != WAIO_OK ||
            (st = real(&t->area, item, "area", e.box[2] * e.box[3])) != WAIO_OK ||
            (st = flag(&t->crowd, item, "iscrowd")) != WAIO_OK ||
            (st = flag(&t->difficult, item, "difficult")) != WAIO_OK)
            return waio_error_context(st, "\"annotations\", entry %zu", at);
        if (e.class < 0)
            WAIO_FAIL(st, WAIO_EINPUT,
                      "\"annotations\", entry %zu: its category_id is not among the categories",
                      at);
        t->x = e.box[0];
        t->y = e.box[1];
        t->width = e.box[2];
        t->height = e.box[3];
        t->class_index = (int)e.class;
        image[at++] = e.image;
        begin[e.image + 1]++;
    }
    add_up(begin, images->count);
    memcpy(next, begin, ((size_t)images->count + 1) * sizeof *next);
    for (size_t i = 0; i < count; i++)
        sorted[next[image[i]]++] = read[i];
    out->set.truth = sorted;
    out->set.truth_begin = begin;
done:
    return st;
}

static waio_status read_found(waio_coco_files *out, const cJSON *list, const id_list *images,
                              const id_list *classes, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const cJSON *item = NULL;
    size_t count = (size_t)cJSON_GetArraySize(list), at = 0, kept = 0;
    waio_found *read = NULL, *sorted = NULL;
    int64_t *begin = NULL, *next = NULL, *image = NULL;

    if (!cJSON_IsArray(list))
        WAIO_FAIL(st, WAIO_EINPUT, "expected a list of results");
    WAIO_NEW(st, read, arena, count);
    WAIO_NEW(st, sorted, arena, count);
    WAIO_NEW(st, image, arena, count);
    WAIO_NEW(st, begin, arena, (size_t)images->count + 1);
    WAIO_NEW(st, next, arena, (size_t)images->count + 1);
    cJSON_ArrayForEach(item, list)
    {
        entry e;
        waio_found *f = &read[kept];
        if ((st = read_entry(&e, item, images, classes)) != WAIO_OK ||
            (st = real(&f->score, item, "score", NAN)) != WAIO_OK)
            return waio_error_context(st, "entry %zu", at);
        at++;
        if (e.class < 0)
            continue;
        f->x = e.box[0];
        f->y = e.box[1];
        f->width = e.box[2];
        f->height = e.box[3];
        f->class_index = (int)e.class;
        image[kept++] = e.image;
        begin[e.image + 1]++;
    }
    add_up(begin, images->count);
    memcpy(next, begin, ((size_t)images->count + 1) * sizeof *next);
    for (size_t i = 0; i < kept; i++)
        sorted[next[image[i]]++] = read[i];
    out->unknown = (int64_t)(count - kept);
    out->set.found = sorted;
    out->set.found_begin = begin;
done:
    return st;
}

static waio_status read_names(waio_coco_files *out, const cJSON *list, const id_list *classes,
                              waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const cJSON *item = NULL;

    WAIO_NEW(st, out->class_name, arena, (size_t)classes->count);
    cJSON_ArrayForEach(item, list)
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "name"));
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(item, "id");
        char *copy = waio_arena_strdup(arena, name ? name : "");
        if (!copy)
            return WAIO_ENOMEM;
        out->class_name[place_of(classes, (int64_t)id->valuedouble)] = copy;
    }
done:
    return st;
}

static waio_status read_annotations(waio_coco_files *out, const cJSON *root, id_list *images,
                                    id_list *classes, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const cJSON *image_list = NULL, *truth_list = NULL, *class_list = NULL;

    WAIO_TRY(st, get_list(&image_list, root, "images"));
    WAIO_TRY(st, get_list(&truth_list, root, "annotations"));
    WAIO_TRY(st, get_list(&class_list, root, "categories"));
    WAIO_TRY(st, read_ids(images, image_list, "images", INT64_MIN / 1024, arena));
    WAIO_TRY(st, read_ids(classes, class_list, "categories", INT64_MIN / 1024, arena));
    out->set.images = images->count;
    out->set.classes = (int)classes->count;
    WAIO_TRY(st, read_names(out, class_list, classes, arena));
    WAIO_TRY(st, read_truth(out, truth_list, images, classes, arena));
done:
    return st;
}

waio_status waio_coco_read(waio_coco_files *out, const char *results, const char *annotations,
                           waio_arena *arena)
{
    waio_status st = WAIO_OK;
    cJSON *truth = NULL, *found = NULL;
    id_list images = {0}, classes = {0};

    *out = (waio_coco_files){0};
    WAIO_TRY(st, read_json(&truth, annotations, arena));
    if ((st = read_annotations(out, truth, &images, &classes, arena)) != WAIO_OK) {
        waio_error_context(st, "%s", annotations);
        goto done;
    }
    WAIO_TRY(st, read_json(&found, results, arena));
    if ((st = read_found(out, found, &images, &classes, arena)) != WAIO_OK)
        waio_error_context(st, "%s", results);
done:
    cJSON_Delete(truth);
    cJSON_Delete(found);
    return st;
}
