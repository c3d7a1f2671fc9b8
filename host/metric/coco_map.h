/* COCO's detection metrics, number for number as pycocotools gives them for boxes. */
#ifndef WAIO_METRIC_COCO_MAP_H
#define WAIO_METRIC_COCO_MAP_H

#include "metric/marks.h"

/* In the order of pycocotools' stats. */
typedef enum waio_coco_stat {
    WAIO_COCO_AP, /* mean over IoU 0.50, 0.55, ... 0.95 */
    WAIO_COCO_AP50,
    WAIO_COCO_AP75,
    WAIO_COCO_AP_SMALL, /* area up to 32 x 32 pixels */
    WAIO_COCO_AP_MEDIUM,
    WAIO_COCO_AP_LARGE, /* from 96 x 96 */
    WAIO_COCO_AR1,      /* recall with one box a class and image */
    WAIO_COCO_AR10,
    WAIO_COCO_AR100,
    WAIO_COCO_AR_SMALL,
    WAIO_COCO_AR_MEDIUM,
    WAIO_COCO_AR_LARGE,
    WAIO_COCO_STATS
} waio_coco_stat;

extern const char *const waio_coco_stat_name[WAIO_COCO_STATS];

typedef struct waio_coco_result {
    double stat[WAIO_COCO_STATS]; /* 0 to 1; -1: there is nothing to find */
} waio_coco_result;

/* `class_ap` (per class, may be NULL) receives each class's AP; NaN: nothing to find. */
waio_status waio_coco_evaluate(waio_coco_result *out, double *class_ap, const waio_marks *marks);

/* AP (`threshold` -1) or AP at one threshold (0: IoU 0.50) over images counted `weight` times
 * (NULL: once), 0 to 1; NaN: nothing to find. `scratch` as in waio_marks_average, of
 * waio_marks_most. */
double waio_coco_ap(const waio_marks *marks, int threshold, const int32_t *weight, double *scratch);

#endif
