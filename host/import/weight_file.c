/* Keras 2, and Keras 3's .h5, keep ".../LAYER/kernel:0" (the suffix only in Keras 2); Keras 3's
 * .weights.h5 keeps "layers/conv2d_3/vars/0" with the layer's name as an attribute of "vars".
 * What an optimizer has left is no weight. */
#include "import/weight_file.h"

#include <stdlib.h>
#include <string.h>

#include "import/h5_read.h"
#include "util/arena.h"

struct waio_weight_file {
    waio_h5 *h5;
    waio_arena *arena;
    waio_weight_entry *entry;
    int count;
};

static bool of_optimizer(const char *path)
{
    return strncmp(path, "optimizer", strlen("optimizer")) == 0;
}

/* Cuts the last part off `path` and returns it; `path` itself if it is the only one. */
static char *cut_last(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash)
        *slash = '\0';
    return slash ? slash + 1 : path;
}

static waio_status describe(waio_weight_entry *out, const waio_weight_file *file, const char *path)
{
    char *group = waio_arena_strdup(file->arena, path), *name, *last, *layer = NULL;
    waio_status st = WAIO_OK;
    bool named = false;

    if (!group)
        return WAIO_ENOMEM;
    last = cut_last(group);
    *out = (waio_weight_entry){.path = path};
    if (last == group) { /* at the root: no layer's */
        out->layer = "";
        out->weight = last;
        return WAIO_OK;
    }
    if (strspn(last, "0123456789") == strlen(last))
        WAIO_TRY(st, waio_h5_has_attribute(&named, file->h5, group, "name"));
    if (named) {
        WAIO_TRY(st, waio_h5_string(&layer, file->h5, group, "name", file->arena));
        out->layer = layer;
        out->place = atoi(last);
        return WAIO_OK;
    }
    last[strcspn(last, ":")] = '\0';
    name = cut_last(group);
    out->layer = name;
    out->weight = last;
done:
    return st;
}

static int compare_entries(const void *a, const void *b)
{
    const waio_weight_entry *x = a, *y = b;
    int order = strcmp(x->layer, y->layer);

    if (order == 0)
        order = x->place - y->place;
    return order ? order : strcmp(x->path, y->path);
}

static waio_status check_unique(const waio_weight_file *file)
{
    for (int i = 1; i < file->count; i++) {
        const waio_weight_entry *a = &file->entry[i - 1], *b = &file->entry[i];
        bool same =
            strcmp(a->layer, b->layer) == 0 &&
            (a->weight && b->weight ? strcmp(a->weight, b->weight) == 0 : a->place == b->place);
        if (same)
            return waio_error(WAIO_EINPUT, "layer \"%s\" stands there twice: /%s and /%s", a->layer,
                              a->path, b->path);
    }
    return WAIO_OK;
}

static waio_status read_entries(waio_weight_file *file)
{
    waio_status st = WAIO_OK;
    char **path = NULL;
    int count = 0;

    WAIO_TRY(st, waio_h5_datasets(&path, &count, file->h5, file->arena));
    WAIO_NEW(st, file->entry, file->arena, (size_t)count);
    for (int i = 0; i < count; i++)
        if (!of_optimizer(path[i]))
            WAIO_TRY(st, describe(&file->entry[file->count++], file, path[i]));
    if (file->count == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "there are no weights in the file");
    qsort(file->entry, (size_t)file->count, sizeof *file->entry, compare_entries);
    WAIO_TRY(st, check_unique(file));
done:
    return st;
}

waio_status waio_weight_file_open(waio_weight_file **out, const char *path)
{
    waio_weight_file *file = calloc(1, sizeof *file);
    waio_status st = WAIO_OK;

    *out = NULL;
    if (!file || !(file->arena = waio_arena_new()))
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, waio_h5_open(&file->h5, path));
    if ((st = read_entries(file)) != WAIO_OK) {
        waio_error_context(st, "%s", path);
        goto done;
    }
    *out = file;
    file = NULL;
done:
    waio_weight_file_close(file);
    return st;
}

void waio_weight_file_close(waio_weight_file *file)
{
    if (!file)
        return;
    waio_h5_close(file->h5);
    if (file->arena)
        waio_arena_free(file->arena);
    free(file);
}

int waio_weight_file_count(const waio_weight_file *file)
{
    return file->count;
}

const waio_weight_entry *waio_weight_file_entry(const waio_weight_file *file, int index)
{
    return &file->entry[index];
}

waio_status waio_weight_file_shape(waio_shape *out, const waio_weight_file *file,
                                   const waio_weight_entry *entry)
{
    return waio_h5_shape(out, file->h5, "", entry->path);
}

waio_status waio_weight_file_read(float *out, int64_t count, const waio_weight_file *file,
                                  const waio_weight_entry *entry)
{
    return waio_h5_floats(out, count, file->h5, "", entry->path);
}
