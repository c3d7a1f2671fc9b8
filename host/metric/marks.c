/* The parts that matching shares, and curves. Source of the curves: pycocotools, cocoeval.py
 * (accumulate), and the VOC development kit's VOCevaldet.m. */
#include "metric/marks.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "metric/marks_match.h"
#include "util/parallel.h"

/* ---- matching, class by class ---- */

typedef struct matching {
    waio_marks *marks;
    const waio_detection_set *set;
    bool difficult_ignored;
    waio_match_image *match;
    int most; /* boxes of an image */
} matching;

static int by_score(const void *a, const void *b)
{
    const waio_mark *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static int by_rank_score(const void *a, const void *b)
{
    const waio_match_found *x = a, *y = b;

    if (x->found->score != y->found->score)
        return x->found->score > y->found->score ? -1 : 1;
    return x->found < y->found ? -1 : x->found > y->found;
}

static void count_class(int64_t *found, int64_t *truth, const waio_detection_set *set, int class)
{
    *found = *truth = 0;
    for (int64_t i = 0; i < set->found_begin[set->images]; i++)
        *found += set->found[i].class_index == class;
    for (int64_t i = 0; i < set->truth_begin[set->images]; i++)
        *truth += set->truth[i].class_index == class;
}

/* What of image `image` belongs to the class: boxes by score, annotations as given. */
static void gather(waio_match *m, const waio_detection_set *set, int class, int64_t image)
{
    m->found_count = m->truth_count = 0;
    for (int64_t i = set->found_begin[image]; i < set->found_begin[image + 1]; i++)
        if (set->found[i].class_index == class)
            m->found[m->found_count++] = (waio_match_found){.found = &set->found[i]};
    for (int64_t i = set->truth_begin[image]; i < set->truth_begin[image + 1]; i++)
        if (set->truth[i].class_index == class)
            m->truth[m->truth_count++] = (waio_match_truth){.truth = &set->truth[i]};
    qsort(m->found, (size_t)m->found_count, sizeof *m->found, by_rank_score);
}

static void append(waio_class_marks *of, const waio_match *m, int64_t image)
{
    for (int i = 0; i < m->found_count; i++)
        of->mark[of->marks++] =
            (waio_mark){image, m->found[i].found->score, m->found[i].hit, m->found[i].ignored, i};
    for (int i = 0; i < m->truth_count; i++)
        of->positive[of->positives++] = (waio_positive){image, m->truth[i].counted};
}

static waio_status mark_class(void *payload, int64_t class)
{
    waio_status st = WAIO_OK;
    const matching *all = payload;
    waio_class_marks *of = &all->marks->of[class];
    waio_match m = {.difficult_ignored = all->difficult_ignored};
    int64_t found = 0, truth = 0;

    if (all->marks->left_out[class])
        return WAIO_OK;
    count_class(&found, &truth, all->set, (int)class);
    of->mark = calloc((size_t)found + 1, sizeof *of->mark);
    of->positive = calloc((size_t)truth + 1, sizeof *of->positive);
    m.found = calloc((size_t)found + 1, sizeof *m.found);
    m.truth = calloc((size_t)truth + 1, sizeof *m.truth);
    m.scratch = calloc((size_t)truth + 1, sizeof *m.scratch);
    if (!of->mark || !of->positive || !m.found || !m.truth || !m.scratch)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int64_t image = 0; image < all->set->images; image++) {
        gather(&m, all->set, (int)class, image);
        m.found_count = m.found_count < all->most ? m.found_count : all->most;
        if (m.found_count || m.truth_count) {
            WAIO_TRY(st, all->match(&m));
            append(of, &m, image);
        }
    }
    qsort(of->mark, (size_t)of->marks, sizeof *of->mark, by_score);
done:
    free(m.found);
    free(m.truth);
    free(m.scratch);
    return st;
}

waio_status waio_marks_make(waio_marks *out, const waio_detection_set *set, bool difficult_ignored,
                            waio_match_image *match, int most, int threads)
{
    waio_status st = WAIO_OK;
    matching all = {out, set, difficult_ignored, match, most};

    *out = (waio_marks){.classes = set->classes};
    out->of = calloc((size_t)set->classes + 1, sizeof *out->of);
    out->left_out = calloc((size_t)set->classes + 1, sizeof *out->left_out);
    if (!out->of || !out->left_out)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int c = 0; c < set->classes; c++)
        out->left_out[c] = set->left_out && set->left_out[c];
    WAIO_TRY(st, waio_parallel_for(threads, set->classes, mark_class, &all));
done:
    if (st != WAIO_OK)
        waio_marks_free(out);
    return st;
}

void waio_marks_free(waio_marks *marks)
{
    for (int c = 0; marks->of && c < marks->classes; c++) {
        free(marks->of[c].mark);
        free(marks->of[c].positive);
    }
    free(marks->of);
    free(marks->left_out);
    *marks = (waio_marks){0};
}

int64_t waio_marks_most(const waio_marks *marks)
{
    int64_t most = 0;
    for (int c = 0; c < marks->classes; c++)
        most = marks->of[c].marks > most ? marks->of[c].marks : most;
    return most;
}

/* ---- curves ---- */

typedef struct curve {
    const double *recall, *precision; /* after each box that counts */
    int64_t count;
} curve;

/* The first place whose recall is at least `recall`; recalls do not fall. */
static int64_t place_of(const curve *c, double recall)
{
    int64_t low = 0, high = c->count;

    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (c->recall[middle] < recall)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The mean precision at `points` recalls from 0 to 1, where precision never rises again. */
static double mean_at(const curve *c, int points)
{
    double sum = 0, step = 1.0 / (points - 1);

    for (int i = 0; i < points; i++) {
        /* numpy.linspace and arange: i * step; the last one is 1 exactly */
        int64_t at = place_of(c, i == points - 1 ? 1.0 : i * step);
        sum += at < c->count ? c->precision[at] : 0;
    }
    return sum / points;
}

static double area_below(const curve *c)
{
    double sum = 0, before = 0;

    for (int64_t i = 0; i < c->count; i++) {
        sum += (c->recall[i] - before) * c->precision[i];
        before = c->recall[i];
    }
    return sum;
}

static double positives_of(const waio_class_marks *of, int bit, const int32_t *weight)
{
    double count = 0;
    for (int64_t i = 0; i < of->positives; i++)
        if (of->positive[i].counted >> bit & 1)
            count += weight ? weight[of->positive[i].image] : 1;
    return count;
}

waio_average waio_marks_average(const waio_class_marks *of, int bit, int most, waio_curve_kind kind,
                                const int32_t *weight, double *scratch)
{
    double *recall = scratch, *precision = scratch + of->marks;
    double positives = positives_of(of, bit, weight), hits = 0, misses = 0;
    /* numpy.spacing(1), which pycocotools adds; VOC's divide by at least a hit or a miss */
    double guard = kind == WAIO_CURVE_101 ? DBL_EPSILON : 0;
    curve c = {recall, precision, 0};

    if (positives == 0)
        return (waio_average){NAN, NAN};
    for (int64_t i = 0; i < of->marks; i++) {
        const waio_mark *m = &of->mark[i];
        double times = weight ? weight[m->image] : 1;
        if (m->rank >= most || times == 0)
            continue;
        if (!(m->ignored >> bit & 1)) {
            hits += m->hit >> bit & 1 ? times : 0;
            misses += m->hit >> bit & 1 ? 0 : times;
        }
        if (hits + misses == 0)
            continue; /* an ignored box in front of all others: no precision yet */
        recall[c.count] = hits / positives;
        precision[c.count++] = hits / (hits + misses + guard);
    }
    for (int64_t i = c.count - 1; i > 0; i--)
        if (precision[i] > precision[i - 1])
            precision[i - 1] = precision[i];
    double average = kind == WAIO_CURVE_AREA ? area_below(&c)
                     : kind == WAIO_CURVE_11 ? mean_at(&c, 11)
                                             : mean_at(&c, 101);
    return (waio_average){average, c.count ? recall[c.count - 1] : 0};
}
