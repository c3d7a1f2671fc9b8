/* Matrix products and convolutions of 16-bit activations with weights of 8 and 16 bits: exact at
 * the ends of all codes, sums of 32 and 64 bits, more products than one part of a sum holds. */
#include "cuda/layer.h"

static const waio_pack_types types[] = {WAIO_PACK_S16_S8, WAIO_PACK_S16_S16};

static layer_case matrix_case(int m, int n, int k, int type)
{
    return (layer_case){
        .shape = waio_conv_of_gemm(m, n, k), .dense = true, .types = types[type], .bias_bits = 64};
}

/* Outputs, roundings, biases, pitches by the digits of `number`. */
static void vary(layer_case *k, unsigned number)
{
    k->output = number % 5 == 3 ? WAIO_CUDA_SUMS : WAIO_CUDA_CODES;
    k->rounding = (waio_requant)(number / 2 % 4);
    k->bias_bits = number % 3 == 1 ? 0 : number % 3 == 2 && k->types == WAIO_PACK_S16_S8 ? 32 : 64;
    k->relu = number % 7 == 0;
    k->x_extra = (int)(number / 4 % 2);
    k->y_extra = (int)(number % 8 == 1 ? 3 : number % 8 == 2 ? 8 - k->shape.oc % 8 : 0);
    k->extreme = number % 4 == 3;
}

static void test_sizes(uint32_t *seed)
{
    static const int sizes[][3] = {{1, 1, 1},     {63, 65, 31},  {64, 64, 32},  {65, 63, 33},
                                   {37, 70, 200}, {66, 17, 7},   {3, 9, 8},     {5, 8, 9},
                                   {2, 33, 15},   {17, 10, 16},  {4, 5, 17},    {64, 32, 63},
                                   {16, 16, 64},  {33, 40, 65},  {8, 12, 96},   {9, 31, 129},
                                   {1, 10, 500},  {128, 64, 24}, {129, 1, 127}, {20, 130, 41}};
    unsigned number = 0;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int type = 0; type < 2; type++) {
            layer_case k = matrix_case(sizes[i][0], sizes[i][1], sizes[i][2], type);
            vary(&k, number++);
            layer_test(&k, seed);
        }
}

static void test_rules(uint32_t *seed)
{
    for (int type = 0; type < 2; type++)
        for (int rounding = 0; rounding < 4; rounding++)
            for (int bits = 0; bits <= 64; bits += 32) {
                layer_case k = matrix_case(11, 20, 40, type);
                if (type == 1 && bits == 32)
                    continue; /* 16-bit weights have sums of 64 bits */
                k.bias_bits = bits;
                k.rounding = (waio_requant)rounding;
                k.extreme = rounding % 2;
                layer_test(&k, seed);
                k.dense = false; /* a convolution: another rule of TFLITE */
                layer_test(&k, seed);
            }
}

/* Sums beyond 32 bits, and beyond the 2^47 of 64-bit ones. */
static void test_overflow(uint32_t *seed)
{
    for (int i = 0; i < 8; i++) {
        layer_case k = matrix_case(5, 12, 64, i / 2 % 2);
        k.bias_bits = i < 2 ? 32 : 64;
        k.bias_most = i < 2   ? INT32_MAX - 5000 * (i % 2)
                      : i < 4 ? (INT64_C(1) << 47) - 1000
                              : INT64_C(1) << 46;
        k.rounding = (waio_requant)(1 + i % 3);
        layer_test(&k, seed);
    }
}

/* Long sums: parts of 32,768 products, at their edge and beyond, all of the largest size. */
static void test_deep(uint32_t *seed)
{
    static const struct {
        int depth, type;
        waio_cuda_output output;
    } deep[] = {
        {32776, 1, WAIO_CUDA_SUMS},
#ifndef WAIO_TEST_CHECKED /* ten times as slow */
        {32768, 0, WAIO_CUDA_CODES},
        {65544, 0, WAIO_CUDA_CODES},
#endif
    };

    for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
        layer_case k = matrix_case(2, 9, deep[i].depth, deep[i].type);
        k.extreme = true;
        k.output = deep[i].output;
        layer_test(&k, seed);
    }
}

static int out_size(int in, int kernel, int stride, int dilation, int pad)
{
    return (in + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
}

/* ic, oc, groups, window, stride, dilation, pad */
static const int convolutions[][7] = {
    {8, 12, 1, 3, 1, 1, 1},  {3, 10, 1, 3, 2, 1, 1},   {1, 5, 1, 5, 1, 1, 2},
    {20, 7, 1, 3, 1, 2, 2},  {9, 70, 1, 1, 2, 1, 0},   {12, 12, 3, 3, 1, 1, 1},
    {40, 9, 1, 2, 2, 1, 0},  {17, 3, 1, 3, 1, 1, 0},   {6, 9, 3, 3, 2, 1, 1},
    {15, 15, 1, 1, 1, 1, 1}, {5, 5, 5, 3, 1, 1, 1},    {16, 16, 16, 3, 2, 1, 1},
    {7, 7, 7, 5, 1, 1, 2},   {24, 24, 24, 3, 1, 2, 0},
};

static void test_convolutions(uint32_t *seed)
{
    for (unsigned i = 0; i < sizeof convolutions / sizeof *convolutions; i++)
        for (int type = 0; type < 2; type++) {
            const int *c = convolutions[i];
            waio_conv_shape s = {.images = 1 + (int)i % 2,
                                 .ih = 9,
                                 .iw = 8,
                                 .ic = c[0],
                                 .oc = c[1],
                                 .groups = c[2],
                                 .kh = c[3],
                                 .kw = c[3],
                                 .stride = {c[4], c[4]},
                                 .dilation = {c[5], c[5]},
                                 .pad = {c[6], c[6]}};
            s.oh = out_size(s.ih, s.kh, c[4], c[5], c[6]);
            s.ow = out_size(s.iw, s.kw, c[4], c[5], c[6]);
            layer_case k = {.shape = s, .types = types[type]};
            vary(&k, 2 * i + (unsigned)type);
            layer_test(&k, seed);
        }
}

int main(void)
{
    uint32_t seed = 4321;

    device_begin();
    for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_sizes(&seed);
        test_rules(&seed);
        test_overflow(&seed);
        test_convolutions(&seed);
    }
    test_deep(&seed);
    return device_end();
}
