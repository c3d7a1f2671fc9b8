/* Building graphs: every message of shape inference, arity, limits, shared weights, reading. */
#include "check.h"

#include <stdlib.h>

#include "check/float_run.h"

/* A node that must be refused. Operands are constants of the given shapes; `computed` makes the
 * operand with this number a computed value of x's shape instead (0: none). */
typedef struct refusal {
    const char *part; /* of the message */
    waio_node node;
    waio_shape x, operand[4];
    int computed;
} refusal;

#define IMAGE                                                                                      \
    {                                                                                              \
        4,                                                                                         \
        {                                                                                          \
            1, 5, 6, 4                                                                             \
        }                                                                                          \
    }
#define CONV(...)                                                                                  \
    {                                                                                              \
        .op = WAIO_OP_CONV2D, .conv = { __VA_ARGS__ }                                              \
    }
#define POOL(...)                                                                                  \
    {                                                                                              \
        .op = WAIO_OP_MAX_POOL, .pool = { __VA_ARGS__ }                                            \
    }
#define PLAIN {1, 1}, {1, 1}, {0, 0, 0, 0}, 1

static const refusal refusals[] = {
    /* conv2d */
    {.part = "the input has shape 1x7, expected 4 dimensions",
     .node = CONV(PLAIN),
     .x = {2, {1, 7}},
     .operand = {{4, {2, 1, 1, 4}}}},
    {.part = "the weight has shape 2x4, expected 4 dimensions",
     .node = CONV(PLAIN),
     .x = IMAGE,
     .operand = {{2, {2, 4}}}},
    {.part = "the weight is computed, expected a constant",
     .node = CONV(PLAIN),
     .x = {4, {1, 1, 1, 1}},
     .operand = {{4, {1, 1, 1, 1}}},
     .computed = 1},
    {.part = "3 groups do not divide 4 input and 3 output channels",
     .node = CONV({1, 1}, {1, 1}, {0, 0, 0, 0}, 3),
     .x = IMAGE,
     .operand = {{4, {3, 1, 1, 4}}}},
    {.part = "2 groups do not divide 4 input and 3 output channels",
     .node = CONV({1, 1}, {1, 1}, {0, 0, 0, 0}, 2),
     .x = IMAGE,
     .operand = {{4, {3, 1, 1, 2}}}},
    {.part = "0 groups do not divide",
     .node = CONV({1, 1}, {1, 1}, {0, 0, 0, 0}, 0),
     .x = IMAGE,
     .operand = {{4, {3, 1, 1, 4}}}},
    {.part = "the weight is 3x1x1x5 (OHWI), expected 4 input channels",
     .node = CONV(PLAIN),
     .x = IMAGE,
     .operand = {{4, {3, 1, 1, 5}}}},
    {.part = "the weight is 4x1x1x4 (OHWI), expected 2 input channels",
     .node = CONV({1, 1}, {1, 1}, {0, 0, 0, 0}, 2),
     .x = IMAGE,
     .operand = {{4, {4, 1, 1, 4}}}},
    {.part = "the bias has shape 2, expected 3",
     .node = CONV(PLAIN),
     .x = IMAGE,
     .operand = {{4, {3, 1, 1, 4}}, {1, {2}}}},
    {.part = "the bias has shape 1x3, expected 3",
     .node = CONV(PLAIN),
     .x = IMAGE,
     .operand = {{4, {3, 1, 1, 4}}, {2, {1, 3}}}},
    {.part = "the bias is computed, expected a constant",
     .node = CONV(PLAIN),
     .x = IMAGE,
     .operand = {{4, {4, 1, 1, 4}}, {1, {4}}},
     .computed = 2},
    {.part = "stride 0, dilation 1, padding 0 and 0: expected sizes from 1 and paddings from 0",
     .node = CONV({1, 0}, {1, 1}, {0, 0, 0, 0}, 1),
     .x = IMAGE,
     .operand = {{4, {3, 1, 1, 4}}}},
    {.part = "dilation 0",
     .node = CONV({1, 1}, {0, 1}, {0, 0, 0, 0}, 1),
     .x = IMAGE,
     .operand = {{4, {3, 1, 1, 4}}}},
    {.part = "padding -1 and 0",
     .node = CONV({1, 1}, {1, 1}, {-1, 0, 0, 0}, 1),
     .x = IMAGE,
     .operand = {{4, {3, 1, 1, 4}}}},
    {.part = "a window of 7 does not fit an input of 1x5x6x4",
     .node = CONV({1, 1}, {3, 1}, {1, 0, 0, 0}, 1),
     .x = IMAGE,
     .operand = {{4, {3, 3, 1, 4}}}},
    /* dense */
    {.part = "the weight has shape 4, expected 2 dimensions",
     .node = {.op = WAIO_OP_DENSE},
     .x = {2, {1, 4}},
     .operand = {{1, {4}}}},
    {.part = "the weight is computed, expected a constant",
     .node = {.op = WAIO_OP_DENSE},
     .x = {2, {1, 1}},
     .operand = {{2, {1, 1}}},
     .computed = 1},
    {.part = "the input is 1x3, expected 4 in its last dimension",
     .node = {.op = WAIO_OP_DENSE},
     .x = {2, {1, 3}},
     .operand = {{2, {2, 4}}}},
    {.part = "the input is 1, expected 1 in its last dimension",
     .node = {.op = WAIO_OP_DENSE},
     .x = {1, {1}},
     .operand = {{2, {2, 1}}}},
    {.part = "the bias has shape 3, expected 2",
     .node = {.op = WAIO_OP_DENSE},
     .x = {2, {1, 4}},
     .operand = {{2, {2, 4}}, {1, {3}}}},
    /* batch_norm */
    {.part = "the input has no channels",
     .node = {.op = WAIO_OP_BATCH_NORM},
     .x = {1, {1}},
     .operand = {{1, {1}}, {1, {1}}, {1, {1}}, {1, {1}}}},
    {.part = "the mean has shape 3, expected 4",
     .node = {.op = WAIO_OP_BATCH_NORM},
     .x = IMAGE,
     .operand = {{1, {4}}, {1, {4}}, {1, {3}}, {1, {4}}}},
    {.part = "the variance is computed",
     .node = {.op = WAIO_OP_BATCH_NORM},
     .x = IMAGE,
     .operand = {{1, {4}}, {1, {4}}, {1, {4}}, {1, {4}}},
     .computed = 4},
    {.part = "epsilon is -1, expected at least 0",
     .node = {.op = WAIO_OP_BATCH_NORM, .epsilon = -1},
     .x = IMAGE,
     .operand = {{1, {4}}, {1, {4}}, {1, {4}}, {1, {4}}}},
    {.part = "epsilon is nan",
     .node = {.op = WAIO_OP_BATCH_NORM, .epsilon = NAN},
     .x = IMAGE,
     .operand = {{1, {4}}, {1, {4}}, {1, {4}}, {1, {4}}}},
    /* clip, two inputs */
    {.part = "clip from 2 to 1 is empty",
     .node = {.op = WAIO_OP_CLIP, .clamp = {2, 1}},
     .x = IMAGE},
    {.part = "clip from nan to 1", .node = {.op = WAIO_OP_CLIP, .clamp = {NAN, 1}}, .x = IMAGE},
    {.part = "shapes 1x5x6x4 and 3 do not go together",
     .node = {.op = WAIO_OP_ADD},
     .x = IMAGE,
     .operand = {{1, {3}}}},
    {.part = "shapes 1x5x6x4 and 2x1x1x1 would change the batch",
     .node = {.op = WAIO_OP_SUB},
     .x = IMAGE,
     .operand = {{4, {2, 1, 1, 1}}}},
    {.part = "shapes 1x4 and 1x1x4 would change the batch",
     .node = {.op = WAIO_OP_MUL},
     .x = {2, {1, 4}},
     .operand = {{3, {1, 1, 4}}}},
    {.part = "shapes 1 and 1x4 would change the batch",
     .node = {.op = WAIO_OP_MAXIMUM},
     .x = {1, {1}},
     .operand = {{2, {1, 4}}}},
    /* concat */
    {.part = "axis 0, expected 1 to 3", .node = {.op = WAIO_OP_CONCAT}, .x = IMAGE},
    {.part = "axis 4, expected 1 to 3", .node = {.op = WAIO_OP_CONCAT, .axis = {4}}, .x = IMAGE},
    {.part = "input 1 is 1x5x7x4, which does not continue 1x5x6x4 on axis 3",
     .node = {.op = WAIO_OP_CONCAT, .axis = {3}},
     .x = IMAGE,
     .operand = {{4, {1, 5, 7, 4}}}},
    {.part = "input 1 is 1x5, which does not continue",
     .node = {.op = WAIO_OP_CONCAT, .axis = {3}},
     .x = IMAGE,
     .operand = {{2, {1, 5}}}},
    /* pools, reductions, pad */
    {.part = "the input has shape 1x7, expected 4 dimensions",
     .node = POOL({1, 1}, {1, 1}),
     .x = {2, {1, 7}}},
    {.part = "padding 2 and 0, expected less than the kernel's 2",
     .node = POOL({2, 2}, {1, 1}, {2, 0, 0, 0}),
     .x = IMAGE},
    {.part = "padding 0 and 3, expected less than the kernel's 2",
     .node = {.op = WAIO_OP_AVG_POOL, .pool = {{2, 2}, {1, 1}, {0, 0, 0, 3}, true}},
     .x = IMAGE},
    {.part = "kernel 0", .node = POOL({2, 0}, {1, 1}, {0, -1, 0, -1}), .x = IMAGE},
    {.part = "a window of 6 does not fit", .node = POOL({6, 1}, {1, 1}), .x = IMAGE},
    {.part = "reduces axes 0x0 of 4 dimensions", .node = {.op = WAIO_OP_MEAN}, .x = IMAGE},
    {.part = "never the batch", .node = {.op = WAIO_OP_SUM, .reduce = {7, false}}, .x = IMAGE},
    {.part = "reduces axes 0x10", .node = {.op = WAIO_OP_SUM, .reduce = {16, false}}, .x = IMAGE},
    {.part = "pads dimension 1 by -1 and 0",
     .node = {.op = WAIO_OP_PAD, .pad = {{0, -1}, {0}, 0}},
     .x = IMAGE},
    {.part = "none for the batch", .node = {.op = WAIO_OP_PAD, .pad = {{1}, {0}, 0}}, .x = IMAGE},
    {.part = "impossible or too large",
     .node = {.op = WAIO_OP_PAD, .pad = {{0, INT32_MAX, INT32_MAX}, {0, INT32_MAX}, 0}},
     .x = IMAGE},
    /* moving */
    {.part = "cannot reshape 1x5x6x4 to 1x119",
     .node = {.op = WAIO_OP_RESHAPE, .reshape = {{2, {1, 119}}}},
     .x = IMAGE},
    {.part = "cannot reshape 1x5x6x4 to 2x60",
     .node = {.op = WAIO_OP_RESHAPE, .reshape = {{2, {2, 60}}}},
     .x = IMAGE},
    {.part = "cannot reshape 1x5x6x4 to scalar", .node = {.op = WAIO_OP_RESHAPE}, .x = IMAGE},
    {.part = "dimension 2 comes from 1: not a permutation",
     .node = {.op = WAIO_OP_TRANSPOSE, .transpose = {{0, 1, 1, 2}}},
     .x = IMAGE},
    {.part = "dimension 3 comes from 4",
     .node = {.op = WAIO_OP_TRANSPOSE, .transpose = {{0, 1, 2, 4}}},
     .x = IMAGE},
    {.part = "keeps the batch in front",
     .node = {.op = WAIO_OP_TRANSPOSE, .transpose = {{1, 0, 2, 3}}},
     .x = IMAGE},
    {.part = "axis 1 of 4 dimensions, expected the last one",
     .node = {.op = WAIO_OP_SOFTMAX, .axis = {1}},
     .x = IMAGE},
    {.part = "axis 0 of 1 dimensions", .node = {.op = WAIO_OP_SOFTMAX}, .x = {1, {1}}},
    {.part = "resize to 0x3", .node = {.op = WAIO_OP_RESIZE, .resize = {{0, 3}}}, .x = IMAGE},
    {.part = "with both half_pixel and align_corners",
     .node = {.op = WAIO_OP_RESIZE, .resize = {{3, 3}, true, true, true}},
     .x = IMAGE},
    {.part = "expected 4 dimensions",
     .node = {.op = WAIO_OP_RESIZE, .resize = {{3, 3}}},
     .x = {2, {1, 7}}},
};
enum { REFUSALS = sizeof refusals / sizeof *refusals };

static void check_refusal(const refusal *r)
{
    waio_graph *graph = waio_graph_new("refusal");
    waio_node node = r->node, clip = {.op = WAIO_OP_CLIP, .name = "clip", .input_count = 1};
    char place[64];
    int id = -1;

    node.name = "the node";
    CHECK_OK(waio_graph_add_input(graph, &node.input[0], "x", &r->x));
    clip.input[0] = node.input[0];
    node.input_count = 1;
    for (int i = 1; i <= 4 && r->operand[i - 1].rank; i++, node.input_count++) {
        if (i == r->computed)
            CHECK_OK(waio_graph_add_node(graph, &node.input[i], &clip));
        else
            CHECK_OK(waio_graph_add_const(graph, &node.input[i], "c", &r->operand[i - 1], NULL));
    }
    int nodes = graph->node_count;
    CHECK_FAILS(waio_graph_add_node(graph, &id, &node), WAIO_EINPUT, r->part);
    snprintf(place, sizeof place, "node \"the node\" (%s): ", waio_op_name(node.op));
    CHECK(strncmp(waio_error_message(), place, strlen(place)) == 0, "message begins %s",
          waio_error_message());
    CHECK(graph->node_count == nodes, "the refused node was added");
    waio_graph_free(graph);
}

static void arity_is_checked(void)
{
    static const struct {
        int least, most;
    } arity[] = {
#define WAIO_OP_DEF(ENUM, name, least, most, weighted) {least, most},
#include "graph/ops.def"
#undef WAIO_OP_DEF
    };
    waio_graph *graph = waio_graph_new("arity");
    int x = -1, id = -1;

    CHECK_OK(waio_graph_add_input(graph, &x, "x", &WAIO_SHAPE(1, 4)));
    for (int op = 0; op < WAIO_OP_COUNT; op++) {
        waio_node node = {.op = (waio_op)op, .name = "n", .input_count = arity[op].least - 1};
        CHECK_FAILS(waio_graph_add_node(graph, &id, &node), WAIO_EINPUT, "inputs, expected");
        node.input_count = arity[op].most + 1;
        CHECK_FAILS(waio_graph_add_node(graph, &id, &node), WAIO_EINPUT, "inputs, expected");
        CHECK(waio_op_find(waio_op_name((waio_op)op)) == (waio_op)op, "op %d by name", op);
    }
    waio_node node = {.op = WAIO_OP_CLIP, .name = "n", .input = {7}, .input_count = 1};
    CHECK_FAILS(waio_graph_add_node(graph, &id, &node), WAIO_EINPUT,
                "input 0 is not a value of this graph");
    CHECK(waio_op_find("conv3d") == WAIO_OP_COUNT, "an op that there is not");
    waio_graph_free(graph);
}

static void limits_of_building(void)
{
    waio_graph *graph = waio_graph_new("limits");
    waio_node all = {.op = WAIO_OP_ADD, .name = "all", .input_count = 2};
    int id = -1;

    CHECK_FAILS(waio_graph_validate(graph), WAIO_EINPUT, "no input");
    CHECK_FAILS(waio_graph_add_input(graph, &id, "x", &WAIO_SHAPE(2, 3)), WAIO_EINPUT,
                "input x: shape 2x3, expected a batch of 1 in front");
    CHECK_FAILS(waio_graph_add_input(graph, &id, "x", &(waio_shape){0}), WAIO_EINPUT,
                "shape scalar, expected a batch");
    CHECK_OK(waio_graph_add_input(graph, &id, "x", &WAIO_SHAPE(1, 3)));
    CHECK_FAILS(waio_graph_validate(graph), WAIO_EINPUT, "no output");
    CHECK_FAILS(waio_graph_add_input(graph, &id, "y", &WAIO_SHAPE(1, 3)), WAIO_EUNSUPPORTED,
                "more than one input (x and y)");
    CHECK_FAILS(waio_graph_add_const(graph, &id, "c", &WAIO_SHAPE(1 << 30, 1 << 11), NULL),
                WAIO_EINPUT, "impossible or too large");
    CHECK_FAILS(waio_graph_add_const(graph, &id, "c", &WAIO_SHAPE(3, 0), NULL), WAIO_EINPUT,
                "c: the shape 3x0 is impossible");
    CHECK_OK(waio_graph_add_const(graph, &all.input[0], "c", &WAIO_SHAPE(3), NULL));
    all.input[1] = all.input[0];
    CHECK_FAILS(waio_graph_add_node(graph, &id, &all), WAIO_EINPUT, "all inputs are constants");
    CHECK_FAILS(waio_graph_add_output(graph, all.input[0]), WAIO_EINPUT, "not a computed value");
    CHECK_FAILS(waio_graph_add_output(graph, 99), WAIO_EINPUT, "not a computed value");
    for (int i = 0; i < WAIO_MAX_OUTPUTS; i++)
        CHECK_OK(waio_graph_add_output(graph, graph->input));
    CHECK_FAILS(waio_graph_add_output(graph, graph->input), WAIO_EUNSUPPORTED, "more than 32");
    CHECK_OK(waio_graph_validate(graph));
    waio_graph_free(graph);
}

static void constants_must_be_finite(void)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};

    for (int i = 0; i < 3; i++) {
        waio_graph *graph = waio_graph_new("bad");
        waio_node add = {.op = WAIO_OP_ADD, .name = "add", .input_count = 2};
        float *data = NULL;
        int id = -1;
        CHECK_OK(waio_graph_add_input(graph, &add.input[0], "x", &WAIO_SHAPE(1, 3)));
        CHECK_OK(waio_graph_add_const(graph, &add.input[1], "addend", &WAIO_SHAPE(3), &data));
        CHECK_OK(waio_graph_add_node(graph, &id, &add));
        CHECK_OK(waio_graph_add_output(graph, id));
        data[2] = bad[i];
        CHECK_FAILS(waio_graph_validate(graph), WAIO_EINPUT, i ? "infinity" : "NaN");
        CHECK_FAILS(waio_graph_optimize(graph), WAIO_EINPUT, "addend holds");
        waio_graph_free(graph);
    }
}

/* One matrix read by two dense nodes of different widths of input rows and by a mul: the packed
 * layouts must not meet in one value. */
static void shared_weights_are_split(void)
{
    waio_graph *graph = waio_graph_new("shared");
    waio_node dense = {.op = WAIO_OP_DENSE, .name = "dense", .input_count = 2};
    waio_node mul = {.op = WAIO_OP_MUL, .name = "mul", .input_count = 2};
    waio_shape square = WAIO_SHAPE(17, 17);
    int x = -1, w = -1, first = -1, second = -1, third = -1;
    float *data = NULL;
    waio_rng rng = {5};

    CHECK_OK(waio_graph_add_input(graph, &x, "x", &WAIO_SHAPE(1, 17, 17)));
    CHECK_OK(waio_graph_add_const(graph, &w, "w", &square, &data));
    waio_fill_random(data, 17 * 17, &rng);
    dense.input[0] = x;
    dense.input[1] = mul.input[1] = w;
    CHECK_OK(waio_graph_add_node(graph, &first, &dense));
    dense.input[0] = mul.input[0] = first;
    CHECK_OK(waio_graph_add_node(graph, &second, &dense));
    mul.input[0] = second;
    CHECK_OK(waio_graph_add_node(graph, &third, &mul));
    CHECK_OK(waio_graph_add_output(graph, third));
    const waio_node *n = graph->node;
    CHECK(n[0].input[1] == w && n[1].input[1] != w && n[2].input[1] != w, "ids of their own");
    CHECK(graph->value[n[1].input[1]].data == data && graph->value[n[2].input[1]].data == data,
          "over the same numbers");
    waio_float_run run[2] = {0};
    float image[17 * 17];
    waio_fill_random(image, 17 * 17, &rng);
    CHECK_OK(waio_float_run_create(&run[0], graph, &waio_backend_ref, 1, 0));
    CHECK_OK(waio_float_run_create(&run[1], graph, &waio_backend_cpu, 1, 0));
    for (int i = 0; i < 2; i++)
        CHECK_OK(waio_float_run_whole(&run[i], image));
    for (int i = 0; i < 17 * 17; i++)
        CHECK(fabsf(waio_float_run_value(&run[0], third)[i] -
                    waio_float_run_value(&run[1], third)[i]) < 1e-4f,
              "number %d differs", i);
    for (int i = 0; i < 2; i++)
        waio_float_run_free(&run[i]);
    waio_graph_free(graph);
}

static void reading_and_printing(void)
{
    waio_graph *graph = waio_graph_new("small");
    waio_node conv = {.op = WAIO_OP_CONV2D,
                      .name = "stem",
                      .input_count = 3,
                      .clamp = {0, 6},
                      .conv = {{2, 2}, {1, 1}, {0, 0, 1, 1}, 1}};
    char *text = NULL;
    size_t size = 0;
    int id = -1;

    CHECK_OK(waio_graph_add_input(graph, &conv.input[0], "x", &WAIO_SHAPE(1, 8, 8, 3)));
    CHECK_OK(waio_graph_add_const(graph, &conv.input[1], "w", &WAIO_SHAPE(5, 3, 3, 3), NULL));
    CHECK_OK(waio_graph_add_const(graph, &conv.input[2], "b", &WAIO_SHAPE(5), NULL));
    CHECK_OK(waio_graph_add_node(graph, &id, &conv));
    CHECK_OK(waio_graph_add_output(graph, id));
    CHECK(waio_graph_params(graph) == 5 * 27 + 5, "parameters");
    CHECK(waio_graph_macs(graph) == 4 * 4 * 5 * 27, "multiply-accumulates");
    CHECK(waio_graph_producer(graph, id) == 0 && waio_graph_producer(graph, 0) == -1, "producer");
    CHECK(waio_graph_use_count(graph, 0) == 1 && waio_graph_use_count(graph, id) == 1, "uses");
    FILE *out = open_memstream(&text, &size);
    waio_graph_print(graph, out);
    fclose(out);
    CHECK(strstr(text, "3x3 /2 pad=0,0,1,1 relu6") != NULL, "%s", text);
    CHECK(strstr(text, "total: 1 nodes, 140 parameters, 2160 MACs an image") != NULL, "%s", text);
    free(text);
    waio_graph_free(graph);
}

/* Codes that begin at 0 stand for ReLU, and if they end at 6 for ReLU6; others for nothing. */
static void codes_stand_for_clamps(void)
{
    static const struct {
        float scale;
        int32_t zero_point;
        float lo, hi;
    } row[] = {{0.023528477f, -128, 0, 6},
               {0.0235294f, -128, 0, 6},
               {0.0233f, -128, 0, INFINITY},
               {0.0238f, -128, 0, INFINITY},
               {0.023528477f, -127, -INFINITY, INFINITY},
               {0.05f, 3, -INFINITY, INFINITY},
               {0.1f, -128, 0, INFINITY}};

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        waio_graph *graph = waio_graph_new("codes");
        waio_node node = {
            .op = WAIO_OP_MAXIMUM, .name = "n", .input_count = 2, .clamp = WAIO_NO_CLAMP};
        waio_value_params params = {
            .bits = 8, .count = 1, .scale = &row[i].scale, .zero_point = &row[i].zero_point};
        int id = -1;
        CHECK_OK(waio_graph_add_input(graph, &node.input[0], "x", &WAIO_SHAPE(1, 4)));
        node.input[1] = node.input[0];
        CHECK_OK(waio_graph_set_type(graph, node.input[0], WAIO_S8, &params));
        CHECK_OK(waio_graph_add_node(graph, &id, &node));
        CHECK_OK(waio_graph_set_type(graph, id, WAIO_S8, &params));
        CHECK_OK(waio_graph_add_output(graph, id));
        CHECK_OK(waio_graph_dequantize(graph));
        waio_clamp got = graph->node[0].clamp;
        CHECK(got.lo == row[i].lo && got.hi == row[i].hi, "scale %g: clamp %g to %g",
              (double)row[i].scale, (double)got.lo, (double)got.hi);
        CHECK(graph->value[id].type == WAIO_F32, "still codes");
        waio_graph_free(graph);
    }
}

int main(void)
{
    for (int i = 0; i < REFUSALS; i++)
        check_refusal(&refusals[i]);
    arity_is_checked();
    limits_of_building();
    constants_must_be_finite();
    shared_weights_are_split();
    reading_and_printing();
    codes_stand_for_clamps();
    return waio_check_result();
}
