/* What single layers cost: errors against those of a walk by hand, node by node and image by image;
 * branches against a pass for each configuration; suspects as layers of a session. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "backend/ref/ref.h"
#include "open_dataset.h"
#include "sweep/sensitivity.h"
#include "sweep/suspects.h"
#include "tiny_session.h"

static waio_arena *arena;
static const waio_precision eight = {8, 8, 8, 8}, four = {4, 4, 8, 32}, weights = {4, 32, 8, 8};

static waio_session *open_with(const char *model, int64_t batch, int threads)
{
    waio_session_options options = tiny_session_options(batch, threads);
    if (model != tiny_model) /* the walk by hand is the reference's */
        options.backend = &waio_backend_cpu;
    return open_model(model, &options);
}

/* ---- errors of layers ---- */

typedef struct seen {
    float **value; /* per value: one image's numbers behind its node */
} seen;

static void take(void *payload, int id, const float *data, int64_t count)
{
    seen *s = payload;
    s->value[id] = waio_arena_array(arena, (size_t)count, sizeof(float));
    memcpy(s->value[id], data, (size_t)count * sizeof(float));
}

/* The float twin of node `n` on the numbers that the quantized network gave it. */
static const float *twin_of(const waio_graph *g, int n, float *const *value)
{
    const waio_node *node = &g->node[n];
    waio_shape in[WAIO_MAX_INPUTS], out = waio_batched_shape(g, node->output, 1);
    const float *x[WAIO_MAX_INPUTS] = {0};
    float *y = waio_arena_array(arena, (size_t)waio_shape_count(&out), sizeof *y);

    for (int i = 0; i < node->input_count; i++) {
        int id = node->input[i];
        in[i] = waio_batched_shape(g, id, 1);
        x[i] = g->value[id].data ? g->value[id].data : value[id];
    }
    waio_ref_run(&(waio_ref_call){node, in, &out, x, y});
    return y;
}

static void errors_by_hand(const waio_precision *bits)
{
    waio_session *s = open_with(tiny_model, 7, 2);
    const waio_graph *g = s->model.graph;
    const waio_layer_error *error = NULL;
    waio_program *program = NULL;
    waio_workspace workspace;
    waio_quantizer *q = NULL;
    waio_quant_binding b;
    waio_quant_request request = {.bits = *bits};
    waio_dataset *sample = NULL;
    waio_dataset_params params = waio_session_images(s);
    double *squares = waio_arena_array(arena, (size_t)g->node_count, sizeof *squares);
    double *noise = waio_arena_array(arena, (size_t)g->node_count, sizeof *noise);
    double *signal = waio_arena_array(arena, (size_t)g->node_count, sizeof *signal);
    int layers = 0, scales = 0;

    CHECK_OK(waio_session_layer_errors(s, bits, &error));
    CHECK_OK(waio_program_compile(&program, g, &waio_backend_ref, 1, g->node_count));
    CHECK_OK(waio_workspace_create(&workspace, program));
    CHECK_OK(
        waio_quantizer_create(&q, program, &s->roles, &s->ranges, &s->options.scheme, 1 << 20));
    CHECK_OK(waio_quantizer_bind(q, &request, &b));
    params.split = "train";
    params.selection = (waio_selection){.sample = SAMPLE, .seed = 1};
    CHECK_OK(waio_dataset_open(&sample, "shapes", &params));
    for (int64_t i = 0; i < SAMPLE; i++) {
        seen now = {waio_arena_array(arena, (size_t)g->value_count, sizeof(float *))};
        float *x = waio_workspace_value(&workspace, program, g->input);
        for (int k = 0; k < PIXELS; k++)
            x[k] = waio_fake_quantize((float)sample->image[i * PIXELS + k], b.input_quant.fq,
                                      WAIO_ROUND_HALF_AWAY);
        take(&now, g->input, x, PIXELS);
        CHECK_OK(waio_program_run(program, &b.binding, &workspace,
                                  (waio_run_range){0, g->node_count, false, false},
                                  &(waio_observer_hook){take, &now}));
        for (int n = 0; n < g->node_count; n++) {
            int id = g->node[n].output;
            int64_t count = waio_shape_count(&g->value[id].shape);
            const float *twin = twin_of(g, n, now.value);
            double sum = 0;
            for (int64_t k = 0; k < count; k++) {
                double d = (double)now.value[id][k] - (double)twin[k];
                sum += d * d;
                signal[n] += (double)twin[k] * (double)twin[k];
            }
            noise[n] += sum;
            squares[n] += sum / (double)count;
        }
    }
    for (int n = 0; n < g->node_count; n++) {
        int id = g->node[n].output, value_bits = waio_quantizer_value_bits(q, &request, id);
        bool moves = g->node[n].op == WAIO_OP_RESHAPE || g->node[n].op == WAIO_OP_CONCAT ||
                     g->node[n].op == WAIO_OP_MAX_POOL;
        bool layer = waio_op_weighted(g->node[n].op);
        bool tail = value_bits == WAIO_FLOAT &&
                    !(layer && waio_quantizer_weight_bits(q, &request, n) != WAIO_FLOAT);
        CHECK(error[n].applies == !(moves || tail), "node %d (%s)", n, waio_op_name(g->node[n].op));
        if (!error[n].applies)
            continue;
        layers++;
        double db = 10 * log10(signal[n] / noise[n]);
        CHECK(error[n].sqnr_db == db || fabs(error[n].sqnr_db - db) < 1e-9,
              "node %d: %.12g dB, %.12g", n, error[n].sqnr_db, db);
        CHECK(error[n].has_scale == (value_bits != WAIO_FLOAT), "node %d: a scale", n);
        if (!error[n].has_scale) {
            CHECK(isnan(error[n].rmse_over_scale), "node %d has no scale", n);
            continue;
        }
        scales++;
        double want = sqrt(squares[n] / SAMPLE) /
                      (double)waio_quantizer_value_params(q, id, value_bits).scale;
        CHECK(fabs(error[n].rmse_over_scale - want) <= 1e-9 * want, "node %d: %.12g, by hand %.12g",
              n, error[n].rmse_over_scale, want);
    }
    CHECK(layers >= 4 && (scales >= 4 || bits->a == WAIO_FLOAT), "%d layers, %d with a scale",
          layers, scales);
    waio_dataset_close(sample);
    waio_quant_binding_free(&b);
    waio_quantizer_free(q);
    waio_workspace_free(&workspace);
    waio_program_free(program);
    waio_session_close(s);
}

static void errors_are_the_same_everywhere(void)
{
    waio_session *a = open_with("shapes_resnet8", 7, 1), *b = open_with("shapes_resnet8", 16, 3);
    const waio_layer_error *x = NULL, *y = NULL, *again = NULL, *other = NULL;

    CHECK_OK(waio_session_layer_errors(a, &eight, &x));
    CHECK_OK(waio_session_layer_errors(b, &eight, &y));
    CHECK_OK(waio_session_layer_errors(b, &four, &other));
    CHECK_OK(waio_session_layer_errors(b, &eight, &again));
    CHECK(again == y && other != y, "measured once a precision");
    for (int n = 0; n < a->model.graph->node_count; n++) {
        CHECK(x[n].applies == y[n].applies, "node %d", n);
        if (x[n].applies)
            CHECK(x[n].rmse_over_scale == y[n].rmse_over_scale && x[n].sqnr_db == y[n].sqnr_db,
                  "node %d: %.17g and %.17g", n, x[n].rmse_over_scale, y[n].rmse_over_scale);
    }
    CHECK(waio_layer_suspect(&(waio_layer_error){true, true, NAN, 0}, 0.7), "no number");
    CHECK(!waio_layer_suspect(&(waio_layer_error){true, true, 0.7, 0}, 0.7), "at the threshold");
    CHECK(waio_layer_suspect(&(waio_layer_error){true, true, 0.71, 0}, 0.7), "above it");
    CHECK(!waio_layer_suspect(&(waio_layer_error){true, false, NAN, 0}, 0.7), "float output");
    waio_session_close(a);
    waio_session_close(b);
}

/* ---- branches ---- */

static bool same_outcome(const waio_outcome *a, const waio_outcome *b)
{
    return a->images == b->images && a->correct == b->correct && a->agree == b->agree &&
           a->lost == b->lost && a->gained == b->gained && a->nan_images == b->nan_images &&
           a->size_bytes == b->size_bytes && a->value == b->value;
}

/* Any configurations off any trunk, each as in a pass of its own. */
static void branches(const char *model, int64_t batch, int threads, bool mean_bias)
{
    enum { BRANCHES = 24 };
    waio_session_options options = tiny_session_options(batch, threads);
    options.backend = &waio_backend_cpu;
    if (mean_bias)
        options.scheme.correction = WAIO_CORRECT_EMPIRICAL;
    waio_session *s = open_model(model, &options);
    int nodes = s->model.graph->node_count, apart = 0;
    waio_quant_request request[BRANCHES];
    waio_outcome outcome[BRANCHES], alone;

    for (int t = 0; t < 3; t++) {
        bool *all = waio_arena_array(arena, (size_t)nodes, sizeof *all);
        memset(all, true, (size_t)nodes);
        waio_quant_request trunk = {t == 2 ? four : eight, 0, t == 0 ? all : NULL};
        for (int k = 0; k < BRANCHES; k++) {
            bool *real = waio_arena_array(arena, (size_t)nodes, sizeof *real);
            for (int n = 0; n < nodes; n++)
                real[n] = t == 0 ? n != k % nodes : n == k % nodes || (k % 5 == 0 && n > k);
            request[k] = (waio_quant_request){trunk.bits, k == 23 ? 2 : 0, real};
            if (k == 22)
                request[k] = trunk;
            if (k == 21)
                request[k].bits = (waio_precision){32, 32, 32, 32};
        }
        CHECK_OK(waio_session_branches(s, &trunk, request, BRANCHES, outcome, NULL));
        for (int k = 0; k < BRANCHES; k++) {
            CHECK_OK(waio_session_pass(s, &request[k], 1, k % 2, &alone, NULL));
            CHECK(same_outcome(&outcome[k], &alone),
                  "%s, trunk %d, branch %d: %lld right, %lld agree; alone %lld, %lld", model, t, k,
                  (long long)outcome[k].correct, (long long)outcome[k].agree,
                  (long long)alone.correct, (long long)alone.agree);
            apart += alone.agree != s->dataset->count;
        }
    }
    CHECK(apart > 10, "only %d configurations differ from the float network", apart);
    waio_session_close(s);
}

/* ---- the whole table ---- */

static void table(void)
{
    waio_session *s = open_with("shapes_resnet8", 0, 2);
    const waio_graph *g = s->model.graph;
    waio_layer_cost *layer = NULL;
    waio_outcome alone;
    int count = 0;
    bool *real = waio_arena_array(arena, (size_t)g->node_count, sizeof *real);

    CHECK_OK(waio_session_sensitivity(s, &four, &layer, &count, NULL, arena));
    CHECK(count == 14, "%d layers", count); /* of 17: the reshape moves, the last two are float */
    for (int k = 0; k < count; k++)
        for (int only = 0; only < 2; only++) {
            memset(real, only, (size_t)g->node_count);
            real[layer[k].node] = !only;
            CHECK_OK(
                waio_session_pass(s, &(waio_quant_request){four, 0, real}, 1, false, &alone, NULL));
            CHECK(alone.value == (only ? layer[k].value_only : layer[k].value_all_but),
                  "%s, only %d: %g", g->node[layer[k].node].name, only, alone.value);
        }
    waio_session_close(s);
}

/* ---- suspects ---- */

static void suspects(void)
{
    waio_session *s = open_with("shapes_resnet8", 0, 2);
    const waio_graph *g = s->model.graph;
    const waio_layer_error *error = NULL;
    waio_quant_request r = {.bits = eight};
    const char *names = NULL;
    int64_t count = 0;
    int above = 0;

    CHECK_OK(waio_suspects_resolve(&r, "0", s, arena));
    CHECK(!r.real, "none");
    CHECK_OK(waio_suspects_resolve(&r, "conv2d_3+dense", s, arena));
    for (int n = 0; n < g->node_count; n++)
        CHECK(r.real[n] == (strcmp(g->node[n].name, "conv2d_3") == 0 ||
                            strcmp(g->node[n].name, "dense") == 0),
              "%s", g->node[n].name);
    CHECK_OK(waio_suspects_names(&count, &names, &r, s, arena));
    CHECK(count == 2 && strcmp(names, "conv2d_3+dense") == 0, "%lld: %s", (long long)count, names);
    CHECK_FAILS(waio_suspects_resolve(&r, "conv2d_3+densex", s, arena), WAIO_EUSAGE,
                "has no layer \"densex\"");
    CHECK_OK(waio_suspects_resolve(&r, "auto:0.3", s, arena));
    CHECK_OK(waio_session_layer_errors(s, &eight, &error));
    for (int n = 0; n < g->node_count; n++) {
        bool want = error[n].applies && error[n].rmse_over_scale > 0.3;
        CHECK(r.real && r.real[n] == want, "%s", g->node[n].name);
        above += want;
    }
    CHECK(above > 0 && above < 16, "%d suspects: the threshold divides nothing", above);
    CHECK_OK(waio_suspects_resolve(&r, "auto:1e9", s, arena));
    CHECK(!r.real, "nothing is as far off");
    CHECK_OK(waio_suspects_names(&count, &names, &r, s, arena));
    CHECK(count == 0 && names[0] == '\0', "%s", names);
    waio_session_close(s);
}

int main(void)
{
    if (!tiny_begin())
        return 77;
    arena = waio_arena_new();
    errors_by_hand(&eight);
    errors_by_hand(&four);
    errors_by_hand(&weights);
    errors_are_the_same_everywhere();
    branches(tiny_model, 7, 2, false);
    branches("shapes_resnet8", 0, 2, false);
    branches("shapes_mobilenet", 5, 1, true);
    table();
    suspects();
    waio_arena_free(arena);
    tiny_end();
    return waio_check_result();
}
