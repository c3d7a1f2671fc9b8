/* Convolutions of 8-bit codes: windows, strides, dilations, pads, zero points in the padding,
 * channels of every number, groups, depthwise. */
#include "cuda/layer.h"

/* Rows and columns of the output follow from the image and as much padding behind as in front. */
static int out_size(int in, int kernel, int stride, int dilation, int pad)
{
    return (in + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
}

typedef struct window {
    int k[2], stride[2], dilation[2], pad[2];
} window;

static layer_case conv_case(int images, int h, int w, int ic, int oc, window v)
{
    waio_conv_shape s = {.images = images,
                         .ih = h,
                         .iw = w,
                         .ic = ic,
                         .oc = oc,
                         .kh = v.k[0],
                         .kw = v.k[1],
                         .groups = 1};

    for (int i = 0; i < 2; i++) {
        s.stride[i] = v.stride[i];
        s.dilation[i] = v.dilation[i];
        s.pad[i] = v.pad[i];
    }
    s.oh = out_size(h, v.k[0], v.stride[0], v.dilation[0], v.pad[0]);
    s.ow = out_size(w, v.k[1], v.stride[1], v.dilation[1], v.pad[1]);
    return (layer_case){.shape = s, .bias_bits = 32};
}

static const window windows[] = {
    {{3, 3}, {1, 1}, {1, 1}, {1, 1}}, {{3, 3}, {2, 2}, {1, 1}, {1, 1}},
    {{1, 1}, {2, 2}, {1, 1}, {0, 0}}, {{1, 1}, {1, 1}, {1, 1}, {1, 1}},
    {{3, 3}, {1, 1}, {2, 2}, {2, 2}}, {{5, 3}, {1, 2}, {1, 3}, {2, 1}},
    {{1, 7}, {3, 1}, {1, 1}, {0, 3}}, {{2, 2}, {2, 2}, {1, 1}, {0, 0}},
    {{4, 4}, {1, 1}, {1, 1}, {2, 2}}, {{3, 3}, {1, 1}, {3, 1}, {0, 0}},
};
enum { WINDOWS = sizeof windows / sizeof *windows };

static void vary(layer_case *k, unsigned number)
{
    static const int32_t zeros[] = {0, -128, 127, 5, -13, 100};

    k->output = number % 7 < 5    ? WAIO_CUDA_CODES
                : number % 7 == 5 ? WAIO_CUDA_FLOAT
                                  : WAIO_CUDA_SUMS;
    k->rounding = (waio_requant)(number % 4);
    k->x_zero = zeros[number % 6];
    k->y_zero = zeros[number / 3 % 6];
    k->relu = number % 5 == 0;
    k->x_extra = (int)(number / 4 % 2);
    k->y_extra = (int)(number % 8 == 1 ? 3 : number % 8 == 2 ? 8 - k->shape.oc % 8 : 0);
    k->extreme = number % 6 == 5;
    k->bias_bits = number % 9 == 4 ? 0 : 32;
}

static void test_windows(uint32_t *seed)
{
    unsigned number = 0;

    for (int w = 0; w < WINDOWS; w++)
        for (int i = 0; i < 3; i++) {
            static const int channels[] = {16, 3, 40};
            layer_case k = conv_case(1 + i % 2, 9 + i, 8, channels[i], 12 + 9 * i, windows[w]);
            vary(&k, number++);
            k.tile = (waio_cuda_tile)(number % 3);
            layer_test(&k, seed);
        }
}

static void test_channels(uint32_t *seed)
{
    for (int c = 1; c <= 17; c++) {
        layer_case k = conv_case(1, 5, 6, c, 18 - c, windows[c % WINDOWS == 9 ? 0 : c % WINDOWS]);
        vary(&k, (unsigned)c);
        layer_test(&k, seed);
    }
}

/* More rows and columns than a tile, one to each side of it. */
static void test_tiles(uint32_t *seed)
{
    static const int size[][3] = {{8, 8, 64},   {5, 13, 63},  {3, 43, 129},
                                  {8, 16, 128}, {16, 16, 65}, {1, 257, 127}};

    for (unsigned i = 0; i < sizeof size / sizeof *size; i++)
        for (unsigned tile = 1; tile <= 3; tile++) {
            layer_case k = conv_case(1, size[i][0], size[i][1], 20, size[i][2], windows[i % 2 * 4]);
            vary(&k, i + 3 * tile);
            k.tile = (waio_cuda_tile)tile;
            layer_test(&k, seed);
        }
}

static void test_groups(uint32_t *seed)
{
    static const int groups[][3] = {/* ic, oc, groups */
                                    {32, 16, 2}, {12, 12, 3}, {20, 30, 5}, {6, 12, 6},
                                    {48, 9, 3},  {10, 4, 2},  {40, 80, 4}, {33, 33, 11}};

    for (unsigned i = 0; i < sizeof groups / sizeof *groups; i++) {
        layer_case k = conv_case(1, 6, 5, groups[i][0], groups[i][1], windows[i % 4]);
        vary(&k, i);
        k.shape.groups = groups[i][2];
        layer_test(&k, seed);
    }
}

static void test_depthwise(uint32_t *seed)
{
    for (int c = 2; c <= 37; c += c < 18 ? 1 : 6) {
        layer_case k = conv_case(1 + c % 2, 7, 6, c, c, windows[c % WINDOWS]);
        vary(&k, (unsigned)c);
        k.shape.groups = c;
        layer_test(&k, seed);
    }
    for (int w = 0; w < WINDOWS; w++) {
        layer_case k = conv_case(1, 8, 19, 20, 20, windows[w]);
        vary(&k, (unsigned)(3 * w + 1));
        k.shape.groups = 20;
        layer_test(&k, seed);
    }
}

static void test_overflow(uint32_t *seed)
{
    for (int i = 0; i < 4; i++) {
        layer_case k = conv_case(1, 4, 5, 8, 8, windows[0]);
        k.bias_most = i < 2 ? INT32_MAX - 10 : INT32_MAX - 3000000;
        k.rounding = (waio_requant)(1 + i % 3);
        k.x_zero = i % 2 ? -128 : 127;
        k.shape.groups = i == 1 || i == 2 ? 8 : 1;
        layer_test(&k, seed);
    }
}

/* A whole image of padding, and a window that never meets the image. */
static void test_far(uint32_t *seed)
{
    window far = {{2, 2}, {9, 9}, {1, 1}, {9, 9}};

    for (int groups = 1; groups <= 4; groups += 3) {
        layer_case k = conv_case(1, 3, 3, 4, 4, far);
        k.x_zero = 100;
        k.shape.groups = groups;
        layer_test(&k, seed);
    }
}

/* Stride 2 over few channels, by blocks of 2x2 pixels: odd images, pads of both kinds. */
static void test_stems(uint32_t *seed)
{
    static const int stems[][3] = {{7, 3, 3}, {3, 1, 3}, {3, 0, 4}, {4, 1, 1},
                                   {5, 2, 2}, {2, 0, 3}, {1, 0, 4}, {6, 5, 3}};

    for (unsigned i = 0; i < sizeof stems / sizeof *stems; i++) {
        int kernel = stems[i][0], pad = stems[i][1];
        window v = {{kernel, kernel}, {2, 2}, {1, 1}, {pad, pad}};
        layer_case k = conv_case(2, 9 + (int)i % 2, 12 - (int)i % 3, stems[i][2], 10, v);
        vary(&k, i);
        k.stem = true;
        layer_test(&k, seed);
        if (k.shape.ic > 2)
            continue;
        k.types = i % 2 ? WAIO_PACK_S16_S8 : WAIO_PACK_S16_S16;
        k.x_zero = k.y_zero = 0;
        k.bias_bits = 64;
        k.output = WAIO_CUDA_CODES;
        layer_test(&k, seed);
    }
}

int main(void)
{
    uint32_t seed = 777;

    device_begin();
    for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_windows(&seed);
        test_channels(&seed);
        test_tiles(&seed);
        test_groups(&seed);
        test_depthwise(&seed);
        test_overflow(&seed);
        test_far(&seed);
        test_stems(&seed);
    }
    return device_end();
}
