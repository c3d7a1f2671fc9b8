#include "sweep/session_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/equalize.h"
#include "util/file.h"

/* Activations of a batch should stay in a core's cache: this many bytes for the largest node's
 * input and output together, and never more than MAX_BATCH images. Measured, see README. */
enum { CACHE_BYTES = 1 << 20, MAX_BATCH = 64 };
/* Workers that keep one device busy: one's input goes up and another's is made while a third runs.
 */
enum { MOST_DEVICE_WORKERS = 4 };

/* The folder that holds the data set: the one asked for, else the one that the build drew. */
static waio_status find_data_dir(const char **dir, const waio_session_options *options,
                                 const char *dataset, waio_arena *arena)
{
    const waio_dataset_kind *kind = NULL;
    waio_status st = waio_dataset_find(&kind, dataset);
    const char *asked = options->data_dir ? options->data_dir : getenv("WAIO_DATA");
    const char *built = WAIO_BINARY_DIR "/data";

    if (st != WAIO_OK)
        return st;
    const char *folder = waio_dataset_folder(kind, dataset, arena);
    if (!folder)
        return WAIO_ENOMEM;
    const char *in_asked = asked ? waio_path_join(arena, asked, folder) : NULL;
    const char *in_built = waio_path_join(arena, built, folder);
    if (!in_built || (asked && !in_asked))
        return WAIO_ENOMEM;
    bool use_built = !asked || (!waio_dir_exists(in_asked) && waio_dir_exists(in_built));
    *dir = use_built ? built : asked;
    return WAIO_OK;
}

waio_dataset_params waio_session_images(const waio_session *s)
{
    const waio_graph *graph = s->model.graph;
    const waio_shape *in = &graph->value[graph->input].shape;
    const waio_shape *out = &graph->value[graph->output[0]].shape;
    const char *cache = s->options.cache ? s->options.cache : getenv("WAIO_CACHE");
    waio_dataset_params params = {.data_dir = s->options.data_dir,
                                  .split = s->options.split,
                                  .selection = {.count = s->options.images},
                                  .resize = s->options.resize,
                                  .outputs = (int)waio_shape_count(out),
                                  .skip_bad = s->options.skip_bad,
                                  .threads = s->options.threads,
                                  .memory = s->options.memory,
                                  .cache = cache && cache[0] ? cache : NULL,
                                  .reading = s->options.reading,
                                  .keep = true};

    /* What else is no network for pictures; check_fit says so. */
    if (in->rank == 4 && in->dim[1] <= INT32_MAX && in->dim[2] <= INT32_MAX) {
        params.height = (int)in->dim[1];
        params.width = (int)in->dim[2];
    }
    return params;
}

/* The data set of no_images. */
static bool sees_nothing(const waio_dataset *d)
{
    return d->count == 0;
}

static waio_status check_fit(const waio_session *s)
{
    const waio_graph *graph = s->model.graph;
    const waio_dataset *d = s->dataset;
    const waio_shape *in = &graph->value[graph->input].shape;
    const waio_shape *out = &graph->value[graph->output[0]].shape;
    waio_shape image = WAIO_SHAPE(1, d->height, d->width, d->channels);
    char have[64], want[64];

    if (waio_graph_is_quantized(graph) && !s->options.from_file)
        return waio_error(WAIO_EUNSUPPORTED,
                          "model %s is quantized already; it runs as it is with method file",
                          s->model.name);
    if (!waio_graph_is_quantized(graph) && s->options.from_file)
        return waio_error(WAIO_EUSAGE,
                          "model %s is a float network; method file takes networks that are "
                          "quantized already",
                          s->model.name);
    if (!waio_shape_equal(in, &image))
        return waio_error(
            WAIO_EINPUT, "model %s does not fit data set %s: its input is %s, an image is %s",
            s->model.name, d->name, waio_shape_text(in, want), waio_shape_text(&image, have));
    if (sees_nothing(d))
        return WAIO_OK;
    if (d->label && graph->detector)
        return waio_error(WAIO_EINPUT, "model %s is a detector, data set %s has one label an image",
                          s->model.name, d->name);
    if (!d->label && !graph->detector)
        return waio_error(
            WAIO_EINPUT,
            "data set %s has boxes, and nothing says how boxes come of the %d output%s "
            "of model %s; a file MODEL.detector.json beside it can",
            d->name, graph->output_count, graph->output_count == 1 ? "" : "s", s->model.name);
    if (d->label && (graph->output_count != 1 || waio_shape_count(out) != d->classes))
        return waio_error(WAIO_EINPUT,
                          "model %s does not fit data set %s: it has %d output%s of %s, the data "
                          "set has %d classes",
                          s->model.name, d->name, graph->output_count,
                          graph->output_count == 1 ? "" : "s", waio_shape_text(out, want),
                          d->classes);
    return WAIO_OK;
}

static int64_t value_bytes(const waio_graph *graph, int id)
{
    const waio_value *value = &graph->value[id];
    return waio_shape_count(&value->shape) * (int64_t)waio_type_bytes(value->type);
}

int64_t waio_session_held_bytes(const waio_session *s)
{
    const waio_dataset *d = s->dataset;
    int64_t workspaces =
        s->program ? s->options.threads * (int64_t)waio_workspace_bytes(s->program) : 0;
    return waio_dataset_bytes(d) + workspaces;
}

int64_t waio_choose_batch(const waio_session *s, const waio_graph *graph)
{
    int64_t largest = 1;

    if (s->options.backend->memory)
        return MAX_BATCH;
    for (int n = 0; n < graph->node_count; n++) {
        const waio_node *node = &graph->node[n];
        int64_t bytes = value_bytes(graph, node->output);
        if (!waio_value_is_const(graph, node->input[0]))
            bytes += value_bytes(graph, node->input[0]);
        largest = bytes > largest ? bytes : largest;
    }
    int64_t batch = CACHE_BYTES / largest;
    return batch < 1 ? 1 : batch > MAX_BATCH ? MAX_BATCH : batch;
}

waio_status waio_open_workspaces(const waio_session *s, waio_program **program,
                                 waio_workspace *workspace, int keep_from)
{
    const waio_backend *backend = s->options.backend;

    for (;;) {
        waio_status st = WAIO_OK;
        int64_t batch = waio_program_batch(*program);
        const waio_graph *graph = waio_program_graph(*program);
        int open = 0;
        while (open < s->options.threads &&
               (st = waio_workspace_create(&workspace[open], *program)) == WAIO_OK)
            open++;
        if (st == WAIO_OK)
            return WAIO_OK;
        while (open > 0)
            waio_workspace_free(&workspace[--open]);
        if (st != WAIO_ENOMEM || !backend->memory || batch == 1)
            return st;
        fprintf(stderr, "%s: no room on the device for batches of %lld images; trying %lld\n",
                backend->name, (long long)batch, (long long)batch / 2);
        waio_program_free(*program);
        *program = NULL;
        st = waio_program_compile(program, graph, backend, batch / 2, keep_from);
        if (st != WAIO_OK)
            return st;
    }
}

static void release_program(waio_session *s)
{
    waio_quantizer_free(s->quantizer);
    for (int t = 0; s->workspace && t < s->options.threads; t++)
        waio_workspace_free(&s->workspace[t]);
    waio_program_free(s->program);
    s->quantizer = NULL;
    s->workspace = NULL;
    s->program = NULL;
}

static waio_status compile(waio_session *s)
{
    waio_status st = WAIO_OK;
    int64_t batch = s->options.batch ? s->options.batch : waio_choose_batch(s, s->model.graph);

    WAIO_TRY(st, waio_roles_assign(&s->roles, s->model.graph, s->arena));
    WAIO_TRY(st, waio_program_compile(&s->program, s->model.graph, s->options.backend, batch,
                                      s->roles.last_weighted));
    WAIO_NEW(st, s->workspace, s->arena, (size_t)s->options.threads);
    int64_t held = waio_session_held_bytes(s);
    if (held > s->options.memory)
        WAIO_FAIL(st, WAIO_ENOMEM,
                  "model %s on %s needs %lld MiB, the budget is %lld MiB (--memory)", s->model.name,
                  s->dataset->name, (long long)(held >> 20), (long long)(s->options.memory >> 20));
    WAIO_TRY(st, waio_open_workspaces(s, &s->program, s->workspace, s->roles.last_weighted));
    WAIO_TRY(st, waio_quantizer_create(&s->quantizer, s->program, &s->roles, NULL,
                                       &s->options.scheme, 0));
done:
    return st;
}

/* The changes that a scheme makes to the float network before it is quantized, whose predictions
 * are known by now: it is compiled again. */
static waio_status transform(waio_session *s)
{
    waio_status st = WAIO_OK;
    const waio_scheme *scheme = &s->options.scheme;

    if (!scheme->equalize && !scheme->absorb && scheme->correction == WAIO_CORRECT_NOTHING)
        return WAIO_OK;
    release_program(s);
    WAIO_TRY(st, waio_graph_add_biases(s->model.graph));
    if (scheme->equalize)
        WAIO_TRY(st, waio_equalize(s->model.graph));
    if (scheme->absorb)
        WAIO_TRY(st, waio_absorb_biases(s->model.graph));
    WAIO_TRY(st, compile(s));
done:
    return st;
}

static waio_status evaluate_float(waio_session *s, const waio_pass_progress *progress)
{
    waio_status st = WAIO_OK;
    waio_quant_request request = {.bits = {32, 32, 32, 32}};

    const waio_session *of = s->options.float_of;

    if (of && of->dataset->count == s->dataset->count) {
        s->float_outcome = of->float_outcome;
        s->float_borrowed = true;
        return waio_answers_keep(
            s, &(waio_answers){.prediction = of->float_prediction, .found = of->float_found}, true);
    }
    WAIO_TRY(st, waio_session_pass(s, &request, 1, false, &s->float_outcome, progress));
done:
    return st;
}

/* For a session that sees no image: what the network takes and gives. */
static waio_status no_images(waio_dataset **out, const waio_graph *graph, const char *split)
{
    waio_status st = WAIO_OK;
    const waio_shape *in = &graph->value[graph->input].shape;
    waio_dataset *d = calloc(1, sizeof *d);

    if (!d || !(d->arena = waio_arena_new()))
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    d->name = "none";
    d->split = split;
    d->classes = (int)waio_shape_count(&graph->value[graph->output[0]].shape);
    if (in->rank == 4) {
        d->height = (int)in->dim[1];
        d->width = (int)in->dim[2];
        d->channels = (int)in->dim[3];
    }
    *out = d;
    d = NULL;
done:
    waio_dataset_close(d);
    return st;
}

/* The images that are evaluated; without a name, none. */
static waio_status open_images(waio_session *s, const char *dataset,
                               const waio_session_options *options)
{
    waio_status st = WAIO_OK;
    const char *data_dir = NULL;
    char notes[WAIO_NOTES_TEXT];

    if (!dataset) {
        if (waio_scheme_calibrates(&options->scheme))
            WAIO_FAIL(st, WAIO_EUSAGE, "data=... is needed: activations are calibrated on it");
        return no_images(&s->dataset, s->model.graph, options->split);
    }
    WAIO_TRY(st, find_data_dir(&data_dir, options, dataset, s->arena));
    s->options.data_dir = data_dir;
    waio_dataset_params images = waio_session_images(s);
    WAIO_TRY(st, waio_dataset_open(&s->dataset, dataset, &images));
    fputs(waio_dataset_notes_text(s->dataset, notes), stderr);
done:
    return st;
}

waio_status waio_session_open(waio_session **out, const char *model, const char *dataset,
                              const waio_session_options *options,
                              const waio_pass_progress *progress)
{
    waio_status st = WAIO_OK;
    waio_session *s = calloc(1, sizeof *s);

    if (!s || !(s->arena = waio_arena_new()))
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    s->options = *options;
    if (options->backend->memory) {
        int most = MOST_DEVICE_WORKERS * options->backend->memory->devices();
        s->options.threads = options->threads < most ? options->threads : most;
    }
    s->first_bits = -1;
    WAIO_TRY(st, waio_model_load(&s->model, model, &options->model_paths));
    WAIO_TRY(st, open_images(s, dataset, options));
    WAIO_TRY(st, check_fit(s));
    WAIO_TRY(st, waio_preprocess_table(&s->input_table, options->preprocess, s->dataset->channels));
    WAIO_NEW(st, s->float_prediction, s->arena, (size_t)s->dataset->count);
    WAIO_NEW(st, s->last_prediction, s->arena, (size_t)s->dataset->count);
    if (s->model.graph->detector) {
        WAIO_TRY(st, waio_detecting_create(&s->detecting, s->model.graph,
                                           sees_nothing(s->dataset) ? NULL : s->dataset,
                                           s->options.threads, s->arena));
        WAIO_NEW(st, s->float_found, s->arena, (size_t)s->dataset->count);
        WAIO_NEW(st, s->last_found, s->arena, (size_t)s->dataset->count);
    }
    if (!s->options.from_file) {
        WAIO_TRY(st, compile(s));
        if (dataset)
            WAIO_TRY(st, evaluate_float(s, progress));
        WAIO_TRY(st, transform(s));
    }
    *out = s;
    s = NULL;
done:
    waio_session_close(s);
    return st;
}

void waio_session_close(waio_session *s)
{
    if (!s)
        return;
    release_program(s);
    if (s->dataset) {
        waio_found_lists_free(s->float_found, s->dataset->count);
        waio_found_lists_free(s->last_found, s->dataset->count);
    }
    if (!s->float_borrowed)
        waio_kept_answers_free(s->float_outcome.answers);
    waio_dataset_close(s->dataset);
    waio_model_free(&s->model);
    free(s->first_output);
    waio_arena_free(s->arena);
    free(s);
}

waio_status waio_session_lower(waio_session *s, waio_graph **out, const waio_quant_request *request,
                               waio_requant requant)
{
    waio_status st = WAIO_OK;

    if (waio_quantizer_check(s->quantizer, request) != WAIO_OK)
        WAIO_TRY(st, waio_session_calibrate(s));
    WAIO_TRY(st, waio_lower(out, s->quantizer, request, requant));
done:
    return st;
}

/* ---- reading ---- */

const waio_model *waio_session_model(const waio_session *session)
{
    return &session->model;
}

bool waio_session_detects(const waio_session *session)
{
    return session->detecting.detector != NULL;
}

const waio_dataset *waio_session_dataset(const waio_session *session)
{
    return session->dataset;
}

const waio_outcome *waio_session_float(const waio_session *session)
{
    return &session->float_outcome;
}
