/* A pass: the test set through the network once, for all configurations of one prefix. Per batch:
 * input table, first layer (or its kept outputs), body, then the head once per configuration. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/session_internal.h"
#include "util/clock.h"

typedef enum keep_mode { KEEP_NOTHING, KEEP_STORE, KEEP_LOAD } keep_mode;

typedef struct pass {
    waio_session *session;
    waio_quant_binding *binding; /* one a configuration */
    int count;
    waio_input_table table;
    keep_mode mode;
    waio_answers *answers; /* per configuration */
    const waio_pass_progress *progress;
    atomic_llong done, correct; /* of the first configuration, for the progress line */
} pass;

/* ---- input ---- */

void waio_input_numbers(waio_input_table *out, const waio_session *session,
                        const waio_quant_binding *binding)
{
    const waio_qparams *p = &binding->input_params;

    *out = session->input_table;
    for (int c = 0; c < out->channels; c++)
        for (int x = 0; x < 256; x++) {
            float *number = &out->value[c][x];
            if (binding->input_bits == WAIO_F16) {
                *number = waio_round_to_half(*number);
            } else if (waio_bits_quantized(binding->input_bits)) {
                int code = binding->input_bits <= 8 ? (int8_t)x : x;
                code = code < p->lo ? p->lo : code > p->hi ? p->hi : code;
                *number = session->options.feed == WAIO_FEED_RAW
                              ? waio_dequantize_code(code, p->scale, p->zero_point)
                              : waio_fake_quantize(*number, binding->input_quant.fq,
                                                   binding->input_quant.rounding);
            }
        }
}

/* One image's bytes `x`, `count` of them, as what the table makes of them: to `y`, of `type`. */
static void convert_image(void *y, waio_type type, const unsigned char *x, size_t count,
                          const waio_input_table *table)
{
    size_t channels = (size_t)table->channels;

    for (size_t k = 0; k < count; k += channels)
        for (size_t c = 0; c < channels; c++) {
            float number = table->value[c][x[k + (size_t)table->source[c]]];
            if (type == WAIO_F32)
                ((float *)y)[k + c] = number;
            else if (type == WAIO_S8)
                ((int8_t *)y)[k + c] = (int8_t)number;
            else
                ((int16_t *)y)[k + c] = (int16_t)number;
        }
}

void waio_fill_input(const waio_program *program, const waio_dataset *dataset,
                     const waio_input_table *table, const waio_workspace *workspace,
                     const int64_t *index, int64_t first, int64_t images)
{
    const waio_graph *graph = waio_program_graph(program);
    waio_type type = graph->value[graph->input].type;
    size_t count = (size_t)(dataset->height * dataset->width) * (size_t)table->channels;
    size_t bytes = count * waio_type_bytes(type);
    char *y = (char *)waio_workspace_value(workspace, program, graph->input);

    for (int64_t i = 0; i < images; i++, y += bytes) {
        int64_t at = index ? index[first + i] : first + i;
        convert_image(y, type, dataset->image + (size_t)at * count, count, table);
    }
    memset(y, 0, (size_t)(waio_program_batch(program) - images) * bytes);
}

/* ---- the first layer's outputs ---- */

/* Numbers an image of everything that is computed up to the first layer and read behind it, in
 * value order. */
static size_t kept_per_image(const waio_session *s)
{
    const waio_graph *graph = s->model.graph;
    int first = s->roles.first_weighted;
    size_t count = 0;

    for (int v = 0; v < graph->value_count; v++)
        if (waio_value_crosses(s->program, v, first))
            count += (size_t)waio_shape_count(&graph->value[v].shape);
    return count;
}

static waio_status copy_kept(const waio_session *s, const waio_workspace *workspace, int64_t chunk,
                             bool store)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = s->model.graph;
    int64_t batch = waio_program_batch(s->program);
    float *kept = s->first_output + (size_t)(chunk * batch) * kept_per_image(s);

    for (int v = 0; v < graph->value_count; v++) {
        if (!waio_value_crosses(s->program, v, s->roles.first_weighted))
            continue;
        size_t count = (size_t)(waio_shape_count(&graph->value[v].shape) * batch);
        if (store)
            WAIO_TRY(st, waio_workspace_fetch(workspace, s->program, v));
        float *live = waio_workspace_value(workspace, s->program, v);
        memcpy(store ? kept : live, store ? live : kept, count * sizeof *kept);
        kept += count;
        if (!store)
            waio_workspace_put(workspace, v);
    }
done:
    return st;
}

/* Decides whether this pass makes, uses or ignores kept outputs, and holds the memory for them. */
static waio_status prepare_kept(pass *p, const waio_quant_request *request, bool keep_first)
{
    waio_session *s = p->session;
    int bits = request->first_n == 0 ? request->bits.i : WAIO_FLOAT;
    int64_t batch = waio_program_batch(s->program);
    int64_t chunks = (s->dataset->count + batch - 1) / batch;
    int64_t bytes = chunks * batch * (int64_t)(kept_per_image(s) * sizeof(float));
    int64_t held = waio_session_held_bytes(s);

    p->mode = KEEP_NOTHING;
    for (int n = 0; request->real && n <= s->roles.first_weighted; n++)
        if (request->real[n]) /* what is kept is told apart by I and first_n alone */
            return WAIO_OK;
    if (!keep_first || s->roles.first_weighted == s->roles.last_weighted)
        return WAIO_OK;
    if (s->first_bits == bits) {
        p->mode = KEEP_LOAD;
        return WAIO_OK;
    }
    /* A quarter of the budget is the quantized weights', an eighth stays free. */
    if (bytes > s->options.memory - s->options.memory / 8 * 3 - held)
        return WAIO_OK;
    s->first_bits = -1;
    if (!s->first_output)
        s->first_output = waio_aligned_calloc((size_t)bytes);
    if (!s->first_output)
        return WAIO_ENOMEM;
    p->mode = KEEP_STORE;
    return WAIO_OK;
}

/* ---- one batch ---- */

static waio_status run_prefix(pass *p, const waio_workspace *workspace, int64_t chunk,
                              int64_t first_image, int64_t images)
{
    waio_status st = WAIO_OK;
    const waio_session *s = p->session;
    const waio_binding *binding = &p->binding[0].binding;
    int first = s->roles.first_weighted, head = s->roles.last_weighted;

    if (p->mode == KEEP_LOAD)
        WAIO_TRY(st, copy_kept(s, workspace, chunk, false));
    else
        waio_fill_input(s->program, s->dataset, &p->table, workspace, NULL, first_image, images);
    if (p->mode == KEEP_STORE) {
        /* Up to the first layer, its quantizer (bits A) not yet. */
        WAIO_TRY(st, waio_program_run(s->program, binding, workspace,
                                      (waio_run_range){0, first + 1, false, true}, NULL));
        WAIO_TRY(st, copy_kept(s, workspace, chunk, true));
    }
    bool resume = p->mode != KEEP_NOTHING;
    WAIO_TRY(st, waio_program_run(s->program, binding, workspace,
                                  (waio_run_range){resume ? first : 0, head, resume, false}, NULL));
done:
    return st;
}

static float score_at(const void *score, waio_type type, int64_t i)
{
    return type == WAIO_F32  ? ((const float *)score)[i]
           : type == WAIO_S8 ? ((const int8_t *)score)[i]
                             : ((const int16_t *)score)[i];
}

void waio_predict(int32_t *prediction, const void *score, waio_type type, int classes,
                  int64_t images)
{
    for (int64_t i = 0; i < images; i++) {
        int best = 0;
        float top = score_at(score, type, i * classes);
        bool nan = isnan(top);
        for (int c = 1; c < classes; c++) {
            float one = score_at(score, type, i * classes + c);
            nan = nan || isnan(one);
            best = one > top ? c : best;
            top = one > top ? one : top;
        }
        prediction[i] = nan ? -1 - best : best;
    }
}

static waio_status run_chunk(void *payload, int worker, int64_t chunk)
{
    waio_status st = WAIO_OK;
    pass *p = payload;
    const waio_session *s = p->session;
    const waio_graph *graph = s->model.graph;
    const waio_workspace *workspace = &s->workspace[worker];
    int64_t batch = waio_program_batch(s->program), first = chunk * batch;
    int64_t images = s->dataset->count - first < batch ? s->dataset->count - first : batch;
    waio_run_range head = {s->roles.last_weighted, graph->node_count, false, false};

    WAIO_TRY(st, run_prefix(p, workspace, chunk, first, images));
    for (int k = 0; k < p->count; k++) {
        int64_t correct = 0;
        WAIO_TRY(st, waio_program_run(s->program, &p->binding[k].binding, workspace, head, NULL));
        WAIO_TRY(st, waio_answers_take(&p->answers[k], &correct, s, worker, s->program, workspace,
                                       first, images));
        if (k == 0)
            atomic_fetch_add(&p->correct, correct);
    }
    atomic_fetch_add(&p->done, images);
done:
    return st;
}

static void tick(void *payload)
{
    pass *p = payload;
    if (p->progress && p->progress->update)
        p->progress->update(p->progress->payload, atomic_load(&p->done), p->session->dataset->count,
                            atomic_load(&p->correct));
}

/* ---- the whole pass ---- */

static bool is_float(const waio_precision *bits)
{
    return bits->w == WAIO_FLOAT && bits->a == WAIO_FLOAT && bits->i == WAIO_FLOAT &&
           bits->o == WAIO_FLOAT;
}

static waio_status bind_all(pass *p, const waio_quant_request *request, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    int count = p->count;

    WAIO_NEW(st, p->binding, arena, (size_t)count);
    WAIO_NEW(st, p->answers, arena, (size_t)count);
    for (int k = 0; k < count; k++) {
        WAIO_TRY(st, waio_answers_make(&p->answers[k], p->session, arena));
        WAIO_TRY(st, waio_quantizer_bind(p->session->quantizer, &request[k], &p->binding[k]));
    }
    waio_input_numbers(&p->table, p->session, &p->binding[0]);
done:
    return st;
}

waio_status waio_session_pass(waio_session *s, const waio_quant_request *request, int count,
                              bool keep_first, waio_outcome *outcome,
                              const waio_pass_progress *progress)
{
    waio_status st = WAIO_OK;
    double start = waio_clock();
    waio_arena *arena = waio_arena_new();
    pass p = {.session = s, .count = count, .progress = progress};
    int64_t batch = waio_program_batch(s->program);

    if (!arena)
        return WAIO_ENOMEM;
    for (int k = 0; k < count; k++)
        if (!is_float(&request[k].bits))
            WAIO_TRY(st, waio_session_calibrate(s));
    WAIO_TRY(st, bind_all(&p, request, arena));
    WAIO_TRY(st, prepare_kept(&p, &request[0], keep_first));
    WAIO_TRY(st, waio_run_chunks(s, (s->dataset->count + batch - 1) / batch, run_chunk, &p, tick));
    if (p.mode == KEEP_STORE)
        s->first_bits = request->first_n == 0 ? request->bits.i : WAIO_FLOAT;
    bool baseline = s->float_outcome.images == 0 && is_float(&request[0].bits);
    if (baseline)
        WAIO_TRY(st, waio_answers_keep(s, &p.answers[0], true));
    WAIO_TRY(st, waio_answers_keep(s, &p.answers[0], false));
    double seconds = waio_clock() - start;
    for (int k = 0; k < count; k++) {
        WAIO_TRY(st, waio_count_outcome(&outcome[k], s, &p.answers[k], seconds,
                                        p.binding[k].size_bytes));
        outcome[k].fallbacks = waio_program_fallbacks(s->program);
    }
done:
    for (int k = 0; p.answers && k < count; k++)
        waio_answers_free(&p.answers[k], s);
    for (int k = 0; p.binding && k < count; k++)
        waio_quant_binding_free(&p.binding[k]);
    waio_arena_free(arena);
    return st;
}
