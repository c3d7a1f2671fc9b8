#include "dataset/resize.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const filter_names[] = {"pil-bilinear", "pil-bicubic", "tf-bilinear",
                                           "tf2-bilinear", "cv-linear"};
enum { FILTERS = sizeof filter_names / sizeof *filter_names };

static waio_status unknown(const char *text)
{
    return waio_error(WAIO_EUSAGE,
                      "resize \"%.60s\" is unknown; it is FILTER[/FRAMING] with pil-bilinear, "
                      "pil-bicubic, tf-bilinear, tf2-bilinear or cv-linear, and stretch, crop, "
                      "cropN (N from 1 to %d), cover or letterbox",
                      text, WAIO_MAX_SIDE);
}

/* "crop" and a number without sign or leading zeros. */
static bool read_crop(int *side, const char *text)
{
    char *end = NULL;

    if (strncmp(text, "crop", 4) != 0)
        return false;
    *side = 0;
    if (text[4] == '\0')
        return true;
    if (text[4] < '1' || text[4] > '9')
        return false;
    long number = strtol(text + 4, &end, 10);
    *side = (int)number;
    return *end == '\0' && number <= WAIO_MAX_SIDE;
}

waio_status waio_resize_parse(waio_resize *out, const char *text)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    int filter = 0;

    while (filter < FILTERS &&
           (strlen(filter_names[filter]) != n || strncmp(filter_names[filter], text, n) != 0))
        filter++;
    if (filter == FILTERS)
        return unknown(text);
    *out = (waio_resize){.filter = (waio_filter)filter};
    if (!slash || strcmp(slash + 1, "stretch") == 0)
        return WAIO_OK;
    if (strcmp(slash + 1, "letterbox") == 0 || strcmp(slash + 1, "cover") == 0) {
        out->framing = slash[1] == 'l' ? WAIO_LETTERBOX : WAIO_COVER;
        return WAIO_OK;
    }
    out->framing = WAIO_CROP;
    return read_crop(&out->side, slash + 1) ? WAIO_OK : unknown(text);
}

const char *waio_resize_text(char text[WAIO_RESIZE_TEXT], const waio_resize *r)
{
    const char *name = filter_names[r->filter];

    if (r->framing == WAIO_CROP && r->side)
        snprintf(text, WAIO_RESIZE_TEXT, "%s/crop%d", name, r->side);
    else
        snprintf(text, WAIO_RESIZE_TEXT, "%s%s", name,
                 r->framing == WAIO_CROP        ? "/crop"
                 : r->framing == WAIO_COVER     ? "/cover"
                 : r->framing == WAIO_LETTERBOX ? "/letterbox"
                                                : "");
    return text;
}

/* ---- frames ---- */

static waio_status frame_crop(waio_frame *out, int side, int height, int width, int to_height,
                              int to_width)
{
    int largest = to_height > to_width ? to_height : to_width;

    if (!side)
        side = largest;
    if (side < largest)
        return waio_error(WAIO_EUSAGE,
                          "resize crop%d: the network's input of %dx%d is larger than that", side,
                          to_height, to_width);
    int shorter = height < width ? height : width;
    int64_t longer = (int64_t)side * (height < width ? width : height) / shorter;
    if (longer > 1 << 24)
        return waio_error(WAIO_EINPUT, "an image of %dx%d is too narrow to be cropped", height,
                          width);
    out->height = height < width ? side : (int)longer;
    out->width = height < width ? (int)longer : side;
    /* Python's round: halves to the even number. */
    out->top = (int)nearbyint((out->height - to_height) / 2.0);
    out->left = (int)nearbyint((out->width - to_width) / 2.0);
    return WAIO_OK;
}

/* Sides and corner are cut down to whole numbers, as Keras does. */
static void frame_cover(waio_frame *out, int height, int width, int to_height, int to_width)
{
    int64_t h = (int64_t)((double)((int64_t)width * to_height) / to_width);
    int64_t w = (int64_t)((double)((int64_t)height * to_width) / to_height);

    out->from_height = h < 1 ? 1 : h < height ? (int)h : height;
    out->from_width = w < 1 ? 1 : w < width ? (int)w : width;
    out->from_top = (height - out->from_height) / 2;
    out->from_left = (width - out->from_width) / 2;
}

static int scaled(int side, double scale, int most)
{
    int to = (int)nearbyint(side * scale);
    return to < 1 ? 1 : to > most ? most : to;
}

waio_status waio_resize_frame(waio_frame *out, const waio_resize *r, int height, int width,
                              int to_height, int to_width)
{
    *out = (waio_frame){to_height, to_width, 0, 0, 0, 0, height, width};
    if (r->framing == WAIO_CROP)
        return frame_crop(out, r->side, height, width, to_height, to_width);
    if (r->framing == WAIO_COVER)
        frame_cover(out, height, width, to_height, to_width);
    if (r->framing == WAIO_LETTERBOX) {
        double by_height = (double)to_height / height, by_width = (double)to_width / width;
        double scale = by_height < by_width ? by_height : by_width;
        out->height = scaled(height, scale, to_height);
        out->width = scaled(width, scale, to_width);
    }
    return WAIO_OK;
}

waio_status waio_resize_run(unsigned char *dst, int to_height, int to_width,
                            const unsigned char *src, int height, int width, const waio_resize *r)
{
    waio_status st = WAIO_OK;
    waio_frame f;

    WAIO_TRY(st, waio_resize_frame(&f, r, height, width, to_height, to_width));
    src += 3 * ((size_t)f.from_top * (size_t)width + (size_t)f.from_left);
    waio_axis y = {f.from_height, f.height, f.top, f.height < to_height ? f.height : to_height};
    waio_axis x = {f.from_width, f.width, f.left, f.width < to_width ? f.width : to_width};
    if (y.count < to_height || x.count < to_width)
        memset(dst, 0, (size_t)to_height * (size_t)to_width * 3);
    if (r->filter <= WAIO_PIL_BICUBIC)
        WAIO_TRY(st, waio_resize_pil(dst, 3 * to_width, src, 3 * width, r->filter, y, x));
    else
        WAIO_TRY(st, waio_resize_bilinear(dst, 3 * to_width, src, 3 * width, r->filter, y, x));
done:
    return st;
}
