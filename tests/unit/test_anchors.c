/* Anchors of the built-in detectors against numbers worked out by hand, and box codes. */
#include "metric/anchors.h"

#include "check.h"
#include "metric/box.h"
#include "models/models.h"

static waio_arena *arena;

static const float *anchors_of(const char *name, int64_t count)
{
    waio_model model;
    const float *anchor = NULL;

    CHECK_OK(waio_model_load(&model, name, &(waio_model_paths){0}));
    if (!model.graph)
        return NULL;
    const waio_detector *d = model.graph->detector;
    CHECK(d && waio_anchors_count(&d->anchors) == count, "%s: %lld anchors", name,
          d ? (long long)waio_anchors_count(&d->anchors) : -1);
    if (d) {
        CHECK(model.graph->value[model.graph->output[d->boxes]].shape.dim[1] == count &&
                  model.graph->value[model.graph->output[d->scores]].shape.dim[1] == count,
              "%s: outputs of another number of anchors", name);
        CHECK(d->classes == 20 && d->columns == 20 && d->first_class == 0, "%s: classes", name);
        CHECK_OK(waio_anchors_make(&anchor, &d->anchors, arena));
    }
    waio_model_free(&model);
    return anchor;
}

typedef struct expected {
    int64_t index;
    float anchor[4]; /* centre y, centre x, height, width */
} expected;

static void check_list(const char *name, const float *anchor, const expected *list, int count)
{
    for (int i = 0; anchor && i < count; i++)
        for (int k = 0; k < 4; k++)
            CHECK(fabsf(anchor[list[i].index * 4 + k] - list[i].anchor[k]) < 1e-6f,
                  "%s: number %d of anchor %lld is %.8g, not %.8g", name, k,
                  (long long)list[i].index, (double)anchor[list[i].index * 4 + k],
                  (double)list[i].anchor[k]);
}

/* Maps of 20, 10, 5, 3, 2, 1: 3 * 400 + 6 * (100 + 25 + 9 + 4 + 1) = 2034. */
static void test_ssd(void)
{
    static const expected list[] = {
        {0, {0.025f, 0.025f, 0.1f, 0.1f}},
        {1, {0.025f, 0.025f, 0.14142136f, 0.28284271f}}, /* 0.2, ratio 2 */
        {2, {0.025f, 0.025f, 0.28284271f, 0.14142136f}},
        {3, {0.025f, 0.075f, 0.1f, 0.1f}},  /* the next column */
        {60, {0.075f, 0.025f, 0.1f, 0.1f}}, /* the next row */
        {1200, {0.05f, 0.05f, 0.35f, 0.35f}},
        {1203, {0.05f, 0.05f, 0.20207259f, 0.60621778f}}, /* ratio 3 */
        {1204, {0.05f, 0.05f, 0.60624809f, 0.20206249f}}, /* 0.3333, not a third */
        {1205, {0.05f, 0.05f, 0.41833001f, 0.41833001f}}, /* sqrt(0.35 * 0.5) */
        {2028, {0.5f, 0.5f, 0.95f, 0.95f}},
        {2033, {0.5f, 0.5f, 0.97467943f, 0.97467943f}}, /* sqrt(0.95 * 1) */
    };

    check_list("ssd 320", anchors_of("ssd_mobilenet_v2", 2034), list, sizeof list / sizeof *list);
    const float *small = anchors_of("ssd_mobilenet_v2:input=300", 1917); /* 19 cells a side */
    check_list("ssd 300", small,
               (expected[]){{0, {0.5f / 19, 0.5f / 19, 0.1f, 0.1f}},
                            {1082, {18.5f / 19, 18.5f / 19, 0.28284271f, 0.14142136f}},
                            {1916, {0.5f, 0.5f, 0.97467943f, 0.97467943f}}},
               3);
}

/* Maps of 40, 20, 10, 5, 3, 6 a cell: 6 * 2134 = 12804. */
static void test_fpnlite(void)
{
    static const expected list[] = {
        {0, {0.0125f, 0.0125f, 0.1f, 0.1f}},                /* 4 * 8 pixels of 320 */
        {1, {0.0125f, 0.0125f, 0.14142136f, 0.14142136f}},  /* half an octave more, ratio 1 */
        {2, {0.0125f, 0.0125f, 0.070710678f, 0.14142136f}}, /* ratio 2 */
        {4, {0.0125f, 0.0125f, 0.14142136f, 0.070710678f}}, /* ratio 1/2 */
        {6, {0.0125f, 0.0375f, 0.1f, 0.1f}},
        {9600, {0.025f, 0.025f, 0.2f, 0.2f}},
        {12750, {0, 0, 1.6f, 1.6f}}, /* 128 does not divide 320: no offset */
        {12803, {0.8f, 0.8f, 3.2f, 1.6f}},
    };

    check_list("fpnlite", anchors_of("ssd_mobilenet_v2_fpnlite", 12804), list,
               sizeof list / sizeof *list);
}

static void test_decode(void)
{
    static const float scale[4] = {10, 10, 5, 5}, anchor[4] = {0.5f, 0.25f, 0.2f, 0.4f};
    waio_box same = waio_box_decode((const float[4]){0, 0, 0, 0}, anchor, scale);
    /* y: 5/10 * 0.2 + 0.5 = 0.6; x: -10/10 * 0.4 + 0.25 = -0.15; height 0.2 * e, width 0.4 / e */
    waio_box moved = waio_box_decode((const float[4]){5, -10, 5, -5}, anchor, scale);

    CHECK(fabsf(same.ymin - 0.4f) < 1e-6f && fabsf(same.xmin - 0.05f) < 1e-6f &&
              fabsf(same.ymax - 0.6f) < 1e-6f && fabsf(same.xmax - 0.45f) < 1e-6f,
          "the anchor itself: %g %g %g %g", (double)same.ymin, (double)same.xmin, (double)same.ymax,
          (double)same.xmax);
    CHECK(fabsf(moved.ymin - (0.6f - 0.27182818f)) < 1e-6f &&
              fabsf(moved.ymax - (0.6f + 0.27182818f)) < 1e-6f &&
              fabsf(moved.xmin - (-0.15f - 0.07357589f)) < 1e-6f &&
              fabsf(moved.xmax - (-0.15f + 0.07357589f)) < 1e-6f,
          "moved: %g %g %g %g", (double)moved.ymin, (double)moved.xmin, (double)moved.ymax,
          (double)moved.xmax);
    waio_box clipped = waio_box_clip(moved);
    CHECK(clipped.xmin == 0 && clipped.xmax == 0 && !waio_box_has_area(clipped) &&
              clipped.ymin == moved.ymin,
          "left of the image");
    CHECK(waio_box_iou((waio_box){0, 0, 1, 1}, (waio_box){0, 0.5f, 1, 1.5f}) == 1.0f / 3,
          "half of each");
    CHECK(waio_box_iou((waio_box){0, 0, 0, 1}, (waio_box){0, 0, 0, 1}) == 0, "no area");
    CHECK(waio_box_iou((waio_box){0, 0, 1, 1}, (waio_box){2, 2, 3, 3}) == 0, "apart");
}

int main(void)
{
    arena = waio_arena_new();
    test_ssd();
    test_fpnlite();
    test_decode();
    waio_arena_free(arena);
    return waio_check_result();
}
