/* Cases of the ops over height and width (pools, resize, pad) and of reductions. */
#include <math.h>

#include "check/opcases_build.h"

/* ---- pools ---- */

typedef struct pool_row {
    int h, w, c, kernel[2], stride[2], pad[4];
    bool count_include_pad;
    waio_clamp clamp;
} pool_row;

static const pool_row pool[] = {
    {6, 6, 3, {2, 2}, {2, 2}, {0, 0, 0, 0}, false, WAIO_NONE},
    {7, 9, 7, {3, 3}, {2, 2}, {1, 1, 1, 1}, false, WAIO_NONE},
    {7, 9, 7, {3, 3}, {2, 2}, {1, 1, 1, 1}, true, WAIO_NONE},
    {9, 8, 16, {3, 3}, {1, 1}, {1, 1, 1, 1}, false, WAIO_RELU},
    {9, 8, 17, {3, 3}, {3, 3}, {0, 0, 1, 2}, true, WAIO_RELU6},
    {8, 8, 33, {3, 3}, {2, 2}, {0, 0, 1, 1}, false, WAIO_UNIT_CLIP},
    {7, 7, 16, {7, 7}, {1, 1}, {0, 0, 0, 0}, false, WAIO_NONE},
    {5, 7, 1, {2, 5}, {1, 3}, {1, 2, 0, 4}, true, WAIO_NONE},
    {5, 7, 1, {2, 5}, {1, 3}, {1, 2, 0, 4}, false, WAIO_NONE},
    {3, 3, 3, {5, 5}, {1, 1}, {2, 2, 2, 2}, false, WAIO_NONE}, /* the window hangs over all sides */
    {3, 2, 3, {5, 5}, {4, 4}, {2, 3, 4, 2}, true, WAIO_NONE},
    {8, 8, 16, {1, 1}, {2, 2}, {0, 0, 0, 0}, false, WAIO_NONE},
};

static waio_status build_pool(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const pool_row *r = &pool[index];
    waio_node node = {.op = op, .input_count = 1, .clamp = r->clamp};
    int id = -1;

    node.pool = (waio_pool_params){{r->kernel[0], r->kernel[1]},
                                   {r->stride[0], r->stride[1]},
                                   {r->pad[0], r->pad[1], r->pad[2], r->pad[3]},
                                   r->count_include_pad};
    WAIO_TRY(st, waio_case_x(c, &node.input[0], WAIO_SHAPE(1, r->h, r->w, r->c)));
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(avg_pool, pool, build_pool);
WAIO_OP_CASES(max_pool, pool, build_pool);

/* ---- mean and sum over axes ---- */

typedef struct reduce_row {
    waio_shape x;
    unsigned axes;
    bool keep_dims;
    waio_clamp clamp;
} reduce_row;

static const reduce_row reduce[] = {
    {{4, {1, 7, 7, 16}}, 6, false, WAIO_NONE},    {{4, {1, 8, 5, 33}}, 6, true, WAIO_RELU},
    {{4, {1, 1, 1, 3}}, 6, false, WAIO_RELU6},    {{4, {1, 5, 3, 7}}, 2, false, WAIO_NONE},
    {{4, {1, 5, 3, 7}}, 8, true, WAIO_UNIT_CLIP}, {{2, {1, 17}}, 2, false, WAIO_NONE},
    {{5, {1, 3, 5, 2, 4}}, 10, true, WAIO_NONE},  {{4, {1, 13, 11, 1}}, 14, false, WAIO_NONE},
};

static waio_status build_reduce(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const reduce_row *r = &reduce[index];
    waio_node node = {.op = op, .input_count = 1, .clamp = r->clamp};
    int id = -1;

    node.reduce = (waio_reduce_params){r->axes, r->keep_dims};
    WAIO_TRY(st, waio_case_x(c, &node.input[0], r->x));
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(mean, reduce, build_reduce);
WAIO_OP_CASES(sum, reduce, build_reduce);

/* ---- resize ---- */

typedef struct resize_row {
    int h, w, c, out[2];
    bool bilinear, half_pixel, align_corners;
} resize_row;

static const resize_row resize[] = {
    {5, 7, 3, {10, 14}, false, false, false}, {5, 7, 3, {10, 14}, false, true, false},
    {5, 7, 3, {9, 13}, false, false, true},   {7, 5, 16, {3, 3}, false, true, false},
    {7, 5, 17, {11, 4}, false, false, false}, {4, 4, 7, {8, 8}, true, false, false},
    {4, 4, 7, {8, 8}, true, true, false},     {5, 3, 7, {9, 5}, true, false, true},
    {7, 9, 3, {5, 4}, true, true, false},     {7, 9, 3, {13, 11}, true, false, false},
    {1, 1, 33, {5, 5}, true, false, true},    {6, 6, 1, {1, 1}, true, false, true},
    {5, 5, 3, {5, 5}, true, true, false},
};

/* Whether the positions between the cells are binary fractions along both axes. */
static bool exact_positions(const resize_row *r)
{
    bool exact = true;
    for (int i = 0; i < 2; i++) {
        int parts = r->align_corners ? r->out[i] - 1 : r->out[i];
        exact = exact && (parts & (parts - 1)) == 0;
    }
    return exact;
}

static waio_status build_resize(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const resize_row *r = &resize[index];
    waio_node node = {.op = op, .input_count = 1};
    int id = -1;

    node.resize =
        (waio_resize_params){{r->out[0], r->out[1]}, r->bilinear, r->half_pixel, r->align_corners};
    c->exact = c->exact && (!r->bilinear || exact_positions(r));
    WAIO_TRY(st, waio_case_x(c, &node.input[0], WAIO_SHAPE(1, r->h, r->w, r->c)));
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(resize, resize, build_resize);

/* ---- pad ---- */

typedef struct pad_row {
    waio_shape x;
    int before[WAIO_MAX_RANK], after[WAIO_MAX_RANK];
    float value;
    waio_clamp clamp;
} pad_row;

static const pad_row pad[] = {
    {{4, {1, 5, 7, 3}}, {0, 1, 2, 0}, {0, 0, 3, 0}, 0, WAIO_NONE},
    {{4, {1, 5, 7, 16}}, {0, 0, 0, 0}, {0, 1, 1, 0}, -2.5f, WAIO_NONE},
    {{4, {1, 4, 3, 7}}, {0, 3, 0, 0}, {0, 0, 3, 0}, 9, WAIO_RELU6},
    {{4, {1, 3, 3, 3}}, {0, 1, 0, 2}, {0, 0, 1, 1}, 0, WAIO_NONE},
    {{2, {1, 17}}, {0, 3}, {0, 2}, 1, WAIO_NONE},
    {{3, {1, 3, 5}}, {0, 0, 1}, {0, 2, 0}, 0, WAIO_UNIT_CLIP},
};

static waio_status build_pad(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const pad_row *r = &pad[index];
    waio_node node = {.op = op, .input_count = 1, .clamp = r->clamp};
    int id = -1;

    node.pad.value = r->value;
    for (int i = 0; i < WAIO_MAX_RANK; i++) {
        node.pad.before[i] = r->before[i];
        node.pad.after[i] = r->after[i];
    }
    WAIO_TRY(st, waio_case_x(c, &node.input[0], r->x));
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(pad, pad, build_pad);
