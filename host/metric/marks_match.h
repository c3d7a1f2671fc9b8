/* Between marks.c and the two ways to match: one image and class at a time. Private to this folder.
 */
#ifndef WAIO_METRIC_MARKS_MATCH_H
#define WAIO_METRIC_MARKS_MATCH_H

#include "metric/marks.h"

typedef struct waio_match_found {
    const waio_found *found;
    uint64_t hit, ignored; /* as in waio_mark; set by the matching */
} waio_match_found;

typedef struct waio_match_truth {
    const waio_truth *truth;
    uint64_t counted; /* as in waio_positive; set by the matching */
} waio_match_truth;

typedef struct waio_match {
    waio_match_found *found; /* the best score first, ties as given */
    int found_count;
    waio_match_truth *truth; /* as given */
    int truth_count;
    bool difficult_ignored;
    int *scratch; /* one a truth */
} waio_match;

typedef waio_status waio_match_image(waio_match *m);

waio_status waio_marks_make(waio_marks *out, const waio_detection_set *set, bool difficult_ignored,
                            waio_match_image *match, int most, int threads);

#endif
