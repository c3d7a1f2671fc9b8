/* Methods in a session: which of them look at data, that what they find does not depend on batches
 * and threads, corrected biases by hand, and that an export has the weights that are evaluated. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "open_dataset.h"
#include "quant/weights.h"
#include "tiny_session.h"

static waio_session_options options_of(const char *choices, int64_t batch, int threads)
{
    waio_session_options o = tiny_session_options(batch, threads);
    waio_config config = waio_config_default();
    waio_arena *arena = waio_arena_new();
    char text[200], *save = NULL;

    config.images = IMAGES;
    config.calibration_images = SAMPLE;
    snprintf(text, sizeof text, "%s", choices);
    for (char *one = strtok_r(text, " ", &save); one; one = strtok_r(NULL, " ", &save))
        CHECK_OK(waio_config_set(&config, one, arena));
    CHECK_OK(waio_config_session_options(&o, &config));
    o.calibration_split = "train";
    o.split = "test";
    waio_arena_free(arena);
    return o;
}

static const waio_quant_request all_4 = {{4, 4, 4, 4}, 0, NULL};

/* ---- data ---- */

/* With a calibration split that does not exist, whatever opens it fails. */
static void who_looks_at_data(void)
{
    static const struct {
        const char *choices;
        bool looks;
    } row[] = {
        {"method=squant", false},
        {"method=dfq", false},
        {"method=squant equalize=on absorb=on correct=analytic", false},
        {"method=ptq range=batchnorm", false},
        {"method=squant range=noise", false},
        {"method=ptq", true},
        {"method=ptq_mse", true},
        {"method=squant range=minmax", true},
        {"method=squant correct=empirical", true},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        waio_session_options o = options_of(row[i].choices, 16, 1);
        waio_outcome outcome;
        waio_graph *lowered = NULL;
        int tensors = 0;
        o.calibration_split = "none";
        o.scheme.weights = WAIO_SYMMETRIC; /* so that it can be lowered */
        waio_session *s = open_model(tiny_model, &o);
        if (row[i].looks) {
            CHECK_FAILS(waio_session_pass(s, &all_4, 1, false, &outcome, NULL), WAIO_EUSAGE,
                        "none");
        } else {
            CHECK_OK(waio_session_pass(s, &all_4, 1, false, &outcome, NULL));
            CHECK_OK(waio_session_lower(s, &lowered, &all_4, WAIO_REQUANT_TFLITE));
            CHECK_OK(waio_session_verify(s, &all_4, &tensors));
            CHECK(tensors > TINY_LAYERS, "%s: %d tensors", row[i].choices, tensors);
        }
        waio_graph_free(lowered);
        waio_session_close(s);
    }
}

/* ---- batches and threads ---- */

static void same_findings(const char *choices, const waio_session *a, const waio_session *b)
{
    const waio_graph *g = a->model.graph;

    for (int v = 0; v < g->value_count; v++) {
        const waio_shape *shape = &g->value[v].shape;
        if (waio_value_is_const(g, v))
            continue;
        for (int bits = 2; bits <= 16; bits += 2) {
            waio_qparams p = waio_quantizer_value_params(a->quantizer, v, bits);
            waio_qparams q = waio_quantizer_value_params(b->quantizer, v, bits);
            CHECK(p.scale == q.scale && p.zero_point == q.zero_point, "%s: %s at %d bits: %g, %g",
                  choices, g->value[v].name, bits, (double)p.scale, (double)q.scale);
        }
        if (!a->mean || !a->mean[v])
            continue;
        size_t bytes = (size_t)shape->dim[shape->rank - 1] * sizeof(float);
        CHECK(memcmp(a->mean[v], b->mean[v], bytes) == 0, "%s: mean of %s", choices,
              g->value[v].name);
    }
}

static void batches_and_threads(void)
{
    static const char *const row[] = {"range=mse",   "range=kl",
                                      "range=p99",   "correct=empirical",
                                      "method=dfq",  "method=squant wround=squant_c",
                                      "range=noise", "range=mse wrange=mse wround=squant"};

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        waio_session_options one = options_of(row[i], 16, 1), other = options_of(row[i], 7, 3);
        waio_session *a = open_model(tiny_model, &one), *b = open_model(tiny_model, &other);
        waio_outcome x, y;
        CHECK_OK(waio_session_pass(a, &all_4, 1, false, &x, NULL));
        CHECK_OK(waio_session_pass(b, &all_4, 1, false, &y, NULL));
        CHECK(x.correct == y.correct && x.agree == y.agree && x.size_bytes == y.size_bytes,
              "%s: %lld and %lld right", row[i], (long long)x.correct, (long long)y.correct);
        same_findings(row[i], a, b);
        waio_session_close(a);
        waio_session_close(b);
    }
}

/* ---- means and biases ---- */

/* The means of calibration are those of the float network on the sample. */
typedef struct summing {
    const waio_graph *graph;
    double sum[64];
    int64_t count;
    int id;
} summing;

static void add_up(void *payload, int id, const float *data, int64_t count)
{
    summing *s = payload;
    const waio_shape *shape = &s->graph->value[id].shape;
    int64_t channels = shape->dim[shape->rank - 1];

    if (id != s->id)
        return;
    for (int64_t i = 0; i < count; i++)
        s->sum[i % channels] += (double)data[i];
    s->count += count / channels;
}

static void means(void)
{
    waio_session_options o = options_of("correct=empirical", 16, 2);
    waio_session *s = open_model(tiny_model, &o);
    waio_session_options by_one = options_of("method=ptq", 1, 1);
    waio_session *t = open_model(tiny_model, &by_one);
    waio_dataset *sample = NULL;
    waio_quant_binding b;
    const waio_graph *g = s->model.graph;
    waio_selection selection = {.sample = SAMPLE, .seed = 1};
    waio_run_range all = {0, t->model.graph->node_count, false, false};

    CHECK_OK(waio_session_calibrate(s));
    CHECK_OK(open_dataset(&sample, "shapes", "train", BUILD_DIR "/data", &selection));
    CHECK_OK(
        waio_quantizer_bind(t->quantizer, &(waio_quant_request){{32, 32, 32, 32}, 0, NULL}, &b));
    for (int n = 0; n < g->node_count; n++) {
        summing sum = {.graph = g, .id = g->node[n].output};
        waio_observer_hook hook = {add_up, &sum};
        const waio_shape *shape = &g->value[sum.id].shape;
        for (int i = 0; i < SAMPLE; i++) {
            waio_fill_input(t->program, sample, &t->input_table, t->workspace, NULL, i, 1);
            CHECK_OK(waio_program_run(t->program, &b.binding, t->workspace, all, &hook));
        }
        for (int64_t c = 0; c < shape->dim[shape->rank - 1]; c++) {
            double want = sum.sum[c] / (double)sum.count, got = (double)s->mean[sum.id][c];
            double reach =
                fmax(fabs((double)s->ranges.min[sum.id]), fabs((double)s->ranges.max[sum.id]));
            CHECK(fabs(got - want) <= 2e-7 * reach, "%s, channel %d: mean %.9g, by hand %.9g",
                  g->value[sum.id].name, (int)c, got, want);
        }
    }
    waio_quant_binding_free(&b);
    waio_dataset_close(sample);
    waio_session_close(s);
    waio_session_close(t);
}

/* b - sum (w~ - w) E[x], for every layer; and that it is what runs. */
static void corrected_biases(void)
{
    waio_session_options o = options_of("correct=empirical wround=squant_k", 16, 1);
    waio_session *s = open_model(tiny_model, &o);
    const waio_graph *g = s->model.graph;
    waio_quant_request request = {{3, 32, 3, 3}, 0, NULL};
    waio_quant_binding b;
    int moved = 0;

    CHECK_OK(waio_session_calibrate(s));
    CHECK_OK(waio_quantizer_bind(s->quantizer, &request, &b));
    for (int n = 0; n < g->node_count; n++) {
        const waio_node *node = &g->node[n];
        float *values = NULL, bias[16];
        waio_weight_scales scales;
        if (!waio_op_weighted(node->op))
            continue;
        CHECK(node->input_count == 3, "a layer without a bias");
        CHECK_OK(waio_quantizer_weight_values(s->quantizer, n, 3, WAIO_FLOAT, &values, &scales,
                                              s->arena));
        waio_quantizer_bias(s->quantizer, n, values, bias);
        const waio_value *w = &g->value[node->input[1]];
        int64_t oc = w->shape.dim[0], ic = w->shape.dim[w->shape.rank - 1];
        int64_t block = waio_shape_count(&w->shape) / oc;
        for (int64_t c = 0; c < oc; c++) {
            double want = (double)g->value[node->input[2]].data[c];
            for (int64_t k = 0; k < block; k++)
                want -= ((double)values[c * block + k] - (double)w->data[c * block + k]) *
                        (double)s->mean[node->input[0]][k % ic];
            CHECK(fabs(want - (double)bias[c]) <= 1e-6 * (1 + fabs(want)), "%s: bias %g, not %g",
                  node->name, (double)bias[c], want);
            moved += bias[c] != g->value[node->input[2]].data[c];
            if (n != s->roles.first_weighted && n != s->roles.last_weighted)
                CHECK(((const float *)b.binding.constant[node->input[2]])[c] == bias[c],
                      "%s runs with another bias", node->name);
        }
        free(values);
    }
    CHECK(moved > 10, "only %d biases moved", moved);
    waio_quant_binding_free(&b);
    waio_session_close(s);
}

/* ---- the float network, exports ---- */

/* Float predictions are those of the network as the file has it; the changed one computes the same.
 */
static void changed_networks(void)
{
    waio_session_options plain = options_of("method=ptq", 16, 1);
    waio_session_options changed = options_of("method=ptq equalize=on absorb=on", 16, 1);
    waio_session *a = open_model(tiny_model, &plain), *b = open_model(tiny_model, &changed);
    waio_quant_request wide = {{32, 32, 32, 16}, 0, NULL};
    waio_outcome outcome;

    CHECK(memcmp(a->float_prediction, b->float_prediction, IMAGES * sizeof(int32_t)) == 0 &&
              a->float_outcome.correct == b->float_outcome.correct,
          "the float network's predictions");
    bool differ = false;
    for (int n = 0; n < a->model.graph->node_count; n++) {
        const waio_node *x = &a->model.graph->node[n], *y = &b->model.graph->node[n];
        if (waio_op_weighted(x->op))
            differ = differ || a->model.graph->value[x->input[1]].data[0] !=
                                   b->model.graph->value[y->input[1]].data[0];
    }
    CHECK(differ, "nothing was equalized");
    CHECK_OK(waio_session_pass(b, &wide, 1, false, &outcome, NULL));
    CHECK(outcome.agree >= IMAGES - 1, "only %lld of %d images agree", (long long)outcome.agree,
          IMAGES);
    waio_session_close(a);
    waio_session_close(b);
}

/* The codes of the lowered network are SQuant's. */
static void exported_weights(void)
{
    waio_session_options o = options_of("method=squant wsym=symmetric", 16, 2);
    waio_session *s = open_model(tiny_model, &o);
    waio_graph *lowered = NULL;
    int layers = 0, off = 0;

    CHECK_OK(waio_session_lower(s, &lowered, &all_4, WAIO_REQUANT_TFLITE));
    for (int n = 0; n < s->model.graph->node_count; n++) {
        const waio_node *node = &s->model.graph->node[n];
        const waio_value *w = &s->model.graph->value[node->input[1]];
        for (int m = 0; waio_op_weighted(node->op) && m < lowered->node_count; m++) {
            if (strcmp(lowered->node[m].name, node->name) != 0 ||
                !waio_op_weighted(lowered->node[m].op))
                continue;
            const waio_value *q = &lowered->value[lowered->node[m].input[1]];
            const int8_t *code = q->codes;
            int64_t count = waio_shape_count(&w->shape), block = count / w->shape.dim[0];
            for (int64_t i = 0; i < count; i++) {
                double x = (double)w->data[i] / (double)q->params.scale[i / block];
                CHECK(fabs((double)code[i] - x) < 1.001, "%s: weight at %g has code %d", node->name,
                      x, code[i]);
                off += fabs((double)code[i] - x) > 0.501;
            }
            for (int64_t c = 0; c < w->shape.dim[0]; c++) {
                double sum = 0;
                for (int64_t i = c * block; i < (c + 1) * block; i++)
                    sum += (double)code[i] - (double)w->data[i] / (double)q->params.scale[c];
                CHECK(fabs(sum) < 1.01, "%s: errors of channel %d sum to %g", node->name, (int)c,
                      sum);
            }
            layers++;
        }
    }
    CHECK(layers == TINY_LAYERS && off > 0, "%d layers, %d weights not to the nearest", layers,
          off);
    waio_graph_free(lowered);
    waio_session_close(s);
}

int main(void)
{
    if (!tiny_begin())
        return 77;
    who_looks_at_data();
    batches_and_threads();
    means();
    corrected_biases();
    changed_networks();
    exported_weights();
    tiny_end();
    return waio_check_result();
}
