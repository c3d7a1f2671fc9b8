/* MobileNetV2 (Sandler et al. 2018): 17 inverted residuals between a 3x3 and a 1x1 convolution.
 * Keras and the detection models pad as TensorFlow does, torchvision by one cell on every side:
 * the same shapes, other numbers. */
#include "models/build.h"

/* Expansion, filters, stride of each block. */
static const struct {
    int expand, filters, stride;
} block[] = {{1, 16, 1}, {6, 24, 2},  {6, 24, 1},  {6, 32, 2},  {6, 32, 1}, {6, 32, 1},
             {6, 64, 2}, {6, 64, 1},  {6, 64, 1},  {6, 64, 1},  {6, 96, 1}, {6, 96, 1},
             {6, 96, 1}, {6, 160, 2}, {6, 160, 1}, {6, 160, 1}, {6, 320, 1}};

/* The multiple of 8 nearest to it, not below 8 nor more than a tenth below. */
static int width_of(double filters)
{
    int rounded = (int)(filters + 4) / 8 * 8;

    rounded = rounded < 8 ? 8 : rounded;
    return rounded < 0.9 * filters ? rounded + 8 : rounded;
}

static void step(waio_build *b, const char *prefix, const char *part, waio_conv_form form)
{
    const char *name = waio_build_name(b, "%s_%s", prefix, part);

    waio_build_conv(b, name, form);
    waio_build_norm(b, waio_build_name(b, "%s_BN", name));
}

static void relu(waio_build *b, const char *prefix, const char *part)
{
    waio_build_relu(b, waio_build_name(b, "%s_%s_relu", prefix, part));
}

static void add_block(waio_build *b, int k, waio_window_pad pad, int *tap)
{
    const char *prefix = k ? waio_build_name(b, "block_%d", k) : "expanded_conv";
    int start = b->end, channels = waio_build_channels(b), stride = block[k].stride;
    int filters = width_of(block[k].filters * b->params->alpha);

    if (block[k].expand > 1) {
        step(b, prefix, "expand",
             (waio_conv_form){.filters = block[k].expand * channels,
                              .height = 1,
                              .width = 1,
                              .stride = 1,
                              .pad = WAIO_PAD_SAME});
        relu(b, prefix, "expand");
    }
    if (tap && k == 13)
        tap[WAIO_V2_EXPAND_13] = b->end;
    step(b, prefix, "depthwise",
         (waio_conv_form){.height = 3, .width = 3, .stride = stride, .pad = pad});
    relu(b, prefix, "depthwise");
    step(b, prefix, "project",
         (waio_conv_form){
             .filters = filters, .height = 1, .width = 1, .stride = 1, .pad = WAIO_PAD_SAME});
    if (stride == 1 && channels == filters)
        waio_build_add(b, waio_build_name(b, "%s_add", prefix), start, b->end);
    if (tap)
        tap[k] = b->end;
}

void waio_build_mobilenet_v2_trunk(waio_build *b, waio_window_pad pad, int *tap)
{
    double alpha = b->params->alpha;

    b->norm_scale = true;
    b->relu = 6;
    waio_build_input(b);
    waio_build_conv(
        b, "Conv1",
        (waio_conv_form){
            .filters = width_of(32 * alpha), .height = 3, .width = 3, .stride = 2, .pad = pad});
    waio_build_norm(b, "bn_Conv1");
    waio_build_relu(b, "Conv1_relu");
    for (int k = 0; k < (int)(sizeof block / sizeof *block); k++)
        add_block(b, k, pad, tap);
    waio_build_conv(b, "Conv_1",
                    (waio_conv_form){.filters = alpha > 1 ? width_of(1280 * alpha) : 1280,
                                     .height = 1,
                                     .width = 1,
                                     .stride = 1,
                                     .pad = WAIO_PAD_SAME});
    waio_build_norm(b, "Conv_1_bn");
    waio_build_relu(b, "out_relu");
}

void waio_build_mobilenet_v2(waio_build *b)
{
    b->init = (waio_init){.kind = WAIO_INIT_GLOROT};
    b->norm_epsilon = 1e-3f;
    waio_build_mobilenet_v2_trunk(b, WAIO_PAD_SAME, NULL);
    waio_build_head(b);
}

void waio_build_mobilenet_v2_torch(waio_build *b)
{
    b->init = (waio_init){.kind = WAIO_INIT_KAIMING_OUT};
    b->norm_epsilon = 1e-5f;
    waio_build_mobilenet_v2_trunk(b, WAIO_PAD_HALF, NULL);
    waio_build_torch_head(b, "classifier.1",
                          (waio_init){.kind = WAIO_INIT_NORMAL, .deviation = 0.01f});
}
