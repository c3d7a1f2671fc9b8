/* Makes the shapes set's two other layouts from its binary files: draw_layouts BATCHES OUT
 *
 *   OUT/shapes-iiit-pet    as Oxford-IIIT Pet: images/SHAPE_N.jpg and annotations/{list,trainval,
 *                          test}.txt; each picture enlarged three- to fivefold, both ways apart
 *   OUT/VOCdevkit/SHAPES   as Pascal VOC: one to four pictures on a ground, each with its box
 *
 * As in the real sets, a few images are grey, progressive, or PNG in spite of their name, and some
 * objects lack <pose>, <truncated> or <difficult>. The bytes of the JPEG files are libjpeg's; their
 * pixels are ours, and the same everywhere. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h>
#include <png.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, RECORD = 1 + 3 * PLANE, CLASSES = 10, MOST_SIDE = 200 };
enum { TRAIN = 300, TEST = 300, VOC_TRAIN = 60, VOC_TEST = 60, MOST_OBJECTS = 4 };

static const char *const class_names[CLASSES] = {"disc", "ring",  "square",   "triangle", "hexagon",
                                                 "star", "cross", "crescent", "arrow",    "heart"};

typedef struct picture {
    int height, width;
    unsigned char pixel[MOST_SIDE * MOST_SIDE * 3];
} picture;

static void die(const char *what)
{
    fprintf(stderr, "draw_layouts: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t random_state = 1;

/* A whole number from lo to hi (splitmix64). */
static int between(int lo, int hi)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return lo + (int)((z >> 32) * (uint64_t)(hi - lo + 1) >> 32);
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file)
        die(path);
    return file;
}

static void close_file(FILE *file, const char *path)
{
    if (fclose(file) != 0)
        die(path);
}

static void make_dir(const char *out, const char *below)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", out, below);
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        die(path);
}

/* ---- files ---- */

typedef enum format { COLOUR, GREY, PROGRESSIVE, PNG } format;

static void write_jpeg(const picture *p, FILE *file, format how)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors; /* the default: a fault ends the program with its text */

    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_height = (JDIMENSION)p->height;
    jpeg.image_width = (JDIMENSION)p->width;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 90, TRUE);
    if (how == GREY)
        jpeg_set_colorspace(&jpeg, JCS_GRAYSCALE);
    if (how == PROGRESSIVE)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = (JSAMPROW)p->pixel + (size_t)jpeg.next_scanline * (size_t)p->width * 3;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
}

static void write_picture(const picture *p, const char *path, format how)
{
    FILE *file = open_file(path, "wb");

    if (how == PNG) {
        png_image png = {.version = PNG_IMAGE_VERSION,
                         .width = (png_uint_32)p->width,
                         .height = (png_uint_32)p->height,
                         .format = PNG_FORMAT_RGB};
        if (!png_image_write_to_stdio(&png, file, 0, p->pixel, 0, NULL))
            die(path);
    } else {
        write_jpeg(p, file, how);
    }
    close_file(file, path);
}

static format format_of(int number)
{
    return number % 25 == 7    ? GREY
           : number % 25 == 13 ? PROGRESSIVE
           : number % 25 == 19 ? PNG
                               : COLOUR;
}

/* ---- pixels ---- */

/* Puts a record's picture at (top, left) of `to`, height x width large: bilinear from pixel
 * centres, in whole numbers. What lies outside is cut off. */
static void put(picture *to, const unsigned char *record, int top, int left, int height, int width)
{
    enum { ONE = 256 };

    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int row = top + y, column = left + x;
            if (row < 0 || column < 0 || row >= to->height || column >= to->width)
                continue;
            int sy = (2 * y + 1) * SIDE * ONE / (2 * height) - ONE / 2;
            int sx = (2 * x + 1) * SIDE * ONE / (2 * width) - ONE / 2;
            sy = sy < 0 ? 0 : sy > (SIDE - 1) * ONE ? (SIDE - 1) * ONE : sy;
            sx = sx < 0 ? 0 : sx > (SIDE - 1) * ONE ? (SIDE - 1) * ONE : sx;
            int y0 = sy / ONE, x0 = sx / ONE, fy = sy % ONE, fx = sx % ONE;
            int y1 = y0 < SIDE - 1 ? y0 + 1 : y0, x1 = x0 < SIDE - 1 ? x0 + 1 : x0;
            for (int c = 0; c < 3; c++) {
                const unsigned char *s = record + 1 + c * PLANE;
                int above = s[y0 * SIDE + x0] * (ONE - fx) + s[y0 * SIDE + x1] * fx;
                int below = s[y1 * SIDE + x0] * (ONE - fx) + s[y1 * SIDE + x1] * fx;
                to->pixel[(row * to->width + column) * 3 + c] =
                    (unsigned char)((above * (ONE - fy) + below * fy + ONE * ONE / 2) /
                                    (ONE * ONE));
            }
        }
}

static void next_record(unsigned char record[RECORD], FILE *batch)
{
    if (fread(record, 1, RECORD, batch) != RECORD || record[0] >= CLASSES)
        die("a batch file is too short");
}

/* ---- Pet ---- */

static void draw_pet(FILE *batch, const char *out, int number, FILE *list, FILE *split)
{
    static picture p;
    unsigned char record[RECORD];
    char path[PATH_MAX], line[100];

    next_record(record, batch);
    p.height = between(3 * SIDE, 5 * SIDE);
    p.width = between(3 * SIDE, 5 * SIDE);
    put(&p, record, 0, 0, p.height, p.width);
    snprintf(path, sizeof path, "%s/shapes-iiit-pet/images/%s_%d.jpg", out, class_names[record[0]],
             number);
    write_picture(&p, path, format_of(number));
    snprintf(line, sizeof line, "%s_%d %d 1 %d\n", class_names[record[0]], number, record[0] + 1,
             record[0] + 1);
    fputs(line, list);
    fputs(line, split);
}

static void draw_pets(FILE *batch[2], const char *out)
{
    static const char *const split_name[] = {"trainval", "test"};
    const int count[] = {TRAIN, TEST};
    char path[PATH_MAX], list_path[PATH_MAX];
    int number = 1;

    make_dir(out, "shapes-iiit-pet");
    make_dir(out, "shapes-iiit-pet/images");
    make_dir(out, "shapes-iiit-pet/annotations");
    snprintf(list_path, sizeof list_path, "%s/shapes-iiit-pet/annotations/list.txt", out);
    FILE *list = open_file(list_path, "w");
    fputs("#Image CLASS-ID SPECIES BREED ID\n", list);
    for (int s = 0; s < 2; s++) {
        snprintf(path, sizeof path, "%s/shapes-iiit-pet/annotations/%s.txt", out, split_name[s]);
        FILE *split = open_file(path, "w");
        for (int i = 0; i < count[s]; i++)
            draw_pet(batch[s], out, number++, list, split);
        close_file(split, path);
    }
    close_file(list, list_path);
}

/* ---- VOC ---- */

/* A ground from one corner's colour to the other's. */
static void draw_ground(picture *p)
{
    int from[3], to[3];

    for (int c = 0; c < 3; c++) {
        from[c] = between(40, 215);
        to[c] = between(40, 215);
    }
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++)
            for (int c = 0; c < 3; c++) {
                int part = (x + y) * 256 / (p->width + p->height);
                p->pixel[(y * p->width + x) * 3 + c] =
                    (unsigned char)((from[c] * (256 - part) + to[c] * part) / 256);
            }
}

static void write_object(FILE *xml, int class_index, int number, int top, int left, int bottom,
                         int right, bool truncated)
{
    fprintf(xml, "\t<object>\n\t\t<name>%s</name>\n", class_names[class_index]);
    if (number % 7 != 3)
        fprintf(xml, "\t\t<pose>Unspecified</pose>\n");
    if (number % 11 != 5 || truncated)
        fprintf(xml, "\t\t<truncated>%d</truncated>\n", truncated);
    if (number % 13 != 6)
        fprintf(xml, "\t\t<difficult>%d</difficult>\n", bottom - top < SIDE);
    fprintf(xml,
            "\t\t<bndbox>\n\t\t\t<xmin>%d</xmin>\n\t\t\t<ymin>%d</ymin>\n\t\t\t<xmax>%d</xmax>\n"
            "\t\t\t<ymax>%d</ymax>\n\t\t</bndbox>\n\t</object>\n",
            left + 1, top + 1, right, bottom);
}

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

/* Up to four pictures, one a quarter, some over the border of the whole. */
static void draw_objects(picture *p, FILE *batch, FILE *xml, int *objects)
{
    unsigned char record[RECORD];
    int count = between(1, MOST_OBJECTS), h = p->height / 2, w = p->width / 2;

    for (int q = 0; q < count; q++) {
        int height = between(SIDE * 3 / 4, h), width = between(SIDE * 3 / 4, w);
        int top = q / 2 * h + between(0, h - height), left = q % 2 * w + between(0, w - width);
        if (q % 2 == 1 && *objects % 5 == 0)
            left = p->width - width * 3 / 4;
        int right = at_most(left + width, p->width), bottom = at_most(top + height, p->height);
        next_record(record, batch);
        put(p, record, top, left, height, width);
        write_object(xml, record[0], (*objects)++, top, left, bottom, right, right < left + width);
    }
}

static void draw_voc_image(FILE *batch, const char *out, int number, FILE *split, int *objects)
{
    static picture p;
    char path[PATH_MAX];

    p.height = between(96, 160);
    p.width = between(96, MOST_SIDE);
    draw_ground(&p);
    snprintf(path, sizeof path, "%s/VOCdevkit/SHAPES/Annotations/%06d.xml", out, number);
    FILE *xml = open_file(path, "w");
    fprintf(xml,
            "<annotation>\n\t<folder>SHAPES</folder>\n\t<filename>%06d.jpg</filename>\n\t<size>\n"
            "\t\t<width>%d</width>\n\t\t<height>%d</height>\n\t\t<depth>3</depth>\n\t</size>\n",
            number, p.width, p.height);
    draw_objects(&p, batch, xml, objects);
    fputs("</annotation>\n", xml);
    close_file(xml, path);
    snprintf(path, sizeof path, "%s/VOCdevkit/SHAPES/JPEGImages/%06d.jpg", out, number);
    write_picture(&p, path, format_of(number) == PNG ? COLOUR : format_of(number));
    fprintf(split, "%06d\n", number);
}

static void draw_voc(FILE *batch[2], const char *out)
{
    static const char *const name[] = {"train", "val", "trainval", "test"};
    FILE *list[4];
    char path[4][PATH_MAX];
    int number = 1, objects = 0;

    make_dir(out, "VOCdevkit");
    make_dir(out, "VOCdevkit/SHAPES");
    make_dir(out, "VOCdevkit/SHAPES/JPEGImages");
    make_dir(out, "VOCdevkit/SHAPES/Annotations");
    make_dir(out, "VOCdevkit/SHAPES/ImageSets");
    make_dir(out, "VOCdevkit/SHAPES/ImageSets/Main");
    for (int i = 0; i < 4; i++) {
        snprintf(path[i], sizeof path[i], "%s/VOCdevkit/SHAPES/ImageSets/Main/%s.txt", out,
                 name[i]);
        list[i] = open_file(path[i], "w");
    }
    for (int i = 0; i < VOC_TRAIN; i++, number++) {
        draw_voc_image(batch[0], out, number, list[2], &objects);
        fprintf(list[i % 2], "%06d\n", number);
    }
    for (int i = 0; i < VOC_TEST; i++)
        draw_voc_image(batch[1], out, number++, list[3], &objects);
    for (int i = 0; i < 4; i++)
        close_file(list[i], path[i]);
}

int main(int argc, char **argv)
{
    static const char *const batch_name[] = {"data_batch_1.bin", "test_batch.bin"};
    FILE *batch[2];
    char path[PATH_MAX];

    if (argc != 3) {
        fprintf(stderr, "usage: draw_layouts BATCHES OUT\n");
        return 2;
    }
    for (int s = 0; s < 2; s++) {
        snprintf(path, sizeof path, "%s/%s", argv[1], batch_name[s]);
        batch[s] = open_file(path, "rb");
    }
    draw_pets(batch, argv[2]);
    draw_voc(batch, argv[2]);
    fclose(batch[0]);
    fclose(batch[1]);
    return 0;
}
