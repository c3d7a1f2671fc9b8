#include "sweep/detecting.h"

#include <stdlib.h>
#include <string.h>

#include "metric/anchors.h"
#include "metric/labels.h"

/* ---- classes ---- */

/* Names of the detector's classes; NULL: they are the data set's, one by one. */
static waio_status labels_of(const char *const **out, bool *guessed, const waio_detector *d,
                             const waio_dataset *dataset)
{
    const waio_label_set *set = NULL;

    *out = d->label;
    *guessed = !d->label && !d->label_set;
    if (d->label)
        return WAIO_OK;
    set = d->label_set ? waio_label_set_find(d->label_set) : waio_label_set_of(d->classes);
    if (d->label_set && !set)
        return WAIO_EUSAGE;
    if (d->label_set && set->classes != d->classes)
        return waio_error(WAIO_EINPUT, "the detector has %d classes, its labels \"%s\" are %d",
                          d->classes, d->label_set, set->classes);
    if (!set && d->classes != dataset->classes)
        return waio_error(WAIO_EINPUT,
                          "the detector has %d classes without names, the data set %s has %d; a "
                          "file MODEL.detector.json can name them (\"labels\")",
                          d->classes, dataset->name, dataset->classes);
    *out = set ? set->label : NULL;
    return WAIO_OK;
}

static int match_labels(waio_detecting *out, const char *const *label, const waio_dataset *dataset)
{
    int common = 0;

    for (int k = 0; k < dataset->classes; k++)
        out->left_out[k] = true;
    for (int c = 0; c < out->detector->classes; c++) {
        out->class_of[c] = -1;
        for (int k = 0; k < dataset->classes && out->class_of[c] < 0; k++)
            if (label ? waio_label_same(label[c], dataset->class_name[k]) : c == k)
                out->class_of[c] = k;
        if (out->class_of[c] >= 0)
            out->left_out[out->class_of[c]] = false;
    }
    for (int k = 0; k < dataset->classes; k++)
        common += !out->left_out[k];
    return common;
}

static waio_status match_classes(waio_detecting *out, const waio_dataset *dataset,
                                 waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const char *const *label = NULL;
    bool guessed = false;

    WAIO_NEW(st, out->class_of, arena, (size_t)out->detector->classes);
    WAIO_NEW(st, out->left_out, arena, (size_t)dataset->classes);
    WAIO_TRY(st, labels_of(&label, &guessed, out->detector, dataset));
    out->common = match_labels(out, label, dataset);
    if (out->common == 0 && guessed && out->detector->classes == dataset->classes)
        out->common = match_labels(out, NULL, dataset);
    if (out->common == 0)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "the detector and the data set %s have no class in common by name",
                  dataset->name);
done:
    return st;
}

waio_status waio_detecting_create(waio_detecting *out, const waio_graph *graph,
                                  const waio_dataset *dataset, int workers, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_detector *d = graph->detector;
    size_t anchors = (size_t)waio_anchors_count(&d->anchors);

    *out = (waio_detecting){.detector = d, .workers = workers};
    if (waio_shape_count(&graph->value[graph->output[d->boxes]].shape) != (int64_t)anchors * 4)
        WAIO_FAIL(st, WAIO_EINPUT, "%zu anchors, but the network gives %lld numbers for boxes",
                  anchors,
                  (long long)waio_shape_count(&graph->value[graph->output[d->boxes]].shape));
    WAIO_TRY(st, waio_anchors_make(&out->anchor, &d->anchors, arena));
    WAIO_NEW(st, out->scratch, arena, (size_t)workers);
    WAIO_NEW(st, out->code, arena, (size_t)workers);
    WAIO_NEW(st, out->score, arena, (size_t)workers);
    for (int w = 0; w < workers; w++) {
        WAIO_TRY(st, waio_detect_scratch_make(&out->scratch[w], d, arena));
        WAIO_NEW(st, out->code[w], arena, anchors * 4);
        WAIO_NEW(st, out->score[w], arena, anchors * (size_t)d->columns);
    }
    if (dataset)
        WAIO_TRY(st, match_classes(out, dataset, arena));
done:
    return st;
}

/* ---- an image ---- */

/* `count` numbers of output `id` as floats; `to` where they are codes, else as they lie there. */
static const float *as_floats(float *to, const waio_graph *graph, int id, const void *from,
                              int64_t count)
{
    const waio_value *value = &graph->value[id];
    float scale = value->type == WAIO_F32 ? 1 : value->params.scale[0];
    int32_t zero = value->type == WAIO_F32 ? 0 : value->params.zero_point[0];

    if (value->type == WAIO_F32)
        return from;
    for (int64_t i = 0; i < count; i++) {
        int32_t code =
            value->type == WAIO_S8 ? ((const int8_t *)from)[i] : ((const int16_t *)from)[i];
        to[i] = scale * (float)(code - zero);
    }
    return to;
}

void waio_detecting_image(int *count, bool *nan, const waio_detecting *d, int worker,
                          const waio_graph *graph, const void *boxes, const void *scores)
{
    const waio_detector *detector = d->detector;
    int64_t anchors = waio_anchors_count(&detector->anchors);
    const float *code =
        as_floats(d->code[worker], graph, graph->output[detector->boxes], boxes, anchors * 4);
    const float *score = as_floats(d->score[worker], graph, graph->output[detector->scores], scores,
                                   anchors * detector->columns);

    waio_detect(count, nan, detector, d->anchor, code, score, &d->scratch[worker]);
}

waio_status waio_detecting_find(waio_found_list *out, const waio_detecting *d, int worker,
                                const waio_graph *graph, const void *boxes, const void *scores,
                                const waio_dataset *dataset, int64_t image)
{
    int count = 0;
    waio_placement at = waio_dataset_placement(dataset, image);

    *out = (waio_found_list){0};
    waio_detecting_image(&count, &out->nan, d, worker, graph, boxes, scores);
    out->item = malloc(((size_t)count + 1) * sizeof *out->item);
    if (!out->item)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int i = 0; i < count; i++) {
        const waio_detection *one = &d->scratch[worker].result[i];
        int class = d->class_of[one->class_index];
        double left = ((double)one->box.xmin * dataset->width + at.left) / at.scale_x;
        double top = ((double)one->box.ymin * dataset->height + at.top) / at.scale_y;
        double right = ((double)one->box.xmax * dataset->width + at.left) / at.scale_x;
        double bottom = ((double)one->box.ymax * dataset->height + at.top) / at.scale_y;
        if (class < 0)
            continue;
        out->item[out->count++] = (waio_found){.x = left,
                                               .y = top,
                                               .width = right - left,
                                               .height = bottom - top,
                                               .score = (double)one->score,
                                               .class_index = class};
    }
    return WAIO_OK;
}

void waio_found_lists_free(waio_found_list *list, int64_t images)
{
    for (int64_t i = 0; list && i < images; i++) {
        free(list[i].item);
        list[i] = (waio_found_list){0};
    }
}

waio_status waio_found_lists_copy(waio_found_list *to, const waio_found_list *from, int64_t images)
{
    waio_found_lists_free(to, images);
    for (int64_t i = 0; i < images; i++) {
        to[i] = from[i];
        to[i].item = malloc(((size_t)from[i].count + 1) * sizeof *from[i].item);
        if (!to[i].item) {
            to[i] = (waio_found_list){0};
            return waio_error(WAIO_ENOMEM, "out of memory");
        }
        memcpy(to[i].item, from[i].item, (size_t)from[i].count * sizeof *from[i].item);
    }
    return WAIO_OK;
}

/* ---- two networks on an image ---- */

static double overlap(const waio_found *a, const waio_found *b)
{
    double right = a->x + a->width < b->x + b->width ? a->x + a->width : b->x + b->width;
    double bottom = a->y + a->height < b->y + b->height ? a->y + a->height : b->y + b->height;
    double width = right - (a->x > b->x ? a->x : b->x);
    double height = bottom - (a->y > b->y ? a->y : b->y);

    if (!(width > 0) || !(height > 0))
        return 0;
    double common = width * height;
    return common / (a->width * a->height + b->width * b->height - common);
}

static int sure_of(const waio_found_list *list)
{
    int count = 0;
    for (int i = 0; i < list->count; i++)
        count += list->item[i].score >= 0.5;
    return count;
}

bool waio_found_same(const waio_found_list *a, const waio_found_list *b)
{
    int sure = sure_of(a);
    bool same = sure == sure_of(b) && a->nan == b->nan;
    bool *taken = calloc((size_t)b->count + 1, sizeof *taken);

    for (int i = 0; taken && i < a->count && same; i++) {
        double best = 0;
        int match = -1;
        if (a->item[i].score < 0.5)
            continue;
        for (int k = 0; k < b->count; k++) {
            double iou = overlap(&a->item[i], &b->item[k]);
            bool fits = !taken[k] && b->item[k].score >= 0.5 &&
                        b->item[k].class_index == a->item[i].class_index && iou >= 0.5;
            if (fits && iou > best) {
                best = iou;
                match = k;
            }
        }
        same = match >= 0;
        if (same)
            taken[match] = true;
    }
    same = same && taken;
    free(taken);
    return same;
}
