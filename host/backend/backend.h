/* A backend runs the nodes of a graph: one struct of functions. It knows nothing of methods, files
 * or data sets. A node becomes a kernel for a fixed batch; weights are packed once per precision
 * and handed to the kernel at each run, so that configurations share kernels.
 *
 * Kernels are immutable after `create` and may run on several threads at once, each with its own
 * buffers and scratch memory. */
#ifndef WAIO_BACKEND_BACKEND_H
#define WAIO_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>

#include "graph/graph.h"
#include "kernels/qmath.h"
#include "util/status.h"

/* A node prepared for a batch; each backend has its own struct behind it. */
typedef struct waio_kernel waio_kernel;

typedef struct waio_kernel_args {
    const void *const *input; /* one per node input; of a weighted node, [1] is packed weight */
    float *output;            /* of an integer value: its codes, int8_t and so on */
    void *scratch;            /* at least scratch_bytes(kernel), 64-byte aligned */
    /* The node's clamp may be left out: a quantizer with the clamp in its bounds comes next. */
    bool clamp_follows;
} waio_kernel_args;

typedef struct waio_backend {
    const char *name;
    const char *summary; /* a line for `waio info` */

    /* Whether `node` can run here; if not, `reason` receives why (a static text). */
    bool (*supports)(const waio_graph *graph, const waio_node *node, const char **reason);

    /* Prepares `node` for batches of `batch`; the graph must outlive the kernel. */
    waio_status (*create)(waio_kernel **kernel, const waio_graph *graph, const waio_node *node,
                          int64_t batch);
    void (*destroy)(waio_kernel *kernel);
    size_t (*scratch_bytes)(const waio_kernel *kernel);

    /* Brings a weighted node's weight (OHWI or (out,in), as in the graph; floats or codes) into the
     * kernel's own layout: `packed` is released with free(), `bytes` says its size. */
    waio_status (*pack)(const waio_kernel *kernel, void **packed, size_t *bytes,
                        const void *weight);

    waio_status (*run)(const waio_kernel *kernel, const waio_kernel_args *args);

    /* dst[i] = fake-quantized src[i] for `count` numbers; src may be dst. */
    void (*fake_quantize)(float *dst, const float *src, size_t count, waio_fq fq, int rounding);
} waio_backend;

extern const waio_backend waio_backend_ref, waio_backend_cpu, waio_backend_null;

/* All backends of this build, ends in NULL. */
extern const waio_backend *const waio_backends[];

/* The backend called `name`; "auto" takes the fastest one. WAIO_EUSAGE with the list if none. */
waio_status waio_backend_find(const waio_backend **out, const char *name);

#endif
