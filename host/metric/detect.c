#include "metric/detect.h"

#include <math.h>

/* Pairs of a class and an anchor that may compete. */
static size_t most_pairs(const waio_detector *d)
{
    return (size_t)waio_anchors_count(&d->anchors) * (size_t)(d->fast ? 1 : d->classes);
}

/* Pairs that may stay. */
static size_t most_found(const waio_detector *d)
{
    size_t anchors = (size_t)waio_anchors_count(&d->anchors);
    size_t kept = (size_t)(d->fast ? d->most : d->most_per_class);

    return (kept < anchors ? kept : anchors) * (size_t)(d->fast ? 1 : d->classes);
}

waio_status waio_detect_scratch_make(waio_detect_scratch *s, const waio_detector *d,
                                     waio_arena *arena)
{
    waio_status st = WAIO_OK;

    if (most_pairs(d) > INT32_MAX / 2)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%zu pairs of a class and an anchor are too many",
                  most_pairs(d));
    WAIO_NEW(st, s->box, arena, (size_t)waio_anchors_count(&d->anchors));
    WAIO_NEW(st, s->score, arena, most_pairs(d));
    WAIO_NEW(st, s->candidate, arena, most_pairs(d));
    WAIO_NEW(st, s->stays, arena, most_found(d));
    WAIO_NEW(st, s->before, arena, most_found(d));
    WAIO_NEW(st, s->last, arena, (size_t)d->classes);
    WAIO_NEW(st, s->kept, arena, (size_t)d->classes);
    WAIO_NEW(st, s->result, arena, (size_t)d->most * (size_t)d->classes_per_anchor);
done:
    return st;
}

/* ---- candidates, best first: a heap, since few of many are taken ---- */

typedef struct heap {
    int *item; /* pairs: class * anchors + anchor */
    int count;
    const float *score; /* per pair */
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

static heap candidates(const waio_detector *d, const waio_detect_scratch *s, int pairs)
{
    heap h = {s->candidate, 0, s->score};

    for (int i = 0; i < pairs; i++)
        if (d->above_least ? s->score[i] > d->least_score : s->score[i] >= d->least_score)
            h.item[h.count++] = i;
    for (int i = h.count / 2 - 1; i >= 0; i--)
        sink(&h, i);
    return h;
}

/* Whether a box of class `class` stays beside those of its class that stay already. */
static bool may_stay(const waio_detector *d, const waio_detect_scratch *s, int class, waio_box box)
{
    for (int i = s->last[class]; i >= 0; i = s->before[i])
        if (waio_box_iou(s->box[s->stays[i]], box) > d->most_overlap)
            return false;
    return true;
}

/* A number of the network as a score. */
static float as_score(const waio_detector *d, float x)
{
    return d->logits ? 1 / (1 + expf(-x)) : x;
}

/* Suppresses over the scores of pairs, all classes side by side: the pairs come in the order of the
 * result, so it can end when that is full, which is long before most classes are done. */
static int suppress(const waio_detector *d, const waio_detect_scratch *s, int anchors, int classes,
                    int most_per_class)
{
    heap h = candidates(d, s, anchors * classes);
    int stay = 0, count = 0;

    for (int c = 0; c < classes; c++) {
        s->last[c] = -1;
        s->kept[c] = 0;
    }
    while (h.count && count < d->most) {
        int pair = take_best(&h), class = pair / anchors, anchor = pair % anchors;
        waio_box box = s->box[anchor];
        if (s->kept[class] == most_per_class || !may_stay(d, s, class, box))
            continue;
        s->stays[stay] = anchor;
        s->before[stay] = s->last[class];
        s->last[class] = stay++;
        s->kept[class]++;
        if (d->clip)
            box = waio_box_clip(box);
        if (!d->clip || waio_box_has_area(box))
            s->result[count++] = (waio_detection){box, s->score[pair], class, anchor};
    }
    return count;
}

/* ---- class by class ---- */

static int detect_by_class(const waio_detector *d, const float *score, int anchors,
                           const waio_detect_scratch *s)
{
    for (int c = 0; c < d->classes; c++)
        for (int i = 0; i < anchors; i++)
            s->score[c * anchors + i] =
                as_score(d, score[(int64_t)i * d->columns + d->first_class + c]);
    return suppress(d, s, anchors, d->classes, d->most_per_class);
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
    int given = d->classes_per_anchor < d->classes ? d->classes_per_anchor : d->classes;

    for (int i = 0; i < anchors; i++) {
        const float *row = score + (int64_t)i * d->columns;
        int c = next_class(d, row, INFINITY, -1);
        s->score[i] = as_score(d, row[d->first_class + c]);
    }
    int count = suppress(d, s, anchors, 1, d->most);
    /* From the last, so that a box's classes can take the places of it and those behind. */
    for (int i = count - 1; i >= 0; i--) {
        waio_detection one = s->result[i], *out = &s->result[i * given];
        const float *row = score + (int64_t)one.anchor * d->columns;
        float below = INFINITY;
        int after = -1;
        for (int k = 0; k < given; k++) {
            int c = next_class(d, row, below, after);
            below = row[d->first_class + c];
            after = c;
            out[k] = (waio_detection){one.box, as_score(d, below), c, one.anchor};
        }
    }
    return count * given;
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
