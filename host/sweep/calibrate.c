/* What a session knows of activations before anything is quantized: by images, which run through
 * the float network once for the ranges and, where the scheme asks for more, once more for
 * histograms and means; or without any, by the statistics of batch norms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/session_internal.h"
#include "util/rng.h"

/* ---- by images ---- */

/* Sums over a value's channels, exact: numbers as whole multiples of reach / 2^24. */
typedef struct channel_sums {
    int64_t *sum, channels, count;
    double scale;
} channel_sums;

/* What one worker has seen. */
typedef struct observer {
    waio_ranges ranges;
    channel_sums *sums;    /* per value; `sum` NULL: not wanted */
    bool again;            /* the second time */
    int64_t batch, images; /* the first so many of the batch count */
} observer;

typedef struct calibration {
    waio_session *session;
    waio_dataset *dataset;
    int64_t *index; /* of the images, whole batches */
    int64_t count;
    waio_quant_binding binding;
    observer *observer; /* one a worker */
} calibration;

static void observe(void *payload, int id, const float *data, int64_t count)
{
    observer *o = payload;
    channel_sums *s = o->sums ? &o->sums[id] : NULL;

    if (!o->again) {
        waio_ranges_observe(&o->ranges, id, data, count);
        return;
    }
    count = count / o->batch * o->images;
    if (o->ranges.histogram && o->ranges.histogram[id])
        waio_histogram_observe(o->ranges.histogram[id], data, count);
    if (!s || !s->sum)
        return;
    for (int64_t i = 0; i < count; i++)
        s->sum[i % s->channels] += llrint((double)data[i] * s->scale);
    s->count += count / s->channels;
}

static waio_status calibrate_chunk(void *payload, int worker, int64_t chunk)
{
    calibration *c = payload;
    waio_session *s = c->session;
    int64_t batch = waio_program_batch(s->program);
    int input = s->model.graph->input;
    const waio_workspace *workspace = &s->workspace[worker];
    waio_observer_hook hook = {observe, &c->observer[worker]};
    waio_run_range all = {0, s->model.graph->node_count, false, false};

    c->observer[worker].batch = batch;
    c->observer[worker].images =
        c->count - chunk * batch < batch ? c->count - chunk * batch : batch;
    waio_fill_input(s->program, c->dataset, &s->input_table, workspace, c->index, chunk * batch,
                    batch);
    observe(hook.payload, input, waio_workspace_value(workspace, s->program, input),
            batch * waio_shape_count(&s->model.graph->value[input].shape));
    return waio_program_run(s->program, &c->binding.binding, workspace, all, &hook);
}

/* All images of the sample in order; the last batch is filled up with the first ones, which widen
 * no range and are not counted twice. */
static waio_status number_images(calibration *c, int64_t batch, waio_arena *arena)
{
    waio_status st = WAIO_OK;

    c->count = c->dataset->count;
    WAIO_NEW(st, c->index, arena, (size_t)(c->count + batch));
    for (int64_t i = 0; i < c->count + batch; i++)
        c->index[i] = i % c->count;
done:
    return st;
}

static bool wants_histograms(const waio_session *s)
{
    waio_range_rule rule = s->options.scheme.activation_range;
    return rule != WAIO_RANGE_MINMAX && rule != WAIO_RANGE_BATCH_NORM && rule != WAIO_RANGE_NOISE;
}

static bool wants_means(const waio_session *s)
{
    return s->options.scheme.correction == WAIO_CORRECT_EMPIRICAL;
}

/* Room for what the second round sees, in `arena`. */
static waio_status prepare_again(const waio_session *s, observer *o, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = s->model.graph;

    o->again = true;
    memcpy(o->ranges.min, s->ranges.min, (size_t)graph->value_count * sizeof(float));
    memcpy(o->ranges.max, s->ranges.max, (size_t)graph->value_count * sizeof(float));
    if (wants_means(s))
        WAIO_NEW(st, o->sums, arena, (size_t)graph->value_count);
    for (int v = 0; v < graph->value_count; v++) {
        const waio_shape *shape = &graph->value[v].shape;
        float reach = fmaxf(fabsf(s->ranges.min[v]), fabsf(s->ranges.max[v]));
        if (waio_value_is_const(graph, v) || !(s->ranges.min[v] <= s->ranges.max[v]))
            continue;
        if (wants_histograms(s))
            WAIO_TRY(st, waio_ranges_add_histogram(&o->ranges, v, arena));
        if (!wants_means(s))
            continue;
        o->sums[v].channels = shape->rank ? shape->dim[shape->rank - 1] : 1;
        o->sums[v].scale = reach > 0 ? 16777216.0 / (double)reach : 0;
        WAIO_NEW(st, o->sums[v].sum, arena, (size_t)o->sums[v].channels);
    }
done:
    return st;
}

static waio_status merge_histograms(waio_session *s, const calibration *c)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = s->model.graph;

    for (int v = 0; v < graph->value_count; v++)
        for (int t = 0; t < s->options.threads; t++) {
            waio_histogram **seen = c->observer[t].ranges.histogram;
            if (!seen || !seen[v])
                continue;
            if (t == 0)
                WAIO_TRY(st, waio_ranges_add_histogram(&s->ranges, v, s->arena));
            waio_histogram_merge(s->ranges.histogram[v], seen[v]);
        }
done:
    return st;
}

static waio_status merge_means(waio_session *s, const calibration *c)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = s->model.graph;

    WAIO_NEW(st, s->mean, s->arena, (size_t)graph->value_count);
    for (int v = 0; v < graph->value_count; v++) {
        const channel_sums *first = &c->observer[0].sums[v];
        int64_t count = 0;
        float *mean = NULL;
        if (!first->sum)
            continue;
        WAIO_NEW(st, mean, s->arena, (size_t)first->channels);
        for (int t = 0; t < s->options.threads; t++)
            count += c->observer[t].sums[v].count;
        for (int64_t k = 0; count > 0 && first->scale > 0 && k < first->channels; k++) {
            int64_t sum = 0;
            for (int t = 0; t < s->options.threads; t++)
                sum += c->observer[t].sums[v].sum[k];
            mean[k] = (float)((double)sum / first->scale / (double)count);
        }
        s->mean[v] = mean;
    }
done:
    return st;
}

static waio_status run_sample(waio_session *s, calibration *c)
{
    int64_t batch = waio_program_batch(s->program);

    return waio_run_chunks(s, (c->count + batch - 1) / batch, calibrate_chunk, c, NULL);
}

static waio_status see_images(waio_session *s)
{
    waio_status st = WAIO_OK;
    calibration c = {.session = s};
    waio_arena *arena = waio_arena_new();
    waio_quant_request request = {.bits = {32, 32, 32, 32}};
    const waio_graph *graph = s->model.graph;

    if (!arena)
        return WAIO_ENOMEM;
    waio_dataset_params images = waio_session_images(s);
    images.split = s->options.calibration_split;
    images.selection = (waio_selection){.sample = s->options.calibration_images,
                                        .seed = (uint64_t)s->options.calibration_seed};
    WAIO_TRY(st, waio_dataset_open(&c.dataset, s->dataset->name, &images));
    WAIO_TRY(st, number_images(&c, waio_program_batch(s->program), arena));
    WAIO_TRY(st, waio_quantizer_bind(s->quantizer, &request, &c.binding));
    WAIO_NEW(st, c.observer, arena, (size_t)s->options.threads);
    for (int t = 0; t < s->options.threads; t++)
        WAIO_TRY(st, waio_ranges_create(&c.observer[t].ranges, graph, arena));
    WAIO_TRY(st, run_sample(s, &c));
    for (int t = 0; t < s->options.threads; t++)
        waio_ranges_merge(&s->ranges, &c.observer[t].ranges);
    if (!wants_histograms(s) && !wants_means(s))
        goto done;
    for (int t = 0; t < s->options.threads; t++)
        WAIO_TRY(st, prepare_again(s, &c.observer[t], arena));
    WAIO_TRY(st, run_sample(s, &c));
    WAIO_TRY(st, merge_histograms(s, &c));
    if (wants_means(s))
        WAIO_TRY(st, merge_means(s, &c));
done:
    waio_quant_binding_free(&c.binding);
    waio_dataset_close(c.dataset);
    waio_arena_free(arena);
    return st;
}

/* ---- without images ---- */

/* A pixel may be any byte, each as likely as another. */
static waio_moment pixel(const float value[256])
{
    double sum = 0, squares = 0;
    waio_moment m = {.lo = INFINITY, .hi = -INFINITY};

    for (int x = 0; x < 256; x++) {
        sum += (double)value[x];
        squares += (double)value[x] * (double)value[x];
        m.lo = fminf(m.lo, value[x]);
        m.hi = fmaxf(m.hi, value[x]);
    }
    m.mean = m.center = (float)(sum / 256);
    m.std = m.spread = (float)sqrt(fmax(0, squares / 256 - sum / 256 * (sum / 256)));
    return m;
}

static waio_status find_moments(waio_session *s)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = s->model.graph;
    waio_moment input[WAIO_MAX_CHANNELS];

    for (int c = 0; c < s->input_table.channels; c++)
        input[c] = pixel(s->input_table.value[c]);
    WAIO_TRY(st, waio_moments_create(&s->moments, graph, input, s->arena));
    s->ranges.moments = &s->moments;
    if (s->options.scheme.correction != WAIO_CORRECT_ANALYTIC)
        goto done;
    WAIO_NEW(st, s->mean, s->arena, (size_t)graph->value_count);
    for (int v = 0; v < graph->value_count; v++) {
        float *mean = NULL;
        if (!s->moments.channel[v])
            continue;
        WAIO_NEW(st, mean, s->arena, (size_t)s->moments.channels[v]);
        for (int64_t c = 0; c < s->moments.channels[v]; c++)
            mean[c] = s->moments.channel[v][c].mean;
        s->mean[v] = mean;
    }
done:
    return st;
}

/* Images of noise: every byte as likely as another, brought to the network as an image's are. */
enum { NOISE_IMAGES = 32, NOISE_SEED = 1 };

static waio_dataset noise_images(const waio_session *s, unsigned char *bytes)
{
    waio_rng rng = {NOISE_SEED};
    waio_dataset noise = *s->dataset; /* for the sizes */

    noise.count = NOISE_IMAGES;
    noise.image = bytes;
    for (int64_t i = 0; i < NOISE_IMAGES * (int64_t)noise.height * noise.width * noise.channels;
         i++)
        bytes[i] = (unsigned char)waio_rng_below(&rng, 256);
    return noise;
}

typedef struct noise_hook {
    waio_noise *noise; /* per value */
    int64_t batch, images;
} noise_hook;

static void observe_noise(void *payload, int id, const float *data, int64_t count)
{
    const noise_hook *h = payload;
    waio_noise_observe(&h->noise[id], data, count / h->batch * h->images);
}

/* On one thread, since sums are made in order. */
static waio_status see_noise(waio_session *s)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = s->model.graph;
    const waio_workspace *workspace = &s->workspace[0];
    waio_quant_request request = {.bits = {32, 32, 32, 32}};
    waio_quant_binding binding = {0};
    waio_run_range all = {0, graph->node_count, false, false};
    int64_t batch = waio_program_batch(s->program),
            pixels = waio_shape_count(&graph->value[graph->input].shape);
    unsigned char *bytes = malloc((size_t)(NOISE_IMAGES * pixels));

    if (!bytes)
        return waio_error(WAIO_ENOMEM, "out of memory");
    waio_dataset noise = noise_images(s, bytes);
    WAIO_NEW(st, s->ranges.noise, s->arena, (size_t)graph->value_count);
    for (int v = 0; v < graph->value_count; v++)
        s->ranges.noise[v] = waio_noise_new();
    WAIO_TRY(st, waio_quantizer_bind(s->quantizer, &request, &binding));
    for (int64_t first = 0; first < NOISE_IMAGES; first += batch) {
        noise_hook hook = {s->ranges.noise, batch, NOISE_IMAGES - first};
        hook.images = hook.images < batch ? hook.images : batch;
        waio_fill_input(s->program, &noise, &s->input_table, workspace, NULL, first, hook.images);
        observe_noise(&hook, graph->input,
                      waio_workspace_value(workspace, s->program, graph->input), batch * pixels);
        WAIO_TRY(st, waio_program_run(s->program, &binding.binding, workspace, all,
                                      &(waio_observer_hook){observe_noise, &hook}));
    }
done:
    waio_quant_binding_free(&binding);
    free(bytes);
    return st;
}

waio_status waio_session_calibrate(waio_session *s)
{
    waio_status st = WAIO_OK;
    const waio_scheme *scheme = &s->options.scheme;

    if (s->calibrated)
        return WAIO_OK;
    WAIO_TRY(st, waio_ranges_create(&s->ranges, s->model.graph, s->arena));
    s->ranges.rule = scheme->activation_range;
    if (scheme->activation_range == WAIO_RANGE_BATCH_NORM ||
        scheme->correction == WAIO_CORRECT_ANALYTIC)
        WAIO_TRY(st, find_moments(s));
    if (scheme->activation_range == WAIO_RANGE_NOISE)
        WAIO_TRY(st, see_noise(s));
    if (waio_scheme_calibrates(scheme))
        WAIO_TRY(st, see_images(s));
    waio_quantizer_free(s->quantizer);
    s->quantizer = NULL;
    WAIO_TRY(st, waio_quantizer_create(&s->quantizer, s->program, &s->roles, &s->ranges, scheme,
                                       (size_t)s->options.memory / 4));
    waio_quantizer_set_threads(s->quantizer, s->options.threads);
    waio_quantizer_set_means(s->quantizer, s->mean);
    s->calibrated = true;
done:
    return st;
}
