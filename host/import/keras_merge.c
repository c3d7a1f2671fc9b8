/* Layers that combine tensors, and those that scale and shift one by numbers of the file. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "import/keras_layers.h"

/* ---- merging ---- */

/* Keras aligns a (N, C) with a (N, H, W, C) by axes of size 1 behind the batch, where numpy would
 * put them in front of it. */
static waio_status align_rank(int *value, waio_keras_call *call, int position, int rank)
{
    waio_node node = {.op = WAIO_OP_RESHAPE, .input = {*value}, .input_count = 1};
    waio_shape from = waio_keras_shape_of(call, *value);
    waio_shape *to = &node.reshape.shape;
    waio_status st = WAIO_OK;
    char suffix[32];

    if (from.rank == rank || waio_value_is_const(call->file->graph, *value))
        return WAIO_OK;
    if (!waio_keras_get(call->config, "trainable")) /* keras.ops.add and such: no layer */
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "operands of %d and of %d dimensions", from.rank, rank);
    *to = (waio_shape){.rank = rank};
    for (int i = 0; i < rank; i++)
        to->dim[i] = i == 0 || i <= rank - from.rank ? 1 : from.dim[i - (rank - from.rank)];
    snprintf(suffix, sizeof suffix, "align_%d", position);
    WAIO_TRY(st, waio_keras_emit(call, &node, suffix));
    *value = call->output;
done:
    return st;
}

static waio_status merge(waio_keras_call *call, waio_op op)
{
    waio_status st = WAIO_OK;
    int rank = 0, computed = 0;
    char suffix[32];

    for (int i = 0; i < call->input_count; i++) {
        waio_shape shape = waio_keras_shape_of(call, call->input[i]);
        rank = shape.rank > rank ? shape.rank : rank;
        computed += !waio_value_is_const(call->file->graph, call->input[i]);
    }
    if (computed == 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "all its inputs are numbers");
    for (int i = 0; i < call->input_count; i++)
        WAIO_TRY(st, align_rank(&call->input[i], call, i, rank));
    call->output = call->input[0];
    for (int i = 1; i < call->input_count; i++) {
        waio_node node = {.op = op, .input = {call->output, call->input[i]}, .input_count = 2};
        snprintf(suffix, sizeof suffix, "step_%d", i);
        WAIO_TRY(st, waio_keras_emit(call, &node, i < call->input_count - 1 ? suffix : NULL));
    }
done:
    return st;
}

waio_status waio_keras_merge_add(waio_keras_call *call)
{
    return merge(call, WAIO_OP_ADD);
}

waio_status waio_keras_merge_subtract(waio_keras_call *call)
{
    return merge(call, WAIO_OP_SUB);
}

waio_status waio_keras_merge_multiply(waio_keras_call *call)
{
    return merge(call, WAIO_OP_MUL);
}

waio_status waio_keras_merge_maximum(waio_keras_call *call)
{
    return merge(call, WAIO_OP_MAXIMUM);
}

waio_status waio_keras_concatenate(waio_keras_call *call)
{
    waio_node node = {.op = WAIO_OP_CONCAT, .input_count = call->input_count};
    waio_status st = WAIO_OK;

    memcpy(node.input, call->input, sizeof node.input);
    WAIO_TRY(st, waio_keras_axis(&node.axis.axis, call->config, "axis",
                                 waio_keras_shape_of(call, call->input[0]).rank, -1));
    WAIO_TRY(st, waio_keras_emit(call, &node, NULL));
done:
    return st;
}

/* ---- scaling ---- */

/* call->output = call->output `op` constant. */
static waio_status apply(waio_keras_call *call, waio_op op, int constant, const char *suffix)
{
    waio_node node = {.op = op, .input = {call->output, constant}, .input_count = 2};
    return waio_keras_emit(call, &node, suffix);
}

waio_status waio_keras_read_numbers(int *id, float **data, int64_t *count, waio_keras_call *call,
                                    const cJSON *item, const char *key)
{
    const char *name = waio_keras_join(call, key);
    waio_status st = WAIO_OK;
    waio_shape shape, written;

    if (!name)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_keras_array_shape(&written, item));
    shape = written.rank ? written : WAIO_SHAPE(1);
    *count = waio_shape_count(&shape);
    WAIO_TRY(st, waio_graph_add_const(call->file->graph, id, name, &shape, data));
    WAIO_TRY(st, waio_keras_array_read(*data, &written, item));
done:
    if (st != WAIO_OK)
        waio_error_context(st, "%s", key);
    return st;
}

/* x * scale + offset; a factor of 1 and an offset of 0 are left out. */
waio_status waio_keras_rescaling(waio_keras_call *call)
{
    static const struct {
        const char *key;
        waio_op op;
        double neutral;
    } step[] = {{"scale", WAIO_OP_MUL, 1}, {"offset", WAIO_OP_ADD, 0}};
    waio_status st = WAIO_OK;

    call->output = call->input[0];
    for (int i = 0; i < 2; i++) {
        const cJSON *item = waio_keras_get(call->config, step[i].key);
        int64_t count;
        float *data;
        int id;
        if (!item || (cJSON_IsNumber(item) && item->valuedouble == step[i].neutral))
            continue;
        WAIO_TRY(st, waio_keras_read_numbers(&id, &data, &count, call, item, step[i].key));
        WAIO_TRY(st, apply(call, step[i].op, id, waio_op_name(step[i].op)));
    }
done:
    return st;
}

/* Mean or variance of a Normalization: from its config, or from its adapted weights. */
static waio_status read_moment(int *id, float **data, int64_t *count, waio_keras_call *call,
                               int index)
{
    static const char *const name[] = {"mean", "variance"};
    const cJSON *axis = waio_keras_get(call->config, "axis");
    waio_shape x = waio_keras_shape_of(call, call->input[0]);
    waio_keras_weight weight = {.index = index, .name = name[index]};
    waio_status st = WAIO_OK;
    int kept;

    /* No axis at all: one number for everything. */
    bool single = !axis || (cJSON_IsArray(axis) && !axis->child);
    if (!single) {
        WAIO_TRY(st, waio_keras_axis(&kept, call->config, "axis", x.rank, -1));
        if (kept != x.rank - 1 || kept == 0)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "axis %d of %d dimensions; supported: the last, none",
                      kept, x.rank);
        weight.shape = WAIO_SHAPE(x.dim[kept]);
    } else {
        weight.constant_shape = WAIO_SHAPE(1);
    }
    const cJSON *item = waio_keras_get(call->config, name[index]);
    if (item) {
        WAIO_TRY(st, waio_keras_read_numbers(id, data, count, call, item, name[index]));
        goto done;
    }
    weight.expected_count = 3; /* mean, variance, count */
    WAIO_TRY(st, waio_keras_read_weight(id, call, &weight));
    *count = single ? 1 : x.dim[x.rank - 1];
    *data = (float *)call->file->graph->value[*id].data;
done:
    return st;
}

/* (x - mean) / max(sqrt(variance), 1e-7), or the inverse of that. */
waio_status waio_keras_normalization(waio_keras_call *call)
{
    waio_status st = WAIO_OK;
    int mean, variance, factor;
    int64_t count;
    float *data, *scale;
    bool invert;

    WAIO_TRY(st, waio_keras_bool(&invert, call->config, "invert", false));
    WAIO_TRY(st, read_moment(&mean, &data, &count, call, 0));
    WAIO_TRY(st, read_moment(&variance, &data, &count, call, 1));
    const char *name = waio_keras_join(call, "factor");
    if (!name)
        return WAIO_ENOMEM;
    waio_shape shape = call->file->graph->value[variance].shape;
    WAIO_TRY(st, waio_graph_add_const(call->file->graph, &factor, name, &shape, &scale));
    for (int64_t i = 0; i < count; i++) {
        if (data[i] < 0)
            WAIO_FAIL(st, WAIO_EINPUT, "variance %lld is negative", (long long)i);
        double deviation = fmax(sqrt((double)data[i]), 1e-7);
        scale[i] = (float)(invert ? deviation : 1 / deviation);
    }
    call->output = call->input[0];
    if (!invert)
        WAIO_TRY(st, apply(call, WAIO_OP_SUB, mean, "sub"));
    WAIO_TRY(st, apply(call, WAIO_OP_MUL, factor, "mul"));
    if (invert)
        WAIO_TRY(st, apply(call, WAIO_OP_ADD, mean, "add"));
done:
    return st;
}
