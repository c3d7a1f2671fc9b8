/* The integer kernels of the reference against numbers that TensorFlow Lite's reference kernels
 * gave, as networks of one node. */
#include <math.h>
#include <stdlib.h>

#include "backend/binding.h"
#include "backend/program.h"
#include "check.h"
#include "vectors.h"

static waio_value_params params_of(float *scale, int32_t *zero_point, int count)
{
    return (waio_value_params){.bits = 8, .count = count, .scale = scale, .zero_point = zero_point};
}

static void set_s8(waio_graph *graph, int id, double scale, double zero_point)
{
    float s = (float)scale;
    int32_t z = (int32_t)zero_point;
    waio_value_params params = params_of(&s, &z, 1);
    CHECK_OK(waio_graph_set_type(graph, id, WAIO_S8, &params));
}

static waio_shape shape_of(const cJSON *array)
{
    waio_shape shape = {.rank = cJSON_GetArraySize(array)};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = (int64_t)vectors_at(array, i);
    return shape;
}

/* A graph whose input has the shape of `input_shape` with batch 1 in front. */
static waio_graph *graph_of(const cJSON *input_shape, int *input, double scale, double zero_point)
{
    waio_graph *graph = waio_graph_new("vector");
    waio_shape shape = shape_of(input_shape);

    shape.dim[0] = 1;
    CHECK_OK(waio_graph_add_input(graph, input, "x", &shape));
    set_s8(graph, *input, scale, zero_point);
    return graph;
}

/* Runs `graph` for the batch in `codes` and compares its output with `want`. */
static void expect_codes(waio_graph *graph, int output, const cJSON *codes, int64_t batch,
                         const cJSON *want, const char *what)
{
    waio_program *program = NULL;
    waio_float_binding binding = {0};
    waio_workspace ws = {0};
    int count = cJSON_GetArraySize(want);

    graph->requant = WAIO_REQUANT_DOUBLE; /* of the build that gave the numbers */
    CHECK_OK(waio_graph_add_output(graph, output));
    CHECK_OK(waio_program_compile(&program, graph, &waio_backend_ref, batch, graph->node_count));
    CHECK_OK(waio_float_binding_create(&binding, program));
    CHECK_OK(waio_workspace_create(&ws, program));
    int8_t *x = (int8_t *)waio_workspace_value(&ws, program, graph->input);
    for (int i = 0; i < cJSON_GetArraySize(codes); i++)
        x[i] = (int8_t)vectors_at(codes, i);
    CHECK_OK(waio_program_run(program, &binding.binding, &ws,
                              (waio_run_range){0, graph->node_count, false, false}, NULL));
    const int8_t *y = (const int8_t *)waio_workspace_value(&ws, program, output);
    CHECK(count > 0 && count == batch * waio_shape_count(&graph->value[output].shape),
          "%s: %d numbers expected", what, count);
    for (int i = 0; i < count; i++)
        CHECK(y[i] == (int)vectors_at(want, i), "%s: code %d is %d, expected %d", what, i, y[i],
              (int)vectors_at(want, i));
    waio_workspace_free(&ws);
    waio_float_binding_free(&binding);
    waio_program_free(program);
    waio_graph_free(graph);
}

/* Codes of a constant. `hwc`: a depthwise filter (1, H, W, C) that becomes (C, H, W, 1). */
static int add_weight(waio_graph *graph, const cJSON *filter, waio_shape shape, const cJSON *scales,
                      double scale, bool hwc)
{
    float s[8];
    int32_t z[8] = {0};
    int id = -1, count = scales ? cJSON_GetArraySize(scales) : 1;
    void *codes = NULL;
    waio_value_params params = params_of(s, z, count);

    for (int c = 0; c < count; c++)
        s[c] = (float)(scales ? vectors_at(scales, c) : scale);
    CHECK_OK(waio_graph_add_codes(graph, &id, "w", &shape, WAIO_S8, &params, &codes));
    int64_t n = waio_shape_count(&shape), channels = shape.dim[0];
    for (int64_t i = 0; i < n; i++) {
        int64_t from = hwc ? i % (n / channels) * channels + i / (n / channels) : i;
        ((int8_t *)codes)[i] = (int8_t)vectors_at(filter, (int)from);
    }
    return id;
}

static int add_bias(waio_graph *graph, const cJSON *bias)
{
    float s = 1;
    int32_t z = 0;
    int id = -1;
    void *codes = NULL;
    waio_value_params params = params_of(&s, &z, 1);
    waio_shape shape = WAIO_SHAPE(cJSON_GetArraySize(bias));

    params.bits = 32;
    CHECK_OK(waio_graph_add_codes(graph, &id, "b", &shape, WAIO_S32, &params, &codes));
    for (int i = 0; i < shape.dim[0]; i++)
        ((int32_t *)codes)[i] = (int32_t)vectors_at(bias, i);
    return id;
}

static waio_clamp clamp_of(int activation)
{
    if (activation == 0)
        return WAIO_NO_CLAMP;
    return (waio_clamp){0, activation == 6 ? 6.0f : INFINITY};
}

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItem(object, key);
}

static void weighted_case(const cJSON *c)
{
    const char *op = get(c, "op")->valuestring;
    bool dense = strcmp(op, "fully_connected") == 0, depthwise = op[0] == 'd';
    waio_shape in = shape_of(get(c, "input_shape")), out = shape_of(get(c, "output_shape"));
    int x = -1, y = -1, kernel = dense ? 0 : (int)vectors_number(c, "kernel");
    waio_graph *graph = graph_of(get(c, "input_shape"), &x, vectors_number(c, "input_scale"),
                                 vectors_number(c, "input_zero_point"));
    waio_shape shape = dense ? WAIO_SHAPE(out.dim[1], in.dim[1])
                             : WAIO_SHAPE(out.dim[3], kernel, kernel, depthwise ? 1 : in.dim[3]);
    waio_node node = {.op = dense ? WAIO_OP_DENSE : WAIO_OP_CONV2D, .name = op, .input_count = 3};

    node.input[0] = x;
    node.input[1] = add_weight(graph, get(c, "filter"), shape, get(c, "filter_scales"),
                               dense ? vectors_number(c, "filter_scale") : 0, depthwise);
    node.input[2] = add_bias(graph, get(c, "bias"));
    node.clamp = WAIO_NO_CLAMP;
    if (!dense) {
        int stride = (int)vectors_number(c, "stride"), pad = (int)vectors_number(c, "pad_top_left");
        node.clamp = clamp_of((int)vectors_number(c, "activation"));
        node.conv = (waio_conv_params){
            {stride, stride}, {1, 1}, {pad, pad, 0, 0}, depthwise ? (int)in.dim[3] : 1};
        for (int i = 0; i < 2; i++) { /* whatever below and to the right gives the output's size */
            int need = (int)((out.dim[1 + i] - 1) * stride + kernel - in.dim[1 + i]) - pad;
            node.conv.pad[2 + i] = need > 0 ? need : 0;
        }
    }
    CHECK_OK(waio_graph_add_node(graph, &y, &node));
    set_s8(graph, y, vectors_number(c, "output_scale"), vectors_number(c, "output_zero_point"));
    expect_codes(graph, y, get(c, "input"), in.dim[0], get(c, "output"), op);
}

/* Two operands, the second one a constant. */
static void binary_case(const cJSON *c, waio_op op, const char *key)
{
    const cJSON *want = get(get(c, key), "output");
    waio_graph *graph = waio_graph_new("binary");
    waio_shape shape = WAIO_SHAPE(1, 16);
    float scale = (float)vectors_number(c, "input2_scale");
    int32_t zero_point = (int32_t)vectors_number(c, "input2_zero_point");
    waio_value_params params = params_of(&scale, &zero_point, 1);
    waio_node node = {.op = op, .name = key, .input_count = 2, .clamp = WAIO_NO_CLAMP};
    void *codes = NULL;
    int y = -1;

    CHECK_OK(waio_graph_add_input(graph, &node.input[0], "a", &shape));
    set_s8(graph, node.input[0], vectors_number(c, "input1_scale"),
           vectors_number(c, "input1_zero_point"));
    CHECK_OK(waio_graph_add_codes(graph, &node.input[1], "b", &shape, WAIO_S8, &params, &codes));
    for (int i = 0; i < 16; i++)
        ((int8_t *)codes)[i] = (int8_t)vectors_at(get(c, "b"), i);
    CHECK_OK(waio_graph_add_node(graph, &y, &node));
    set_s8(graph, y, vectors_number(c, "output_scale"), vectors_number(c, "output_zero_point"));
    expect_codes(graph, y, get(c, "a"), 1, want, key);
}

static void pool_case(const cJSON *c, waio_op op, const char *key)
{
    int kernel = (int)vectors_number(c, "kernel"), stride = (int)vectors_number(c, "stride");
    int pad = (int)vectors_number(c, "pad_top_left"), x = -1, y = -1;
    waio_graph *graph = graph_of(get(c, "input_shape"), &x, 0.05, -10);
    waio_node node = {.op = op, .name = key, .input = {x}, .input_count = 1};
    waio_shape in = shape_of(get(c, "input_shape")), out = shape_of(get(c, "output_shape"));

    node.clamp = WAIO_NO_CLAMP;
    node.pool = (waio_pool_params){{kernel, kernel}, {stride, stride}, {pad, pad, 0, 0}, false};
    for (int i = 0; i < 2; i++) {
        int need = (int)((out.dim[1 + i] - 1) * stride + kernel - in.dim[1 + i]) - pad;
        node.pool.pad[2 + i] = need > 0 ? need : 0;
    }
    CHECK_OK(waio_graph_add_node(graph, &y, &node));
    set_s8(graph, y, 0.05, -10);
    expect_codes(graph, y, get(c, "input"), 1, get(c, key), key);
}

static void mean_case(const cJSON *c, waio_op op, const char *key)
{
    int x = -1, y = -1;
    waio_graph *graph = graph_of(get(c, "input_shape"), &x, vectors_number(c, "input_scale"),
                                 vectors_number(c, "input_zero_point"));
    waio_node node = {.op = op, .name = key, .input = {x}, .input_count = 1};

    node.clamp = WAIO_NO_CLAMP;
    node.reduce = (waio_reduce_params){6, false};
    CHECK_OK(waio_graph_add_node(graph, &y, &node));
    set_s8(graph, y, vectors_number(c, "output_scale"), vectors_number(c, "output_zero_point"));
    expect_codes(graph, y, get(c, "input"), 1, get(c, key), key);
}

static void table_case(const cJSON *c)
{
    bool softmax = strcmp(get(c, "op")->valuestring, "softmax") == 0;
    waio_graph *graph = waio_graph_new("table");
    waio_shape shape = WAIO_SHAPE(1, cJSON_GetArraySize(get(c, "input")));
    waio_node node = {.op = softmax ? WAIO_OP_SOFTMAX : WAIO_OP_LOGISTIC, .name = "y"};
    int x = -1, y = -1;

    CHECK_OK(waio_graph_add_input(graph, &x, "x", &shape));
    set_s8(graph, x, vectors_number(c, "input_scale"),
           softmax ? 0 : vectors_number(c, "input_zero_point"));
    node.input[0] = x;
    node.input_count = 1;
    node.clamp = WAIO_NO_CLAMP;
    if (softmax)
        node.axis.axis = 1;
    CHECK_OK(waio_graph_add_node(graph, &y, &node));
    set_s8(graph, y, 1.0 / 256, -128);
    expect_codes(graph, y, get(c, "input"), 1, get(c, "output_lut_float"),
                 get(c, "op")->valuestring);
}

static void resize_case(const cJSON *c, bool half_pixel, bool align_corners, bool bilinear)
{
    waio_graph *graph = waio_graph_new("resize");
    waio_shape shape = WAIO_SHAPE(1, 2, 2, 1);
    waio_node node = {.op = WAIO_OP_RESIZE, .name = "y", .input_count = 1};
    int x = -1, y = -1;

    CHECK_OK(waio_graph_add_input(graph, &x, "x", &shape));
    set_s8(graph, x, 0.1, 3);
    node.input[0] = x;
    node.clamp = WAIO_NO_CLAMP;
    node.resize = (waio_resize_params){{5, 5}, bilinear, half_pixel, align_corners};
    CHECK_OK(waio_graph_add_node(graph, &y, &node));
    set_s8(graph, y, 0.1, 3);
    expect_codes(graph, y, get(c, "input_2x2"), 1,
                 get(c, bilinear ? "bilinear_5x5" : "nearest_5x5"),
                 bilinear ? "bilinear" : "nearest");
}

static void requantize_case(const cJSON *c)
{
    waio_graph *graph = waio_graph_new("requantize");
    waio_shape shape = WAIO_SHAPE(1, cJSON_GetArraySize(get(c, "input")));
    waio_node node = {.op = WAIO_OP_QUANTIZE, .name = "y", .input_count = 1};
    int y = -1;

    node.clamp = WAIO_NO_CLAMP;
    CHECK_OK(waio_graph_add_input(graph, &node.input[0], "x", &shape));
    set_s8(graph, node.input[0], vectors_number(c, "input_scale"),
           vectors_number(c, "input_zero_point"));
    CHECK_OK(waio_graph_add_node(graph, &y, &node));
    set_s8(graph, y, vectors_number(c, "output_scale"), vectors_number(c, "output_zero_point"));
    expect_codes(graph, y, get(c, "input"), 1, get(c, "output"), "requantize");
}

static void run_cases(const char *file, int expected, void (*run)(const cJSON *c))
{
    cJSON *json = vectors_read(file);
    const cJSON *c;
    int seen = 0;

    cJSON_ArrayForEach(c, get(json, "cases"))
    {
        run(c);
        seen++;
    }
    CHECK(seen == expected, "%s: %d cases, expected %d", file, seen, expected);
    cJSON_Delete(json);
}

static void add_sub_mul(const cJSON *c)
{
    binary_case(c, WAIO_OP_ADD, "add");
    binary_case(c, WAIO_OP_SUB, "sub");
    binary_case(c, WAIO_OP_MUL, "mul");
}

static void pool_or_mean(const cJSON *c)
{
    if (get(c, "op")) {
        mean_case(c, WAIO_OP_MEAN, "mean");
        mean_case(c, WAIO_OP_SUM, "sum");
        return;
    }
    pool_case(c, WAIO_OP_AVG_POOL, "avg_pool");
    pool_case(c, WAIO_OP_MAX_POOL, "max_pool");
}

static void test_misc(void)
{
    cJSON *json = vectors_read("tflite_misc_int8.json");

    requantize_case(get(json, "requantize"));
    for (int bilinear = 0; bilinear < 2; bilinear++) {
        resize_case(get(json, "resize_half0_align0"), false, false, bilinear);
        resize_case(get(json, "resize_half0_align1"), false, true, bilinear);
        resize_case(get(json, "resize_half1_align0"), true, false, bilinear);
    }
    cJSON_Delete(json);
}

/* What does not go together is refused when the program is made. */
static void test_refusals(void)
{
    waio_graph *graph = waio_graph_new("refused");
    waio_shape shape = WAIO_SHAPE(1, 4);
    waio_node node = {.op = WAIO_OP_SOFTMAX, .name = "y", .input_count = 1, .axis = {1}};
    waio_program *program = NULL;
    int y = -1;

    node.clamp = WAIO_NO_CLAMP;
    CHECK_OK(waio_graph_add_input(graph, &node.input[0], "x", &shape));
    set_s8(graph, node.input[0], 0.1, 0);
    CHECK_OK(waio_graph_add_node(graph, &y, &node));
    CHECK_OK(waio_graph_add_output(graph, y));
    CHECK_FAILS(waio_program_compile(&program, graph, &waio_backend_ref, 1, 1), WAIO_EUNSUPPORTED,
                "must all be s8");
    set_s8(graph, y, 0.1, 0);
    CHECK_FAILS(waio_program_compile(&program, graph, &waio_backend_ref, 1, 1), WAIO_EUNSUPPORTED,
                "1/256");
    set_s8(graph, y, 1.0 / 256, -128);
    CHECK_OK(waio_program_compile(&program, graph, &waio_backend_cpu, 1, 1));
    CHECK(waio_program_fallbacks(program) == 1, "the integer node is not counted as a fallback");
    waio_program_free(program);
    waio_graph_free(graph);
}

int main(void)
{
    run_cases("tflite_conv_fc_int8.json", 6, weighted_case);
    run_cases("tflite_add_sub_mul_int8.json", 3, add_sub_mul);
    run_cases("tflite_pool_mean_int8.json", 6, pool_or_mean);
    run_cases("tflite_softmax_logistic_int8.json", 7, table_case);
    test_misc();
    test_refusals();
    return waio_check_result();
}
