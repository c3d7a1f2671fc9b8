/* Bindings: that of the float network, every weighted node's weight packed for its kernel; and
 * constants brought to where a backend with memory of its own reads them. */
#ifndef WAIO_BACKEND_BINDING_H
#define WAIO_BACKEND_BINDING_H

#include "backend/program.h"

/* Copies the constants of `binding` that are no weights to the memory of `program`'s backend, if it
 * has its own; they must not change afterwards. Freed with waio_binding_unplace, which is allowed
 * on a binding that was never placed. */
waio_status waio_binding_place(waio_binding *binding, const waio_program *program);
void waio_binding_unplace(waio_binding *binding, const waio_program *program);

typedef struct waio_float_binding {
    waio_binding binding;  /* for waio_program_run; its `quant` is NULL: set it as wanted */
    const void **constant; /* per value: packed weight, or NULL: the graph's own numbers */
    void **packed;         /* per node: owned; NULL if it has no weight */
    const waio_program *program;
    size_t bytes; /* of all packed weights */
} waio_float_binding;

/* Packs every weight of `program`'s graph. Free with waio_float_binding_free before the program; on
 * failure there is nothing to free. */
waio_status waio_float_binding_create(waio_float_binding *out, const waio_program *program);
void waio_float_binding_free(waio_float_binding *binding);

#endif
