/* Cases of quantize, which end in codes, and of dequantize: the same and back. */
#include "check/opcases_build.h"

typedef struct quantize_row {
    waio_shape x;
    waio_type type;
    int bits;
    float scale;
    int32_t zero_point;
} quantize_row;

static const quantize_row rows[] = {
    {{4, {1, 5, 7, 3}}, WAIO_S8, 8, 0.5f, -3},
    {{2, {1, 33}}, WAIO_S8, 4, 1.0f, 2},
    {{4, {1, 3, 3, 17}}, WAIO_S16, 16, 0.25f, 0},
};

static waio_status build_quantize(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const quantize_row *r = &rows[index];
    waio_node node = {.op = WAIO_OP_QUANTIZE, .input_count = 1, .clamp = WAIO_NONE};
    waio_value_params params = {.bits = r->bits,
                                .symmetric = r->type == WAIO_S16,
                                .count = 1,
                                .scale = &r->scale,
                                .zero_point = &r->zero_point};
    int id = -1;

    WAIO_TRY(st, waio_case_x(c, &node.input[0], r->x));
    WAIO_TRY(st, waio_case_node(c, &id, node));
    WAIO_TRY(st, waio_graph_set_type(c->graph, id, r->type, &params));
    node.op = WAIO_OP_DEQUANTIZE;
    node.input[0] = id;
    if (op == WAIO_OP_DEQUANTIZE)
        WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(quantize, rows, build_quantize);
WAIO_OP_CASES(dequantize, rows, build_quantize);
