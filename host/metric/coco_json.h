/* COCO's JSON files: annotations ("instances") and results, as pycocotools reads them. */
#ifndef WAIO_METRIC_COCO_JSON_H
#define WAIO_METRIC_COCO_JSON_H

#include "metric/marks.h"
#include "util/arena.h"

typedef struct waio_coco_files {
    waio_detection_set set;  /* images by ascending id, classes by ascending id */
    const char **class_name; /* `set.classes` of them; "" where the file has none */
    int64_t unknown;         /* results of a category that the annotations lack: left out */
} waio_coco_files;

/* Reads both; everything lives in `arena`. Of an annotation `area` (else width x height), `iscrowd`
 * and `difficult` (else 0) may be missing. WAIO_EINPUT names the file and the byte of broken JSON,
 * or the entry and what is wrong with it: a missing or wrong field, a box that is not four finite
 * numbers, an id below 1 or twice there, an image or category that is not listed. */
waio_status waio_coco_read(waio_coco_files *out, const char *results, const char *annotations,
                           waio_arena *arena);

#endif
