/* Boxes by their corners, as fractions of the image. */
#ifndef WAIO_METRIC_BOX_H
#define WAIO_METRIC_BOX_H

#include <stdbool.h>

typedef struct waio_box {
    float ymin, xmin, ymax, xmax;
} waio_box;

/* Intersection over union in float32; 0 if either has no area. Corners are in order. */
float waio_box_iou(waio_box a, waio_box b);
/* What lies inside of [0, 1] x [0, 1]. */
waio_box waio_box_clip(waio_box box);
/* Corners in order. */
waio_box waio_box_order(waio_box box);
/* Whether it covers anything; not if a corner is NaN. */
bool waio_box_has_area(waio_box box);

/* The box that `code` (y, x, height, width) stands for at an anchor (centre y, centre x, height,
 * width), where codes were multiplied by `scale`:
 *   centre = code / scale * size of the anchor + its centre,  size = exp(code / scale) * its size,
 * computed in double and rounded to float32 at centres and half sizes, as TensorFlow Lite does. */
waio_box waio_box_decode(const float code[4], const float anchor[4], const float scale[4]);

#endif
