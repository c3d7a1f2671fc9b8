/* Pascal VOC's folders: ImageSets/Main/SPLIT.txt names the images, Annotations/ID.xml says what is
 * in them, JPEGImages/ID.jpg are they. */
#include <stdio.h>
#include <string.h>

#include "dataset/image_set.h"
#include "dataset/listing.h"
#include "dataset/resize.h"
#include "dataset/voc_xml.h"
#include "util/file.h"

enum { MAX_IMAGES = 1 << 22 };

typedef struct id_list {
    waio_arena *arena;
    const char **id;
    int *line;
    int64_t count, room;
} id_list;

static waio_status take_id(void *payload, const waio_line *line)
{
    waio_status st = WAIO_OK;
    id_list *l = payload;

    if (line->fields != 1)
        WAIO_FAIL(st, WAIO_EINPUT, "%d words, expected the name of one image", line->fields);
    WAIO_TRY(st, waio_name_check(line->field[0]));
    if (l->count == l->room) {
        int64_t room = l->room ? 2 * l->room : 4096;
        const char **id = NULL;
        int *number = NULL;
        if (room > MAX_IMAGES)
            WAIO_FAIL(st, WAIO_EINPUT, "more than %d images", MAX_IMAGES / 2);
        WAIO_NEW(st, id, l->arena, (size_t)room);
        WAIO_NEW(st, number, l->arena, (size_t)room);
        if (l->count) {
            memcpy(id, l->id, (size_t)l->count * sizeof *id);
            memcpy(number, l->line, (size_t)l->count * sizeof *number);
        }
        l->id = id;
        l->line = number;
        l->room = room;
    }
    l->id[l->count] = line->field[0];
    l->line[l->count++] = line->number;
done:
    return st;
}

/* The selected images whose annotation is good. */
typedef struct selected {
    waio_voc_annotation *annotation;
    const char **path, **id;
    int *line;
    int64_t count;
} selected;

static waio_status check_boxes(void *payload, int64_t index, waio_image_size size)
{
    const selected *s = payload;
    return waio_voc_annotation_check(&s->annotation[index], size);
}

static waio_status read_annotations(selected *s, waio_dataset *d, const waio_dataset_kind *kind,
                                    const id_list *ids, const char *list, const int64_t *index,
                                    int64_t count, const char *folder,
                                    const waio_dataset_params *params)
{
    waio_status st = WAIO_OK;

    WAIO_NEW(st, s->annotation, d->arena, (size_t)count);
    WAIO_NEW(st, s->path, d->arena, (size_t)count);
    WAIO_NEW(st, s->id, d->arena, (size_t)count);
    WAIO_NEW(st, s->line, d->arena, (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        const char *id = ids->id[index[i]];
        int64_t n = s->count;
        const char *xml = waio_arena_printf(d->arena, "%s/Annotations/%s.xml", folder, id);
        s->path[n] = waio_arena_printf(d->arena, "%s/JPEGImages/%s.jpg", folder, id);
        s->id[n] = id;
        s->line[n] = ids->line[index[i]];
        if (!xml || !s->path[n])
            WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
        st = waio_voc_annotation_read(&s->annotation[n], xml, kind->class_names, kind->classes,
                                      d->arena);
        if (st == WAIO_OK) {
            s->count++;
            continue;
        }
        waio_error_context(st, "%s:%d", list, s->line[n]);
        if (st != WAIO_EINPUT || !params->skip_bad)
            goto done;
        if (params->problem)
            params->problem(params->problem_payload, waio_error_message());
        if (!d->notes.first_skipped)
            d->notes.first_skipped = waio_arena_strdup(d->arena, waio_error_message());
        st = WAIO_OK;
    }
done:
    return st;
}

/* Objects and notes of the images that were kept. */
static waio_status take_objects(waio_dataset *d, const selected *s, const int64_t *kept)
{
    waio_status st = WAIO_OK;
    waio_object *object = NULL;
    int64_t *begin = NULL, total = 0;
    const char **name = NULL;
    waio_sha256 sha;

    for (int64_t i = 0; i < d->count; i++)
        total += s->annotation[kept[i]].count;
    WAIO_NEW(st, object, d->arena, (size_t)total);
    WAIO_NEW(st, begin, d->arena, (size_t)d->count + 1);
    WAIO_NEW(st, name, d->arena, (size_t)d->count);
    waio_sha256_init(&sha);
    waio_sha256_add(&sha, d->sha256, 64);
    for (int64_t i = 0; i < d->count; i++) {
        const waio_voc_annotation *a = &s->annotation[kept[i]];
        const waio_image_size *size = &d->image_size[i];
        if (a->count)
            memcpy(object + begin[i], a->object, (size_t)a->count * sizeof *object);
        begin[i + 1] = begin[i] + a->count;
        name[i] = s->id[kept[i]];
        d->notes.no_truncated += a->no_truncated;
        d->notes.no_difficult += a->no_difficult;
        d->notes.no_pose += a->no_pose;
        d->notes.other_size += a->width != size->width || a->height != size->height;
        waio_sha256_add(&sha, a->sha256, 64);
    }
    waio_sha256_hex(&sha, d->sha256);
    d->object = object;
    d->object_begin = begin;
    d->image_name = name;
done:
    return st;
}

static waio_status read_images(waio_dataset *d, selected *s, const char *list,
                               const waio_dataset_params *params)
{
    waio_status st = WAIO_OK;
    waio_image_files files = {
        .path = s->path, .list = list, .line = s->line, .check = check_boxes, .payload = s};
    const char *first = d->notes.first_skipped;
    int64_t *kept = NULL;
    waio_resize resize;

    WAIO_TRY(st, waio_resize_parse(&resize, params->resize));
    files.upright = resize.filter == WAIO_CV_LINEAR;
    waio_image_source source = waio_image_files_source(&files, s->count);
    WAIO_TRY(st, waio_image_set_read(d, &kept, &source, params));
    if (first)
        d->notes.first_skipped = first;
    WAIO_TRY(st, take_objects(d, s, kept));
done:
    return st;
}

waio_status waio_voc_open(waio_dataset *d, const waio_dataset_kind *kind, const char *folder,
                          const waio_dataset_params *params)
{
    waio_status st = WAIO_OK;
    id_list ids = {.arena = d->arena};
    selected s = {0};
    int64_t *index = NULL, count = 0;
    const char *list = waio_arena_printf(d->arena, "%s/ImageSets/Main/%s.txt", folder, d->split);

    if (!list)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_dataset_check_split(d, kind->splits));
    WAIO_NEW(st, d->class_name, d->arena, (size_t)kind->classes);
    memcpy(d->class_name, kind->class_names, (size_t)kind->classes * sizeof *d->class_name);
    WAIO_TRY(st, waio_lines_read(list, " \t", take_id, &ids, d->arena));
    if (ids.count == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: no images are listed", list);
    WAIO_TRY(st, waio_select_images(&index, &count, &params->selection, ids.count, d));
    WAIO_TRY(st, read_annotations(&s, d, kind, &ids, list, index, count, folder, params));
    if (s.count == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: not one annotation is good; the first: %s", list,
                  d->notes.first_skipped);
    WAIO_TRY(st, read_images(d, &s, list, params));
    d->notes.skipped += count - s.count;
done:
    return st;
}
