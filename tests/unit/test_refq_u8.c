/* The integer kernels of the reference on codes of uint8 files, where those round otherwise than
 * int8 ones: worked numbers. Codes here are 128 below the file's. */
#include "refq_net.h"

static void set_u8(waio_graph *graph, int id, bool u8)
{
    graph->value[id].params.u8 = u8;
}

/* The code that `node` gives for `count` codes `x` in the graph's input. */
static int32_t first_code(waio_graph *graph, int y, bool u8, const int32_t *x)
{
    int32_t got[16] = {0};

    set_u8(graph, graph->input, u8);
    set_u8(graph, y, u8);
    CHECK_OK(refq_run(graph, y, 1, x, got));
    waio_graph_free(graph);
    return got[0];
}

/* Halves go up: (127 + 128 + 1) / 2 = 128, which is 0 here; of int8 codes away from zero. */
static void test_average(void)
{
    const int32_t x[2] = {-1, 0};

    for (int u8 = 0; u8 < 2; u8++) {
        waio_graph *graph = refq_graph(WAIO_SHAPE(1, 1, 2, 1), WAIO_S8, 1, 0);
        waio_node node = {.op = WAIO_OP_AVG_POOL, .clamp = WAIO_NO_CLAMP};
        node.pool = (waio_pool_params){.kernel = {1, 2}, .stride = {1, 1}};
        int y = refq_node(graph, node, WAIO_S8, 1, 0);
        int32_t code = first_code(graph, y, u8, x);
        CHECK(code == (u8 ? 0 : -1), "average with u8 %d: %d", u8, code);
    }
}

/* The same halves of a bilinear resize to twice the width, in its second cell. */
static void test_bilinear(void)
{
    const int32_t x[2] = {-1, 0};

    for (int u8 = 0; u8 < 2; u8++) {
        waio_graph *graph = refq_graph(WAIO_SHAPE(1, 1, 2, 1), WAIO_S8, 1, 0);
        waio_node node = {.op = WAIO_OP_RESIZE, .clamp = WAIO_NO_CLAMP};
        node.resize = (waio_resize_params){.out = {1, 4}, .bilinear = true};
        int y = refq_node(graph, node, WAIO_S8, 1, 0);
        int32_t got[4] = {0};
        set_u8(graph, graph->input, u8);
        set_u8(graph, y, u8);
        CHECK_OK(refq_run(graph, y, 1, x, got));
        CHECK(got[0] == -1 && got[2] == 0, "ends %d %d", got[0], got[2]);
        CHECK(got[1] == (u8 ? 0 : -1), "bilinear with u8 %d: %d", u8, got[1]);
        waio_graph_free(graph);
    }
}

/* Inputs of another scale, 1 to 2: the codes -3 and 3 are ties. uint8 ones go away from zero in
 * float32; int8 ones are requantized, where -1.5 goes up. */
static void test_concat(void)
{
    const float one = 1;
    const int64_t constant[1] = {-3};
    const int32_t x[1] = {3};

    for (int u8 = 0; u8 < 2; u8++) {
        waio_graph *graph = refq_graph(WAIO_SHAPE(1, 1), WAIO_S8, 1, 0);
        waio_node node = {
            .op = WAIO_OP_CONCAT, .input_count = 2, .axis = {1}, .clamp = WAIO_NO_CLAMP};
        node.input[0] = graph->input;
        node.input[1] = refq_codes(graph, WAIO_SHAPE(1, 1), WAIO_S8, &one, 1, constant);
        set_u8(graph, node.input[1], u8);
        int y = refq_node(graph, node, WAIO_S8, 2, 5);
        int32_t got[2] = {0};
        set_u8(graph, graph->input, u8);
        set_u8(graph, y, u8);
        CHECK_OK(refq_run(graph, y, 1, x, got));
        CHECK(got[0] == 7 && got[1] == (u8 ? 3 : 4), "concat with u8 %d: %d %d", u8, got[0],
              got[1]);
        waio_graph_free(graph);
    }
}

/* Only weights of uint8 files may have a zero point: (5 - 2) * (10 - 4) + (1 - 2) * (6 - 4) = 16.
 */
static void test_weight_zero_point(bool conv)
{
    const float one = 1;
    const int64_t w[2] = {5, 1};
    const int32_t x[2] = {10, 6};
    int32_t got[2];

    for (int u8 = 0; u8 < 2; u8++) {
        waio_graph *graph =
            refq_graph(conv ? WAIO_SHAPE(1, 1, 1, 2) : WAIO_SHAPE(1, 2), WAIO_S8, 1, 4);
        waio_node node = {
            .op = conv ? WAIO_OP_CONV2D : WAIO_OP_DENSE, .input_count = 2, .clamp = WAIO_NO_CLAMP};
        if (conv)
            node.conv = (waio_conv_params){{1, 1}, {1, 1}, {0, 0, 0, 0}, 1};
        node.input[0] = graph->input;
        node.input[1] = refq_codes(graph, conv ? WAIO_SHAPE(1, 1, 1, 2) : WAIO_SHAPE(1, 2), WAIO_S8,
                                   &one, 1, w);
        waio_value_params params = graph->value[node.input[1]].params;
        params.u8 = u8;
        params.zero_point = (const int32_t[]){2};
        CHECK_OK(waio_graph_set_type(graph, node.input[1], WAIO_S8, &params));
        int y = refq_node(graph, node, WAIO_S8, 1, 0);
        if (!u8) {
            CHECK_FAILS(refq_run(graph, y, 1, x, got), WAIO_EUNSUPPORTED, "zero point");
            waio_graph_free(graph);
            continue;
        }
        int32_t code = first_code(graph, y, true, x);
        CHECK(code == 16, "zero point of a weight: %d", code);
    }
}

/* A padded 1x3 window over one cell: only that cell counts, (5 - 2) * (10 - 4) = 18. */
static void test_weight_zero_point_padding(void)
{
    const float one = 1;
    const int64_t w[3] = {100, 5, -100};
    const int32_t x[1] = {10};
    waio_graph *graph = refq_graph(WAIO_SHAPE(1, 1, 1, 1), WAIO_S8, 1, 4);
    waio_node node = {.op = WAIO_OP_CONV2D, .input_count = 2, .clamp = WAIO_NO_CLAMP};

    node.conv = (waio_conv_params){{1, 1}, {1, 1}, {0, 1, 0, 1}, 1};
    node.input[0] = graph->input;
    node.input[1] = refq_codes(graph, WAIO_SHAPE(1, 1, 3, 1), WAIO_S8, &one, 1, w);
    waio_value_params params = graph->value[node.input[1]].params;
    params.u8 = true;
    params.zero_point = (const int32_t[]){2};
    CHECK_OK(waio_graph_set_type(graph, node.input[1], WAIO_S8, &params));
    int32_t code = first_code(graph, refq_node(graph, node, WAIO_S8, 1, 0), true, x);
    CHECK(code == 18, "padding: %d", code);
}

int main(void)
{
    test_average();
    test_bilinear();
    test_concat();
    test_weight_zero_point(false);
    test_weight_zero_point(true);
    test_weight_zero_point_padding();
    return waio_check_result();
}
