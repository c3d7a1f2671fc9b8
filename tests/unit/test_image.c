/* JPEG and PNG: the build's own photographs are read; cut off anywhere, damaged, or with impossible
 * sizes they give an error or an image, and nothing else. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dataset/image.h"
#include "dataset/resize.h"
#include "util/file.h"
#include "util/rng.h"

#define PHOTOS BUILD_DIR "/data/shapes-iiit-pet/"

static waio_arena *arena;

typedef struct photo {
    unsigned char *data;
    size_t size;
    bool png;
} photo;

/* Image number `line` of the list, from 1. */
static photo photo_at(int line)
{
    unsigned char *list = NULL;
    photo p = {0};
    size_t size = 0;

    CHECK_OK(waio_file_read(&list, &size, PHOTOS "annotations/list.txt", arena));
    char *at = (char *)list;
    for (int i = 0; at && i < line; i++)
        at = strchr(at, '\n') + 1;
    at[strcspn(at, " ")] = '\0';
    CHECK_OK(waio_file_read(&p.data, &p.size, waio_arena_printf(arena, PHOTOS "images/%s.jpg", at),
                            arena));
    p.png = p.size > 1 && p.data[1] == 'P';
    return p;
}

static waio_status decode(waio_image *image, const unsigned char *data, size_t size)
{
    /* A copy of exactly this size, so that AddressSanitizer sees one byte too many. */
    unsigned char *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    waio_status st = waio_image_decode(image, copy, size, "photo", true);
    free(copy);
    return st;
}

/* Colour, grey, progressive and PNG: draw_layouts.c says which numbers are which. */
static const int kinds[] = {1, 7, 13, 19};

static void good(void)
{
    waio_image image = {0};

    for (int k = 0; k < 4; k++) {
        photo p = photo_at(kinds[k]);
        int coloured = 0;
        CHECK(p.png == (kinds[k] == 19), "a PNG under the name of a JPEG");
        CHECK_OK(decode(&image, p.data, p.size));
        CHECK(image.height >= 96 && image.height <= 160 && image.width >= 96 && image.width <= 160,
              "%dx%d", image.height, image.width);
        for (int i = 0; i < image.height * image.width; i++)
            coloured += image.pixel[3 * i] != image.pixel[3 * i + 1] ||
                        image.pixel[3 * i] != image.pixel[3 * i + 2];
        CHECK((coloured == 0) == (kinds[k] == 7), "%d coloured pixels", coloured);
    }
    free(image.pixel);
}

static void cut_off(void)
{
    waio_image image = {0};

    for (int k = 0; k < 4; k++) {
        photo p = photo_at(kinds[k]);
        for (size_t size = 0; size < p.size; size += size < 700 ? 1 : 37)
            CHECK_FAILS(decode(&image, p.data, size), WAIO_EINPUT, "photo: ");
        CHECK_FAILS(decode(&image, p.data, p.size - 1), WAIO_EINPUT, "not a whole");
    }
    CHECK_FAILS(decode(&image, (const unsigned char *)"", 0), WAIO_EINPUT, "the file is empty");
    free(image.pixel);
}

static void damaged(void)
{
    waio_image image = {0};
    waio_rng rng = {5};
    int good_ones = 0, bad_ones = 0;

    for (int i = 0; i < 2000; i++) {
        photo p = photo_at(kinds[i % 4]);
        size_t head = i % 2 ? p.size : 700 < p.size ? 700 : p.size;
        for (int b = 0; b < 1 + i % 5; b++)
            p.data[waio_rng_below(&rng, head)] ^= (unsigned char)(1u << waio_rng_below(&rng, 8));
        waio_status st = decode(&image, p.data, p.size);
        CHECK(st == WAIO_OK || st == WAIO_EINPUT, "status %d: %s", (int)st, waio_error_message());
        good_ones += st == WAIO_OK;
        bad_ones += st != WAIO_OK;
        if (i % 200 == 199) {
            waio_arena_free(arena);
            arena = waio_arena_new();
        }
    }
    CHECK(good_ones > 20 && bad_ones > 200, "%d good, %d bad", good_ones, bad_ones);
    free(image.pixel);
}

/* The first marker SOF0 or SOF2: its height and width stand 5 bytes behind it. */
static unsigned char *frame_of(photo p)
{
    for (size_t i = 2; i + 9 < p.size; i++)
        if (p.data[i] == 0xff && (p.data[i + 1] == 0xc0 || p.data[i + 1] == 0xc2))
            return p.data + i + 5;
    return NULL;
}

static void huge(void)
{
    waio_image image = {0};
    photo p = photo_at(1), progressive = photo_at(13), png = photo_at(19);

    memcpy(frame_of(p), (unsigned char[]){0xfe, 0, 0xfe, 0}, 4);
    CHECK_FAILS(decode(&image, p.data, p.size), WAIO_EINPUT, "an image of 65024x65024 pixels");
    /* Sides that pass, but not together. */
    memcpy(frame_of(progressive), (unsigned char[]){0x40, 0, 0x40, 0}, 4);
    CHECK_FAILS(decode(&image, progressive.data, progressive.size), WAIO_EINPUT,
                "an image of 16384x16384 pixels; sides go up to 16384, pixels to 67108864");
    memcpy(frame_of(progressive), (unsigned char[]){0, 0, 0, 1}, 4);
    CHECK_FAILS(decode(&image, progressive.data, progressive.size), WAIO_EINPUT, "photo: ");
    memset(png.data + 16, 0x7f, 4); /* the width in IHDR; its checksum is wrong then too */
    CHECK_FAILS(decode(&image, png.data, png.size), WAIO_EINPUT, "photo: ");
    CHECK(image.room == 0, "memory was taken for an image that is refused");
    free(image.pixel);
}

static void other_formats(void)
{
    waio_image image = {0};

    CHECK_FAILS(decode(&image, (const unsigned char *)"GIF89a......", 12), WAIO_EINPUT,
                "a GIF, whatever its name says");
    CHECK_FAILS(decode(&image, (const unsigned char *)"RIFF....WEBP", 12), WAIO_EINPUT,
                "begins with the bytes 52 49 46");
    CHECK_FAILS(decode(&image, (const unsigned char *)"x", 1), WAIO_EINPUT, "neither JPEG nor PNG");
}

/* EXIF data with an orientation, in both byte orders, and broken in several ways. */
static void orientation(void)
{
    static const struct {
        const char *exif;
        size_t size;
        bool turned;
    } row[] = {
#define EXIF(text, turned) {text, sizeof text - 1, turned}
        EXIF("Exif\0\0MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\6\0\0\0\0\0\0", true),
        EXIF("Exif\0\0II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\10\0\0\0\0\0\0\0", true),
        EXIF("Exif\0\0II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\11\0\0\0\0\0\0\0", false),
        EXIF("Exif\0\0II*\0\377\377\377\377\1\0\22\1\3\0\1\0\0\0\10\0\0\0", false),
        EXIF("Exif\0\0II*\0\10\0\0\0\377\377\22\2\3\0\1\0\0\0\10\0\0\0", false),
        EXIF("Exif\0\0II*\0\10\0\0\0\1\0\22\1\3", false),
        EXIF("Exif\0\0II", false),
        EXIF("Exif\0", false),
    };
    waio_image plain = {0}, image = {0};
    photo p = photo_at(1);

    CHECK_OK(decode(&plain, p.data, p.size));
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        unsigned char *with = waio_arena_alloc(arena, p.size + 100);
        size_t n = row[i].size;
        memcpy(with, p.data, 2);
        memcpy(with + 2, (unsigned char[]){0xff, 0xe1, 0, (unsigned char)(n + 2)}, 4);
        memcpy(with + 6, row[i].exif, n);
        memcpy(with + 6 + n, p.data + 2, p.size - 2);
        CHECK_OK(decode(&image, with, p.size + 4 + n));
        bool turned = image.height == plain.width && image.width == plain.height;
        CHECK(turned == row[i].turned, "row %zu: %dx%d", i, image.height, image.width);
        CHECK_OK(waio_image_decode(&image, with, p.size + 4 + n, "photo", false));
        CHECK(image.height == plain.height &&
                  memcmp(image.pixel, plain.pixel, (size_t)plain.height * plain.width * 3) == 0,
              "row %zu: turned without being asked", i);
    }
    free(plain.pixel);
    free(image.pixel);
}

int main(void)
{
    arena = waio_arena_new();
    good();
    cut_off();
    damaged();
    huge();
    other_formats();
    orientation();
    waio_arena_free(arena);
    return waio_check_result();
}
