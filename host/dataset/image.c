#include "dataset/image.h"

#include <stdlib.h>
#include <string.h>

#include "dataset/resize.h"

waio_status waio_image_room(waio_image *image, size_t height, size_t width, const char *path)
{
    if (height < 1 || width < 1 || height > WAIO_MAX_SIDE || width > WAIO_MAX_SIDE ||
        height * width > WAIO_MAX_PIXELS)
        return waio_error(WAIO_EINPUT,
                          "%s: an image of %zux%zu pixels; sides go up to %d, pixels to %d", path,
                          width, height, WAIO_MAX_SIDE, WAIO_MAX_PIXELS);
    if (height * width * 3 > image->room) {
        unsigned char *pixel = realloc(image->pixel, height * width * 3);
        if (!pixel)
            return waio_error(WAIO_ENOMEM, "%s: out of memory", path);
        image->pixel = pixel;
        image->room = height * width * 3;
    }
    image->height = (int)height;
    image->width = (int)width;
    return WAIO_OK;
}

/* EXIF orientations 2 to 8: pixel (y, x) of the upright image as one of the stored (h, w). */
static size_t stored_at(int orientation, int y, int x, int h, int w)
{
    bool turned = orientation >= 5;
    int row = turned ? x : y, column = turned ? y : x;

    if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        row = h - 1 - row;
    if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        column = w - 1 - column;
    return ((size_t)row * (size_t)w + (size_t)column) * 3;
}

static waio_status turn(waio_image *image, int orientation, const char *path)
{
    waio_status st = WAIO_OK;
    waio_image to = {0};
    bool turned = orientation >= 5;
    int h = turned ? image->width : image->height, w = turned ? image->height : image->width;

    WAIO_TRY(st, waio_image_room(&to, (size_t)h, (size_t)w, path));
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            memcpy(to.pixel + ((size_t)y * (size_t)w + (size_t)x) * 3,
                   image->pixel + stored_at(orientation, y, x, image->height, image->width), 3);
    free(image->pixel);
    *image = to;
done:
    return st;
}

waio_status waio_image_decode(waio_image *image, const unsigned char *data, size_t size,
                              const char *path, bool upright)
{
    static const unsigned char png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    int orientation = 1;

    if (size == 0)
        return waio_error(WAIO_EINPUT, "%s: the file is empty", path);
    if (size >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff) {
        waio_status st = waio_jpeg_decode(image, data, size, path, &orientation);
        if (st != WAIO_OK || !upright || orientation == 1)
            return st;
        return turn(image, orientation, path);
    }
    if (size >= 8 && memcmp(data, png, 8) == 0)
        return waio_png_decode(image, data, size, path);
    if (size >= 4 && memcmp(data, "GIF8", 4) == 0)
        return waio_error(WAIO_EINPUT, "%s: a GIF, whatever its name says; JPEG and PNG are read",
                          path);
    return waio_error(WAIO_EINPUT,
                      "%s: neither JPEG nor PNG: it begins with the bytes %02x %02x %02x", path,
                      data[0], size > 1 ? data[1] : 0, size > 2 ? data[2] : 0);
}
