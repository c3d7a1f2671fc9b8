/* Types and parameters that do not go together are refused when the program is made. */
#include "refq_net.h"

static void expect_refusal(waio_graph *graph, int output, const char *part)
{
    waio_program *program = NULL;

    if (!graph->output_count)
        CHECK_OK(waio_graph_add_output(graph, output));
    CHECK_FAILS(waio_program_compile(&program, graph, &waio_backend_ref, 1, graph->node_count),
                WAIO_EUNSUPPORTED, part);
    waio_program_free(program);
}

/* ---- weighted nodes: each case is a sound dense layer with one fault ---- */

typedef struct fault {
    const char *part; /* of the message; NULL: nothing is wrong */
    waio_type x, w, bias, y;
    double x_scale, bias_scale, y_scale; /* 0: what is right */
    int32_t w_zero, x_zero;
    int w_axis;
    int64_t bias_code; /* 0: every scale is right */
} fault;

static const fault faults[] = {
    {NULL, WAIO_S8, WAIO_S8, WAIO_S32, WAIO_S8, .bias_code = 5},
    {NULL, WAIO_S16, WAIO_S8, WAIO_S64, WAIO_S16, .bias_code = 5},
    {NULL, WAIO_S16, WAIO_S8, WAIO_S32, WAIO_S16, .bias_code = 5},
    {NULL, WAIO_S16, WAIO_S16, WAIO_S64, WAIO_S16, .bias_code = 5},
    {NULL, WAIO_S8, WAIO_S8, WAIO_S32, WAIO_S8, .bias_scale = 77},
    {"the bias's scale is 77 in channel 0, expected 0.5", WAIO_S8, WAIO_S8, WAIO_S32, WAIO_S8,
     .bias_scale = 77, .bias_code = 5},
    {"both be s8 or both s16", WAIO_S8, WAIO_S8, WAIO_S32, WAIO_S16, .bias_code = 5},
    {"the weight must be a constant of s8", WAIO_S8, WAIO_S16, WAIO_S32, WAIO_S8, .bias_code = 5},
    {"constant of 32 bits", WAIO_S8, WAIO_S8, WAIO_S64, WAIO_S8, .bias_code = 5},
    {"32 or 64 bits", WAIO_S16, WAIO_S8, WAIO_S8, WAIO_S16, .bias_code = 5},
    {"s16 weights must be of 64", WAIO_S16, WAIO_S16, WAIO_S32, WAIO_S16, .bias_code = 5},
    {"a zero point that is not 0", WAIO_S8, WAIO_S8, WAIO_S32, WAIO_S8, .w_zero = 1},
    {"along another axis", WAIO_S8, WAIO_S8, WAIO_S32, WAIO_S8, .w_axis = 1},
    {"with one scale each", WAIO_S16, WAIO_S8, WAIO_S64, WAIO_S16, .x_zero = 3},
    {"with one scale each", WAIO_S8, WAIO_S8, WAIO_S32, WAIO_S8, .x_zero = 300},
    {"with one scale each", WAIO_S8, WAIO_S8, WAIO_S32, WAIO_S8, .x_scale = -1},
    {"less than 128 only", WAIO_S16, WAIO_S8, WAIO_S64, WAIO_S16, .y_scale = 1.0 / 256},
};

static void check_fault(const fault *f)
{
    double x_scale = f->x_scale != 0 ? f->x_scale : 1;
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, 3), f->x, x_scale, f->x_zero);
    float scale[2] = {0.5f, 0.5f}, bias_scale = f->bias_scale != 0 ? (float)f->bias_scale : 0.5f;
    const int64_t w[6] = {1, 2, 3, 4, 5, 6}, bias[2] = {f->bias_code, f->bias_code};
    waio_node node = {.op = WAIO_OP_DENSE, .input_count = 3, .clamp = WAIO_NO_CLAMP};

    node.input[0] = graph->input;
    node.input[1] = refq_codes(graph, WAIO_SHAPE(2, 3), f->w, scale, 2, w);
    node.input[2] = refq_codes(graph, WAIO_SHAPE(2), f->bias, &bias_scale, 1, bias);
    graph->value[node.input[1]].params.axis = f->w_axis;
    ((int32_t *)graph->value[node.input[1]].params.zero_point)[1] = f->w_zero;
    int y = refq_node(graph, node, f->y, f->y_scale != 0 ? f->y_scale : 1, 0);
    if (f->part) {
        expect_refusal(graph, y, f->part);
    } else {
        int32_t x[3] = {1, 1, 1}, result[2];
        CHECK_OK(refq_run(graph, y, 1, x, result));
        if (f->bias_code)
            CHECK(result[0] == 6 && result[1] == 10, "%d, %d", result[0], result[1]);
    }
    waio_graph_free(graph);
}

/* ---- the others ---- */

static void check_unary(waio_op op, waio_type x, waio_type y, double scale, int32_t zero_point,
                        const char *part)
{
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, 4), x, 0.1, 0);
    waio_node node = {.op = op, .clamp = WAIO_NO_CLAMP};

    if (op == WAIO_OP_SOFTMAX)
        node.axis.axis = 1;
    if (op == WAIO_OP_RESHAPE)
        node.reshape.shape = WAIO_SHAPE(1, 2, 2);
    int id = refq_node(graph, node, y, scale, zero_point);
    expect_refusal(graph, id, part);
    waio_graph_free(graph);
}

/* The cpu backend has no integer transpose: it runs on the reference and is counted. */
static void fallbacks_are_counted(void)
{
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, 4, 2), WAIO_S8, 0.1, 0);
    waio_program *program = NULL;
    waio_node node = {
        .op = WAIO_OP_TRANSPOSE, .clamp = WAIO_NO_CLAMP, .transpose = {.perm = {0, 2, 1}}};
    int id = refq_node(graph, node, WAIO_S8, 0.1, 0);

    CHECK_OK(waio_graph_add_output(graph, id));
    CHECK_OK(waio_program_compile(&program, graph, &waio_backend_cpu, 1, 1));
    CHECK(waio_program_fallbacks(program) == 1, "the integer node is not counted as a fallback");
    waio_program_free(program);
    waio_graph_free(graph);
}

int main(void)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        check_fault(&faults[i]);
    check_unary(WAIO_OP_SOFTMAX, WAIO_S8, WAIO_F32, 0, 0, "must all be s8");
    check_unary(WAIO_OP_SOFTMAX, WAIO_S8, WAIO_S8, 0.1, 0, "1/256");
    check_unary(WAIO_OP_SOFTMAX, WAIO_S16, WAIO_S16, 0.1, 0, "1/32768");
    check_unary(WAIO_OP_LOGISTIC, WAIO_S8, WAIO_S8, 1.0 / 256, 0, "1/256");
    check_unary(WAIO_OP_LOGISTIC, WAIO_S16, WAIO_S8, 1.0 / 256, -128, "must all be s8");
    check_unary(WAIO_OP_RESHAPE, WAIO_S8, WAIO_S8, 0.2, 0, "same in and out");
    check_unary(WAIO_OP_RESHAPE, WAIO_S8, WAIO_S8, 0.1, 1, "same in and out");
    check_unary(WAIO_OP_CLIP, WAIO_S8, WAIO_S16, 0.1, 0, "must all be s8");
    check_unary(WAIO_OP_QUANTIZE, WAIO_S8, WAIO_F32, 0, 0, "codes with one scale out");
    check_unary(WAIO_OP_DEQUANTIZE, WAIO_S8, WAIO_S8, 0.1, 0, "float out");
    fallbacks_are_counted();
    return waio_check_result();
}
