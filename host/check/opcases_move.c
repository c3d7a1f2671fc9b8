/* Cases of the ops that move numbers: concat, reshape, transpose. */
#include <math.h>
#include <string.h>

#include "check/opcases_build.h"

/* ---- concat: x, then x padded by `more` on the axis, and so on; the last may be a constant ----
 */

typedef struct concat_row {
    waio_shape x;
    int axis, inputs, more;
    bool constant;
    waio_clamp clamp;
} concat_row;

static const concat_row concat[] = {
    {{4, {1, 3, 5, 7}}, 3, 1, 0, false, WAIO_NONE},
    {{4, {1, 3, 5, 7}}, 3, 2, 1, false, WAIO_RELU},
    {{4, {1, 5, 3, 16}}, 3, 3, 17, false, WAIO_NONE},
    {{4, {1, 2, 2, 3}}, 3, 4, 5, true, WAIO_NONE},
    {{4, {1, 3, 4, 5}}, 1, 2, 2, false, WAIO_NONE},
    {{4, {1, 3, 4, 5}}, 2, 3, 1, true, WAIO_UNIT_CLIP},
    {{2, {1, 17}}, 1, 4, 3, false, WAIO_NONE},
    {{3, {1, 6, 4}}, 1, 4, 0, false, WAIO_NONE},
    {{3, {1, 6, 4}}, 2, 2, 1, true, WAIO_NONE},
};

static waio_status concat_input(waio_op_case *c, int *id, int x, const concat_row *r, int i)
{
    waio_shape shape = r->x;
    waio_node pad = {.op = WAIO_OP_PAD, .input = {x}, .input_count = 1};

    if (r->constant && i == r->inputs - 1) {
        shape.dim[r->axis] += r->more;
        return waio_case_const(c, id, shape, 2);
    }
    pad.pad.before[r->axis] = i;
    pad.pad.after[r->axis] = r->more;
    pad.pad.value = 0.5f;
    return waio_case_node(c, id, pad);
}

static waio_status build_concat(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const concat_row *r = &concat[index];
    waio_node node = {.op = op, .input_count = r->inputs, .clamp = r->clamp};
    int id = -1;

    node.axis.axis = r->axis;
    WAIO_TRY(st, waio_case_x(c, &node.input[0], r->x));
    for (int i = 1; i < r->inputs; i++)
        WAIO_TRY(st, concat_input(c, &node.input[i], node.input[0], r, i));
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(concat, concat, build_concat);

/* ---- reshape ---- */

typedef struct reshape_row {
    waio_shape x, y;
    waio_clamp clamp;
} reshape_row;

static const reshape_row reshape[] = {
    {{4, {1, 3, 5, 7}}, {2, {1, 105}}, WAIO_NONE},
    {{2, {1, 12}}, {4, {1, 2, 3, 2}}, WAIO_RELU},
    {{4, {1, 1, 1, 17}}, {2, {1, 17}}, WAIO_NONE},
    {{2, {1, 1}}, {1, {1}}, WAIO_NONE},
    {{4, {1, 4, 4, 6}}, {3, {1, 32, 3}}, WAIO_UNIT_CLIP},
    {{3, {1, 6, 4}}, {6, {1, 1, 2, 3, 2, 2}}, WAIO_NONE},
};

static waio_status build_reshape(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const reshape_row *r = &reshape[index];
    waio_node node = {.op = op, .input_count = 1, .clamp = r->clamp, .reshape = {r->y}};
    int id = -1;

    WAIO_TRY(st, waio_case_x(c, &node.input[0], r->x));
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(reshape, reshape, build_reshape);

/* ---- transpose ---- */

typedef struct transpose_row {
    waio_shape x;
    int perm[WAIO_MAX_RANK];
    waio_clamp clamp;
} transpose_row;

static const transpose_row transpose[] = {
    {{4, {1, 3, 5, 7}}, {0, 3, 1, 2}, WAIO_NONE},
    {{4, {1, 7, 3, 5}}, {0, 2, 3, 1}, WAIO_RELU},
    {{3, {1, 5, 4}}, {0, 2, 1}, WAIO_NONE},
    {{2, {1, 6}}, {0, 1}, WAIO_NONE},
    {{5, {1, 2, 3, 4, 5}}, {0, 4, 2, 1, 3}, WAIO_NONE},
    {{6, {1, 2, 3, 2, 3, 2}}, {0, 5, 4, 3, 2, 1}, WAIO_UNIT_CLIP},
};

static waio_status build_transpose(waio_op_case *c, waio_op op, int index)
{
    waio_status st = WAIO_OK;
    const transpose_row *r = &transpose[index];
    waio_node node = {.op = op, .input_count = 1, .clamp = r->clamp};
    int id = -1;

    memcpy(node.transpose.perm, r->perm, sizeof r->perm);
    WAIO_TRY(st, waio_case_x(c, &node.input[0], r->x));
    WAIO_TRY(st, waio_case_node(c, &id, node));
done:
    return st;
}

WAIO_OP_CASES(transpose, transpose, build_transpose);
