/* Times of single kernels on a device, each at shapes that networks have: beside what the card can
 * do at most and beside NVIDIA's library for the same work. The cuda plug-in does it (plugin.h). */
#ifndef WAIO_BACKEND_KERNEL_BENCH_H
#define WAIO_BACKEND_KERNEL_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/pack.h"
#include "util/status.h"

/* What the card can do at most, as its driver describes it. */
typedef struct waio_bench_limits {
    const char *device;         /* name and size */
    int processors;             /* multiprocessors */
    double clock, memory_clock; /* Hz; the memory moves two bits per wire and clock */
    int bus_bits;
    int products;            /* int8 multiply-adds per multiprocessor and clock; 0: not known */
    double bytes_per_second; /* 0: not known */
    double int8_per_second;  /* operations: two a multiply-add */
} waio_bench_limits;

/* One kernel at one shape. */
typedef struct waio_kernel_time {
    const char *kernel, *shape;
    double seconds;           /* median of several runs */
    double bytes, operations; /* that must be moved and done at least; operations 0: none counted */
    const char *limit;        /* "memory" or "tensor": which of the two takes longer */
    double limit_seconds;     /* at the card's limit; 0: not known */
    const char *peer;         /* who else did the same work; NULL: nobody */
    double peer_seconds;
    int64_t checked, wrong; /* results compared with the scalar rules */
} waio_kernel_time;

/* A layer of a network, for one image. */
typedef struct waio_bench_layer {
    const char *network;
    int repeats; /* how many of its layers have this shape */
    waio_conv_shape shape;
} waio_bench_layer;

typedef struct waio_kernel_bench {
    bool small;       /* shapes of a few hundred numbers: only to see that everything runs */
    const char *only; /* kernels whose name contains this; NULL: all */
    int64_t batch;    /* of the layers */
    const waio_bench_layer *layer;
    int layer_count;
    void (*begin)(void *payload, const waio_bench_limits *limits);
    void (*row)(void *payload, const waio_kernel_time *time);
    void *payload;
} waio_kernel_bench;

#endif
