/* Fake-quantize, quantize and dequantize on the GPU's code: equal to qmath.h bit for bit, at sizes
 * around every edge, aligned or not, with ties, infinities, NaN, subnormals. */
#include "cuda/device.h"

#include "kernels/kernels.h"

static const size_t sizes[] = {1,   2,   3,   4,   5,    31,   32,   33,
                               127, 255, 256, 257, 1023, 1024, 1025, 4099};
/* Bytes in front: 0 takes four elements at a time, the others one. */
static const size_t offsets[] = {0, 4};

/* Numbers about `scale` times codes, half of them on or beside a tie, and all that is special. */
static void fill(float *x, size_t count, float scale, uint32_t seed)
{
    static const float special[] = {0.0f,   -0.0f,   INFINITY, -INFINITY, NAN,
                                    1e-42f, -1e-42f, 3.4e38f,  -3.4e38f};

    for (size_t i = 0; i < count; i++) {
        float code = (float)((int32_t)device_random(&seed) % 40000) * (i % 3 ? 0.01f : 1);
        switch (device_random(&seed) % 8) {
        case 0:
            x[i] = special[device_random(&seed) % (sizeof special / sizeof *special)];
            break;
        case 1:
        case 2:
            x[i] = ((float)(int)code + 0.5f) * scale;
            break;
        case 3:
            x[i] = nextafterf(((float)(int)code + 0.5f) * scale, code);
            break;
        default:
            x[i] = code * scale;
        }
    }
}

static waio_cuda_grid grid_of(int bits, float scale, int32_t zero_point, int rounding)
{
    int32_t lo = -(1 << (bits - 1)), hi = (1 << (bits - 1)) - 1;
    return (waio_cuda_grid){
        {scale, (float)(lo - zero_point), (float)(hi - zero_point)}, zero_point, rounding};
}

static void test_fake_quantize(const float *x, size_t count, size_t offset, waio_cuda_grid grid,
                               bool in_place)
{
    float *got = malloc(count * sizeof *got);
    float *src = device_copy(x, count * sizeof *x, offset);
    float *dst = in_place ? src : device_new(count * sizeof *x, offset);
    size_t wrong = 0;

    CHECK_CUDA(waio_cuda_fake_quantize(dst, src, count, grid, NULL));
    device_take(got, dst, count * sizeof *got, offset);
    if (!in_place)
        device_free(src, offset);
    for (size_t i = 0; i < count; i++) {
        float want = waio_fake_quantize(x[i], grid.fq, grid.rounding);
        wrong += memcmp(&want, &got[i], sizeof want) != 0 && (want == want || got[i] == got[i]);
    }
    CHECK(wrong == 0, "%zu of %zu wrong, offset %zu", wrong, count, offset);
    free(got);
}

static void test_quantize(const float *x, size_t count, size_t offset, waio_cuda_grid grid,
                          int bytes)
{
    int16_t *codes = malloc(count * sizeof *codes);
    float *values = malloc(count * sizeof *values);
    float *src = device_copy(x, count * sizeof *x, offset);
    float *back = device_new(count * sizeof *x, offset);
    void *dst = device_new(count * (size_t)bytes, offset / 4 * (size_t)bytes);
    size_t wrong = 0;

    if (bytes == 1) {
        CHECK_CUDA(waio_cuda_quantize_qs8(dst, src, count, grid, NULL));
        CHECK_CUDA(
            waio_cuda_dequantize_qs8(back, dst, count, grid.fq.scale, grid.zero_point, NULL));
    } else {
        CHECK_CUDA(waio_cuda_quantize_qs16(dst, src, count, grid, NULL));
        CHECK_CUDA(
            waio_cuda_dequantize_qs16(back, dst, count, grid.fq.scale, grid.zero_point, NULL));
    }
    device_take(codes, dst, count * (size_t)bytes, offset / 4 * (size_t)bytes);
    device_take(values, back, count * sizeof *values, offset);
    device_free(src, offset);
    for (size_t i = 0; i < count; i++) {
        int32_t want = waio_quantize_code(x[i], grid.fq, grid.zero_point, grid.rounding);
        int32_t got = bytes == 1 ? ((int8_t *)codes)[i] : codes[i];
        float value = waio_dequantize_code(want, grid.fq.scale, grid.zero_point);
        wrong += got != want || memcmp(&values[i], &value, sizeof value) != 0;
    }
    CHECK(wrong == 0, "%zu of %zu wrong, %d bytes, offset %zu", wrong, count, bytes, offset);
    free(codes);
    free(values);
}

static void test_size(size_t count, size_t offset, int rounding)
{
    static const struct {
        int bits;
        float scale;
        int32_t zero_point;
    } grids[] = {{8, 0.1f, 0}, {8, 0.037f, -128}, {8, 0x1p-4f, 127},
                 {2, 0.7f, 1}, {16, 0.003f, 0},   {16, 0x1p-9f, -32768}};
    float *x = malloc(count * sizeof *x);

    for (size_t g = 0; g < sizeof grids / sizeof *grids; g++) {
        waio_cuda_grid grid = grid_of(grids[g].bits, grids[g].scale, grids[g].zero_point, rounding);
        fill(x, count, grids[g].scale, (uint32_t)(count * 7 + g + 1));
        test_fake_quantize(x, count, offset, grid, g % 2);
        test_quantize(x, count, offset, grid, grids[g].bits > 8 ? 2 : 1);
    }
    free(x);
}

/* More elements than the largest grid takes in one stride. */
static void test_stride(void)
{
#ifdef WAIO_TEST_CHECKED
    size_t count = 300001; /* unaligned: one element a thread, 262,144 threads */
#else
    size_t count = 1048576 + 1027;
#endif
    float *x = malloc(count * sizeof *x);

    fill(x, count, 0.1f, 99);
    test_fake_quantize(x, count, count > 1048576 ? 0 : 4, grid_of(8, 0.1f, 3, 0), false);
    free(x);
}

/* The wide path: no sector is touched in vain, no access is narrower than four elements. */
static void test_traffic(void)
{
#ifdef WAIO_TEST_CHECKED
    float x[1024];
    const waio_cuda_grid grid = grid_of(8, 0.1f, 0, 0);

    fill(x, 1024, 0.1f, 5);
    emulator_check(1);
    test_fake_quantize(x, 1024, 0, grid, false);
    CHECK(emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 0, 16, 1}) == 1, "loads");
    CHECK(emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 1, 16, 1}) == 1, "stores");
    CHECK(emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 1, 4, 1}) == 0, "narrow");
    emulator_check(1);
    test_quantize(x, 1024, 0, grid, 1); /* and dequantize */
    CHECK(emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 0, 16, 1}) == 1, "loads");
    CHECK(emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 1, 4, 1}) == 1, "codes");
    CHECK(emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 0, 4, 1}) == 1, "codes back");
    CHECK(emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 1, 1, 1}) == 0, "narrow");
#endif
}

static void test_refusals(void)
{
    waio_cuda_grid grid = grid_of(8, 1, 0, 0);
    float *x = device_new(4, 0);

    CHECK(waio_cuda_fake_quantize(NULL, NULL, 0, grid, NULL) == cudaSuccess, "nothing to do");
    CHECK(waio_cuda_fake_quantize(x, NULL, 1, grid, NULL) == cudaErrorInvalidValue, "no source");
    CHECK(waio_cuda_fake_quantize(NULL, x, 1, grid, NULL) == cudaErrorInvalidValue, "no result");
    device_free(x, 0);
}

int main(void)
{
    device_begin();
    for (int schedule = 0; schedule < DEVICE_FEW_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (size_t o = 0; o < sizeof offsets / sizeof *offsets; o++)
                for (int rounding = 0; rounding < 2; rounding++)
                    test_size(sizes[s], offsets[o], rounding);
    }
    test_stride();
    test_traffic();
    test_refusals();
    return device_end();
}
