/* The emulator itself: shuffles, votes and atomics against plain loops, indices, the order of
 * schedules, the limits of launches, and what the runtime's functions refuse. */
#include "cuda/device.h"

#include "cuda/cuda_emulator.h"

enum { THREADS = 96 };

static void test_shuffles(const int *x)
{
    int got[CUDA_SHUFFLES][THREADS], wrong = 0;
    double wide[THREADS];
    int *dx = device_copy(x, THREADS * sizeof *x, 0), *out = device_new(sizeof got, 0);
    double *dw = device_new(sizeof wide, 0);

    CHECK_CUDA(cuda_emulator_shuffles(out, dw, dx, THREADS));
    device_take(got, out, sizeof got, 0);
    device_take(wide, dw, sizeof wide, 0);
    device_free(dx, 0);
    for (int t = 0; t < THREADS; t++) {
        int warp = t / 32 * 32, lane = t % 32;
        int half = lane < 16 ? x[warp + (lane ^ 15)] : x[warp + (lane ^ 1)];
        /* past its segment of 8, xor 12 reads its own number, or that of a lower segment */
        int xor8 = (lane ^ 12) < lane / 8 * 8 + 8 ? lane ^ 12 : lane;
        wrong += got[0][t] != x[warp + (x[t] & 31)];
        wrong += got[1][t] != x[warp + lane / 8 * 8 + 3];
        wrong += got[2][t] != x[lane >= 5 ? t - 5 : t];
        wrong += got[3][t] != x[lane % 16 + 3 < 16 ? t + 3 : t];
        wrong += got[4][t] != x[warp + (lane ^ 9)];
        wrong += got[5][t] != x[warp + xor8];
        wrong += got[6][t] != half;
        wrong += wide[t] != x[lane < 31 ? t + 1 : t] * 1e-3;
    }
    CHECK(wrong == 0, "%d wrong", wrong);
}

static void test_votes(const int *x)
{
    unsigned got[THREADS];
    int *dx = device_copy(x, THREADS * sizeof *x, 0), wrong = 0;
    unsigned *out = device_new(sizeof got, 0);

    CHECK_CUDA(cuda_emulator_votes(out, dx, THREADS));
    device_take(got, out, sizeof got, 0);
    device_free(dx, 0);
    for (int t = 0; t < THREADS; t++) {
        unsigned want = 0;
        for (int o = t / 16 * 16; o < t / 16 * 16 + 16; o++)
            want |= (x[o] % 2 ? 1u : 0u) << (o % 32);
        wrong += got[t] != want;
    }
    CHECK(wrong == 0, "%d wrong", wrong);
}

static void test_atomics(const int *x)
{
    unsigned long long counters[CUDA_COUNTERS] = {0}, sum64 = 0;
    unsigned word[2 * CUDA_COUNTERS], bits = 0, sum = 0;
    int least = x[0], most = x[0];

    memset(word, 0, sizeof word);
    word[4] = word[10] = INT32_MAX;
    word[6] = (unsigned)INT32_MIN;
    memcpy(counters, word, sizeof counters);
    int *dx = device_copy(x, THREADS * sizeof *x, 0);
    unsigned long long *dc = device_copy(counters, sizeof counters, 0);
    CHECK_CUDA(cuda_emulator_atomics(dc, dx, THREADS - 5));
    device_take(counters, dc, sizeof counters, 0);
    device_free(dx, 0);
    memcpy(word, counters, sizeof word);
    for (int i = 0; i < THREADS - 5; i++) {
        sum += (unsigned)x[i];
        sum64 += (unsigned long long)(x[i] + 5000000000ll);
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
        bits |= 1u << (x[i] & 31);
    }
    CHECK(word[0] == sum && counters[1] == sum64, "sums %u, %llu", word[0], counters[1]);
    CHECK((int)word[4] == least && (int)word[6] == most, "%d to %d", (int)word[4], (int)word[6]);
    CHECK(word[8] == bits, "%08x, not %08x", word[8], bits);
    CHECK(word[10] == (unsigned)least && word[12] == (unsigned)most, "unsigned");
    CHECK(word[14] == 1, "%u found 0", word[14]);
}

static void test_indices(dim3 grid, dim3 block)
{
    unsigned count = grid.x * grid.y * grid.z * block.x * block.y * block.z, wrong = 0;
    unsigned *got = malloc(count * sizeof *got), *out = device_new(count * sizeof *got, 0);

    CHECK_CUDA(cuda_emulator_indices(out, grid, block));
    device_take(got, out, count * sizeof *got, 0);
    for (unsigned i = 0; i < count; i++)
        wrong += got[i] != i;
    CHECK(wrong == 0, "%u of %u wrong", wrong, count);
    free(got);
}

#ifndef WAIO_TEST_DEVICE
static void run_order(int *order, emulator_schedule schedule, uint64_t seed)
{
    int zero = 0, *next = device_copy(&zero, sizeof zero, 0);
    int *out = device_new(2 * THREADS * sizeof *order, 0);

    emulator_set_schedule(schedule, seed);
    CHECK_CUDA(cuda_emulator_order(out, next, 2, THREADS));
    device_take(order, out, 2 * THREADS * sizeof *order, 0);
    device_free(next, 0);
}

/* Forward and reverse are what their names say; random ones differ by seed and repeat. */
static void test_schedules(void)
{
    enum { N = 2 * THREADS };
    int forward[N], reverse[N], one[N], again[N], two[N], wrong = 0;

    run_order(forward, EMULATOR_FORWARD, 0);
    run_order(reverse, EMULATOR_REVERSE, 0);
    run_order(one, EMULATOR_RANDOM, 1);
    run_order(again, EMULATOR_RANDOM, 1);
    run_order(two, EMULATOR_RANDOM, 2);
    for (int i = 0; i < N; i++)
        wrong += forward[i] != i || reverse[i] != N - 1 - i;
    CHECK(wrong == 0, "%d of %d out of order", wrong, N);
    CHECK(memcmp(one, again, sizeof one) == 0, "a seed repeats");
    CHECK(memcmp(one, two, sizeof one) != 0 && memcmp(one, forward, sizeof one) != 0,
          "seeds differ");
}

static void refused(cudaError_t error, const char *part)
{
    CHECK(error == cudaErrorInvalidConfiguration && strstr(emulator_message(), part),
          "error %d: %s", (int)error, emulator_message());
    CHECK(cudaGetLastError() == error && cudaGetLastError() == cudaSuccess, "is forgotten");
    emulator_reset();
}

static void test_limits(void)
{
    dim3 one = {1, 1, 1};

    CHECK_CUDA(cuda_emulator_nothing((dim3){1, 1, 1}, (dim3){1024, 1, 1}));
    CHECK_CUDA(cuda_emulator_nothing((dim3){2, 2, 2}, (dim3){2, 2, 64}));
    refused(cuda_emulator_nothing(one, (dim3){1025, 1, 1}), "1 to 1024 threads");
    refused(cuda_emulator_nothing(one, (dim3){0, 1, 1}), "1 to 1024 threads");
    refused(cuda_emulator_nothing(one, (dim3){1, 1, 65}), "64 in z");
    refused(cuda_emulator_nothing((dim3){0, 1, 1}, one), "a grid has");
    refused(cuda_emulator_nothing((dim3){1, 65536, 1}, one), "a grid has");
    CHECK_CUDA(cuda_emulator_shared(48 << 10, 0));
    refused(cuda_emulator_shared((48 << 10) + 1, 0), "48 KiB");
    CHECK(cuda_emulator_shared(1, (99 << 10) + 1) == cudaErrorInvalidValue, "more than there is");
    cudaGetLastError();
    CHECK_CUDA(cuda_emulator_shared(99 << 10, 99 << 10));
    refused(cuda_emulator_shared((99 << 10) + 1, 0), "than the device has");
    emulator_set_shared_limit(64 << 10); /* sm_75 */
    refused(cuda_emulator_shared(72 << 10, 0), "than the device has");
    emulator_set_shared_limit(99 << 10);
}

static void test_copies(void)
{
    char host[8] = "0123456", *device = NULL, *other = NULL;

    CHECK_CUDA(cudaMalloc((void **)&device, 7));
    CHECK_CUDA(cudaMalloc((void **)&other, 7));
    CHECK_CUDA(cudaMemcpy(device, host, 7, cudaMemcpyHostToDevice));
    CHECK_CUDA(cudaMemcpy(other + 1, device, 6, cudaMemcpyDeviceToDevice));
    CHECK_CUDA(cudaMemcpy(host, other, 7, cudaMemcpyDefault));
    CHECK(memcmp(host,
                 "\xff"
                 "012345",
                 7) == 0,
          "new memory is 0xFF, the rest copied");
    CHECK(cudaMemcpy(host, device, 7, cudaMemcpyHostToDevice) == cudaErrorInvalidMemcpyDirection,
          "direction");
    CHECK(cudaMemcpy(device, host, 8, cudaMemcpyHostToDevice) == cudaErrorInvalidValue, "bounds");
    CHECK(cudaMemset(device, 0, 8) == cudaErrorInvalidValue, "bounds");
    CHECK(cudaFree(device + 1) == cudaErrorInvalidValue, "not an allocation");
    CHECK_CUDA(cudaFree(device));
    CHECK(cudaFree(device) == cudaErrorInvalidValue, "twice");
    CHECK(cudaMemcpy(host, device, 7, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue, "freed");
    CHECK_CUDA(cudaFree(other));
    CHECK_CUDA(cudaFree(NULL));
    CHECK(cudaMalloc((void **)&device, (size_t)1 << 40) == cudaErrorMemoryAllocation && !device,
          "too much");
    CHECK(cudaGetLastError() == cudaErrorMemoryAllocation && cudaGetLastError() == cudaSuccess,
          "is forgotten");
}
#endif

int main(void)
{
    int x[THREADS];
    uint32_t seed = 41;

    device_begin();
    for (int i = 0; i < THREADS; i++)
        x[i] = (int)(device_random(&seed) >> 8) + 1;
    for (int i = 0; i < THREADS; i += 16) { /* each half has both kinds */
        x[i] |= 1;
        x[i + 1] &= ~1;
    }
    for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_shuffles(x);
        test_votes(x);
        test_atomics(x);
        test_indices((dim3){3, 2, 2}, (dim3){5, 3, 2});
        test_indices((dim3){1, 1, 1}, (dim3){33, 1, 1});
        test_indices((dim3){2, 1, 1}, (dim3){8, 4, 32});
    }
#ifndef WAIO_TEST_DEVICE
    test_schedules();
    test_limits();
    test_copies();
#endif
    return device_end();
}
