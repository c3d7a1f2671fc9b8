/* SSD on MobileNetV2, as TensorFlow's Object Detection API builds it (ssd_mobilenet_v2,
 * ssd_mobilenet_v2_fpnlite). The outputs are the box codes and the class logits of all anchors,
 * sigmoid behind the latter: anchors, decoding and suppression stand outside of the network. */
#include "models/build.h"

static const waio_init box_init = {.kind = WAIO_INIT_NORMAL, .deviation = 0.01f};
static const waio_init class_init = {.kind = WAIO_INIT_NORMAL, .deviation = 0.01f, .bias = -4.6f};

static waio_conv_form one_by_one(int filters, bool bias)
{
    return (waio_conv_form){.filters = filters,
                            .height = 1,
                            .width = 1,
                            .stride = 1,
                            .pad = WAIO_PAD_SAME,
                            .bias = bias};
}

/* Boxes and scores of all maps, one behind the other, and what makes detections of them. */
static void join(waio_build *b, const int *box, const int *class, const waio_anchor_plan *plan)
{
    int maps = plan->maps;

    waio_build_concat(b, "raw_boxes", box, maps, 1);
    waio_build_output(b, b->end);
    waio_build_concat(b, "raw_logits", class, maps, 1);
    waio_build_sigmoid(b, "scores");
    waio_build_output(b, b->end);
    waio_detector *d = waio_arena_alloc(b->graph->arena, sizeof *d);
    if (!d) {
        b->st = WAIO_ENOMEM;
        return;
    }
    *d = waio_detector_default();
    d->anchors = *plan;
    d->columns = d->classes = (int)b->params->classes;
    b->graph->detector = d;
}

/* b->end is the next feature map. */
static void add_map(waio_anchor_plan *plan, const waio_build *b)
{
    plan->height[plan->maps] = waio_build_height(b);
    plan->width[plan->maps++] = waio_build_width(b);
}

/* The cells of b->end by `anchors`, `columns` numbers each. */
static int64_t anchors_of(const waio_build *b, int anchors)
{
    return (int64_t)waio_build_height(b) * waio_build_width(b) * anchors;
}

/* ---- the plain one ---- */

static void extra_step(waio_build *b, const char *name, waio_conv_form form)
{
    waio_build_conv(b, waio_build_name(b, "%s_conv", name), form);
    waio_build_norm(b, waio_build_name(b, "%s_batchnorm", name));
    waio_build_relu(b, name);
}

/* 1x1 to half the filters, then 3x3 with stride 2. */
static void extra_map(waio_build *b, int number, int filters)
{
    extra_step(b, waio_build_name(b, "layer_19_1_Conv2d_%d_1x1_%d", number, filters / 2),
               one_by_one(filters / 2, false));
    extra_step(b, waio_build_name(b, "layer_19_2_Conv2d_%d_3x3_s2_%d", number, filters),
               (waio_conv_form){
                   .filters = filters, .height = 3, .width = 3, .stride = 2, .pad = WAIO_PAD_SAME});
}

static int predict(waio_build *b, int map, const char *what, int anchors, int columns,
                   waio_init init)
{
    const char *name = waio_build_name(b, "BoxPredictor_%d/%s", map, what);
    int64_t rows = anchors_of(b, anchors);

    b->init = init;
    waio_build_conv(b, name, one_by_one(anchors * columns, true));
    waio_build_reshape(b, waio_build_name(b, "%s_r", name), rows, columns);
    return b->end;
}

void waio_build_ssd_mobilenet_v2(waio_build *b)
{
    static const int filters[] = {512, 256, 256, 128};
    enum { MAPS = 6 };
    int tap[WAIO_V2_TAPS] = {0}, map[MAPS], box[MAPS], class[MAPS];
    waio_anchor_plan plan = {.kind = WAIO_ANCHORS_SSD,
                             .ratios = 5,
                             .ratio = {1, 2, 0.5f, 3, 0.3333f}, /* literally */
                             .least_scale = 0.2f,
                             .most_scale = 0.95f,
                             .reduce_first = true};

    b->init = (waio_init){.kind = WAIO_INIT_TRUNCATED, .deviation = 0.03f};
    b->norm_epsilon = 1e-3f;
    waio_build_mobilenet_v2_trunk(b, WAIO_PAD_SAME, tap);
    map[0] = tap[WAIO_V2_EXPAND_13];
    map[1] = b->end;
    for (int i = 2; i < MAPS; i++) {
        extra_map(b, i, filters[i - 2]);
        map[i] = b->end;
    }
    b->head = true;
    for (int i = 0; i < MAPS; i++) {
        int anchors = waio_anchors_per_cell(&plan, i);
        b->end = map[i];
        add_map(&plan, b);
        box[i] = predict(b, i, "box", anchors, 4, box_init);
        b->end = map[i];
        class[i] = predict(b, i, "class", anchors, (int)b->params->classes, class_init);
    }
    join(b, box, class, &plan);
}

/* ---- FPNLite: a feature pyramid, and one tower of separable convolutions for all its levels ----
 */

enum { DEPTH = 128, LEVELS = 5, TOWER = 4, LEVEL_ANCHORS = 6 };

static const waio_init fpn_init = {.kind = WAIO_INIT_NORMAL, .deviation = 0.01f};
static const waio_init glorot = {.kind = WAIO_INIT_GLOROT};

/* Depthwise 3x3, then 1x1; `share`: the same at the level whose weights it uses, NULL: none. */
static void separable(waio_build *b, const char *name, const char *share, int stride,
                      waio_init depthwise, waio_conv_form form, waio_init pointwise)
{
    const char *of[2] = {NULL, NULL};

    if (share) {
        of[0] = waio_build_name(b, "%s_dw", share);
        of[1] = waio_build_name(b, "%s_pw", share);
    }
    b->init = depthwise;
    waio_build_conv(
        b, waio_build_name(b, "%s_dw", name),
        (waio_conv_form){
            .height = 3, .width = 3, .stride = stride, .pad = WAIO_PAD_SAME, .share = of[0]});
    b->init = pointwise;
    form.share = of[1];
    waio_build_conv(b, waio_build_name(b, "%s_pw", name), form);
}

static void separable_norm_relu(waio_build *b, const char *name, int stride)
{
    separable(b, name, NULL, stride, fpn_init, one_by_one(DEPTH, false), glorot);
    waio_build_norm(b, waio_build_name(b, "%s_batchnorm", name));
    waio_build_relu(b, name);
}

/* The map above, enlarged, plus the trunk's map `lateral`, smoothed. */
static int top_down(waio_build *b, int number, int above, int lateral)
{
    b->end = lateral;
    b->init = fpn_init;
    waio_build_conv(b, waio_build_name(b, "FeatureMaps/projection_%d", number),
                    one_by_one(DEPTH, true));
    int side = b->end, height = waio_build_height(b), width = waio_build_width(b);
    b->end = above;
    waio_build_upsample(b, waio_build_name(b, "FeatureMaps/up_%d", number), height, width);
    waio_build_add(b, waio_build_name(b, "FeatureMaps/add_%d", number), b->end, side);
    separable_norm_relu(b, waio_build_name(b, "FeatureMaps/smoothing_%d", number), 1);
    return b->end;
}

static int head(waio_build *b, const char *predictor, const char *row, int level, int columns,
                float bias)
{
    const char *name = waio_build_name(b, "%s@P%d", predictor, level + 3);
    const char *share = level ? waio_build_name(b, "%s@P3", predictor) : NULL;
    waio_init init = glorot;
    int64_t rows = anchors_of(b, LEVEL_ANCHORS);

    init.bias = bias;
    separable(b, name, share, 1, glorot, one_by_one(LEVEL_ANCHORS * columns, true), init);
    waio_build_reshape(b, waio_build_name(b, "%s@P%d", row, level + 3), rows, columns);
    return b->end;
}

static void tower(waio_build *b, int level)
{
    for (int i = 0; i < TOWER; i++) {
        const char *base = waio_build_name(b, "PredictionTower/conv2d_%d", i);
        const char *share = level ? waio_build_name(b, "%s@P3", base) : NULL;

        separable(b, waio_build_name(b, "%s@P%d", base, level + 3), share, 1, fpn_init,
                  one_by_one(DEPTH, false), glorot);
        waio_build_norm(b, waio_build_name(b, "%s/BatchNorm/feature_%d", base, level));
        waio_build_relu(b, waio_build_name(b, "%s/relu6@P%d", base, level + 3));
    }
}

void waio_build_ssd_mobilenet_v2_fpnlite(waio_build *b)
{
    int tap[WAIO_V2_TAPS] = {0}, map[LEVELS], box[LEVELS], class[LEVELS];
    waio_anchor_plan plan = {.kind = WAIO_ANCHORS_MULTISCALE,
                             .ratios = 3,
                             .ratio = {1, 2, 0.5f},
                             .first_level = 3,
                             .octaves = 2,
                             .anchor_scale = 4,
                             .image_height = (int)b->params->height,
                             .image_width = (int)b->params->width};

    b->init = fpn_init;
    b->norm_epsilon = 1e-3f;
    waio_build_mobilenet_v2_trunk(b, WAIO_PAD_SAME, tap);
    waio_build_conv(b, "FeatureMaps/projection_3", one_by_one(DEPTH, true));
    map[2] = b->end; /* linear, and not smoothed */
    map[1] = top_down(b, 2, map[2], tap[12]);
    map[0] = top_down(b, 1, map[1], tap[5]);
    b->end = map[2];
    for (int i = 3; i < LEVELS; i++) {
        separable_norm_relu(b, waio_build_name(b, "bottom_up_Conv2d_%d", 17 + i), 2);
        map[i] = b->end;
    }
    b->head = true;
    for (int i = 0; i < LEVELS; i++) {
        b->end = map[i];
        add_map(&plan, b);
        tower(b, i);
        int end = b->end;
        box[i] = head(b, "BoxPredictor", "box_r", i, 4, 0);
        b->end = end;
        class[i] = head(b, "ClassPredictor", "class_r", i, (int)b->params->classes, -4.6f);
    }
    join(b, box, class, &plan);
}
