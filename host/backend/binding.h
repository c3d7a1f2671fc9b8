/* The binding of the float network: every weighted node's weight, packed for its kernel. */
#ifndef WAIO_BACKEND_BINDING_H
#define WAIO_BACKEND_BINDING_H

#include "backend/program.h"

typedef struct waio_float_binding {
    waio_binding binding;  /* for waio_program_run; its `quant` is NULL: set it as wanted */
    const void **constant; /* per value: packed weight, or NULL: the graph's own numbers */
    void **packed;         /* per node: owned; NULL if it has no weight */
    int node_count;
    size_t bytes; /* of all packed weights */
} waio_float_binding;

/* Packs every weight of `program`'s graph. Free with waio_float_binding_free; on failure there is
 * nothing to free. */
waio_status waio_float_binding_create(waio_float_binding *out, const waio_program *program);
void waio_float_binding_free(waio_float_binding *binding);

#endif
