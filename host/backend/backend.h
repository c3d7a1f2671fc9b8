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
#include "kernels/squant.h"
#include "util/status.h"

/* A node prepared for a batch; each backend has its own struct behind it. */
typedef struct waio_kernel waio_kernel;

/* A workspace's part of a backend that has memory of its own: activations, scratch memory, queue.
 */
typedef struct waio_space waio_space;

/* A float layer with weights that computes on integers: its input's numbers lie on a grid of at
 * most 8 bits, its weights are int8 codes. A result is (float)sum * factor + bias, `sum` the exact
 * sum of products of codes; each operation is rounded once. */
typedef struct waio_on_codes {
    waio_fq input;       /* the grid; 0 lies on it */
    const float *factor; /* per output channel: the input's scale times the weight's */
} waio_on_codes;

typedef struct waio_kernel_args {
    const void *const *input; /* one per node input; of a weighted node, [1] is packed weight */
    float *output;            /* of an integer value: its codes, int8_t and so on */
    void *scratch;            /* at least scratch_bytes(kernel), 64-byte aligned */
    waio_space *space;        /* of a backend with `memory`, else NULL */
    /* The node's clamp may be left out: a quantizer with the clamp in its bounds comes next. */
    bool clamp_follows;
    /* With clamp_follows, of kernels that `fuses` says it of: the quantizer, to be applied. */
    const waio_fq *quantizer;
    int rounding;
    const waio_on_codes *on_codes; /* not NULL: input[1] was made by pack_codes */
} waio_kernel_args;

/* What a space holds, in bytes. */
typedef struct waio_space_plan {
    size_t activations, scratch;
    size_t input;   /* of a batch of the graph's input */
    size_t reserve; /* that must stay free on the device, for weights */
    bool floats;    /* float layers with weights run in it */
    int nodes;      /* of the graph */
} waio_space_plan;

/* A backend whose activations, weights and scratch memory lie where the host cannot read them. Work
 * is queued and runs in order; only `download` waits. One thread at a time uses a space. */
typedef struct waio_backend_memory {
    /* WAIO_ENOMEM if the device has no room: a smaller batch may have. */
    waio_status (*open)(waio_space **space, const waio_space_plan *plan);
    void (*close)(waio_space *space); /* waits for what is queued; NULL is allowed */
    void *(*activations)(const waio_space *space);
    void *(*scratch)(const waio_space *space);

    /* Where the host writes the next batch's input: `input` bytes, never what is still on its way
     * up. send_input queues the copy to `dst`, a further call of `input` gives another place. */
    void *(*input)(const waio_space *space);
    waio_status (*send_input)(waio_space *space, void *dst);

    /* `src` may be changed as soon as this returns. */
    waio_status (*upload)(waio_space *space, void *dst, const void *src, size_t bytes);
    /* Waits; reports what went wrong in anything queued before. */
    waio_status (*download)(waio_space *space, void *dst, const void *src, size_t bytes);

    /* fake_quantize of `count` numbers in place, queued. */
    waio_status (*fake_quantize)(waio_space *space, float *data, size_t count, waio_fq fq,
                                 int rounding);

    /* A constant that kernels read: a copy, freed with the backend's `release`. */
    waio_status (*place)(void **placed, const void *src, size_t bytes);

    /* How many devices there are; spaces are spread over them, constants are on all. */
    int (*devices)(void);
} waio_backend_memory;

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
     * kernel's own layout, in memory that kernels read; `bytes` says its size. */
    waio_status (*pack)(const waio_kernel *kernel, void **packed, size_t *bytes,
                        const void *weight);
    void (*release)(void *packed); /* NULL: free() */

    waio_status (*run)(const waio_kernel *kernel, const waio_kernel_args *args);
    /* Whether `kernel`, of floats, can apply a quantizer to its result; NULL: none can. */
    bool (*fuses)(const waio_kernel *kernel);

    /* Whether `kernel`, of floats, runs faster on codes, for every configuration; NULL: none does.
     * `pack_codes` is then `pack` for codes of -128..127. */
    bool (*takes_codes)(const waio_kernel *kernel);
    waio_status (*pack_codes)(const waio_kernel *kernel, void **packed, size_t *bytes,
                              const int8_t *code);

    /* dst[i] = fake-quantized src[i] for `count` numbers of the host; src may be dst. */
    void (*fake_quantize)(float *dst, const float *src, size_t count, waio_fq fq, int rounding);

    /* Rounds a layer's weights to codes as waio_squant_round (quant/squant.h) does, to the same
     * ones; everything is host memory. WAIO_EUNSUPPORTED or WAIO_ENOMEM: this layer is for the
     * host. NULL: all are. */
    waio_status (*squant)(float *code, const float *weight, const waio_squant_shape *shape,
                          const waio_squant_grid *grid, int64_t grid_count,
                          waio_squant_stages stages);

    /* NULL: everything lies in the host's memory, and kernels are done when `run` returns. */
    const waio_backend_memory *memory;
} waio_backend;

extern const waio_backend waio_backend_ref, waio_backend_cpu, waio_backend_null;

/* The backends that are part of the program, ends in NULL; `cuda` is loaded (plugin.h). */
extern const waio_backend *const waio_backends[];

/* The backend called `name`. "auto" takes `cuda` if it can run; if it is there and cannot, a line
 * on stderr says why and that `cpu` is taken. WAIO_EUSAGE with the list if there is none of that
 * name, WAIO_EUNSUPPORTED with one line if `cuda` was asked for and cannot run. */
waio_status waio_backend_find(const waio_backend **out, const char *name);

/* With `quiet`, "auto" takes `cpu` without a word. */
void waio_backend_be_quiet(bool quiet);

/* The device that `backend` runs on: a GPU's name and size, "2 x ..." for two; NULL: this machine's
 * processor. */
const char *waio_backend_device(const waio_backend *backend);

#endif
