/* Two runs of one configuration side by side, layer by layer: both engines, two backends, or ours
 * and a model file. Each side goes on with its own numbers, so the first layer that departs says
 * where two implementations part, and the last one what that does to the result. */
#ifndef WAIO_SWEEP_DIFF_H
#define WAIO_SWEEP_DIFF_H

#include "sweep/session.h"

typedef struct waio_diff_side {
    const char *file; /* a model file that has codes, or NULL: the session's configuration */
    bool integer;     /* engine; of a file: ignored */
    const waio_backend *backend;
} waio_diff_side;

/* A layer that both sides have. Numbers are compared as what they mean, in steps: a step is the
 * scale of the right side's codes, else of the left side's, else (both float) 1e-4 of the largest
 * number of the left side. */
typedef struct waio_diff_layer {
    const char *name; /* of the left side's value, in the caller's arena */
    waio_op op;
    bool quantized;     /* on either side */
    double step;        /* the last image's, where both are float */
    int64_t count, off; /* numbers compared, numbers more than the tolerance apart */
    double worst;       /* largest difference, in steps; infinite if one side has a NaN */
} waio_diff_layer;

/* What the networks give, output by output, in the same steps. */
typedef struct waio_diff_output {
    const char *name; /* of the left side's value, in the caller's arena */
    double step;
    int64_t count, off;
    double worst;
} waio_diff_output;

typedef struct waio_diff {
    waio_diff_layer *layer; /* in the order of the left side, in the caller's arena */
    int count;
    int first; /* the first layer with a number off, -1 if there is none */
    int left_nodes, right_nodes;
    waio_diff_output *output; /* those that both sides have, by their place; in the arena */
    int outputs;
    bool boxes; /* the network is a detector */
    /* Images where the sides have another class first, or (detectors) see other boxes: of those
     * with a score of a half or more, one is without its like (same class, overlap of a half). */
    int64_t images, differ;
} waio_diff;

/* Runs the session's first `images` images through both sides, one at a time. Layers are matched by
 * name; where no weighted ones have common names, those by their order. `tolerance` is in steps.
 * WAIO_EINPUT if the sides have no layer in common. */
waio_status waio_session_diff(waio_diff *out, waio_session *session,
                              const waio_quant_request *request, waio_requant requant,
                              const waio_diff_side side[2], int64_t images, double tolerance,
                              waio_arena *arena);

#endif
