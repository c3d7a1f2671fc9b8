/* What makes a detector of a network's outputs: where its anchors come from, how box codes and
 * scores are read, which boxes stay. Plain data: importers and builders fill it in, metric/ carries
 * it out. Boxes are fractions of the image, 0 to 1 from the top left corner. */
#ifndef WAIO_TENSOR_DETECTOR_H
#define WAIO_TENSOR_DETECTOR_H

#include <stdbool.h>
#include <stdint.h>

enum { WAIO_DETECTOR_MAPS = 8, WAIO_DETECTOR_RATIOS = 8 };

typedef enum waio_anchor_kind {
    WAIO_ANCHORS_GIVEN,     /* a list of the file */
    WAIO_ANCHORS_SSD,       /* per map one scale, several ratios, and a square between the scales */
    WAIO_ANCHORS_MULTISCALE /* per map 4 x 2^level pixels, in octaves, ratio by ratio */
} waio_anchor_kind;

typedef struct waio_anchor_plan {
    waio_anchor_kind kind;
    int maps;                                                  /* feature maps, finest first */
    int height[WAIO_DETECTOR_MAPS], width[WAIO_DETECTOR_MAPS]; /* cells */
    int ratios;
    float ratio[WAIO_DETECTOR_RATIOS]; /* width / height */
    /* SSD */
    float least_scale, most_scale; /* of the first and the last map, fractions of the image */
    bool reduce_first;             /* the first map has (0.1, 1), (0.2, 2), (0.2, 0.5) instead */
    /* Multiscale */
    int first_level, octaves;      /* stride of the first map 2^first_level; scales an octave */
    float anchor_scale;            /* in strides */
    int image_height, image_width; /* pixels */
    /* Given */
    int64_t count;
    const float *given; /* (count, 4): centre y, centre x, height, width */
} waio_anchor_plan;

typedef struct waio_detector {
    waio_anchor_plan anchors;
    int boxes, scores;   /* outputs of the network: (anchors, 4) and (anchors, columns) */
    float code_scale[4]; /* that codes were multiplied by: y, x, height, width */
    int columns;         /* scores of an anchor */
    int first_class;     /* the column of class 0: 1 behind a background column, else 0 */
    int classes;
    bool logits; /* a sigmoid makes scores of the numbers (it keeps their order) */
    /* Fast: each anchor competes once, by its best class. Else class by class. */
    bool fast;
    int classes_per_anchor;   /* fast: how many classes of an anchor that stays are given */
    float least_score;        /* what is below it is no candidate */
    bool above_least;         /* what is equal to it is none either */
    float most_overlap;       /* a box whose IoU with a better one is above it goes */
    int most_per_class;       /* class by class */
    int most;                 /* in all */
    bool clip;                /* to the image, after suppression; boxes of no area go */
    const char *label_set;    /* name of a list of metric/labels.h; NULL: not known */
    const char *const *label; /* `classes` names of its own; NULL: label_set, or the data set's */
} waio_detector;

/* The Object Detection API's rules: codes times 10, 10, 5, 5; suppression class by class above an
 * IoU of 0.6, candidates above 1e-8, 100 a class and in all, clipped. */
waio_detector waio_detector_default(void);

/* How many anchors there are; those of one cell of map `map`. */
int64_t waio_anchors_count(const waio_anchor_plan *plan);
int waio_anchors_per_cell(const waio_anchor_plan *plan, int map);

#endif
