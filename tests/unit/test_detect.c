/* Suppression against a plain reference on random boxes with many ties, and its corner cases. */
#include "metric/detect.h"

#include <stdlib.h>

#include "check.h"
#include "util/rng.h"

enum { MOST_ANCHORS = 60, MOST_CLASSES = 5, MOST_FOUND = MOST_ANCHORS * MOST_CLASSES };

static waio_rng rng = {11};

static float tied(void)
{
    return (float)waio_rng_below(&rng, 9) / 8;
}

/* ---- the plain reference: class by class, each sorted and walked whole ---- */

static const float *sort_score;
static int sort_columns, sort_column;

static int by_column(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    float sx = sort_score[x * sort_columns + sort_column];
    float sy = sort_score[y * sort_columns + sort_column];
    return sx != sy ? (sx > sy ? -1 : 1) : x - y;
}

static int by_score(const void *a, const void *b)
{
    const waio_detection *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->class_index != y->class_index)
        return x->class_index - y->class_index;
    return x->anchor - y->anchor;
}

static int reference(waio_detection *out, const waio_detector *d, const waio_box *box,
                     const float *score, int anchors)
{
    waio_detection all[MOST_FOUND];
    int count = 0, kept = 0;

    for (int c = 0; c < d->classes; c++) {
        int order[MOST_ANCHORS], accepted[MOST_ANCHORS], n = 0;
        for (int i = 0; i < anchors; i++)
            order[i] = i;
        sort_score = score;
        sort_columns = d->columns;
        sort_column = d->first_class + c;
        qsort(order, (size_t)anchors, sizeof *order, by_column);
        for (int i = 0; i < anchors && n < d->most_per_class; i++) {
            float s = score[order[i] * d->columns + sort_column];
            bool keep = d->above_least ? s > d->least_score : s >= d->least_score;
            for (int k = 0; k < n; k++)
                keep = keep && waio_box_iou(box[order[i]], box[accepted[k]]) <= d->most_overlap;
            if (!keep)
                continue;
            accepted[n++] = order[i];
            all[count++] = (waio_detection){box[order[i]], s, c, order[i]};
        }
    }
    qsort(all, (size_t)count, sizeof *all, by_score);
    for (int i = 0; i < count && kept < d->most; i++) {
        waio_detection one = all[i];
        if (d->clip)
            one.box = waio_box_clip(one.box);
        if (!d->clip || waio_box_has_area(one.box))
            out[kept++] = one;
    }
    return kept;
}

/* ---- random detectors ---- */

typedef struct scene {
    waio_detector d;
    float anchor[MOST_ANCHORS * 4], code[MOST_ANCHORS * 4];
    float score[MOST_ANCHORS * (MOST_CLASSES + 1)];
    waio_box box[MOST_ANCHORS];
    int anchors;
} scene;

static void make_scene(scene *s)
{
    int classes = 1 + (int)waio_rng_below(&rng, MOST_CLASSES);

    *s = (scene){.d = waio_detector_default(),
                 .anchors = 1 + (int)waio_rng_below(&rng, MOST_ANCHORS)};
    s->d.anchors = (waio_anchor_plan){.kind = WAIO_ANCHORS_GIVEN, .count = s->anchors};
    s->d.classes = classes;
    s->d.first_class = (int)waio_rng_below(&rng, 2);
    s->d.columns = classes + s->d.first_class;
    s->d.most_overlap = (float)(1 + waio_rng_below(&rng, 9)) / 10;
    s->d.least_score = tied();
    s->d.above_least = waio_rng_below(&rng, 2);
    s->d.clip = waio_rng_below(&rng, 2);
    s->d.most_per_class = 1 + (int)waio_rng_below(&rng, 20);
    s->d.most = 1 + (int)waio_rng_below(&rng, 40);
    for (int i = 0; i < s->anchors; i++) {
        for (int k = 0; k < 4; k++) {
            s->anchor[4 * i + k] = k < 2 ? 1.5f * tied() - 0.25f : 0.25f + tied() / 2;
            s->code[4 * i + k] = 4 * tied() - 2;
        }
        s->box[i] = waio_box_decode(s->code + 4 * i, s->anchor + 4 * i, s->d.code_scale);
        for (int c = 0; c < s->d.columns; c++)
            s->score[i * s->d.columns + c] = tied();
    }
}

static int detect(const scene *s, waio_detection *out, bool *nan)
{
    waio_arena *arena = waio_arena_new();
    waio_detect_scratch scratch;
    int count = 0;

    CHECK_OK(waio_detect_scratch_make(&scratch, &s->d, arena));
    waio_detect(&count, nan, &s->d, s->anchor, s->code, s->score, &scratch);
    memcpy(out, scratch.result, (size_t)count * sizeof *out);
    waio_arena_free(arena);
    return count;
}

static void test_random(void)
{
    scene s;
    waio_detection got[MOST_FOUND], want[MOST_FOUND];
    int total = 0;

    for (int round = 0; round < 3000; round++) {
        bool nan = true;
        make_scene(&s);
        int count = detect(&s, got, &nan);
        int expected = reference(want, &s.d, s.box, s.score, s.anchors);
        CHECK(count == expected && !nan, "round %d: %d boxes, not %d", round, count, expected);
        for (int i = 0; i < count && count == expected; i++)
            CHECK(memcmp(&got[i], &want[i], sizeof got[i]) == 0,
                  "round %d: box %d is of class %d, anchor %d; expected %d, %d", round, i,
                  got[i].class_index, got[i].anchor, want[i].class_index, want[i].anchor);
        total += count;
    }
    CHECK(total > 3000, "%d boxes in all", total);
}

/* ---- by hand ---- */

/* Three boxes in a row, each overlapping the next by IoU 1/3, and one far away. */
static scene row_scene(void)
{
    static const float left[4] = {0, 0.1f, 0.2f, 0.7f}, score[4] = {0.5f, 0.75f, 0.5f, 0.25f};
    scene s = {.d = waio_detector_default(), .anchors = 4};

    s.d.anchors = (waio_anchor_plan){.kind = WAIO_ANCHORS_GIVEN, .count = 4};
    s.d.classes = s.d.columns = 1;
    s.d.most_overlap = 0.3f;
    for (int i = 0; i < 4; i++) {
        memcpy(s.anchor + 4 * i, (float[4]){0.5f, left[i] + 0.1f, 0.2f, 0.2f}, 16);
        s.score[i] = score[i];
    }
    return s;
}

static void test_by_hand(void)
{
    waio_detection found[MOST_FOUND];
    bool nan = false;
    scene s = row_scene();

    int count = detect(&s, found, &nan);
    CHECK(count == 2 && found[0].anchor == 1 && found[1].anchor == 3, "the middle one wins: %d",
          count);
    s.d.most_overlap = 0.4f;
    count = detect(&s, found, &nan);
    CHECK(count == 4 && found[1].anchor == 0 && found[2].anchor == 2,
          "all stay, ties by anchor: %d", count);
    memcpy(s.anchor + 4, s.anchor, 16);
    s.d.most_overlap = 1;
    CHECK(detect(&s, found, &nan) == 4, "an IoU of just the limit suppresses nothing");
    s.d = row_scene().d;
    memcpy(s.anchor, row_scene().anchor, sizeof s.anchor);
    s.d.most_overlap = 0.4f;
    s.d.least_score = 0.25f;
    CHECK(detect(&s, found, &nan) == 3, "strictly above");
    s.d.above_least = false;
    CHECK(detect(&s, found, &nan) == 4, "or equal");
    s.d.most = 1;
    CHECK(detect(&s, found, &nan) == 1, "the best alone");
    s = row_scene();
    s.d.logits = true; /* 1 / (1 + exp(-0.75)) */
    count = detect(&s, found, &nan);
    CHECK(count == 2 && fabsf(found[0].score - 0.67917870f) < 1e-6f, "a sigmoid: %g",
          (double)found[0].score);
    s.code[5] = NAN;
    CHECK(detect(&s, found, &nan) == 0 && nan, "a code that is NaN");
    s.code[5] = 0;
    s.score[3] = NAN;
    CHECK(detect(&s, found, &nan) == 0 && nan, "a score that is NaN");
}

/* An anchor competes by its best class alone, whatever the other is worth. */
static void test_fast(void)
{
    waio_detection found[MOST_FOUND];
    bool nan = false;
    scene s = row_scene();

    s.d.fast = true;
    s.d.clip = false;
    s.d.classes = 2;
    s.d.columns = 3;
    s.d.first_class = 1;
    memcpy(s.score, (float[]){1, 0.5f, 0.5f, 1, 0.25f, 0.75f, 1, 0.75f, 0.5f, 1, 0, 0.125f}, 48);
    /* Anchors 1 (class 1) and 2 (class 0) tie at 0.75: the lower one suppresses its neighbours,
     * though they are of another class. */
    int count = detect(&s, found, &nan);
    CHECK(count == 2 && found[0].anchor == 1 && found[0].class_index == 1 && found[1].anchor == 3,
          "%d boxes", count);
    s.d.classes_per_anchor = 2;
    count = detect(&s, found, &nan);
    CHECK(count == 4 && found[1].anchor == 1 && found[1].class_index == 0 &&
              found[1].score == 0.25f && found[2].anchor == 3 && found[3].score == 0,
          "%d with both classes", count);
}

int main(void)
{
    test_random();
    test_by_hand();
    test_fast();
    return waio_check_result();
}
