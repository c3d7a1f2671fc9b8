#include "sweep/row_fill.h"

#include <math.h>
#include <string.h>

#include "result/provenance.h"
#include "sweep/mcnemar.h"
#include "sweep/suspects.h"
#include "util/clock.h"
#include "util/file.h"

waio_status waio_row_describe(waio_row *row, const waio_config *c, const char *suite,
                              const waio_backend *backend, waio_arena *arena)
{
    bool baseline = waio_config_is_float(c), file = waio_config_is_file(c);
    char *started = waio_arena_alloc(arena, 21);

    waio_row_clear(row);
    row->col_config = waio_config_text(c, arena);
    if (!started || !row->col_config)
        return WAIO_ENOMEM;
    waio_clock_text(started);
    row->col_suite = suite;
    row->col_task = waio_config_detects(c) ? "detection" : "classification";
    row->col_dataset = c->dataset;
    row->col_split = c->split;
    row->col_model = waio_model_label(c->model, arena);
    if (!row->col_model)
        return WAIO_ENOMEM;
    row->col_preprocess = c->preprocess;
    row->col_resize = waio_config_resize(c);
    row->col_method = baseline ? "float" : c->method;
    row->col_mapping = baseline ? "none" : c->mapping;
    if (!file) {
        row->col_W = waio_bits_text(c->bits.w);
        row->col_A = waio_bits_text(c->bits.a);
        row->col_I = waio_bits_text(c->bits.i);
        row->col_O = waio_bits_text(c->bits.o);
    }
    if (!baseline && !file) {
        waio_scheme_words words = waio_config_words(c);
        row->col_range = words.range;
        row->col_weight_range = words.weight_range;
        row->col_rounding = words.rounding;
        row->col_equalize = words.equalize;
        row->col_absorb = words.absorb;
        row->col_correction = words.correction;
        row->col_granularity = words.granularity;
        row->col_symmetry = waio_arena_printf(arena, "%s/%s", words.weights, words.activations);
        row->col_feed = c->feed;
        row->col_calibration_images = waio_config_calibrates(c) ? c->calibration_images : 0;
        if (!row->col_symmetry)
            return WAIO_ENOMEM;
    }
    row->col_first_n = baseline || file ? 0 : c->first_n;
    row->col_suspects = baseline || file || strcmp(c->suspects, "0") == 0 ? 0 : -1;
    row->col_engine = waio_config_engine(c);
    row->col_requant = waio_config_is_integer(c) ? c->requant : NULL;
    row->col_backend = backend->name;
    row->col_device = waio_backend_device(backend) ? waio_backend_device(backend) : waio_cpu_name();
    row->col_seed = c->seed;
    row->col_metric = waio_config_metric(c);
    row->col_difficult = waio_config_detects(c) ? waio_config_difficult(c) : NULL;
    row->col_version = waio_version();
    row->col_started = started;
    return WAIO_OK;
}

static double percent(int64_t part, int64_t whole)
{
    return whole && part >= 0 ? 100.0 * (double)part / (double)whole : NAN;
}

/* The precision that a file with codes has, read off its layers: input and first layer, last layer,
 * and the first one between them. */
static void describe_file(waio_row *row, const waio_graph *graph)
{
    int layer[3] = {-1, -1, -1}, count = 0; /* first, second, last */

    for (int n = 0; n < graph->node_count; n++)
        if (waio_op_weighted(graph->node[n].op)) {
            layer[count < 2 ? count : 2] = n;
            layer[2] = n;
            count++;
        }
    if (count == 0)
        return;
    const waio_node *hidden = &graph->node[layer[count > 2 ? 1 : 0]];
    row->col_W = waio_bits_text(waio_value_bits(graph, hidden->input[1]));
    row->col_A = waio_bits_text(waio_value_bits(graph, hidden->input[0]));
    row->col_I = waio_bits_text(waio_value_bits(graph, graph->node[layer[0]].input[1]));
    row->col_O = waio_bits_text(waio_value_bits(graph, graph->node[layer[2]].input[1]));
}

void waio_row_identify(waio_row *row, const waio_session *session)
{
    const waio_outcome *baseline = waio_session_float(session);
    const waio_graph *graph = waio_session_model(session)->graph;

    if (waio_graph_is_quantized(graph))
        describe_file(row, graph);
    row->col_images = waio_session_dataset(session)->count;
    row->col_skipped_images = waio_session_dataset(session)->notes.skipped;
    row->col_data_sha256 = waio_session_dataset(session)->sha256;
    row->col_resize = waio_session_dataset(session)->resize;
    row->col_model_sha256 = waio_session_model(session)->sha256;
    row->col_float_value = baseline->images ? baseline->value : NAN;
    row->col_float_bytes = baseline->images ? baseline->size_bytes : -1;
    if (row->col_float_bytes > 0) {
        row->col_checkpoint_bytes = 8 * waio_session_model(session)->params;
        row->col_half_bytes = 2 * waio_session_model(session)->params;
    }
}

/* Why an outcome should not be believed; NULL if it can be. */
static const char *mistrust(const waio_outcome *o, const waio_session *session, waio_arena *arena)
{
    waio_trained trained = waio_session_model(session)->trained;
    int classes = waio_session_dataset(session)->classes;
    double chance = 1.0 / classes, n = (double)o->images;
    double noise = 2 * sqrt(chance * (1 - chance) / n);

    if (trained != WAIO_TRAINED)
        return trained == WAIO_UNTRAINED ? "untrained: the weights are random"
                                         : "untrained: the classifier's weights are random";
    if (o->nan_images)
        return waio_arena_printf(arena, "NaN among the scores of %lld images",
                                 (long long)o->nan_images);
    if (waio_session_detects(session))
        return isnan(o->value) ? "the images have no object that could be found"
               : o->constant   ? "nothing was found on any image"
               : o->value == 0 ? "no box that was found is at an object"
                               : NULL;
    if (o->constant)
        return "every image got the same class";
    if ((double)o->correct / n <= chance + noise)
        return waio_arena_printf(arena, "accuracy at chance (%.1f %% of %d classes)", 100 * chance,
                                 classes);
    return NULL;
}

waio_status waio_row_conclude(waio_row *row, const waio_config *config, waio_session *session,
                              const waio_outcome *o, int share, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    waio_quant_request request;

    WAIO_TRY(st, waio_config_resolve(&request, config, session, arena));
    WAIO_TRY(st, waio_suspects_names(&row->col_suspects, &row->col_suspect_layers, &request,
                                     session, arena));
    row->col_value = o->value;
    row->col_stderr = o->deviation;
    row->col_change_pct = row->col_float_value > 0
                              ? (row->col_float_value - row->col_value) / row->col_float_value * 100
                              : NAN;
    row->col_simulate_value = o->simulate_value;
    row->col_engines_agree_pct = percent(o->engines_agree, o->images);
    row->col_size_bytes = o->size_bytes;
    row->col_fallback_ops = o->fallbacks;
    if (row->col_float_bytes > 0) {
        row->col_agree_pct = percent(o->agree, o->images);
        row->col_lost = o->lost;
        row->col_gained = o->gained;
        row->col_mcnemar_p = o->lost >= 0 ? waio_mcnemar(o->lost, o->gained) : NAN;
        row->col_compression_pct = (1 - (double)o->size_bytes / (double)row->col_float_bytes) * 100;
        row->col_checkpoint_compression_pct =
            (1 - (double)o->size_bytes / (double)row->col_checkpoint_bytes) * 100;
    }
    row->col_images_per_s = (double)o->images / o->seconds;
    row->col_seconds = o->seconds / share;
    row->col_reason = mistrust(o, session, arena);
    row->col_status = row->col_reason ? "mistrusted" : "ok";
    WAIO_TRY(st, waio_session_file_bytes(session, &request, &row->col_file_bytes));
done:
    return st;
}

waio_status waio_row_fail(waio_row *row, waio_status code, waio_arena *arena)
{
    row->col_status = code == WAIO_EUNSUPPORTED ? "unsupported" : "failed";
    row->col_reason = waio_arena_strdup(arena, waio_error_message());
    return row->col_reason ? WAIO_OK : WAIO_ENOMEM;
}
