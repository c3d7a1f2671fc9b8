/* Pascal VOC's average precision: the mean over classes that have something to find. */
#ifndef WAIO_METRIC_VOC_AP_H
#define WAIO_METRIC_VOC_AP_H

#include "metric/marks.h"

/* Of marks of waio_marks_voc. WAIO_CURVE_11: VOC 2007; WAIO_CURVE_AREA: VOC 2010 and later. 0 to 1;
 * NaN: nothing to find. `class_ap` (per class, may be NULL) receives each class's. `weight` and
 * `scratch` as in waio_marks_average, of waio_marks_most. */
double waio_voc_ap(const waio_marks *marks, waio_curve_kind kind, double *class_ap,
                   const int32_t *weight, double *scratch);

#endif
