/* Reshape, Flatten, Squeeze, Unsqueeze and Transpose. They find the new shape; how numbers move is
 * the business of onnx_layout.c. Constants only change their shape (and, in Transpose, order). */
#include <inttypes.h>
#include <string.h>

#include "import/onnx_import.h"

/* Gives output 0 the numbers of `x` in the shape `target`. */
static waio_status finish(waio_onnx *onnx, const Onnx__NodeProto *node, waio_onnx_value *x,
                          const waio_shape *target)
{
    waio_status st = WAIO_OK;
    waio_onnx_value out = *x;
    waio_shape now = waio_onnx_shape(onnx, x);
    char text_a[64], text_b[64];

    if (target->rank > WAIO_MAX_RANK || waio_onnx_count(target) != waio_onnx_count(&now))
        WAIO_FAIL(st, WAIO_EINPUT, "cannot reshape %s to %s", waio_shape_text(&now, text_a),
                  waio_shape_text(target, text_b));
    if (x->kind == WAIO_ONNX_ACTIVATION)
        WAIO_TRY(st, waio_onnx_reshape_to(onnx, &out, x, target));
    else
        out.shape = *target;
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

/* Input 0 of any kind; an activation has its batch in front. */
static waio_status input_of(waio_onnx *onnx, const Onnx__NodeProto *node, waio_onnx_value **x,
                            waio_shape *shape)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, 0, x));
    if ((*x)->kind == WAIO_ONNX_ACTIVATION)
        WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, x));
    *shape = waio_onnx_shape(onnx, *x);
done:
    return st;
}

/* ---- Reshape ---- */

/* Whether entry 0 of a reshape's target is the batch: marked, copied (0), the file's fixed batch,
 * or -1 where the rest makes up one image. */
static bool is_batch(const waio_onnx *onnx, const waio_onnx_value *target, bool zero_copies,
                     bool rest_is_image)
{
    int64_t first = target->ints[0];

    if (waio_onnx_is_marked(target, 0))
        return first == 1;
    if (first == -1)
        return rest_is_image;
    return (first == 0 && zero_copies) || first == (onnx->batch ? onnx->batch : 1);
}

/* Reads entry `i` of a reshape's target into `dim`; -1 asks for what is left. */
static waio_status target_entry(int64_t *dim, const waio_onnx_value *target, int i,
                                bool zero_copies, const waio_shape *in)
{
    int64_t entry = target->ints[i];

    if (waio_onnx_is_marked(target, i) && i > 0)
        return waio_error(WAIO_EUNSUPPORTED, "moves the batch to dimension %d", i);
    if (entry == 0 && zero_copies) {
        if (i >= in->rank)
            return waio_error(WAIO_EINPUT, "copies dimension %d of %d", i, in->rank);
        entry = in->dim[i];
    }
    if (entry < -1 || entry > INT64_C(1) << 40)
        return waio_error(WAIO_EINPUT, "dimension %d would be %" PRId64, i, entry);
    *dim = entry;
    return WAIO_OK;
}

static waio_status resolve_target(waio_onnx *onnx, waio_shape *out, const waio_onnx_value *x,
                                  const waio_onnx_value *target, bool zero_copies)
{
    waio_status st = WAIO_OK;
    waio_shape in = waio_onnx_shape(onnx, x);
    bool activation = x->kind == WAIO_ONNX_ACTIVATION;
    int open = -1;
    char text[64];

    *out = (waio_shape){.rank = (int)target->shape.dim[0]};
    for (int i = 0; i < out->rank; i++) {
        if (i == 0 && activation) {
            out->dim[0] = 1; /* checked below */
            continue;
        }
        WAIO_TRY(st, target_entry(&out->dim[i], target, i, zero_copies, &in));
        if (out->dim[i] == -1 && open >= 0)
            WAIO_FAIL(st, WAIO_EINPUT, "leaves dimensions %d and %d open", open, i);
        if (out->dim[i] == -1) {
            open = i;
            out->dim[i] = 1;
        }
    }
    int64_t count = waio_onnx_count(&in), known = waio_onnx_count(out);
    if (known < 0)
        WAIO_FAIL(st, WAIO_EINPUT, "the impossible target %s", waio_shape_text(out, text));
    if (open >= 0 && (known == 0 || count % known))
        WAIO_FAIL(st, WAIO_EINPUT, "%" PRId64 " numbers do not fill %s and one more dimension",
                  count, waio_shape_text(out, text));
    if (open >= 0)
        out->dim[open] = count / known;
    if (activation && !is_batch(onnx, target, zero_copies, open < 0 && known == count))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "dimension 0 of the target (%" PRId64 ") is not the "
                  "batch",
                  target->ints[0]);
done:
    return st;
}

waio_status waio_onnx_op_reshape(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL, *target = NULL;
    waio_shape shape;
    bool allow_zero = false;

    WAIO_TRY(st, input_of(onnx, node, &x, &shape));
    WAIO_TRY(st, waio_onnx_ints(onnx, node, 1, &target));
    WAIO_TRY(st, waio_onnx_attr_flag(&allow_zero, node, "allowzero", false));
    if (target->shape.rank != 1 || target->shape.dim[0] > WAIO_MAX_RANK)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the target is no list of up to %d dimensions",
                  WAIO_MAX_RANK);
    if (target->shape.dim[0] == 0 && x->kind == WAIO_ONNX_ACTIVATION)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the target has no dimension for the batch");
    WAIO_TRY(st, resolve_target(onnx, &shape, x, target, !allow_zero));
    WAIO_TRY(st, finish(onnx, node, x, &shape));
done:
    return st;
}

waio_status waio_onnx_op_flatten(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL;
    waio_shape in, flat = WAIO_SHAPE(1, 1);
    int64_t axis = 1;

    WAIO_TRY(st, input_of(onnx, node, &x, &in));
    WAIO_TRY(st, waio_onnx_attr_int(&axis, node, "axis", 1));
    if (axis < -in.rank || axis > in.rank)
        WAIO_FAIL(st, WAIO_EINPUT, "axis %" PRId64 " of %d dimensions", axis, in.rank);
    if (axis < 0)
        axis += in.rank;
    for (int i = 0; i < in.rank; i++)
        flat.dim[i < axis ? 0 : 1] *= in.dim[i];
    if (x->kind == WAIO_ONNX_ACTIVATION && (axis == 0 || flat.dim[0] != 1))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "axis %" PRId64 " flattens the batch and other dimensions "
                  "into one",
                  axis);
    WAIO_TRY(st, finish(onnx, node, x, &flat));
done:
    return st;
}

/* ---- Squeeze, Unsqueeze ---- */

waio_status waio_onnx_op_squeeze(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL;
    waio_shape in, out = {0};
    const int64_t *list = NULL;
    size_t count = 0;
    unsigned axes = 0;

    WAIO_TRY(st, input_of(onnx, node, &x, &in));
    bool activation = x->kind == WAIO_ONNX_ACTIVATION;
    WAIO_TRY(st, waio_onnx_ints_of(onnx, &list, &count, node, 1, "axes"));
    WAIO_TRY(st, waio_onnx_axes(&axes, list, count, in.rank));
    if (!list)
        for (int i = 0; i < in.rank; i++)
            axes |= in.dim[i] == 1 && (i > 0 || !activation || onnx->batch == 1) ? 1u << i : 0;
    if (activation && axes & 1u)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "removes the batch");
    for (int i = 0; i < in.rank; i++) {
        if (!(axes >> i & 1u))
            out.dim[out.rank++] = in.dim[i];
        else if (in.dim[i] != 1)
            WAIO_FAIL(st, WAIO_EINPUT, "removes dimension %d, which is %" PRId64, i, in.dim[i]);
    }
    WAIO_TRY(st, finish(onnx, node, x, &out));
done:
    return st;
}

waio_status waio_onnx_op_unsqueeze(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL;
    waio_shape in, out = {0};
    const int64_t *list = NULL;
    size_t count = 0;
    unsigned axes = 0;

    WAIO_TRY(st, input_of(onnx, node, &x, &in));
    WAIO_TRY(st, waio_onnx_ints_of(onnx, &list, &count, node, 1, "axes"));
    if (!list || count > WAIO_MAX_RANK || in.rank + (int)count > WAIO_MAX_RANK)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%zu axes for %d dimensions, expected up to %d in all",
                  count, in.rank, WAIO_MAX_RANK);
    out.rank = in.rank + (int)count;
    WAIO_TRY(st, waio_onnx_axes(&axes, list, count, out.rank));
    if (x->kind == WAIO_ONNX_ACTIVATION && axes & 1u)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "moves the batch out of dimension 0");
    for (int i = 0, from = 0; i < out.rank; i++)
        out.dim[i] = axes >> i & 1u ? 1 : in.dim[from++];
    WAIO_TRY(st, finish(onnx, node, x, &out));
done:
    return st;
}

/* ---- Transpose ---- */

static waio_status read_perm(int perm[WAIO_MAX_RANK], const Onnx__NodeProto *node, int rank)
{
    waio_status st = WAIO_OK;
    const int64_t *list = NULL;
    size_t count = 0;
    unsigned seen = 0;

    WAIO_TRY(st, waio_onnx_attr_ints(&list, &count, node, "perm"));
    if (list && count != (size_t)rank)
        WAIO_FAIL(st, WAIO_EINPUT, "perm has %zu entries for %d dimensions", count, rank);
    for (int i = 0; i < rank; i++) {
        int64_t from = list ? list[i] : rank - 1 - i;
        if (from < 0 || from >= rank || seen >> from & 1u)
            WAIO_FAIL(st, WAIO_EINPUT, "perm is not a permutation of %d dimensions", rank);
        seen |= 1u << from;
        perm[i] = (int)from;
    }
done:
    return st;
}

static waio_status transpose_constant(waio_onnx *onnx, waio_onnx_value *out,
                                      const waio_onnx_value *x, const int *perm)
{
    waio_status st = WAIO_OK;
    waio_onnx_numbers to;
    waio_shape shape = x->shape;

    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = x->shape.dim[perm[i]];
    if (x->times_batch && shape.rank > 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "of numbers that depend on the batch size");
    if (shape.rank < 2) {
        *out = *x;
        return WAIO_OK;
    }
    WAIO_TRY(st, waio_onnx_new_constant(onnx, out, &to, x->kind, &shape));
    if (to.floats)
        waio_onnx_permute(to.floats, x->floats, &x->shape, perm, sizeof *to.floats);
    else
        waio_onnx_permute(to.ints, x->ints, &x->shape, perm, sizeof *to.ints);
done:
    return st;
}

waio_status waio_onnx_op_transpose(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL, out;
    int perm[WAIO_MAX_RANK] = {0}, rank = 0, id = 0;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, 0, &x));
    rank = waio_onnx_rank(onnx, x);
    WAIO_TRY(st, read_perm(perm, node, rank));
    if (x->kind != WAIO_ONNX_ACTIVATION) {
        WAIO_TRY(st, transpose_constant(onnx, &out, x, perm));
    } else {
        WAIO_TRY(st, waio_onnx_in_layout(onnx, &id, x, x->perm));
        out = *x;
        out.has_other = false;
        for (int i = 0; i < rank; i++)
            out.perm[i] = x->perm[perm[i]];
    }
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}
