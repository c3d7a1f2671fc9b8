/* What both families of average precision are made of: per class all found boxes, best score first,
 * each marked as hit, miss or ignored against the annotations of its image. A curve and its average
 * follow from the marks alone, so images can be drawn anew (bootstrap) without matching again. */
#ifndef WAIO_METRIC_MARKS_H
#define WAIO_METRIC_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/status.h"

/* A found box, in pixels of its image. */
typedef struct waio_found {
    double x, y, width, height, score; /* score: not NaN */
    int class_index;
} waio_found;

/* An annotated box. */
typedef struct waio_truth {
    double x, y, width, height, area; /* area: as annotated, in pixels */
    int class_index;
    bool crowd;     /* COCO: a region of many; never missed, may be found often */
    bool difficult; /* VOC */
} waio_truth;

/* All of a data set, image by image: image i has found[found_begin[i]] to before
 * found[found_begin[i + 1]], and truth likewise. Every class is below `classes`. */
typedef struct waio_detection_set {
    int64_t images;
    int classes;
    const waio_found *found;
    const int64_t *found_begin;
    const waio_truth *truth;
    const int64_t *truth_begin;
    const bool *left_out; /* per class: not evaluated; NULL: all are */
} waio_detection_set;

/* COCO's ten thresholds of IoU and four ranges of area make one bit each: bit area * 10 +
 * threshold. VOC has bit 0 alone. */
enum { WAIO_COCO_THRESHOLDS = 10, WAIO_COCO_AREAS = 4 };

typedef struct waio_mark {
    int64_t image;
    double score;
    uint64_t hit, ignored; /* per bit; neither: a miss */
    int rank;              /* among those of its class and image, from 0 */
} waio_mark;

typedef struct waio_positive {
    int64_t image;
    uint64_t counted; /* per bit: it should be found */
} waio_positive;

typedef struct waio_class_marks {
    waio_mark *mark; /* by score, the highest first; ties by image, then rank */
    int64_t marks;
    waio_positive *positive; /* image by image */
    int64_t positives;
} waio_class_marks;

typedef struct waio_marks {
    int classes;
    waio_class_marks *of; /* per class */
    bool *left_out;       /* per class */
} waio_marks;

/* COCO's matching (pycocotools, evaluateImg): per image and class the 100 best boxes (ties: as
 * given). With `difficult_ignored` difficult objects are treated as crowds. `threads` share the
 * classes. Free with waio_marks_free. */
waio_status waio_marks_coco(waio_marks *out, const waio_detection_set *set, bool difficult_ignored,
                            int threads);
/* VOC's: a box looks only at the annotation of its class that it overlaps most (ties: the first);
 * at an IoU of 0.5 and more it is a hit if that is not taken, a miss if it is, ignored if that is
 * difficult and difficult ones are ignored (as the development kit does). */
waio_status waio_marks_voc(waio_marks *out, const waio_detection_set *set, bool difficult_ignored,
                           int threads);
void waio_marks_free(waio_marks *marks);

typedef enum waio_curve_kind {
    WAIO_CURVE_101,  /* mean of the precision at recalls 0, 0.01, ... 1 (COCO) */
    WAIO_CURVE_11,   /* at 0, 0.1, ... 1 (VOC 2007) */
    WAIO_CURVE_AREA, /* area below the curve (VOC 2010) */
} waio_curve_kind;

typedef struct waio_average {
    double precision; /* the average; NaN: there is nothing to find */
    double recall;    /* at the end of the curve */
} waio_average;

/* The average precision of one class at one bit over boxes of a rank below `most`. `weight` (per
 * image, NULL: 1) says how often each image counts. `scratch` holds two doubles a mark. */
waio_average waio_marks_average(const waio_class_marks *of, int bit, int most, waio_curve_kind kind,
                                const int32_t *weight, double *scratch);
/* Marks of the class that has most. */
int64_t waio_marks_most(const waio_marks *marks);

#endif
