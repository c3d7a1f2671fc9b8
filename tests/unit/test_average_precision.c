/* Average precision by hand: curves, difficult objects, crowds, second boxes. That COCO's metric is
 * pycocotools' on sets of every kind is the matter of tests/python/test_map.py. */
#include "check.h"
#include "metric/coco_map.h"
#include "metric/labels.h"
#include "metric/voc_ap.h"

/* Two images. Image 0 has object A; image 1 has B and, if `third`, C. */
static waio_truth truth[3] = {{0, 0, 10, 10, 100, 0, false, false},
                              {0, 0, 10, 10, 100, 0, false, false},
                              {50, 50, 10, 10, 100, 0, false, false}};
static const waio_found found[] = {
    {0, 0, 10, 10, 0.9, 0},   /* A */
    {30, 0, 10, 10, 0.8, 0},  /* nothing */
    {0, 0, 10, 10, 0.7, 0},   /* B */
    {50, 50, 10, 10, 0.95, 0} /* C */
};

static waio_detection_set make_set(bool third)
{
    static const int64_t found_begin[] = {0, 2, 4}, fewer_begin[] = {0, 2, 3};
    static const int64_t truth_begin[] = {0, 1, 3}, less_begin[] = {0, 1, 2};

    return (waio_detection_set){
        2,   1, found, third ? found_begin : fewer_begin, truth, third ? truth_begin : less_begin,
        NULL};
}

typedef struct results {
    double voc07, voc10, ap50, ar1;
} results;

static results evaluate(const waio_detection_set *set, bool ignore, const int32_t *weight)
{
    waio_marks voc = {0}, coco = {0};
    waio_coco_result stats;
    double scratch[64];
    results r;

    CHECK_OK(waio_marks_voc(&voc, set, ignore, 1));
    CHECK_OK(waio_marks_coco(&coco, set, ignore, 2));
    r.voc07 = waio_voc_ap(&voc, WAIO_CURVE_11, NULL, weight, scratch);
    r.voc10 = waio_voc_ap(&voc, WAIO_CURVE_AREA, NULL, weight, scratch);
    r.ap50 = waio_coco_ap(&coco, 0, weight, scratch);
    CHECK_OK(waio_coco_evaluate(&stats, NULL, &coco));
    CHECK(weight || fabs((isnan(r.ap50) ? -1 : r.ap50) - stats.stat[WAIO_COCO_AP50]) < 1e-12,
          "the same AP50 twice");
    r.ar1 = stats.stat[WAIO_COCO_AR1];
    waio_marks_free(&voc);
    waio_marks_free(&coco);
    return r;
}

#define NEAR(value, expected)                                                                      \
    CHECK(fabs((value) - (expected)) < 1e-12, "%.15g, not %.15g", (value), (double)(expected))

/* Hit, miss, hit of two: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1. */
static void test_curves(void)
{
    waio_detection_set set = make_set(false);
    results r = evaluate(&set, true, NULL);

    NEAR(r.voc07, (6 + 5 * 2.0 / 3) / 11); /* recalls 0 to 0.5, then 0.6 to 1 */
    NEAR(r.voc10, 0.5 + 0.5 * 2.0 / 3);
    NEAR(r.ap50, (51 + 50 * 2.0 / 3) / 101);
    NEAR(r.ar1, 1);
}

/* The first image three times: three hits, three misses, a hit, of four. */
static void test_weights(void)
{
    waio_detection_set set = make_set(false);
    results r = evaluate(&set, true, (const int32_t[]){3, 1});

    NEAR(r.voc10, 0.75 + 0.25 * 4.0 / 7);
    r = evaluate(&set, true, (const int32_t[]){0, 1});
    NEAR(r.voc10, 1);
}

static void test_difficult(void)
{
    waio_detection_set set = make_set(true);
    waio_detection_set without = make_set(false);

    results all = evaluate(&set, true, NULL); /* hit, hit, miss, hit of three */
    NEAR(all.voc10, 2.0 / 3 + 1.0 / 3 * 3 / 4);
    truth[2].difficult = true;
    results counted = evaluate(&set, false, NULL), ignored = evaluate(&set, true, NULL);
    results less = evaluate(&without, true, NULL);
    NEAR(counted.voc10, all.voc10);
    NEAR(counted.ap50, all.ap50);
    NEAR(ignored.voc10, less.voc10);
    NEAR(ignored.voc07, less.voc07);
    NEAR(ignored.ap50, less.ap50);
    truth[2].difficult = false;
    truth[2].crowd = true; /* for COCO the same, whatever the option says */
    NEAR(evaluate(&set, false, NULL).ap50, less.ap50);
    truth[2].crowd = false;
}

/* A second box at an object is a miss, for VOC even where another object is free. */
static void test_second_box(void)
{
    static const waio_truth two[] = {{0, 0, 10, 10, 100, 0, false, false},
                                     {3, 0, 10, 10, 100, 0, false, false}};
    static const waio_found boxes[] = {{0, 0, 10, 10, 0.9, 0}, {1, 0, 10, 10, 0.8, 0}};
    waio_detection_set set = {1,   1, boxes, (const int64_t[]){0, 2}, two, (const int64_t[]){0, 2},
                              NULL};
    results r = evaluate(&set, true, NULL);

    NEAR(r.voc10, 0.5); /* hit, miss of two */
    NEAR(r.ap50, 1);    /* COCO's second box takes the second object: IoU 8 / 12 */
}

/* A box of half the object is a hit, of a little less none; the same object counts once. */
static void test_edges(void)
{
    static const waio_truth two[] = {{0, 0, 10, 10, 100, 0, false, false},
                                     {50, 0, 10, 10, 100, 0, false, false}};
    static const waio_found half[] = {{0, 0, 10, 5, 0.9, 0}, {50, 0, 10, 4.9, 0.8, 0}};
    static const waio_found again[] = {
        {0, 0, 10, 10, 0.9, 0}, {0, 0, 10, 10, 0.8, 0}, {50, 0, 10, 10, 0.7, 0}};
    waio_detection_set set = {1,   1, half, (const int64_t[]){0, 2}, two, (const int64_t[]){0, 2},
                              NULL};
    results r = evaluate(&set, true, NULL);

    NEAR(r.voc10, 0.5);
    NEAR(r.ap50, 51.0 / 101); /* precision 1 at recalls 0 to 0.5 */
    set.found = again;
    set.found_begin = (const int64_t[]){0, 3};
    r = evaluate(&set, true, NULL);
    NEAR(r.voc10, 0.5 + 0.5 * 2.0 / 3);
    NEAR(r.ap50, (51 + 50 * 2.0 / 3) / 101);
}

static void test_empty(void)
{
    static const int64_t none[] = {0, 0, 0};
    waio_detection_set set = {2, 1, found, none, truth, none, NULL};

    CHECK(isnan(evaluate(&set, true, NULL).voc10) && isnan(evaluate(&set, true, NULL).ap50),
          "nothing to find");
    set.truth_begin = (const int64_t[]){0, 1, 2};
    NEAR(evaluate(&set, true, NULL).voc07, 0);
    NEAR(evaluate(&set, true, NULL).ap50, 0);
    set.left_out = (const bool[]){true};
    CHECK(isnan(evaluate(&set, true, NULL).voc10), "a class that is left out");
}

static void test_labels(void)
{
    CHECK(waio_label_same("airplane", "aeroplane") && waio_label_same("TV", "tvmonitor") &&
              waio_label_same("potted plant", "pottedplant") && waio_label_same("couch", "sofa") &&
              waio_label_same("Dining Table", "diningtable") && waio_label_same("cat", "Cat"),
          "the same");
    CHECK(!waio_label_same("cat", "cattle") && !waio_label_same("", "") &&
              !waio_label_same("car", "cart"),
          "not the same");
    const waio_label_set *voc = waio_label_set_of(20), *coco = waio_label_set_find("coco90");
    int common = 0;
    for (int k = 0; voc && coco && k < 20; k++)
        for (int c = 0; c < 90; c++)
            common += waio_label_same(voc->label[k], coco->label[c]);
    CHECK(common == 20, "%d of VOC's classes are among COCO's", common);
    CHECK(coco && strcmp(coco->label[89], "toothbrush") == 0 &&
              strcmp(coco->label[43], "bottle") == 0 && strcmp(coco->label[71], "tv") == 0,
          "COCO's ids 90, 44, 72");
    const waio_label_set *dense = waio_label_set_of(80);
    for (int i = 0, k = 0; dense && coco && i < 90; i++)
        if (coco->label[i][0])
            CHECK(k < 80 && strcmp(coco->label[i], dense->label[k++]) == 0, "class %d", i);
    CHECK(!waio_label_set_find("imagenet") && !waio_label_set_of(7), "there are no such");
}

int main(void)
{
    test_curves();
    test_weights();
    test_difficult();
    test_second_box();
    test_edges();
    test_empty();
    test_labels();
    return waio_check_result();
}
