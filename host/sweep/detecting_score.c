/* The metric of what was found on a data set, and its standard error. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "metric/coco_map.h"
#include "metric/voc_ap.h"
#include "sweep/detecting.h"
#include "util/parallel.h"
#include "util/rng.h"

enum { DRAWS = 100 };

typedef enum metric_kind { MAP_COCO, AP50, VOC07, VOC10, KINDS } metric_kind;
static const char *const kind_name[KINDS] = {"map_coco", "ap50", "voc07", "voc10"};

static metric_kind kind_of(const char *name)
{
    for (int k = 0; k < KINDS; k++)
        if (strcmp(kind_name[k], name) == 0)
            return (metric_kind)k;
    return MAP_COCO;
}

static bool is_voc(metric_kind kind)
{
    return kind == VOC07 || kind == VOC10;
}

static double value_of(const waio_marks *marks, metric_kind kind, const int32_t *weight,
                       double *scratch)
{
    if (is_voc(kind))
        return 100 * waio_voc_ap(marks, kind == VOC07 ? WAIO_CURVE_11 : WAIO_CURVE_AREA, NULL,
                                 weight, scratch);
    return 100 * waio_coco_ap(marks, kind == AP50 ? 0 : -1, weight, scratch);
}

/* ---- what there is ---- */

static waio_status flatten(waio_detection_set *set, const waio_detecting *detecting,
                           const waio_dataset *d, const waio_found_list *list, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_found *found = NULL;
    waio_truth *truth = NULL;
    int64_t *begin = NULL;

    WAIO_NEW(st, begin, arena, (size_t)d->count + 1);
    for (int64_t i = 0; i < d->count; i++)
        begin[i + 1] = begin[i] + list[i].count;
    WAIO_NEW(st, found, arena, (size_t)begin[d->count]);
    WAIO_NEW(st, truth, arena, (size_t)d->object_begin[d->count]);
    for (int64_t i = 0; i < d->count; i++)
        memcpy(found + begin[i], list[i].item, (size_t)list[i].count * sizeof *found);
    for (int64_t i = 0; i < d->object_begin[d->count]; i++) {
        const waio_object *o = &d->object[i];
        truth[i] = (waio_truth){.x = o->x,
                                .y = o->y,
                                .width = o->width,
                                .height = o->height,
                                .area = o->width * o->height,
                                .class_index = o->class_index,
                                .crowd = o->crowd,
                                .difficult = o->difficult};
    }
    *set = (waio_detection_set){d->count,        d->classes,         found, begin, truth,
                                d->object_begin, detecting->left_out};
done:
    return st;
}

/* ---- the standard error ---- */

typedef struct bootstrap {
    const waio_marks *marks;
    metric_kind kind;
    uint64_t seed;
    int64_t images;
    double value[DRAWS];
} bootstrap;

static waio_status draw(void *payload, int64_t item)
{
    waio_status st = WAIO_OK;
    bootstrap *b = payload;
    waio_rng rng = {b->seed * 1000003 + (uint64_t)item};
    int32_t *weight = calloc((size_t)b->images + 1, sizeof *weight);
    double *scratch = calloc(2 * (size_t)waio_marks_most(b->marks) + 1, sizeof *scratch);

    if (!weight || !scratch)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int64_t i = 0; i < b->images; i++)
        weight[waio_rng_below(&rng, (uint64_t)b->images)]++;
    b->value[item] = value_of(b->marks, b->kind, weight, scratch);
done:
    free(weight);
    free(scratch);
    return st;
}

static double deviation_of(const bootstrap *b)
{
    double sum = 0, squares = 0;
    int count = 0;

    for (int i = 0; i < DRAWS; i++)
        if (!isnan(b->value[i])) {
            sum += b->value[i];
            count++;
        }
    for (int i = 0; i < DRAWS; i++)
        if (!isnan(b->value[i]))
            squares += (b->value[i] - sum / count) * (b->value[i] - sum / count);
    return count > 1 ? sqrt(squares / (count - 1)) : NAN;
}

/* What was found, marked as right or wrong, to be freed with waio_marks_free; and the memory that
 * value_of needs, in `arena`. */
static waio_status mark(waio_marks *marks, double **scratch, const waio_detecting *detecting,
                        const waio_dataset *dataset, const waio_found_list *list,
                        const waio_detection_metric *metric, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_detection_set set;

    WAIO_TRY(st, flatten(&set, detecting, dataset, list, arena));
    WAIO_TRY(st, is_voc(kind_of(metric->name))
                     ? waio_marks_voc(marks, &set, metric->ignore_difficult, metric->threads)
                     : waio_marks_coco(marks, &set, metric->ignore_difficult, metric->threads));
    WAIO_NEW(st, *scratch, arena, 2 * (size_t)waio_marks_most(marks) + 1);
done:
    return st;
}

waio_status waio_detecting_score(waio_detection_score *out, const waio_detecting *detecting,
                                 const waio_dataset *dataset, const waio_found_list *list,
                                 const waio_detection_metric *metric)
{
    waio_status st = WAIO_OK;
    metric_kind kind = kind_of(metric->name);
    waio_arena *arena = waio_arena_new();
    waio_marks marks = {0};
    double *scratch = NULL;

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, mark(&marks, &scratch, detecting, dataset, list, metric, arena));
    out->value = value_of(&marks, kind, NULL, scratch);
    bootstrap b = {&marks, kind, metric->seed, dataset->count, {0}};
    WAIO_TRY(st, waio_parallel_for(metric->threads, DRAWS, draw, &b));
    out->deviation = deviation_of(&b);
done:
    waio_marks_free(&marks);
    waio_arena_free(arena);
    return st;
}

waio_status waio_detecting_class_scores(double *value, const waio_detecting *detecting,
                                        const waio_dataset *dataset, const waio_found_list *list,
                                        const waio_detection_metric *metric)
{
    waio_status st = WAIO_OK;
    metric_kind kind = kind_of(metric->name);
    waio_arena *arena = waio_arena_new();
    waio_marks marks = {0};
    double *scratch = NULL;

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, mark(&marks, &scratch, detecting, dataset, list, metric, arena));
    for (int c = 0; c < marks.classes; c++) {
        waio_marks one = {1, &marks.of[c], &marks.left_out[c]};
        value[c] = value_of(&one, kind, NULL, scratch);
    }
done:
    waio_marks_free(&marks);
    waio_arena_free(arena);
    return st;
}
