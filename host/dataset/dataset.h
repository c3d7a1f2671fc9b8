/* Labelled image sets, decoded once and held as bytes. */
#ifndef WAIO_DATASET_DATASET_H
#define WAIO_DATASET_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "util/arena.h"
#include "util/status.h"

/* An annotated object of a detection set. */
typedef struct waio_object {
    double x, y, width, height; /* in pixels of the image as stored; the first pixel begins at 0 */
    int class_index;            /* below `classes` */
    bool difficult, truncated, crowd;
} waio_object;

typedef struct waio_image_size {
    int32_t height, width; /* in pixels, as stored */
} waio_image_size;

typedef struct waio_dataset {
    waio_arena *arena; /* everything below lives here */
    const char *name, *split;
    int64_t count;
    int height, width, channels; /* channels in the order R, G, B */
    int classes;
    const char **class_name;    /* `classes` names */
    const unsigned char *image; /* (count, height, width, channels) */
    const uint16_t *label;      /* (count), each below `classes`; NULL: a detection set */
    /* Of a detection set; else NULL. */
    const waio_object *object;         /* image by image */
    const int64_t *object_begin;       /* (count + 1): image i has objects begin[i] to begin[i+1] */
    const waio_image_size *image_size; /* (count), before resizing */
    const char *const *image_name;     /* (count), file names without folder and extension */
    char sha256[65];                   /* of the images and labels as stored, in file order */
} waio_dataset;

/* Which images of a split are read. */
typedef struct waio_selection {
    int64_t count;  /* 0: all of the split */
    int64_t sample; /* above 0: so many of the split, or all if it has fewer, in seeded order */
    uint64_t seed;  /* of the sample */
} waio_selection;

typedef struct waio_dataset_kind {
    const char *name;
    const char *folder; /* below the data folder */
    const char *summary;
    int height, width, channels, classes;
    waio_status (*open)(waio_dataset *dataset, const char *folder, const waio_selection *selection);
} waio_dataset_kind;

/* All data sets there are; ends in a row without a name. */
extern const waio_dataset_kind waio_dataset_kinds[];

/* The row called `name`; WAIO_EUSAGE with the list if there is none. */
waio_status waio_dataset_find(const waio_dataset_kind **out, const char *name);

/* Opens a split ("train" or "test"): the first `count` images, or a sample. `data_dir` is the
 * folder that holds the data set's own folder. WAIO_EINPUT: a file is missing, too short or too
 * long, or a label is out of range (file and record). Close with waio_dataset_close. */
waio_status waio_dataset_open(waio_dataset **out, const char *name, const char *split,
                              const char *data_dir, const waio_selection *selection);
void waio_dataset_close(waio_dataset *dataset);

/* The indices of the selected images of a split of `total`, in `arena`: 0, 1, ... or the sample
 * (the head of a Fisher-Yates shuffle). `count` receives how many. WAIO_EINPUT if the split has
 * fewer. */
waio_status waio_select_images(int64_t **index, int64_t *count, const waio_selection *selection,
                               int64_t total, const waio_dataset *dataset);

/* CIFAR-10's binary version: records of 1 label byte and 3 planes of 32x32 bytes (R, G, B), in
 * test_batch.bin and data_batch_1.bin to data_batch_5.bin (1 to 5 of them, without a gap);
 * class names in batches.meta.txt. */
waio_status waio_cifar10_open(waio_dataset *dataset, const char *folder,
                              const waio_selection *selection);

#endif
