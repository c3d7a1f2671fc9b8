/* Cases of conv2d and dense. */
#include <math.h>

#include "check/opcases_build.h"

typedef struct conv_row {
    int h, w, ic, oc, kernel[2], groups;
    int stride[2], dilation[2], pad[4];
    bool bias;
    waio_clamp clamp;
} conv_row;

/* A square kernel in the middle of its padding. */
#define SQUARE(h, w, ic, oc, k, groups)                                                            \
    {                                                                                              \
        h, w, ic, oc, {k, k}, groups, {1, 1}, {1, 1}, {k / 2, k / 2, k / 2, k / 2}, true,          \
            WAIO_NONE                                                                              \
    }

static const conv_row conv2d[] = {
    /* dense kernels: odd sizes, each channel count, strides 1, 2, 3 */
    {7, 9, 3, 16, {3, 3}, 1, {1, 1}, {1, 1}, {1, 1, 1, 1}, true, WAIO_RELU},
    {8, 7, 3, 16, {3, 3}, 1, {2, 2}, {1, 1}, {0, 0, 1, 1}, true, WAIO_RELU6},
    {15, 13, 3, 33, {7, 7}, 1, {2, 2}, {1, 1}, {3, 3, 3, 3}, true, WAIO_RELU},
    {9, 9, 1, 7, {5, 5}, 1, {3, 3}, {1, 1}, {2, 1, 0, 2}, false, WAIO_NONE},
    {7, 5, 16, 17, {1, 1}, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, true, WAIO_NONE},
    {7, 7, 17, 33, {1, 1}, 1, {2, 2}, {1, 1}, {0, 0, 0, 0}, false, WAIO_UNIT_CLIP},
    {6, 6, 33, 1, {3, 3}, 1, {1, 1}, {1, 1}, {1, 1, 1, 1}, true, WAIO_NONE},
    {1, 1, 16, 3, {1, 1}, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, true, WAIO_RELU6},
    {9, 11, 7, 16, {1, 7}, 1, {1, 1}, {1, 1}, {0, 3, 0, 3}, true, WAIO_RELU},
    {11, 9, 16, 16, {7, 1}, 1, {1, 1}, {1, 1}, {3, 0, 3, 0}, true, WAIO_RELU},
    {9, 8, 5, 16, {2, 4}, 1, {2, 1}, {1, 1}, {1, 0, 0, 2}, true, WAIO_UNIT_CLIP},
    {8, 8, 64, 32, {3, 3}, 1, {1, 1}, {1, 1}, {1, 1, 1, 1}, true, WAIO_RELU},
    /* dilation */
    {11, 11, 7, 16, {3, 3}, 1, {1, 1}, {2, 2}, {2, 2, 2, 2}, true, WAIO_RELU},
    {13, 11, 16, 7, {3, 3}, 1, {2, 1}, {3, 2}, {1, 2, 3, 0}, false, WAIO_NONE},
    /* groups, depthwise, depthwise with a multiplier */
    {7, 7, 12, 18, {3, 3}, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, true, WAIO_RELU},
    {7, 9, 32, 32, {3, 3}, 2, {2, 2}, {1, 1}, {1, 0, 1, 2}, true, WAIO_RELU6},
    {9, 7, 16, 16, {3, 3}, 16, {1, 1}, {1, 1}, {1, 1, 1, 1}, true, WAIO_RELU6},
    {9, 9, 17, 17, {3, 3}, 17, {2, 2}, {1, 1}, {0, 0, 1, 1}, true, WAIO_RELU6},
    {8, 10, 33, 33, {5, 5}, 33, {1, 1}, {1, 1}, {2, 2, 2, 2}, false, WAIO_NONE},
    {9, 9, 7, 7, {3, 3}, 7, {1, 1}, {2, 2}, {2, 2, 2, 2}, true, WAIO_RELU},
    {7, 7, 3, 6, {3, 3}, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, true, WAIO_NONE},
    {7, 7, 16, 48, {3, 3}, 16, {3, 2}, {1, 1}, {1, 1, 0, 0}, true, WAIO_UNIT_CLIP},
    /* padding as wide as the kernel and wider; a kernel larger than the image */
    {5, 5, 3, 8, {1, 1}, 1, {1, 1}, {1, 1}, {1, 2, 1, 0}, true, WAIO_NONE},
    {5, 4, 4, 8, {3, 3}, 1, {2, 2}, {1, 1}, {3, 4, 5, 3}, true, WAIO_NONE},
    {2, 3, 4, 8, {5, 5}, 1, {1, 1}, {1, 1}, {2, 2, 2, 2}, true, WAIO_RELU},
    /* each number of channels up to a vector's and one more, in and out */
    SQUARE(3, 5, 2, 17, 3, 1),
    SQUARE(3, 5, 4, 15, 1, 1),
    SQUARE(3, 5, 5, 14, 3, 1),
    SQUARE(3, 5, 6, 13, 1, 1),
    SQUARE(3, 5, 8, 12, 3, 1),
    SQUARE(3, 5, 9, 11, 1, 1),
    SQUARE(3, 5, 10, 10, 3, 1),
    SQUARE(3, 5, 11, 9, 1, 1),
    SQUARE(3, 5, 12, 8, 3, 1),
    SQUARE(3, 5, 13, 6, 1, 1),
    SQUARE(3, 5, 14, 5, 3, 1),
    SQUARE(3, 5, 15, 4, 1, 1),
    SQUARE(3, 5, 1, 2, 1, 1),
    SQUARE(3, 5, 17, 1, 3, 1),
    /* pixels of a row around the tiles of 4 and 8, channels around blocks of 16, 32, 64 */
    SQUARE(1, 8, 5, 31, 3, 1),
    SQUARE(2, 9, 3, 32, 3, 1),
    SQUARE(1, 15, 7, 33, 3, 1),
    SQUARE(1, 16, 4, 47, 1, 1),
    SQUARE(2, 17, 1, 49, 3, 1),
    SQUARE(1, 4, 2, 63, 3, 1),
    SQUARE(1, 12, 1, 64, 3, 1),
    SQUARE(3, 3, 3, 65, 1, 1),
    /* products around 256 and 512, which is where parts of 16-bit sums end (510) */
    SQUARE(2, 3, 255, 3, 1, 1),
    SQUARE(2, 3, 256, 17, 1, 1),
    SQUARE(1, 3, 257, 5, 1, 1),
    SQUARE(2, 2, 57, 16, 3, 1),
    SQUARE(2, 2, 171, 4, 3, 1),
    SQUARE(1, 2, 511, 2, 1, 1),
    SQUARE(1, 2, 510, 2, 1, 1),
    SQUARE(2, 2, 512, 2, 2, 1),
    SQUARE(1, 1, 513, 1, 1, 1),
    /* rows around 128 pixels, and images that do not fit a strip */
    SQUARE(2, 127, 2, 3, 1, 1),
    SQUARE(2, 128, 3, 2, 3, 1),
    SQUARE(2, 129, 1, 2, 3, 1),
    SQUARE(3, 131, 2, 1, 1, 1),
    SQUARE(67, 33, 24, 2, 3, 1),
    SQUARE(70, 37, 20, 20, 3, 20),
    {5, 131, 3, 4, {1, 1}, 1, {2, 1}, {1, 1}, {0, 0, 0, 0}, true, WAIO_NONE},
    /* depthwise around vectors of 16, 32 and 64 channels or numbers; groups of odd sizes */
    SQUARE(5, 6, 2, 2, 3, 2),
    SQUARE(5, 7, 3, 3, 3, 3),
    SQUARE(4, 5, 8, 8, 3, 8),
    SQUARE(4, 5, 15, 15, 3, 15),
    SQUARE(4, 9, 24, 24, 3, 24),
    SQUARE(4, 5, 31, 31, 2, 31),
    SQUARE(3, 5, 48, 48, 3, 48),
    SQUARE(3, 4, 63, 63, 3, 63),
    SQUARE(3, 4, 64, 64, 3, 64),
    SQUARE(3, 4, 65, 65, 3, 65),
    SQUARE(3, 3, 128, 128, 3, 128),
    SQUARE(3, 3, 130, 130, 5, 130),
    SQUARE(5, 5, 10, 15, 3, 5),
    SQUARE(3, 4, 34, 68, 3, 2),
    SQUARE(5, 4, 6, 12, 1, 6),
    {9, 11, 8, 8, {3, 3}, 8, {2, 2}, {1, 1}, {0, 0, 1, 1}, true, WAIO_RELU},
    {9, 10, 24, 24, {3, 3}, 24, {1, 2}, {2, 1}, {2, 1, 2, 0}, true, WAIO_RELU6},
    {11, 12, 64, 64, {3, 3}, 64, {3, 3}, {1, 2}, {1, 2, 1, 1}, true, WAIO_NONE},
    {7, 9, 3, 3, {5, 4}, 3, {2, 3}, {1, 3}, {2, 5, 1, 4}, false, WAIO_NONE},
};

static waio_status build_conv2d(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const conv_row *r = &conv2d[index];
    waio_node node = {.op = op, .input_count = r->bias ? 3 : 2, .clamp = r->clamp};
    int64_t depth = r->ic / r->groups, summands = depth * r->kernel[0] * r->kernel[1];
    int id = -1;

    node.conv = (waio_conv_params){.groups = r->groups};
    for (int i = 0; i < 2; i++) {
        node.conv.stride[i] = r->stride[i];
        node.conv.dilation[i] = r->dilation[i];
        node.conv.pad[i] = r->pad[i];
        node.conv.pad[i + 2] = r->pad[i + 2];
    }
    WAIO_TRY(st, waio_case_x(c, &node.input[0], WAIO_SHAPE(1, r->h, r->w, r->ic)));
    WAIO_TRY(st, waio_case_const(c, &node.input[1],
                                 WAIO_SHAPE(r->oc, r->kernel[0], r->kernel[1], depth),
                                 sqrtf(3 / (float)summands)));
    if (r->bias)
        WAIO_TRY(st, waio_case_const(c, &node.input[2], WAIO_SHAPE(r->oc), 1));
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(conv2d, conv2d, build_conv2d);

typedef struct dense_row {
    waio_shape x;
    int outputs;
    bool bias;
    waio_clamp clamp;
} dense_row;

static const dense_row dense[] = {
    {{2, {1, 1}}, 1, true, WAIO_NONE},       {{2, {1, 17}}, 33, true, WAIO_RELU},
    {{2, {1, 512}}, 10, true, WAIO_NONE},    {{2, {1, 7}}, 1001, false, WAIO_NONE},
    {{2, {1, 33}}, 16, true, WAIO_RELU6},    {{2, {1, 1024}}, 3, true, WAIO_UNIT_CLIP},
    {{2, {1, 1280}}, 1000, true, WAIO_NONE}, {{2, {1, 2048}}, 37, true, WAIO_NONE},
    {{3, {1, 5, 16}}, 7, true, WAIO_RELU},   {{4, {1, 3, 2, 7}}, 17, false, WAIO_NONE},
    {{2, {1, 255}}, 15, true, WAIO_NONE},    {{2, {1, 256}}, 16, true, WAIO_NONE},
    {{2, {1, 257}}, 17, true, WAIO_NONE},    {{2, {1, 509}}, 31, true, WAIO_NONE},
    {{2, {1, 510}}, 32, true, WAIO_NONE},    {{2, {1, 511}}, 33, true, WAIO_NONE},
    {{2, {1, 1021}}, 5, true, WAIO_NONE},    {{2, {1, 3}}, 63, true, WAIO_NONE},
};

static waio_status build_dense(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const dense_row *r = &dense[index];
    waio_node node = {.op = op, .input_count = r->bias ? 3 : 2, .clamp = r->clamp};
    int64_t inputs = r->x.dim[r->x.rank - 1];
    int id = -1;

    WAIO_TRY(st, waio_case_x(c, &node.input[0], r->x));
    WAIO_TRY(st, waio_case_const(c, &node.input[1], WAIO_SHAPE(r->outputs, inputs),
                                 sqrtf(3 / (float)inputs)));
    if (r->bias)
        WAIO_TRY(st, waio_case_const(c, &node.input[2], WAIO_SHAPE(r->outputs), 1));
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(dense, dense, build_dense);
