/* The table of data sets, and what all of them have in common. */
#include "dataset/dataset.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataset/resize.h"
#include "util/file.h"
#include "util/rng.h"

static const char *const voc_classes[] = {
    "aeroplane", "bicycle",     "bird",  "boat",        "bottle", "bus",      "car",
    "cat",       "chair",       "cow",   "diningtable", "dog",    "horse",    "motorbike",
    "person",    "pottedplant", "sheep", "sofa",        "train",  "tvmonitor"};
static const char *const shape_classes[] = {"disc", "ring",  "square",   "triangle", "hexagon",
                                            "star", "cross", "crescent", "arrow",    "heart"};

#define VOC .detection = true, .open = waio_voc_open, .resize = "tf-bilinear"
/* clang-format off */
const waio_dataset_kind waio_dataset_kinds[] = {
    {"shapes", "shapes-batches-bin", "self-made shapes, drawn at build time", "test train", 32, 32,
     10, "pil-bilinear", .open = waio_cifar10_open},
    {"shapes_pets", "shapes-iiit-pet", "the same as photographs in the layout of oxford_pets",
     "test trainval train all", .resize = "pil-bilinear", .open = waio_pets_open},
    {"shapes_voc", "VOCdevkit/SHAPES", "pictures of several shapes in the layout of VOC",
     "test train val trainval", .classes = 10, VOC, .class_names = shape_classes},
    {"cifar10", "cifar-10-batches-bin", "CIFAR-10, binary version", "test train", 32, 32, 10,
     "pil-bilinear", .open = waio_cifar10_open},
    {"oxford_pets", "oxford-iiit-pet", "Oxford-IIIT Pet, 37 breeds", "test trainval train all",
     .classes = 37, .resize = "pil-bilinear", .open = waio_pets_open},
    {"oxford_pets_imagenet", "oxford-iiit-pet",
     "the images of it whose breed is a class of ImageNet, labelled so", "test trainval train all",
     .classes = 1000, .resize = "pil-bilinear/crop", .open = waio_pets_imagenet_open},
    {"voc2007", "VOCdevkit/VOC2007", "Pascal VOC 2007", "test train val trainval", .classes = 20,
     VOC, .class_names = voc_classes},
    {"voc2012", "VOCdevkit/VOC2012", "Pascal VOC 2012", "val train trainval test", .classes = 20,
     VOC, .class_names = voc_classes},
    {"voc:YEAR", "VOCdevkit", "any other folder in there, named YEAR, with VOC's classes",
     "test train val trainval", .classes = 20, VOC, .class_names = voc_classes},
    {0},
};
/* clang-format on */

/* "voc:YEAR" takes "voc:" and a name, which is no path. */
static bool is_called(const waio_dataset_kind *kind, const char *name)
{
    const char *year = strstr(kind->name, "YEAR");
    size_t n = year ? (size_t)(year - kind->name) : 0;

    if (!year)
        return strcmp(kind->name, name) == 0;
    return strncmp(kind->name, name, n) == 0 && name[n] && name[n] != '.' &&
           strchr(name + n, '/') == NULL && strlen(name) < 100;
}

waio_status waio_dataset_find(const waio_dataset_kind **out, const char *name)
{
    char known[256] = "";

    for (const waio_dataset_kind *kind = waio_dataset_kinds; kind->name; kind++) {
        if (is_called(kind, name)) {
            *out = kind;
            return WAIO_OK;
        }
        strncat(known, kind == waio_dataset_kinds ? "" : ", ", sizeof known - strlen(known) - 1);
        strncat(known, kind->name, sizeof known - strlen(known) - 1);
    }
    return waio_error(WAIO_EUSAGE, "data set \"%s\" is unknown; there are: %s", name, known);
}

const char *waio_dataset_folder(const waio_dataset_kind *kind, const char *name, waio_arena *arena)
{
    const char *year = strstr(kind->name, "YEAR");

    return year ? waio_path_join(arena, kind->folder, name + (year - kind->name)) : kind->folder;
}

waio_status waio_dataset_check_split(const waio_dataset *dataset, const char *splits)
{
    size_t n = strlen(dataset->split);

    for (const char *word = splits; *word; word += strcspn(word, " "), word += *word == ' ')
        if (n && strcspn(word, " ") == n && strncmp(word, dataset->split, n) == 0)
            return WAIO_OK;
    return waio_error(WAIO_EUSAGE, "data set %s has no split \"%s\"; there are: %s", dataset->name,
                      dataset->split, splits);
}

/* ---- opening ---- */

static waio_status set_size(waio_dataset *dataset, const waio_dataset_kind *kind,
                            const waio_dataset_params *params)
{
    bool given = params->height && params->width;

    dataset->height = given ? params->height : kind->height;
    dataset->width = given ? params->width : kind->width;
    if (dataset->height < 1 || dataset->width < 1 || dataset->height > WAIO_MAX_SIDE ||
        dataset->width > WAIO_MAX_SIDE)
        return waio_error(WAIO_EUSAGE,
                          "data set %s: images of %dx%d cannot be made; its pictures have sizes of "
                          "their own, so a size from 1 to %d must be given",
                          dataset->name, dataset->height, dataset->width, WAIO_MAX_SIDE);
    return WAIO_OK;
}

static void free_set(waio_dataset *dataset)
{
    if (!dataset)
        return;
    if (dataset->mapping)
        munmap(dataset->mapping, dataset->mapping_bytes);
    waio_arena_free(dataset->arena);
    free(dataset);
}

static waio_status open_set(waio_dataset **out, const char *name, const waio_dataset_params *given)
{
    waio_status st = WAIO_OK;
    const waio_dataset_kind *kind = NULL;
    waio_dataset_params params = *given;
    waio_resize resize;
    waio_dataset *dataset = NULL;

    WAIO_TRY(st, waio_dataset_find(&kind, name));
    params.resize = given->resize ? given->resize : kind->resize;
    params.threads = given->threads > 0 ? given->threads : 1;
    WAIO_TRY(st, waio_resize_parse(&resize, params.resize));
    dataset = calloc(1, sizeof *dataset);
    if (!dataset || !(dataset->arena = waio_arena_new()))
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    dataset->name = waio_arena_strdup(dataset->arena, name);
    dataset->split = waio_arena_strdup(dataset->arena, params.split);
    dataset->channels = 3;
    dataset->classes = kind->classes;
    const char *below = waio_dataset_folder(kind, name, dataset->arena);
    const char *folder = below ? waio_path_join(dataset->arena, params.data_dir, below) : NULL;
    if (!folder || !dataset->split || !dataset->name)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    if (!waio_dir_exists(folder))
        WAIO_FAIL(st, WAIO_EINPUT,
                  "data set %s: there is no folder %s (--data or WAIO_DATA names the folder that "
                  "holds %s)",
                  name, folder, below);
    WAIO_TRY(st, set_size(dataset, kind, &params));
    WAIO_TRY(st, kind->open(dataset, kind, folder, &params));
    *out = dataset;
    dataset = NULL;
done:
    free_set(dataset);
    return st;
}

/* ---- sets that are kept: opened once for all sessions of a suite ---- */

enum { MAX_KEPT = 16 };

typedef struct kept_set {
    char *key; /* all that decides what the set is; NULL: a free place */
    waio_dataset *dataset;
    int users;
} kept_set;

static kept_set kept[MAX_KEPT];
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;

static char *key_of(const char *name, const waio_dataset_params *p)
{
    char *key = NULL;
    int n = asprintf(&key, "%s\n%s\n%s\n%lld %lld %llu\n%dx%d %d %d\n%s", p->data_dir, name,
                     p->split, (long long)p->selection.count, (long long)p->selection.sample,
                     (unsigned long long)p->selection.seed, p->height, p->width, p->outputs,
                     p->skip_bad, p->resize ? p->resize : "");
    return n < 0 ? NULL : key;
}

static void drop_unused(void)
{
    for (int i = 0; i < MAX_KEPT; i++)
        if (kept[i].key && kept[i].users == 0) {
            free(kept[i].key);
            free_set(kept[i].dataset);
            kept[i] = (kept_set){0};
        }
}

static waio_status open_kept(waio_dataset **out, const char *name,
                             const waio_dataset_params *params)
{
    waio_status st = WAIO_OK;
    char *key = key_of(name, params);
    int place = -1;

    if (!key)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int i = 0; i < MAX_KEPT; i++)
        if (kept[i].key && strcmp(kept[i].key, key) == 0) {
            kept[i].users++;
            *out = kept[i].dataset;
            goto done;
        }
    drop_unused();
    WAIO_TRY(st, open_set(out, name, params));
    for (int i = 0; i < MAX_KEPT && place < 0; i++)
        if (!kept[i].key)
            place = i;
    if (place >= 0) {
        kept[place] = (kept_set){key, *out, 1};
        key = NULL;
    }
done:
    free(key);
    return st;
}

waio_status waio_dataset_open(waio_dataset **out, const char *name,
                              const waio_dataset_params *params)
{
    if (!params->keep)
        return open_set(out, name, params);
    pthread_mutex_lock(&kept_lock);
    waio_status st = open_kept(out, name, params);
    pthread_mutex_unlock(&kept_lock);
    return st;
}

static bool give_back(const waio_dataset *dataset)
{
    bool is_kept = false;

    pthread_mutex_lock(&kept_lock);
    for (int i = 0; i < MAX_KEPT && !is_kept; i++)
        if (kept[i].key && kept[i].dataset == dataset) {
            kept[i].users--;
            is_kept = true;
        }
    pthread_mutex_unlock(&kept_lock);
    return is_kept;
}

void waio_dataset_close(waio_dataset *dataset)
{
    if (dataset && dataset->image && give_back(dataset))
        return;
    free_set(dataset);
}

/* ---- the rest ---- */

waio_status waio_select_images(int64_t **index, int64_t *count, const waio_selection *selection,
                               int64_t total, waio_dataset *dataset)
{
    waio_status st = WAIO_OK;
    waio_rng rng = {selection->seed};

    if (selection->count > total)
        WAIO_FAIL(st, WAIO_EINPUT, "data set %s: %lld images asked for, the split %s has %lld",
                  dataset->name, (long long)selection->count, dataset->split, (long long)total);
    dataset->split_count = total;
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

const char *waio_dataset_notes_text(const waio_dataset *d, char text[WAIO_NOTES_TEXT])
{
    const waio_dataset_notes *n = &d->notes;
    size_t at = 0;

    text[0] = '\0';
    if (n->skipped)
        at += (size_t)snprintf(
            text, WAIO_NOTES_TEXT, "%.60s, %.20s: %lld bad images left out; the first: %.500s\n",
            d->name, d->split, (long long)n->skipped, n->first_skipped ? n->first_skipped : "?");
    if (n->no_truncated || n->no_difficult || n->no_pose)
        at += (size_t)snprintf(text + at, WAIO_NOTES_TEXT - at,
                               "%.60s, %.20s: objects without truncated: %lld, taken for whole; "
                               "without difficult: %lld, taken for not; without pose: %lld\n",
                               d->name, d->split, (long long)n->no_truncated,
                               (long long)n->no_difficult, (long long)n->no_pose);
    if (n->other_size)
        snprintf(text + at, WAIO_NOTES_TEXT - at,
                 "%.60s, %.20s: %lld annotations state another size than their image has\n",
                 d->name, d->split, (long long)n->other_size);
    return text;
}

int64_t waio_dataset_bytes(const waio_dataset *dataset)
{
    return dataset->on_disk ? 0
                            : dataset->count * dataset->height * dataset->width * dataset->channels;
}

waio_placement waio_dataset_placement(const waio_dataset *d, int64_t index)
{
    waio_resize resize;
    waio_frame frame;
    waio_placement whole = {1, 1, 0, 0};

    if (!d->image_size || waio_resize_parse(&resize, d->resize) != WAIO_OK)
        return whole;
    waio_image_size size = d->image_size[index];
    if (waio_resize_frame(&frame, &resize, size.height, size.width, d->height, d->width) != WAIO_OK)
        return whole;
    double scale_x = (double)frame.width / frame.from_width;
    double scale_y = (double)frame.height / frame.from_height;
    return (waio_placement){scale_x, scale_y, frame.left + frame.from_left * scale_x,
                            frame.top + frame.from_top * scale_y};
}
