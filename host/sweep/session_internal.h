/* Inside of a session, for session.c, pass.c and verify.c. */
#ifndef WAIO_SWEEP_SESSION_INTERNAL_H
#define WAIO_SWEEP_SESSION_INTERNAL_H

#include "sweep/session.h"

struct waio_session {
    waio_session_options options;
    waio_arena *arena;
    waio_model model;
    waio_dataset *dataset;
    waio_input_table input_table;
    waio_roles roles;
    waio_program *program;
    waio_workspace *workspace; /* one a worker */
    waio_ranges ranges;
    bool calibrated;
    waio_quantizer *quantizer;
    int32_t *float_prediction; /* per image */
    waio_outcome float_outcome;

    /* Outputs of the first layer for all images, of configurations with these bits. */
    float *first_output;
    int first_bits; /* -1: nothing kept */
};

/* A table from bytes to the numbers that the network's input holds in a configuration. */
void waio_input_numbers(waio_input_table *out, const waio_session *session,
                        const waio_quant_binding *binding);

/* Fills the input value with images index[first], ... (`index` NULL: images first, first + 1, ...)
 * of `dataset`, the rest of the batch with zeros. */
void waio_fill_input(const waio_session *session, const waio_dataset *dataset,
                     const waio_input_table *table, const waio_workspace *workspace,
                     const int64_t *index, int64_t first, int64_t images);

/* Runs `work(payload, worker, chunk)` for every chunk on the session's workers; the calling thread
 * reports progress. Ends early on the first error, or when interrupted. */
typedef waio_status waio_chunk_work(void *payload, int worker, int64_t chunk);
waio_status waio_run_chunks(const waio_session *session, int64_t chunks, waio_chunk_work *work,
                            void *payload, void (*tick)(void *payload));

#endif
