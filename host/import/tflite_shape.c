/* TensorFlow Lite's operators that move numbers or reduce axes. */
#include <limits.h>

#include "import/tflite_import.h"

waio_status waio_tfl_op_concat(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    int32_t axis = 0;

    WAIO_TRY(st, waio_tfl_all(tfl, op, node));
    WAIO_TRY(st, waio_flat_i32(&axis, &tfl->file, &op->options, 0, 0));
    WAIO_TRY(st, waio_tfl_activation(node, tfl, op, 1));
    int rank = tfl->graph->value[node->input[0]].shape.rank;
    node->axis.axis = axis < 0 && axis >= -rank ? axis + rank : axis;
done:
    return st;
}

waio_status waio_tfl_op_reduce(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *axes = NULL;
    int64_t axis[WAIO_MAX_RANK];
    int count = 0;
    uint8_t keep = 0;

    WAIO_TRY(st, waio_tfl_first(&x, tfl, op, node));
    WAIO_TRY(st, waio_tfl_required(&axes, tfl, op, 1));
    WAIO_TRY(st, waio_tfl_ints(axis, &count, WAIO_MAX_RANK, tfl, axes));
    for (int i = 0; i < count; i++) {
        int64_t a = axis[i] < 0 ? axis[i] + x->shape.rank : axis[i];
        if (a < 0 || a >= x->shape.rank)
            WAIO_FAIL(st, WAIO_EINPUT, "axis %lld of %d dimensions", (long long)axis[i],
                      x->shape.rank);
        node->reduce.axes |= 1u << a;
    }
    WAIO_TRY(st, waio_flat_u8(&keep, &tfl->file, &op->options, 0, 0));
    node->reduce.keep_dims = keep != 0;
done:
    return st;
}

/* PAD fills with 0, PADV2 with the number in input 2. */
waio_status waio_tfl_op_pad(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *pads = NULL, *value = NULL;
    int64_t pad[2 * WAIO_MAX_RANK];
    int count = 0;

    WAIO_TRY(st, waio_tfl_first(&x, tfl, op, node));
    WAIO_TRY(st, waio_tfl_required(&pads, tfl, op, 1));
    WAIO_TRY(st, waio_tfl_ints(pad, &count, 2 * WAIO_MAX_RANK, tfl, pads));
    if (count != 2 * x->shape.rank)
        WAIO_FAIL(st, WAIO_EINPUT, "%d paddings for %d dimensions", count, x->shape.rank);
    for (int i = 0; i < count; i++) {
        if (pad[i] < 0 || pad[i] > INT_MAX)
            WAIO_FAIL(st, WAIO_EINPUT, "padding by %lld", (long long)pad[i]);
        (i % 2 ? node->pad.after : node->pad.before)[i / 2] = (int)pad[i];
    }
    WAIO_TRY(st, waio_tfl_operand(&value, tfl, op, 2));
    if (value)
        WAIO_TRY(st, waio_tfl_number(&node->pad.value, tfl, value));
done:
    return st;
}

/* RESHAPE, SQUEEZE, EXPAND_DIMS: the file knows the shape that comes out. */
waio_status waio_tfl_op_reshape(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *y = NULL;

    WAIO_TRY(st, waio_tfl_first(&x, tfl, op, node));
    WAIO_TRY(st, waio_tfl_result(&y, tfl, op));
    node->reshape.shape = y->shape;
done:
    return st;
}

/* SHAPE, STRIDED_SLICE, PACK where they compute the shape of a reshape: with the batch fixed the
 * file holds the result already, so nothing is left to compute. */
waio_status waio_tfl_op_shape_arithmetic(waio_tfl *tfl, const waio_tfl_operator *op,
                                         waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *y = NULL;

    node->op = WAIO_OP_COUNT;
    WAIO_TRY(st, waio_tfl_result(&y, tfl, op));
    if (y->scale.count || (y->type != WAIO_TFL_S32 && y->type != WAIO_TFL_S64))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "%s is only supported where it computes the shape of a reshape", op->name);
done:
    return st;
}

waio_status waio_tfl_op_transpose(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *perm = NULL;
    int64_t order[WAIO_MAX_RANK];
    int count = 0;

    WAIO_TRY(st, waio_tfl_first(&x, tfl, op, node));
    WAIO_TRY(st, waio_tfl_required(&perm, tfl, op, 1));
    WAIO_TRY(st, waio_tfl_ints(order, &count, WAIO_MAX_RANK, tfl, perm));
    if (count != x->shape.rank)
        WAIO_FAIL(st, WAIO_EINPUT, "an order of %d for %d dimensions", count, x->shape.rank);
    for (int i = 0; i < count; i++)
        node->transpose.perm[i] = order[i] < 0 || order[i] >= count ? -1 : (int)order[i];
done:
    return st;
}

/* The flags align_corners and half_pixel_centers stand in options `first` and behind it. */
static waio_status resize(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node, int first)
{
    waio_status st = WAIO_OK;
    waio_tfl_tensor *x = NULL, *y = NULL;
    uint8_t corners = 0, half = 0;
    char text[64];

    WAIO_TRY(st, waio_tfl_first(&x, tfl, op, node));
    WAIO_TRY(st, waio_tfl_result(&y, tfl, op));
    if (y->shape.rank != 4 || waio_shape_count(&y->shape) < 0 || y->shape.dim[1] > INT_MAX ||
        y->shape.dim[2] > INT_MAX)
        WAIO_FAIL(st, WAIO_EINPUT, "an image of %s", waio_shape_text(&y->shape, text));
    WAIO_TRY(st, waio_flat_u8(&corners, &tfl->file, &op->options, first, 0));
    WAIO_TRY(st, waio_flat_u8(&half, &tfl->file, &op->options, first + 1, 0));
    node->resize.out[0] = (int)y->shape.dim[1];
    node->resize.out[1] = (int)y->shape.dim[2];
    node->resize.align_corners = corners != 0;
    node->resize.half_pixel = half != 0;
done:
    return st;
}

waio_status waio_tfl_op_nearest(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    return resize(tfl, op, node, 0);
}

/* Two retired fields stand in front of its flags. */
waio_status waio_tfl_op_bilinear(waio_tfl *tfl, const waio_tfl_operator *op, waio_node *node)
{
    node->resize.bilinear = true;
    return resize(tfl, op, node, 2);
}
