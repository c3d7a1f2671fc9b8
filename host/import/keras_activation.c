/* Activations, as layers and as the option "activation" of other layers: a name, or since Keras 3
 * an object for a function or for a layer. */
#include <math.h>
#include <string.h>

#include "import/keras_layers.h"

/* The functions below work on call->output, so that they can follow a layer's own node. */
typedef waio_status activate(waio_keras_call *call, const char *suffix);

static waio_status add_clip(waio_keras_call *call, const char *suffix, float high)
{
    waio_node node = {.op = WAIO_OP_CLIP, .input = {call->output}, .input_count = 1};

    node.clamp = (waio_clamp){0, high};
    return waio_keras_emit(call, &node, suffix);
}

static waio_status linear(waio_keras_call *call, const char *suffix)
{
    (void)call, (void)suffix;
    return WAIO_OK;
}

static waio_status relu(waio_keras_call *call, const char *suffix)
{
    return add_clip(call, suffix, INFINITY);
}

static waio_status relu6(waio_keras_call *call, const char *suffix)
{
    return add_clip(call, suffix, 6);
}

static waio_status sigmoid(waio_keras_call *call, const char *suffix)
{
    waio_node node = {.op = WAIO_OP_LOGISTIC, .input = {call->output}, .input_count = 1};
    return waio_keras_emit(call, &node, suffix);
}

/* Another axis than the last changes places with it, before and after. */
static waio_status softmax_over(waio_keras_call *call, const char *suffix, int axis)
{
    int last = waio_keras_shape_of(call, call->output).rank - 1;
    waio_node swap = {.op = WAIO_OP_TRANSPOSE, .input_count = 1};
    waio_node node = {.op = WAIO_OP_SOFTMAX, .input_count = 1, .axis = {last}};
    waio_status st = WAIO_OK;

    if (axis == 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "a softmax over the batch");
    for (int i = 0; i <= last; i++)
        swap.transpose.perm[i] = i == axis ? last : i == last ? axis : i;
    if (axis != last) {
        swap.input[0] = call->output;
        WAIO_TRY(st, waio_keras_emit(call, &swap, "axis_last"));
    }
    node.input[0] = call->output;
    WAIO_TRY(st, waio_keras_emit(call, &node, suffix));
    if (axis != last) {
        swap.input[0] = call->output;
        WAIO_TRY(st, waio_keras_emit(call, &swap, "axis_back"));
    }
done:
    return st;
}

static waio_status softmax(waio_keras_call *call, const char *suffix)
{
    return softmax_over(call, suffix, waio_keras_shape_of(call, call->output).rank - 1);
}

static waio_status silu(waio_keras_call *call, const char *suffix)
{
    waio_node product = {.op = WAIO_OP_MUL, .input = {call->output}, .input_count = 2};
    waio_status st = WAIO_OK;

    WAIO_TRY(st, sigmoid(call, "sigmoid"));
    product.input[1] = call->output;
    WAIO_TRY(st, waio_keras_emit(call, &product, suffix));
done:
    return st;
}

static const struct {
    const char *name;
    activate *add;
} table[] = {
    {"linear", linear}, {"relu", relu},       {"relu6", relu6}, {"sigmoid", sigmoid},
    {"silu", silu},     {"softmax", softmax}, {"swish", silu},
};

static waio_status add_by_name(waio_keras_call *call, const char *name, bool own_node)
{
    char known[256] = "";

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].name, name) == 0)
            return table[i].add(call, own_node ? NULL : table[i].name);
        strcat(strcat(known, i ? ", " : ""), table[i].name);
    }
    return waio_error(WAIO_EUNSUPPORTED, "activation %s; supported: %s", name, known);
}

/* ReLU and Softmax as layers read their config's options; `suffix` is NULL for a layer's own
 * node. */
static waio_status relu_layer(waio_keras_call *call, const cJSON *config, const char *suffix)
{
    float high, slope, threshold;
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_keras_float(&high, config, "max_value", INFINITY));
    WAIO_TRY(st, waio_keras_float(&slope, config, "negative_slope", 0));
    WAIO_TRY(st, waio_keras_float(&threshold, config, "threshold", 0));
    if (slope != 0 || threshold != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "negative_slope %g and threshold %g; supported: 0",
                  (double)slope, (double)threshold);
    if (!(high > 0))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "max_value %g; supported: above 0", (double)high);
    WAIO_TRY(st, add_clip(call, suffix, high));
done:
    return st;
}

static waio_status softmax_layer(waio_keras_call *call, const cJSON *config, const char *suffix)
{
    waio_status st = WAIO_OK;
    int axis;

    WAIO_TRY(st, waio_keras_axis(&axis, config, "axis",
                                 waio_keras_shape_of(call, call->output).rank, -1));
    WAIO_TRY(st, softmax_over(call, suffix, axis));
done:
    return st;
}

/* {"class_name": "function", "config": "relu"} or {"class_name": "ReLU", "config": {...}}. */
static waio_status add_by_object(waio_keras_call *call, const cJSON *object, bool own_node)
{
    const cJSON *config = waio_keras_get(object, "config");
    const char *class_name = NULL;
    waio_status st = WAIO_OK;

    if (cJSON_IsString(config))
        return add_by_name(call, config->valuestring, own_node);
    WAIO_TRY(st, waio_keras_text(&class_name, object, "class_name", "of an unnamed kind"));
    if (strcmp(class_name, "ReLU") == 0)
        st = relu_layer(call, config, own_node ? NULL : "relu");
    else if (strcmp(class_name, "Softmax") == 0)
        st = softmax_layer(call, config, own_node ? NULL : "softmax");
    else
        st =
            waio_error(WAIO_EUNSUPPORTED, "an activation %s that is no known function", class_name);
done:
    return st;
}

static waio_status add_activation(waio_keras_call *call, bool own_node)
{
    const cJSON *item = waio_keras_get(call->config, "activation");

    if (cJSON_IsObject(item))
        return add_by_object(call, item, own_node);
    if (item && !cJSON_IsString(item))
        return waio_error(WAIO_EINPUT, "activation: expected a name");
    return add_by_name(call, item ? item->valuestring : "linear", own_node);
}

waio_status waio_keras_add_activation(waio_keras_call *call)
{
    return add_activation(call, false);
}

waio_status waio_keras_activation(waio_keras_call *call)
{
    call->output = call->input[0];
    return add_activation(call, true);
}

waio_status waio_keras_relu(waio_keras_call *call)
{
    call->output = call->input[0];
    return relu_layer(call, call->config, NULL);
}

waio_status waio_keras_softmax(waio_keras_call *call)
{
    call->output = call->input[0];
    return softmax_layer(call, call->config, NULL);
}
