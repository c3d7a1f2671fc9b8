#include "sweep/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/details.h"
#include "sweep/row_fill.h"
#include "util/clock.h"
#include "util/file.h"

typedef struct runner {
    const waio_suite *suite;
    const waio_run_options *options;
    const waio_run_view *view;
    waio_run_summary *summary;
    waio_arena *arena;
    waio_plan plan;
    waio_results *results;
    waio_session *session; /* of the pair that runs */
    int session_pair;
    waio_run_state state;
    double started, pass_started;
    int rows_computed, pass_rows;
    bool out_of_order; /* the file's rows will not be in the plan's order: sorted at the end */
    bool fatal;        /* the last error ends the run; it never becomes a row */
} runner;

static void note(const runner *r, const char *text)
{
    if (r->view->note)
        r->view->note(r->view->payload, text);
}

/* ---- the results file ---- */

static waio_status results_path(char *path, size_t size, const waio_suite *suite,
                                const waio_run_options *options, int shard)
{
    int n;

    if (options->out && options->shards == 1)
        n = snprintf(path, size, "%s", options->out);
    else if (options->out)
        n = snprintf(
            path, size, "%.*s.shard-%d-of-%d.csv",
            (int)(strlen(options->out) - (waio_path_has_suffix(options->out, ".csv") ? 4 : 0)),
            options->out, shard, options->shards);
    else if (options->shards == 1)
        n = snprintf(path, size, "results/%s.csv", suite->name);
    else
        n = snprintf(path, size, "results/%s.shard-%d-of-%d.csv", suite->name, shard,
                     options->shards);
    if (n < 0 || (size_t)n >= size)
        return waio_error(WAIO_EUSAGE, "the path of the results is too long");
    return WAIO_OK;
}

static bool has_failed(const waio_row *row)
{
    return strcmp(row->col_status, "failed") == 0 || strcmp(row->col_status, "unsupported") == 0;
}

static void count_status(runner *r, const waio_row *row)
{
    r->summary->rows++;
    if (has_failed(row))
        r->summary->failed++;
    else if (strcmp(row->col_status, "ok") == 0)
        r->summary->ok++;
    else
        r->summary->mistrusted++;
}

/* Takes the rows that are there as done; a row that the plan does not have ends the run. */
static waio_status take_existing(runner *r)
{
    for (int i = 0; i < waio_results_count(r->results); i++) {
        const waio_row *row = waio_results_row(r->results, i);
        int at = waio_plan_find(&r->plan, row->col_config);
        bool other_suite = strcmp(row->col_suite, r->suite->name) != 0;
        if (other_suite || at < 0 || !r->plan.row[at].in_shard)
            return waio_error(WAIO_EINPUT,
                              "%s:%d: this row is of suite \"%s\" and not among the rows that %s "
                              "gives%s (config %s); move the file away, or write elsewhere with "
                              "--out",
                              r->summary->path, waio_results_line(r->results, i), row->col_suite,
                              r->suite->path, at >= 0 && !other_suite ? " in this shard" : "",
                              row->col_config);
        if (strcmp(row->col_backend, r->options->backend->name) != 0)
            return waio_error(WAIO_EINPUT,
                              "%s:%d: this row was computed by backend %s, this run uses %s; move "
                              "the file away, or write elsewhere with --out",
                              r->summary->path, waio_results_line(r->results, i), row->col_backend,
                              r->options->backend->name);
        if (r->plan.row[at].done)
            return waio_error(WAIO_EINPUT, "%s:%d: a row that stands in the file before: %s",
                              r->summary->path, waio_results_line(r->results, i), row->col_config);
        r->plan.row[at].done = true;
        r->summary->resumed++;
        count_status(r, row);
    }
    return WAIO_OK;
}

/* The rows of this pair that are there must come from the same files as the session. */
static waio_status check_identity(const runner *r, const waio_config *config)
{
    const char *model = waio_session_model(r->session)->sha256;
    const char *data = waio_session_dataset(r->session)->sha256;

    for (int i = 0; i < waio_results_count(r->results); i++) {
        const waio_row *row = waio_results_row(r->results, i);
        int at = waio_plan_find(&r->plan, row->col_config);
        if (at < 0 || has_failed(row) || strcmp(r->plan.row[at].config.model, config->model) != 0 ||
            strcmp(r->plan.row[at].config.dataset, config->dataset) != 0)
            continue;
        bool same_model = strcmp(row->col_model_sha256, model) == 0;
        if (!same_model || strcmp(row->col_data_sha256, data) != 0)
            return waio_error(WAIO_EINPUT,
                              "%s:%d: this row was computed with another %s (sha256 %.12s..., now "
                              "%.12s...); move the file away, or write elsewhere with --out",
                              r->summary->path, waio_results_line(r->results, i),
                              same_model ? "data set" : "model file",
                              same_model ? row->col_data_sha256 : row->col_model_sha256,
                              same_model ? data : model);
    }
    return WAIO_OK;
}

static waio_status write_row(runner *r, waio_row *row, int index)
{
    waio_status st = WAIO_OK;

    r->fatal = true;
    WAIO_TRY(st, waio_results_append(r->results, row));
    r->fatal = false;
    r->plan.row[index].done = true;
    r->state.rows_done++;
    r->rows_computed++;
    count_status(r, row);
    if (r->view->row)
        r->view->row(r->view->payload, row);
done:
    return st;
}

/* ---- sessions ---- */

waio_status waio_run_session_options(waio_session_options *options, const waio_run_options *run,
                                     const waio_config *config)
{
    *options = (waio_session_options){.backend = run->backend,
                                      .data_dir = run->data_dir,
                                      .model_paths = {.models_dir = run->models_dir},
                                      .threads = run->threads,
                                      .batch = run->batch,
                                      .memory = run->memory,
                                      .skip_bad = run->skip_bad,
                                      .cache = run->cache,
                                      .reading = run->reading,
                                      .keep_answers = run->details != NULL};
    return waio_config_session_options(options, config);
}

static void update_progress(void *payload, int64_t done, int64_t total, int64_t correct)
{
    runner *r = payload;
    double now = waio_clock();
    double part = total ? r->pass_rows * (double)done / (double)total : 0;
    double computed = r->rows_computed + part;

    r->state.images_done = done;
    r->state.images_total = total;
    r->state.correct = correct;
    r->state.pass_seconds = now - r->pass_started;
    r->state.seconds_left = r->rows_computed ? (now - r->started) / computed *
                                                   (r->state.rows_total - r->state.rows_done - part)
                                             : -1;
    if (r->view->progress)
        r->view->progress(r->view->payload, &r->state);
}

static waio_status open_session(runner *r, waio_session **out, const waio_config *config,
                                const waio_session *float_of)
{
    waio_session_options options;
    waio_pass_progress progress = {update_progress, r};
    waio_status st = waio_run_session_options(&options, r->options, config);

    options.model_paths.beside = waio_path_dir(r->arena, r->suite->path);
    options.float_of = float_of;
    r->pass_started = waio_clock();
    r->pass_rows = 1;
    r->state.config = config->model;
    return st == WAIO_OK
               ? waio_session_open(out, config->model, config->dataset, &options, &progress)
               : st;
}

/* The session of a pair, opened when its first pass comes. */
static waio_status use_session(runner *r, const waio_plan_pass *pass)
{
    waio_status st = WAIO_OK;
    const waio_config *config = &r->plan.row[pass->first].config;

    if (r->session && r->session_pair == pass->pair)
        return WAIO_OK;
    waio_session_close(r->session);
    r->session = NULL;
    r->session_pair = pass->pair;
    WAIO_TRY(st, open_session(r, &r->session, config, NULL));
    st = check_identity(r, config);
    r->fatal = st != WAIO_OK;
done:
    return st;
}

/* ---- passes ---- */

/* Every given row that is missing gets the error as its reason. */
static waio_status fail_rows(runner *r, const int *index, int count, waio_status code)
{
    waio_status st = WAIO_OK;
    waio_row row;
    char *message = waio_arena_strdup(r->arena, waio_error_message());

    for (int k = 0; message && k < count; k++) {
        if (r->plan.row[index[k]].done)
            continue;
        WAIO_TRY(st, waio_row_describe(&row, &r->plan.row[index[k]].config, r->suite->name,
                                       r->options->backend, r->arena));
        waio_error(code, "%s", message);
        WAIO_TRY(st, waio_row_fail(&row, code, r->arena));
        WAIO_TRY(st, write_row(r, &row, index[k]));
    }
done:
    return message ? st : WAIO_ENOMEM;
}

static waio_status conclude_rows(runner *r, waio_session *session, const int *index,
                                 const waio_outcome *outcome, int count)
{
    waio_status st = WAIO_OK;
    waio_row row;

    for (int k = 0; k < count; k++) {
        WAIO_TRY(st, waio_row_describe(&row, &r->plan.row[index[k]].config, r->suite->name,
                                       r->options->backend, r->arena));
        waio_row_identify(&row, session);
        if (r->options->details)
            WAIO_TRY(st, waio_details_write(r->options->details, &r->plan.row[index[k]].config,
                                            session, &outcome[k]));
        WAIO_TRY(st, waio_row_conclude(&row, &r->plan.row[index[k]].config, session, &outcome[k],
                                       count, r->arena));
        WAIO_TRY(st, write_row(r, &row, index[k]));
    }
done:
    return st;
}

/* Runs the given rows, which share a prefix, in one pass of `session`; a single one on any engine.
 */
static waio_status run_rows(runner *r, waio_session *session, const int *index, int count,
                            bool keep_first)
{
    waio_status st = WAIO_OK;
    waio_quant_request request[WAIO_SUITE_MAX_LIST];
    waio_outcome outcome[WAIO_SUITE_MAX_LIST] = {0};
    waio_pass_progress progress = {update_progress, r};

    for (int k = 0; k < count; k++)
        WAIO_TRY(
            st, waio_config_resolve(&request[k], &r->plan.row[index[k]].config, session, r->arena));
    r->state.config = r->plan.row[index[0]].text;
    r->pass_rows = count;
    r->pass_started = waio_clock();
    if (count == 1)
        WAIO_TRY(st, waio_config_run(outcome, &r->plan.row[index[0]].config, session, keep_first,
                                     &progress));
    else
        WAIO_TRY(st, waio_session_pass(session, request, count, keep_first, outcome, &progress));
    WAIO_TRY(st, conclude_rows(r, session, index, outcome, count));
done:
    for (int k = 0; k < count; k++)
        waio_outcome_free(&outcome[k], session);
    return st;
}

/* Alone: everything from reading the model on, again for every row. */
static waio_status run_unshared(runner *r, const int *index, int count)
{
    waio_status st = WAIO_OK;
    waio_session *session = NULL;

    for (int k = 0; k < count; k++) {
        WAIO_TRY(st, open_session(r, &session, &r->plan.row[index[k]].config, r->session));
        WAIO_TRY(st, run_rows(r, session, &index[k], 1, false));
        waio_session_close(session);
        session = NULL;
    }
done:
    waio_session_close(session);
    return st;
}

/* Rows on codes share nothing: each is a network of its own, and fails alone. */
static waio_status run_alone(runner *r, const int *index, int count)
{
    waio_status st = WAIO_OK;

    for (int k = 0; k < count; k++) {
        st = run_rows(r, r->session, &index[k], 1, true);
        if (st == WAIO_EINTERRUPTED || r->fatal)
            break;
        if (st != WAIO_OK)
            WAIO_TRY(st, fail_rows(r, &index[k], 1, st));
    }
done:
    return st;
}

static waio_status run_pass(runner *r, const waio_plan_pass *pass)
{
    waio_status st = WAIO_OK;
    int index[WAIO_SUITE_MAX_LIST], count = 0;

    for (int i = pass->first; i < pass->first + pass->count; i++)
        if (!r->plan.row[i].done && r->plan.row[i].in_shard)
            index[count++] = i;
    if (count == 0)
        return WAIO_OK;
    st = use_session(r, pass);
    if (st == WAIO_OK && pass->baseline)
        st = conclude_rows(r, r->session, index, waio_session_float(r->session), 1);
    else if (st == WAIO_OK && r->options->no_share)
        st = run_unshared(r, index, count);
    else if (st == WAIO_OK && waio_config_is_integer(&r->plan.row[index[0]].config))
        st = run_alone(r, index, count);
    else if (st == WAIO_OK)
        st = run_rows(r, r->session, index, count, true);
    if (st == WAIO_OK || st == WAIO_EINTERRUPTED || r->fatal)
        return st;
    /* A suite of one model and data set that cannot be opened has nothing to go on with. */
    if (!r->session && r->plan.pair_count == 1)
        return st;
    return fail_rows(r, index, count, st);
}

/* Rewrites the file with the rows that `keep` wants, in the order of the plan. */
static waio_status rewrite_rows(runner *r, bool (*keep)(const waio_row *row), int *dropped)
{
    waio_status st = WAIO_OK;
    int rows = waio_results_count(r->results), count = 0;
    int *order = NULL;

    WAIO_NEW(st, order, r->arena, (size_t)(r->plan.row_count + rows));
    for (int p = 0; p < r->plan.row_count; p++)
        for (int i = 0; i < rows; i++) {
            const waio_row *row = waio_results_row(r->results, i);
            if (strcmp(row->col_config, r->plan.row[p].text) == 0 && keep(row))
                order[count++] = i;
        }
    *dropped = rows - count;
    WAIO_TRY(st, waio_results_reorder(r->results, order, count));
done:
    return st;
}

static bool keep_all(const waio_row *row)
{
    (void)row;
    return true;
}

static bool keep_good(const waio_row *row)
{
    return !has_failed(row);
}

/* --retry: failed rows leave the file, and come back computed. */
static waio_status drop_failed_rows(runner *r)
{
    int dropped = 0;
    char text[96];
    waio_status st = rewrite_rows(r, keep_good, &dropped);

    if (st == WAIO_OK && dropped) {
        snprintf(text, sizeof text, "%d failed rows are computed again", dropped);
        note(r, text);
    }
    return st;
}

/* Whether rows that are there stand in another order than the plan's, or behind missing ones: what
 * a --retry leaves that was stopped. */
static bool is_out_of_order(const runner *r)
{
    bool missing = false;

    for (int i = 0, last = -1; i < waio_results_count(r->results); i++) {
        int at = waio_plan_find(&r->plan, waio_results_row(r->results, i)->col_config);
        if (at < last)
            return true;
        last = at;
    }
    for (int i = 0; i < r->plan.row_count; i++) {
        if (!r->plan.row[i].in_shard)
            continue;
        if (r->plan.row[i].done && missing)
            return true;
        missing = missing || !r->plan.row[i].done;
    }
    return false;
}

static waio_status prepare(runner *r)
{
    waio_status st = WAIO_OK;
    const waio_run_options *o = r->options;
    char text[160];

    WAIO_TRY(st, waio_plan_make(&r->plan, r->suite, o->shard, o->shards, r->arena));
    WAIO_TRY(st, results_path(r->summary->path, sizeof r->summary->path, r->suite, o, o->shard));
    WAIO_TRY(st, waio_results_open(&r->results, r->summary->path));
    WAIO_TRY(st, take_existing(r));
    if (o->retry && r->summary->failed) {
        WAIO_TRY(st, drop_failed_rows(r));
        for (int i = 0; i < r->plan.row_count; i++)
            r->plan.row[i].done = false;
        *r->summary = (waio_run_summary){0};
        WAIO_TRY(st,
                 results_path(r->summary->path, sizeof r->summary->path, r->suite, o, o->shard));
        WAIO_TRY(st, take_existing(r));
    }
    r->out_of_order = is_out_of_order(r);
    for (int i = 0; i < r->plan.row_count; i++) {
        r->state.rows_total += r->plan.row[i].in_shard;
        r->state.rows_done += r->plan.row[i].in_shard && r->plan.row[i].done;
    }
    if (r->summary->resumed) {
        snprintf(text, sizeof text, "%d of %d rows are there already%s", r->summary->resumed,
                 r->state.rows_total,
                 r->summary->failed ? "; --retry computes failed ones again" : "");
        note(r, text);
    }
done:
    return st;
}

waio_status waio_run_suite(waio_run_summary *summary, const waio_suite *suite,
                           const waio_run_options *options, const waio_run_view *view)
{
    waio_status st = WAIO_OK;
    runner r = {.suite = suite, .options = options, .view = view, .summary = summary};

    *summary = (waio_run_summary){0};
    r.started = waio_clock();
    r.arena = waio_arena_new();
    if (!r.arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, prepare(&r));
    for (int p = 0; p < r.plan.pass_count; p++)
        WAIO_TRY(st, run_pass(&r, &r.plan.pass[p]));
    if (r.out_of_order)
        WAIO_TRY(st, rewrite_rows(&r, keep_all, &(int){0}));
done:
    summary->seconds = waio_clock() - r.started;
    waio_session_close(r.session);
    waio_results_close(r.results);
    waio_arena_free(r.arena);
    return st;
}

/* ---- shards ---- */

/* The row of the plan in one of the shard files, NULL if none has it. */
static const waio_row *find_in_shards(waio_results *const *shard, int shards, const char *text)
{
    for (int s = 0; s < shards; s++)
        for (int i = 0; i < waio_results_count(shard[s]); i++)
            if (strcmp(waio_results_row(shard[s], i)->col_config, text) == 0)
                return waio_results_row(shard[s], i);
    return NULL;
}

/* Rows of the same model and data set must come from the same files, and all from one backend. */
static waio_status check_origin(const waio_row *row, const waio_row *before)
{
    bool same_pair = strcmp(row->col_model, before->col_model) == 0 &&
                     strcmp(row->col_dataset, before->col_dataset) == 0;
    const char *what = NULL;

    if (strcmp(row->col_backend, before->col_backend) != 0)
        what = "backend";
    else if (same_pair && strcmp(row->col_model_sha256, before->col_model_sha256) != 0)
        what = "model file";
    else if (same_pair && strcmp(row->col_data_sha256, before->col_data_sha256) != 0)
        what = "data set";
    if (!what)
        return WAIO_OK;
    return waio_error(WAIO_EINPUT,
                      "the shards do not go together: some rows of %s on %s were computed with "
                      "another %s; run those shards again",
                      row->col_model, row->col_dataset, what);
}

/* What a run of the whole suite checks when it takes rows up: all of this suite, of one origin. */
static waio_status check_origins(const runner *r, waio_results *const *shard, int shards)
{
    waio_status st = WAIO_OK;
    const waio_row *before = NULL; /* the plan has all rows of a model and data set together */

    for (int i = 0; i < r->plan.row_count; i++) {
        const waio_row *row = find_in_shards(shard, shards, r->plan.row[i].text);
        if (strcmp(row->col_suite, r->suite->name) != 0)
            WAIO_FAIL(st, WAIO_EINPUT,
                      "the shards do not go together: there is a row of suite "
                      "\"%s\", this is \"%s\"",
                      row->col_suite, r->suite->name);
        if (has_failed(row))
            continue;
        if (before)
            WAIO_TRY(st, check_origin(row, before));
        before = row;
    }
done:
    return st;
}

static waio_status merge_rows(runner *r, waio_results *const *shard, int shards)
{
    int missing = 0;
    const char *first_missing = NULL;
    waio_status st = WAIO_OK;

    for (int i = 0; i < r->plan.row_count; i++)
        if (!find_in_shards(shard, shards, r->plan.row[i].text)) {
            missing++;
            first_missing = first_missing ? first_missing : r->plan.row[i].text;
        }
    if (missing)
        return waio_error(WAIO_EINPUT,
                          "%d of %d rows are in none of the %d shard files; the first: %s", missing,
                          r->plan.row_count, shards, first_missing);
    WAIO_TRY(st, check_origins(r, shard, shards));
    WAIO_TRY(st, waio_results_open(&r->results, r->summary->path));
    if (waio_results_count(r->results))
        WAIO_FAIL(st, WAIO_EINPUT,
                  "%s has rows already; move it away, or write elsewhere with "
                  "--out",
                  r->summary->path);
    for (int i = 0; i < r->plan.row_count; i++) {
        const waio_row *row = find_in_shards(shard, shards, r->plan.row[i].text);
        WAIO_TRY(st, waio_results_append(r->results, row));
        count_status(r, row);
    }
done:
    return st;
}

waio_status waio_merge_shards(waio_run_summary *summary, const waio_suite *suite,
                              const waio_run_options *options)
{
    waio_status st = WAIO_OK;
    runner r = {.suite = suite, .options = options, .summary = summary};
    waio_run_options whole = *options;
    waio_results **shard = NULL;
    char path[1024];

    *summary = (waio_run_summary){0};
    r.started = waio_clock();
    r.arena = waio_arena_new();
    if (!r.arena)
        return WAIO_ENOMEM;
    WAIO_NEW(st, shard, r.arena, (size_t)options->shards);
    WAIO_TRY(st, waio_plan_make(&r.plan, suite, 1, 1, r.arena));
    whole.shards = 1;
    WAIO_TRY(st, results_path(summary->path, sizeof summary->path, suite, &whole, 1));
    for (int s = 0; s < options->shards; s++) {
        WAIO_TRY(st, results_path(path, sizeof path, suite, options, s + 1));
        WAIO_TRY(st, waio_results_read(&shard[s], path));
    }
    WAIO_TRY(st, merge_rows(&r, shard, options->shards));
done:
    summary->seconds = waio_clock() - r.started;
    for (int s = 0; shard && s < options->shards; s++)
        waio_results_close(shard[s]);
    waio_results_close(r.results);
    waio_arena_free(r.arena);
    return st;
}

/* ---- a single configuration ---- */

waio_status waio_eval_config(waio_row *row, const waio_config *config, const waio_run_options *o,
                             bool verify, int *verified_tensors, const waio_pass_progress *progress,
                             waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_session *session = NULL;
    waio_session_options options;
    waio_quant_request request;
    waio_outcome outcome = {0};

    if (verify && waio_config_is_file(config))
        WAIO_FAIL(st, WAIO_EUSAGE, "--verify counts the levels of a simulated network");
    WAIO_TRY(st, waio_run_session_options(&options, o, config));
    WAIO_TRY(st, waio_row_describe(row, config, "eval", o->backend, arena));
    WAIO_TRY(st, waio_session_open(&session, config->model, config->dataset, &options, progress));
    WAIO_TRY(st, waio_config_run(&outcome, config, session, false, progress));
    if (o->details)
        WAIO_TRY(st, waio_details_write(o->details, config, session, &outcome));
    waio_row_identify(row, session);
    WAIO_TRY(st, waio_row_conclude(row, config, session, &outcome, 1, arena));
    row->col_model_sha256 = waio_arena_strdup(arena, row->col_model_sha256);
    row->col_data_sha256 = waio_arena_strdup(arena, row->col_data_sha256);
    row->col_resize = waio_arena_strdup(arena, row->col_resize);
    if (!row->col_model_sha256 || !row->col_data_sha256 || !row->col_resize)
        st = WAIO_ENOMEM;
    if (st == WAIO_OK && verify)
        WAIO_TRY(st, waio_config_resolve(&request, config, session, arena));
    if (st == WAIO_OK && verify)
        WAIO_TRY(st, waio_session_verify(session, &request, verified_tensors));
done:
    if (session)
        waio_outcome_free(&outcome, session);
    waio_session_close(session);
    return st;
}
