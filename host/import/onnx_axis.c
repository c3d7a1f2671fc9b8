/* Ops along chosen dimensions: Concat, Pad, ReduceMean, ReduceSum, Softmax. */
#include <inttypes.h>
#include <string.h>

#include "import/onnx_import.h"

static waio_status need_not_batch(int axis)
{
    if (axis == 0)
        return waio_error(WAIO_EUNSUPPORTED, "works along the batch");
    return WAIO_OK;
}

/* ---- Concat ---- */

static waio_status concat_constants(waio_onnx *onnx, waio_onnx_value *out,
                                    const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *part = NULL;
    waio_onnx_kind kind = WAIO_ONNX_INTS;
    waio_shape shape = WAIO_SHAPE(0);
    waio_onnx_numbers to;
    int64_t at = 0;

    for (size_t i = 0; i < node->n_input; i++) {
        WAIO_TRY(st, waio_onnx_operand(onnx, node, i, &part));
        if (part->kind == WAIO_ONNX_ACTIVATION || part->shape.rank != 1 ||
            (i && part->kind != kind))
            WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                      "of constants only lists of one type are joined, and "
                      "never with an activation");
        kind = part->kind;
        shape.dim[0] += part->shape.dim[0];
    }
    WAIO_TRY(st, waio_onnx_new_constant(onnx, out, &to, kind, &shape));
    for (size_t i = 0; i < node->n_input; i++) {
        WAIO_TRY(st, waio_onnx_operand(onnx, node, i, &part));
        for (int64_t k = 0; k < part->shape.dim[0]; k++)
            waio_onnx_copy_number(&to, at++, part, k);
    }
done:
    return st;
}

/* The layout of the first input, or channels last if any input has it. */
static waio_status concat_layout(waio_onnx *onnx, const Onnx__NodeProto *node, int rank, int *perm)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *part = NULL;
    int last[WAIO_MAX_RANK];

    waio_onnx_channels_last(rank, last);
    for (size_t i = 0; i < node->n_input; i++) {
        WAIO_TRY(st, waio_onnx_activation(onnx, node, i, &part));
        if (waio_onnx_rank(onnx, part) != rank)
            WAIO_FAIL(st, WAIO_EINPUT, "inputs of %d and %d dimensions", rank,
                      waio_onnx_rank(onnx, part));
        if (i == 0 || (rank == 4 && waio_onnx_same_perm(part->perm, last, rank)))
            memcpy(perm, part->perm, sizeof part->perm);
    }
done:
    return st;
}

waio_status waio_onnx_op_concat(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *part = NULL, out = {.kind = WAIO_ONNX_ACTIVATION};
    waio_node concat = {.op = WAIO_OP_CONCAT};
    int64_t axis = 0;
    int dim = 0, rank = 0;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, 0, &part));
    WAIO_TRY(st, waio_onnx_attr_int(&axis, node, "axis", INT64_MIN));
    rank = waio_onnx_rank(onnx, part);
    WAIO_TRY(st, waio_onnx_axis(&dim, axis, rank));
    if (part->kind != WAIO_ONNX_ACTIVATION) {
        WAIO_TRY(st, concat_constants(onnx, &out, node));
        return waio_onnx_result(onnx, node, &out);
    }
    WAIO_TRY(st, need_not_batch(dim));
    WAIO_TRY(st, concat_layout(onnx, node, rank, out.perm));
    for (size_t i = 0; i < node->n_input; i++) {
        WAIO_TRY(st, waio_onnx_activation(onnx, node, i, &part));
        WAIO_TRY(st,
                 waio_onnx_in_layout(onnx, &concat.input[concat.input_count++], part, out.perm));
    }
    concat.axis.axis = out.perm[dim];
    WAIO_TRY(st, waio_onnx_emit(onnx, &out.id, &concat, NULL));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

/* ---- Pad ---- */

/* pads: all begins, then all ends, for the dimensions in `axes` or for all. */
static waio_status pad_params(waio_onnx *onnx, waio_pad_params *out, const Onnx__NodeProto *node,
                              const waio_onnx_value *x, int rank)
{
    waio_status st = WAIO_OK;
    const int64_t *pads = NULL, *axes = NULL;
    size_t count = 0, axis_count = 0, padded = (size_t)rank;
    unsigned seen = 0;

    WAIO_TRY(st, waio_onnx_ints_of(onnx, &pads, &count, node, 1, "pads"));
    WAIO_TRY(st, waio_onnx_ints_of(onnx, &axes, &axis_count, node, 3, "axes"));
    if (axes) {
        WAIO_TRY(st, waio_onnx_axes(&seen, axes, axis_count, rank));
        padded = axis_count;
    }
    if (!pads || count != 2 * padded)
        WAIO_FAIL(st, WAIO_EINPUT, "%zu pads, expected %zu", count, 2 * padded);
    for (size_t i = 0; i < padded; i++) {
        int dim = (int)i;
        if (axes)
            WAIO_TRY(st, waio_onnx_axis(&dim, axes[i], rank));
        int64_t before = pads[i], after = pads[i + padded];
        if (before < 0 || after < 0 || before > 65535 || after > 65535)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                      "pads of %" PRId64 " and %" PRId64 ", supported are "
                      "0 to 65535",
                      before, after);
        if (dim == 0 && (before || after))
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "pads the batch");
        out->before[x->perm[dim]] = (int)before;
        out->after[x->perm[dim]] = (int)after;
    }
done:
    return st;
}

waio_status waio_onnx_op_pad(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL, out = {.kind = WAIO_ONNX_ACTIVATION};
    waio_node pad = {.op = WAIO_OP_PAD, .input_count = 1};
    char mode[32];

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    WAIO_TRY(st, waio_onnx_attr_text(mode, node, "mode", "constant"));
    if (strcmp(mode, "constant") != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "mode \"%s\", supported is constant", mode);
    WAIO_TRY(st, waio_onnx_attr_float(&pad.pad.value, node, "value", 0)); /* before opset 11 */
    WAIO_TRY(st, waio_onnx_scalar(onnx, &pad.pad.value, node, 2, pad.pad.value));
    WAIO_TRY(st, waio_onnx_in_layout(onnx, &pad.input[0], x, x->perm));
    WAIO_TRY(st, pad_params(onnx, &pad.pad, node, x, waio_onnx_rank(onnx, x)));
    memcpy(out.perm, x->perm, sizeof out.perm);
    WAIO_TRY(st, waio_onnx_emit(onnx, &out.id, &pad, NULL));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

/* ---- ReduceMean, ReduceSum ---- */

/* The layout that is left when the graph's dimensions in `reduced` are gone. */
static void drop_dims(int perm[WAIO_MAX_RANK], const int *from, int rank, unsigned reduced)
{
    int kept = 0;

    for (int i = 0; i < rank; i++) {
        if (reduced >> from[i] & 1u)
            continue;
        int dim = from[i];
        for (int d = 0; d < from[i]; d++)
            dim -= reduced >> d & 1u ? 1 : 0;
        perm[kept++] = dim;
    }
}

waio_status waio_onnx_op_reduce(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL, out = {.kind = WAIO_ONNX_ACTIVATION};
    bool is_mean = strcmp(node->op_type, "ReduceMean") == 0, noop = false;
    waio_node reduce = {.op = is_mean ? WAIO_OP_MEAN : WAIO_OP_SUM, .input_count = 1};
    const int64_t *list = NULL;
    size_t count = 0;
    unsigned axes = 0;

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    WAIO_TRY(st, waio_onnx_ints_of(onnx, &list, &count, node, 1, "axes"));
    WAIO_TRY(st, waio_onnx_attr_flag(&noop, node, "noop_with_empty_axes", false));
    WAIO_TRY(st, waio_onnx_attr_flag(&reduce.reduce.keep_dims, node, "keepdims", true));
    if (count == 0 && noop)
        return waio_onnx_result(onnx, node, x);
    int rank = waio_onnx_rank(onnx, x);
    WAIO_TRY(st, waio_onnx_axes(&axes, list, count, rank));
    if (count == 0 || axes & 1u)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "works along the batch");
    WAIO_TRY(st, waio_onnx_in_layout(onnx, &reduce.input[0], x, x->perm));
    for (int i = 0; i < rank; i++)
        reduce.reduce.axes |= axes >> i & 1u ? 1u << x->perm[i] : 0;
    if (reduce.reduce.keep_dims)
        memcpy(out.perm, x->perm, sizeof out.perm);
    else
        drop_dims(out.perm, x->perm, rank, reduce.reduce.axes);
    WAIO_TRY(st, waio_onnx_emit(onnx, &out.id, &reduce, NULL));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

/* ---- Softmax ---- */

/* Along one dimension, which must lie last in the graph. */
static waio_status softmax_axis(waio_onnx *onnx, waio_onnx_value *out, waio_onnx_value *x, int axis)
{
    waio_status st = WAIO_OK;
    int rank = waio_onnx_rank(onnx, x);
    waio_node softmax = {.op = WAIO_OP_SOFTMAX, .input_count = 1, .axis.axis = rank - 1};

    *out = (waio_onnx_value){.kind = WAIO_ONNX_ACTIVATION};
    for (int i = 0; i < rank; i++) /* those behind it close up */
        out->perm[i] = i == axis ? rank - 1 : x->perm[i] - (x->perm[i] > x->perm[axis]);
    WAIO_TRY(st, waio_onnx_in_layout(onnx, &softmax.input[0], x, out->perm));
    WAIO_TRY(st, waio_onnx_emit(onnx, &out->id, &softmax, NULL));
done:
    return st;
}

/* Before opset 13: over all dimensions from `axis` on, taken as one. */
static waio_status softmax_from(waio_onnx *onnx, waio_onnx_value *out, waio_onnx_value *x, int axis)
{
    waio_status st = WAIO_OK;
    waio_shape shape = waio_onnx_shape(onnx, x), joined = shape;
    int above_one = 0, only = axis;
    waio_onnx_value flat, soft;

    for (int i = axis; i < shape.rank; i++)
        if (shape.dim[i] > 1) {
            above_one++;
            only = i;
        }
    if (above_one < 2)
        return softmax_axis(onnx, out, x, only);
    joined.rank = axis + 1;
    for (int i = axis + 1; i < shape.rank; i++)
        joined.dim[axis] *= shape.dim[i];
    WAIO_TRY(st, waio_onnx_reshape_to(onnx, &flat, x, &joined));
    WAIO_TRY(st, softmax_axis(onnx, &soft, &flat, axis));
    WAIO_TRY(st, waio_onnx_reshape_to(onnx, out, &soft, &shape));
done:
    return st;
}

waio_status waio_onnx_op_softmax(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL, out;
    int64_t axis = 0;
    int dim = 0;
    bool joins = onnx->opset < 13;

    WAIO_TRY(st, waio_onnx_activation(onnx, node, 0, &x));
    WAIO_TRY(st, waio_onnx_attr_int(&axis, node, "axis", joins ? 1 : -1));
    WAIO_TRY(st, waio_onnx_axis(&dim, axis, waio_onnx_rank(onnx, x)));
    WAIO_TRY(st, need_not_batch(dim));
    WAIO_TRY(st, (joins ? softmax_from : softmax_axis)(onnx, &out, x, dim));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}
