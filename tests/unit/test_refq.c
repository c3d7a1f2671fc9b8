/* The integer kernels of the reference against numbers that TensorFlow Lite's reference kernels
 * gave, as networks of one node; each with double and with single rounding. */
#include "refq_net.h"
#include "vectors.h"

enum { MOST = 256 };

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItem(object, key);
}

static waio_shape shape_of(const cJSON *array)
{
    waio_shape shape = {.rank = cJSON_GetArraySize(array)};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = (int64_t)vectors_at(array, i);
    return shape;
}

/* Runs `graph` for the batch in `input` and compares with object[key], or, where the builds differ,
 * with object[key_single_rounding] for single rounding. Frees the graph. */
static void expect_codes(waio_graph *graph, int output, const cJSON *input, int64_t batch,
                         const cJSON *object, const char *key)
{
    int32_t x[MOST], y[MOST];
    char single[64];

    snprintf(single, sizeof single, "%s_single_rounding", key);
    for (int i = 0; i < cJSON_GetArraySize(input) && i < MOST; i++)
        x[i] = (int32_t)vectors_at(input, i);
    for (int rounding = WAIO_REQUANT_DOUBLE; rounding <= WAIO_REQUANT_SINGLE; rounding++) {
        bool other = rounding == WAIO_REQUANT_SINGLE && get(object, single);
        const cJSON *want = get(object, other ? single : key);
        int count = cJSON_GetArraySize(want);
        graph->requant = (waio_requant)rounding;
        CHECK(count > 0 && count <= MOST &&
                  count == batch * waio_shape_count(&graph->value[output].shape),
              "%s: %d numbers expected", key, count);
        CHECK_OK(refq_run(graph, output, batch, x, y));
        for (int i = 0; i < count; i++)
            CHECK(y[i] == (int32_t)vectors_at(want, i),
                  "%s %s, rule %d: code %d is %d, expected %d", waio_op_name(graph->node[0].op),
                  key, rounding, i, y[i], (int32_t)vectors_at(want, i));
    }
    waio_graph_free(graph);
}

static waio_clamp clamp_of(int activation)
{
    if (activation == 0)
        return WAIO_NO_CLAMP;
    return (waio_clamp){0, activation == 6 ? 6.0f : INFINITY};
}

/* Pads below and to the right whatever gives the output's size. */
static void pad_to(int pad[4], const waio_shape *in, const waio_shape *out, int kernel, int stride)
{
    for (int i = 0; i < 2; i++) {
        int need = (int)((out->dim[1 + i] - 1) * stride + kernel - in->dim[1 + i]) - pad[i];
        pad[2 + i] = need > 0 ? need : 0;
    }
}

/* Weight, bias and node of conv, depthwise conv or fully connected; gives the node's value. */
static int add_weighted(waio_graph *graph, const cJSON *c, waio_shape shape, waio_node node,
                        waio_type type)
{
    const cJSON *scales = get(c, "filter_scales"), *filter = get(c, "filter");
    bool hwc = get(c, "op")->valuestring[0] == 'd'; /* (1, H, W, C) becomes (C, H, W, 1) */
    int channels = (int)shape.dim[0], count = scales ? channels : 1;
    int64_t codes[MOST], bias[8], cells = waio_shape_count(&shape) / channels;
    float scale[8], products[8];

    for (int i = 0; i < channels; i++) {
        scale[i] = (float)(scales ? vectors_at(scales, i) : vectors_number(c, "filter_scale"));
        products[i] = scale[i] * (float)vectors_number(c, "input_scale");
        bias[i] = (int64_t)vectors_at(get(c, "bias"), i);
    }
    for (int64_t i = 0; i < cells * channels; i++)
        codes[i] = (int64_t)vectors_at(filter, (int)(hwc ? i % cells * channels + i / cells : i));
    node.input[0] = graph->input;
    node.input[1] = refq_codes(graph, shape, WAIO_S8, scale, count, codes);
    node.input[2] = refq_codes(graph, WAIO_SHAPE(channels), type == WAIO_S8 ? WAIO_S32 : WAIO_S64,
                               products, count, bias);
    node.input_count = 3;
    const cJSON *zero_point = get(c, "output_zero_point");
    return refq_node(graph, node, type, vectors_number(c, "output_scale"),
                     zero_point ? cJSON_GetNumberValue(zero_point) : 0);
}

static void weighted_case(const cJSON *c)
{
    const char *op = get(c, "op")->valuestring;
    bool dense = op[0] == 'f', depthwise = op[0] == 'd', wide = strcmp(op, "conv_16x8") == 0;
    waio_type type = wide ? WAIO_S16 : WAIO_S8;
    waio_shape in = shape_of(get(c, "input_shape"));
    waio_shape out = wide ? in : shape_of(get(c, "output_shape"));
    waio_graph *graph = refq_graph(in, type, vectors_number(c, "input_scale"),
                                   wide ? 0 : vectors_number(c, "input_zero_point"));
    waio_node node = {.op = dense ? WAIO_OP_DENSE : WAIO_OP_CONV2D, .clamp = WAIO_NO_CLAMP};
    waio_shape shape = WAIO_SHAPE(out.dim[1], in.dim[1]);

    if (!dense) {
        int stride = (int)vectors_number(c, "stride"), kernel = (int)vectors_number(c, "kernel");
        int pad = (int)vectors_number(c, "pad_top_left");
        shape = WAIO_SHAPE(out.dim[3], kernel, kernel, depthwise ? 1 : in.dim[3]);
        node.clamp = clamp_of((int)vectors_number(c, "activation"));
        node.conv = (waio_conv_params){
            {stride, stride}, {1, 1}, {pad, pad, 0, 0}, depthwise ? (int)in.dim[3] : 1};
        pad_to(node.conv.pad, &in, &out, kernel, stride);
    }
    int y = add_weighted(graph, c, shape, node, type);
    expect_codes(graph, y, get(c, "input"), in.dim[0], c, "output");
}

/* Two operands, the second one a constant. */
static void binary_case(const cJSON *c, waio_op op, waio_type type, const cJSON *object)
{
    const cJSON *z = get(c, "input1_zero_point"), *b = get(c, "b");
    int count = cJSON_GetArraySize(b);
    waio_shape shape = WAIO_SHAPE(1, count);
    waio_graph *graph =
        refq_graph(shape, type, vectors_number(c, "input1_scale"), z ? cJSON_GetNumberValue(z) : 0);
    float scale = (float)vectors_number(c, "input2_scale");
    waio_node node = {.op = op, .input_count = 2, .clamp = WAIO_NO_CLAMP};
    waio_value_params params = {.bits = type == WAIO_S8 ? 8 : 16, .count = 1, .scale = &scale};
    int32_t zero_point = z ? (int32_t)vectors_number(c, "input2_zero_point") : 0;
    void *codes = NULL;

    params.zero_point = &zero_point;
    node.input[0] = graph->input;
    CHECK_OK(waio_graph_add_codes(graph, &node.input[1], "b", &shape, type, &params, &codes));
    for (int i = 0; i < count; i++) {
        if (type == WAIO_S8)
            ((int8_t *)codes)[i] = (int8_t)vectors_at(b, i);
        else
            ((int16_t *)codes)[i] = (int16_t)vectors_at(b, i);
    }
    int y = refq_node(graph, node, type, vectors_number(c, "output_scale"),
                      z ? vectors_number(c, "output_zero_point") : 0);
    expect_codes(graph, y, get(c, "a"), 1, object, "output");
}

static void add_sub_mul(const cJSON *c)
{
    binary_case(c, WAIO_OP_ADD, WAIO_S8, get(c, "add"));
    binary_case(c, WAIO_OP_SUB, WAIO_S8, get(c, "sub"));
    binary_case(c, WAIO_OP_MUL, WAIO_S8, get(c, "mul"));
}

static void pool_case(const cJSON *c, waio_op op, const char *key)
{
    int kernel = (int)vectors_number(c, "kernel"), stride = (int)vectors_number(c, "stride");
    int pad = (int)vectors_number(c, "pad_top_left");
    waio_shape in = shape_of(get(c, "input_shape")), out = shape_of(get(c, "output_shape"));
    waio_graph *graph = refq_graph(in, WAIO_S8, 0.05, -10);
    waio_node node = {.op = op, .clamp = WAIO_NO_CLAMP};

    node.pool = (waio_pool_params){{kernel, kernel}, {stride, stride}, {pad, pad, 0, 0}, false};
    pad_to(node.pool.pad, &in, &out, kernel, stride);
    int y = refq_node(graph, node, WAIO_S8, 0.05, -10);
    expect_codes(graph, y, get(c, "input"), 1, c, key);
}

static void mean_case(const cJSON *c, waio_op op, const char *key)
{
    waio_graph *graph =
        refq_graph(shape_of(get(c, "input_shape")), WAIO_S8, vectors_number(c, "input_scale"),
                   vectors_number(c, "input_zero_point"));
    waio_node node = {.op = op, .clamp = WAIO_NO_CLAMP, .reduce = {6, false}};

    int y = refq_node(graph, node, WAIO_S8, vectors_number(c, "output_scale"),
                      vectors_number(c, "output_zero_point"));
    expect_codes(graph, y, get(c, "input"), 1, c, key);
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

static void table_case(const cJSON *c, waio_type type, const char *key)
{
    bool softmax = get(c, "op")->valuestring[0] == 's';
    const cJSON *z = get(c, "input_zero_point");
    waio_graph *graph =
        refq_graph(WAIO_SHAPE(1, cJSON_GetArraySize(get(c, "input"))), type,
                   vectors_number(c, "input_scale"), z ? cJSON_GetNumberValue(z) : 0);
    waio_node node = {.op = softmax ? WAIO_OP_SOFTMAX : WAIO_OP_LOGISTIC, .clamp = WAIO_NO_CLAMP};

    if (softmax)
        node.axis.axis = 1;
    int y = type == WAIO_S8 ? refq_node(graph, node, WAIO_S8, 1.0 / 256, -128)
                            : refq_node(graph, node, WAIO_S16, 1.0 / 32768, 0);
    expect_codes(graph, y, get(c, "input"), 1, c, key);
}

/* Softmax in fixed point, logistic by a table: the desktop runtime's reference kernels. */
static void table_8_case(const cJSON *c)
{
    bool softmax = get(c, "op")->valuestring[0] == 's';
    table_case(c, WAIO_S8, softmax ? "output_fixed_point" : "output_lut_float");
}

static void int16_case(const cJSON *c)
{
    const char *op = get(c, "op")->valuestring;

    if (strcmp(op, "conv_16x8") == 0)
        weighted_case(c);
    else if (strcmp(op, "add_16") == 0)
        binary_case(c, WAIO_OP_ADD, WAIO_S16, c);
    else
        table_case(c, WAIO_S16, "output");
}

static void resize_case(const cJSON *c, bool half_pixel, bool align_corners)
{
    for (int bilinear = 0; bilinear < 2; bilinear++) {
        waio_graph *graph = refq_graph(WAIO_SHAPE(1, 2, 2, 1), WAIO_S8, 0.1, 3);
        waio_node node = {.op = WAIO_OP_RESIZE, .clamp = WAIO_NO_CLAMP};
        node.resize = (waio_resize_params){{5, 5}, bilinear, half_pixel, align_corners};
        int y = refq_node(graph, node, WAIO_S8, 0.1, 3);
        expect_codes(graph, y, get(c, "input_2x2"), 1, c,
                     bilinear ? "bilinear_5x5" : "nearest_5x5");
    }
}

static void requantize_case(const cJSON *c)
{
    waio_graph *graph =
        refq_graph(WAIO_SHAPE(1, cJSON_GetArraySize(get(c, "input"))), WAIO_S8,
                   vectors_number(c, "input_scale"), vectors_number(c, "input_zero_point"));
    waio_node node = {.op = WAIO_OP_QUANTIZE, .clamp = WAIO_NO_CLAMP};

    int y = refq_node(graph, node, WAIO_S8, vectors_number(c, "output_scale"),
                      vectors_number(c, "output_zero_point"));
    expect_codes(graph, y, get(c, "input"), 1, c, "output");
}

/* Floats to codes and back. */
static void quantize_case(const cJSON *c)
{
    const cJSON *input = get(c, "input"), *back = get(c, "dequantized");
    int count = cJSON_GetArraySize(input), x = -1;
    waio_shape shape = WAIO_SHAPE(1, count);
    waio_graph *graph = waio_graph_new("quantize");
    waio_program *program = NULL;
    waio_float_binding binding = {0};
    waio_workspace ws = {0};

    CHECK_OK(waio_graph_add_input(graph, &x, "x", &shape));
    int q = refq_node(graph, (waio_node){.op = WAIO_OP_QUANTIZE, .clamp = WAIO_NO_CLAMP}, WAIO_S8,
                      vectors_number(c, "scale"), vectors_number(c, "zero_point"));
    int y = refq_node(
        graph,
        (waio_node){
            .op = WAIO_OP_DEQUANTIZE, .input = {q}, .input_count = 1, .clamp = WAIO_NO_CLAMP},
        WAIO_F32, 0, 0);
    CHECK_OK(waio_graph_add_output(graph, q));
    CHECK_OK(waio_graph_add_output(graph, y));
    CHECK_OK(waio_program_compile(&program, graph, &waio_backend_ref, 1, 2));
    CHECK_OK(waio_float_binding_create(&binding, program));
    CHECK_OK(waio_workspace_create(&ws, program));
    for (int i = 0; i < count; i++)
        waio_workspace_value(&ws, program, x)[i] = (float)vectors_at(input, i);
    CHECK_OK(waio_program_run(program, &binding.binding, &ws, (waio_run_range){0, 2, false, false},
                              NULL));
    for (int i = 0; i < count; i++) {
        int32_t code = refq_code(waio_workspace_value(&ws, program, q), WAIO_S8, i);
        float value = waio_workspace_value(&ws, program, y)[i];
        CHECK(code == (int32_t)vectors_at(get(c, "output"), i), "%g has code %d",
              vectors_at(input, i), code);
        if (back)
            CHECK(value == (float)vectors_at(back, i), "code %d is %.9g", code, (double)value);
    }
    CHECK(count > 0, "no numbers");
    waio_workspace_free(&ws);
    waio_float_binding_free(&binding);
    waio_program_free(program);
    waio_graph_free(graph);
}

static void test_misc(void)
{
    cJSON *json = vectors_read("tflite_misc_int8.json");
    const cJSON *bytes = get(json, "uint8_to_int8");

    quantize_case(get(json, "quantize"));
    quantize_case(get(json, "quantize_ties"));
    requantize_case(get(json, "requantize"));
    resize_case(get(json, "resize_half0_align0"), false, false);
    resize_case(get(json, "resize_half0_align1"), false, true);
    resize_case(get(json, "resize_half1_align0"), true, false);
    /* There are no unsigned values; the arithmetic is a requantization by 1 from zero point 128. */
    for (int i = 0; i < cJSON_GetArraySize(get(bytes, "input")); i++) {
        int32_t x = (int32_t)vectors_at(get(bytes, "input"), i) - 128;
        int32_t y = waio_multiply_by_quantized(x, waio_multiplier_of(1), 1, WAIO_REQUANT_DOUBLE);
        CHECK(y == (int32_t)vectors_at(get(bytes, "output"), i), "byte %d becomes %d", x + 128, y);
    }
    cJSON_Delete(json);
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

int main(void)
{
    run_cases("tflite_conv_fc_int8.json", 6, weighted_case);
    run_cases("tflite_add_sub_mul_int8.json", 3, add_sub_mul);
    run_cases("tflite_pool_mean_int8.json", 6, pool_or_mean);
    run_cases("tflite_softmax_logistic_int8.json", 7, table_8_case);
    run_cases("tflite_int16x8.json", 6, int16_case);
    test_misc();
    return waio_check_result();
}
