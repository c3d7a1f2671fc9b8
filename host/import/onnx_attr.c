/* Attributes of ONNX nodes, and lists that moved from an attribute to an input over the opsets. */
#include <inttypes.h>
#include <string.h>

#include "import/onnx_import.h"

const Onnx__AttributeProto *waio_onnx_attr(const Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (node->attribute[i]->name && strcmp(node->attribute[i]->name, name) == 0)
            return node->attribute[i];
    return NULL;
}

/* Old files leave out the type; then the field that is there tells. */
static waio_status need_type(const Onnx__AttributeProto *attr, int type, bool present,
                             const char *what)
{
    if (attr->has_type ? (int)attr->type == type : present)
        return WAIO_OK;
    return waio_error(WAIO_EINPUT, "attribute %.40s is not %s", attr->name, what);
}

waio_status waio_onnx_attr_int(int64_t *out, const Onnx__NodeProto *node, const char *name,
                               int64_t fallback)
{
    const Onnx__AttributeProto *attr = waio_onnx_attr(node, name);

    *out = attr ? attr->i : fallback;
    if (!attr)
        return WAIO_OK;
    return need_type(attr, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT, attr->has_i, "an integer");
}

waio_status waio_onnx_attr_flag(bool *out, const Onnx__NodeProto *node, const char *name,
                                bool fallback)
{
    waio_status st = WAIO_OK;
    int64_t number = 0;

    WAIO_TRY(st, waio_onnx_attr_int(&number, node, name, fallback));
    if (number != 0 && number != 1)
        WAIO_FAIL(st, WAIO_EINPUT, "attribute %s is %" PRId64 ", expected 0 or 1", name, number);
    *out = number != 0;
done:
    return st;
}

waio_status waio_onnx_attr_float(float *out, const Onnx__NodeProto *node, const char *name,
                                 float fallback)
{
    const Onnx__AttributeProto *attr = waio_onnx_attr(node, name);

    *out = attr ? attr->f : fallback;
    if (!attr)
        return WAIO_OK;
    return need_type(attr, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT, attr->has_f, "a number");
}

waio_status waio_onnx_attr_text(char out[32], const Onnx__NodeProto *node, const char *name,
                                const char *fallback)
{
    waio_status st = WAIO_OK;
    const Onnx__AttributeProto *attr = waio_onnx_attr(node, name);
    size_t n = attr ? attr->s.len : strlen(fallback);

    memset(out, 0, 32);
    if (attr)
        WAIO_TRY(st, need_type(attr, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING, attr->has_s,
                               "a text"));
    if (n > 31)
        WAIO_FAIL(st, WAIO_EINPUT, "attribute %s is %zu letters long", name, n);
    if (n)
        memcpy(out, attr ? (const char *)attr->s.data : fallback, n);
done:
    return st;
}

waio_status waio_onnx_attr_ints(const int64_t **out, size_t *count, const Onnx__NodeProto *node,
                                const char *name)
{
    static const int64_t none[1];
    const Onnx__AttributeProto *attr = waio_onnx_attr(node, name);

    *out = NULL;
    *count = 0;
    if (!attr)
        return WAIO_OK;
    *out = attr->n_ints ? attr->ints : none;
    *count = attr->n_ints;
    return need_type(attr, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS, attr->n_ints > 0,
                     "a list of integers");
}

waio_status waio_onnx_attr_sizes(int *out, size_t count, const Onnx__NodeProto *node,
                                 const char *name, int low)
{
    waio_status st = WAIO_OK;
    const int64_t *ints = NULL;
    size_t there = 0;

    WAIO_TRY(st, waio_onnx_attr_ints(&ints, &there, node, name));
    if (ints && there != count)
        WAIO_FAIL(st, WAIO_EINPUT, "attribute %s has %zu numbers, expected %zu", name, there,
                  count);
    for (size_t i = 0; ints && i < count; i++) {
        if (ints[i] < low || ints[i] > 65535)
            WAIO_FAIL(st, WAIO_EINPUT, "attribute %s holds %" PRId64 ", expected %d to 65535", name,
                      ints[i], low);
        out[i] = (int)ints[i];
    }
done:
    return st;
}

waio_status waio_onnx_ints_of(waio_onnx *onnx, const int64_t **out, size_t *count,
                              const Onnx__NodeProto *node, size_t input, const char *name)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *value = NULL;

    if (!waio_onnx_has_input(node, input))
        return waio_onnx_attr_ints(out, count, node, name);
    WAIO_TRY(st, waio_onnx_ints(onnx, node, input, &value));
    *out = value->ints;
    *count = (size_t)waio_onnx_count(&value->shape);
    for (size_t i = 0; value->times_batch && i < *count; i++)
        if (value->times_batch[i])
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s depend on the batch size", name);
done:
    return st;
}

waio_status waio_onnx_axis(int *out, int64_t axis, int rank)
{
    if (axis < -rank || axis >= rank)
        return waio_error(WAIO_EINPUT, "axis %" PRId64 " of %d dimensions", axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return WAIO_OK;
}

waio_status waio_onnx_axes(unsigned *out, const int64_t *axes, size_t count, int rank)
{
    waio_status st = WAIO_OK;
    int axis = 0;

    *out = 0;
    for (size_t i = 0; i < count; i++) {
        WAIO_TRY(st, waio_onnx_axis(&axis, axes[i], rank));
        if (*out >> axis & 1u)
            WAIO_FAIL(st, WAIO_EINPUT, "axis %d is given twice", axis);
        *out |= 1u << axis;
    }
done:
    return st;
}
