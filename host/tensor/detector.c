#include "tensor/detector.h"

waio_detector waio_detector_default(void)
{
    return (waio_detector){.boxes = 0,
                           .scores = 1,
                           .code_scale = {10, 10, 5, 5},
                           .classes_per_anchor = 1,
                           .least_score = 1e-8f,
                           .above_least = true,
                           .most_overlap = 0.6f,
                           .most_per_class = 100,
                           .most = 100,
                           .clip = true};
}

int waio_anchors_per_cell(const waio_anchor_plan *plan, int map)
{
    if (plan->kind == WAIO_ANCHORS_MULTISCALE)
        return plan->ratios * plan->octaves;
    return map == 0 && plan->reduce_first ? 3 : plan->ratios + 1;
}

int64_t waio_anchors_count(const waio_anchor_plan *plan)
{
    int64_t count = 0;

    if (plan->kind == WAIO_ANCHORS_GIVEN)
        return plan->count;
    for (int m = 0; m < plan->maps; m++)
        count += (int64_t)plan->height[m] * plan->width[m] * waio_anchors_per_cell(plan, m);
    return count;
}
