/* Matrix products of 8-bit codes: every tile around its edges, all outputs and roundings, mixed
 * signs, zero points and codes at their ends, sums that overflow. */
#include "cuda/layer.h"

enum { ROUNDINGS = 4 };

static layer_case matrix_case(int m, int n, int k)
{
    return (layer_case){.shape = waio_conv_of_gemm(m, n, k), .dense = true, .bias_bits = 32};
}

/* Outputs, roundings, zero points, pitches and bounds by the digits of `number`. */
static void vary(layer_case *k, unsigned number)
{
    static const int32_t zeros[] = {0, -128, 127, 5, -13};

    k->output = number % 5 < 3    ? WAIO_CUDA_CODES
                : number % 5 == 3 ? WAIO_CUDA_FLOAT
                                  : WAIO_CUDA_SUMS;
    k->rounding = (waio_requant)(number % ROUNDINGS);
    k->x_zero = zeros[number / 2 % 5];
    k->y_zero = zeros[number / 3 % 5];
    k->relu = number % 7 == 0;
    k->fake_quantized = number % 2;
    k->x_extra = (int)(number / 4 % 2);
    k->y_extra = (int)(number % 8 == 1 ? 3 : number % 8 == 2 ? 8 - k->shape.oc % 8 : 0);
    k->extreme = number % 6 == 5;
    k->bias_bits = number % 9 == 4 ? 0 : 32;
}

static void test_edges(uint32_t *seed)
{
    static const int edge[3][2] = {{64, 64}, {128, 128}, {256, 128}};
    static const int depths[] = {1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 192, 193, 257};
    unsigned number = 0;

    for (int tile = 0; tile < 3; tile++)
        for (int dm = -1; dm <= 1; dm++)
            for (int dn = -1; dn <= 1; dn++) {
                layer_case k =
                    matrix_case(edge[tile][0] + dm, edge[tile][1] + dn, depths[number % 13]);
                vary(&k, number++);
                k.tile = (waio_cuda_tile)(tile + 1);
                layer_test(&k, seed);
            }
    for (int d = 0; d < 13; d++) {
        layer_case k = matrix_case(9, 8 * d % 40 + 3, depths[d]);
        vary(&k, number++);
        layer_test(&k, seed);
    }
}

static void test_sizes(uint32_t *seed)
{
    static const int sizes[][3] = {{1, 1, 1},    {129, 65, 77}, {37, 131, 200}, {130, 257, 15},
                                   {65, 40, 64}, {1, 10, 500},  {2, 7, 33},     {33, 33, 1},
                                   {64, 8, 96},  {8, 64, 48},   {17, 9, 130},   {3, 72, 31}};
    unsigned number = 0;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int tile = 0; tile <= 3; tile++) {
            layer_case k = matrix_case(sizes[i][0], sizes[i][1], sizes[i][2]);
            vary(&k, number++);
            k.tile = (waio_cuda_tile)tile;
            layer_test(&k, seed);
        }
}

/* Every rounding and output with the same numbers; unsigned operands too. */
static void test_rules(uint32_t *seed)
{
    static const waio_pack_types types[] = {WAIO_PACK_S8_S8, WAIO_PACK_S8_U8, WAIO_PACK_U8_S8,
                                            WAIO_PACK_U8_U8};

    for (int t = 0; t < 4; t++)
        for (int rounding = 0; rounding < ROUNDINGS + 2; rounding++) {
            layer_case k = matrix_case(21, 35, 50);
            k.types = types[t];
            k.rounding = (waio_requant)(rounding % ROUNDINGS);
            k.output = rounding < ROUNDINGS    ? WAIO_CUDA_CODES
                       : rounding == ROUNDINGS ? WAIO_CUDA_FLOAT
                                               : WAIO_CUDA_SUMS;
            k.x_zero = t >= 2 ? 131 : -7;
            k.y_zero = 3;
            k.extreme = rounding % 2;
            layer_test(&k, seed);
        }
}

/* Biases so large that some sums leave 32 bits: found, as on the reference, and only then. */
static void test_overflow(uint32_t *seed)
{
    for (int i = 0; i < 6; i++) {
        layer_case k = matrix_case(5, 12, 64);
        k.bias_most = i < 3 ? INT32_MAX - 10 : INT32_MAX - 5000000;
        k.rounding = (waio_requant)(1 + i % 3);
        k.x_zero = i % 2 ? -128 : 127;
        layer_test(&k, seed);
    }
}

/* The most products that 32 bits surely hold, all of the largest size. */
static void test_deep(uint32_t *seed)
{
#ifdef WAIO_TEST_CHECKED
    layer_case k = matrix_case(1, 2, 13107); /* it takes ten times as long */
#else
    layer_case k = matrix_case(1, 2, 131071);
#endif

    k.output = WAIO_CUDA_SUMS;
    k.extreme = true;
    k.bias_bits = 0;
    layer_test(&k, seed);
}

static void test_refusals(uint32_t *seed)
{
    layer_case k = matrix_case(4, 4, 16);
    layer l = layer_make(&k, seed);
    waio_pack pack;

    layer_set_run(&l);
    void *packed = layer_upload_pack(&l), *x = layer_upload_x(&l), *y = device_new(64, 0);
    waio_cuda_layer good = l.run;
    good.packed = packed;
    good.x = x;
    good.y = y;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        waio_cuda_layer bad = good;                                                                \
        change;                                                                                    \
        CHECK(waio_cuda_gemm_qs8(&bad, NULL) == cudaErrorInvalidValue, #change);                   \
    } while (0)
    REFUSED(bad.x = (char *)x + 8);
    REFUSED(bad.x_pitch = 15);
    REFUSED(bad.x_pitch = 17);
    REFUSED(bad.y_pitch = 3);
    REFUSED(bad.y = NULL);
    REFUSED(bad.packed = (char *)packed + 16);
    REFUSED(bad.pack.flat = false);
    REFUSED(bad.pack.types = WAIO_PACK_S16_S8);
    REFUSED(bad.pack.may_overflow = true); /* without a word for flags */
#undef REFUSED
    good.pack.may_overflow = true;
    good.pack.shape.ic = 131072;
    good.x_pitch = 131072;
    good.flags = y;
    CHECK(waio_cuda_gemm_qs8(&good, NULL) == cudaErrorNotSupported, "overflow unseen");
    k.shape.groups = 3;
    CHECK(!waio_pack_layout(&pack, &k.shape, k.types), "groups do not divide");
    k.shape.groups = 1;
    k.shape.ow = 0;
    CHECK(!waio_pack_layout(&pack, &k.shape, k.types), "no rows");
    device_free(packed, 0);
    device_free(x, 0);
    device_free(y, 0);
    layer_free(&l);
}

static void test_choice(void)
{
    waio_cuda_device big = {68, 860}, old = {68, 750};

    CHECK(waio_cuda_choose_tile(1024, 512, 1, big) == WAIO_CUDA_TILE_64X64, "few tiles");
    CHECK(waio_cuda_choose_tile(65536, 64, 1, big) == WAIO_CUDA_TILE_64X64, "64 columns");
    CHECK(waio_cuda_choose_tile(65536, 512, 1, big) == WAIO_CUDA_TILE_256X128, "many");
    CHECK(waio_cuda_choose_tile(65536, 512, 1, old) == WAIO_CUDA_TILE_128X128, "sm_75");
    CHECK(waio_cuda_choose_tile(1, 1, 1, (waio_cuda_device){0, 0}) == WAIO_CUDA_TILE_64X64,
          "no device");
}

int main(void)
{
    uint32_t seed = 12345;

    device_begin();
    for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_edges(&seed);
        test_sizes(&seed);
        test_rules(&seed);
        test_overflow(&seed);
    }
    test_deep(&seed);
    test_refusals(&seed);
    test_choice();
    return device_end();
}
