/* What the classes of detectors and of data sets are called, and which mean the same: networks that
 * were trained on one set of classes are evaluated on another by these names alone. */
#ifndef WAIO_METRIC_LABELS_H
#define WAIO_METRIC_LABELS_H

#include <stdbool.h>

#include "util/status.h"

/* Sets of names: "voc20" (Pascal VOC, in order of the alphabet), "coco80" (COCO's classes without
 * gaps), "coco90" (by COCO's category id less one; ids that mean nothing have an empty name). */
typedef struct waio_label_set {
    const char *name;
    int classes;
    const char *const *label;
} waio_label_set;

/* NULL with WAIO_EUSAGE's message (the list) if there is none called `name`. */
const waio_label_set *waio_label_set_find(const char *name);
/* The set that has so many classes; NULL if there is none. */
const waio_label_set *waio_label_set_of(int classes);

/* Whether two names mean the same class: equal but for case, spaces, '_' and '-', or the same by
 * the table of synonyms (airplane and aeroplane, tv and tvmonitor, ...). Empty names mean nothing.
 */
bool waio_label_same(const char *a, const char *b);

#endif
