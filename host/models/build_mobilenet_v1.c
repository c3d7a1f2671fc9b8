/* MobileNetV1 as Keras Applications has it (Howard et al. 2017): a convolution, then 13 blocks of a
 * depthwise 3x3 and a 1x1, a batch norm and ReLU6 behind each. Stride 2 pads by a layer of its own,
 * at the bottom and right alone. stem=cifar (this project's own): the first convolution and block 2
 * keep the size, so that 32x32 ends as 4x4. */
#include "models/build.h"

static const struct {
    int filters, stride;
} block[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
             {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};

static void norm_relu(waio_build *b, const char *name)
{
    waio_build_norm(b, waio_build_name(b, "%s_bn", name));
    waio_build_relu(b, waio_build_name(b, "%s_relu", name));
}

static void add_block(waio_build *b, int number, int filters, int stride)
{
    const char *depthwise = waio_build_name(b, "conv_dw_%d", number);
    const char *pointwise = waio_build_name(b, "conv_pw_%d", number);
    waio_window_pad pad = stride == 1 ? WAIO_PAD_SAME : WAIO_PAD_VALID;

    if (stride > 1)
        waio_build_zero_pad(b, waio_build_name(b, "conv_pad_%d", number), 0, 1);
    waio_build_conv(b, depthwise,
                    (waio_conv_form){.height = 3, .width = 3, .stride = stride, .pad = pad});
    norm_relu(b, depthwise);
    waio_build_conv(
        b, pointwise,
        (waio_conv_form){
            .filters = filters, .height = 1, .width = 1, .stride = 1, .pad = WAIO_PAD_SAME});
    norm_relu(b, pointwise);
}

void waio_build_mobilenet_v1(waio_build *b)
{
    double alpha = b->params->alpha;
    bool small = b->params->cifar_stem;

    b->init = (waio_init){.kind = WAIO_INIT_GLOROT};
    b->norm_epsilon = 1e-3f;
    b->norm_scale = true;
    b->relu = 6;
    waio_build_input(b);
    waio_build_conv(b, "conv1",
                    (waio_conv_form){.filters = (int)(32 * alpha),
                                     .height = 3,
                                     .width = 3,
                                     .stride = small ? 1 : 2,
                                     .pad = WAIO_PAD_SAME});
    norm_relu(b, "conv1");
    for (int i = 0; i < (int)(sizeof block / sizeof *block); i++)
        add_block(b, i + 1, (int)(block[i].filters * alpha), small && i == 1 ? 1 : block[i].stride);
    waio_build_head(b);
}
