/* Feeds damaged files to what reads data sets: fuzz_dataset SECONDS SEED FILE ... takes a file,
 * damages it and reads what it then is, over and over: .jpg (JPEG or PNG) is decoded and resized by
 * a random pipeline, .xml read as an annotation of VOC, .txt as a list of Oxford-IIIT Pet, with the
 * images beside it. An error is what is expected, or something well-formed; a crash or a
 * sanitizer's report is a fault, and the file that did it stays as fuzz_dataset.<suffix> in the
 * working folder. Prints how many files gave what. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "damage.h"
#include "dataset/dataset.h"
#include "dataset/image.h"
#include "dataset/resize.h"
#include "dataset/voc_xml.h"
#include "util/clock.h"
#include "util/file.h"

enum { MOST_FILES = 64, MOST_SIDE = 300 };

static const char *const classes[] = {"disc", "ring",  "square",   "triangle", "hexagon",
                                      "star", "cross", "crescent", "arrow",    "heart"};
static const char *const pipelines[] = {
    "pil-bilinear", "pil-bicubic/crop", "tf-bilinear/crop300", "tf2-bilinear/letterbox",
    "cv-linear",    "cv-linear/crop",   "pil-bicubic/cover",   "pil-bilinear/letterbox"};

typedef struct sample {
    const char *path, *suffix;
    unsigned char *data;
    size_t size;
    long tries, good;
} sample;

/* Whatever the image became, its pixels can be read and resized. */
static waio_status read_image(const unsigned char *data, size_t size, waio_rng *rng)
{
    static waio_image image;
    static unsigned char out[MOST_SIDE * MOST_SIDE * 3];
    waio_status st = WAIO_OK;
    waio_resize resize;
    int height = 1 + (int)below(rng, MOST_SIDE), width = 1 + (int)below(rng, MOST_SIDE);

    WAIO_TRY(st, waio_image_decode(&image, data, size, "fuzz", below(rng, 2)));
    WAIO_TRY(st, waio_resize_parse(&resize,
                                   pipelines[below(rng, sizeof pipelines / sizeof *pipelines)]));
    st = waio_resize_run(out, height, width, image.pixel, image.height, image.width, &resize);
done:
    return st;
}

static waio_status read_annotation(const unsigned char *data, size_t size)
{
    waio_voc_annotation a;
    waio_arena *arena = waio_arena_new();
    waio_status st = waio_voc_annotation_parse(&a, data, size, "fuzz", classes, 10, arena);

    if (st == WAIO_OK)
        st = waio_voc_annotation_check(&a, (waio_image_size){160, 200});
    for (int i = 0; st == WAIO_OK && i < a.count; i++)
        if (a.object[i].class_index < 0 || a.object[i].class_index >= 10)
            abort();
    waio_arena_free(arena);
    return st;
}

/* The damaged list stands for both: the classes and the split. */
static waio_status read_list(const char *path, const char *images, waio_rng *rng)
{
    waio_dataset *d = NULL;
    waio_dataset_params params = {.data_dir = "fuzz_dataset.data",
                                  .split = below(rng, 2) ? "test" : "all",
                                  .selection = {.sample = 2, .seed = below(rng, 1000)},
                                  .height = 8,
                                  .width = 8,
                                  .skip_bad = below(rng, 2)};
    char command[2048];

    snprintf(command, sizeof command, "fuzz_dataset.data/shapes-iiit-pet/annotations");
    if (waio_make_dirs(command) != WAIO_OK)
        return WAIO_EIO;
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "fuzz_dataset.data/shapes-iiit-pet/annotations/%s",
                 i ? "test.txt" : "list.txt");
        unlink(command);
        if (link(path, command) != 0)
            return WAIO_EIO;
    }
    unlink("fuzz_dataset.data/shapes-iiit-pet/images");
    if (symlink(images, "fuzz_dataset.data/shapes-iiit-pet/images") != 0)
        return WAIO_EIO;
    waio_status st = waio_dataset_open(&d, "shapes_pets", &params);
    for (int64_t i = 0; st == WAIO_OK && i < d->count; i++)
        if (d->label[i] >= d->classes || !d->class_name[d->label[i]])
            abort();
    waio_dataset_close(d);
    return st;
}

static bool write_file(const char *path, const unsigned char *data, size_t size)
{
    FILE *out = fopen(path, "wb");
    bool good = out && fwrite(data, 1, size, out) == size;
    return out && fclose(out) == 0 && good;
}

static bool try_once(sample *s, const unsigned char *sized, size_t size, const char *images,
                     waio_rng *rng)
{
    char path[64];

    snprintf(path, sizeof path, "fuzz_dataset%s", s->suffix);
    if (!write_file(path, sized, size))
        return false;
    waio_status st = strcmp(s->suffix, ".xml") == 0   ? read_annotation(sized, size)
                     : strcmp(s->suffix, ".txt") == 0 ? read_list(path, images, rng)
                                                      : read_image(sized, size, rng);
    s->tries++;
    s->good += st == WAIO_OK;
    unlink(path);
    return st != WAIO_EIO;
}

/* A copy that ends where its block does, so that AddressSanitizer sees a byte read too far. */
static bool damage_once(sample *s, unsigned char *copy, const char *images, waio_rng *rng)
{
    size_t size = s->size, damages = 1 + below(rng, MOST_DAMAGES);

    memcpy(copy, s->data, s->size);
    while (damages--)
        size = damage(copy, size, rng);
    unsigned char *sized = malloc(size ? size : 1);
    if (!sized)
        return false;
    memcpy(sized, copy, size);
    bool good = try_once(s, sized, size, images, rng);
    free(sized);
    return good;
}

static bool load(sample *s, const char *path, waio_arena *arena)
{
    const char *suffix = strrchr(path, '.');

    *s = (sample){.path = path, .suffix = suffix};
    return suffix && strlen(suffix) < 16 &&
           waio_file_read(&s->data, &s->size, path, arena) == WAIO_OK && s->size > 0;
}

/* The folder of images beside the list, as a whole path. */
static const char *images_of(const char *list, waio_arena *arena)
{
    char *folder = realpath(waio_path_dir(arena, list), NULL);
    const char *images = folder ? waio_arena_printf(arena, "%s/../images", folder) : "";
    free(folder);
    return images;
}

int main(int argc, char **argv)
{
    static sample samples[MOST_FILES];
    int count = argc - 3;
    size_t largest = 0;
    waio_arena *arena = waio_arena_new();
    const char *images = "";

    if (count < 1 || count > MOST_FILES || !arena) {
        fprintf(stderr, "usage: fuzz_dataset SECONDS SEED FILE ... (at most %d)\n", MOST_FILES);
        return 2;
    }
    double until = waio_clock() + atof(argv[1]);
    waio_rng rng = {strtoull(argv[2], NULL, 10)};
    for (int i = 0; i < count; i++) {
        if (!load(&samples[i], argv[3 + i], arena)) {
            fprintf(stderr, "fuzz_dataset: %s cannot be read\n", argv[3 + i]);
            return 2;
        }
        if (strcmp(samples[i].suffix, ".txt") == 0)
            images = images_of(argv[3 + i], arena);
        largest = samples[i].size > largest ? samples[i].size : largest;
    }
    unsigned char *copy = malloc(largest + ROOM);
    for (int i = 0; copy && waio_clock() < until; i = (i + 1) % count)
        if (!damage_once(&samples[i], copy, images, &rng)) {
            fprintf(stderr, "fuzz_dataset: no file can be written here\n");
            return 2;
        }
    for (int i = 0; i < count; i++)
        printf("%s: %ld damaged files, %ld of them still good\n", samples[i].path, samples[i].tries,
               samples[i].good);
    free(copy);
    waio_arena_free(arena);
    return 0;
}
