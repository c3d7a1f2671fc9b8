/* Labelled image sets, decoded once, brought to the network's size and held as bytes. */
#ifndef WAIO_DATASET_DATASET_H
#define WAIO_DATASET_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/arena.h"
#include "util/status.h"

/* An annotated object of a detection set. VOC's corners are taken as the OD API takes them: x =
 * xmin, width = xmax - xmin, nothing subtracted or added. */
typedef struct waio_object {
    double x, y, width, height; /* in pixels of the image as stored */
    int class_index;            /* below `classes` */
    bool difficult, truncated, crowd;
} waio_object;

typedef struct waio_image_size {
    int32_t height, width; /* in pixels, as stored */
} waio_image_size;

/* What reading a set met that a result should be read with. */
typedef struct waio_dataset_notes {
    int64_t skipped;           /* bad images left out, by skip_bad */
    const char *first_skipped; /* what was wrong with the first of them; NULL: none */
    /* Objects without the element, which got `false`, `false` and no meaning. */
    int64_t no_truncated, no_difficult, no_pose;
    int64_t other_size; /* annotations that state another size than the image has */
} waio_dataset_notes;

typedef struct waio_dataset {
    waio_arena *arena; /* everything below lives here, but for mapped images */
    const char *name, *split;
    int64_t count, split_count;  /* images here; what the split lists, before any selection */
    int height, width, channels; /* channels in the order R, G, B */
    int classes;
    const char **class_name;    /* `classes` names */
    const unsigned char *image; /* (count, height, width, channels) */
    const uint16_t *label;      /* (count), each below `classes`; NULL: a detection set */
    /* Of a detection set; else NULL. */
    const waio_object *object;         /* image by image */
    const int64_t *object_begin;       /* (count + 1): image i has objects begin[i] to begin[i+1] */
    const waio_image_size *image_size; /* (count), before resizing; of a set of files */
    const char *const *image_name; /* (count), without folder and extension; of a set of files */
    char sha256[65];               /* of the images and labels as stored, in file order */
    const char *resize;            /* canonical text (resize.h) of what the images went through;
                                    * "none": they are as stored */
    waio_dataset_notes notes;
    void *mapping; /* the memory or cache file that `image` points into; NULL: the arena's */
    size_t mapping_bytes;
    bool on_disk; /* the images are a mapped cache file: they take no memory of their own */
} waio_dataset;

/* Which images of a split are read. */
typedef struct waio_selection {
    int64_t count;  /* 0: all of the split */
    int64_t sample; /* above 0: so many of the split, or all if it has fewer, in seeded order */
    uint64_t seed;  /* of the sample */
} waio_selection;

/* Called while images are decoded, about five times a second, by one thread at a time. Anything but
 * WAIO_OK ends the reading. */
typedef struct waio_reading {
    waio_status (*update)(void *payload, const char *set, const char *split, int64_t done,
                          int64_t total);
    void *payload;
} waio_reading;

typedef struct waio_dataset_params {
    const char *data_dir; /* the folder that holds the data set's own folder */
    const char *split;
    waio_selection selection;
    int height, width;  /* that images are brought to; 0: as stored, for sets of one size */
    const char *resize; /* a pipeline of resize.h; NULL: the data set's default */
    int outputs;        /* of the network, for sets that can be numbered two ways; 0: not known */
    bool skip_bad;      /* bad images and annotations are counted and left out, else an error */
    int threads;        /* that decode; 0: one */
    int64_t memory;     /* the most bytes that decoded images may take; 0: no limit */
    const char *cache;  /* folder for decoded images; NULL: none is written or read */
    /* Told of each bad image that skip_bad leaves out, by several threads; NULL: nobody is. */
    void (*problem)(void *payload, const char *text);
    void *problem_payload;
    const waio_reading *reading; /* NULL: nobody looks */
    /* The set may be one that was opened before with the same params, files unlooked at, and stays
     * in memory when it is closed until another is opened: for the sessions of a suite. */
    bool keep;
} waio_dataset_params;

typedef struct waio_dataset_kind {
    const char *name;   /* "voc:YEAR": any name that begins with what stands before YEAR */
    const char *folder; /* below the data folder; of voc:YEAR that of all years */
    const char *summary;
    const char *splits; /* "test train": what there is */
    int height, width;  /* of the stored images; 0: any */
    int classes;        /* 0: as the set's files say */
    const char *resize; /* default pipeline */
    bool detection;
    const char *const *class_names; /* NULL: as the set's files say */
    waio_status (*open)(waio_dataset *dataset, const struct waio_dataset_kind *kind,
                        const char *folder, const waio_dataset_params *params);
} waio_dataset_kind;

/* All data sets there are; ends in a row without a name. */
extern const waio_dataset_kind waio_dataset_kinds[];

/* The row called `name`; WAIO_EUSAGE with the list if there is none. */
waio_status waio_dataset_find(const waio_dataset_kind **out, const char *name);
/* The folder below the data folder of set `name`, which is of `kind`; NULL: out of memory. */
const char *waio_dataset_folder(const waio_dataset_kind *kind, const char *name, waio_arena *arena);

/* Opens a split: the first images of it, all, or a sample. WAIO_EUSAGE: no such set, split or
 * pipeline. WAIO_EINPUT: a file is missing or broken, or a label or an object is out of range (file
 * and record, line or byte). WAIO_ENOMEM: more images than `memory` holds, and no cache. Close with
 * waio_dataset_close. */
waio_status waio_dataset_open(waio_dataset **out, const char *name,
                              const waio_dataset_params *params);
void waio_dataset_close(waio_dataset *dataset);

/* Bytes of memory that the set's images take. */
int64_t waio_dataset_bytes(const waio_dataset *dataset);

/* What its notes come to, as lines for people that begin with the set's name and split; "" if
 * nothing. */
enum { WAIO_NOTES_TEXT = 1200 };
const char *waio_dataset_notes_text(const waio_dataset *dataset, char text[WAIO_NOTES_TEXT]);

/* How image `index` lies in the network's input: a place x, y of the stored image is at
 * x * scale_x - left, y * scale_y - top there. */
typedef struct waio_placement {
    double scale_x, scale_y, left, top;
} waio_placement;
waio_placement waio_dataset_placement(const waio_dataset *dataset, int64_t index);

/* WAIO_EUSAGE with the list unless the split is among `splits`, words with spaces between. */
waio_status waio_dataset_check_split(const waio_dataset *dataset, const char *splits);

/* The indices of the selected images of a split of `total`, in `arena`: 0, 1, ... or the sample
 * (the head of a Fisher-Yates shuffle). `count` receives how many. WAIO_EINPUT if the split has
 * fewer. */
waio_status waio_select_images(int64_t **index, int64_t *count, const waio_selection *selection,
                               int64_t total, waio_dataset *dataset);

/* CIFAR-10's binary version: records of 1 label byte and 3 planes of 32x32 bytes (R, G, B), in
 * test_batch.bin and data_batch_1.bin to data_batch_5.bin (1 to 5 of them, without a gap);
 * class names in batches.meta.txt. */
waio_status waio_cifar10_open(waio_dataset *dataset, const waio_dataset_kind *kind,
                              const char *folder, const waio_dataset_params *params);

/* Oxford-IIIT Pet: annotations/{list,trainval,test}.txt with lines NAME CLASS SPECIES BREED, images
 * in images/NAME.jpg. Class names are the file names without their number, in label order. */
waio_status waio_pets_open(waio_dataset *dataset, const waio_dataset_kind *kind, const char *folder,
                           const waio_dataset_params *params);
/* The images of it whose breed is a class of ImageNet, labelled so, by
 * annotations/imagenet_class_of_breed.tsv: numbered 0 to 999, or 0 to 1000 with background first
 * where the network has 1001 outputs. */
waio_status waio_pets_imagenet_open(waio_dataset *dataset, const waio_dataset_kind *kind,
                                    const char *folder, const waio_dataset_params *params);

/* Pascal VOC: ids in ImageSets/Main/SPLIT.txt, Annotations/ID.xml, JPEGImages/ID.jpg. */
waio_status waio_voc_open(waio_dataset *dataset, const waio_dataset_kind *kind, const char *folder,
                          const waio_dataset_params *params);

#endif
