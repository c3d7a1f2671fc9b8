/* Cases of the elementwise ops, softmax, and the ops that move numbers. */
#include <math.h>

#include "check/opcases_build.h"

/* ---- one input, shape kept ---- */

typedef struct unary_row {
    waio_shape x;
    waio_clamp clamp;
} unary_row;

static waio_status unary(waio_op_case *c, waio_node node, const unary_row *r)
{
    waio_status st = WAIO_OK;
    int id = -1;

    node.input_count = 1;
    node.clamp = r->clamp;
    WAIO_TRY(st, waio_case_x(c, &node.input[0], r->x));
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

static const unary_row clip[] = {
    {{4, {1, 5, 7, 3}}, WAIO_RELU},    {{4, {1, 3, 3, 17}}, WAIO_RELU6},
    {{2, {1, 33}}, WAIO_UNIT_CLIP},    {{3, {1, 7, 1}}, {-2, INFINITY}},
    {{2, {1, 1}}, {-INFINITY, -0.5f}}, {{5, {1, 2, 3, 5, 7}}, {0.25f, 0.25f}},
};

static waio_status build_clip(waio_op_case *c, waio_op op, int index)
{
    return unary(c, (waio_node){.op = op}, &clip[index]);
}

WAIO_OP_CASES(clip, clip, build_clip);

static const unary_row logistic[] = {
    {{4, {1, 5, 7, 3}}, WAIO_NONE},
    {{2, {1, 17}}, WAIO_NONE},
    {{2, {1, 1}}, {0.25f, 0.75f}},
};

static waio_status build_logistic(waio_op_case *c, waio_op op, int index)
{
    c->exact = false;
    return unary(c, (waio_node){.op = op}, &logistic[index]);
}

WAIO_OP_CASES(logistic, logistic, build_logistic);

static const unary_row softmax[] = {
    {{2, {1, 1}}, WAIO_NONE},    {{2, {1, 2}}, WAIO_NONE},     {{2, {1, 10}}, {0.05f, 0.5f}},
    {{2, {1, 1001}}, WAIO_NONE}, {{3, {1, 7, 21}}, WAIO_NONE}, {{4, {1, 3, 5, 17}}, WAIO_NONE},
};

static waio_status build_softmax(waio_op_case *c, waio_op op, int index)
{
    c->exact = false;
    return unary(c, (waio_node){.op = op, .axis = {softmax[index].x.rank - 1}}, &softmax[index]);
}

WAIO_OP_CASES(softmax, softmax, build_softmax);

/* ---- batch norm: exact with factors 1/2 to 4 and epsilon 0 ---- */

static const unary_row batch_norm[] = {
    {{4, {1, 5, 7, 3}}, WAIO_NONE}, {{4, {1, 3, 3, 17}}, WAIO_RELU},
    {{2, {1, 33}}, WAIO_RELU6},     {{4, {1, 4, 4, 16}}, WAIO_UNIT_CLIP},
    {{3, {1, 7, 1}}, WAIO_NONE},
};

static waio_status build_batch_norm(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const unary_row *r = &batch_norm[index];
    int64_t channels = r->x.dim[r->x.rank - 1];
    waio_node node = {.op = op, .input_count = 5, .clamp = r->clamp};
    float *variance = NULL;
    waio_shape vector = WAIO_SHAPE(channels);
    int id = -1;

    node.epsilon = c->exact ? 0 : 1e-3f;
    WAIO_TRY(st, waio_case_x(c, &node.input[0], r->x));
    for (int i = 1; i < 4; i++)
        WAIO_TRY(st, waio_case_const(c, &node.input[i], vector, 1));
    WAIO_TRY(st, waio_graph_add_const(c->graph, &node.input[4], "variance", &vector, &variance));
    for (int64_t i = 0; i < channels; i++)
        variance[i] = c->exact ? ldexpf(1, 2 * (int)waio_rng_below(&c->rng, 3) - 2)
                               : 0.25f + waio_rng_unit(&c->rng);
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(batch_norm, batch_norm, build_batch_norm);

/* ---- two inputs ---- */

/* What stands on the other side of x. */
typedef enum other {
    CONST,   /* a constant of the row's shape */
    CLIPPED, /* x clipped to [-2, 2]: computed, of equal shape */
    PEAKS,   /* the largest of each channel: computed, one number per channel and image */
} other;

typedef struct binary_row {
    waio_shape x;
    other kind;
    waio_shape shape;
    bool left; /* the other operand comes first */
    waio_clamp clamp;
} binary_row;

static const binary_row binary[] = {
    {{4, {1, 5, 7, 3}}, CLIPPED, {0}, false, WAIO_NONE},
    {{4, {1, 3, 5, 17}}, CLIPPED, {0}, true, WAIO_RELU},
    {{2, {1, 33}}, CLIPPED, {0}, false, WAIO_RELU6},
    {{4, {1, 5, 7, 16}}, CONST, {1, {16}}, false, WAIO_NONE},
    {{4, {1, 5, 7, 7}}, CONST, {4, {1, 1, 1, 7}}, true, WAIO_UNIT_CLIP},
    {{4, {1, 4, 3, 3}}, CONST, {0}, false, WAIO_NONE},
    {{4, {1, 4, 3, 3}}, CONST, {1, {1}}, true, WAIO_RELU},
    {{4, {1, 4, 3, 7}}, CONST, {4, {1, 4, 3, 7}}, false, WAIO_NONE},
    {{4, {1, 4, 3, 7}}, CONST, {4, {1, 4, 3, 7}}, true, WAIO_NONE},
    {{4, {1, 4, 3, 7}}, CONST, {3, {4, 3, 7}}, false, WAIO_NONE},
    {{4, {1, 4, 3, 7}}, CONST, {3, {4, 1, 1}}, true, WAIO_NONE},
    {{4, {1, 1, 3, 1}}, CONST, {4, {1, 4, 1, 5}}, false, WAIO_NONE},
    {{2, {1, 1}}, CONST, {1, {1}}, false, WAIO_NONE},
    {{4, {1, 4, 3, 7}}, PEAKS, {0}, false, WAIO_NONE},
    {{4, {1, 4, 3, 7}}, PEAKS, {0}, true, WAIO_RELU6},
};

static waio_status other_operand(waio_op_case *c, int *id, int x, const binary_row *r)
{
    waio_node clipped = {.op = WAIO_OP_CLIP, .input = {x}, .input_count = 1, .clamp = {-2, 2}};
    waio_node peaks = {.op = WAIO_OP_MAX_POOL, .input = {x}, .input_count = 1};

    if (r->kind == CONST)
        return waio_case_const(c, id, r->shape, 2);
    if (r->kind == CLIPPED)
        return waio_case_node(c, id, clipped);
    peaks.pool =
        (waio_pool_params){.kernel = {(int)r->x.dim[1], (int)r->x.dim[2]}, .stride = {1, 1}};
    return waio_case_node(c, id, peaks);
}

static waio_status build_binary(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const binary_row *r = &binary[index];
    waio_node node = {.op = op, .input_count = 2, .clamp = r->clamp};
    int x = -1, y = -1, id = -1;

    WAIO_TRY(st, waio_case_x(c, &x, r->x));
    WAIO_TRY(st, other_operand(c, &y, x, r));
    node.input[0] = r->left ? y : x;
    node.input[1] = r->left ? x : y;
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(add, binary, build_binary);
WAIO_OP_CASES(sub, binary, build_binary);
WAIO_OP_CASES(mul, binary, build_binary);
WAIO_OP_CASES(maximum, binary, build_binary);
