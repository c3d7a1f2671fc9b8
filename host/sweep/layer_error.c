/* How far each layer of a quantized network is from its float twin on the same inputs. */
#include "sweep/sensitivity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/session_internal.h"

typedef struct measuring {
    const waio_session *session;
    waio_dataset *images;
    waio_quant_binding quantized, twin;
    waio_input_table table;
    const waio_layer_error *layer; /* per node */
    float **copy;                  /* one a worker: what the twin gave */
    double *noise, *signal;        /* per node and image: sums of squares */
} measuring;

/* ---- one batch ---- */

static void compare_images(const measuring *m, int n, const float *twin, const float *got,
                           int64_t first, int64_t images)
{
    const waio_graph *graph = m->session->model.graph;
    int64_t count = waio_shape_count(&graph->value[graph->node[n].output].shape);

    for (int64_t i = 0; i < images; i++) {
        double noise = 0, signal = 0;
        for (int64_t k = i * count; k < (i + 1) * count; k++) {
            double d = (double)got[k] - (double)twin[k];
            noise += d * d;
            signal += (double)twin[k] * (double)twin[k];
        }
        m->noise[n * m->images->count + first + i] = noise;
        m->signal[n * m->images->count + first + i] = signal;
    }
}

static waio_status measure_chunk(void *payload, int worker, int64_t chunk)
{
    waio_status st = WAIO_OK;
    const measuring *m = payload;
    const waio_session *s = m->session;
    const waio_workspace *workspace = &s->workspace[worker];
    const waio_graph *graph = s->model.graph;
    int64_t batch = waio_program_batch(s->program), first = chunk * batch;
    int64_t images = m->images->count - first < batch ? m->images->count - first : batch;

    waio_fill_input(s->program, m->images, &m->table, workspace, NULL, first, images);
    for (int n = 0; n < graph->node_count; n++) {
        waio_run_range one = {n, n + 1, false, false};
        int id = graph->node[n].output;
        size_t count = (size_t)(images * waio_shape_count(&graph->value[id].shape));
        if (m->layer[n].applies) {
            WAIO_TRY(st, waio_program_run(s->program, &m->twin.binding, workspace, one, NULL));
            WAIO_TRY(st, waio_workspace_fetch(workspace, s->program, id));
            memcpy(m->copy[worker], waio_workspace_value(workspace, s->program, id),
                   count * sizeof(float));
        }
        WAIO_TRY(st, waio_program_run(s->program, &m->quantized.binding, workspace, one, NULL));
        if (!m->layer[n].applies)
            continue;
        WAIO_TRY(st, waio_workspace_fetch(workspace, s->program, id));
        compare_images(m, n, m->copy[worker], waio_workspace_value(workspace, s->program, id),
                       first, images);
    }
done:
    return st;
}

/* ---- all images ---- */

static waio_status prepare(measuring *m, waio_session *s, const waio_quant_request *request,
                           waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = s->model.graph;
    size_t largest = 0;
    waio_dataset_params images = waio_session_images(s);

    images.split = s->options.calibration_split;
    images.selection = (waio_selection){.sample = s->options.calibration_images,
                                        .seed = (uint64_t)s->options.calibration_seed};
    WAIO_TRY(st, waio_dataset_open(&m->images, s->dataset->name, &images));
    WAIO_TRY(st, waio_quantizer_bind(s->quantizer, request, &m->quantized));
    WAIO_TRY(st, waio_quantizer_bind(s->quantizer, &(waio_quant_request){.bits = {32, 32, 32, 32}},
                                     &m->twin));
    waio_input_numbers(&m->table, s, &m->quantized);
    for (int n = 0; n < graph->node_count; n++) {
        size_t count = (size_t)waio_shape_count(&graph->value[graph->node[n].output].shape);
        largest = count > largest ? count : largest;
    }
    WAIO_NEW(st, m->copy, arena, (size_t)s->options.threads);
    for (int t = 0; t < s->options.threads; t++)
        WAIO_NEW(st, m->copy[t], arena, largest * (size_t)waio_program_batch(s->program));
    WAIO_NEW(st, m->noise, arena, (size_t)graph->node_count * (size_t)m->images->count);
    WAIO_NEW(st, m->signal, arena, (size_t)graph->node_count * (size_t)m->images->count);
done:
    return st;
}

/* Image by image in their order, so that neither batches nor threads show. */
static void conclude(waio_layer_error *layer, const measuring *m, int n, const waio_quantizer *q,
                     const waio_quant_request *request)
{
    const waio_graph *graph = waio_quantizer_graph(q);
    int id = graph->node[n].output, bits = waio_quantizer_value_bits(q, request, id);
    double count = (double)waio_shape_count(&graph->value[id].shape);
    double squares = 0, noise = 0, signal = 0;

    for (int64_t i = 0; i < m->images->count; i++) {
        noise += m->noise[n * m->images->count + i];
        signal += m->signal[n * m->images->count + i];
        squares += m->noise[n * m->images->count + i] / count;
    }
    layer->sqnr_db = 10 * log10(signal / noise);
    layer->has_scale = waio_bits_quantized(bits);
    if (layer->has_scale)
        layer->rmse_over_scale = sqrt(squares / (double)m->images->count) /
                                 (double)waio_quantizer_value_params(q, id, bits).scale;
}

static waio_status measure(waio_layer_error *layer, waio_session *s,
                           const waio_quant_request *request)
{
    waio_status st = WAIO_OK;
    measuring m = {.session = s, .layer = layer};
    waio_arena *arena = waio_arena_new();
    int64_t batch = waio_program_batch(s->program);

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, prepare(&m, s, request, arena));
    WAIO_TRY(st,
             waio_run_chunks(s, (m.images->count + batch - 1) / batch, measure_chunk, &m, NULL));
    for (int n = 0; n < s->model.graph->node_count; n++)
        if (layer[n].applies)
            conclude(&layer[n], &m, n, s->quantizer, request);
done:
    waio_quant_binding_free(&m.quantized);
    waio_quant_binding_free(&m.twin);
    waio_dataset_close(m.images);
    waio_arena_free(arena);
    return st;
}

/* ---- kept in the session ---- */

static bool same_bits(const waio_precision *a, const waio_precision *b)
{
    return a->w == b->w && a->a == b->a && a->i == b->i && a->o == b->o;
}

waio_status waio_session_layer_errors(waio_session *s, const waio_precision *bits,
                                      const waio_layer_error **out)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = s->model.graph;
    waio_quant_request request = {.bits = *bits};
    waio_layer_errors *known = s->layer_errors;

    while (known && !same_bits(&known->bits, bits))
        known = known->next;
    if (!known) {
        WAIO_TRY(st, waio_session_calibrate(s));
        WAIO_NEW(st, known, s->arena, 1);
        WAIO_NEW(st, known->layer, s->arena, (size_t)graph->node_count);
        for (int n = 0; n < graph->node_count; n++) {
            const waio_node *node = &graph->node[n];
            bool changes =
                waio_quantizer_value_bits(s->quantizer, &request, node->output) != WAIO_FLOAT ||
                (waio_op_weighted(node->op) &&
                 waio_quantizer_weight_bits(s->quantizer, &request, n) != WAIO_FLOAT);
            known->layer[n] = (waio_layer_error){
                .applies = changes && !waio_op_moves(node), .rmse_over_scale = NAN, .sqnr_db = NAN};
        }
        WAIO_TRY(st, measure(known->layer, s, &request));
        known->bits = *bits;
        known->next = s->layer_errors;
        s->layer_errors = known;
    }
    *out = known->layer;
done:
    return st;
}
