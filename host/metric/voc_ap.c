/* Source: Everingham et al., The PASCAL VOC development kit, VOCevaldet.m, but for boxes without
 * the extra pixel (TensorFlow's Object Detection API has it so). */
#include "metric/voc_ap.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "metric/marks_match.h"

static double overlap(const waio_found *d, const waio_truth *g)
{
    double width = fmin(d->width + d->x, g->width + g->x) - fmax(d->x, g->x);
    double height = fmin(d->height + d->y, g->height + g->y) - fmax(d->y, g->y);

    if (width <= 0 || height <= 0)
        return 0;
    double common = width * height;
    return common / (d->width * d->height + g->width * g->height - common);
}

static waio_status match_image(waio_match *m)
{
    int *taken = m->scratch;

    for (int g = 0; g < m->truth_count; g++) {
        bool counts = !(m->difficult_ignored && m->truth[g].truth->difficult);
        m->truth[g].counted = counts;
        taken[g] = 0;
    }
    for (int d = 0; d < m->found_count; d++) {
        double best = 0;
        int match = -1;
        for (int g = 0; g < m->truth_count; g++) {
            double iou = overlap(m->found[d].found, m->truth[g].truth);
            if (iou > best) {
                best = iou;
                match = g;
            }
        }
        if (match < 0 || best < 0.5)
            continue;
        if (!m->truth[match].counted)
            m->found[d].ignored = 1;
        else if (!taken[match])
            m->found[d].hit = taken[match] = 1;
    }
    return WAIO_OK;
}

waio_status waio_marks_voc(waio_marks *out, const waio_detection_set *set, bool difficult_ignored,
                           int threads)
{
    return waio_marks_make(out, set, difficult_ignored, match_image, INT_MAX, threads);
}

double waio_voc_ap(const waio_marks *marks, waio_curve_kind kind, double *class_ap,
                   const int32_t *weight, double *scratch)
{
    double sum = 0;
    int count = 0;

    for (int c = 0; c < marks->classes; c++) {
        double ap = NAN;
        if (!marks->left_out[c])
            ap = waio_marks_average(&marks->of[c], 0, INT_MAX, kind, weight, scratch).precision;
        if (class_ap)
            class_ap[c] = ap;
        if (!isnan(ap)) {
            sum += ap;
            count++;
        }
    }
    return count ? sum / count : NAN;
}
