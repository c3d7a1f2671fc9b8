/* A graph compiled for one backend and one batch size: kernels, memory plan, fallbacks. It holds no
 * precision: weights and quantizers come in at each run through a binding, so that every
 * configuration of a network shares one program. Any range of its nodes can be run, so that
 * configurations can share the results of a prefix. */
#ifndef WAIO_BACKEND_PROGRAM_H
#define WAIO_BACKEND_PROGRAM_H

#include "backend/backend.h"

typedef struct waio_program waio_program;

/* A quantizer on a float value; `enabled` false: the value stays float. Integer values have none:
 * their nodes give codes. */
typedef struct waio_value_quant {
    bool enabled;
    bool half; /* float16 storage instead of codes */
    waio_fq fq;
    int rounding;
} waio_value_quant;

/* What makes a run of a program one configuration. Arrays are indexed by value id; entries of
 * NULL or not enabled are float: the graph's own numbers. */
typedef struct waio_binding {
    const void **constant; /* per value: packed weight, bias or constant operand */
    void **placed; /* the operands once more where the backend's kernels read them: binding.h */
    const waio_value_quant *quant; /* per value: quantizer behind the node that computes it */
    const waio_on_codes *on_codes; /* per node; no `factor`: the node runs on floats. NULL: all */
    /* A float prefix ends before node `boundary`: there the values listed are quantized, so that
     * float readers see them float and quantized readers quantized. No values: no boundary. */
    int boundary;
    const int *boundary_value;
    const waio_value_quant *boundary_quant; /* per listed value */
    int boundary_count;
} waio_binding;

/* Called behind every node with its quantized output; for verification and calibration. `data` of
 * an integer value points to its codes (int8_t, int16_t, as the graph says), `count` of them. */
typedef struct waio_observer_hook {
    void (*value)(void *payload, int id, const float *data, int64_t count);
    void *payload;
} waio_observer_hook;

/* One per thread: activations and scratch memory in the host's memory; `mirror` is their other part
 * if the backend has memory of its own, else NULL. */
typedef struct waio_workspace {
    unsigned char *activations, *scratch;
    struct waio_mirror *mirror;
} waio_workspace;

/* Compiles `graph`, which must outlive the program. `keep_from` is a node index: values that are
 * alive before that node keep their memory to the end, so that nodes from there on can be run
 * several times (node_count: nothing is kept). Nodes that `backend` does not support run on `ref`
 * and are counted. */
waio_status waio_program_compile(waio_program **out, const waio_graph *graph,
                                 const waio_backend *backend, int64_t batch, int keep_from);
void waio_program_free(waio_program *program);

waio_status waio_workspace_create(waio_workspace *workspace, const waio_program *program);
void waio_workspace_free(waio_workspace *workspace);
/* Bytes of the host's memory that one workspace takes. */
size_t waio_workspace_bytes(const waio_program *program);

/* A value's numbers in a workspace, or its codes if it is an integer: batch x shape, in the host's
 * memory. The input is written there before every run from node 0 on (its address may change with
 * each). Anything else is read there after waio_workspace_fetch, or written and handed over with
 * waio_workspace_put. */
float *waio_workspace_value(const waio_workspace *workspace, const waio_program *program, int id);
/* Waits for the runs so far and brings a value's numbers to where waio_workspace_value says. What
 * went wrong in a run of a backend that queues its work may be reported only here. */
waio_status waio_workspace_fetch(const waio_workspace *workspace, const waio_program *program,
                                 int id);
/* The numbers there have been changed: the next run takes them. */
void waio_workspace_put(const waio_workspace *workspace, int id);

/* Runs nodes [first, end). With `resume` the first node's own operation is taken as done and only
 * its quantizer runs; with `suspend` the last node's quantizer does not run, so that a later call
 * can resume there. `hook` may be NULL. */
typedef struct waio_run_range {
    int first, end;
    bool resume, suspend;
} waio_run_range;
waio_status waio_program_run(const waio_program *program, const waio_binding *binding,
                             const waio_workspace *workspace, waio_run_range range,
                             const waio_observer_hook *hook);

/* Whether value `id` is computed (or filled in) up to node `node` and read behind it. */
bool waio_value_crosses(const waio_program *program, int id, int node);

/* Packs a weighted node's weight for its kernel; freed with waio_program_release. */
waio_status waio_program_pack(const waio_program *program, int node, void **packed, size_t *bytes,
                              const void *weight);
/* The same on codes, for nodes that waio_program_takes_codes says so of. */
bool waio_program_takes_codes(const waio_program *program, int node);
waio_status waio_program_pack_codes(const waio_program *program, int node, void **packed,
                                    size_t *bytes, const int8_t *code);
void waio_program_release(const waio_program *program, int node, void *packed);

int64_t waio_program_batch(const waio_program *program);
const waio_graph *waio_program_graph(const waio_program *program);
/* Nodes that run on the reference because the backend lacks them. */
int waio_program_fallbacks(const waio_program *program);
/* The backend that node `node` runs on: the program's, or the reference. */
const waio_backend *waio_program_node_backend(const waio_program *program, int node);

#endif
