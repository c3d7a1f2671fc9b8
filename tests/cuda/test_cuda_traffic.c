/* Memory transactions of the layers' kernels at typical shapes: what the hot loads and stores take,
 * over the fewest possible. Only the build with the memory checker's hooks can count. */
#include "cuda/device.h"

#include "kernels/kernels.h"

static const waio_cuda_finish keep = {-INFINITY, INFINITY, WAIO_CUDA_KEEP, {1, 0, 0}, 0};
static const waio_cuda_params code = {1, 0.1f, 3, -128, 127, false};

enum { PIXELS = 8 * 8, CHANNELS = 64, COUNT = 2 * PIXELS * CHANNELS };

static float *x, *y; /* COUNT numbers each, or more codes */

/* Counts one launch: accesses of `bytes` bytes in global memory. */
static void begin(void)
{
#ifdef WAIO_TEST_CHECKED
    emulator_check(1);
#endif
}

static void expect(const char *what, unsigned read_bytes, unsigned write_bytes, double most)
{
    CHECK_CUDA(cudaDeviceSynchronize());
#ifdef WAIO_TEST_CHECKED
    double reads = emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 0, read_bytes, 0});
    double writes = emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 1, write_bytes, 0});
    CHECK(reads > 0 && reads <= most, "%s: reads of %u bytes: %.3f", what, read_bytes, reads);
    CHECK(writes > 0 && writes <= most, "%s: writes of %u bytes: %.3f", what, write_bytes, writes);
    for (int kind = 0; kind < EMULATOR_REPORTS; kind++)
        CHECK(emulator_report_count((emulator_report)kind) == 0, "%s: %s", what,
              emulator_first_report());
#else
    (void)what;
    (void)read_bytes;
    (void)write_bytes;
    (void)most;
#endif
}

/* No two lanes of a phase ask one bank for different words. */
static void expect_shared(const char *what, unsigned bytes)
{
#ifdef WAIO_TEST_CHECKED
    for (int write = 0; write < 2; write++) {
        double ratio = emulator_traffic_ratio((emulator_traffic){EMULATOR_SHARED, write, bytes, 0});
        CHECK(ratio <= 1, "%s: shared memory by %u bytes: %.3f", what, bytes, ratio);
    }
#else
    (void)what;
    (void)bytes;
#endif
}

static void test_unary_and_binary(void)
{
    waio_cuda_binary same = {WAIO_CUDA_ADD, {1, {COUNT}}, {1, {COUNT}}};
    waio_cuda_binary channel = {WAIO_CUDA_MUL, {2, {COUNT / CHANNELS, CHANNELS}}, {1, {CHANNELS}}};
    waio_cuda_params params[3] = {code, code, code};

    begin();
    CHECK_CUDA(waio_cuda_clip_f32(y, x, COUNT, &keep, NULL));
    expect("clip", 16, 16, 1);
    begin();
    CHECK_CUDA(waio_cuda_requantize_q(y, x, COUNT, &code, &code, WAIO_REQUANT_DOUBLE, NULL));
    expect("requantize", 4, 4, 1);
    begin();
    CHECK_CUDA(waio_cuda_binary_f32(y, x, x, &same, &keep, NULL));
    expect("add", 16, 16, 1);
    begin();
    CHECK_CUDA(waio_cuda_binary_q(y, x, x, &same, params, WAIO_REQUANT_DOUBLE, NULL));
    expect("add of codes", 4, 4, 1);
    begin();
    CHECK_CUDA(waio_cuda_binary_q(y, x, x, &channel, params, WAIO_REQUANT_DOUBLE, NULL));
    expect("mul by channel", 4, 4, 1);
}

static void test_windows(void)
{
    waio_cuda_pool pool = {.batch = 2,
                           .height = 8,
                           .width = 8,
                           .channels = CHANNELS,
                           .out = {4, 4},
                           .kernel = {3, 3},
                           .stride = {2, 2},
                           .pad = {0, 0, 1, 1}};
    waio_cuda_resize resize = {2, 4, 4, CHANNELS, {8, 8}, true, true, false};

    begin();
    CHECK_CUDA(waio_cuda_pool_q(y, x, &pool, &code, NULL));
    expect("max pool of codes", 4, 4, 1);
    pool.average = true;
    begin();
    CHECK_CUDA(waio_cuda_pool_f32(y, x, &pool, &keep, NULL));
    expect("average pool", 16, 16, 1);
    begin();
    CHECK_CUDA(waio_cuda_resize_q(y, x, &resize, &code, WAIO_REQUANT_DOUBLE, NULL));
    expect("resize of codes", 4, 4, 1);
}

static void test_reductions(void)
{
    waio_cuda_reduce pixels = {.mean = true, .in = {3, {2, PIXELS, CHANNELS}}, .axes = 2};
    waio_cuda_reduce channels = {.in = {2, {2 * PIXELS, CHANNELS}}, .axes = 2};
    waio_cuda_params params[2] = {code, code};

    begin();
    CHECK_CUDA(waio_cuda_reduce_f32(y, x, &pixels, &keep, NULL));
    expect("mean over pixels", 4, 4, 1);
    begin();
    CHECK_CUDA(waio_cuda_reduce_q(y, x, &pixels, params, WAIO_REQUANT_DOUBLE, NULL, NULL));
    expect("mean of codes over pixels", 1, 1, 1);
    expect_shared("mean of codes over pixels", 8);
    begin();
    CHECK_CUDA(waio_cuda_reduce_f32(y, x, &channels, &keep, NULL));
    expect("sum over channels", 4, 4, 1);
    begin();
    CHECK_CUDA(waio_cuda_reduce_q(y, x, &channels, params, WAIO_REQUANT_DOUBLE, NULL, NULL));
    expect("sum of codes over channels", 1, 1, 1);
    expect_shared("sum of codes over channels", 8);
    begin();
    CHECK_CUDA(waio_cuda_softmax_f32(y, x, 2 * PIXELS, CHANNELS, &keep, NULL));
    expect("softmax", 4, 4, 1);
}

static void test_moves(void)
{
    const float *src[2] = {x, x};
    waio_cuda_shape in[2] = {{2, {PIXELS, CHANNELS / 2}}, {2, {PIXELS, CHANNELS}}};
    waio_cuda_concat concat = {{2, {PIXELS, CHANNELS + CHANNELS / 2}}, 1, 2, in};
    waio_cuda_pad pad = {.in = {3, {8, 8, CHANNELS}}, .before = {1, 1}, .after = {1, 1}};
    waio_cuda_transpose transpose = {{3, {8, 8, CHANNELS}}, {1, 0, 2}};

    begin();
    CHECK_CUDA(waio_cuda_concat_f32(y, src, &concat, &keep, NULL));
    expect("concat", 16, 16, 1);
    begin();
    CHECK_CUDA(waio_cuda_pad_q(y, x, &pad, &code, NULL));
    expect("pad of codes", 4, 4, 1);
    begin();
    CHECK_CUDA(waio_cuda_transpose_f32(y, x, &transpose, &keep, NULL));
    expect("transpose of pixels", 16, 16, 1);
}

int main(void)
{
    float *zeros = calloc(2 * COUNT, sizeof *zeros);

    device_begin();
    x = device_copy(zeros, 2 * COUNT * sizeof *x, 0);
    y = device_new(2 * COUNT * sizeof *y, 0);
    free(zeros);
    test_unary_and_binary();
    test_windows();
    test_reductions();
    test_moves();
    device_free(x, 0);
    device_free(y, 0);
    return waio_check_result();
}
