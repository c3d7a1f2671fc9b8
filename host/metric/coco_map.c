/* Source: pycocotools 2.0, cocoeval.py (evaluateImg, accumulate, summarize) and bbIou in maskApi.c.
 */
#include "metric/coco_map.h"

#include <math.h>
#include <stdlib.h>

#include "metric/marks_match.h"

enum { MOST_FOUND = 100, ALL_AREAS = 0 };

const char *const waio_coco_stat_name[WAIO_COCO_STATS] = {
    "AP",  "AP50", "AP75",  "AP_small", "AP_medium", "AP_large",
    "AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"};

static const double area_range[WAIO_COCO_AREAS][2] = {
    {0, 1e10}, {0, 32.0 * 32}, {32.0 * 32, 96.0 * 96}, {96.0 * 96, 1e10}};

/* numpy.linspace(.5, .95, 10) */
static double threshold_of(int t)
{
    return t == WAIO_COCO_THRESHOLDS - 1 ? 0.95 : t * ((0.95 - 0.5) / 9) + 0.5;
}

/* ---- matching ---- */

static bool is_crowd(const waio_match *m, const waio_truth *g)
{
    return g->crowd || (m->difficult_ignored && g->difficult);
}

/* For a crowd the union is the found box alone. */
static double overlap(const waio_found *d, const waio_truth *g, bool crowd)
{
    double width = fmin(d->width + d->x, g->width + g->x) - fmax(d->x, g->x);
    double height = fmin(d->height + d->y, g->height + g->y) - fmax(d->y, g->y);

    if (width <= 0 || height <= 0)
        return 0;
    double common = width * height, found = d->width * d->height;
    return common / (crowd ? found : found + g->width * g->height - common);
}

/* Annotations in the order of looking: those that count in this range of areas in front. */
static void order_truth(waio_match *m, int area)
{
    int count = 0, at = 0;

    for (int g = 0; g < m->truth_count; g++) {
        const waio_truth *truth = m->truth[g].truth;
        bool counts = !is_crowd(m, truth) && truth->area >= area_range[area][0] &&
                      truth->area <= area_range[area][1];
        if (counts) {
            m->scratch[count++] = g;
            for (int t = 0; t < WAIO_COCO_THRESHOLDS; t++)
                m->truth[g].counted |= UINT64_C(1) << (area * WAIO_COCO_THRESHOLDS + t);
        }
    }
    at = count;
    for (int g = 0; g < m->truth_count; g++)
        if (!(m->truth[g].counted >> (area * WAIO_COCO_THRESHOLDS) & 1))
            m->scratch[at++] = g;
}

/* The place in scratch of what `found` is matched to, -1: nothing. `iou` has a row of overlaps. */
static int find_match(const waio_match *m, const double *iou, const bool *taken, int counted,
                      double threshold)
{
    double best = fmin(threshold, 1 - 1e-10);
    int match = -1;

    for (int k = 0; k < m->truth_count; k++) {
        int g = m->scratch[k];
        if (taken[g] && !is_crowd(m, m->truth[g].truth))
            continue;
        if (match >= 0 && match < counted && k >= counted)
            break; /* a real one is better than any that is ignored */
        if (iou[g] < best)
            continue;
        best = iou[g];
        match = k;
    }
    return match;
}

static void match_at(waio_match *m, const double *iou, bool *taken, int area, int t)
{
    uint64_t bit = UINT64_C(1) << (area * WAIO_COCO_THRESHOLDS + t);
    int counted = 0;

    for (int g = 0; g < m->truth_count; g++) {
        taken[g] = false;
        counted += m->truth[g].counted & bit ? 1 : 0;
    }
    for (int d = 0; d < m->found_count; d++) {
        waio_match_found *found = &m->found[d];
        double size = found->found->width * found->found->height;
        int match = find_match(m, iou + (size_t)d * (size_t)m->truth_count, taken, counted,
                               threshold_of(t));
        if (match >= 0) {
            taken[m->scratch[match]] = true;
            *(match < counted ? &found->hit : &found->ignored) |= bit;
        } else if (size < area_range[area][0] || size > area_range[area][1]) {
            found->ignored |= bit;
        }
    }
}

static waio_status match_image(waio_match *m)
{
    waio_status st = WAIO_OK;
    size_t truths = (size_t)m->truth_count;
    double *iou = calloc((size_t)m->found_count * truths + 1, sizeof *iou);
    bool *taken = calloc(truths + 1, sizeof *taken);

    if (!iou || !taken)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int d = 0; d < m->found_count; d++)
        for (int g = 0; g < m->truth_count; g++)
            iou[(size_t)d * truths + (size_t)g] =
                overlap(m->found[d].found, m->truth[g].truth, is_crowd(m, m->truth[g].truth));
    for (int area = 0; area < WAIO_COCO_AREAS; area++) {
        order_truth(m, area);
        for (int t = 0; t < WAIO_COCO_THRESHOLDS; t++)
            match_at(m, iou, taken, area, t);
    }
done:
    free(iou);
    free(taken);
    return st;
}

waio_status waio_marks_coco(waio_marks *out, const waio_detection_set *set, bool difficult_ignored,
                            int threads)
{
    return waio_marks_make(out, set, difficult_ignored, match_image, MOST_FOUND, threads);
}

/* ---- means over classes ---- */

typedef struct mean {
    double sum;
    int64_t count;
} mean;

static void add(mean *m, double x)
{
    if (isnan(x))
        return;
    m->sum += x;
    m->count++;
}

static double value(mean m)
{
    return m.count ? m.sum / (double)m.count : -1;
}

/* Precision and recall of a class at one area, means over the thresholds first .. last. */
static waio_average over(const waio_class_marks *of, int area, int first, int last, int most,
                         const int32_t *weight, double *scratch)
{
    waio_average sum = {0, 0};

    for (int t = first; t <= last; t++) {
        waio_average one = waio_marks_average(of, area * WAIO_COCO_THRESHOLDS + t, most,
                                              WAIO_CURVE_101, weight, scratch);
        sum.precision += one.precision;
        sum.recall += one.recall;
    }
    return (waio_average){sum.precision / (last - first + 1), sum.recall / (last - first + 1)};
}

double waio_coco_ap(const waio_marks *marks, int threshold, const int32_t *weight, double *scratch)
{
    mean m = {0, 0};
    int first = threshold < 0 ? 0 : threshold;
    int last = threshold < 0 ? WAIO_COCO_THRESHOLDS - 1 : threshold;

    for (int c = 0; c < marks->classes; c++)
        if (!marks->left_out[c])
            add(&m,
                over(&marks->of[c], ALL_AREAS, first, last, MOST_FOUND, weight, scratch).precision);
    return m.count ? value(m) : NAN;
}

waio_status waio_coco_evaluate(waio_coco_result *out, double *class_ap, const waio_marks *marks)
{
    mean stat[WAIO_COCO_STATS] = {{0, 0}};
    enum { LAST = WAIO_COCO_THRESHOLDS - 1 };
    double *s = calloc(2 * (size_t)waio_marks_most(marks) + 1, sizeof *s);

    if (!s)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int c = 0; c < marks->classes; c++) {
        const waio_class_marks *of = &marks->of[c];
        if (class_ap)
            class_ap[c] = NAN;
        if (marks->left_out[c])
            continue;
        waio_average all = over(of, ALL_AREAS, 0, LAST, MOST_FOUND, NULL, s);
        if (class_ap)
            class_ap[c] = all.precision;
        add(&stat[WAIO_COCO_AP], all.precision);
        add(&stat[WAIO_COCO_AR100], all.recall);
        add(&stat[WAIO_COCO_AP50], over(of, ALL_AREAS, 0, 0, MOST_FOUND, NULL, s).precision);
        add(&stat[WAIO_COCO_AP75], over(of, ALL_AREAS, 5, 5, MOST_FOUND, NULL, s).precision);
        add(&stat[WAIO_COCO_AR1], over(of, ALL_AREAS, 0, LAST, 1, NULL, s).recall);
        add(&stat[WAIO_COCO_AR10], over(of, ALL_AREAS, 0, LAST, 10, NULL, s).recall);
        for (int area = 1; area < WAIO_COCO_AREAS; area++) {
            waio_average part = over(of, area, 0, LAST, MOST_FOUND, NULL, s);
            add(&stat[WAIO_COCO_AP_SMALL + area - 1], part.precision);
            add(&stat[WAIO_COCO_AR_SMALL + area - 1], part.recall);
        }
    }
    for (int i = 0; i < WAIO_COCO_STATS; i++)
        out->stat[i] = value(stat[i]);
    free(s);
    return WAIO_OK;
}
