/* Whether the emulator and its checker notice: kernels with one planted fault each, and what must
 * report it. A fault that a row says is reported by the checker is not always seen by wrong
 * numbers, which is why there is a checker. The right build gives right numbers and no report. */
#include "cuda/device.h"

#include "cuda/planted.h"

/* Which schedules give wrong numbers; S: at least one of three seeds. */
enum { F = 1, R = 2, S = 4 };
enum { SUM, WARP, COPY, GEMM };
enum { NO_REPORT = -1 };

typedef struct expectation {
    int kernel;
    int wrong;           /* F, R, S */
    int report;          /* the kind that there must be, NO_REPORT if there must be none at all */
    const char *message; /* a part of what stops the kernel, NULL if nothing does */
} expectation;

static const expectation rows[PLANTED_COUNT] = {
    [PLANTED_NOTHING] = {SUM, 0, NO_REPORT, NULL}, /* tested with every kernel */
    [PLANTED_GLOBAL_PAST_END] = {SUM, 0, EMULATOR_OUT_OF_BOUNDS, NULL},
    [PLANTED_TAIL_UNINITIALISED] = {SUM, F | R | S, EMULATOR_UNINITIALISED, NULL},
    [PLANTED_NO_BARRIER] = {SUM, F | S, EMULATOR_RACE, NULL},
    [PLANTED_BARRIER_IN_BRANCH] = {SUM, 0, NO_REPORT, "__syncthreads, line"},
    [PLANTED_SHARED_PAST_END] = {SUM, 0, EMULATOR_OUT_OF_BOUNDS, NULL},
    [PLANTED_EARLY_RETURN] = {SUM, 0, NO_REPORT, "__syncthreads, line"},
    [PLANTED_TWO_BARRIERS] = {SUM, 0, NO_REPORT, "threads wait at that of line"},
    [PLANTED_TOO_MUCH_SHARED] = {SUM, 0, NO_REPORT, "more shared memory than 48 KiB"},
    [PLANTED_NO_ATOMICS] = {SUM, 0, EMULATOR_RACE, NULL},
    [PLANTED_WARP_SYNCHRONOUS] = {WARP, F | S, EMULATOR_RACE, NULL},
    [PLANTED_NO_SYNCWARP] = {WARP, F | R | S, EMULATOR_RACE, NULL},
    [PLANTED_SHUFFLE_IN_BRANCH] = {WARP, 0, NO_REPORT, "deadlock"},
    [PLANTED_SHUFFLE_OUTSIDE_MASK] = {WARP, 0, NO_REPORT, "outside mask 55555555"},
    [PLANTED_NOT_IN_OWN_MASK] = {WARP, 0, NO_REPORT, "is not in its own mask fffffff0"},
    [PLANTED_TWO_MASKS] = {WARP, 0, NO_REPORT, "; but lane "},
    [PLANTED_READ_BEFORE_WAIT] = {COPY, F | R | S, EMULATOR_BEFORE_WAIT, NULL},
    [PLANTED_WAIT_WITHOUT_BARRIER] = {COPY, F | R | S, EMULATOR_RACE, NULL},
    [PLANTED_NO_WAIT] = {COPY, 0, NO_REPORT, "ends with 1 async copies not waited for"},
    [PLANTED_COPY_MISALIGNED] = {COPY, 0, NO_REPORT, "not both multiples"},
    [PLANTED_GEMM_NO_BARRIER] = {GEMM, F | R | S, EMULATOR_RACE, NULL},
    [PLANTED_GEMM_WAITS_TOO_LITTLE] = {GEMM, F | R | S, EMULATOR_BEFORE_WAIT, NULL},
    [PLANTED_GEMM_LOADS_TOO_EARLY] = {GEMM, F | R | S, EMULATOR_RACE, NULL},
    [PLANTED_GEMM_ROWS_UNGUARDED] = {GEMM, 0, EMULATOR_OUT_OF_BOUNDS, NULL},
    [PLANTED_GEMM_TAIL_NOT_ZERO] = {GEMM, F | R | S, EMULATOR_OUT_OF_BOUNDS, NULL},
    [PLANTED_GEMM_NO_SWIZZLE] = {GEMM, 0, NO_REPORT, NULL}, /* slow, not wrong: see test_traffic */
    [PLANTED_GEMM_LDMATRIX_MISALIGNED] = {GEMM, 0, NO_REPORT, "not a multiple of 16"},
    [PLANTED_READ_BY_TWO_WARPS] = {SUM, 0, EMULATOR_RACE, NULL},
};

/* clang-format off */
#define BUILDS(X)                                                                                  \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)    \
    X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27)
/* clang-format on */
#define DECLARE(n) extern const planted_build planted_##n;
BUILDS(DECLARE)
#define LIST(n) &planted_##n,
static const planted_build *const builds[] = {BUILDS(LIST)};

/* ---- each kernel with its numbers: returns how many are wrong; the error goes to *error ---- */

static int *numbers(size_t count, uint32_t seed)
{
    int *x = malloc(count * sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (int)(device_random(&seed) % 1000) + 1;
    return x;
}

/* Reads back what a kernel wrote; a stopped one leaves nothing. */
static void take(void *host, void *p, size_t bytes)
{
    emulator_reset();
    CHECK_CUDA(cudaMemcpy(host, p, bytes, cudaMemcpyDeviceToHost));
    CHECK_CUDA(cudaFree(p));
}

static int try_sum(const planted_build *build, cudaError_t *error, char *message)
{
    enum { COUNT = 150, BLOCKS = 3 };
    int *x = numbers(COUNT, 3), sums[BLOCKS], want[BLOCKS] = {0}, total = 0, wrong = 0;
    int *src = device_copy(x, COUNT * sizeof *x, 0), *ds = device_new(sizeof sums, 0),
        *dt = device_copy(&total, sizeof total, 0);

    *error = build->sum(ds, dt, src, COUNT);
    snprintf(message, 1024, "%s", emulator_message());
    if (cudaDeviceSynchronize() != cudaSuccess)
        *error = cudaErrorLaunchFailure;
    take(sums, ds, sizeof sums);
    take(&total, dt, sizeof total);
    device_free(src, 0);
    for (int i = 0; i < COUNT; i++) {
        want[i / PLANTED_THREADS] += x[i];
        total -= x[i];
    }
    for (int b = 0; b < BLOCKS; b++)
        wrong += sums[b] != want[b];
    free(x);
    return wrong + (total != 0);
}

static int try_warp(const planted_build *build, cudaError_t *error, char *message)
{
    enum { BLOCKS = 2, COUNT = 32 * BLOCKS };
    int *x = numbers(COUNT, 5), sums[BLOCKS], turned[COUNT], swapped[COUNT], wrong = 0;
    int *src = device_copy(x, sizeof turned, 0), *ds = device_new(sizeof sums, 0);
    int *dt = device_new(sizeof turned, 0), *dw = device_new(sizeof swapped, 0);

    *error = build->warp(ds, dt, dw, src, BLOCKS);
    snprintf(message, 1024, "%s", emulator_message());
    if (cudaDeviceSynchronize() != cudaSuccess)
        *error = cudaErrorLaunchFailure;
    take(sums, ds, sizeof sums);
    take(turned, dt, sizeof turned);
    take(swapped, dw, sizeof swapped);
    device_free(src, 0);
    for (int b = 0; b < BLOCKS; b++)
        for (int i = 0; i < 32; i++) {
            sums[b] -= x[32 * b + i];
            wrong += turned[32 * b + i] != x[32 * b + 31 - i];
            wrong += swapped[32 * b + i] != x[32 * b + (i ^ 1)];
        }
    for (int b = 0; b < BLOCKS; b++)
        wrong += sums[b] != 0;
    free(x);
    return wrong;
}

static int try_copy(const planted_build *build, cudaError_t *error, char *message)
{
    enum { COUNT = 4 * PLANTED_THREADS };
    int *x = numbers(COUNT, 7), got[COUNT], wrong = 0;
    void *src = device_copy(x, sizeof got, 0), *dst = device_new(sizeof got, 0);

    *error = build->copy(dst, src);
    snprintf(message, 1024, "%s", emulator_message());
    if (cudaDeviceSynchronize() != cudaSuccess)
        *error = cudaErrorLaunchFailure;
    take(got, dst, sizeof got);
    device_free(src, 0);
    for (int i = 0; i < COUNT; i++)
        wrong += got[i] != x[(i + COUNT / 2) % COUNT];
    free(x);
    return wrong;
}

static int try_gemm_of_depth(int k, const planted_build *build, cudaError_t *error, char *message)
{
    enum { M = 37, N = 41, MOST_K = 320 };
    int8_t a[M * MOST_K], b[N * MOST_K];
    int32_t d[M * N];
    uint32_t seed = 9;
    int wrong = 0;

    for (int i = 0; i < M * k; i++)
        a[i] = (int8_t)device_random(&seed);
    for (int i = 0; i < N * k; i++)
        b[i] = (int8_t)device_random(&seed);
    void *da = device_copy(a, (size_t)(M * k), 0), *db = device_copy(b, (size_t)(N * k), 0);
    void *dd = device_new(sizeof d, 0);
    *error = build->gemm(dd, da, db, M, N, k);
    snprintf(message, 1024, "%s", emulator_message());
    if (cudaDeviceSynchronize() != cudaSuccess)
        *error = cudaErrorLaunchFailure;
    take(d, dd, sizeof d);
    device_free(da, 0);
    device_free(db, 0);
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++) {
            int32_t sum = 0;
            for (int i = 0; i < k; i++)
                sum += a[m * k + i] * b[n * k + i];
            wrong += d[m * N + n] != sum;
        }
    return wrong;
}

/* The last tile of k is not full, and a row is no whole number of sectors. */
static int try_gemm(const planted_build *build, cudaError_t *error, char *message)
{
    return try_gemm_of_depth(304, build, error, message);
}

/* ---- the table ---- */

static int try(int kernel, const planted_build *build, cudaError_t *error, char *message)
{
    switch (kernel) {
    case SUM:
        return try_sum(build, error, message);
    case WARP:
        return try_warp(build, error, message);
    case COPY:
        return try_copy(build, error, message);
    default:
        return try_gemm(build, error, message);
    }
}

static void test_fault(int fault, int kernel)
{
    static const struct {
        emulator_schedule schedule;
        uint64_t seed;
        int bit;
    } schedules[] = {{EMULATOR_FORWARD, 0, F},
                     {EMULATOR_REVERSE, 0, R},
                     {EMULATOR_RANDOM, 1, S},
                     {EMULATOR_RANDOM, 2, S},
                     {EMULATOR_RANDOM, 3, S}};
    const expectation *row = &rows[fault];
    int wrong = 0;

    for (size_t s = 0; s < sizeof schedules / sizeof *schedules; s++) {
        char message[1024];
        cudaError_t error = cudaSuccess;
        long reports = 0;
        emulator_set_schedule(schedules[s].schedule, schedules[s].seed);
        emulator_check(1);
        if (try(kernel, builds[fault], &error, message) && !row->message)
            wrong |= schedules[s].bit;
        for (int kind = 0; kind < EMULATOR_REPORTS; kind++)
            reports += emulator_report_count((emulator_report)kind);
        CHECK(emulator_access_count() > 0 || row->message, "fault %d: nothing was checked", fault);
        CHECK((error != cudaSuccess) == (row->message != NULL), "fault %d: error %d, %s", fault,
              (int)error, message);
        CHECK(!row->message || strstr(message, row->message), "fault %d: message is: %s", fault,
              message);
        if (row->report == NO_REPORT && !row->message)
            CHECK(reports == 0, "fault %d: %s", fault, emulator_first_report());
        if (row->report != NO_REPORT)
            CHECK(emulator_report_count((emulator_report)row->report) > 0,
                  "fault %d: not reported; first: %s", fault, emulator_first_report());
    }
    CHECK(wrong == row->wrong, "fault %d: wrong under schedules %d, expected %d", fault, wrong,
          row->wrong);
}

/* Conflicts of banks: every ldmatrix of the right build at its best, without the swizzle four rows
 * share a group of banks. */
static void test_traffic(void)
{
    const emulator_traffic reads = {EMULATOR_SHARED, 0, 16, 1},
                           copies = {EMULATOR_SHARED, 1, 16, 1},
                           loads = {EMULATOR_GLOBAL, 0, 16, 1};
    char message[1024];
    cudaError_t error;

    emulator_set_schedule(EMULATOR_FORWARD, 0);
    emulator_check(1);
    try_gemm_of_depth(320, builds[PLANTED_NOTHING], &error, message);
    CHECK(emulator_traffic_ratio(reads) == 1, "%g", emulator_traffic_ratio(reads));
    CHECK(emulator_traffic_ratio(copies) == 1, "%g", emulator_traffic_ratio(copies));
    CHECK(emulator_traffic_ratio(loads) == 1, "%g", emulator_traffic_ratio(loads));
    emulator_check(1);
    try_gemm_of_depth(320, builds[PLANTED_GEMM_NO_SWIZZLE], &error, message);
    CHECK(emulator_traffic_ratio(reads) == 4, "%g", emulator_traffic_ratio(reads));
}

int main(void)
{
    device_begin();
    for (int kernel = SUM; kernel <= GEMM; kernel++)
        test_fault(PLANTED_NOTHING, kernel);
    for (int fault = 1; fault < PLANTED_COUNT; fault++)
        test_fault(fault, rows[fault].kernel);
    test_traffic();
    emulator_check(1);
    return waio_check_result();
}
