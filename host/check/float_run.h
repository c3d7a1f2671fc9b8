/* Comparing backends. This file: a network with its own numbers or codes made ready to run on one
 * backend, with all that it owns in one place. */
#ifndef WAIO_CHECK_FLOAT_RUN_H
#define WAIO_CHECK_FLOAT_RUN_H

#include "backend/binding.h"
#include "util/rng.h"

typedef struct waio_float_run {
    waio_program *program;
    waio_float_binding weights;
    waio_workspace workspace;
} waio_float_run;

/* Compiles `graph` (which must outlive the run) and packs its weights. Free with
 * waio_float_run_free; on failure there is nothing to free. `keep_from` as in program.h. */
waio_status waio_float_run_create(waio_float_run *out, const waio_graph *graph,
                                  const waio_backend *backend, int64_t batch, int keep_from);
void waio_float_run_free(waio_float_run *run);

/* A value's numbers (an integer value's codes: cast the pointer): batch x shape, how many there
 * are, and the bytes that they take. */
float *waio_float_run_value(const waio_float_run *run, int id);
/* Brings a value that has been computed there (program.h). */
waio_status waio_float_run_fetch(const waio_float_run *run, int id);
size_t waio_float_run_count(const waio_float_run *run, int id);
size_t waio_float_run_bytes(const waio_float_run *run, int id);

/* Writes `input` (as many numbers or codes as the graph's input has) and runs all nodes. */
waio_status waio_float_run_whole(const waio_float_run *run, const void *input);

/* Fills `data` with numbers in [-1, 1). */
void waio_fill_random(float *data, size_t count, waio_rng *rng);

#endif
