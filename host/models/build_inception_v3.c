/* InceptionV3 (Szegedy et al. 2015) as Keras Applications has it: 94 convolutions without biases,
 * batch norms without gamma, names counted up in the order of creation. torchvision's is the same
 * network with gammas and with average pools that count the padding. stem=cifar (this project's
 * own): the first two convolutions and the fifth keep the size and one pooling goes, so that 32x32
 * can enter. */
#include <math.h>

#include "models/build.h"

typedef enum step_kind {
    END,  /* of a branch */
    CONV, /* same */
    DOWN, /* valid, stride 2 */
    AVERAGE,
    MAXIMUM, /* 3x3 valid, stride 2 */
    SPLIT,   /* 1x3 and 3x1 side by side, `filters` each */
} step_kind;

typedef struct step {
    step_kind kind;
    int filters, height, width;
} step;

typedef struct block {
    int branches;
    const step *step;
} block;

#define C(filters, height, width)                                                                  \
    {                                                                                              \
        CONV, filters, height, width                                                               \
    }
/* clang-format off */
#define MIXED_5X5(POOLED) \
    {4, (const step[]){C(64, 1, 1), {0}, \
                       C(48, 1, 1), C(64, 5, 5), {0}, \
                       C(64, 1, 1), C(96, 3, 3), C(96, 3, 3), {0}, \
                       {.kind = AVERAGE}, C(POOLED, 1, 1), {0}}}
#define MIXED_7X7(N) \
    {4, (const step[]){C(192, 1, 1), {0}, \
                       C(N, 1, 1), C(N, 1, 7), C(192, 7, 1), {0}, \
                       C(N, 1, 1), C(N, 7, 1), C(N, 1, 7), C(N, 7, 1), C(192, 1, 7), {0}, \
                       {.kind = AVERAGE}, C(192, 1, 1), {0}}}
#define MIXED_SPLIT \
    {4, (const step[]){C(320, 1, 1), {0}, \
                       C(384, 1, 1), {SPLIT, 384, 0, 0}, {0}, \
                       C(448, 1, 1), C(384, 3, 3), {SPLIT, 384, 0, 0}, {0}, \
                       {.kind = AVERAGE}, C(192, 1, 1), {0}}}

static const block mixed[] = {
    MIXED_5X5(32), MIXED_5X5(64), MIXED_5X5(64),
    {3, (const step[]){{DOWN, 384, 3, 3}, {0},
                       C(64, 1, 1), C(96, 3, 3), {DOWN, 96, 3, 3}, {0},
                       {.kind = MAXIMUM}, {0}}},
    MIXED_7X7(128), MIXED_7X7(160), MIXED_7X7(160), MIXED_7X7(192),
    {3, (const step[]){C(192, 1, 1), {DOWN, 320, 3, 3}, {0},
                       C(192, 1, 1), C(192, 1, 7), C(192, 7, 1), {DOWN, 192, 3, 3}, {0},
                       {.kind = MAXIMUM}, {0}}},
    MIXED_SPLIT, MIXED_SPLIT,
};
/* clang-format on */

typedef struct counters {
    int conv, max_pool, avg_pool, split;
    bool count_pad;
} counters;

/* "conv2d", "conv2d_1", ... */
static const char *numbered(waio_build *b, const char *base, int number)
{
    return number ? waio_build_name(b, "%s_%d", base, number) : base;
}

static void conv_norm_relu(waio_build *b, counters *n, waio_conv_form form)
{
    int number = n->conv++;

    waio_build_conv(b, numbered(b, "conv2d", number), form);
    waio_build_norm(b, numbered(b, "batch_normalization", number));
    waio_build_relu(b, numbered(b, "activation", number));
}

static void conv(waio_build *b, counters *n, int filters, int height, int width)
{
    conv_norm_relu(b, n,
                   (waio_conv_form){.filters = filters,
                                    .height = height,
                                    .width = width,
                                    .stride = 1,
                                    .pad = WAIO_PAD_SAME});
}

static void conv_valid(waio_build *b, counters *n, int filters, int kernel, int stride)
{
    conv_norm_relu(b, n,
                   (waio_conv_form){.filters = filters,
                                    .height = kernel,
                                    .width = kernel,
                                    .stride = stride,
                                    .pad = WAIO_PAD_VALID});
}

static void max_pool(waio_build *b, counters *n)
{
    waio_build_max_pool(b, numbered(b, "max_pooling2d", n->max_pool++), 3, 2, WAIO_PAD_VALID);
}

static void split(waio_build *b, counters *n, int filters)
{
    int start = b->end, part[2], number = n->split++;

    conv(b, n, filters, 1, 3);
    part[0] = b->end;
    b->end = start;
    conv(b, n, filters, 3, 1);
    part[1] = b->end;
    /* Two a block: Keras names the first itself and lets the second be numbered. */
    waio_build_concat(b,
                      number % 2 ? numbered(b, "concatenate", number / 2)
                                 : waio_build_name(b, "mixed9_%d", number / 2),
                      part, 2, 3);
}

static void add_step(waio_build *b, counters *n, const step *s)
{
    switch (s->kind) {
    case CONV:
        conv(b, n, s->filters, s->height, s->width);
        break;
    case DOWN:
        conv_valid(b, n, s->filters, s->height, 2);
        break;
    case AVERAGE:
        waio_build_avg_pool(b, numbered(b, "average_pooling2d", n->avg_pool++), 3, n->count_pad);
        break;
    case MAXIMUM:
        max_pool(b, n);
        break;
    case SPLIT:
        split(b, n, s->filters);
        break;
    case END:
        break;
    }
}

static void add_block(waio_build *b, counters *n, int number)
{
    int start = b->end, branch[4];
    const step *s = mixed[number].step;

    for (int i = 0; i < mixed[number].branches; i++) {
        b->end = start;
        for (; s->kind != END; s++)
            add_step(b, n, s);
        s++;
        branch[i] = b->end;
    }
    waio_build_concat(b, waio_build_name(b, "mixed%d", number), branch, mixed[number].branches, 3);
}

static void trunk(waio_build *b, bool count_pad)
{
    counters n = {.count_pad = count_pad};
    bool small = b->params->cifar_stem;

    b->norm_epsilon = 1e-3f;
    b->relu = INFINITY;
    waio_build_input(b);
    if (small) {
        conv(b, &n, 32, 3, 3);
        conv(b, &n, 32, 3, 3);
        conv(b, &n, 64, 3, 3);
        conv_valid(b, &n, 80, 1, 1);
        conv(b, &n, 192, 3, 3);
    } else {
        conv_valid(b, &n, 32, 3, 2);
        conv_valid(b, &n, 32, 3, 1);
        conv(b, &n, 64, 3, 3);
        max_pool(b, &n);
        conv_valid(b, &n, 80, 1, 1);
        conv_valid(b, &n, 192, 3, 1);
    }
    max_pool(b, &n);
    for (int i = 0; i < (int)(sizeof mixed / sizeof *mixed); i++)
        add_block(b, &n, i);
}

void waio_build_inception_v3(waio_build *b)
{
    b->init = (waio_init){.kind = WAIO_INIT_GLOROT};
    b->norm_scale = false;
    trunk(b, false);
    waio_build_head(b);
}

void waio_build_inception_v3_torch(waio_build *b)
{
    b->init = (waio_init){.kind = WAIO_INIT_TRUNCATED, .deviation = 0.1f, .cut = 2};
    b->norm_scale = true;
    trunk(b, true);
    waio_build_torch_head(b, "fc", b->init);
}
