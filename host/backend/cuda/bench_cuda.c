/* Times of single kernels: the card's limits, the clock, memory of a case. Times come from events
 * on the stream; a sample is as many launches as fill a few milliseconds, so that what a launch
 * costs the host disappears behind the one before. Operands stay where they are between launches:
 * small ones are read from the L2 cache, as in a network whose layers follow each other. */
#include "backend/cuda/bench_cuda.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 7, MOST_LAUNCHES = 500 };
#define SAMPLE_SECONDS 0.004

/* ---- limits ---- */

/* Multiply-adds of int8 per multiprocessor and clock, dense, from NVIDIA's tables of peak rates
 * (TOP/s / 2 / multiprocessors / boost clock). From sm_90 on warpgroup instructions reach it; the
 * mma that these kernels use may have a lower limit. */
static int products_of(int major, int minor)
{
    static const struct {
        int arch, products;
    } known[] = {{75, 1024}, {80, 2048},  {86, 1024},  {87, 1024},  {89, 1024},
                 {90, 4096}, {100, 8192}, {103, 8192}, {120, 1024}, {121, 1024}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].arch == 10 * major + minor)
            return known[i].products;
    return 0;
}

static waio_status read_limits(waio_bench_limits *out)
{
    waio_status st = WAIO_OK;
    const waio_cuda_gpu *gpu = waio_cuda_gpu_now();
    int device = 0, clock = 0, memory_clock = 0; /* kHz */

    CUDA_TRY(st, cudaGetDevice(&device));
    CUDA_TRY(st, cudaDeviceGetAttribute(&clock, cudaDevAttrClockRate, device));
    CUDA_TRY(st, cudaDeviceGetAttribute(&memory_clock, cudaDevAttrMemoryClockRate, device));
    CUDA_TRY(st, cudaDeviceGetAttribute(&out->bus_bits, cudaDevAttrGlobalMemoryBusWidth, device));
    out->device = gpu->text;
    out->processors = gpu->processors;
    out->clock = 1e3 * clock;
    out->memory_clock = 1e3 * memory_clock;
    out->products = products_of(gpu->major, gpu->minor);
    out->bytes_per_second = 2 * out->memory_clock * out->bus_bits / 8;
    out->int8_per_second = 2.0 * out->products * out->processors * out->clock;
done:
    return st;
}

/* ---- memory ---- */

waio_status waio_bench_place(waio_bench *b, void *out, const void *src, size_t bytes)
{
    waio_status st = WAIO_OK;
    void **to = out;

    CUDA_TRY(st, cudaMalloc(&b->device[b->device_count], bytes ? bytes : 1));
    *to = b->device[b->device_count++];
    if (src) {
        CUDA_TRY(st, cudaMemcpyAsync(*to, src, bytes, cudaMemcpyHostToDevice, b->stream));
        CUDA_TRY(st, cudaStreamSynchronize(b->stream));
    }
done:
    return st;
}

waio_status waio_bench_host(waio_bench *b, void *out, size_t bytes)
{
    void **to = out;

    *to = b->host[b->host_count] = malloc(bytes ? bytes : 1);
    if (!*to)
        return waio_error(WAIO_ENOMEM, "out of memory: %zu bytes asked for", bytes);
    b->host_count++;
    return WAIO_OK;
}

waio_status waio_bench_fetch(waio_bench *b, void *out, const void *src, size_t bytes)
{
    waio_status st = WAIO_OK;

    CUDA_TRY(st, cudaMemcpyAsync(out, src, bytes, cudaMemcpyDeviceToHost, b->stream));
    CUDA_TRY(st, cudaStreamSynchronize(b->stream));
done:
    return st;
}

void waio_bench_drop(waio_bench *b)
{
    while (b->device_count)
        if (cudaFree(b->device[--b->device_count]) != cudaSuccess)
            (void)cudaGetLastError();
    while (b->host_count)
        free(b->host[--b->host_count]);
}

/* ---- the clock ---- */

static waio_status sample(waio_bench *b, double *seconds, int launches, waio_bench_work *work,
                          void *payload)
{
    waio_status st = WAIO_OK;
    float milliseconds = 0;

    CUDA_TRY(st, cudaEventRecord(b->start, b->stream));
    for (int i = 0; i < launches; i++)
        WAIO_TRY(st, work(b, payload));
    CUDA_TRY(st, cudaEventRecord(b->end, b->stream));
    CUDA_TRY(st, cudaEventSynchronize(b->end));
    CUDA_TRY(st, cudaEventElapsedTime(&milliseconds, b->start, b->end));
    *seconds = 1e-3 * (double)milliseconds / launches;
done:
    return st;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

waio_status waio_bench_time(waio_bench *b, double *seconds, waio_bench_work *work, void *payload)
{
    waio_status st = WAIO_OK;
    int samples = b->request->small ? 3 : SAMPLES, launches = 1;
    double time[SAMPLES], once = 0;

    WAIO_TRY(st, sample(b, &once, 1, work, payload)); /* warms up */
    WAIO_TRY(st, sample(b, &once, 1, work, payload));
    if (!b->request->small && once < SAMPLE_SECONDS)
        launches = once * MOST_LAUNCHES > SAMPLE_SECONDS ? (int)(SAMPLE_SECONDS / once) + 1
                                                         : MOST_LAUNCHES;
    for (int i = 0; i < samples; i++)
        WAIO_TRY(st, sample(b, &time[i], launches, work, payload));
    qsort(time, (size_t)samples, sizeof *time, ascending);
    *seconds = time[samples / 2];
done:
    return st;
}

/* ---- rows ---- */

bool waio_bench_wants(const waio_bench *b, const char *kernel)
{
    return !b->request->only || strstr(kernel, b->request->only);
}

void waio_bench_report(waio_bench *b, waio_kernel_time *time, double int8_cost)
{
    const waio_bench_limits *l = &b->limits;
    double memory = l->bytes_per_second > 0 ? time->bytes / l->bytes_per_second : 0;
    double tensor = l->int8_per_second > 0 ? int8_cost * time->operations / l->int8_per_second : 0;

    time->limit = tensor > memory ? "tensor" : "memory";
    time->limit_seconds = tensor > memory ? tensor : memory;
    b->request->row(b->request->payload, time);
}

/* ---- all of it ---- */

static void close_bench(waio_bench *b)
{
    waio_bench_drop(b);
    if (b->start)
        (void)cudaEventDestroy(b->start);
    if (b->end)
        (void)cudaEventDestroy(b->end);
    waio_cuda_memory.close(b->space);
}

waio_status waio_cuda_bench(const waio_kernel_bench *request)
{
    waio_status st = WAIO_OK;
    waio_bench b = {.request = request, .rng = {1}};

    WAIO_TRY(st, read_limits(&b.limits));
    WAIO_TRY(st, waio_cuda_memory.open(&b.space, &(waio_space_plan){.input = 1, .floats = true}));
    b.stream = waio_cuda_stream(b.space);
    CUDA_TRY(st, cudaEventCreateWithFlags(&b.start, cudaEventDefault));
    CUDA_TRY(st, cudaEventCreateWithFlags(&b.end, cudaEventDefault));
    request->begin(request->payload, &b.limits);
    WAIO_TRY(st, waio_bench_weighted(&b));
    WAIO_TRY(st, waio_bench_elementwise(&b));
done:
    close_bench(&b);
    return st;
}
