/* What the files that time kernels share (kernel_bench.h): memory of one case, the clock, the row.
 */
#ifndef WAIO_BACKEND_CUDA_BENCH_CUDA_H
#define WAIO_BACKEND_CUDA_BENCH_CUDA_H

#include "backend/cuda/cuda.h"
#include "backend/kernel_bench.h"
#include "util/rng.h"

enum { WAIO_BENCH_BUFFERS = 12 };

typedef struct waio_bench {
    const waio_kernel_bench *request;
    waio_bench_limits limits;
    waio_space *space; /* for its stream and the libraries' handles */
    cudaStream_t stream;
    cudaEvent_t start, end;
    waio_rng rng;
    void *device[WAIO_BENCH_BUFFERS], *host[WAIO_BENCH_BUFFERS]; /* of the case that runs */
    int device_count, host_count;
} waio_bench;

/* Memory until waio_bench_drop; a copy of `src`, or with NULL of no particular bytes. */
waio_status waio_bench_place(waio_bench *b, void *out, const void *src, size_t bytes);
waio_status waio_bench_host(waio_bench *b, void *out, size_t bytes);
/* Bytes of the device on the host, after everything queued is done. */
waio_status waio_bench_fetch(waio_bench *b, void *out, const void *src, size_t bytes);
void waio_bench_drop(waio_bench *b);

/* Queues the work that is timed. */
typedef waio_status waio_bench_work(waio_bench *b, void *payload);
/* Median of several runs, after one that warms up. */
waio_status waio_bench_time(waio_bench *b, double *seconds, waio_bench_work *work, void *payload);

/* Whether kernels of this name were asked for. */
bool waio_bench_wants(const waio_bench *b, const char *kernel);
/* Fills in the limit and hands the row out. `int8_cost`: int8 multiply-adds that one of
 * `operations` / 2 takes on tensor cores; 0: it runs elsewhere. */
void waio_bench_report(waio_bench *b, waio_kernel_time *time, double int8_cost);

/* The files: bench_weighted_cuda.c, bench_elementwise_cuda.c. */
waio_status waio_bench_weighted(waio_bench *b);
waio_status waio_bench_elementwise(waio_bench *b);

/* All of it, for the plug-in. */
waio_status waio_cuda_bench(const waio_kernel_bench *request);

#endif
