/* Named values of an ONNX graph, and what the op functions need of them. */
#include <assert.h>
#include <string.h>

#include "import/onnx_import.h"

/* FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv). Returns the slot of `name`, or the free one
 * where it belongs. */
static size_t find_slot(const waio_onnx *onnx, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (const char *p = name; *p; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
    size_t at = (size_t)(hash ^ hash >> 32) & (onnx->slot_count - 1);
    while (onnx->slot[at] && strcmp(onnx->value[onnx->slot[at] - 1]->name, name) != 0)
        at = (at + 1) & (onnx->slot_count - 1);
    return at;
}

waio_onnx_value *waio_onnx_find(const waio_onnx *onnx, const char *name)
{
    size_t slot = onnx->slot[find_slot(onnx, name)];
    return slot ? onnx->value[slot - 1] : NULL;
}

waio_status waio_onnx_define(waio_onnx *onnx, const char *name, waio_onnx_value **out)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *value = NULL;

    assert(onnx->value_count < onnx->slot_count);
    if (!name || !*name)
        WAIO_FAIL(st, WAIO_EINPUT, "a value without a name");
    size_t at = find_slot(onnx, name);
    if (onnx->slot[at])
        WAIO_FAIL(st, WAIO_EINPUT, "the name \"%.100s\" is given to more than one value", name);
    WAIO_NEW(st, value, onnx->arena, 1);
    value->name = name;
    onnx->value[onnx->value_count++] = value;
    onnx->slot[at] = onnx->value_count;
    *out = value;
done:
    return st;
}

waio_status waio_onnx_result(waio_onnx *onnx, const Onnx__NodeProto *node,
                             const waio_onnx_value *value)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *named = NULL;

    WAIO_TRY(st, waio_onnx_define(onnx, node->output[0], &named));
    const char *name = named->name;
    *named = *value;
    named->name = name;
done:
    return st;
}

bool waio_onnx_has_input(const Onnx__NodeProto *node, size_t i)
{
    return i < node->n_input && node->input[i] && *node->input[i];
}

waio_status waio_onnx_operand(waio_onnx *onnx, const Onnx__NodeProto *node, size_t i,
                              waio_onnx_value **out)
{
    waio_status st = WAIO_OK;

    if (!waio_onnx_has_input(node, i))
        WAIO_FAIL(st, WAIO_EINPUT, "input %zu is missing", i);
    waio_onnx_value *value = waio_onnx_find(onnx, node->input[i]);
    if (!value)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "reads \"%.100s\", which is neither the input nor an "
                  "initializer nor the first output of a node before this one",
                  node->input[i]);
    if (value->kind == WAIO_ONNX_UNREAD)
        WAIO_TRY(st, waio_onnx_read_tensor(onnx, value->tensor, value));
    *out = value;
done:
    return st;
}

waio_status waio_onnx_activation(waio_onnx *onnx, const Onnx__NodeProto *node, size_t i,
                                 waio_onnx_value **out)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, i, out));
    if ((*out)->kind != WAIO_ONNX_ACTIVATION)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "input %zu (\"%.100s\") is a constant, only values "
                  "computed from the image are supported there",
                  i, node->input[i]);
    if ((*out)->perm[0] != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the batch is not in dimension 0 of \"%.100s\"",
                  node->input[i]);
done:
    return st;
}

waio_status waio_onnx_floats(waio_onnx *onnx, const Onnx__NodeProto *node, size_t i,
                             waio_onnx_value **out)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, i, out));
    if ((*out)->kind == WAIO_ONNX_ACTIVATION)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "input %zu (\"%.100s\") is computed, only constants are "
                  "supported there",
                  i, node->input[i]);
    if ((*out)->kind != WAIO_ONNX_FLOATS)
        WAIO_FAIL(st, WAIO_EINPUT, "input %zu (\"%.100s\") holds integers, expected floats", i,
                  node->input[i]);
done:
    return st;
}

waio_status waio_onnx_ints(waio_onnx *onnx, const Onnx__NodeProto *node, size_t i,
                           waio_onnx_value **out)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, i, out));
    if ((*out)->kind == WAIO_ONNX_ACTIVATION)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "input %zu (\"%.100s\") is computed from the image, only "
                  "constants and shapes are supported there",
                  i, node->input[i]);
    if ((*out)->kind != WAIO_ONNX_INTS)
        WAIO_FAIL(st, WAIO_EINPUT, "input %zu (\"%.100s\") holds floats, expected integers", i,
                  node->input[i]);
done:
    return st;
}

waio_status waio_onnx_scalar(waio_onnx *onnx, float *out, const Onnx__NodeProto *node, size_t i,
                             float fallback)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *value = NULL;

    *out = fallback;
    if (!waio_onnx_has_input(node, i))
        return WAIO_OK;
    WAIO_TRY(st, waio_onnx_floats(onnx, node, i, &value));
    if (waio_onnx_count(&value->shape) != 1)
        WAIO_FAIL(st, WAIO_EINPUT, "input %zu (\"%.100s\") is not a single number", i,
                  node->input[i]);
    *out = value->floats[0];
done:
    return st;
}

waio_status waio_onnx_emit(waio_onnx *onnx, int *id, waio_node *node, const char *suffix)
{
    node->name =
        suffix ? waio_arena_printf(onnx->arena, "%s/%s", onnx->node_name, suffix) : onnx->node_name;
    if (!node->name)
        return WAIO_ENOMEM;
    return waio_graph_add_node(onnx->graph, id, node);
}

waio_status waio_onnx_spend(waio_onnx *onnx, int64_t count)
{
    if (count > onnx->spare_numbers)
        return waio_error(WAIO_EUNSUPPORTED, "constants grow to far more numbers than the file "
                                             "holds");
    onnx->spare_numbers -= count;
    return WAIO_OK;
}

waio_status waio_onnx_emit_const(waio_onnx *onnx, int *id, const char *name,
                                 const waio_shape *shape, float **data)
{
    waio_status st = WAIO_OK;
    char text[64];
    int64_t count = waio_shape_count(shape);

    if (count < 1)
        WAIO_FAIL(st, WAIO_EINPUT, "constant \"%.100s\" has the shape %s", name,
                  waio_shape_text(shape, text));
    WAIO_TRY(st, waio_onnx_spend(onnx, count));
    WAIO_TRY(st, waio_graph_add_const(onnx->graph, id, name, shape, data));
done:
    return st;
}
