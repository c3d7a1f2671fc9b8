/* waio bench --kernels: the CUDA kernels one by one. */
#ifndef WAIO_CLI_BENCH_KERNELS_H
#define WAIO_CLI_BENCH_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/status.h"

typedef struct waio_kernels_request {
    const char *out;  /* CSV; NULL: only the table */
    const char *only; /* kernels whose name contains this; NULL: all */
    int64_t batch;
    bool small;
} waio_kernels_request;

/* A table on stdout, a CSV as well. `wrong` receives how many kernels gave other results than the
 * scalar rules. WAIO_EUNSUPPORTED with one line where there is no device. */
waio_status waio_bench_kernels(int *wrong, const waio_kernels_request *request);

#endif
