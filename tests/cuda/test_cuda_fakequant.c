/* Fake-quantization of many at once: several grids of one tensor, many tensors with one grid or one
 * per channel, powers of two. Equal to qmath.h and qpo2.h bit for bit. */
#include "cuda/device.h"

#include "kernels/kernels.h"

static int same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b);
}

static void fill(float *x, size_t count, uint32_t *seed)
{
    static const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, -3e38f};

    for (size_t i = 0; i < count; i++)
        x[i] = device_random(seed) % 16 == 0 ? special[device_random(seed) % 7]
                                             : device_random_float(seed) * (i % 2 ? 1.5f : 300.0f);
}

static waio_cuda_grid grid_of(int bits, float scale, int32_t zero_point, int rounding)
{
    int32_t lo = -(1 << (bits - 1)), hi = (1 << (bits - 1)) - 1;
    return (waio_cuda_grid){
        {scale, (float)(lo - zero_point), (float)(hi - zero_point)}, zero_point, rounding};
}

/* ---- several grids of one tensor ---- */

static void test_several(size_t count, size_t stride, size_t offset, int grid_count, uint32_t *seed)
{
    size_t total = stride * (size_t)grid_count, wrong = 0;
    float *x = malloc(count * sizeof *x), *y = malloc(total * sizeof *y);
    waio_cuda_grid grid[WAIO_CUDA_GRIDS];

    fill(x, count, seed);
    for (int b = 0; b < grid_count; b++)
        grid[b] = grid_of(2 + b % 15, 0.01f * (float)(b + 1), b % 3 - 1, b % 2);
    float *src = device_copy(x, count * sizeof *x, offset);
    for (size_t i = 0; i < total; i++)
        y[i] = 77;
    float *dst = device_copy(y, total * sizeof *y, offset);
    CHECK_CUDA(waio_cuda_fake_quantize_several(dst, stride, src, count, grid, grid_count, NULL));
    device_take(y, dst, total * sizeof *y, offset);
    device_free(src, offset);
    for (int b = 0; b < grid_count; b++)
        for (size_t i = 0; i < stride; i++) {
            float want = i < count ? waio_fake_quantize(x[i], grid[b].fq, grid[b].rounding) : 77;
            wrong += !same(y[(size_t)b * stride + i], want);
        }
    CHECK(wrong == 0, "%zu wrong: %zu numbers, stride %zu, %d grids", wrong, count, stride,
          grid_count);
    free(x);
    free(y);
}

/* ---- many tensors ---- */

enum { JOBS = 12 };
static const size_t counts[JOBS] = {1,     0, 4096, 4097,    0,           3,
                                    12288, 5, 1000, 27 * 13, 64 * 9 * 16, 0};
static const size_t inners[JOBS] = {0, 0, 0, 1, 0, 0, 0, 0, 25, 27, 1, 9}; /* 0: one grid */

typedef struct tensor {
    float *x;
    waio_fq *channel;
} tensor;

/* Job j with its memory: host copies in *t, device memory in the result. */
static waio_cuda_fq_job make_job(int j, tensor *t, uint32_t *seed)
{
    waio_cuda_fq_job job = {.count = counts[j], .inner = inners[j], .rounding = j % 2};
    waio_fq symmetric = {0.11f, -7, 7}, asymmetric = {0.37f, -3, 12};
    size_t offset = j % 3 == 0 ? 4 : 0;

    job.weight_rule = j % 4 == 2;
    job.fq = job.weight_rule ? symmetric : asymmetric;
    t->x = malloc((job.count + 1) * sizeof *t->x);
    t->channel = NULL;
    fill(t->x, job.count, seed);
    job.src = device_copy(t->x, job.count * sizeof *t->x, offset);
    job.dst = j % 5 == 0 ? (float *)job.src : device_new(job.count * sizeof *t->x, offset);
    if (job.inner) {
        job.channels = job.count / job.inner < 16 ? job.count / job.inner + 1 : 16;
        t->channel = malloc(job.channels * sizeof *t->channel);
        for (size_t c = 0; c < job.channels; c++)
            t->channel[c] = (waio_fq){0.01f * (float)(c + 1), -8 + (float)(c % 3), 7};
        job.channel_fq = device_copy(t->channel, job.channels * sizeof *t->channel, 0);
    }
    return job;
}

static void check_job(int j, const waio_cuda_fq_job *job, const tensor *t)
{
    float *y = malloc((job->count + 1) * sizeof *y);
    size_t wrong = 0, offset = j % 3 == 0 ? 4 : 0;

    device_take(y, job->dst, job->count * sizeof *y, offset);
    if (job->dst != job->src)
        device_free((void *)job->src, offset);
    if (t->channel)
        device_free((void *)job->channel_fq, 0);
    for (size_t i = 0; i < job->count; i++) {
        waio_fq fq = t->channel ? t->channel[i / job->inner % job->channels] : job->fq;
        float want = job->weight_rule
                         ? waio_fake_quantize_weight(t->x[i], fq.scale, 1.0f / fq.scale, fq.hi,
                                                     job->rounding)
                         : waio_fake_quantize(t->x[i], fq, job->rounding);
        wrong += !same(y[i], want);
    }
    CHECK(wrong == 0, "job %d: %zu of %zu wrong", j, wrong, job->count);
    free(y);
    free(t->x);
    free(t->channel);
}

static void test_jobs(uint32_t *seed)
{
    waio_cuda_fq_job jobs[JOBS];
    tensor tensors[JOBS];

    for (int j = 0; j < JOBS; j++)
        jobs[j] = make_job(j, &tensors[j], seed);
    size_t pieces = waio_cuda_fq_prepare(jobs, JOBS);
    CHECK(pieces == 1 + 1 + 2 + 1 + 3 + 1 + 1 + 1 + 3, "%zu pieces", pieces);
    waio_cuda_fq_job *list = device_copy(jobs, sizeof jobs, 0);
    CHECK_CUDA(waio_cuda_fake_quantize_jobs(list, JOBS, pieces, NULL));
    device_free(list, 0);
    for (int j = 0; j < JOBS; j++)
        check_job(j, &jobs[j], &tensors[j]);
}

/* ---- powers of two ---- */

/* The rule once more, by the mathematics library in double. */
static float map_by_logarithm(float x, waio_po2 p)
{
    double size = fmin(fabs((double)x), (double)p.largest), e = p.least;

    if (x != x)
        return x;
    if (size >= (double)p.tiny && size > 0)
        e = fmax(p.least, fmin(p.most, rint(log2(size))));
    return (float)(x < 0 ? -ldexp(1, (int)e) : ldexp(1, (int)e));
}

static void test_po2(size_t count, size_t offset, waio_po2 p, uint32_t *seed)
{
    float *x = malloc(count * sizeof *x), *y = malloc(count * sizeof *y);
    size_t wrong = 0;

    fill(x, count, seed);
    for (size_t i = 0; i < count; i += 3) /* beside sqrt(2) * 2^e, where the exponent changes */
        x[i] = ldexpf(i % 2 ? 1.41421354f : 1.41421366f, (int)(device_random(seed) % 60) - 40);
    float *src = device_copy(x, count * sizeof *x, offset);
    CHECK_CUDA(waio_cuda_map_to_power_of_two(src, src, count, p, NULL));
    device_take(y, src, count * sizeof *y, offset);
    for (size_t i = 0; i < count; i++)
        wrong += !same(y[i], map_by_logarithm(x[i], p));
    CHECK(wrong == 0, "%zu of %zu wrong, exponents %d to %d", wrong, count, p.least, p.most);
    free(x);
    free(y);
}

static void test_all(uint32_t *seed)
{
    static const size_t sizes[] = {1, 3, 4, 7, 1023, 1024, 1025};
    static const waio_po2 maps[] = {{-8, 7, INFINITY, 1e-7f},
                                    {-128, 127, INFINITY, 1e-7f},
                                    {-4, 0, 1, 1e-7f},
                                    {-2, 1, 1.5f, 1e-7f}};

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        test_several(sizes[s], sizes[s], 0, 1 + (int)s, seed);
        test_several(sizes[s], (sizes[s] + 3) / 4 * 4, 0, 3, seed);
        test_several(sizes[s], sizes[s] + 1, 4, WAIO_CUDA_GRIDS, seed);
        for (size_t m = 0; m < sizeof maps / sizeof *maps; m++)
            test_po2(sizes[s], m % 2 ? 4 : 0, maps[m], seed);
    }
    test_jobs(seed);
}

/* Every access of the wide paths is as wide as it can be, and no sector is touched in vain. */
static void test_traffic(uint32_t *seed)
{
#ifdef WAIO_TEST_CHECKED
    emulator_check(1);
    test_several(4096, 4096, 0, 4, seed);
    CHECK(emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 0, 16, 1}) == 1, "loads");
    CHECK(emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 1, 16, 1}) == 1, "stores");
    CHECK(emulator_traffic_ratio((emulator_traffic){EMULATOR_GLOBAL, 0, 4, 1}) == 0, "narrow");
#else
    (void)seed;
#endif
}

int main(void)
{
    uint32_t seed = 21;
    float one = 1;
    waio_cuda_grid grid = grid_of(8, 1, 0, 0);

    device_begin();
    for (int schedule = 0; schedule < DEVICE_SCHEDULES; schedule++) {
        device_use_schedule(schedule);
        test_all(&seed);
    }
    test_traffic(&seed);
    CHECK(waio_cuda_fake_quantize_several(&one, 1, &one, 2, &grid, 1, NULL) ==
              cudaErrorInvalidValue,
          "results that overlap");
    CHECK(waio_cuda_fake_quantize_several(&one, 1, &one, 1, &grid, WAIO_CUDA_GRIDS + 1, NULL) ==
              cudaErrorInvalidValue,
          "too many grids");
    CHECK(waio_cuda_fake_quantize_several(NULL, 0, NULL, 0, NULL, 0, NULL) == cudaSuccess,
          "nothing to do");
    CHECK(waio_cuda_fake_quantize_jobs(NULL, 0, 0, NULL) == cudaSuccess, "nothing to do");
    CHECK(waio_cuda_fake_quantize_jobs(NULL, 1, 1, NULL) == cudaErrorInvalidValue, "no jobs");
    return device_end();
}
