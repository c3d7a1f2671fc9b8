/* waio map: detection metrics of COCO's JSON files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/options.h"
#include "metric/coco_json.h"
#include "metric/coco_map.h"
#include "metric/voc_ap.h"
#include "util/arena.h"

typedef struct map_options {
    bool classes, ignore, count;
    int64_t threads;
} map_options;

static void print_classes(const waio_coco_files *files, const double *coco, const double *voc)
{
    printf("\n%-20s %14s %14s\n", "class", "AP", "VOC10");
    for (int c = 0; c < files->set.classes; c++) {
        printf("%-20.20s", files->class_name[c]);
        for (int i = 0; i < 2; i++) {
            double x = i ? voc[c] : coco[c];
            if (isnan(x))
                printf(" %14s", "-");
            else
                printf(" %14.12f", x);
        }
        printf("\n");
    }
}

static waio_status print_metrics(const waio_coco_files *files, const map_options *o,
                                 waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_marks coco = {0}, voc = {0};
    waio_coco_result result;
    double *coco_ap = NULL, *voc_ap = NULL, *scratch = NULL;
    size_t classes = (size_t)files->set.classes;

    WAIO_TRY(st, waio_marks_coco(&coco, &files->set, o->ignore, (int)o->threads));
    WAIO_TRY(st, waio_marks_voc(&voc, &files->set, !o->count, (int)o->threads));
    WAIO_NEW(st, coco_ap, arena, classes);
    WAIO_NEW(st, voc_ap, arena, classes);
    WAIO_NEW(st, scratch, arena, 2 * (size_t)waio_marks_most(&voc));
    WAIO_TRY(st, waio_coco_evaluate(&result, coco_ap, &coco));
    for (int i = 0; i < WAIO_COCO_STATS; i++)
        printf("%-9s %.12f\n", waio_coco_stat_name[i], result.stat[i]);
    for (int i = 0; i < 2; i++) {
        double ap = waio_voc_ap(&voc, i ? WAIO_CURVE_AREA : WAIO_CURVE_11, voc_ap, NULL, scratch);
        printf("%-9s %.12f\n", i ? "VOC10" : "VOC07", isnan(ap) ? -1 : ap);
    }
    if (o->classes)
        print_classes(files, coco_ap, voc_ap);
done:
    waio_marks_free(&coco);
    waio_marks_free(&voc);
    return st;
}

int waio_cmd_map(int argc, char **argv)
{
    waio_status st = WAIO_OK;
    map_options o = {.threads = 1};
    const waio_option table[] = {
        {"classes", WAIO_OPTION_FLAG, &o.classes, NULL, "also the AP of each class", 0, 0},
        {"ignore-difficult", WAIO_OPTION_FLAG, &o.ignore, NULL,
         "COCO: difficult objects are treated as crowds", 0, 0},
        {"count-difficult", WAIO_OPTION_FLAG, &o.count, NULL,
         "VOC: difficult objects count as any other", 0, 0},
        {"threads", WAIO_OPTION_COUNT, &o.threads, "N", "threads [1]", 1, 1024},
    };
    const waio_command command = {
        .name = "map",
        .summary = "average precision of detections in COCO's JSON files",
        .positional = "RESULTS.json ANNOTATIONS.json",
        .fewest = 2,
        .most = 2,
        .details =
            "The twelve metrics of pycocotools for boxes (-1: nothing to find), and the mean AP\n"
            "of VOC 2007 (11 points) and 2010 (area) at IoU 0.5, whose difficult objects stand\n"
            "in a key \"difficult\" of an annotation.",
        .example = "waio map detections.json instances_val2017.json --classes",
        .option = table,
        .option_count = sizeof table / sizeof *table,
    };
    waio_arguments args;
    waio_coco_files files;
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return waio_command_failed(&command, WAIO_ENOMEM);
    WAIO_TRY(st, waio_options_parse(&command, argc, argv, &args));
    if (args.help)
        goto done;
    WAIO_TRY(st, waio_coco_read(&files, args.item[0], args.item[1], arena));
    if (files.unknown)
        fprintf(stderr, "%lld results are of categories that the annotations do not list\n",
                (long long)files.unknown);
    WAIO_TRY(st, print_metrics(&files, &o, arena));
done:
    waio_arena_free(arena);
    return st == WAIO_OK ? 0 : waio_command_failed(&command, st);
}
