/* The reference against small examples worked by hand, one or more for every op. */
#include "check.h"

#include <stdlib.h>

#include "check/float_run.h"

enum { MOST = 48 };

/* One op on an input; further operands are constants. Numbers in reading order of the shape. */
typedef struct example {
    const char *what;
    waio_node node; /* input_count is counted from `shape` */
    waio_shape shape[5];
    float data[5][MOST]; /* [0] is x: `batch` images */
    float want[MOST];
    int64_t batch; /* 0 is read as 1 */
    bool constant_first;
    double eps; /* allowed, relative to the wanted number; 0: equal */
} example;

#define CONV(...) .op = WAIO_OP_CONV2D, .conv = {__VA_ARGS__}

static const example examples[] = {
    {.what = "conv: 2x2 kernel, one channel",
     .node = {CONV({1, 1}, {1, 1}, {0, 0, 0, 0}, 1)},
     {{4, {1, 2, 3, 1}}, {4, {1, 2, 2, 1}}, {1, {1}}},
     {{1, 2, 3, 4, 5, 6}, {1, 10, 100, 1000}, {0.5f}},
     {1 + 20 + 400 + 5000 + 0.5f, 2 + 30 + 500 + 6000 + 0.5f}},
    {.what = "conv: weights are OHWI, channels of a cell lie together",
     .node = {CONV({1, 1}, {1, 1}, {0, 0, 0, 0}, 1)},
     {{4, {1, 1, 2, 2}}, {4, {2, 1, 1, 2}}},
     {{1, 2, 3, 4}, {1, 10, 100, 1000}},
     {21, 2100, 43, 4300}},
    {.what = "conv: pad is top, left, bottom, right; stride is height, width",
     .node = {CONV({1, 2}, {1, 1}, {1, 0, 0, 1}, 1)},
     {{4, {1, 1, 2, 1}}, {4, {1, 2, 2, 1}}},
     {{7, 9}, {1, 2, 3, 4}},
     {7 * 3 + 9 * 4}},
    {.what = "conv: dilation 2 in width",
     .node = {CONV({1, 1}, {1, 2}, {0, 0, 0, 0}, 1)},
     {{4, {1, 1, 4, 1}}, {4, {1, 1, 2, 1}}},
     {{1, 2, 3, 4}, {1, 10}},
     {31, 42}},
    {.what = "conv: two groups see their own channels",
     .node = {CONV({1, 1}, {1, 1}, {0, 0, 0, 0}, 2)},
     {{4, {1, 1, 1, 4}}, {4, {2, 1, 1, 2}}},
     {{1, 2, 3, 4}, {1, 10, 1, 10}},
     {21, 43}},
    {.what = "conv: depthwise with multiplier 2, output channel g * 2 + i",
     .node = {CONV({1, 1}, {1, 1}, {0, 0, 0, 0}, 2)},
     {{4, {1, 1, 1, 2}}, {4, {4, 1, 1, 1}}},
     {{3, 5}, {1, 2, 3, 4}},
     {3, 6, 15, 20}},
    {.what = "conv: the clamp comes behind the bias",
     .node = {CONV({1, 1}, {1, 1}, {0, 0, 0, 0}, 1), .clamp = {0, 6}},
     {{4, {1, 1, 3, 1}}, {4, {1, 1, 1, 1}}, {1, {1}}},
     {{-4, 3, 9}, {1}, {1}},
     {0, 4, 6}},
    {.what = "dense: weight is (out, in), two images",
     .node = {.op = WAIO_OP_DENSE},
     {{2, {1, 2}}, {2, {3, 2}}, {1, {3}}},
     {{1, 2, 3, 4}, {1, 10, 100, 1000, 0, 1}, {0, 0, 5}},
     {21, 2100, 7, 43, 4300, 9},
     .batch = 2},
    {.what = "batch_norm: gamma * (x - mean) / sqrt(variance + epsilon) + beta",
     .node = {.op = WAIO_OP_BATCH_NORM, .epsilon = 1},
     {{2, {1, 2}}, {1, {2}}, {1, {2}}, {1, {2}}, {1, {2}}},
     {{5, 7}, {2, 3}, {10, 20}, {1, 2}, {3, 8}},
     {10 + 2 * 4 / 2, 20 + 3 * 5 / 3}},
    {.what = "clip",
     .node = {.op = WAIO_OP_CLIP, .clamp = {-1, 2}},
     {{2, {1, 3}}},
     {{-3, 0.5f, 3}},
     {-1, 0.5f, 2}},
    {.what = "add: one number per channel",
     .node = {.op = WAIO_OP_ADD},
     {{4, {1, 1, 2, 2}}, {1, {2}}},
     {{1, 2, 3, 4}, {10, 20}},
     {11, 22, 13, 24}},
    {.what = "sub: constant minus x",
     .node = {.op = WAIO_OP_SUB},
     {{2, {1, 2}}, {0}},
     {{1, 2}, {10}},
     {9, 8},
     .constant_first = true},
    {.what = "sub: x minus constant, two images",
     .node = {.op = WAIO_OP_SUB},
     {{2, {1, 2}}, {2, {1, 2}}},
     {{1, 2, 3, 4}, {10, 20}},
     {-9, -18, -7, -16},
     .batch = 2},
    {.what = "mul: one number per row",
     .node = {.op = WAIO_OP_MUL},
     {{4, {1, 2, 2, 1}}, {3, {2, 1, 1}}},
     {{1, 2, 3, 4}, {10, 100}},
     {10, 20, 300, 400}},
    {.what = "maximum",
     .node = {.op = WAIO_OP_MAXIMUM},
     {{2, {1, 3}}, {0}},
     {{-1, 0, 1}, {0.5f}},
     {0.5f, 0.5f, 1}},
    {.what = "concat: channels of a constant behind those of x, two images",
     .node = {.op = WAIO_OP_CONCAT, .axis = {2}},
     {{3, {1, 2, 1}}, {3, {1, 2, 2}}},
     {{1, 2, 3, 4}, {10, 20, 30, 40}},
     {1, 10, 20, 2, 30, 40, 3, 10, 20, 4, 30, 40},
     .batch = 2},
    {.what = "concat: axis 1",
     .node = {.op = WAIO_OP_CONCAT, .axis = {1}},
     {{3, {1, 2, 1}}, {3, {1, 1, 1}}},
     {{1, 2}, {10}},
     {1, 2, 10}},
    {.what = "avg_pool: only real cells count",
     .node = {.op = WAIO_OP_AVG_POOL, .pool = {{2, 2}, {1, 1}, {1, 1, 0, 0}, false}},
     {{4, {1, 1, 2, 1}}},
     {{4, 6}},
     {4, 5}},
    {.what = "avg_pool: padding counts",
     .node = {.op = WAIO_OP_AVG_POOL, .pool = {{2, 2}, {1, 1}, {1, 1, 0, 0}, true}},
     {{4, {1, 1, 2, 1}}},
     {{4, 6}},
     {1, 2.5f}},
    {.what = "max_pool: padding is less than anything",
     .node = {.op = WAIO_OP_MAX_POOL, .pool = {{1, 2}, {1, 2}, {0, 1, 0, 1}}},
     {{4, {1, 1, 4, 1}}},
     {{-4, -6, -5, -9}},
     {-4, -5, -9}},
    {.what = "mean over height and width",
     .node = {.op = WAIO_OP_MEAN, .reduce = {.axes = 6}},
     {{4, {1, 2, 1, 2}}},
     {{1, 10, 3, 30}},
     {2, 20}},
    {.what = "mean over width alone, two images",
     .node = {.op = WAIO_OP_MEAN, .reduce = {.axes = 4, .keep_dims = true}},
     {{4, {1, 1, 2, 1}}},
     {{1, 3, 10, 20}},
     {2, 15},
     .batch = 2},
    {.what = "sum over channels",
     .node = {.op = WAIO_OP_SUM, .reduce = {.axes = 4}},
     {{3, {1, 2, 2}}},
     {{1, 2, 3, 4}},
     {3, 7}},
    {.what = "pad: in front and behind, with a value",
     .node = {.op = WAIO_OP_PAD, .pad = {{0, 1}, {0, 2}, 9}},
     {{2, {1, 2}}},
     {{1, 2}},
     {9, 1, 2, 9, 9}},
    {.what = "pad: one axis of two",
     .node = {.op = WAIO_OP_PAD, .pad = {{0, 0, 1}, {0, 1, 0}, 0}},
     {{3, {1, 1, 2}}},
     {{1, 2}},
     {0, 1, 2, 0, 0, 0}},
    {.what = "reshape keeps the order",
     .node = {.op = WAIO_OP_RESHAPE, .reshape = {{3, {1, 3, 2}}}},
     {{3, {1, 2, 3}}},
     {{1, 2, 3, 4, 5, 6}},
     {1, 2, 3, 4, 5, 6}},
    {.what = "transpose: output dimension i is input dimension perm[i], two images",
     .node = {.op = WAIO_OP_TRANSPOSE, .transpose = {{0, 2, 1}}},
     {{3, {1, 2, 3}}},
     {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
     {1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12},
     .batch = 2},
    {.what = "softmax: exp(0), exp(ln 3) over their sum, rows apart",
     .node = {.op = WAIO_OP_SOFTMAX, .axis = {2}},
     {{3, {1, 2, 2}}},
     {{0, 1.0986123f, 1000, 1000}},
     {0.25f, 0.75f, 0.5f, 0.5f},
     .eps = 2},
    {.what = "logistic: 1/2, 3/4, and no overflow at the ends",
     .node = {.op = WAIO_OP_LOGISTIC},
     {{2, {1, 4}}},
     {{0, 1.0986123f, 200, -1000}},
     {0.5f, 0.75f, 1, 0},
     .eps = 2},
    {.what = "resize nearest: i * in/out",
     .node = {.op = WAIO_OP_RESIZE, .resize = {{1, 5}, false, false, false}},
     {{4, {1, 1, 2, 1}}},
     {{1, 2}},
     {1, 1, 1, 2, 2}},
    {.what = "resize nearest, half pixel: (i + 0.5) * in/out",
     .node = {.op = WAIO_OP_RESIZE, .resize = {{1, 3}, false, true, false}},
     {{4, {1, 1, 5, 1}}},
     {{1, 2, 3, 4, 5}},
     {1, 3, 5}},
    {.what = "resize nearest, corners aligned",
     .node = {.op = WAIO_OP_RESIZE, .resize = {{1, 4}, false, false, true}},
     {{4, {1, 1, 2, 1}}},
     {{1, 2}},
     {1, 1, 2, 2}},
    {.what = "resize bilinear: i * in/out",
     .node = {.op = WAIO_OP_RESIZE, .resize = {{1, 4}, true, false, false}},
     {{4, {1, 1, 2, 1}}},
     {{1, 3}},
     {1, 2, 3, 3}},
    {.what = "resize bilinear, half pixel",
     .node = {.op = WAIO_OP_RESIZE, .resize = {{1, 4}, true, true, false}},
     {{4, {1, 1, 2, 1}}},
     {{1, 3}},
     {1, 1.5f, 2.5f, 3}},
    {.what = "resize bilinear, corners aligned, both axes",
     .node = {.op = WAIO_OP_RESIZE, .resize = {{3, 3}, true, false, true}},
     {{4, {1, 2, 2, 1}}},
     {{0, 2, 4, 6}},
     {0, 1, 2, 2, 3, 4, 4, 5, 6}},
};
enum { EXAMPLES = sizeof examples / sizeof *examples };

static int build(waio_graph *graph, const example *e)
{
    waio_node node = e->node;
    int id = -1, first = e->constant_first ? 1 : 0;

    node.name = e->what;
    CHECK_OK(waio_graph_add_input(graph, &node.input[first], "x", &e->shape[0]));
    node.input_count = 1;
    /* A scalar is a shape of rank 0 behind the input: two-input ops always have two. */
    int least = node.op >= WAIO_OP_ADD && node.op <= WAIO_OP_MAXIMUM ? 2 : 1;
    for (int i = 1; i < 5 && (e->shape[i].rank || i < least); i++) {
        float *data = NULL;
        int at = e->constant_first ? 0 : i;
        CHECK_OK(waio_graph_add_const(graph, &node.input[at], "c", &e->shape[i], &data));
        memcpy(data, e->data[i], (size_t)waio_shape_count(&e->shape[i]) * sizeof *data);
        node.input_count++;
    }
    CHECK_OK(waio_graph_add_node(graph, &id, &node));
    CHECK_OK(waio_graph_add_output(graph, id));
    return id;
}

static void check_example(const example *e, const waio_backend *backend)
{
    waio_graph *graph = waio_graph_new(e->what);
    waio_float_run run = {0};
    int id = build(graph, e);

    CHECK_OK(waio_float_run_create(&run, graph, backend, e->batch ? e->batch : 1, 0));
    CHECK_OK(waio_float_run_whole(&run, e->data[0]));
    const float *got = waio_float_run_value(&run, id);
    for (size_t i = 0; i < waio_float_run_count(&run, id); i++)
        CHECK(fabs((double)got[i] - e->want[i]) <= e->eps * 1.2e-7 * fabs((double)e->want[i]),
              "%s on %s: number %zu is %.9g, worked out %.9g", e->what, backend->name, i,
              (double)got[i], (double)e->want[i]);
    waio_float_run_free(&run);
    waio_graph_free(graph);
}

int main(void)
{
    bool seen[WAIO_OP_COUNT] = {false};

    for (int i = 0; i < EXAMPLES; i++) {
        seen[examples[i].node.op] = true;
        check_example(&examples[i], &waio_backend_ref);
        check_example(&examples[i], &waio_backend_cpu);
    }
    seen[WAIO_OP_QUANTIZE] = seen[WAIO_OP_DEQUANTIZE] = true; /* integer values: test_refq */
    for (int op = 0; op < WAIO_OP_COUNT; op++)
        CHECK(seen[op], "%s has no worked example", waio_op_name((waio_op)op));
    return waio_check_result();
}
