#include "metric/box.h"

#include <math.h>

static float area(waio_box b)
{
    return (b.ymax - b.ymin) * (b.xmax - b.xmin);
}

float waio_box_iou(waio_box a, waio_box b)
{
    float of_a = area(a), of_b = area(b);
    float height = fminf(a.ymax, b.ymax) - fmaxf(a.ymin, b.ymin);
    float width = fminf(a.xmax, b.xmax) - fmaxf(a.xmin, b.xmin);

    if (!(of_a > 0) || !(of_b > 0))
        return 0;
    float common = fmaxf(height, 0) * fmaxf(width, 0);
    return common / (of_a + of_b - common);
}

static float within(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

waio_box waio_box_clip(waio_box b)
{
    return (waio_box){within(b.ymin), within(b.xmin), within(b.ymax), within(b.xmax)};
}

waio_box waio_box_order(waio_box b)
{
    return (waio_box){fminf(b.ymin, b.ymax), fminf(b.xmin, b.xmax), fmaxf(b.ymin, b.ymax),
                      fmaxf(b.xmin, b.xmax)};
}

bool waio_box_has_area(waio_box b)
{
    return b.ymax > b.ymin && b.xmax > b.xmin;
}

waio_box waio_box_decode(const float code[4], const float anchor[4], const float scale[4])
{
    float half[2], centre[2];

    for (int i = 0; i < 2; i++) {
        double place = (double)code[i] / (double)scale[i];
        double size = (double)code[i + 2] / (double)scale[i + 2];
        centre[i] = (float)(place * (double)anchor[i + 2] + (double)anchor[i]);
        half[i] = (float)(0.5 * exp(size) * (double)anchor[i + 2]);
    }
    return (waio_box){centre[0] - half[0], centre[1] - half[1], centre[0] + half[0],
                      centre[1] + half[1]};
}
