/* ONNX files: the same bytes for the same graph, float networks come back through the importer, and
 * graphs that the format cannot hold are refused by name.
 *
 *   test_onnx_write [FOLDER]
 *
 * With a folder, every graph is left there as NAME.onnx with NAME.in, NAME.out (what the reference
 * gives) and a line in cases.txt: name, kind, batch, size of a step of the output. The kinds:
 *   float      numbers
 *   codes      of one op; `resized` with bilinear positions in 1/1024 cells, at 16 bits
 *   quantized  what a random network on codes gives
 *   images     scores of an embedded network's test images
 * tests/python/test_export_onnx.py runs them in onnxruntime. */
#include <stdlib.h>
#include <unistd.h>

#include "check/float_run.h"
#include "check/networks.h"
#include "check/opcases.h"
#include "export/onnx_write.h"
#include "import/import.h"
#include "nets.h"
#include "quant/lower.h"
#include "tiny_session.h"

/* Another order of float32 sums, relative to the largest number of the output. */
#define FLOAT_SHARE 1e-5f

enum { BATCH = 2, NETWORKS = 60, TEST_IMAGES = 300 };

static const char *folder; /* NULL: nothing is left behind */
static FILE *list;
static char again_path[64]; /* what the importer reads */

/* ---- one graph, written ---- */

static void put_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(data, 1, size, file) == size, "%s", path);
    if (file)
        fclose(file);
}

static void leave_file(const char *name, const char *suffix, const void *data, size_t size)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s.%s", folder, name, suffix);
    put_file(path, data, size);
}

typedef struct sample {
    const char *name, *kind;
    const waio_graph *graph;
    int64_t batch;
    const void *input;
    double step; /* of the output; 0: float */
    bool again;  /* the importer reads the file */
} sample;

/* The importer's graph over the same input gives the same numbers. */
static void read_again(const sample *s, const unsigned char *data, size_t size,
                       const waio_float_run *want)
{
    waio_graph *graph = NULL;
    waio_float_run got = {0};
    int id = s->graph->output[0];
    const float *a = waio_float_run_value(want, id);
    size_t count = waio_float_run_count(want, id), off = 0;
    float top = 0;

    put_file(again_path, data, size);
    CHECK_OK(waio_import_onnx(&graph, again_path));
    if (!graph)
        return;
    CHECK_OK(waio_float_run_create(&got, graph, &waio_backend_ref, s->batch, graph->node_count));
    CHECK(waio_shape_equal(&graph->value[graph->input].shape,
                           &s->graph->value[s->graph->input].shape),
          "%s: another input", s->name);
    CHECK(waio_float_run_count(&got, graph->output[0]) == count, "%s: another output", s->name);
    CHECK_OK(waio_float_run_whole(&got, s->input));
    const float *b = waio_float_run_value(&got, graph->output[0]);
    for (size_t i = 0; i < count; i++)
        top = fmaxf(top, fabsf(a[i]));
    for (size_t i = 0; i < count; i++)
        off += !(fabsf(a[i] - b[i]) <= FLOAT_SHARE * top);
    CHECK(off == 0, "%s: %zu of %zu numbers differ", s->name, off, count);
    waio_float_run_free(&got);
    waio_graph_free(graph);
}

static void take(const sample *s)
{
    unsigned char *data = NULL, *twice = NULL;
    size_t size = 0, size_twice = 0;
    waio_float_run run = {0};
    int id = s->graph->output[0];

    CHECK_OK(waio_onnx_write(&data, &size, s->graph));
    CHECK_OK(waio_onnx_write(&twice, &size_twice, s->graph));
    CHECK(size > 0 && size == size_twice && memcmp(data, twice, size) == 0,
          "%s: other bytes the second time", s->name);
    CHECK_OK(
        waio_float_run_create(&run, s->graph, &waio_backend_ref, s->batch, s->graph->node_count));
    CHECK_OK(waio_float_run_whole(&run, s->input));
    if (s->again)
        read_again(s, data, size, &run);
    if (folder) {
        leave_file(s->name, "onnx", data, size);
        leave_file(s->name, "in", s->input, waio_float_run_bytes(&run, s->graph->input));
        leave_file(s->name, "out", waio_float_run_value(&run, id), waio_float_run_bytes(&run, id));
        fprintf(list, "%s %s %lld %.9g\n", s->name, s->kind, (long long)s->batch, s->step);
    }
    waio_float_run_free(&run);
    free(data);
    free(twice);
}

/* The scale of the codes that the output was made from; 0 if it was computed in float. */
static double step_of(const waio_graph *graph)
{
    int id = graph->output[0], n = waio_graph_producer(graph, id);

    if (graph->value[id].type == WAIO_F32)
        id = graph->node[n].input[0];
    return graph->value[id].type == WAIO_F32 ? 0 : (double)graph->value[id].params.scale[0];
}

/* ---- every op ---- */

/* The importer knows no Expand, which a constant among the inputs of a concat needs. */
static bool importer_reads(const waio_graph *graph)
{
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; graph->node[n].op == WAIO_OP_CONCAT && i < graph->node[n].input_count; i++)
            if (waio_value_is_const(graph, graph->node[n].input[i]))
                return false;
    return !waio_graph_is_quantized(graph);
}

static void one_case(waio_op op, int index, waio_op_fill fill)
{
    waio_op_case c = {0};
    char name[64];

    CHECK_OK(waio_op_case_build(&c, op, index, fill));
    if (c.fill == fill) {
        c.graph->requant = WAIO_REQUANT_FLOAT;
        const waio_shape *shape = &c.graph->value[c.graph->input].shape;
        size_t count = (size_t)(waio_shape_count(shape) * c.batch);
        void *x = waio_aligned_calloc(count * 4);
        double step = step_of(c.graph);
        waio_op_case_input(&c, x, count);
        snprintf(name, sizeof name, "%s_%d_%s", waio_op_name(op), index, waio_op_fill_name(fill));
        bool wide = fill == WAIO_FILL_S16 && op == WAIO_OP_RESIZE;
        take(&(sample){name,
                       wide       ? "resized"
                       : step > 0 ? "codes"
                                  : "float",
                       c.graph, c.batch, x, step, importer_reads(c.graph)});
        free(x);
    }
    waio_op_case_free(&c);
}

static void every_op(void)
{
    static const waio_op_fill fills[] = {WAIO_FILL_REAL, WAIO_FILL_S8, WAIO_FILL_S16};

    for (int op = 0; op < WAIO_OP_COUNT; op++)
        for (int i = 0; i < waio_op_case_count((waio_op)op); i++)
            for (int f = 0; f < 3; f++)
                one_case((waio_op)op, i, fills[f]);
}

/* ---- networks ---- */

static float *random_images(const waio_graph *graph, waio_rng *rng)
{
    size_t count = (size_t)waio_shape_count(&graph->value[graph->input].shape) * BATCH;
    float *x = waio_aligned_calloc(count * sizeof *x);
    waio_fill_random(x, count, rng);
    return x;
}

static void whole_networks(void)
{
    waio_rng rng = {3};
    char name[64];

    for (const waio_check_net *net = waio_check_nets; net->name; net++)
        for (int optimized = 0; optimized < 2; optimized++) {
            waio_graph *graph = NULL;
            CHECK_OK(waio_check_net_build(&graph, net, 4));
            if (optimized)
                CHECK_OK(waio_graph_optimize(graph));
            float *x = random_images(graph, &rng);
            snprintf(name, sizeof name, "net_%s_%d", net->name, optimized);
            take(&(sample){name, "float", graph, BATCH, x, 0, importer_reads(graph)});
            free(x);
            waio_graph_free(graph);
        }
}

static void observe(void *payload, int id, const float *data, int64_t count)
{
    waio_ranges_observe(payload, id, data, count);
}

/* A quantizer over `graph`, its ranges those of the images `x`. */
typedef struct quantized {
    waio_arena *arena;
    waio_roles roles;
    waio_ranges ranges;
    waio_program *program;
    waio_workspace workspace;
    waio_quantizer *quantizer;
} quantized;

/* `q` must stay where it is: the quantizer points into it. */
static void quantize(quantized *q, waio_graph *graph, const float *x, const waio_scheme *scheme)
{
    int64_t count = waio_shape_count(&graph->value[graph->input].shape) * BATCH;
    waio_run_range all = {0, graph->node_count, false, false};

    q->arena = waio_arena_new();
    CHECK_OK(waio_roles_assign(&q->roles, graph, q->arena));
    CHECK_OK(waio_program_compile(&q->program, graph, &waio_backend_ref, BATCH, graph->node_count));
    CHECK_OK(waio_workspace_create(&q->workspace, q->program));
    CHECK_OK(waio_ranges_create(&q->ranges, graph, q->arena));
    waio_ranges_observe(&q->ranges, graph->input, x, count);
    memcpy(waio_workspace_value(&q->workspace, q->program, graph->input), x,
           (size_t)count * sizeof *x);
    CHECK_OK(waio_program_run(q->program, &(waio_binding){.quant = NULL}, &q->workspace, all,
                              &(waio_observer_hook){observe, &q->ranges}));
    CHECK_OK(
        waio_quantizer_create(&q->quantizer, q->program, &q->roles, &q->ranges, scheme, 1 << 20));
}

static void free_quantized(quantized *q)
{
    waio_quantizer_free(q->quantizer);
    waio_workspace_free(&q->workspace);
    waio_program_free(q->program);
    waio_arena_free(q->arena);
}

/* The configurations of the embedded networks and, in turn, of the random ones. */
static const waio_quant_request requests[] = {
    {{8, 8, 8, 8}, 0, NULL},           {{4, 8, 8, 8}, 0, NULL},    {{8, 6, 8, 8}, 0, NULL},
    {{4, 4, 8, 8}, 0, NULL},           {{8, 16, 16, 16}, 0, NULL}, {{8, 12, 8, 16}, 0, NULL},
    {{8, 8, 8, 32}, 0, NULL},          {{8, 8, 8, 8}, 1, NULL},    {{12, 16, 16, 16}, 0, NULL},
    {{WAIO_F16, 32, 32, 32}, 0, NULL}, {{8, 32, 8, 8}, 0, NULL},   {{3, 2, 5, 7}, 0, NULL}};
enum { REQUESTS = sizeof requests / sizeof *requests };

static void random_networks(void)
{
    char name[64];

    for (int k = 0; k < NETWORKS; k++) {
        waio_graph *graph = net_random_graph((uint64_t)k + 1), *lowered = NULL;
        float *x = random_images(graph, &net_rng);
        waio_scheme scheme = {.per_channel = k % 3 != 0,
                              .weights = WAIO_SYMMETRIC,
                              .activations = k % 5 ? WAIO_SYMMETRY_AUTO : WAIO_SYMMETRIC,
                              .rounding = WAIO_ROUND_HALF_AWAY};
        quantized q = {0};
        quantize(&q, graph, x, &scheme);
        CHECK_OK(waio_lower(&lowered, q.quantizer, &requests[k % REQUESTS], WAIO_REQUANT_FLOAT));
        snprintf(name, sizeof name, "random_%d_%d", k, k % REQUESTS);
        if (lowered)
            take(&(sample){name, "quantized", lowered, BATCH, x, step_of(lowered), false});
        waio_graph_free(lowered);
        free_quantized(&q);
        free(x);
        waio_graph_free(graph);
    }
}

/* Codes of weights alone: of 8 and 16 bits and as halves, in layers that compute in float. */
static void narrow_weights(void)
{
    static const int bits[] = {8, 4, 12, WAIO_F16};
    waio_scheme scheme = {.per_channel = true,
                          .weights = WAIO_SYMMETRIC,
                          .activations = WAIO_SYMMETRY_AUTO,
                          .rounding = WAIO_ROUND_HALF_AWAY};
    char name[64];

    for (int k = 0; k < 4; k++) {
        waio_graph *graph = waio_graph_new("narrow"), *lowered = NULL;
        waio_quant_request request = {{bits[k], 32, 32, 32}, 0, NULL};
        int x = net_input(graph, WAIO_SHAPE(1, 4, 4, 3)), y = net_conv(graph, "first", x, 8, 1);
        y = net_conv(graph, "second", y, 32, 1);
        y = net_dense(graph, "rows", y, 64);
        y = net_dense(graph, "hidden", net_mean(graph, y), 96);
        CHECK_OK(waio_graph_add_output(graph, net_dense(graph, "last", y, 5)));
        float *image = random_images(graph, &net_rng);
        quantized q = {0};
        quantize(&q, graph, image, &scheme);
        CHECK_OK(waio_lower(&lowered, q.quantizer, &request, WAIO_REQUANT_FLOAT));
        snprintf(name, sizeof name, "narrow_%s", waio_bits_text(bits[k]));
        take(&(sample){name, "float", lowered, BATCH, image, 0, bits[k] == WAIO_F16});
        waio_graph_free(lowered);
        free_quantized(&q);
        free(image);
        waio_graph_free(graph);
    }
}

/* ---- the embedded networks, only for the comparison with onnxruntime ---- */

/* All images as the session feeds them. */
static float *session_images(waio_session *s, int64_t count)
{
    waio_quant_request plain = {{32, 32, 32, 32}, 0, NULL};
    waio_quant_binding binding;
    waio_input_table table;
    float *x = waio_aligned_calloc((size_t)count * PIXELS * sizeof *x);
    int64_t batch = waio_program_batch(s->program);

    CHECK_OK(waio_quantizer_bind(s->quantizer, &plain, &binding));
    waio_input_numbers(&table, s, &binding);
    for (int64_t i = 0; i < count; i += batch) {
        int64_t n = count - i < batch ? count - i : batch;
        waio_fill_input(s->program, s->dataset, &table, &s->workspace[0], NULL, i, n);
        memcpy(x + i * PIXELS,
               waio_workspace_value(&s->workspace[0], s->program, s->model.graph->input),
               (size_t)n * PIXELS * sizeof *x);
    }
    waio_quant_binding_free(&binding);
    return x;
}

static void embedded_network(const char *model)
{
    waio_session_options options = tiny_session_options(20, 2);
    char name[64];

    options.images = TEST_IMAGES;
    waio_session *s = open_model(model, &options);
    CHECK_OK(waio_session_calibrate(s));
    float *x = session_images(s, TEST_IMAGES);
    take(&(sample){model, "images", s->model.graph, TEST_IMAGES, x, 0, false});
    for (int k = 0; k < REQUESTS; k++) {
        waio_graph *lowered = NULL;
        CHECK_OK(waio_session_lower(s, &lowered, &requests[k], WAIO_REQUANT_FLOAT));
        snprintf(name, sizeof name, "%s_%d", model, k);
        take(&(sample){name, "images", lowered, TEST_IMAGES, x, step_of(lowered), false});
        waio_graph_free(lowered);
    }
    free(x);
    waio_session_close(s);
}

/* ---- what cannot be held, and names ---- */

static void refused(void)
{
    waio_graph *g = waio_graph_new("refused");
    unsigned char *data = NULL;
    size_t size = 0;
    float scale[2] = {1, 2};
    int32_t zero[2] = {0};
    waio_value_params per_channel = {
        .bits = 8, .axis = 3, .count = 2, .scale = scale, .zero_point = zero};
    int y = net_node(g, (waio_node){.op = WAIO_OP_QUANTIZE,
                                    .name = "channels",
                                    .input = {net_input(g, WAIO_SHAPE(1, 4, 4, 2))}});

    CHECK_OK(waio_graph_set_type(g, y, WAIO_S8, &per_channel));
    CHECK_OK(waio_graph_add_output(g, y));
    CHECK_FAILS(waio_onnx_write(&data, &size, g), WAIO_EUNSUPPORTED,
                "node \"channels\" (quantize): value \"channels\" of type s8 with 2 scales");
    CHECK(data == NULL, "bytes of a network that is refused");
    waio_graph_free(g);
}

/* Outputs that are the input, that are twice there, and that a node without effect gives. */
static void strange_outputs(void)
{
    waio_graph *g = waio_graph_new("outputs");
    int x = net_input(g, WAIO_SHAPE(1, 2, 3, 4));
    int same =
        net_node(g, (waio_node){.op = WAIO_OP_CLIP, .name = "x", .input = {x}, .clamp = {0}});
    int y = net_conv(g, "x", x, 3, 1);
    float image[24 * BATCH] = {1, 2, -3};

    CHECK_OK(waio_graph_add_output(g, x));
    CHECK_OK(waio_graph_add_output(g, same));
    CHECK_OK(waio_graph_add_output(g, y));
    CHECK_OK(waio_graph_add_output(g, y));
    take(&(sample){"outputs", "float", g, BATCH, image, 0, false});
    waio_graph_free(g);
}

static void everything(void)
{
    refused();
    strange_outputs();
    every_op();
    whole_networks();
    random_networks();
    narrow_weights();
    if (!folder)
        return;
    embedded_network("shapes_resnet8");
    embedded_network("shapes_mobilenet");
}

int main(int argc, char **argv)
{
    char path[512], scratch[] = "/tmp/waio_test_XXXXXX";

    folder = argc > 1 ? argv[1] : NULL;
    if (folder && !tiny_begin()) /* the embedded networks run on the data set of the build */
        return 77;
    CHECK(mkdtemp(scratch) != NULL, "no folder for tests");
    snprintf(again_path, sizeof again_path, "%s/again.onnx", scratch);
    snprintf(path, sizeof path, "%s/cases.txt", folder ? folder : scratch);
    list = fopen(path, "w");
    CHECK(list != NULL, "%s", path);
    if (!list)
        return waio_check_result();
    everything();
    fclose(list);
    if (folder)
        tiny_end();
    else
        unlink(path);
    unlink(again_path);
    CHECK(rmdir(scratch) == 0, "%s is not empty", scratch);
    return waio_check_result();
}
