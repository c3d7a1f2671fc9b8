/* libjpeg calls error_exit and expects it not to return: both ways out of its functions are a
 * longjmp to where the decoder was called. What lives across it is in `decoder`. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "dataset/image.h"

typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    const char *path;
    unsigned char *row; /* of CMYK */
    waio_status status;
} decoder;

static void fail_out(j_common_ptr common)
{
    decoder *d = common->client_data;
    char text[JMSG_LENGTH_MAX];

    d->errors.format_message(common, text);
    d->status = waio_error(WAIO_EINPUT, "%s: not a whole JPEG: %s", d->path, text);
    longjmp(d->out, 1);
}

/* Negative levels are warnings: data was made up. */
static void emit(j_common_ptr common, int level)
{
    if (level < 0)
        fail_out(common);
}

static void stay_silent(j_common_ptr common)
{
    (void)common;
}

/* A small file can hold many scans, each of which costs a pass over the whole image. */
static void watch_scans(j_common_ptr common)
{
    decoder *d = common->client_data;

    if (d->jpeg.input_scan_number > WAIO_MAX_SCANS) {
        d->status =
            waio_error(WAIO_EINPUT, "%s: a JPEG of more than %d scans", d->path, WAIO_MAX_SCANS);
        longjmp(d->out, 1);
    }
}

/* ---- orientation: tag 0x112 of the first directory of the EXIF data ---- */

static unsigned number(const unsigned char *at, int bytes, bool big)
{
    unsigned n = 0;
    for (int i = 0; i < bytes; i++)
        n = n << 8 | at[big ? i : bytes - 1 - i];
    return n;
}

static int read_orientation(const unsigned char *data, size_t size)
{
    enum { HEAD = 6, ENTRY = 12 };

    if (size < HEAD + 8 || memcmp(data, "Exif\0\0", HEAD) != 0)
        return 1;
    const unsigned char *tiff = data + HEAD;
    bool big = tiff[0] == 'M';
    size -= HEAD;
    size_t at = number(tiff + 4, 4, big);
    if (at > size - 2 || size < 2)
        return 1;
    unsigned entries = number(tiff + at, 2, big);
    at += 2;
    for (unsigned i = 0; i < entries && at + ENTRY <= size; i++, at += ENTRY)
        if (number(tiff + at, 2, big) == 0x112) {
            unsigned value = number(tiff + at + 8, 2, big);
            return value >= 1 && value <= 8 ? (int)value : 1;
        }
    return 1;
}

static int orientation_of(const struct jpeg_decompress_struct *jpeg)
{
    for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length >= 6)
            return read_orientation(m->data, m->data_length);
    return 1;
}

/* ---- pixels ---- */

/* a * b / 255, rounded: exact for bytes. */
static int by_255(int a, int b)
{
    int t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* Inverted CMYK: 255 is no ink. */
static void cmyk_to_rgb(unsigned char *rgb, const unsigned char *cmyk, int width)
{
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3)
        for (int c = 0; c < 3; c++) {
            int v = cmyk[3] - by_255(255 - cmyk[c], cmyk[3]);
            rgb[c] = (unsigned char)(v < 0 ? 0 : v);
        }
}

static void read_rows(decoder *d, waio_image *image)
{
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    size_t stride = 3 * (size_t)image->width;

    while (jpeg->output_scanline < jpeg->output_height) {
        unsigned char *to = image->pixel + jpeg->output_scanline * stride;
        JSAMPROW row = d->row ? d->row : to;
        if (jpeg_read_scanlines(jpeg, &row, 1) == 1 && d->row)
            cmyk_to_rgb(to, d->row, image->width);
    }
}

static waio_status choose_colours(decoder *d)
{
    switch (d->jpeg.jpeg_color_space) {
    case JCS_GRAYSCALE:
    case JCS_RGB:
    case JCS_YCbCr:
        d->jpeg.out_color_space = JCS_RGB;
        return WAIO_OK;
    case JCS_CMYK:
    case JCS_YCCK:
        d->jpeg.out_color_space = JCS_CMYK;
        d->row = malloc(4 * (size_t)d->jpeg.image_width);
        return d->row ? WAIO_OK : waio_error(WAIO_ENOMEM, "%s: out of memory", d->path);
    default:
        return waio_error(WAIO_EINPUT, "%s: a JPEG of %d components, expected 1, 3 or 4", d->path,
                          d->jpeg.num_components);
    }
}

static waio_status decode(decoder *d, waio_image *image, const unsigned char *data, size_t size,
                          int *orientation)
{
    waio_status st = WAIO_OK;

    jpeg_create_decompress(&d->jpeg);
    d->jpeg.mem->max_memory_to_use = WAIO_DECODER_BYTES;
    d->jpeg.progress = &d->progress;
    jpeg_save_markers(&d->jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_mem_src(&d->jpeg, data, size);
    jpeg_read_header(&d->jpeg, TRUE);
    *orientation = orientation_of(&d->jpeg);
    WAIO_TRY(st, waio_image_room(image, d->jpeg.image_height, d->jpeg.image_width, d->path));
    WAIO_TRY(st, choose_colours(d));
    d->jpeg.dct_method = JDCT_ISLOW;
    d->jpeg.do_fancy_upsampling = TRUE;
    d->jpeg.do_block_smoothing = TRUE;
    jpeg_start_decompress(&d->jpeg);
    read_rows(d, image);
    jpeg_finish_decompress(&d->jpeg);
done:
    return st;
}

waio_status waio_jpeg_decode(waio_image *image, const unsigned char *data, size_t size,
                             const char *path, int *orientation)
{
    decoder *d = calloc(1, sizeof *d);

    if (!d)
        return waio_error(WAIO_ENOMEM, "%s: out of memory", path);
    d->path = path;
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->jpeg.client_data = d;
    d->errors.error_exit = fail_out;
    d->errors.emit_message = emit;
    d->errors.output_message = stay_silent;
    d->progress.progress_monitor = watch_scans;
    if (setjmp(d->out) == 0)
        d->status = decode(d, image, data, size, orientation);
    jpeg_destroy_decompress(&d->jpeg);
    waio_status st = d->status;
    free(d->row);
    free(d);
    return st;
}
