/* A decoded photograph: bytes in the order R, G, B, whatever the file held.
 *
 * JPEG by libjpeg-turbo as Pillow, TensorFlow (dct_method INTEGER_ACCURATE) and OpenCV set it:
 * JDCT_ISLOW, fancy upsampling, block smoothing. Grey is repeated; CMYK and YCCK are Adobe's
 * inverted ones, black multiplied in as Pillow's convert('RGB') does. PNG by libpng, converted as
 * Pillow's: palette looked up, alpha dropped, 16 bits of a colour to their upper byte; 16 bits of
 * grey become their upper byte too. Warnings of libjpeg (corrupt data, premature end) are errors.
 */
#ifndef WAIO_DATASET_IMAGE_H
#define WAIO_DATASET_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/status.h"

/* Limits of a file: sides of WAIO_MAX_SIDE (resize.h), and these. */
enum { WAIO_MAX_PIXELS = 1 << 26, WAIO_MAX_SCANS = 100, WAIO_DECODER_BYTES = 512 << 20 };

typedef struct waio_image {
    unsigned char *pixel; /* (height, width, 3), grown with realloc; release with free() */
    size_t room;          /* bytes that `pixel` has */
    int height, width;
} waio_image;

/* Decodes a whole JPEG or PNG file into `image`, whose memory is used again. `upright`: turned by
 * the orientation that a JPEG's EXIF data states. WAIO_EINPUT, beginning with `path`: broken, too
 * large, a GIF or something else. */
waio_status waio_image_decode(waio_image *image, const unsigned char *data, size_t size,
                              const char *path, bool upright);

/* Makes room for height x width pixels; WAIO_EINPUT if that is over the limits. */
waio_status waio_image_room(waio_image *image, size_t height, size_t width, const char *path);

/* image_jpeg.c, image_png.c */
waio_status waio_jpeg_decode(waio_image *image, const unsigned char *data, size_t size,
                             const char *path, int *orientation);
waio_status waio_png_decode(waio_image *image, const unsigned char *data, size_t size,
                            const char *path);

#endif
