/* The table of ONNX op types, and the ops that only pass a value on. */
#include <string.h>

#include "import/onnx_import.h"

typedef struct op_row {
    const char *type;
    waio_onnx_function *function;
    size_t least, most;     /* inputs */
    const char *attributes; /* names with blanks around them */
} op_row;

static const op_row op_table[] = {
#define WAIO_ONNX_OP(type, function, least, most, attributes)                                      \
    {#type, waio_onnx_op_##function, least, most, attributes},
#include "import/onnx_ops.def"
#undef WAIO_ONNX_OP
};
enum { OP_COUNT = (int)(sizeof op_table / sizeof *op_table) };

static const op_row *find_op(const char *type)
{
    for (int i = 0; i < OP_COUNT; i++)
        if (strcmp(op_table[i].type, type) == 0)
            return &op_table[i];
    return NULL;
}

static waio_status unknown_op(void)
{
    char list[1024] = "";
    size_t used = 0;

    for (int i = 0; i < OP_COUNT && used < sizeof list; i++) {
        int n = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", op_table[i].type);
        used += n > 0 ? (size_t)n : 0;
    }
    return waio_error(WAIO_EUNSUPPORTED, "this op type is not supported; supported are %s", list);
}

static waio_status check_attributes(const op_row *op, const Onnx__NodeProto *node)
{
    char padded[64];

    for (size_t i = 0; i < node->n_attribute; i++) {
        const Onnx__AttributeProto *attr = node->attribute[i];
        const char *name = attr->name ? attr->name : "";
        if (attr->ref_attr_name && *attr->ref_attr_name)
            return waio_error(WAIO_EINPUT, "attribute %.40s refers to a function's attribute",
                              name);
        int n = snprintf(padded, sizeof padded, " %s ", name);
        if (n < 3 || n >= (int)sizeof padded || strchr(name, ' ') ||
            !strstr(op->attributes, padded))
            return waio_error(WAIO_EUNSUPPORTED, "unknown attribute \"%.60s\"", name);
        if (waio_onnx_attr(node, name) != attr)
            return waio_error(WAIO_EINPUT, "attribute %.40s is given twice", name);
    }
    return WAIO_OK;
}

static waio_status dispatch(waio_onnx *onnx, const Onnx__NodeProto *node, const char *type)
{
    waio_status st = WAIO_OK;
    const op_row *op = NULL;

    if (node->domain && *node->domain && strcmp(node->domain, "ai.onnx") != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "ops of the domain \"%.100s\" are not supported",
                  node->domain);
    op = find_op(type);
    if (!op)
        return unknown_op();
    if (node->n_input < op->least || node->n_input > op->most)
        WAIO_FAIL(st, WAIO_EINPUT, "%zu inputs, expected %zu to %zu", node->n_input, op->least,
                  op->most);
    if (node->n_output < 1 || !*node->output[0])
        WAIO_FAIL(st, WAIO_EINPUT, "it has no output");
    WAIO_TRY(st, check_attributes(op, node));
    WAIO_TRY(st, op->function(onnx, node));
done:
    return st;
}

waio_status waio_onnx_import_node(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    const char *type = node->op_type ? node->op_type : "";

    onnx->node_name = node->name && *node->name            ? node->name
                      : node->n_output && *node->output[0] ? node->output[0]
                                                           : "unnamed";
    waio_status st = dispatch(onnx, node, type);
    if (st != WAIO_OK)
        waio_error_context(st, "node \"%.100s\" (%.60s)", onnx->node_name, type);
    return st;
}

static waio_status pass_on(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *value = NULL;

    WAIO_TRY(st, waio_onnx_operand(onnx, node, 0, &value));
    WAIO_TRY(st, waio_onnx_result(onnx, node, value));
done:
    return st;
}

waio_status waio_onnx_op_identity(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    return pass_on(onnx, node);
}

waio_status waio_onnx_op_dropout(waio_onnx *onnx, const Onnx__NodeProto *node)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *training = NULL;

    if (waio_onnx_has_input(node, 2)) {
        WAIO_TRY(st, waio_onnx_ints(onnx, node, 2, &training));
        if (waio_onnx_count(&training->shape) != 1 || training->ints[0] != 0)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                      "training_mode is on: export the model for "
                      "inference");
    }
    WAIO_TRY(st, pass_on(onnx, node));
done:
    return st;
}
