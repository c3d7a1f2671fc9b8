/* The rule WAIO_REQUANT_TFLITE against numbers that the desktop runtime's reference kernels gave,
 * chosen where it differs from the others. */
#include "refq_net.h"
#include "vectors.h"

enum { MOST = 512 };

static int64_t list(const cJSON *c, const char *key, int64_t out[MOST])
{
    const cJSON *array = cJSON_GetObjectItem(c, key);
    int count = cJSON_GetArraySize(array);

    CHECK(count > 0 && count <= MOST, "\"%s\" has %d numbers", key, count);
    for (int i = 0; i < count && i < MOST; i++)
        out[i] = (int64_t)vectors_at(array, i);
    return count;
}

/* Codes of `graph`, run for `batch` images on `input`, that are not those of the case. */
static int differing(waio_graph *graph, int y, const cJSON *c, const char *input, int64_t batch,
                     waio_requant requant)
{
    int64_t x[MOST], want[MOST];
    int32_t codes[MOST], got[MOST];
    int64_t count = list(c, input, x), outputs = list(c, "output", want);
    int wrong = 0;

    for (int64_t i = 0; i < count; i++)
        codes[i] = (int32_t)x[i];
    CHECK(batch * waio_shape_count(&graph->value[y].shape) == outputs, "%d numbers", (int)outputs);
    graph->requant = requant;
    CHECK_OK(refq_run(graph, y, batch, codes, got));
    for (int64_t i = 0; i < outputs; i++)
        wrong += got[i] != (int32_t)want[i];
    return wrong;
}

/* All codes are right by the desktop runtime's rule; with `distinct`, some are not by the default
 * build's. */
static void expect(waio_graph *graph, int y, const cJSON *c, const char *input, int64_t batch,
                   bool distinct)
{
    const char *op = cJSON_GetObjectItem(c, "op")->valuestring;
    int wrong = differing(graph, y, c, input, batch, WAIO_REQUANT_TFLITE);

    CHECK(wrong == 0, "%s: %d codes differ", op, wrong);
    if (distinct)
        CHECK(differing(graph, y, c, input, batch, WAIO_REQUANT_DOUBLE) > 0,
              "%s: the numbers tell no rules apart", op);
    waio_graph_free(graph);
}

static void mul_case(const cJSON *c)
{
    int64_t b[MOST], count = list(c, "b", b);
    float scale = (float)vectors_number(c, "input2_scale");
    waio_graph *graph =
        refq_graph(WAIO_SHAPE(1, count), WAIO_S16, vectors_number(c, "input1_scale"), 0);
    waio_node node = {.op = WAIO_OP_MUL, .input_count = 2, .clamp = WAIO_NO_CLAMP};

    node.input[0] = graph->input;
    node.input[1] = refq_codes(graph, WAIO_SHAPE(1, count), WAIO_S16, &scale, 1, b);
    int y = refq_node(graph, node, WAIO_S16, vectors_number(c, "output_scale"), 0);
    expect(graph, y, c, "a", 1, true);
}

static void dense_case(const cJSON *c, waio_type type)
{
    int inputs = (int)vectors_number(c, "inputs"), outputs = (int)vectors_number(c, "outputs");
    int64_t w[MOST], bias[MOST];
    float scale[8], bias_scale[8];
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, inputs), type, vectors_number(c, "input_scale"),
                                   vectors_number(c, "input_zero_point"));
    waio_node node = {.op = WAIO_OP_DENSE, .input_count = 3, .clamp = WAIO_NO_CLAMP};

    list(c, "filter", w);
    list(c, "bias", bias);
    for (int i = 0; i < outputs && i < 8; i++) {
        scale[i] = (float)vectors_at(cJSON_GetObjectItem(c, "filter_scales"), i);
        bias_scale[i] = (float)vectors_at(cJSON_GetObjectItem(c, "bias_scales"), i);
    }
    node.input[0] = graph->input;
    node.input[1] = refq_codes(graph, WAIO_SHAPE(outputs, inputs), WAIO_S8, scale, outputs, w);
    node.input[2] = refq_codes(graph, WAIO_SHAPE(outputs), type == WAIO_S8 ? WAIO_S32 : WAIO_S64,
                               bias_scale, outputs, bias);
    int y = refq_node(graph, node, type, vectors_number(c, "output_scale"),
                      vectors_number(c, "output_zero_point"));
    expect(graph, y, c, "input", (int64_t)vectors_number(c, "batch"), true);
}

/* One input at its zero point, weights of 1: the biases are the sums. Dense layers must also differ
 * from single rounding. */
static void sums_case(const cJSON *c, waio_op op)
{
    const char *name = cJSON_GetObjectItem(c, "type")->valuestring;
    bool u8 = strcmp(name, "u8") == 0, wide = vectors_number(c, "bias_bits") == 64;
    waio_type type = strcmp(name, "s16") == 0 ? WAIO_S16 : WAIO_S8;
    int64_t sum[MOST], one[MOST], want[MOST], count = list(c, "sums", sum);
    int scales = (int)vectors_number(c, "scales");
    double input_scale = vectors_number(c, "input_scale");
    float scale[MOST], bias_scale[MOST];
    int32_t zero = 0, got[MOST];
    bool conv = op == WAIO_OP_CONV2D;
    waio_graph *graph =
        refq_graph(conv ? WAIO_SHAPE(1, 1, 1, 1) : WAIO_SHAPE(1, 1), type, input_scale, 0);
    waio_node node = {.op = op, .input_count = 3, .clamp = WAIO_NO_CLAMP};

    list(c, "output", want);
    for (int i = 0; i < count && i < MOST; i++) {
        one[i] = 1;
        scale[i] = (float)vectors_number(c, "filter_scale");
        bias_scale[i] = (float)input_scale * scale[i];
    }
    if (conv)
        node.conv = (waio_conv_params){{1, 1}, {1, 1}, {0, 0, 0, 0}, 1};
    node.input[0] = graph->input;
    node.input[1] = refq_codes(graph, conv ? WAIO_SHAPE(count, 1, 1, 1) : WAIO_SHAPE(count, 1),
                               WAIO_S8, scale, scales, one);
    graph->value[node.input[1]].params.u8 = u8;
    node.input[2] =
        refq_codes(graph, WAIO_SHAPE(count), wide ? WAIO_S64 : WAIO_S32, bias_scale, scales, sum);
    int y = refq_node(graph, node, type, vectors_number(c, "output_scale"), 0), once = 0;
    CHECK_OK(refq_run(graph, y, 1, &zero, got));
    for (int i = 0; i < count; i++)
        CHECK(got[i] == want[i], "%s %s: the sum %lld is %d, expected %d", waio_op_name(op), name,
              (long long)sum[i], got[i], (int)want[i]);
    graph->requant = WAIO_REQUANT_SINGLE;
    CHECK_OK(refq_run(graph, y, 1, &zero, got));
    for (int i = 0; i < count; i++)
        once += got[i] != want[i];
    CHECK(conv || once > 0, "dense %s: the sums tell no rules apart", name);
    waio_graph_free(graph);
}

static void unary_case(const cJSON *c, waio_node node, double output_scale, bool distinct)
{
    int count = cJSON_GetArraySize(cJSON_GetObjectItem(c, "input"));
    waio_graph *graph =
        refq_graph(WAIO_SHAPE(1, count), WAIO_S16, vectors_number(c, "input_scale"), 0);
    int y = refq_node(graph, node, WAIO_S16, output_scale, 0);

    expect(graph, y, c, "input", 1, distinct);
}

/* Rows in which the runtime's other kernels, by a table of floats, give another code. */
static void softmax_8_case(const cJSON *c)
{
    int count = cJSON_GetArraySize(cJSON_GetObjectItem(c, "input"));
    waio_graph *graph =
        refq_graph(WAIO_SHAPE(1, count), WAIO_S8, vectors_number(c, "input_scale"), 0);
    waio_node node = {.op = WAIO_OP_SOFTMAX, .axis = {1}, .clamp = WAIO_NO_CLAMP};
    int y = refq_node(graph, node, WAIO_S8, 1.0 / 256, -128);

    expect(graph, y, c, "input", 1, false);
}

static void run_case(const cJSON *c)
{
    const char *op = cJSON_GetObjectItem(c, "op")->valuestring;

    if (strcmp(op, "mul_16") == 0)
        mul_case(c);
    else if (strcmp(op, "dense_16x8") == 0)
        dense_case(c, WAIO_S16);
    else if (strcmp(op, "dense_8") == 0)
        dense_case(c, WAIO_S8);
    else if (strcmp(op, "dense_sums") == 0)
        sums_case(c, WAIO_OP_DENSE);
    else if (strcmp(op, "conv2d_sums") == 0)
        sums_case(c, WAIO_OP_CONV2D);
    else if (strcmp(op, "relu6_16") == 0)
        unary_case(c, (waio_node){.op = WAIO_OP_CLIP, .clamp = {0, 6}},
                   vectors_number(c, "output_scale"), true);
    else if (strcmp(op, "softmax_8") == 0)
        softmax_8_case(c);
    else if (strcmp(op, "softmax_16") == 0)
        unary_case(c, (waio_node){.op = WAIO_OP_SOFTMAX, .axis = {1}, .clamp = WAIO_NO_CLAMP},
                   1.0 / 32768, false);
    else if (strcmp(op, "logistic_16") == 0)
        unary_case(c, (waio_node){.op = WAIO_OP_LOGISTIC, .clamp = WAIO_NO_CLAMP}, 1.0 / 32768,
                   false);
    else
        CHECK(false, "no case of that kind: %s", op);
}

int main(void)
{
    cJSON *json = vectors_read("litert_rules.json");
    const cJSON *c;
    int seen = 0;

    cJSON_ArrayForEach(c, cJSON_GetObjectItem(json, "cases"))
    {
        run_case(c);
        seen++;
    }
    CHECK(seen == 42, "%d cases, expected 42", seen);
    cJSON_Delete(json);
    return waio_check_result();
}
