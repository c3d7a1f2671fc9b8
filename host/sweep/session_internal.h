/* Inside of a session, for session.c, pass.c and verify.c. */
#ifndef WAIO_SWEEP_SESSION_INTERNAL_H
#define WAIO_SWEEP_SESSION_INTERNAL_H

#include "sweep/detecting.h"
#include "sweep/sensitivity.h"
#include "sweep/session.h"

/* The errors of the layers at one precision; a list. */
typedef struct waio_layer_errors {
    struct waio_layer_errors *next;
    waio_precision bits;
    waio_layer_error *layer; /* per node */
} waio_layer_errors;

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
    waio_moments moments; /* of ranges or corrections without data */
    const float **mean;   /* per value; NULL: biases are not corrected */
    bool calibrated;
    waio_quantizer *quantizer;
    int32_t *float_prediction; /* per image */
    int32_t *last_prediction;  /* the same of the last pass's first configuration */
    waio_outcome float_outcome;
    bool float_borrowed;                       /* its answers are float_of's */
    waio_detecting detecting;                  /* of a detector; detector NULL: a classifier */
    waio_found_list *float_found, *last_found; /* the same for detectors, per image */

    waio_layer_errors *layer_errors; /* what has been measured: layer_error.c */

    /* Outputs of the first layer for all images, of configurations with these bits. */
    float *first_output;
    int first_bits; /* -1: nothing kept */
};

/* A table from bytes to the numbers that the network's input holds in a configuration. */
void waio_input_numbers(waio_input_table *out, const waio_session *session,
                        const waio_quant_binding *binding);

/* Where `input` takes codes: makes the numbers of the table codes of its scale. */
void waio_table_to_codes(waio_input_table *table, const waio_value *input);

/* Fills the input value with images index[first], ... (`index` NULL: images first, first + 1, ...)
 * of `dataset`, the rest of the batch with zeros. Where the input takes codes, the table holds
 * codes. */
void waio_fill_input(const waio_program *program, const waio_dataset *dataset,
                     const waio_input_table *table, const waio_workspace *workspace,
                     const int64_t *index, int64_t first, int64_t images);

/* Per image the index of the largest score or code, the lowest one at ties; -1 - index if a score
 * is NaN. `score` holds `images` x `classes` of `type`. */
void waio_predict(int32_t *prediction, const void *score, waio_type type, int classes,
                  int64_t images);

/* What a network answered, per image: a class, or of a detector boxes. */
typedef struct waio_answers {
    int32_t *prediction;
    float *margin; /* by how much the best score leads; NULL: nobody asked (keep_answers) */
    waio_found_list *found;
} waio_answers;

/* Those of an outcome. */
typedef struct waio_kept_answers {
    waio_arena *arena;
    waio_answers answers;
    int64_t images; /* that `found` has lists of */
} waio_kept_answers;

/* Room for all images, in `arena`; what is found is freed by waio_answers_free. */
waio_status waio_answers_make(waio_answers *out, const waio_session *session, waio_arena *arena);
void waio_answers_free(waio_answers *answers, const waio_session *session);
/* Takes images first .. first + images - 1 from the outputs in `workspace`, which `program` has
 * computed; returns through `correct` how many are right, -1 of a detector. */
waio_status waio_answers_take(waio_answers *answers, int64_t *correct, const waio_session *session,
                              int worker, const waio_program *program,
                              const waio_workspace *workspace, int64_t first, int64_t images);
/* Keeps them as the session's float or last ones. */
waio_status waio_answers_keep(waio_session *session, const waio_answers *answers, bool as_float);
int64_t waio_answers_agree(const waio_session *session, const waio_answers *answers,
                           bool with_float);

waio_detection_metric waio_session_detection_metric(const waio_session *session);
void waio_kept_answers_free(waio_kept_answers *kept); /* NULL is allowed */

waio_status waio_count_outcome(waio_outcome *out, const waio_session *session,
                               const waio_answers *answers, double seconds, int64_t size_bytes);

/* Images that run at once: as many as the caches hold; on a device, as many as keep it busy. */
int64_t waio_choose_batch(const waio_session *session, const waio_graph *graph);
/* Opens workspaces of `program` for all workers. Where a device has no room for them, `program` is
 * replaced by one for half the batch, which a line on stderr says, until there is room or the batch
 * is 1. On failure no workspace is open. */
waio_status waio_open_workspaces(const waio_session *session, waio_program **program,
                                 waio_workspace *workspace, int keep_from);
/* How the session's images are read; another split or selection is the caller's to set. */
waio_dataset_params waio_session_images(const waio_session *session);
/* Bytes that the session holds before any pass. */
int64_t waio_session_held_bytes(const waio_session *session);

/* Runs `work(payload, worker, chunk)` for every chunk on the session's workers; the calling thread
 * reports progress. Ends early on the first error, or when interrupted. */
typedef waio_status waio_chunk_work(void *payload, int worker, int64_t chunk);
waio_status waio_run_chunks(const waio_session *session, int64_t chunks, waio_chunk_work *work,
                            void *payload, void (*tick)(void *payload));

#endif
