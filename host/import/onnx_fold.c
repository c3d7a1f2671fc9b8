/* Constants that are computed from constants. Exporters write the target of a reshape as arithmetic
 * on the shape of an activation; here it is done once. The batch in a shape is unknown: it stands
 * as 1 with a mark (times_batch), and a marked number k means k batches. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "import/onnx_import.h"

bool waio_onnx_is_marked(const waio_onnx_value *value, int64_t i)
{
    return value->times_batch && value->times_batch[i];
}

waio_status waio_onnx_new_constant(waio_onnx *onnx, waio_onnx_value *out, waio_onnx_numbers *to,
                                   waio_onnx_kind kind, const waio_shape *shape)
{
    waio_status st = WAIO_OK;
    int64_t count = waio_onnx_count(shape);
    char text[64];

    *to = (waio_onnx_numbers){0};
    *out = (waio_onnx_value){.kind = kind, .shape = *shape};
    if (count < 0 || shape->rank > WAIO_MAX_RANK)
        WAIO_FAIL(st, WAIO_EINPUT, "the impossible shape %s", waio_shape_text(shape, text));
    WAIO_TRY(st, waio_onnx_spend(onnx, count));
    if (kind == WAIO_ONNX_FLOATS) {
        WAIO_NEW(st, to->floats, onnx->arena, (size_t)count);
    } else {
        WAIO_NEW(st, to->ints, onnx->arena, (size_t)count);
        WAIO_NEW(st, to->times_batch, onnx->arena, (size_t)count);
    }
    out->floats = to->floats;
    out->ints = to->ints;
    out->times_batch = to->times_batch;
done:
    return st;
}

void waio_onnx_copy_number(const waio_onnx_numbers *to, int64_t i, const waio_onnx_value *from,
                           int64_t j)
{
    if (to->floats) {
        to->floats[i] = from->floats[j];
    } else {
        to->ints[i] = from->ints[j];
        to->times_batch[i] = waio_onnx_is_marked(from, j);
    }
}

/* ---- arithmetic ---- */

static float fold_floats(char op, float a, float b)
{
    switch (op) {
    case 'A':
        return a + b;
    case 'S':
        return a - b;
    case 'M':
        return a * b;
    case 'D':
        return a / b;
    default:
        return a > b ? a : b;
    }
}

static waio_status fold_ints(char op, int64_t a, int64_t b, int64_t *out)
{
    bool failed = false;

    switch (op) {
    case 'A':
        failed = __builtin_add_overflow(a, b, out);
        break;
    case 'S':
        failed = __builtin_sub_overflow(a, b, out);
        break;
    case 'M':
        failed = __builtin_mul_overflow(a, b, out);
        break;
    case 'D':
        failed = b == 0 || (b == -1 && a == INT64_MIN);
        *out = failed ? 0 : a / b;
        break;
    default:
        *out = a > b ? a : b;
        break;
    }
    if (failed)
        return waio_error(WAIO_EINPUT,
                          "the result for %" PRId64 " and %" PRId64 " is no 64-bit "
                          "number",
                          a, b);
    return WAIO_OK;
}

/* What is left of the mark: k batches times or divided by a number, or plus or minus 0. */
static waio_status fold_mark(char op, int64_t a, bool a_marked, int64_t b, bool b_marked,
                             bool *marked)
{
    bool fine = !a_marked && !b_marked;

    *marked = a_marked || b_marked;
    if (op == 'M')
        fine = fine || a_marked != b_marked;
    else if (op == 'D')
        fine = fine || (a_marked && !b_marked && b > 0 && a % b == 0);
    else if (op == 'A' || op == 'S')
        fine = fine || (a_marked && !b_marked && b == 0) ||
               (op == 'A' && b_marked && !a_marked && a == 0);
    if (!fine)
        return waio_error(WAIO_EUNSUPPORTED, "arithmetic with the batch size whose result is not a "
                                             "multiple of it");
    return WAIO_OK;
}

/* One letter an op: Add, Sub, Mul, Div, and X for Max; Sum is Add. */
static char letter_of(const char *op)
{
    if (strcmp(op, "Max") == 0)
        return 'X';
    return strcmp(op, "Sum") == 0 ? 'A' : op[0];
}

/* Position in a constant of `shape` for the index `at` of the broadcast result. */
static int64_t broadcast_at(const waio_shape *shape, const int64_t *at, int rank)
{
    int64_t position = 0;

    for (int i = 0; i < shape->rank; i++) {
        int64_t index = shape->dim[i] == 1 ? 0 : at[i + rank - shape->rank];
        position = position * shape->dim[i] + index;
    }
    return position;
}

static waio_status fold_one(const waio_onnx_numbers *to, int64_t k, char op,
                            const waio_onnx_value *a, int64_t i, const waio_onnx_value *b,
                            int64_t j)
{
    waio_status st = WAIO_OK;

    if (to->floats) {
        to->floats[k] = fold_floats(op, a->floats[i], b->floats[j]);
        return WAIO_OK;
    }
    WAIO_TRY(st, fold_mark(op, a->ints[i], waio_onnx_is_marked(a, i), b->ints[j],
                           waio_onnx_is_marked(b, j), &to->times_batch[k]));
    WAIO_TRY(st, fold_ints(op, a->ints[i], b->ints[j], &to->ints[k]));
done:
    return st;
}

waio_status waio_onnx_fold(waio_onnx *onnx, waio_onnx_value *out, const char *op,
                           const waio_onnx_value *a, const waio_onnx_value *b)
{
    waio_status st = WAIO_OK;
    waio_shape shape;
    waio_onnx_numbers to;
    int64_t at[WAIO_MAX_RANK] = {0};
    char text_a[64], text_b[64];

    if (a->kind != b->kind)
        WAIO_FAIL(st, WAIO_EINPUT, "one constant holds integers, the other floats");
    if (!waio_shape_broadcast(&shape, &a->shape, &b->shape))
        WAIO_FAIL(st, WAIO_EINPUT, "shapes %s and %s do not go together",
                  waio_shape_text(&a->shape, text_a), waio_shape_text(&b->shape, text_b));
    WAIO_TRY(st, waio_onnx_new_constant(onnx, out, &to, a->kind, &shape));
    int64_t count = waio_onnx_count(&shape);
    for (int64_t k = 0; k < count; k++) {
        WAIO_TRY(st, fold_one(&to, k, letter_of(op), a, broadcast_at(&a->shape, at, shape.rank), b,
                              broadcast_at(&b->shape, at, shape.rank)));
        for (int i = shape.rank - 1; i >= 0 && ++at[i] == shape.dim[i]; i--)
            at[i] = 0;
    }
done:
    return st;
}

/* ---- Cast ---- */

static waio_status cast_constant(waio_onnx *onnx, waio_onnx_value *out, const waio_onnx_value *from,
                                 waio_onnx_kind kind)
{
    waio_status st = WAIO_OK;
    waio_onnx_numbers to;
    int64_t count = waio_onnx_count(&from->shape);

    *out = *from;
    if (from->kind == kind)
        return WAIO_OK;
    WAIO_TRY(st, waio_onnx_new_constant(onnx, out, &to, kind, &from->shape));
    for (int64_t i = 0; i < count; i++) {
        if (waio_onnx_is_marked(from, i))
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the batch size as a float");
        if (kind == WAIO_ONNX_FLOATS)
            to.floats[i] = (float)from->ints[i];
        else if (fabsf(from->floats[i]) < 9e18f)
            to.ints[i] = (int64_t)from->floats[i];
        else
            WAIO_FAIL(st, WAIO_EINPUT, "%g does not fit an integer", (double)from->floats[i]);
    }
done:
    return st;
}

waio_status waio_onnx_op_cast(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL, out;
    int64_t to = 0;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, 0, &x));
    WAIO_TRY(st, waio_onnx_attr_int(&to, node, "to", 0));
    bool to_float = to == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    bool to_int =
        to == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 || to == ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
    if (!to_float && (!to_int || x->kind == WAIO_ONNX_ACTIVATION))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "cast to element type %" PRId64 ": only float32, and "
                  "int32 and int64 for constants, are supported",
                  to);
    if (x->kind == WAIO_ONNX_ACTIVATION)
        out = *x;
    else
        WAIO_TRY(st, cast_constant(onnx, &out, x, to_float ? WAIO_ONNX_FLOATS : WAIO_ONNX_INTS));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}
