/* The custom operator TFLite_Detection_PostProcess: what stands behind a detector's network. It
 * leaves no node behind: the network's outputs become the box codes and the scores that it reads,
 * and the graph says how boxes come of them. Inputs: box codes (1, anchors, 4), scores (1, anchors,
 * classes or one more: the background), anchors (anchors, 4) as centre y, centre x, height, width;
 * options: a flexbuffer. */
#include <math.h>

#include "import/flexbuf.h"
#include "import/tflite_import.h"

enum { MOST_ANCHORS = 1 << 20, MOST_CLASSES = 10000, MOST_BOXES = 100000 };

typedef struct option_row {
    const char *name;
    double least, most, fallback; /* fallback NaN: it must be there */
    bool whole;
} option_row;

enum {
    MAX_DETECTIONS,
    CLASSES_PER_DETECTION,
    DETECTIONS_PER_CLASS,
    REGULAR,
    SCORE_THRESHOLD,
    IOU_THRESHOLD,
    NUM_CLASSES,
    SCALE_Y,
    SCALE_X,
    SCALE_H,
    SCALE_W,
    OPTIONS
};
static const option_row option_table[OPTIONS] = {
    [MAX_DETECTIONS] = {"max_detections", 1, MOST_BOXES, NAN, true},
    [CLASSES_PER_DETECTION] = {"max_classes_per_detection", 1, MOST_CLASSES, NAN, true},
    [DETECTIONS_PER_CLASS] = {"detections_per_class", 1, MOST_BOXES, 100, true},
    [REGULAR] = {"use_regular_nms", 0, 1, 0, true},
    [SCORE_THRESHOLD] = {"nms_score_threshold", -1e30, 1e30, NAN, false},
    [IOU_THRESHOLD] = {"nms_iou_threshold", 1e-9, 1, NAN, false},
    [NUM_CLASSES] = {"num_classes", 1, MOST_CLASSES, NAN, true},
    [SCALE_Y] = {"y_scale", 1e-6, 1e6, NAN, false},
    [SCALE_X] = {"x_scale", 1e-6, 1e6, NAN, false},
    [SCALE_H] = {"h_scale", 1e-6, 1e6, NAN, false},
    [SCALE_W] = {"w_scale", 1e-6, 1e6, NAN, false},
};

static waio_status read_options(double value[OPTIONS], const waio_tfl *tfl,
                                const waio_tfl_operator *op)
{
    waio_status st = WAIO_OK;
    waio_flex_map map;

    WAIO_TRY(st, waio_flex_root(&map, &tfl->file, &op->custom_options));
    for (int i = 0; i < OPTIONS; i++) {
        const option_row *row = &option_table[i];
        bool found = false;
        WAIO_TRY(st, waio_flex_number(&value[i], &found, &tfl->file, &map, row->name));
        if (!found)
            value[i] = row->fallback;
        if (!found && isnan(row->fallback))
            WAIO_FAIL(st, WAIO_EINPUT, "the option %s is missing", row->name);
        if (!(value[i] >= row->least && value[i] <= row->most) ||
            (row->whole && value[i] != floor(value[i])))
            WAIO_FAIL(st, WAIO_EINPUT, "the option %s is %g, expected %s from %g to %g", row->name,
                      value[i], row->whole ? "a whole number" : "a number", row->least, row->most);
    }
done:
    return st;
}

/* Anchors, classes and columns from the shapes of the inputs, which must go together. */
static waio_status check_shapes(waio_detector *d, waio_tfl_tensor *const tensor[3])
{
    const waio_shape *box = &tensor[0]->shape, *score = &tensor[1]->shape,
                     *anchor = &tensor[2]->shape;
    char text[3][64];
    int64_t count = box->rank == 3 ? box->dim[1] : 0;

    bool good = count >= 1 && count <= MOST_ANCHORS && box->dim[0] == 1 && box->dim[2] == 4 &&
                score->rank == 3 && score->dim[0] == 1 && score->dim[1] == count &&
                anchor->rank == 2 && anchor->dim[0] == count && anchor->dim[1] == 4;
    if (!good)
        return waio_error(WAIO_EUNSUPPORTED,
                          "box codes of %s, scores of %s and anchors of %s; expected 1xNx4, 1xNxC "
                          "and Nx4",
                          waio_shape_text(box, text[0]), waio_shape_text(score, text[1]),
                          waio_shape_text(anchor, text[2]));
    if (score->dim[2] != d->classes && score->dim[2] != d->classes + 1)
        return waio_error(WAIO_EINPUT,
                          "%lld scores an anchor and %d classes; expected as many, or one more for "
                          "the background",
                          (long long)score->dim[2], d->classes);
    d->anchors.count = count;
    d->columns = (int)score->dim[2];
    d->first_class = d->columns - d->classes;
    return WAIO_OK;
}

static waio_status read_anchors(waio_detector *d, waio_tfl *tfl, const waio_tfl_tensor *tensor)
{
    waio_status st = WAIO_OK;
    float *anchor = NULL;

    WAIO_NEW(st, anchor, tfl->graph->arena, (size_t)d->anchors.count * 4);
    WAIO_TRY(st, waio_tfl_floats(anchor, tfl, tensor));
    for (int64_t i = 0; i < d->anchors.count * 4; i++)
        if (!isfinite(anchor[i]) || (i % 4 >= 2 && anchor[i] < 0))
            WAIO_FAIL(st, WAIO_EINPUT, "anchor %lld has the number %g", (long long)(i / 4),
                      (double)anchor[i]);
    d->anchors.given = anchor;
done:
    return st;
}

waio_status waio_tfl_import_detection(waio_tfl *tfl, const waio_tfl_operator *op)
{
    waio_status st = WAIO_OK;
    waio_detector *d = NULL;
    waio_tfl_tensor *tensor[3];
    double value[OPTIONS];

    if (tfl->graph->detector)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "a second one; supported is one");
    WAIO_TRY(st, read_options(value, tfl, op));
    WAIO_NEW(st, d, tfl->graph->arena, 1);
    for (uint32_t i = 0; i < 3; i++)
        WAIO_TRY(st, waio_tfl_required(&tensor[i], tfl, op, i));
    *d = (waio_detector){
        .anchors = {.kind = WAIO_ANCHORS_GIVEN},
        .boxes = 0,
        .scores = 1,
        .code_scale = {(float)value[SCALE_Y], (float)value[SCALE_X], (float)value[SCALE_H],
                       (float)value[SCALE_W]},
        .classes = (int)value[NUM_CLASSES],
        .fast = value[REGULAR] == 0,
        .classes_per_anchor = (int)fmin(value[CLASSES_PER_DETECTION], value[NUM_CLASSES]),
        .least_score = (float)value[SCORE_THRESHOLD],
        .most_overlap = (float)value[IOU_THRESHOLD],
        .most_per_class = (int)value[DETECTIONS_PER_CLASS],
        .most = (int)value[MAX_DETECTIONS],
    };
    WAIO_TRY(st, check_shapes(d, tensor));
    WAIO_TRY(st, read_anchors(d, tfl, tensor[2]));
    WAIO_TRY(st, waio_tfl_value(&tfl->detector_input[0], tfl, tensor[0]));
    WAIO_TRY(st, waio_tfl_value(&tfl->detector_input[1], tfl, tensor[1]));
    tfl->detector_output = op->output;
    tfl->graph->detector = d;
done:
    return st;
}

/* The outputs of the network are the operator's, none other. */
waio_status waio_tfl_detection_outputs(waio_tfl *tfl, const waio_flat_vector *outputs)
{
    waio_status st = WAIO_OK;

    for (uint32_t i = 0; i < outputs->count; i++) {
        bool known = false;
        for (uint32_t k = 0; k < tfl->detector_output.count; k++)
            known = known || waio_flat_i32_at(&tfl->file, outputs, i) ==
                                 waio_flat_i32_at(&tfl->file, &tfl->detector_output, k);
        if (!known)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                      "output %u is not one of " WAIO_TFL_DETECTION
                      ", which is supported at the end of a network only",
                      i);
    }
    for (int i = 0; i < 2; i++)
        WAIO_TRY(st, waio_graph_add_output(tfl->graph, tfl->detector_input[i]));
done:
    return st;
}
