/* Times of the kernels that memory bounds: quantizers and observers of one large tensor, which no
 * cache holds. Every result is computed once more on the host by the scalar rules. Peer: a copy of
 * the tensor by the runtime. */
#include "backend/cuda/bench_cuda.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRIDS = 4, BINS = 2048, JOBS = 32, CHANNELS = 64 };
enum { LARGE = 1 << 26, SMALL = 1 << 13 };

/* What all cases work on. */
typedef struct elements {
    size_t count;
    float *x, *device_x, *device_y; /* y has room for GRIDS tensors */
    void *scratch;                  /* ranges, counters, errors, jobs */
    void *got;                      /* the host's copy of a result */
    waio_cuda_grid grid[GRIDS];
    waio_fq *channel_fq; /* device, CHANNELS of them, equal to fq below */
    waio_fq *fq;
    size_t pieces;
} elements;

/* How far the range of numbers and codes goes. */
static const float reach = 3.5f;

typedef struct elementwise {
    const char *name;
    double bytes; /* moved per element */
    waio_bench_work *run;
    /* Results that are not the scalar rule's, of how many. */
    waio_status (*check)(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong);
    bool copies; /* the runtime's copy moves as much */
} elementwise;

/* ---- what runs ---- */

#define RUN(function, call)                                                                        \
    static waio_status function(waio_bench *b, void *payload)                                      \
    {                                                                                              \
        waio_status st = WAIO_OK;                                                                  \
        const elements *e = payload;                                                               \
        cudaStream_t stream = b->stream;                                                           \
        CUDA_TRY(st, call);                                                                        \
    done:                                                                                          \
        return st;                                                                                 \
    }

RUN(run_fake_quantize,
    waio_cuda_fake_quantize(e->device_y, e->device_x, e->count, e->grid[0], stream))
RUN(run_several, waio_cuda_fake_quantize_several(e->device_y, e->count, e->device_x, e->count,
                                                 e->grid, GRIDS, stream))
RUN(run_jobs, waio_cuda_fake_quantize_jobs(e->scratch, JOBS, e->pieces, stream))
RUN(run_quantize_8,
    waio_cuda_quantize_qs8((int8_t *)e->device_y, e->device_x, e->count, e->grid[0], stream))
RUN(run_quantize_16,
    waio_cuda_quantize_qs16((int16_t *)e->device_y, e->device_x, e->count, e->grid[0], stream))
RUN(run_dequantize_8, waio_cuda_dequantize_qs8(e->device_y, (const int8_t *)e->device_x, e->count,
                                               e->grid[0].fq.scale, e->grid[0].zero_point, stream))
RUN(run_requantize, waio_cuda_requantize(e->device_y, 8, e->device_x, 8, e->count,
                                         (waio_cuda_requant){.multiplier = waio_multiplier_of(0.37),
                                                             .rounding = WAIO_REQUANT_DOUBLE,
                                                             .src_zero_point = 3,
                                                             .dst_zero_point = -5,
                                                             .lo = -128,
                                                             .hi = 127},
                                         stream))
RUN(run_range, waio_cuda_range_widen(e->scratch, e->device_x, e->count, stream))
RUN(run_histogram,
    waio_cuda_histogram(e->scratch, e->device_x, e->count, -reach, 2 * reach / BINS, BINS, stream))
RUN(run_errors, waio_cuda_squared_errors(e->scratch, (char *)e->scratch + 256, e->device_x,
                                         e->count, e->grid, GRIDS, stream))
RUN(run_copy, cudaMemcpyAsync(e->device_y, e->device_x, e->count * sizeof(float),
                              cudaMemcpyDeviceToDevice, stream))

/* ---- what must come out ---- */

static waio_status fetch(waio_bench *b, elements *e, size_t bytes)
{
    return waio_bench_fetch(b, e->got, e->device_y, bytes);
}

static waio_status check_grids(waio_bench *b, elements *e, int grids, int64_t *checked,
                               int64_t *wrong)
{
    waio_status st = WAIO_OK;
    const float *y = e->got;

    for (int g = 0; g < grids; g++) {
        WAIO_TRY(st, waio_bench_fetch(b, e->got, e->device_y + (size_t)g * e->count,
                                      e->count * sizeof(float)));
        for (size_t i = 0; i < e->count; i++)
            *wrong += y[i] != waio_fake_quantize(e->x[i], e->grid[g].fq, e->grid[g].rounding);
        *checked += (int64_t)e->count;
    }
done:
    return st;
}

static waio_status check_fake_quantize(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong)
{
    return check_grids(b, e, 1, checked, wrong);
}

static waio_status check_several(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong)
{
    return check_grids(b, e, GRIDS, checked, wrong);
}

static waio_status check_jobs(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong)
{
    waio_status st = WAIO_OK;
    const float *y = e->got;
    size_t each = e->count / JOBS;

    WAIO_TRY(st, fetch(b, e, e->count * sizeof *y));
    for (size_t i = 0; i < each * JOBS; i++)
        *wrong +=
            y[i] != waio_fake_quantize(e->x[i], e->fq[i % each % CHANNELS], WAIO_ROUND_HALF_EVEN);
    *checked = (int64_t)(each * JOBS);
done:
    return st;
}

static waio_status check_quantize(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong,
                                  size_t bytes)
{
    waio_status st = WAIO_OK;
    const waio_cuda_grid *g = &e->grid[0];

    WAIO_TRY(st, fetch(b, e, e->count * bytes));
    for (size_t i = 0; i < e->count; i++) {
        int32_t got = bytes == 2 ? ((int16_t *)e->got)[i] : ((int8_t *)e->got)[i];
        *wrong += got != waio_quantize_code(e->x[i], g->fq, g->zero_point, g->rounding);
    }
    *checked = (int64_t)e->count;
done:
    return st;
}

static waio_status check_quantize_8(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong)
{
    return check_quantize(b, e, checked, wrong, 1);
}

static waio_status check_quantize_16(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong)
{
    return check_quantize(b, e, checked, wrong, 2);
}

/* The bytes of the floats serve as codes. */
static waio_status check_dequantize_8(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong)
{
    waio_status st = WAIO_OK;
    const int8_t *x = (const int8_t *)e->x;
    const float *y = e->got;

    WAIO_TRY(st, fetch(b, e, e->count * sizeof *y));
    for (size_t i = 0; i < e->count; i++)
        *wrong += y[i] != waio_dequantize_code(x[i], e->grid[0].fq.scale, e->grid[0].zero_point);
    *checked = (int64_t)e->count;
done:
    return st;
}

static waio_status check_requantize(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong)
{
    waio_status st = WAIO_OK;
    const int8_t *x = (const int8_t *)e->x, *y = e->got;
    waio_multiplier m = waio_multiplier_of(0.37);

    WAIO_TRY(st, fetch(b, e, e->count));
    for (size_t i = 0; i < e->count; i++) {
        int32_t moved = waio_multiply_by_quantized(x[i] - 3, m, 0, WAIO_REQUANT_DOUBLE);
        *wrong += y[i] != waio_finish_code(moved, -5, -128, 127);
    }
    *checked = (int64_t)e->count;
done:
    return st;
}

static waio_status check_range(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong)
{
    waio_status st = WAIO_OK;
    waio_ordered_range range;
    float lo = INFINITY, hi = -INFINITY;

    WAIO_TRY(st, waio_bench_fetch(b, &range, e->scratch, sizeof range));
    for (size_t i = 0; i < e->count; i++) {
        lo = e->x[i] < lo ? e->x[i] : lo;
        hi = e->x[i] > hi ? e->x[i] : hi;
    }
    *checked = 2;
    *wrong = (waio_float_of_ordered(range.min) != lo) + (waio_float_of_ordered(range.max) != hi);
done:
    return st;
}

/* All launches add to the counters: each is the same multiple of the tensor's. */
static waio_status check_histogram(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong)
{
    waio_status st = WAIO_OK;
    static unsigned long long got[BINS], want[BINS];
    unsigned long long all = 0;

    WAIO_TRY(st, waio_bench_fetch(b, got, e->scratch, sizeof got));
    memset(want, 0, sizeof want);
    for (size_t i = 0; i < e->count; i++)
        want[waio_histogram_bin(e->x[i], -reach, 2 * reach / BINS, BINS)]++;
    for (int i = 0; i < BINS; i++)
        all += got[i];
    *checked = BINS;
    *wrong = all == 0 || all % e->count != 0;
    for (int i = 0; i < BINS; i++)
        *wrong += got[i] != all / e->count * want[i];
done:
    return st;
}

/* Of one grid, in the order of qobserve.h. */
static double errors_of(const elements *e, const waio_cuda_grid *g)
{
    double total[WAIO_ERROR_WIDTH] = {0};

    for (size_t piece = 0; piece * WAIO_ERROR_PIECE < e->count; piece++) {
        double sums[WAIO_ERROR_WIDTH];
        for (size_t t = 0; t < WAIO_ERROR_WIDTH; t++) {
            float sum = 0;
            for (size_t j = 0; j < 16; j++) {
                size_t i = piece * WAIO_ERROR_PIECE + 4 * (256 * (j / 4) + t) + j % 4;
                if (i < e->count)
                    sum += waio_squared_error(e->x[i], g->fq, g->rounding);
            }
            sums[t] = (double)sum;
        }
        total[piece % WAIO_ERROR_WIDTH] += waio_tree_sum(sums);
    }
    return waio_tree_sum(total);
}

static waio_status check_errors(waio_bench *b, elements *e, int64_t *checked, int64_t *wrong)
{
    waio_status st = WAIO_OK;
    double got[GRIDS];

    WAIO_TRY(st, waio_bench_fetch(b, got, e->scratch, sizeof got));
    for (int g = 0; g < GRIDS; g++)
        *wrong += got[g] != errors_of(e, &e->grid[g]);
    *checked = GRIDS;
done:
    return st;
}

/* Adding up starts from nothing: the warm-up and all samples are launches of their own. */
static const elementwise cases[] = {
    {"fake_quantize", 8, run_fake_quantize, check_fake_quantize, true},
    {"fake_quantize_several", 4 + 4 * GRIDS, run_several, check_several, false},
    {"fake_quantize_jobs", 8, run_jobs, check_jobs, true},
    {"quantize_qs8", 5, run_quantize_8, check_quantize_8, false},
    {"quantize_qs16", 6, run_quantize_16, check_quantize_16, false},
    {"dequantize_qs8", 5, run_dequantize_8, check_dequantize_8, false},
    {"requantize_qs8", 2, run_requantize, check_requantize, false},
    {"range", 4, run_range, check_range, false},
    {"histogram", 4, run_histogram, check_histogram, false},
    {"squared_errors", 4, run_errors, check_errors, false},
};

/* ---- making ---- */

static void make_grids(elements *e)
{
    for (int g = 0; g < GRIDS; g++) {
        float top = (float)((1 << (7 - g)) - 1);
        e->grid[g] =
            (waio_cuda_grid){{2.9f / top, -top - 1, top}, 0, WAIO_ROUND_HALF_EVEN}; /* it clamps */
    }
    for (int c = 0; c < CHANNELS; c++)
        e->fq[c] = (waio_fq){0.02f + 0.0003f * (float)c, -127, 127};
}

/* JOBS tensors with a quantizer per channel, of the one tensor's parts. */
static waio_status place_jobs(waio_bench *b, elements *e)
{
    waio_status st = WAIO_OK;
    waio_cuda_fq_job jobs[JOBS];
    size_t each = e->count / JOBS;

    for (int i = 0; i < JOBS; i++)
        jobs[i] = (waio_cuda_fq_job){.dst = e->device_y + (size_t)i * each,
                                     .src = e->device_x + (size_t)i * each,
                                     .count = each,
                                     .channel_fq = e->channel_fq,
                                     .inner = 1,
                                     .channels = CHANNELS,
                                     .rounding = WAIO_ROUND_HALF_EVEN};
    e->pieces = waio_cuda_fq_prepare(jobs, JOBS);
    CUDA_TRY(st, cudaMemcpyAsync(e->scratch, jobs, sizeof jobs, cudaMemcpyHostToDevice, b->stream));
    CUDA_TRY(st, cudaStreamSynchronize(b->stream));
done:
    return st;
}

static waio_status make_elements(waio_bench *b, elements *e)
{
    waio_status st = WAIO_OK;
    size_t bytes = e->count * sizeof *e->x;
    size_t errors = 256 + waio_cuda_error_scratch(e->count, GRIDS);
    size_t counters = BINS * sizeof(unsigned long long);
    size_t scratch = errors > counters ? errors : counters;

    WAIO_TRY(st, waio_bench_host(b, &e->x, bytes));
    WAIO_TRY(st, waio_bench_host(b, &e->got, bytes));
    WAIO_TRY(st, waio_bench_host(b, &e->fq, CHANNELS * sizeof *e->fq));
    make_grids(e);
    for (size_t i = 0; i < e->count; i++)
        e->x[i] = reach * (2 * waio_rng_unit(&b->rng) - 1);
    WAIO_TRY(st, waio_bench_place(b, &e->device_x, e->x, bytes));
    WAIO_TRY(st, waio_bench_place(b, &e->device_y, NULL, GRIDS * bytes));
    WAIO_TRY(st, waio_bench_place(b, &e->channel_fq, e->fq, CHANNELS * sizeof *e->fq));
    if (scratch < JOBS * sizeof(waio_cuda_fq_job))
        scratch = JOBS * sizeof(waio_cuda_fq_job);
    WAIO_TRY(st, waio_bench_place(b, &e->scratch, NULL, scratch));
done:
    return st;
}

/* Jobs, an empty range, counters of 0: what the case finds in the scratch memory. */
static waio_status set_scratch(waio_bench *b, elements *e, const elementwise *c)
{
    waio_status st = WAIO_OK;

    if (c->run == run_jobs)
        WAIO_TRY(st, place_jobs(b, e));
    else if (c->run == run_range)
        CUDA_TRY(st, waio_cuda_range_reset(e->scratch, 1, b->stream));
    else
        CUDA_TRY(st, cudaMemsetAsync(e->scratch, 0, BINS * sizeof(unsigned long long), b->stream));
done:
    return st;
}

static waio_status bench_case(waio_bench *b, elements *e, const elementwise *c, const char *shape)
{
    waio_status st = WAIO_OK;
    waio_kernel_time time = {
        .kernel = c->name, .shape = shape, .bytes = c->bytes * (double)e->count};

    if (!waio_bench_wants(b, c->name))
        return WAIO_OK;
    WAIO_TRY(st, set_scratch(b, e, c));
    WAIO_TRY(st, waio_bench_time(b, &time.seconds, c->run, e));
    WAIO_TRY(st, c->check(b, e, &time.checked, &time.wrong));
    if (c->copies) {
        time.peer = "copy";
        WAIO_TRY(st, waio_bench_time(b, &time.peer_seconds, run_copy, e));
    }
    waio_bench_report(b, &time, 0);
done:
    return st;
}

waio_status waio_bench_elementwise(waio_bench *b)
{
    waio_status st = WAIO_OK;
    elements e = {.count = b->request->small ? SMALL : LARGE};
    char shape[48];
    bool any = false;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        any = any || waio_bench_wants(b, cases[i].name);
    if (!any)
        return WAIO_OK;
    snprintf(shape, sizeof shape, "%zu numbers", e.count);
    WAIO_TRY(st, make_elements(b, &e));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        WAIO_TRY(st, bench_case(b, &e, &cases[i], shape));
done:
    waio_bench_drop(b);
    return st;
}
