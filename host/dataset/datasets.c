/* The table of data sets. */
#include "dataset/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "util/file.h"
#include "util/rng.h"

const waio_dataset_kind waio_dataset_kinds[] = {
    {"shapes", "shapes-batches-bin", "self-made shapes, drawn at build time", 32, 32, 3, 10,
     waio_cifar10_open},
    {"cifar10", "cifar-10-batches-bin", "CIFAR-10, binary version", 32, 32, 3, 10,
     waio_cifar10_open},
    {0},
};

waio_status waio_dataset_find(const waio_dataset_kind **out, const char *name)
{
    char known[256] = "";

    for (const waio_dataset_kind *kind = waio_dataset_kinds; kind->name; kind++) {
        if (strcmp(kind->name, name) == 0) {
            *out = kind;
            return WAIO_OK;
        }
        strncat(known, kind == waio_dataset_kinds ? "" : ", ", sizeof known - strlen(known) - 1);
        strncat(known, kind->name, sizeof known - strlen(known) - 1);
    }
    return waio_error(WAIO_EUSAGE, "data set \"%s\" is unknown; there are: %s", name, known);
}

waio_status waio_dataset_open(waio_dataset **out, const char *name, const char *split,
                              const char *data_dir, const waio_selection *selection)
{
    waio_status st = WAIO_OK;
    const waio_dataset_kind *kind = NULL;
    waio_dataset *dataset = NULL;

    WAIO_TRY(st, waio_dataset_find(&kind, name));
    dataset = calloc(1, sizeof *dataset);
    if (!dataset || !(dataset->arena = waio_arena_new()))
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    dataset->name = kind->name;
    dataset->split = waio_arena_strdup(dataset->arena, split);
    dataset->height = kind->height;
    dataset->width = kind->width;
    dataset->channels = kind->channels;
    dataset->classes = kind->classes;
    const char *folder = waio_path_join(dataset->arena, data_dir, kind->folder);
    if (!folder || !dataset->split)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    if (!waio_dir_exists(folder))
        WAIO_FAIL(st, WAIO_EINPUT,
                  "data set %s: there is no folder %s (--data or WAIO_DATA names the folder that "
                  "holds %s)",
                  name, folder, kind->folder);
    WAIO_TRY(st, kind->open(dataset, folder, selection));
    *out = dataset;
    dataset = NULL;
done:
    waio_dataset_close(dataset);
    return st;
}

waio_status waio_select_images(int64_t **index, int64_t *count, const waio_selection *selection,
                               int64_t total, const waio_dataset *dataset)
{
    waio_status st = WAIO_OK;
    waio_rng rng = {selection->seed};

    if (selection->count > total)
        WAIO_FAIL(st, WAIO_EINPUT, "data set %s: %lld images asked for, the split %s has %lld",
                  dataset->name, (long long)selection->count, dataset->split, (long long)total);
    WAIO_NEW(st, *index, dataset->arena, (size_t)total);
    for (int64_t i = 0; i < total; i++)
        (*index)[i] = i;
    *count = selection->count ? selection->count : total;
    if (selection->sample)
        *count = selection->sample < total ? selection->sample : total;
    for (int64_t i = 0; selection->sample && i < *count; i++) {
        int64_t j = i + (int64_t)waio_rng_below(&rng, (uint64_t)(total - i));
        int64_t other = (*index)[j];
        (*index)[j] = (*index)[i];
        (*index)[i] = other;
    }
done:
    return st;
}

void waio_dataset_close(waio_dataset *dataset)
{
    if (!dataset)
        return;
    waio_arena_free(dataset->arena);
    free(dataset);
}
