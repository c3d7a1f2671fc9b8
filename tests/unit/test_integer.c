/* The engine `integer` over whole networks: what a session's lowered networks compute, how they
 * stand to the simulation, what their files hold, and what `diff` says about them. */
#include <stdlib.h>

#include "check.h"
#include "export/export.h"
#include "import/import.h"
#include "sweep/diff.h"
#include "tiny_session.h"

static const char *const networks[] = {"shapes_resnet8", "shapes_mobilenet"};
enum { NETWORKS = 2 };

static const waio_quant_request requests[] = {
    {{8, 8, 8, 8}, 0, NULL},     {{8, 16, 8, 8}, 0, NULL},    {{4, 8, 8, 4}, 0, NULL},
    {{3, 5, 6, 7}, 0, NULL},     {{2, 2, 2, 2}, 0, NULL},     {{8, 8, 32, 8}, 0, NULL},
    {{8, 8, 8, 32}, 0, NULL},    {{8, 8, 8, 8}, 2, NULL},     {{8, 32, 8, 8}, 0, NULL},
    {{32, 8, 8, 8}, 0, NULL},    {{16, 16, 16, 16}, 0, NULL}, {{5, 11, 9, 13}, 0, NULL},
    {{17, 32, 17, 17}, 0, NULL}, {{8, 16, 8, 16}, 3, NULL},   {{32, 32, 32, 32}, 0, NULL},
};
enum { REQUESTS = sizeof requests / sizeof *requests };

static const char *text_of(const waio_quant_request *r)
{
    static char text[64];
    snprintf(text, sizeof text, "w=%d a=%d i=%d o=%d first_n=%d", r->bits.w, r->bits.a, r->bits.i,
             r->bits.o, r->first_n);
    return text;
}

static waio_session *open_network(int k, const waio_backend *backend)
{
    waio_session_options options = tiny_session_options(0, 2);
    options.backend = backend;
    return open_model(networks[k], &options);
}

/* ---- against the simulation ---- */

/* With exact rounding a layer on codes gives the simulation's codes, up to the average, whose ties
 * fall the other way (codes round half away from 0, not from the zero point). Not so in general: of
 * 16 bits, whose sums float32 cannot hold, where float16 is more than storage, and behind an
 * addend that lies half a step beside the codes, as the other network's normalization has it. */
static void same_codes_as_simulation(void)
{
    waio_session *s = open_network(0, &waio_backend_cpu);
    waio_diff_side side[2] = {{NULL, false, &waio_backend_ref}, {NULL, true, &waio_backend_cpu}};
    waio_arena *arena = waio_arena_new();
    waio_diff d;

    for (int i = 0; i < REQUESTS; i++) {
        const waio_quant_request *r = &requests[i];
        bool wide = r->bits.a > 8 && r->bits.a <= 17;
        if (wide || r->bits.w == WAIO_F16 || r->first_n)
            continue;
        CHECK_OK(waio_session_diff(&d, s, r, WAIO_REQUANT_FLOAT, side, 5, 0.01, arena));
        CHECK(d.images == 5 && d.count >= 16, "%s: %d layers in common", text_of(r), d.count);
        for (int l = 0; l < d.count; l++) {
            const waio_diff_layer *x = &d.layer[l];
            bool averages = x->op == WAIO_OP_AVG_POOL || x->op == WAIO_OP_MEAN;
            if (averages) /* what comes behind may differ as well */
                break;
            /* Of float layers' sums a number on a tie may fall the other way. */
            if (r->bits.w != WAIO_FLOAT && r->bits.i != WAIO_FLOAT && r->bits.a != WAIO_FLOAT)
                CHECK((double)x->off <= 1e-4 * (double)x->count,
                      "%s, %s: %s is off in %lld numbers", networks[0], text_of(r), x->name,
                      (long long)x->off);
            CHECK((double)x->off <= 3e-3 * (double)x->count && x->worst <= 2.01,
                  "%s, %s: %s is off in %lld of %lld numbers, up to %g steps", networks[0],
                  text_of(r), x->name, (long long)x->off, (long long)x->count, x->worst);
        }
    }
    waio_arena_free(arena);
    waio_session_close(s);
}

/* Layers that stay float stand between a dequantize and a quantize where their neighbours have
 * codes, and hand floats to each other: what the simulation does with its quantizers. */
static void float_layers(void)
{
    waio_session *s = open_network(0, &waio_backend_cpu);
    waio_diff_side side[2] = {{NULL, false, &waio_backend_ref}, {NULL, true, &waio_backend_cpu}};
    waio_arena *arena = waio_arena_new();
    int nodes = s->model.graph->node_count, conversions = 0;
    bool *real = waio_arena_array(arena, (size_t)nodes, sizeof *real);
    waio_diff d;

    for (int k = 0; k < 12; k++) {
        waio_quant_request r = {{k % 2 ? 4 : 8, 8, 8, k % 3 ? 8 : 5}, k == 9 ? 2 : 0, real};
        for (int n = 0; n < nodes; n++)
            real[n] = k == 0 ? n == 1 : k == 1 ? n != 2 : k == 2 ? n < 3 : (n * 7 + k) % 4 < k % 4;
        waio_graph *graph = NULL;
        CHECK_OK(waio_session_lower(s, &graph, &r, WAIO_REQUANT_FLOAT));
        for (int n = 0; n < graph->node_count; n++)
            conversions += graph->node[n].op == WAIO_OP_DEQUANTIZE;
        for (int n = 0; n < nodes; n++) {
            const waio_node *node = &s->model.graph->node[n];
            const waio_value *w = NULL;
            for (int v = 0; v < graph->value_count && waio_op_weighted(node->op); v++)
                if (strcmp(graph->value[v].name, s->model.graph->value[node->input[1]].name) == 0)
                    w = &graph->value[v];
            bool in_float = real[n] || waio_quantizer_boundary(s->quantizer, &r) > n;
            if (w)
                CHECK((w->type == WAIO_F32) == in_float, "mask %d: weights of %s", k, node->name);
        }
        waio_graph_free(graph);
        if (r.first_n) /* within the prefix, a simulation's values are seen before they are codes */
            continue;
        CHECK_OK(waio_session_diff(&d, s, &r, WAIO_REQUANT_FLOAT, side, 5, 0.01, arena));
        for (int l = 0; l < d.count; l++) {
            const waio_diff_layer *x = &d.layer[l];
            if (x->op == WAIO_OP_AVG_POOL)
                break;
            CHECK((double)x->off <= 3e-3 * (double)x->count && x->worst <= 2.01,
                  "mask %d: %s is off in %lld of %lld numbers, up to %g steps", k, x->name,
                  (long long)x->off, (long long)x->count, x->worst);
        }
    }
    CHECK(conversions > 24, "%d conversions to float", conversions);
    waio_arena_free(arena);
    waio_session_close(s);
}

/* ---- outcomes ---- */

static bool same_outcome(const waio_outcome *a, const waio_outcome *b)
{
    return a->images == b->images && a->correct == b->correct && a->agree == b->agree &&
           a->simulate_correct == b->simulate_correct && a->engines_agree == b->engines_agree &&
           a->size_bytes == b->size_bytes;
}

static void outcomes(int k)
{
    waio_session *s = open_network(k, &waio_backend_cpu);
    waio_session_options options = tiny_session_options(7, 1);
    waio_session *other = open_model(networks[k], &options);
    const waio_quant_request *r = &requests[0];
    waio_outcome both, alone, again, simulated;
    int64_t bytes = 0;

    CHECK_OK(waio_session_integer(s, r, WAIO_REQUANT_TFLITE, true, &both, NULL));
    CHECK_OK(waio_session_pass(s, r, 1, false, &simulated, NULL));
    CHECK(both.images == IMAGES && both.simulate_correct == simulated.correct,
          "%lld correct, not %lld", (long long)both.simulate_correct, (long long)simulated.correct);
    CHECK(both.engines_agree > IMAGES * 9 / 10 && both.correct > IMAGES / 2, "%lld agree",
          (long long)both.engines_agree);
    CHECK(both.size_bytes == simulated.size_bytes, "another size");
    CHECK_OK(waio_session_integer(s, r, WAIO_REQUANT_TFLITE, false, &alone, NULL));
    CHECK(alone.correct == both.correct && alone.engines_agree == -1 &&
              alone.simulate_correct == -1,
          "alone is otherwise than beside the simulation");
    CHECK_OK(waio_session_integer(other, r, WAIO_REQUANT_TFLITE, true, &again, NULL));
    CHECK(same_outcome(&both, &again), "depends on backend, batch or threads");
    /* Few bits: far from the float network, near to each other, and not the same. */
    int apart = 0;
    for (int i = 2; i < 5; i++) {
        CHECK_OK(waio_session_integer(s, &requests[i], WAIO_REQUANT_TFLITE, true, &again, NULL));
        CHECK_OK(waio_session_pass(s, &requests[i], 1, false, &simulated, NULL));
        CHECK(again.simulate_correct == simulated.correct, "%s: other images are right",
              text_of(&requests[i]));
        apart += again.correct != simulated.correct && again.engines_agree > again.agree;
    }
    CHECK(apart > 0, "no request tells the engines apart");
    CHECK_OK(waio_session_file_bytes(s, r, &bytes));
    CHECK(bytes > both.size_bytes, "a file of %lld bytes", (long long)bytes);
    CHECK_OK(waio_session_file_bytes(s, &requests[10], &bytes));
    CHECK(bytes == -1, "a .tflite with weights of 16 bits");
    waio_quant_request half = {{WAIO_F16, WAIO_F16, 8, 8}, 0, NULL};
    CHECK_FAILS(waio_session_integer(s, &half, WAIO_REQUANT_TFLITE, false, &alone, NULL),
                WAIO_EUNSUPPORTED, "float16 activations cannot be lowered");
    waio_session_close(other);
    waio_session_close(s);
}

/* ---- files ---- */

static waio_graph *lowered(waio_session *s, const waio_quant_request *r)
{
    waio_graph *graph = NULL;
    CHECK_OK(waio_session_lower(s, &graph, r, WAIO_REQUANT_TFLITE));
    return graph;
}

/* What is exported and read again computes the same codes, layer by layer. */
static void files(int k)
{
    waio_session *s = open_network(k, &waio_backend_ref);
    waio_arena *arena = waio_arena_new();
    char path[80];
    waio_diff d;

    snprintf(path, sizeof path, "%s/net.tflite", tiny_folder);
    for (int i = 0; i < REQUESTS; i++) {
        const waio_quant_request *r = &requests[i];
        waio_graph *graph = lowered(s, r);
        bool wide = r->bits.w == 16 || (r->bits.o > 8 && r->bits.o < 17) || r->bits.i == 9;
        size_t size = 0, written = 0;
        if (wide) {
            CHECK_FAILS(waio_export_model(graph, path), WAIO_EUNSUPPORTED,
                        "TensorFlow Lite has at most 8");
            CHECK(!waio_file_exists(path), "a file of a failed export");
            waio_graph_free(graph);
            continue;
        }
        CHECK_OK(waio_export_model(graph, path));
        CHECK_OK(waio_export_size(&size, graph, path));
        CHECK_OK(waio_file_size(&written, path));
        CHECK(size == written && size > 1000, "%zu bytes, not %zu", written, size);
        waio_graph_free(graph);
        waio_diff_side side[2] = {{NULL, true, &waio_backend_ref},
                                  {path, false, &waio_backend_ref}};
        CHECK_OK(waio_session_diff(&d, s, r, WAIO_REQUANT_TFLITE, side, 3, 0.01, arena));
        CHECK(d.first < 0 && d.differ == 0 && d.count >= 16, "%s, %s: %s is off by %g steps",
              networks[k], text_of(r), d.first < 0 ? "nothing" : d.layer[d.first].name,
              d.first < 0 ? 0 : d.layer[d.first].worst);
        unlink(path);
    }
    waio_arena_free(arena);
    waio_session_close(s);
}

/* A file as a model of its own: the rows of `method: file`. */
static void file_as_model(void)
{
    waio_session *s = open_network(0, &waio_backend_cpu), *file = NULL;
    waio_session_options options = tiny_session_options(0, 2);
    char path[80];
    waio_outcome ours, theirs;
    waio_diff d;
    waio_arena *arena = waio_arena_new();

    snprintf(path, sizeof path, "%s/net.tflite", tiny_folder);
    for (int open_ends = 0; open_ends < 2; open_ends++) {
        waio_graph *graph = lowered(s, &requests[0]);
        if (open_ends)
            CHECK_OK(waio_lower_open_ends(graph));
        CHECK_OK(waio_export_model(graph, path));
        waio_graph_free(graph);
        CHECK_FAILS(waio_session_open(&file, path, "shapes", &options, NULL), WAIO_EUNSUPPORTED,
                    "it runs as it is with method file");
        options.from_file = true;
        options.backend = &waio_backend_cpu;
        CHECK_OK(waio_session_open(&file, path, "shapes", &options, NULL));
        CHECK_OK(waio_session_integer(s, &requests[0], WAIO_REQUANT_TFLITE, false, &ours, NULL));
        CHECK_OK(
            waio_session_integer(file, &requests[0], WAIO_REQUANT_TFLITE, false, &theirs, NULL));
        CHECK(ours.correct == theirs.correct && theirs.images == IMAGES, "%lld correct, not %lld",
              (long long)theirs.correct, (long long)ours.correct);
        CHECK(waio_session_float(file)->images == 0, "a float network");
        waio_diff_side side[2] = {{NULL, true, &waio_backend_ref},
                                  {path, false, &waio_backend_ref}};
        CHECK_OK(waio_session_diff(&d, s, &requests[0], WAIO_REQUANT_TFLITE, side, 3, 0.01, arena));
        CHECK(d.first < 0 && d.count > 10, "its own images give other codes");
        waio_session_close(file);
        options.from_file = false;
        unlink(path);
    }
    options.from_file = true;
    CHECK_FAILS(waio_session_open(&file, networks[0], "shapes", &options, NULL), WAIO_EUSAGE,
                "is a float network");
    waio_arena_free(arena);
    waio_session_close(s);
}

static void ends_that_are_float(void)
{
    waio_session *s = open_network(0, &waio_backend_ref);
    waio_graph *graph = lowered(s, &requests[5]);

    CHECK_FAILS(waio_lower_open_ends(graph), WAIO_EUNSUPPORTED, "the input has no codes");
    waio_graph_free(graph);
    graph = lowered(s, &requests[6]);
    CHECK_FAILS(waio_lower_open_ends(graph), WAIO_EUNSUPPORTED, "has no codes (o=32)");
    waio_graph_free(graph);
    waio_session_close(s);
}

/* ---- diff ---- */

/* What is one step apart is off by a tolerance of none, and not by one of a step. */
static void counts_by_tolerance(void)
{
    waio_session *s = open_network(0, &waio_backend_ref);
    waio_arena *arena = waio_arena_new();
    waio_diff_side side[2] = {{NULL, false, &waio_backend_ref}, {NULL, true, &waio_backend_ref}};
    waio_diff none, one;

    CHECK_OK(waio_session_diff(&none, s, &requests[0], WAIO_REQUANT_TFLITE, side, 3, 0.01, arena));
    CHECK_OK(waio_session_diff(&one, s, &requests[0], WAIO_REQUANT_TFLITE, side, 3, 1.01, arena));
    for (int l = 0; l < none.count; l++) {
        bool steps = none.layer[l].worst > 1.01;
        CHECK((none.layer[l].off > 0) == (none.layer[l].worst > 0.01) &&
                  (one.layer[l].off > 0) == steps && none.layer[l].worst == one.layer[l].worst,
              "%s: %lld and %lld off, the worst %g", none.layer[l].name,
              (long long)none.layer[l].off, (long long)one.layer[l].off, none.layer[l].worst);
    }
    CHECK(none.first >= 0 && none.first < one.first, "layers %d and %d depart", none.first,
          one.first);
    waio_arena_free(arena);
    waio_session_close(s);
}

/* Two files that differ in the precision of the hidden weights: the first layer is the same, the
 * second one is where they part. */
static void names_the_first_layer(void)
{
    waio_session *s = open_network(0, &waio_backend_ref);
    waio_arena *arena = waio_arena_new();
    char path[80];
    waio_diff d;
    waio_diff_side side[2] = {{NULL, true, &waio_backend_ref}, {path, false, &waio_backend_ref}};

    snprintf(path, sizeof path, "%s/net.tflite", tiny_folder);
    waio_quant_request other = {{6, 8, 8, 8}, 0, NULL};
    waio_graph *graph = lowered(s, &other);
    CHECK_OK(waio_export_model(graph, path));
    waio_graph_free(graph);
    CHECK_OK(waio_session_diff(&d, s, &requests[0], WAIO_REQUANT_TFLITE, side, 2, 0.01, arena));
    int convolutions = 0;
    for (int l = 0; l <= d.first; l++)
        convolutions += d.layer[l].op == WAIO_OP_CONV2D;
    CHECK(d.first > 0 && convolutions == 2, "layer %d", d.first);
    CHECK(d.first > 0 && d.layer[d.first].worst >= 1 && d.layer[0].off == 0, "of what size");
    unlink(path);
    waio_session *resnet = s;
    s = open_network(1, &waio_backend_ref); /* another network, with other names */
    graph = lowered(s, &requests[0]);
    CHECK_OK(waio_export_model(graph, path));
    CHECK_OK(
        waio_session_diff(&d, resnet, &requests[0], WAIO_REQUANT_TFLITE, side, 1, 0.01, arena));
    CHECK(d.first >= 0 && d.count >= 1, "two networks that agree");
    waio_graph_free(graph);
    unlink(path);
    side[1].file = "nowhere.tflite";
    CHECK_FAILS(waio_session_diff(&d, s, &requests[0], WAIO_REQUANT_TFLITE, side, 1, 1, arena),
                WAIO_EINPUT, "nowhere.tflite");
    waio_session_close(resnet);
    waio_session_close(s);
    waio_arena_free(arena);
}

int main(void)
{
    if (!tiny_begin())
        return 77;
    for (int k = 0; k < NETWORKS; k++) {
        outcomes(k);
        files(k);
    }
    same_codes_as_simulation();
    float_layers();
    file_as_model();
    ends_that_are_float();
    counts_by_tolerance();
    names_the_first_layer();
    tiny_end();
    return waio_check_result();
}
