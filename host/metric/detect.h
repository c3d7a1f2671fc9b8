/* From a detector's outputs for one image to the boxes that it found: codes to boxes, then
 * suppression of what overlaps a better one.
 *
 * Class by class: per class the anchors whose score is a candidate, best first (ties: the lower
 * anchor); each stays if its IoU with everything that stayed before is at most `most_overlap`, up
 * to `most_per_class`. Then all classes by score (ties: the lower class), clipped, without boxes of
 * no area, the best `most`. (TensorFlow's multiclass_non_max_suppression.) Fast: each anchor with
 * its best class (ties: the lower) competes once, up to `most` boxes; `classes_per_anchor` classes
 * of each are given. (TFLite_Detection_PostProcess.)
 *
 * Where a score or a code is NaN, nothing is found. */
#ifndef WAIO_METRIC_DETECT_H
#define WAIO_METRIC_DETECT_H

#include "metric/box.h"
#include "tensor/detector.h"
#include "util/arena.h"
#include "util/status.h"

typedef struct waio_detection {
    waio_box box;
    float score;
    int class_index, anchor;
} waio_detection;

/* Buffers of one worker, for one detector. */
typedef struct waio_detect_scratch {
    waio_box *box;          /* per anchor */
    float *score;           /* per class and anchor; fast: per anchor */
    int *candidate;         /* the same */
    int *stays, *before;    /* anchors of boxes that stay, and the one of its class before it */
    int *last, *kept;       /* per class: the last one that stays, how many do */
    waio_detection *result; /* what waio_detect gives */
} waio_detect_scratch;

waio_status waio_detect_scratch_make(waio_detect_scratch *scratch, const waio_detector *detector,
                                     waio_arena *arena);

/* `anchor` (anchors, 4) as waio_anchors_make gives them, `code` (anchors, 4), `score` (anchors,
 * columns). The result lies in scratch->result, best first. `nan` receives whether a score or a
 * code was NaN. */
void waio_detect(int *count, bool *nan, const waio_detector *detector, const float *anchor,
                 const float *code, const float *score, const waio_detect_scratch *scratch);

#endif
