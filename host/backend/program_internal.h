/* Inside of a program, for program.c, workspace.c and binding.c. */
#ifndef WAIO_BACKEND_PROGRAM_INTERNAL_H
#define WAIO_BACKEND_PROGRAM_INTERNAL_H

#include "backend/program.h"
#include "graph/memplan.h"

typedef struct waio_step {
    const waio_backend *backend;
    waio_kernel *kernel;
} waio_step;

struct waio_program {
    const waio_graph *graph;
    const waio_backend *backend;
    int64_t batch;
    waio_step *step;      /* per node */
    waio_lifetime *place; /* per value */
    /* Per value: a constant operand of the graph's, copied to the backend's own memory, if kernels
     * there read it. */
    void **placed;
    size_t activation_bytes;
    size_t scratch_bytes, host_scratch_bytes; /* of the backend's kernels; of the host's */
    int fallbacks;
};

/* Bytes of a constant's numbers or codes. */
size_t waio_constant_bytes(const waio_graph *graph, int id);

/* What a workspace has beside the host's memory. */
typedef struct waio_mirror {
    const waio_backend_memory *memory;
    waio_space *space;
    unsigned char *current; /* per value: IN_HOST, IN_SPACE, both */
    void *input;            /* the host's, of the last run from node 0 */
} waio_mirror;

/* ---- workspace.c; on a workspace without mirror, these have nothing to do ---- */

/* A run from node 0 begins: the input has been written anew. */
void waio_workspace_begin(const waio_workspace *workspace, const waio_program *program);
/* The numbers of value `id` are brought to the host (to the backend's memory), if they are not
 * there. */
waio_status waio_workspace_to_host(const waio_workspace *workspace, const waio_program *program,
                                   int id);
waio_status waio_workspace_to_space(const waio_workspace *workspace, const waio_program *program,
                                    int id);
/* A kernel of the host (of the backend's memory) has written value `id`. */
void waio_workspace_wrote(const waio_workspace *workspace, int id, bool in_space);
bool waio_workspace_in_space(const waio_workspace *workspace, int id);
/* Where kernels of the host (of the backend's memory) find value `id`. */
void *waio_workspace_host_value(const waio_workspace *workspace, const waio_program *program,
                                int id);
void *waio_workspace_space_value(const waio_workspace *workspace, const waio_program *program,
                                 int id);

#endif
