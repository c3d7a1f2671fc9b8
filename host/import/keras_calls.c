/* Two things are odd. Keras 2 writes a call as a list of [layer, node, tensor, kwargs]; Keras 3
 * as a call with args and kwargs in which tensors are objects with a "keras_history". And a model
 * used as a layer counts its nodes from 1 where it was built with an input of its own (the call
 * that built it is node 0 and not written down); Keras 3 does so in output_layers only. */
#include "import/keras_calls.h"

#include <stdlib.h>
#include <string.h>

#include "import/keras_json.h"

/* ---- references ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(waio_keras_layer *const *)a)->name, (*(waio_keras_layer *const *)b)->name);
}

waio_status waio_keras_sort_names(waio_keras_parser *p)
{
    waio_status st = WAIO_OK;
    int n = p->model->layer_count;

    WAIO_NEW(st, p->by_name, p->arena, (size_t)n);
    for (int i = 0; i < n; i++)
        p->by_name[i] = &p->model->layer[i];
    qsort(p->by_name, (size_t)n, sizeof *p->by_name, compare_names);
    for (int i = 1; i < n; i++)
        if (strcmp(p->by_name[i - 1]->name, p->by_name[i]->name) == 0)
            WAIO_FAIL(st, WAIO_EINPUT, "two layers are called \"%s\"", p->by_name[i]->path);
done:
    return st;
}

static waio_keras_layer *find_layer(const waio_keras_parser *p, const char *name)
{
    waio_keras_layer key = {.name = name}, *wanted = &key;
    waio_keras_layer **found = bsearch(&wanted, p->by_name, (size_t)p->model->layer_count,
                                       sizeof *p->by_name, compare_names);
    return found ? *found : NULL;
}

/* How many nodes of `layer` stand in front of the first that is written down. */
static int hidden_nodes(const waio_keras_layer *layer, bool keras3, bool in_outputs)
{
    if (!layer->model)
        return 0;
    bool sequential = strcmp(layer->class_name, "Sequential") == 0;
    if (keras3)
        return in_outputs && !sequential;
    return !sequential || waio_keras_is_input(&layer->model->layer[0]);
}

/* Reads [name, node, tensor, ...] and appends it to p->found. */
static waio_status read_reference(waio_keras_parser *p, const cJSON *json, bool in_outputs)
{
    const cJSON *name = cJSON_GetArrayItem(json, 0), *index = cJSON_GetArrayItem(json, 1),
                *tensor = cJSON_GetArrayItem(json, 2);

    if (!cJSON_IsString(name) || !cJSON_IsNumber(index) || !cJSON_IsNumber(tensor))
        return waio_error(WAIO_EINPUT, "a reference is not [layer, node, tensor]");
    if (p->found_count == WAIO_MAX_INPUTS)
        return waio_error(WAIO_EUNSUPPORTED, "more than %d tensors in one list", WAIO_MAX_INPUTS);

    const waio_keras_layer *layer = find_layer(p, name->valuestring);
    if (!layer)
        return waio_error(WAIO_EINPUT, "refers to a layer \"%s\" that does not exist",
                          name->valuestring);
    int64_t node = (int64_t)index->valueint - hidden_nodes(layer, p->keras3, in_outputs);
    if (waio_keras_is_input(layer) || (layer->node_count == 1 && node == -1))
        node = 0; /* without a second node there is no doubt which one is meant */
    int outputs = layer->model ? layer->model->output_count : 1;
    if (node < 0 || node >= layer->node_count || tensor->valueint < 0 ||
        tensor->valueint >= outputs)
        return waio_error(WAIO_EINPUT,
                          "refers to node %d, tensor %d of layer \"%s\", which has %d node%s and "
                          "%d output%s",
                          index->valueint, tensor->valueint, name->valuestring, layer->node_count,
                          layer->node_count == 1 ? "" : "s", outputs, outputs == 1 ? "" : "s");
    p->found[p->found_count++] =
        (waio_keras_operand){.node = layer->first_node + (int)node, .tensor = tensor->valueint};
    return WAIO_OK;
}

static waio_status take_found(waio_keras_operand **out, int *count, waio_keras_parser *p)
{
    waio_status st = WAIO_OK;

    *count = p->found_count;
    WAIO_NEW(st, *out, p->arena, (size_t)p->found_count);
    if (p->found_count)
        memcpy(*out, p->found, (size_t)p->found_count * sizeof *p->found);
    p->found_count = 0;
done:
    return st;
}

/* A reference, or lists or objects of such: input_layers, output_layers, a call of Keras 2. */
static waio_status read_references(waio_keras_parser *p, const cJSON *json, bool in_outputs)
{
    const cJSON *item;
    waio_status st = WAIO_OK;

    if (cJSON_IsArray(json) && cJSON_IsString(json->child))
        return read_reference(p, json, in_outputs);
    if (!cJSON_IsArray(json) && !cJSON_IsObject(json))
        return waio_error(WAIO_EINPUT, "expected a list of references to layers");
    for (item = json->child; item; item = item->next)
        WAIO_TRY(st, read_references(p, item, in_outputs));
done:
    return st;
}

/* ---- calls ---- */

/* The positional arguments of a call of Keras 3. */
static waio_status read_arguments(waio_keras_parser *p, const cJSON *json)
{
    const cJSON *item, *class_name = waio_keras_get(json, "class_name");
    const char *class_text = cJSON_IsString(class_name) ? class_name->valuestring : "";
    waio_status st = WAIO_OK;

    if (cJSON_IsArray(json)) {
        for (item = json->child; item; item = item->next)
            WAIO_TRY(st, read_arguments(p, item));
    } else if (strcmp(class_text, "__keras_tensor__") == 0) {
        item = waio_keras_get(waio_keras_get(json, "config"), "keras_history");
        WAIO_TRY(st, read_reference(p, item, false));
    } else if (cJSON_IsNumber(json) || strcmp(class_text, "__numpy__") == 0 ||
               strcmp(class_text, "__tensor__") == 0) {
        if (p->found_count == WAIO_MAX_INPUTS)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "more than %d arguments", WAIO_MAX_INPUTS);
        p->found[p->found_count++] = (waio_keras_operand){.node = -1, .constant = json};
    } else if (!cJSON_IsNull(json) && !cJSON_IsBool(json)) { /* these are mask and training */
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "is called with an argument that is no tensor or number");
    }
done:
    return st;
}

/* null, or lists of nothing but null: a mask that is not there. */
static bool is_empty(const cJSON *json)
{
    const cJSON *item;

    if (!cJSON_IsArray(json))
        return cJSON_IsNull(json);
    for (item = json->child; item; item = item->next)
        if (!is_empty(item))
            return false;
    return true;
}

static waio_status read_call(waio_keras_parser *p, waio_keras_node *node, const cJSON *json)
{
    waio_status st = WAIO_OK;
    const cJSON *item, *kwargs;

    if (cJSON_IsArray(json)) {
        WAIO_TRY(st, read_references(p, json, false));
        cJSON_ArrayForEach(item, json)
        {
            kwargs = cJSON_IsObject(item) ? item : cJSON_GetArrayItem(item, 3);
            if (cJSON_IsTrue(waio_keras_get(kwargs, "training")))
                node->forced_training = true;
        }
    } else {
        kwargs = waio_keras_get(json, "kwargs");
        if (kwargs && !cJSON_IsObject(kwargs))
            WAIO_FAIL(st, WAIO_EINPUT, "kwargs: expected an object");
        WAIO_TRY(st, read_arguments(p, waio_keras_get(json, "args")));
        cJSON_ArrayForEach(item, kwargs)
        {
            if (strcmp(item->string, "inputs") == 0)
                WAIO_TRY(st, read_arguments(p, item));
            else if (strcmp(item->string, "training") != 0 && !is_empty(item))
                WAIO_FAIL(st, WAIO_EUNSUPPORTED, "is called with the argument \"%s\"",
                          item->string);
        }
    }
    WAIO_TRY(st, take_found(&node->operand, &node->operand_count, p));
done:
    return st;
}

static bool written_by_keras3(const cJSON *list)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        const cJSON *calls = waio_keras_get(item, "inbound_nodes");
        if (calls && cJSON_IsObject(calls->child))
            return true;
    }
    return false;
}

waio_status waio_keras_read_calls(waio_keras_parser *p, const cJSON *layers)
{
    const waio_keras_layer *layer = p->model->layer;
    const cJSON *item, *call;

    p->keras3 = written_by_keras3(layers);
    for (item = layers->child; item; item = item->next, layer++) {
        waio_keras_node *node = &p->model->node[layer->first_node];
        if (waio_keras_is_input(layer))
            continue;
        cJSON_ArrayForEach(call, waio_keras_get(item, "inbound_nodes"))
        {
            waio_status st = read_call(p, node++, call);
            if (st != WAIO_OK)
                return waio_error_context(st, "layer \"%s\" (%s)", layer->path, layer->class_name);
        }
    }
    return WAIO_OK;
}

waio_status waio_keras_read_ends(waio_keras_operand **out, int *count, waio_keras_parser *p,
                                 const cJSON *json, bool outputs)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, read_references(p, json, outputs));
    WAIO_TRY(st, take_found(out, count, p));
done:
    return st;
}
