/* ResNet50 (He et al. 2015), twice. Keras (v1): stride 2 on the first 1x1 of a block, convolutions
 * with biases, epsilon 1.001e-5. torchvision (v1.5): stride 2 on the 3x3, no biases, epsilon 1e-5,
 * max pooling that pads by itself. The shapes are the same, so weights of the one run in the other
 * and give nonsense. stem=cifar (this project's own): one 3x3 and no pooling. */
#include <math.h>

#include "models/build.h"

static const struct {
    int blocks, filters, stride;
} stage[] = {{3, 64, 1}, {4, 128, 2}, {6, 256, 2}, {3, 512, 2}};

/* Names of a block's parts: 0 is the shortcut, 1 to 3 are the convolutions, 4 the sum. */
static const char *part_name(waio_build *b, bool torch, int s, int k, int part, const char *suffix)
{
    if (!torch)
        return waio_build_name(b, "conv%d_block%d_%d_%s", s + 2, k + 1, part, suffix);
    return waio_build_name(b, "layer%d.%d.%s%d", s + 1, k, suffix, part);
}

static void conv_norm(waio_build *b, bool torch, int s, int k, int part, waio_conv_form form)
{
    const char *conv = part_name(b, torch, s, k, part, "conv");
    const char *norm = part_name(b, torch, s, k, part, "bn");

    if (torch && part == 0) {
        conv = waio_build_name(b, "layer%d.%d.downsample.0", s + 1, k);
        norm = waio_build_name(b, "layer%d.%d.downsample.1", s + 1, k);
    }
    form.bias = !torch;
    waio_build_conv(b, conv, form);
    waio_build_norm(b, norm);
}

static void add_block(waio_build *b, bool torch, int s, int k)
{
    int filters = stage[s].filters, stride = k == 0 ? stage[s].stride : 1, start = b->end;
    waio_conv_form one = {.filters = filters, .height = 1, .width = 1, .stride = 1};
    waio_conv_form three = {.filters = filters,
                            .height = 3,
                            .width = 3,
                            .stride = torch ? stride : 1,
                            .pad = torch ? WAIO_PAD_HALF : WAIO_PAD_SAME};
    waio_conv_form wide = one, shortcut = one;

    wide.filters = shortcut.filters = 4 * filters;
    shortcut.stride = stride;
    one.stride = torch ? 1 : stride;
    if (k == 0)
        conv_norm(b, torch, s, k, 0, shortcut);
    int side = b->end;
    b->end = start;
    conv_norm(b, torch, s, k, 1, one);
    waio_build_relu(b, part_name(b, torch, s, k, 1, "relu"));
    conv_norm(b, torch, s, k, 2, three);
    waio_build_relu(b, part_name(b, torch, s, k, 2, "relu"));
    conv_norm(b, torch, s, k, 3, wide);
    waio_build_add(b,
                   torch ? waio_build_name(b, "layer%d.%d.add", s + 1, k)
                         : waio_build_name(b, "conv%d_block%d_add", s + 2, k + 1),
                   side, b->end);
    waio_build_relu(b, torch ? part_name(b, true, s, k, 3, "relu")
                             : waio_build_name(b, "conv%d_block%d_out", s + 2, k + 1));
}

static void add_stages(waio_build *b, bool torch)
{
    for (int s = 0; s < (int)(sizeof stage / sizeof *stage); s++)
        for (int k = 0; k < stage[s].blocks; k++)
            add_block(b, torch, s, k);
}

void waio_build_resnet50(waio_build *b)
{
    bool small = b->params->cifar_stem;
    waio_conv_form stem = {
        .filters = 64, .height = 7, .width = 7, .stride = 2, .pad = WAIO_PAD_VALID, .bias = true};

    if (small)
        stem = (waio_conv_form){.filters = 64,
                                .height = 3,
                                .width = 3,
                                .stride = 1,
                                .pad = WAIO_PAD_SAME,
                                .bias = true};
    b->init = (waio_init){.kind = WAIO_INIT_GLOROT};
    b->norm_epsilon = 1.001e-5f;
    b->norm_scale = true;
    b->relu = INFINITY;
    waio_build_input(b);
    if (!small)
        waio_build_zero_pad(b, "conv1_pad", 3, 3);
    waio_build_conv(b, "conv1_conv", stem);
    waio_build_norm(b, "conv1_bn");
    waio_build_relu(b, "conv1_relu");
    if (!small) {
        waio_build_zero_pad(b, "pool1_pad", 1, 1);
        waio_build_max_pool(b, "pool1_pool", 3, 2, WAIO_PAD_VALID);
    }
    add_stages(b, false);
    waio_build_head(b);
}

void waio_build_resnet50_torch(waio_build *b)
{
    bool small = b->params->cifar_stem;
    int kernel = small ? 3 : 7;

    b->init = (waio_init){.kind = WAIO_INIT_KAIMING_OUT};
    b->norm_epsilon = 1e-5f;
    b->norm_scale = true;
    b->relu = INFINITY;
    waio_build_input(b);
    waio_build_conv(b, "conv1",
                    (waio_conv_form){.filters = 64,
                                     .height = kernel,
                                     .width = kernel,
                                     .stride = small ? 1 : 2,
                                     .pad = WAIO_PAD_HALF});
    waio_build_norm(b, "bn1");
    waio_build_relu(b, "relu");
    if (!small)
        waio_build_max_pool(b, "maxpool", 3, 2, WAIO_PAD_HALF);
    add_stages(b, true);
    waio_build_torch_head(b, "fc", (waio_init){.kind = WAIO_INIT_TORCH_LINEAR});
}
