/* Observers on the GPU's code: range, histogram, squared errors. All are equal to plain loops, the
 * errors to the last bit, under every schedule. */
#include "cuda/device.h"

#include "kernels/kernels.h"

static const size_t sizes[] = {1, 2, 5, 31, 255, 1024, 4095, 4096, 4097, 9001};

static void fill(float *x, size_t count, uint32_t *seed, bool special)
{
    for (size_t i = 0; i < count; i++) {
        x[i] = device_random_float(seed) * 20 - 3;
        if (special && device_random(seed) % 11 == 0)
            x[i] = device_random(seed) % 2 ? NAN : -0.0f;
    }
}

/* ---- range ---- */

static void test_range(const float *x, size_t count, size_t offset)
{
    float lo = INFINITY, hi = -INFINITY;
    waio_ordered_range range[3];
    float *src = device_copy(x, count * sizeof *x, offset);
    waio_ordered_range *ranges = device_new(sizeof range, 0);

    CHECK_CUDA(waio_cuda_range_reset(ranges, 3, NULL));
    CHECK_CUDA(waio_cuda_range_widen(ranges + 1, src, count, NULL));
    if (count > 1) { /* once more with a part: nothing changes */
        CHECK_CUDA(waio_cuda_range_widen(ranges + 1, src + 1, count - 1, NULL));
    }
    device_take(range, ranges, sizeof range, 0);
    device_free(src, offset);
    for (size_t i = 0; i < count; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    CHECK(waio_float_of_ordered(range[1].min) == lo && waio_float_of_ordered(range[1].max) == hi,
          "%zu numbers: [%g, %g], not [%g, %g]", count, waio_float_of_ordered(range[1].min),
          waio_float_of_ordered(range[1].max), lo, hi);
    CHECK(range[1].min != INT32_MIN && range[1].max != INT32_MIN, "-0 counts as 0");
    CHECK(waio_float_of_ordered(range[0].min) == INFINITY &&
              waio_float_of_ordered(range[2].max) == -INFINITY,
          "neighbours are empty");
}

static void test_order(void)
{
    static const float x[] = {-INFINITY, -3e38f, -1, -1e-40f, 0, 1e-45f, 1e-40f, 0.5f, 2, INFINITY};

    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        CHECK(waio_float_of_ordered(waio_ordered_of_float(x[i])) == x[i], "%g", x[i]);
        CHECK(i == 0 || waio_ordered_of_float(x[i - 1]) < waio_ordered_of_float(x[i]), "%g", x[i]);
    }
    CHECK(waio_ordered_of_float(-0.0f) == 0, "-0");
}

/* ---- histogram ---- */

static void test_histogram(const float *x, size_t count, size_t offset, int bins)
{
    size_t bytes = (size_t)bins * sizeof(unsigned long long);
    unsigned long long *want = calloc((size_t)bins, sizeof *want), *got = malloc(bytes);
    float lo = -20, width = 37.0f / (float)bins;
    float *src = device_copy(x, count * sizeof *x, offset);
    int wrong = 0;

    for (int i = 0; i < bins; i++) /* adds to what is there, beyond 32 bits */
        want[i] = 0xfffffff0ull + (unsigned)i;
    unsigned long long *counts = device_copy(want, bytes, 0);
    CHECK_CUDA(waio_cuda_histogram(counts, src, count, lo, width, bins, NULL));
    device_take(got, counts, bytes, 0);
    device_free(src, offset);
    for (size_t i = 0; i < count; i++)
        if (x[i] == x[i]) {
            double at = floor((double)((x[i] - lo) / width));
            want[at < 0 ? 0 : at > bins - 1 ? bins - 1 : (int)at]++;
        }
    for (int i = 0; i < bins; i++)
        wrong += want[i] != got[i];
    CHECK(wrong == 0, "%d of %d bins wrong, %zu numbers", wrong, bins, count);
    free(want);
    free(got);
}

/* ---- squared errors: the order of qobserve.h, by plain loops ---- */

static double piece_error(const float *x, size_t count, waio_cuda_grid grid)
{
    double sum[WAIO_ERROR_WIDTH];

    for (size_t t = 0; t < WAIO_ERROR_WIDTH; t++) {
        float own = 0;
        for (size_t j = 0; j < 4; j++)
            for (size_t c = 0; c < 4; c++) {
                size_t i = 4 * (256 * j + t) + c;
                own += i < count ? waio_squared_error(x[i], grid.fq, grid.rounding) : 0.0f;
            }
        sum[t] = (double)own;
    }
    return waio_tree_sum(sum);
}

static double squared_error(const float *x, size_t count, waio_cuda_grid grid)
{
    double sum[WAIO_ERROR_WIDTH] = {0};

    for (size_t p = 0; p * WAIO_ERROR_PIECE < count; p++) {
        size_t rest = count - p * WAIO_ERROR_PIECE;
        sum[p % WAIO_ERROR_WIDTH] += piece_error(
            x + p * WAIO_ERROR_PIECE, rest < WAIO_ERROR_PIECE ? rest : WAIO_ERROR_PIECE, grid);
    }
    return waio_tree_sum(sum);
}

static void test_errors(const float *x, size_t count, size_t offset, int grid_count)
{
    waio_cuda_grid grid[WAIO_CUDA_GRIDS];
    double got[WAIO_CUDA_GRIDS], plain = 0;
    size_t bytes = (size_t)grid_count * sizeof *got;
    float *src = device_copy(x, count * sizeof *x, offset);
    void *scratch = device_new(waio_cuda_error_scratch(count, grid_count), 0);
    double *errors = device_new(bytes, 0);

    for (int b = 0; b < grid_count; b++)
        grid[b] = (waio_cuda_grid){{0.25f / (float)(b + 1), -8.0f * (float)(b + 1), 100}, 0, b % 2};
    CHECK_CUDA(waio_cuda_squared_errors(errors, scratch, src, count, grid, grid_count, NULL));
    device_take(got, errors, bytes, 0);
    device_free(src, offset);
    device_free(scratch, 0);
    for (int b = 0; b < grid_count; b++) {
        double want = squared_error(x, count, grid[b]);
        CHECK(memcmp(&got[b], &want, sizeof want) == 0, "grid %d of %zu numbers: %.17g, not %.17g",
              b, count, got[b], want);
    }
    for (size_t i = 0; i < count; i++)
        plain += (double)waio_squared_error(x[i], grid[0].fq, grid[0].rounding);
    /* 16 floats are added with at most 15 roundings of 2^-24 each */
    CHECK(fabs(got[0] - plain) <= 15 * 0x1p-24 * plain, "far from the plain sum: %g, %g", got[0],
          plain);
}

static void test_all(uint32_t *seed)
{
    static const int bins[] = {1, 7, 256, WAIO_CUDA_BINS};

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t offset = 0; offset <= 4; offset += 4) {
            float *x = malloc(sizes[s] * sizeof *x);
            fill(x, sizes[s], seed, s % 2);
            test_range(x, sizes[s], offset);
            test_histogram(x, sizes[s], offset, bins[s % 4]);
            test_errors(x, sizes[s], offset, 1 + (int)(s * 5 % WAIO_CUDA_GRIDS));
            free(x);
        }
}

/* More numbers than the grid takes in one stride, and more pieces than a block has threads. */
static void test_many(uint32_t *seed)
{
#ifdef WAIO_TEST_CHECKED
    size_t count = 20000;
#else
    size_t count = 257 * WAIO_ERROR_PIECE + 5;
#endif
    float *x = malloc(count * sizeof *x);

    fill(x, count, seed, false);
    test_range(x, count, 0);
    test_histogram(x, count, 0, 1000);
    test_errors(x, count, 0, 1);
    free(x);
}

static void test_error_refusals(const float *x)
{
    waio_cuda_grid grid[WAIO_CUDA_GRIDS] = {{{1, -1, 1}, 0, 0}};
    double got = 7, *error = device_copy(&got, sizeof got, 0);

    CHECK(waio_cuda_squared_errors(error, NULL, x, 1, grid, 1, NULL) == cudaErrorInvalidValue,
          "no scratch");
    CHECK(waio_cuda_squared_errors(error, error, x, 1, grid, WAIO_CUDA_GRIDS + 1, NULL) ==
              cudaErrorInvalidValue,
          "too many grids");
    CHECK(waio_cuda_squared_errors(NULL, NULL, x, 1, grid, 0, NULL) == cudaSuccess, "no grids");
    CHECK_CUDA(waio_cuda_squared_errors(error, NULL, NULL, 0, grid, 1, NULL));
    device_take(&got, error, sizeof got, 0);
    CHECK(got == 0, "no numbers, no error: %g", got);
}

static void test_refusals(void)
{
    float *x = device_new(4, 0);
    unsigned long long *counts = device_new(8, 0);

    CHECK(waio_cuda_histogram(counts, x, 1, 0, 0, 1, NULL) == cudaErrorInvalidValue, "no width");
    CHECK(waio_cuda_histogram(counts, x, 1, 0, 1, WAIO_CUDA_BINS + 1, NULL) ==
              cudaErrorInvalidValue,
          "too many bins");
    CHECK(waio_cuda_histogram(counts, NULL, 1, 0, 1, 1, NULL) == cudaErrorInvalidValue, "no data");
    CHECK(waio_cuda_histogram(counts, NULL, 0, 0, 1, 1, NULL) == cudaSuccess, "nothing to do");
    CHECK(waio_cuda_range_widen(NULL, x, 1, NULL) == cudaErrorInvalidValue, "no range");
    CHECK(waio_cuda_range_widen(NULL, NULL, 0, NULL) == cudaSuccess, "nothing to do");
    CHECK(waio_cuda_range_reset(NULL, 1, NULL) == cudaErrorInvalidValue, "no range");
    CHECK(waio_cuda_range_reset(NULL, 0, NULL) == cudaSuccess, "nothing to do");
    test_error_refusals(x);
    device_free(x, 0);
    device_free(counts, 0);
}

int main(void)
{
    uint32_t seed = 31;

    device_begin();
    test_order();
    for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_all(&seed);
    }
    test_many(&seed);
    test_refusals();
    return device_end();
}
