/* libpng, as libjpeg, leaves through a longjmp. Its warnings are about chunks that carry no pixels
 * (a colour profile, a date): Pillow does not read them, and they are let pass here. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "dataset/image.h"
#include "dataset/resize.h"

typedef struct decoder {
    const unsigned char *data;
    size_t size, at;
    const char *path;
    png_structp png;
    png_infop info;
    png_bytep *row;
    jmp_buf out;
    waio_status status;
} decoder;

static void fail_out(png_structp png, png_const_charp text)
{
    decoder *d = png_get_error_ptr(png);

    d->status = waio_error(WAIO_EINPUT, "%s: not a whole PNG: %s", d->path, text);
    longjmp(d->out, 1);
}

static void stay_silent(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void read_bytes(png_structp png, png_bytep out, size_t count)
{
    decoder *d = png_get_io_ptr(png);

    if (count > d->size - d->at)
        png_error(png, "it ends too early");
    memcpy(out, d->data + d->at, count);
    d->at += count;
}

/* Everything to 8 bits of R, G, B. */
static void choose_colours(decoder *d)
{
    png_byte colour = png_get_color_type(d->png, d->info);

    png_set_strip_16(d->png);
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(d->png);
    if (colour == PNG_COLOR_TYPE_GRAY)
        png_set_expand_gray_1_2_4_to_8(d->png);
    if (!(colour & PNG_COLOR_MASK_COLOR))
        png_set_gray_to_rgb(d->png);
    png_set_strip_alpha(d->png);
    png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
}

static waio_status decode(decoder *d, waio_image *image)
{
    waio_status st = WAIO_OK;

    png_set_user_limits(d->png, WAIO_MAX_SIDE, WAIO_MAX_SIDE);
    png_set_chunk_malloc_max(d->png, WAIO_DECODER_BYTES);
    png_set_read_fn(d->png, d, read_bytes);
    png_read_info(d->png, d->info);
    size_t height = png_get_image_height(d->png, d->info);
    size_t width = png_get_image_width(d->png, d->info);
    WAIO_TRY(st, waio_image_room(image, height, width, d->path));
    choose_colours(d);
    if (png_get_rowbytes(d->png, d->info) != 3 * width)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: a PNG whose rows are %zu bytes, expected %zu", d->path,
                  png_get_rowbytes(d->png, d->info), 3 * width);
    d->row = malloc(height * sizeof *d->row);
    if (!d->row)
        WAIO_FAIL(st, WAIO_ENOMEM, "%s: out of memory", d->path);
    for (size_t y = 0; y < height; y++)
        d->row[y] = image->pixel + y * 3 * width;
    png_read_image(d->png, d->row);
    png_read_end(d->png, NULL);
done:
    return st;
}

waio_status waio_png_decode(waio_image *image, const unsigned char *data, size_t size,
                            const char *path)
{
    decoder *d = calloc(1, sizeof *d);

    if (!d)
        return waio_error(WAIO_ENOMEM, "%s: out of memory", path);
    d->data = data;
    d->size = size;
    d->path = path;
    d->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, d, fail_out, stay_silent);
    d->info = d->png ? png_create_info_struct(d->png) : NULL;
    if (!d->info)
        d->status = waio_error(WAIO_ENOMEM, "%s: out of memory", path);
    else if (setjmp(d->out) == 0)
        d->status = decode(d, image);
    png_destroy_read_struct(&d->png, &d->info, NULL);
    waio_status st = d->status;
    free(d->row);
    free(d);
    return st;
}
