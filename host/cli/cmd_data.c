/* waio data: verify data sets, decode an image as a data set would. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/progress.h"
#include "cli/run_options.h"
#include "dataset/data_verify.h"
#include "dataset/image.h"
#include "dataset/resize.h"
#include "util/clock.h"
#include "util/file.h"

typedef struct data_args {
    const char *data, *dataset, *size, *resize, *out;
    int64_t threads, repeat;
    bool quiet;
} data_args;

/* ---- verify ---- */

static void print_line(void *payload, const char *text)
{
    waio_progress_clear(payload);
    printf("%s\n", text);
}

static void print_problem(void *payload, const char *text)
{
    waio_progress_clear(payload);
    printf("problem: %s\n", text);
}

/* The folder of data that holds the set, or NULL: the one that is named, else the build's. */
static const char *folder_of(const waio_dataset_kind *kind, const char *name, const char *data,
                             waio_arena *arena)
{
    const char *below = waio_dataset_folder(kind, name, arena);
    const char *dirs[] = {data, WAIO_BINARY_DIR "/data"};

    for (int i = 0; i < 2 && below; i++) {
        const char *path = dirs[i] ? waio_path_join(arena, dirs[i], below) : NULL;
        if (path && waio_dir_exists(path))
            return dirs[i];
    }
    return NULL;
}

static waio_status verify_set(const data_args *a, const char *name, bool asked, int64_t *problems,
                              waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_dataset_kind *kind = NULL;
    waio_cli_reading reading;
    const char *data = a->data ? a->data : getenv("WAIO_DATA");

    WAIO_TRY(st, waio_dataset_find(&kind, name));
    const char *folder = folder_of(kind, name, data, arena);
    if (!folder && asked)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "data set %s: there is no folder %s (--data or WAIO_DATA names the folder that "
                  "holds it; scripts/fetch_data.sh fetches it)",
                  name, waio_dataset_folder(kind, name, arena));
    if (!folder) {
        if (!strstr(name, "YEAR"))
            printf("%s: not here\n", name);
        goto done;
    }
    if (strstr(name, "YEAR"))
        goto done;
    waio_cli_reading_init(&reading, a->quiet);
    waio_verify_report report = {print_line, print_problem, &reading.progress};
    WAIO_TRY(st, waio_dataset_verify(name, folder, (int)a->threads, &reading.reading, &report,
                                     problems));
done:
    return st;
}

static waio_status verify(const data_args *a, int64_t *problems)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return WAIO_ENOMEM;
    waio_cli_catch_signals();
    if (a->dataset)
        WAIO_TRY(st, verify_set(a, a->dataset, true, problems, arena));
    for (const waio_dataset_kind *k = waio_dataset_kinds; k->name && !a->dataset; k++)
        WAIO_TRY(st, verify_set(a, k->name, false, problems, arena));
    printf(*problems ? "%" PRId64 " problems\n" : "no problems\n", *problems);
done:
    waio_arena_free(arena);
    return st;
}

/* ---- decode ---- */

static waio_status read_size(int *height, int *width, const char *text)
{
    char rest;

    if (sscanf(text, "%dx%d%c", height, width, &rest) != 2 || *height < 1 || *width < 1 ||
        *height > WAIO_MAX_SIDE || *width > WAIO_MAX_SIDE)
        return waio_error(WAIO_EUSAGE, "--size %s: expected HEIGHTxWIDTH, each from 1 to %d", text,
                          WAIO_MAX_SIDE);
    return WAIO_OK;
}

static waio_status resized(waio_image *to, const waio_image *image, const data_args *a,
                           const waio_resize *resize)
{
    waio_status st = WAIO_OK;
    int height = 0, width = 0;

    WAIO_TRY(st, read_size(&height, &width, a->size));
    WAIO_TRY(st, waio_image_room(to, (size_t)height, (size_t)width, "--size"));
    WAIO_TRY(st, waio_resize_run(to->pixel, height, width, image->pixel, image->height,
                                 image->width, resize));
done:
    return st;
}

/* One file's pixels, brought to the size that is asked for, to `result`: `image` or `small`. */
static waio_status decode_file(const waio_image **result, waio_image *image, waio_image *small,
                               const data_args *a, const char *path, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_resize resize;
    unsigned char *data = NULL;
    size_t size = 0;

    WAIO_TRY(st, waio_resize_parse(&resize, a->resize));
    WAIO_TRY(st, waio_file_read(&data, &size, path, arena));
    WAIO_TRY(st, waio_image_decode(image, data, size, path, resize.filter == WAIO_CV_LINEAR));
    *result = image;
    if (a->size) {
        WAIO_TRY(st, resized(small, image, a, &resize));
        *result = small;
    }
done:
    return st;
}

static waio_status decode(const data_args *a, const char *path)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();
    waio_image image = {0}, small = {0};
    const waio_image *result = NULL;

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, decode_file(&result, &image, &small, a, path, arena));
    if (a->out)
        WAIO_TRY(st, waio_file_replace(a->out, result->pixel,
                                       3 * (size_t)result->height * (size_t)result->width));
    printf("%s: %dx%d (height x width)", path, image.height, image.width);
    printf(a->size ? " to %dx%d\n" : "\n", small.height, small.width);
done:
    free(image.pixel);
    free(small.pixel);
    waio_arena_free(arena);
    return st;
}

/* All files over and over on this thread, files read anew each time. */
static waio_status time_files(const data_args *a, const char *const *path, int count)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = NULL;
    waio_image image = {0}, small = {0};
    const waio_image *result = NULL;
    double started = waio_clock_thread();

    for (int64_t n = 0; n < a->repeat; n++)
        for (int i = 0; i < count; i++) {
            if (!(arena = waio_arena_new()))
                WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
            WAIO_TRY(st, decode_file(&result, &image, &small, a, path[i], arena));
            waio_arena_free(arena);
            arena = NULL;
        }
    double images = (double)a->repeat * count, seconds = waio_clock_thread() - started;
    printf("%.0f images in %.3f s of one processor: %.1f images/s\n", images, seconds,
           images / seconds);
done:
    free(image.pixel);
    free(small.pixel);
    waio_arena_free(arena);
    return st;
}

int waio_cmd_data(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    data_args a = {.resize = "pil-bilinear", .threads = processors > 0 ? processors : 1};
    int64_t problems = 0;
    const waio_option options[] = {
        {"dataset", WAIO_OPTION_TEXT, &a.dataset, "NAME", "verify this one [all that are there]", 0,
         0},
        {"data", WAIO_OPTION_TEXT, &a.data, "DIR", "folder of data sets [WAIO_DATA]", 0, 0},
        {"threads", WAIO_OPTION_COUNT, &a.threads, "N", "worker threads [all processors]", 1, 1024},
        {"size", WAIO_OPTION_TEXT, &a.size, "HxW", "decode: bring the image to this size", 0, 0},
        {"resize", WAIO_OPTION_TEXT, &a.resize, "PIPELINE",
         "decode: how, as in suites/README.md [pil-bilinear]", 0, 0},
        {"out", WAIO_OPTION_TEXT, &a.out, "FILE", "decode: where the bytes R G B go, row by row", 0,
         0},
        {"repeat", WAIO_OPTION_COUNT, &a.repeat, "N",
         "decode: all files so often, and say how fast [0: once]", 0, 1000000},
        {"quiet", WAIO_OPTION_FLAG, &a.quiet, NULL, "no progress line", 0, 0},
    };
    const waio_command command = {
        .name = "data",
        .summary = "verify data sets, decode an image",
        .positional = "verify | decode FILE ...",
        .fewest = 1,
        .most = 32,
        .details =
            "verify looks at every image and annotation of the data sets that are there and\n"
            "counts them; exit status 2 if there is any problem. decode writes the pixels of a\n"
            "JPEG or PNG as a data set would hold them: waio data decode photo.jpg --size 224x224\n"
            "--resize pil-bilinear/crop256 --out photo.rgb",
        .example = "waio data verify --dataset shapes_pets",
        .option = options,
        .option_count = sizeof options / sizeof *options,
    };
    waio_arguments args;

    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        return 0;
    if (strcmp(args.item[0], "verify") == 0 && args.count == 1)
        WAIO_TRY(st, verify(&a, &problems));
    else if (strcmp(args.item[0], "decode") == 0 && args.count >= 2 && a.repeat)
        WAIO_TRY(st, time_files(&a, args.item + 1, args.count - 1));
    else if (strcmp(args.item[0], "decode") == 0 && args.count == 2)
        WAIO_TRY(st, decode(&a, args.item[1]));
    else
        WAIO_FAIL(st, WAIO_EUSAGE, "expected: verify, or decode FILE");
done:
    return st != WAIO_OK ? waio_command_failed(&command, st) : problems ? 2 : 0;
}
