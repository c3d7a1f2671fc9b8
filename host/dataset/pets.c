/* Oxford-IIIT Pet. list.txt has all images and so every class; trainval.txt and test.txt the
 * splits. A class is called as its images are, without their number. */
#include <stdio.h>
#include <string.h>

#include "dataset/image_set.h"
#include "dataset/listing.h"
#include "dataset/resize.h"
#include "util/file.h"

enum { MAX_IMAGES = 1 << 22, MAX_CLASSES = 1000, IMAGENET = 1000 };

typedef struct pets {
    waio_dataset *dataset;
    int classes;                         /* seen so far */
    const char *class_name[MAX_CLASSES]; /* NULL: not seen */
    int imagenet[MAX_CLASSES];           /* index of the class, without background; -1: none */
    const char **name;                   /* of the split */
    uint16_t *label;
    int *line;
    int64_t count, room;
} pets;

/* "great_pyrenees_12": the class before the last '_', digits behind it. */
static waio_status class_of(const char **out, const char *name, waio_arena *arena)
{
    const char *last = strrchr(name, '_');

    if (!last || last == name || strspn(last + 1, "0123456789") != strlen(last + 1) || !last[1])
        return waio_error(WAIO_EINPUT, "\"%.60s\" is no image name, expected CLASS_NUMBER", name);
    *out = waio_arena_printf(arena, "%.*s", (int)(last - name), name);
    return *out ? WAIO_OK : WAIO_ENOMEM;
}

/* Learns the class of a line NAME CLASS [SPECIES BREED]. */
static waio_status take_class(pets *p, const waio_line *line, int *class_index)
{
    waio_status st = WAIO_OK;
    const char *name = NULL;
    int most = p->dataset->classes ? p->dataset->classes : MAX_CLASSES, id = 0;

    if (line->fields != 2 && line->fields != 4)
        WAIO_FAIL(st, WAIO_EINPUT, "%d words, expected NAME CLASS SPECIES BREED", line->fields);
    WAIO_TRY(st, waio_name_check(line->field[0]));
    WAIO_TRY(st, waio_number_read(&id, line->field[1], 1, most, "the class"));
    WAIO_TRY(st, class_of(&name, line->field[0], p->dataset->arena));
    const char **known = &p->class_name[id - 1];
    if (*known && strcmp(*known, name) != 0)
        WAIO_FAIL(st, WAIO_EINPUT, "class %d is %s here, before it was %s", id, name, *known);
    *known = name;
    p->classes = id > p->classes ? id : p->classes;
    *class_index = id - 1;
done:
    return st;
}

static waio_status learn_line(void *payload, const waio_line *line)
{
    int class_index;
    return take_class(payload, line, &class_index);
}

static waio_status grow(pets *p)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = p->dataset->arena;
    int64_t room = p->room ? 2 * p->room : 4096;
    const char **name = NULL;
    uint16_t *label = NULL;
    int *line = NULL;

    if (p->count < p->room)
        return WAIO_OK;
    if (room > MAX_IMAGES)
        WAIO_FAIL(st, WAIO_EINPUT, "more than %d images", MAX_IMAGES / 2);
    WAIO_NEW(st, name, arena, (size_t)room);
    WAIO_NEW(st, label, arena, (size_t)room);
    WAIO_NEW(st, line, arena, (size_t)room);
    if (p->count) {
        memcpy(name, p->name, (size_t)p->count * sizeof *name);
        memcpy(label, p->label, (size_t)p->count * sizeof *label);
        memcpy(line, p->line, (size_t)p->count * sizeof *line);
    }
    p->name = name;
    p->label = label;
    p->line = line;
    p->room = room;
done:
    return st;
}

static waio_status take_image(void *payload, const waio_line *line)
{
    waio_status st = WAIO_OK;
    pets *p = payload;
    int class_index = 0;

    WAIO_TRY(st, take_class(p, line, &class_index));
    WAIO_TRY(st, grow(p));
    p->name[p->count] = line->field[0];
    p->label[p->count] = (uint16_t)class_index;
    p->line[p->count++] = line->number;
done:
    return st;
}

static waio_status read_lists(pets *p, const char *folder, const char **list)
{
    waio_status st = WAIO_OK;
    waio_dataset *d = p->dataset;
    const char *split = strcmp(d->split, "train") == 0 ? "trainval"
                        : strcmp(d->split, "all") == 0 ? "list"
                                                       : d->split;
    const char *all = waio_path_join(d->arena, folder, "annotations/list.txt");
    *list = waio_arena_printf(d->arena, "%s/annotations/%s.txt", folder, split);

    if (!all || !*list)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, waio_lines_read(all, " \t", learn_line, p, d->arena));
    WAIO_TRY(st, waio_lines_read(*list, " \t", take_image, p, d->arena));
    if (p->count == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: no images are listed", *list);
    if (d->classes && p->classes != d->classes)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %d classes, expected %d", all, p->classes, d->classes);
    for (int c = 0; c < p->classes; c++)
        if (!p->class_name[c])
            WAIO_FAIL(st, WAIO_EINPUT, "%s: no image of class %d of %d", all, c + 1, p->classes);
done:
    return st;
}

/* Reads the images that are listed (`p`), of which `source` are asked for. */
static waio_status read_images(pets *p, const char *folder, const char *list,
                               const waio_dataset_params *params)
{
    waio_status st = WAIO_OK;
    waio_dataset *d = p->dataset;
    waio_image_files files = {.list = list};
    int64_t *index = NULL, *kept = NULL, count = 0;
    const char **path = NULL, **name = NULL;
    int *line = NULL;
    uint16_t *label = NULL;
    waio_resize resize;
    waio_sha256 sha;

    WAIO_TRY(st, waio_select_images(&index, &count, &params->selection, p->count, d));
    WAIO_NEW(st, path, d->arena, (size_t)count);
    WAIO_NEW(st, name, d->arena, (size_t)count);
    WAIO_NEW(st, line, d->arena, (size_t)count);
    WAIO_NEW(st, label, d->arena, (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        path[i] = waio_arena_printf(d->arena, "%s/images/%s.jpg", folder, p->name[index[i]]);
        line[i] = p->line[index[i]];
        if (!path[i])
            WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    }
    WAIO_TRY(st, waio_resize_parse(&resize, params->resize));
    files.path = path;
    files.line = line;
    files.upright = resize.filter == WAIO_CV_LINEAR;
    waio_image_source source = waio_image_files_source(&files, count);
    WAIO_TRY(st, waio_image_set_read(d, &kept, &source, params));
    waio_sha256_init(&sha);
    waio_sha256_add(&sha, d->sha256, 64);
    for (int64_t i = 0; i < d->count; i++) {
        label[i] = p->label[index[kept[i]]];
        name[i] = p->name[index[kept[i]]];
        waio_sha256_add(&sha, &label[i], sizeof label[i]);
    }
    waio_sha256_hex(&sha, d->sha256);
    d->label = label;
    d->image_name = name;
done:
    return st;
}

waio_status waio_pets_open(waio_dataset *d, const waio_dataset_kind *kind, const char *folder,
                           const waio_dataset_params *params)
{
    waio_status st = WAIO_OK;
    pets *p = waio_arena_alloc(d->arena, sizeof *p);
    const char *list = NULL;

    if (!p)
        return WAIO_ENOMEM;
    p->dataset = d;
    WAIO_TRY(st, waio_dataset_check_split(d, kind->splits));
    WAIO_TRY(st, read_lists(p, folder, &list));
    d->classes = p->classes;
    d->class_name = p->class_name;
    WAIO_TRY(st, read_images(p, folder, list, params));
done:
    return st;
}

/* ---- the breeds that ImageNet has ---- */

static waio_status take_breed(void *payload, const waio_line *line)
{
    waio_status st = WAIO_OK;
    pets *p = payload;
    int with_background = 0, index = 0;

    if (line->number == 1)
        return WAIO_OK; /* the names of the columns */
    if (line->fields < 3)
        WAIO_FAIL(st, WAIO_EINPUT, "%d columns, expected breed, index of 1001 and of 1000 classes",
                  line->fields);
    WAIO_TRY(st, waio_number_read(&index, line->field[2], 0, IMAGENET - 1, "the class of 1000"));
    WAIO_TRY(st, waio_number_read(&with_background, line->field[1], index + 1, index + 1,
                                  "the class of 1001"));
    for (int c = 0; c < p->classes; c++)
        if (strcmp(p->class_name[c], line->field[0]) == 0) {
            p->imagenet[c] = index;
            return WAIO_OK;
        }
    WAIO_FAIL(st, WAIO_EINPUT, "\"%.60s\" is no class of list.txt", line->field[0]);
done:
    return st;
}

static waio_status name_imagenet(pets *p, int background)
{
    waio_status st = WAIO_OK;
    waio_dataset *d = p->dataset;

    d->classes = IMAGENET + background;
    WAIO_NEW(st, d->class_name, d->arena, (size_t)d->classes);
    for (int c = 0; c < d->classes; c++) {
        d->class_name[c] = waio_arena_printf(d->arena, "class_%d", c);
        if (!d->class_name[c])
            WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    }
    for (int c = 0; c < p->classes; c++)
        if (p->imagenet[c] >= 0)
            d->class_name[p->imagenet[c] + background] = p->class_name[c];
done:
    return st;
}

waio_status waio_pets_imagenet_open(waio_dataset *d, const waio_dataset_kind *kind,
                                    const char *folder, const waio_dataset_params *params)
{
    waio_status st = WAIO_OK;
    pets *p = waio_arena_alloc(d->arena, sizeof *p);
    const char *list = NULL,
               *table = waio_path_join(d->arena, folder, "annotations/imagenet_class_of_breed.tsv");
    int background = params->outputs == IMAGENET + 1;
    int64_t n = 0;

    if (!p || !table)
        return WAIO_ENOMEM;
    p->dataset = d;
    d->classes = 37;
    memset(p->imagenet, -1, sizeof p->imagenet);
    WAIO_TRY(st, waio_dataset_check_split(d, kind->splits));
    WAIO_TRY(st, read_lists(p, folder, &list));
    WAIO_TRY(st, waio_lines_read(table, "\t", take_breed, p, d->arena));
    for (int64_t i = 0; i < p->count; i++) {
        int index = p->imagenet[p->label[i]];
        if (index < 0)
            continue;
        p->name[n] = p->name[i];
        p->line[n] = p->line[i];
        p->label[n++] = (uint16_t)(index + background);
    }
    p->count = n;
    if (n == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: no image of a breed that %s has", list, table);
    WAIO_TRY(st, name_imagenet(p, background));
    WAIO_TRY(st, read_images(p, folder, list, params));
done:
    return st;
}
