#include "metric/detect.h"

#include <math.h>
#include <stdlib.h>

static int64_t most_found(const waio_detector *d)
{
    int64_t each = d->fast ? d->classes_per_anchor : d->classes;
    int64_t kept = d->fast ? d->most : d->most_per_class;
    int64_t anchors = waio_anchors_count(&d->anchors);

    return each * (kept < anchors ? kept : anchors);
}

waio_status waio_detect_scratch_make(waio_detect_scratch *s, const waio_detector *d,
                                     waio_arena *arena)
{
    waio_status st = WAIO_OK;
    size_t anchors = (size_t)waio_anchors_count(&d->anchors);

    s->capacity = most_found(d);
    WAIO_NEW(st, s->box, arena, anchors);
    WAIO_NEW(st, s->score, arena, anchors);
    WAIO_NEW(st, s->candidate, arena, anchors);
    WAIO_NEW(st, s->found, arena, (size_t)s->capacity);
    WAIO_NEW(st, s->result, arena, (size_t)s->capacity);
done:
    return st;
}

/* ---- candidates, best first: a heap, since few of many are taken ---- */

typedef struct heap {
    int *item; /* anchors */
    int count;
    const float *score;
} heap;

static bool better(const heap *h, int a, int b)
{
    return h->score[a] > h->score[b] || (h->score[a] == h->score[b] && a < b);
}

static void sink(heap *h, int at)
{
    int item = h->item[at];

    for (;;) {
        int child = 2 * at + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && better(h, h->item[child + 1], h->item[child]))
            child++;
        if (!better(h, h->item[child], item))
            break;
        h->item[at] = h->item[child];
        at = child;
    }
    h->item[at] = item;
}

static int take_best(heap *h)
{
    int best = h->item[0];
    h->item[0] = h->item[--h->count];
    if (h->count)
        sink(h, 0);
    return best;
}

static heap candidates(const waio_detector *d, const waio_detect_scratch *s, int anchors)
{
    heap h = {s->candidate, 0, s->score};

    for (int i = 0; i < anchors; i++)
        if (d->above_least ? s->score[i] > d->least_score : s->score[i] >= d->least_score)
            h.item[h.count++] = i;
    for (int i = h.count / 2 - 1; i >= 0; i--)
        sink(&h, i);
    return h;
}

/* Suppresses over scratch->score: what stays is appended to `found`, at most `most`. */
static int suppress(waio_detection *found, int most, const waio_detector *d,
                    const waio_detect_scratch *s, int anchors)
{
    heap h = candidates(d, s, anchors);
    int count = 0;

    while (h.count && count < most) {
        int anchor = take_best(&h);
        bool keep = true;
        for (int i = 0; i < count && keep; i++)
            keep = !(waio_box_iou(found[i].box, s->box[anchor]) > d->most_overlap);
        if (keep)
            found[count++] =
                (waio_detection){s->box[anchor], s->score[anchor], d->first_class, anchor};
    }
    return count;
}

/* A number of the network as a score. */
static float as_score(const waio_detector *d, float x)
{
    return d->logits ? 1 / (1 + expf(-x)) : x;
}

/* ---- class by class ---- */

static int by_score(const void *a, const void *b)
{
    const waio_detection *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->class_index != y->class_index)
        return x->class_index < y->class_index ? -1 : 1;
    return x->anchor < y->anchor ? -1 : x->anchor > y->anchor;
}

static int detect_by_class(const waio_detector *d, const float *score, int anchors,
                           const waio_detect_scratch *s)
{
    int count = 0, kept = 0;

    for (int c = 0; c < d->classes; c++) {
        for (int i = 0; i < anchors; i++)
            s->score[i] = as_score(d, score[(int64_t)i * d->columns + d->first_class + c]);
        int n = suppress(s->found + count, d->most_per_class, d, s, anchors);
        for (int i = count; i < count + n; i++)
            s->found[i].class_index = c;
        count += n;
    }
    qsort(s->found, (size_t)count, sizeof *s->found, by_score);
    for (int i = 0; i < count && kept < d->most; i++) {
        waio_detection one = s->found[i];
        if (d->clip) {
            one.box = waio_box_clip(one.box);
            if (!waio_box_has_area(one.box))
                continue;
        }
        s->result[kept++] = one;
    }
    return kept;
}

/* ---- fast ---- */

/* The best class below those already taken (score `below`, class `after`; ties: the lower). */
static int next_class(const waio_detector *d, const float *score, float below, int after)
{
    int best = -1;

    for (int c = 0; c < d->classes; c++) {
        float x = score[d->first_class + c];
        bool left = x < below || (x == below && c > after);
        if (left && (best < 0 || x > score[d->first_class + best]))
            best = c;
    }
    return best;
}

static int detect_fast(const waio_detector *d, const float *score, int anchors,
                       const waio_detect_scratch *s)
{
    int kept = 0;

    for (int i = 0; i < anchors; i++) {
        const float *row = score + (int64_t)i * d->columns;
        int c = next_class(d, row, INFINITY, -1);
        s->score[i] = c < 0 ? NAN : as_score(d, row[d->first_class + c]);
    }
    int count = suppress(s->found, d->most, d, s, anchors);
    for (int i = 0; i < count; i++) {
        const float *row = score + (int64_t)s->found[i].anchor * d->columns;
        waio_detection one = s->found[i];
        float below = INFINITY;
        int after = -1;
        for (int k = 0; k < d->classes_per_anchor; k++) {
            int c = next_class(d, row, below, after);
            if (c < 0)
                break;
            one.class_index = after = c;
            below = row[d->first_class + c];
            one.score = as_score(d, below);
            s->result[kept++] = one;
        }
    }
    return kept;
}

/* ---- all ---- */

static bool any_nan(const float *x, int64_t count)
{
    bool nan = false;
    for (int64_t i = 0; i < count; i++)
        nan = nan || isnan(x[i]);
    return nan;
}

void waio_detect(int *count, bool *nan, const waio_detector *d, const float *anchor,
                 const float *code, const float *score, const waio_detect_scratch *s)
{
    int anchors = (int)waio_anchors_count(&d->anchors);

    *nan = any_nan(code, (int64_t)anchors * 4) || any_nan(score, (int64_t)anchors * d->columns);
    *count = 0;
    if (*nan)
        return;
    for (int i = 0; i < anchors; i++) {
        waio_box box =
            waio_box_decode(code + 4 * (int64_t)i, anchor + 4 * (int64_t)i, d->code_scale);
        s->box[i] = waio_box_order(box);
    }
    *count = d->fast ? detect_fast(d, score, anchors, s) : detect_by_class(d, score, anchors, s);
}
