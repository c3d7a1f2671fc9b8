#include "metric/anchors.h"

#include <math.h>
#include <string.h>

/* The sizes of one cell: (per cell, 2), height and width. */
static void ssd_sizes(float (*size)[2], const waio_anchor_plan *plan, int map)
{
    static const float reduced[3][2] = {{0.1f, 1.0f}, {0.2f, 2.0f}, {0.2f, 0.5f}};
    double least = (double)plan->least_scale, most = (double)plan->most_scale;
    double step = plan->maps > 1 ? (most - least) / (plan->maps - 1) : 0;
    double scale = least + step * map;
    double next = map + 1 < plan->maps ? least + step * (map + 1) : 1.0;
    bool first = map == 0 && plan->reduce_first;
    int count = first ? 3 : plan->ratios;

    for (int i = 0; i < count; i++) {
        double s = first ? (double)reduced[i][0] : scale;
        double root = sqrt((double)(first ? reduced[i][1] : plan->ratio[i]));
        size[i][0] = (float)(s / root);
        size[i][1] = (float)(s * root);
    }
    if (!first)
        size[count][0] = size[count][1] = (float)sqrt(scale * next);
}

static void multiscale_sizes(float (*size)[2], const waio_anchor_plan *plan, int map)
{
    double base = (double)plan->anchor_scale * ldexp(1, plan->first_level + map);

    for (int r = 0; r < plan->ratios; r++)
        for (int o = 0; o < plan->octaves; o++) {
            double side = base * exp2((double)o / plan->octaves);
            double root = sqrt((double)plan->ratio[r]);
            size[r * plan->octaves + o][0] = (float)(side / root / plan->image_height);
            size[r * plan->octaves + o][1] = (float)(side * root / plan->image_width);
        }
}

/* Where the cells of a map have their centres along one side. */
static float centre(const waio_anchor_plan *plan, int map, int cell, int cells, int side)
{
    if (plan->kind == WAIO_ANCHORS_SSD)
        return (float)((cell + 0.5) / cells);
    int stride = 1 << (plan->first_level + map);
    double offset = side % stride == 0 ? stride / 2.0 : 0;
    return (float)((cell * (double)stride + offset) / side);
}

waio_status waio_anchors_make(const float **out, const waio_anchor_plan *plan, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    enum { MOST_PER_CELL = WAIO_DETECTOR_RATIOS * 8 };
    float size[MOST_PER_CELL][2], *at = NULL;
    int64_t count = waio_anchors_count(plan);

    WAIO_NEW(st, at, arena, (size_t)count * 4);
    *out = at;
    if (plan->kind == WAIO_ANCHORS_GIVEN) {
        memcpy(at, plan->given, (size_t)count * 4 * sizeof *at);
        goto done;
    }
    for (int m = 0; m < plan->maps; m++) {
        int shapes = waio_anchors_per_cell(plan, m);
        if (shapes > MOST_PER_CELL)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%d anchors a cell, at most %d are supported", shapes,
                      MOST_PER_CELL);
        if (plan->kind == WAIO_ANCHORS_SSD)
            ssd_sizes(size, plan, m);
        else
            multiscale_sizes(size, plan, m);
        for (int64_t c = 0; c < (int64_t)plan->height[m] * plan->width[m]; c++)
            for (int i = 0; i < shapes; i++, at += 4) {
                at[0] =
                    centre(plan, m, (int)(c / plan->width[m]), plan->height[m], plan->image_height);
                at[1] =
                    centre(plan, m, (int)(c % plan->width[m]), plan->width[m], plan->image_width);
                at[2] = size[i][0];
                at[3] = size[i][1];
            }
    }
done:
    return st;
}
