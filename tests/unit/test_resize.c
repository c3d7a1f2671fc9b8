/* Resize pipelines: names, frames, and pixels that Pillow 12.3, TensorFlow 2 and OpenCV 4.11 gave
 * for a small picture (tests/python/test_images.py compares whole images with them). */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dataset/resize.h"

enum { H = 5, W = 7, TO_H = 3, TO_W = 4, BYTES = TO_H * TO_W * 3 };

static unsigned char picture[H * W * 3];

static void draw(void)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                picture[(y * W + x) * 3 + c] =
                    (unsigned char)(37 * y * y + 91 * x + 53 * c + 17 * x * y);
}

/* clang-format off */
static const struct {
    const char *name;
    int most; /* the largest difference: OpenCV's own code differs by one between processors */
    unsigned char pixel[BYTES];
} golden[] = {
    {"pil-bilinear", 0, {68,115,161,149,145,121,123,119,143,117,164,98,103,129,182,124,120,173,107,115,168,93,144,137,146,89,142,149,120,173,141,87,140,77,123,119}},
    {"pil-bicubic", 0, {63,116,165,152,148,121,121,115,144,119,169,95,102,132,185,128,116,174,105,111,170,92,146,134,149,86,139,150,120,173,142,86,143,72,125,119}},
    {"tf-bilinear", 0, {0,53,106,159,212,73,62,116,168,158,211,72,111,164,217,149,138,191,102,112,165,55,108,140,78,131,184,144,133,186,168,93,146,64,117,127}},
    {"tf2-bilinear", 0, {49,102,155,186,164,68,131,109,162,108,161,97,99,152,205,126,179,232,120,173,226,83,136,189,136,94,146,128,170,223,172,65,118,67,120,119}},
    {"cv-linear", 1, {48,102,154,186,164,68,131,109,162,108,161,97,99,152,205,126,179,232,120,173,226,83,136,189,136,93,146,127,170,223,172,65,118,67,120,119}},
};
/* clang-format on */
enum { GOLDEN = sizeof golden / sizeof *golden };

static void pixels(void)
{
    unsigned char out[BYTES], same[sizeof picture];

    for (int g = 0; g < GOLDEN; g++) {
        waio_resize r;
        int most = 0;
        CHECK_OK(waio_resize_parse(&r, golden[g].name));
        CHECK_OK(waio_resize_run(out, TO_H, TO_W, picture, H, W, &r));
        for (int i = 0; i < BYTES; i++) {
            int difference = abs(out[i] - golden[g].pixel[i]);
            most = difference > most ? difference : most;
        }
        CHECK(most <= golden[g].most, "%s differs by %d", golden[g].name, most);
        CHECK_OK(waio_resize_run(same, H, W, picture, H, W, &r));
        CHECK(memcmp(same, picture, sizeof same) == 0, "%s: nothing to do", golden[g].name);
    }
}

/* A flat picture stays flat whatever is done to it. */
static void flat(void)
{
    static unsigned char in[40 * 60 * 3], out[90 * 90 * 3];

    memset(in, 201, sizeof in);
    for (int g = 0; g < GOLDEN; g++)
        for (int side = 1; side <= 90; side += 8) {
            waio_resize r;
            int other = 0;
            CHECK_OK(waio_resize_parse(&r, golden[g].name));
            CHECK_OK(waio_resize_run(out, side, 91 - side, in, 40, 60, &r));
            for (int i = 0; i < side * (91 - side) * 3; i++)
                other += abs(out[i] - 201) > golden[g].most;
            CHECK(other == 0, "%s to %dx%d: %d other bytes", golden[g].name, side, 91 - side,
                  other);
        }
}

/* The input is cut out of the whole image resized, and letterbox lays the whole onto zeros. */
static void framed(void)
{
    static unsigned char in[30 * 50 * 3], whole[40 * 66 * 3], part[36 * 36 * 3], box[40 * 40 * 3];
    waio_resize plain, crop, letterbox;
    int other = 0;

    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)(i * i % 251);
    for (int g = 0; g < GOLDEN; g++) {
        CHECK_OK(waio_resize_parse(&plain, golden[g].name));
        crop = letterbox = plain;
        crop.framing = WAIO_CROP;
        crop.side = 40;
        letterbox.framing = WAIO_LETTERBOX;
        CHECK_OK(waio_resize_run(whole, 40, 66, in, 30, 50, &plain));
        CHECK_OK(waio_resize_run(part, 36, 36, in, 30, 50, &crop));
        for (int y = 0; y < 36; y++) /* (40 - 36) / 2 and (66 - 36) / 2 */
            other += memcmp(part + y * 36 * 3, whole + ((y + 2) * 66 + 15) * 3, 36 * 3) != 0;
        CHECK(other == 0, "%s: %d rows of the crop", golden[g].name, other);
        CHECK_OK(waio_resize_run(whole, 24, 40, in, 30, 50, &plain));
        memset(box, 7, sizeof box);
        CHECK_OK(waio_resize_run(box, 40, 40, in, 30, 50, &letterbox));
        CHECK(memcmp(box, whole, 24 * 40 * 3) == 0, "%s: the image", golden[g].name);
        for (int i = 24 * 40 * 3; i < 40 * 40 * 3; i++)
            other += box[i] != 0;
        CHECK(other == 0, "%s: %d bytes of the border", golden[g].name, other);
    }
}

static void frames(void)
{
    static const struct {
        const char *name;
        int height, width, to_height, to_width;
        waio_frame frame;
    } row[] = {
        {"pil-bilinear", 375, 500, 224, 200, {224, 200, 0, 0, 0, 0, 0, 0}},
        {"pil-bilinear/crop256", 375, 500, 224, 224, {256, 341, 16, 58, 0, 0, 0, 0}}, /* 58.5: to
                                                                                         the even */
        {"pil-bilinear/crop256", 500, 333, 224, 224, {384, 256, 80, 16, 0, 0, 0, 0}},
        {"pil-bilinear/crop", 500, 333, 224, 224, {336, 224, 56, 0, 0, 0, 0, 0}},
        {"pil-bilinear/crop", 100, 100, 64, 32, {64, 64, 0, 16, 0, 0, 0, 0}},
        {"tf2-bilinear/cover", 375, 500, 224, 224, {224, 224, 0, 0, 0, 62, 375, 375}},
        {"tf2-bilinear/cover", 500, 333, 100, 200, {100, 200, 0, 0, 167, 0, 166, 333}},
        {"tf2-bilinear/cover", 1, 1000, 10, 10, {10, 10, 0, 0, 0, 499, 1, 1}},
        {"tf-bilinear/letterbox", 375, 500, 512, 512, {384, 512, 0, 0, 0, 0, 0, 0}},
        {"tf-bilinear/letterbox", 500, 333, 300, 300, {300, 200, 0, 0, 0, 0, 0, 0}},
        {"tf-bilinear/letterbox", 1000, 1, 10, 10, {10, 1, 0, 0, 0, 0, 0, 0}},
    };
    waio_frame f;
    waio_resize r;

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        CHECK_OK(waio_resize_parse(&r, row[i].name));
        CHECK_OK(waio_resize_frame(&f, &r, row[i].height, row[i].width, row[i].to_height,
                                   row[i].to_width));
        const waio_frame *e = &row[i].frame;
        bool cut = e->from_height != 0;
        CHECK(f.height == e->height && f.width == e->width && f.top == e->top && f.left == e->left,
              "%s of %dx%d: %dx%d at %d, %d", row[i].name, row[i].height, row[i].width, f.height,
              f.width, f.top, f.left);
        CHECK(f.from_height == (cut ? e->from_height : row[i].height) &&
                  f.from_width == (cut ? e->from_width : row[i].width) &&
                  f.from_top == e->from_top && f.from_left == e->from_left,
              "%s of %dx%d: from %dx%d at %d, %d", row[i].name, row[i].height, row[i].width,
              f.from_height, f.from_width, f.from_top, f.from_left);
    }
    CHECK_OK(waio_resize_parse(&r, "pil-bilinear/crop200"));
    CHECK_FAILS(waio_resize_frame(&f, &r, 300, 300, 224, 224), WAIO_EUSAGE,
                "input of 224x224 is larger");
    CHECK_OK(waio_resize_parse(&r, "pil-bilinear/crop16384"));
    CHECK_FAILS(waio_resize_frame(&f, &r, 1, 16384, 224, 224), WAIO_EINPUT, "too narrow");
}

static void names(void)
{
    static const char *const canonical[] = {"pil-bilinear",       "pil-bicubic/crop",
                                            "tf-bilinear/crop1",  "tf2-bilinear/letterbox",
                                            "tf2-bilinear/cover", "cv-linear/crop16384"};
    static const char *const wrong[] = {"",
                                        "pil",
                                        "pil-bilinear/",
                                        "pil-bilinear/crop0",
                                        "pil-bilinear/crop-1",
                                        "pil-bilinear/crop16385",
                                        "pil-bilinear/crop99999999999999999999",
                                        "pil-bilinear/crop12x",
                                        "pil-bilinear/crop01",
                                        "pil-bilinear/Crop",
                                        "/crop",
                                        "nearest",
                                        "pil-bilinearr"};
    waio_resize r;
    char text[WAIO_RESIZE_TEXT];

    for (size_t i = 0; i < sizeof canonical / sizeof *canonical; i++) {
        CHECK_OK(waio_resize_parse(&r, canonical[i]));
        CHECK(strcmp(waio_resize_text(text, &r), canonical[i]) == 0, "%s", text);
    }
    CHECK_OK(waio_resize_parse(&r, "cv-linear/stretch"));
    CHECK(strcmp(waio_resize_text(text, &r), "cv-linear") == 0, "%s", text);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_FAILS(waio_resize_parse(&r, wrong[i]), WAIO_EUSAGE, "FILTER[/FRAMING]");
}

int main(void)
{
    draw();
    pixels();
    flat();
    framed();
    frames();
    names();
    return waio_check_result();
}
