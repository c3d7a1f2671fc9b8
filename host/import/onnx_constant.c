/* Constant, ConstantOfShape, Shape, and the two ops that pick from a constant: Gather, Slice. */
#include <inttypes.h>
#include <string.h>

#include "import/onnx_import.h"

static waio_status list_constant(waio_onnx *onnx, waio_onnx_value *out,
                                 const Onnx__AttributeProto *attr)
{
    waio_status st = WAIO_OK;
    const char *name = attr->name;
    bool is_float = strcmp(name, "value_float") == 0 || strcmp(name, "value_floats") == 0;
    bool is_list = strcmp(name, "value_floats") == 0 || strcmp(name, "value_ints") == 0;
    int64_t count = (int64_t)(is_float ? attr->n_floats : attr->n_ints);
    waio_shape shape = {.rank = is_list, .dim = {is_list ? count : 0}};
    waio_onnx_numbers to;

    if (!is_float && !is_list && strcmp(name, "value_int") != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "a constant given by %.40s", name);
    WAIO_TRY(st, waio_onnx_new_constant(onnx, out, &to,
                                        is_float ? WAIO_ONNX_FLOATS : WAIO_ONNX_INTS, &shape));
    if (!is_list) {
        if (is_float)
            to.floats[0] = attr->f;
        else
            to.ints[0] = attr->i;
    } else if (count) {
        if (is_float)
            memcpy(to.floats, attr->floats, (size_t)count * sizeof *to.floats);
        else
            memcpy(to.ints, attr->ints, (size_t)count * sizeof *to.ints);
    }
done:
    return st;
}

waio_status waio_onnx_op_constant(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value out = {0};

    if (node->n_attribute != 1)
        WAIO_FAIL(st, WAIO_EINPUT, "%zu attributes, expected 1", node->n_attribute);
    const Onnx__AttributeProto *attr = node->attribute[0];
    if (strcmp(attr->name, "value") != 0)
        WAIO_TRY(st, list_constant(onnx, &out, attr));
    else if (!attr->t)
        WAIO_FAIL(st, WAIO_EINPUT, "attribute value is not a tensor");
    else
        WAIO_TRY(st, waio_onnx_read_tensor(onnx, attr->t, &out));
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

waio_status waio_onnx_op_constant_of_shape(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    const Onnx__AttributeProto *attr = waio_onnx_attr(node, "value");
    waio_onnx_value fill = {0}, out;
    const int64_t *dims = NULL;
    size_t rank = 0;
    waio_shape shape = {0};
    waio_onnx_numbers to;

    WAIO_TRY(st, waio_onnx_ints_of(onnx, &dims, &rank, node, 0, "the dimensions"));
    if (!dims || rank > WAIO_MAX_RANK)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%zu dimensions, expected up to %d", rank, WAIO_MAX_RANK);
    shape.rank = (int)rank;
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = dims[i];
    fill.kind = WAIO_ONNX_FLOATS;
    if (attr && attr->t)
        WAIO_TRY(st, waio_onnx_read_tensor(onnx, attr->t, &fill));
    if (attr && (!attr->t || waio_onnx_count(&fill.shape) != 1))
        WAIO_FAIL(st, WAIO_EINPUT, "attribute value is not a tensor of one number");
    WAIO_TRY(st, waio_onnx_new_constant(onnx, &out, &to, fill.kind, &shape));
    for (int64_t i = 0; attr && i < waio_onnx_count(&shape); i++)
        waio_onnx_copy_number(&to, i, &fill, 0);
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

waio_status waio_onnx_op_shape(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *x = NULL, out;
    int64_t start = 0, end = INT64_MAX;
    waio_onnx_numbers to;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, 0, &x));
    waio_shape shape = waio_onnx_shape(onnx, x);
    WAIO_TRY(st, waio_onnx_attr_int(&start, node, "start", 0));
    WAIO_TRY(st, waio_onnx_attr_int(&end, node, "end", INT64_MAX));
    start += start < 0 ? shape.rank : 0;
    end += end < 0 ? shape.rank : 0;
    start = start < 0 ? 0 : start > shape.rank ? shape.rank : start;
    end = end > shape.rank ? shape.rank : end < start ? start : end;
    waio_shape list = WAIO_SHAPE(end - start);
    WAIO_TRY(st, waio_onnx_new_constant(onnx, &out, &to, WAIO_ONNX_INTS, &list));
    for (int64_t i = start; i < end; i++) {
        to.ints[i - start] = shape.dim[i];
        to.times_batch[i - start] = x->kind == WAIO_ONNX_ACTIVATION && x->perm[i] == 0;
    }
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

/* Along dimension 0 of any constant; an activation cannot be indexed. */
waio_status waio_onnx_op_gather(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *from = NULL, *index = NULL, out;
    int64_t axis = 0, row = 1;
    waio_onnx_numbers to;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, 0, &from));
    WAIO_TRY(st, waio_onnx_ints(onnx, node, 1, &index));
    WAIO_TRY(st, waio_onnx_attr_int(&axis, node, "axis", 0));
    waio_shape in = from->shape, shape = index->shape;
    if (from->kind == WAIO_ONNX_ACTIVATION || in.rank < 1 || (axis != 0 && axis != -in.rank) ||
        shape.rank + in.rank - 1 > WAIO_MAX_RANK)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "only taken from dimension 0 of constants and shapes");
    for (int i = 1; i < in.rank; i++) {
        shape.dim[shape.rank++] = in.dim[i];
        row *= in.dim[i];
    }
    WAIO_TRY(st, waio_onnx_new_constant(onnx, &out, &to, from->kind, &shape));
    int64_t count = waio_onnx_count(&index->shape);
    for (int64_t k = 0; k < count; k++) {
        int64_t i = index->ints[k] + (index->ints[k] < 0 ? in.dim[0] : 0);
        if (i < 0 || i >= in.dim[0] || waio_onnx_is_marked(index, k))
            WAIO_FAIL(st, WAIO_EINPUT, "index %" PRId64 " of %" PRId64, index->ints[k], in.dim[0]);
        for (int64_t j = 0; j < row; j++)
            waio_onnx_copy_number(&to, k * row + j, from, i * row + j);
    }
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}

static int64_t limited(int64_t at, int64_t size, int64_t low, int64_t high)
{
    if (at < 0)
        at += size;
    return at < low ? low : at > high ? high : at;
}

/* Of a list of numbers; an activation cannot be cut. */
waio_status waio_onnx_op_slice(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *from = NULL, out;
    const int64_t *begin = NULL, *end = NULL, *axes = NULL, *steps = NULL;
    size_t begins = 0, ends = 0, axis_count = 0, step_count = 0;
    waio_onnx_numbers to;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, 0, &from));
    WAIO_TRY(st, waio_onnx_ints_of(onnx, &begin, &begins, node, 1, "starts"));
    WAIO_TRY(st, waio_onnx_ints_of(onnx, &end, &ends, node, 2, "ends"));
    WAIO_TRY(st, waio_onnx_ints_of(onnx, &axes, &axis_count, node, 3, "axes"));
    WAIO_TRY(st, waio_onnx_ints_of(onnx, &steps, &step_count, node, 4, "steps"));
    if (from->kind == WAIO_ONNX_ACTIVATION || from->shape.rank != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "only lists of constants and shapes are cut");
    if (begins != 1 || ends != 1 || (axes && (axis_count != 1 || (axes[0] != 0 && axes[0] != -1))))
        WAIO_FAIL(st, WAIO_EINPUT, "starts, ends and axes do not fit a list");
    int64_t size = from->shape.dim[0], step = steps && step_count == 1 ? steps[0] : 1;
    if (step == 0 || step == INT64_MIN || (steps && step_count != 1))
        WAIO_FAIL(st, WAIO_EINPUT, "steps do not fit a list");
    int64_t first = limited(*begin, size, 0, step > 0 ? size : size - 1);
    int64_t stop = limited(*end, size, step > 0 ? 0 : -1, size);
    int64_t span = step > 0 ? stop - first : first - stop, pace = step > 0 ? step : -step;
    int64_t count = size == 0 || span <= 0 ? 0 : (span - 1) / pace + 1;
    waio_shape shape = WAIO_SHAPE(count);
    WAIO_TRY(st, waio_onnx_new_constant(onnx, &out, &to, from->kind, &shape));
    for (int64_t i = 0; i < count; i++)
        waio_onnx_copy_number(&to, i, from, first + i * step);
    WAIO_TRY(st, waio_onnx_result(onnx, node, &out));
done:
    return st;
}
