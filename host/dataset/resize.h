/* Resize pipelines by name: how an image of any size becomes the network's input.
 *
 *   FILTER[/FRAMING], as in pil-bilinear, pil-bilinear/crop256, tf2-bilinear/letterbox
 *
 *   pil-bilinear   Pillow's Image.resize, BILINEAR: a triangle as wide as the shrinking asks for,
 * in pil-bicubic    fixed point, rounded to bytes between the passes; BICUBIC (a = -1/2) alike
 *   tf-bilinear    tf.compat.v1.image.resize_bilinear: four neighbours, src = dst * scale
 *   tf2-bilinear   tf.image.resize: four neighbours, pixel centres at halves, no antialias; both of
 *                  TensorFlow give floats, which are rounded to bytes here (half to even)
 *   cv-linear      cv2.resize, INTER_LINEAR: as tf2-bilinear in fixed point of 11 bits. cv2.imread
 *                  also turns photographs upright by their EXIF orientation, so this does, and no
 *                  other
 *
 *   stretch        the whole image on the whole input, aspect lost (the default, not written)
 *   crop, cropN    the shorter side becomes N (without N: the larger side of the input), the middle
 *                  is cut out: torchvision's Resize(N) and CenterCrop, with their rounding
 *   cover          the largest middle part that has the input's aspect is cut out of the image and
 *                  then resized: Keras's smart_resize and crop_to_aspect_ratio
 *   letterbox      the aspect kept, the larger side on the input's, zero bytes at right and bottom:
 *                  the OD API's keep_aspect_ratio_resizer with padding, sides rounded as there
 */
#ifndef WAIO_DATASET_RESIZE_H
#define WAIO_DATASET_RESIZE_H

#include <stdbool.h>

#include "util/status.h"

typedef enum waio_filter {
    WAIO_PIL_BILINEAR,
    WAIO_PIL_BICUBIC,
    WAIO_TF_BILINEAR,
    WAIO_TF2_BILINEAR,
    WAIO_CV_LINEAR
} waio_filter;

typedef enum waio_framing { WAIO_STRETCH, WAIO_CROP, WAIO_COVER, WAIO_LETTERBOX } waio_framing;

enum { WAIO_RESIZE_TEXT = 32, WAIO_MAX_SIDE = 16384 };

typedef struct waio_resize {
    waio_filter filter;
    waio_framing framing;
    int side; /* of cropN; 0: crop */
} waio_resize;

/* WAIO_EUSAGE with what there is. */
waio_status waio_resize_parse(waio_resize *out, const char *text);
/* The canonical text. */
const char *waio_resize_text(char text[WAIO_RESIZE_TEXT], const waio_resize *resize);

/* Where an image of `height` x `width` goes on an input of `to_height` x `to_width`: the part from
 * pixel (from_top, from_left), from_height x from_width large, is brought to `height` x `width` of
 * the frame, whose pixel (top, left) is the input's first. */
typedef struct waio_frame {
    int height, width, top, left;
    int from_top, from_left, from_height, from_width;
} waio_frame;

/* WAIO_EUSAGE: the input is larger than cropN's side. */
waio_status waio_resize_frame(waio_frame *out, const waio_resize *resize, int height, int width,
                              int to_height, int to_width);

/* Fills `dst` (to_height, to_width, 3) from `src` (height, width, 3), sides 1 to WAIO_MAX_SIDE. */
waio_status waio_resize_run(unsigned char *dst, int to_height, int to_width,
                            const unsigned char *src, int height, int width,
                            const waio_resize *resize);

/* ---- the two kinds of filters: an axis at a time, or four neighbours at once ---- */

/* Pixels `first` to `first + count` of an axis on which `in` become `out`. */
typedef struct waio_axis {
    int in, out, first, count;
} waio_axis;

/* resize_pil.c; rows are `stride` and `src_stride` bytes apart. */
waio_status waio_resize_pil(unsigned char *dst, int stride, const unsigned char *src,
                            int src_stride, waio_filter filter, waio_axis y, waio_axis x);
/* resize_bilinear.c */
waio_status waio_resize_bilinear(unsigned char *dst, int stride, const unsigned char *src,
                                 int src_stride, waio_filter filter, waio_axis y, waio_axis x);

#endif
