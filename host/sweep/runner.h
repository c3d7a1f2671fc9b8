/* Runs a suite: sessions, passes, rows. Knows no terminal: what people see goes through the view.
 */
#ifndef WAIO_SWEEP_RUNNER_H
#define WAIO_SWEEP_RUNNER_H

#include "result/row.h"
#include "sweep/plan.h"

typedef struct waio_run_state {
    const char *config;                         /* canonical text of the row being computed */
    int rows_done, rows_total;                  /* of this process */
    int64_t images_done, images_total, correct; /* of the running pass */
    double pass_seconds;                        /* since the pass began */
    double seconds_left;                        /* estimate; negative: not known yet */
} waio_run_state;

typedef struct waio_run_view {
    void (*progress)(void *payload, const waio_run_state *state);
    void (*row)(void *payload, const waio_row *row); /* a row is on disk */
    void (*note)(void *payload, const char *text);   /* something worth a line */
    void *payload;
} waio_run_view;

typedef struct waio_run_options {
    const char *out; /* results file; NULL: results/<suite>.csv, results/<suite>.shard-i-of-n.csv */
    const waio_backend *backend;
    const char *data_dir, *models_dir;
    int threads;
    int64_t batch, memory;
    bool skip_bad;               /* bad images are left out and counted */
    const char *cache;           /* folder of decoded images; NULL: WAIO_CACHE, then none */
    const waio_reading *reading; /* told while images are decoded; NULL: nobody is */
    int shard, shards;           /* 1 of 1: everything */
    bool no_share;               /* every row redoes all work alone; the same rows, slower */
    bool retry;                  /* rows that failed are computed again */
    const char *details;         /* folder for files beside the rows (details.h); NULL: none */
} waio_run_options;

typedef struct waio_run_summary {
    int rows, ok, mistrusted, failed; /* of this process's rows, resumed ones counted */
    int resumed;                      /* rows that were there already */
    double seconds;
    char path[1024]; /* of the results */
} waio_run_summary;

/* Runs what is missing. Bad configurations become rows with a status and a reason; other errors end
 * the run, everything written stays. WAIO_EINPUT also if the results file has rows that this suite
 * does not give, or rows of another model file, data or backend under the same name. */
waio_status waio_run_suite(waio_run_summary *summary, const waio_suite *suite,
                           const waio_run_options *options, const waio_run_view *view);

/* Puts the rows of `shards` finished shard files into the one file of the unsharded run, in order.
 * WAIO_EINPUT if a row is missing: says which and how many. */
waio_status waio_merge_shards(waio_run_summary *summary, const waio_suite *suite,
                              const waio_run_options *options);

/* Evaluates one configuration outside of a suite into `row`, whose texts live in `arena`. */
waio_status waio_eval_config(waio_row *row, const waio_config *config,
                             const waio_run_options *options, bool verify, int *verified_tensors,
                             const waio_pass_progress *progress, waio_arena *arena);

/* The options of a session of `config` in such a run: what sweeps, eval, quantize and diff open
 * theirs with. Texts are shared with `run` and `config`. */
waio_status waio_run_session_options(waio_session_options *options, const waio_run_options *run,
                                     const waio_config *config);

#endif
