/* How many transactions the layers' memory accesses take, over the fewest possible: 1.00 for both
 * operands from global memory, for both writes to shared memory and the reads from it, for the
 * codes that are stored. Seen by the checked kernels alone. */
#include "cuda/layer.h"

#ifdef WAIO_TEST_CHECKED

/* Constants are read 32 bytes a thread in two accesses; they are few beside the operands. */
static const double CONSTANTS = 0.06;

static double ratio(emulator_space space, int write, unsigned bytes)
{
    return emulator_traffic_ratio((emulator_traffic){space, write, bytes, space});
}

/* Counts one run of a case that fills whole tiles. */
static void count(const layer_case *k, uint32_t *seed)
{
    emulator_check(1);
    layer_test(k, seed);
}

static void test_operands(const layer_case *k, const char *what, uint32_t *seed)
{
    count(k, seed);
    double read = ratio(EMULATOR_GLOBAL, 0, 16), to = ratio(EMULATOR_SHARED, 1, 16),
           from = ratio(EMULATOR_SHARED, 0, 16);
    CHECK(read >= 1 && read <= 1 + CONSTANTS, "%s: operands %.3f", what, read);
    CHECK(to == 1, "%s: into shared memory %.3f", what, to);
    CHECK(from == 1, "%s: ldmatrix %.3f", what, from);
}

static void test_store(unsigned bytes, const char *what)
{
    double written = ratio(EMULATOR_GLOBAL, 1, bytes);
    CHECK(written == 1, "%s: stores %.3f", what, written);
}

static void test_products(uint32_t *seed)
{
    static const char *const name[] = {"", "64x64", "128x128", "256x128"};

    for (int tile = 1; tile <= 3; tile++) {
        layer_case k = {.shape = waio_conv_of_gemm(256, 128, 512),
                        .dense = true,
                        .rounding = WAIO_REQUANT_DOUBLE,
                        .bias_bits = 32,
                        .tile = (waio_cuda_tile)tile};
        test_operands(&k, name[tile], seed);
        test_store(8, name[tile]);
    }
}

static void test_convolution(uint32_t *seed)
{
    layer_case k = {.shape = {1, 10, 18, 64, 8, 16, 64, 3, 3, {1, 1}, {1, 1}, {0, 0}, 1},
                    .rounding = WAIO_REQUANT_DOUBLE,
                    .bias_bits = 32,
                    .tile = WAIO_CUDA_TILE_128X128};

    test_operands(&k, "conv2d", seed);
    test_store(8, "conv2d");
}

static void test_16(uint32_t *seed)
{
    for (int type = 0; type < 2; type++) {
        layer_case k = {.shape = waio_conv_of_gemm(64, 64, 512),
                        .dense = true,
                        .types = type ? WAIO_PACK_S16_S16 : WAIO_PACK_S16_S8,
                        .output = WAIO_CUDA_CODES,
                        .bias_bits = 64};
        test_operands(&k, type ? "16x16" : "16x8", seed);
        test_store(16, type ? "16x16" : "16x8");
    }
}

/* Neighbours read neighbouring words: 32 channels are a whole sector. */
static void test_depthwise(uint32_t *seed)
{
    layer_case k = {.shape = {1, 6, 10, 32, 4, 8, 32, 3, 3, {1, 1}, {1, 1}, {0, 0}, 32},
                    .rounding = WAIO_REQUANT_DOUBLE,
                    .bias_bits = 32};

    count(&k, seed);
    double read = ratio(EMULATOR_GLOBAL, 0, 4);
    CHECK(read == 1, "depthwise: words %.3f", read);
    test_store(4, "depthwise");
}

int main(void)
{
    uint32_t seed = 99;

    device_begin();
    device_use_schedule(0);
    test_products(&seed);
    test_convolution(&seed);
    test_16(&seed);
    test_depthwise(&seed);
    return device_end();
}

#else

int main(void)
{
    fprintf(stderr, "skipped: the checked kernels are counted\n");
    return 77;
}

#endif
