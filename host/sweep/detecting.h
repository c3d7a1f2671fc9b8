/* A detector on a data set: from the outputs of its network, floats or codes, to boxes in pixels of
 * the images as stored, of the data set's classes; and from these to the metric. */
#ifndef WAIO_SWEEP_DETECTING_H
#define WAIO_SWEEP_DETECTING_H

#include "dataset/dataset.h"
#include "graph/graph.h"
#include "metric/detect.h"
#include "metric/marks.h"

typedef struct waio_detecting {
    const waio_detector *detector;
    const float *anchor;
    int workers;
    waio_detect_scratch *scratch; /* one a worker */
    float **code, **score;        /* one a worker: outputs of an image as floats */
    int *class_of;                /* per class of the detector: the data set's, -1: it has none */
    int common;                   /* classes of the data set that the detector knows */
    bool *left_out;               /* per class of the data set: the detector does not know it */
} waio_detecting;

/* What was found on an image. */
typedef struct waio_found_list {
    waio_found *item; /* best first; malloc */
    int count;
    bool nan; /* among the outputs: nothing is found then */
} waio_found_list;

/* Everything lives in `arena`. `dataset` NULL: no classes are matched. WAIO_EINPUT: the detector
 * and the data set have no class in common; WAIO_EUSAGE: its labels are unknown. */
waio_status waio_detecting_create(waio_detecting *out, const waio_graph *graph,
                                  const waio_dataset *dataset, int workers, waio_arena *arena);

/* Detections on one image in scratch[worker].result: `boxes` and `scores` are that image's part of
 * the outputs of `graph`, which is the detector's, or its network on codes. */
void waio_detecting_image(int *count, bool *nan, const waio_detecting *detecting, int worker,
                          const waio_graph *graph, const void *boxes, const void *scores);
/* The same as a list in pixels of image `image` of the data set. */
waio_status waio_detecting_find(waio_found_list *out, const waio_detecting *detecting, int worker,
                                const waio_graph *graph, const void *boxes, const void *scores,
                                const waio_dataset *dataset, int64_t image);

void waio_found_lists_free(waio_found_list *list, int64_t images);
waio_status waio_found_lists_copy(waio_found_list *to, const waio_found_list *from, int64_t images);

typedef struct waio_detection_score {
    double value;     /* the metric, in percent; NaN: there is nothing to find */
    double deviation; /* its standard error: the deviation over 100 sets of as many images, drawn
                       * with replacement by `seed` */
} waio_detection_score;

typedef struct waio_detection_metric {
    const char *name; /* "map_coco", "ap50", "voc07", "voc10" */
    bool ignore_difficult;
    uint64_t seed;
    int threads;
} waio_detection_metric;

waio_status waio_detecting_score(waio_detection_score *out, const waio_detecting *detecting,
                                 const waio_dataset *dataset, const waio_found_list *list,
                                 const waio_detection_metric *metric);

/* The same metric of each class of the data set alone, in percent; NaN: nothing to find, or the
 * detector does not know it. */
waio_status waio_detecting_class_scores(double *value, const waio_detecting *detecting,
                                        const waio_dataset *dataset, const waio_found_list *list,
                                        const waio_detection_metric *metric);

/* Whether two networks see the same on an image: of the boxes with a score of 0.5 and more, each
 * has one of the other network's for itself, of its class and with an IoU of 0.5 and more (the
 * better score chooses first). */
bool waio_found_same(const waio_found_list *a, const waio_found_list *b);

#endif
