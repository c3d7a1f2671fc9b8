/* Layers first, so that calls can refer to any of them, then the calls (keras_calls.c). A
 * Sequential has none written down: it is a chain. */
#include "import/keras_model.h"

#include <string.h>

#include "import/keras_calls.h"
#include "import/keras_json.h"
#include "import/keras_layers.h"

static waio_status parse_model(waio_keras_model **out, const cJSON *json, const char *prefix,
                               waio_keras_layer *top, waio_arena *arena);

static bool is_model_class(const char *class_name)
{
    return strcmp(class_name, "Functional") == 0 || strcmp(class_name, "Model") == 0 ||
           strcmp(class_name, "Sequential") == 0;
}

/* ---- layers ---- */

static const cJSON *dims_of(const cJSON *config)
{
    const cJSON *dims = waio_keras_get(config, "batch_shape"); /* Keras 3; Keras 2: */
    return dims ? dims : waio_keras_get(config, "batch_input_shape");
}

static waio_status parse_layer(waio_keras_layer *layer, const cJSON *json, const char *prefix,
                               waio_keras_layer *top, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const char *name = NULL;

    layer->top = top ? top : layer;
    for (int i = 0; i < WAIO_KERAS_MOST_WEIGHTS; i++)
        layer->constant[i] = -1;
    WAIO_TRY(st, waio_keras_text(&layer->class_name, json, "class_name", NULL));
    layer->config = waio_keras_get(json, "config");
    if (!cJSON_IsObject(layer->config) && !cJSON_IsArray(layer->config))
        WAIO_FAIL(st, WAIO_EINPUT, "a layer (%s) has no config", layer->class_name);
    WAIO_TRY(st, waio_keras_text(&name, layer->config, "name", ""));
    WAIO_TRY(st, waio_keras_text(&layer->name, json, "name", name));
    if (!*layer->name)
        WAIO_FAIL(st, WAIO_EINPUT, "a layer (%s) has no name", layer->class_name);
    layer->path = waio_arena_printf(arena, "%s%s", prefix, layer->name);
    if (!layer->path) {
        st = WAIO_ENOMEM;
        goto done;
    }
    if (is_model_class(layer->class_name)) {
        const char *inner = waio_arena_printf(arena, "%s/", layer->path);
        if (!inner) {
            st = WAIO_ENOMEM;
            goto done;
        }
        WAIO_TRY(st, parse_model(&layer->model, json, inner, layer->top, arena));
    } else if (strcmp(layer->class_name, "InputLayer") != 0) {
        layer->row = waio_keras_find_row(layer->class_name);
        const char *known = layer->row ? "" : waio_keras_supported(arena);
        if (!layer->row)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                      "layer \"%s\" (%s): this kind of layer is not supported; supported: %s",
                      layer->path, layer->class_name, known ? known : "");
    } else {
        layer->input_dims = dims_of(layer->config);
    }
done:
    return st;
}

/* ---- the two kinds of model ---- */

static waio_status parse_layers(waio_keras_parser *p, const cJSON *list, const char *prefix,
                                waio_keras_layer *top)
{
    waio_keras_model *model = p->model;
    waio_status st = WAIO_OK;
    const cJSON *item;
    int i = 0;

    /* One more in front, for add_input_layer. */
    WAIO_NEW(st, model->layer, p->arena, (size_t)cJSON_GetArraySize(list) + 1);
    model->layer++;
    model->layer_count = cJSON_GetArraySize(list);
    cJSON_ArrayForEach(item, list)
    {
        waio_keras_layer *layer = &model->layer[i++];
        const cJSON *calls = waio_keras_get(item, "inbound_nodes");
        WAIO_TRY(st, parse_layer(layer, item, prefix, top, p->arena));
        layer->first_node = model->node_count;
        layer->node_count = waio_keras_is_input(layer) ? 1 : cJSON_GetArraySize(calls);
        model->node_count += layer->node_count;
    }
done:
    return st;
}

/* Makes room for the nodes and gives each its place in the table of values. */
static waio_status lay_out_nodes(waio_keras_parser *p)
{
    waio_keras_model *model = p->model;
    waio_status st = WAIO_OK;

    WAIO_NEW(st, model->node, p->arena, (size_t)model->node_count);
    for (int i = 0; i < model->layer_count; i++)
        for (int k = 0; k < model->layer[i].node_count; k++) {
            const waio_keras_layer *layer = &model->layer[i];
            waio_keras_node *node = &model->node[layer->first_node + k];
            *node = (waio_keras_node){.layer = i, .call = k, .first_output = model->value_count};
            model->value_count += layer->model ? layer->model->output_count : 1;
        }
done:
    return st;
}

static waio_status parse_functional(waio_keras_parser *p, const cJSON *config, const cJSON *list,
                                    const char *prefix, waio_keras_layer *top)
{
    waio_keras_model *model = p->model;
    waio_status st = WAIO_OK;

    WAIO_TRY(st, parse_layers(p, list, prefix, top));
    WAIO_TRY(st, lay_out_nodes(p));
    WAIO_TRY(st, waio_keras_sort_names(p));
    WAIO_TRY(st, waio_keras_read_calls(p, list));
    WAIO_TRY(st, waio_keras_read_ends(&model->input, &model->input_count, p,
                                      waio_keras_get(config, "input_layers"), false));
    WAIO_TRY(st, waio_keras_read_ends(&model->output, &model->output_count, p,
                                      waio_keras_get(config, "output_layers"), true));
    if (model->input_count == 0 || model->output_count == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "model \"%s\" has no inputs or no outputs", model->name);
    for (int i = 0; i < model->input_count; i++) {
        const waio_keras_layer *layer = &model->layer[model->node[model->input[i].node].layer];
        if (!waio_keras_is_input(layer))
            WAIO_FAIL(st, WAIO_EINPUT, "input_layers names \"%s\" (%s), which is no InputLayer",
                      layer->path, layer->class_name);
    }
done:
    return st;
}

/* Puts an input in front of the layers of a Sequential, shaped as the first of them wants. */
static waio_status add_input_layer(waio_keras_parser *p, const cJSON *config, const char *prefix,
                                   waio_keras_layer *top)
{
    waio_keras_model *model = p->model;
    waio_keras_layer *layer = --model->layer;

    model->layer_count++;
    *layer = (waio_keras_layer){.class_name = "InputLayer", .top = top ? top : layer};
    layer->name = waio_arena_printf(p->arena, "%s_input", model->name);
    layer->path = waio_arena_printf(p->arena, "%s%s_input", prefix, model->name);
    layer->input_dims = dims_of(layer[1].config);
    if (!layer->input_dims)
        layer->input_dims = waio_keras_get(config, "build_input_shape");
    if (!layer->input_dims && layer[1].model)
        layer->input_dims = layer[1].model->layer[0].input_dims;
    return layer->name && layer->path ? WAIO_OK : WAIO_ENOMEM;
}

static waio_status one_operand(waio_keras_operand **out, int *count, waio_keras_parser *p, int node)
{
    waio_status st = WAIO_OK;

    WAIO_NEW(st, *out, p->arena, 1);
    (*out)->node = node;
    *count = 1;
done:
    return st;
}

/* A chain; it gets an input layer if the file has none for it. */
static waio_status parse_sequential(waio_keras_parser *p, const cJSON *config, const cJSON *list,
                                    const char *prefix, waio_keras_layer *top)
{
    waio_keras_model *model = p->model;
    waio_status st = WAIO_OK;

    WAIO_TRY(st, parse_layers(p, list, prefix, top));
    if (!waio_keras_is_input(&model->layer[0]))
        WAIO_TRY(st, add_input_layer(p, config, prefix, top));
    for (int i = 0; i < model->layer_count; i++) {
        if (i > 0 && waio_keras_is_input(&model->layer[i]))
            WAIO_FAIL(st, WAIO_EINPUT, "the InputLayer \"%s\" is not the first layer",
                      model->layer[i].path);
        model->layer[i].first_node = i;
        model->layer[i].node_count = 1;
    }
    model->node_count = model->layer_count;
    WAIO_TRY(st, lay_out_nodes(p));
    WAIO_TRY(st, waio_keras_sort_names(p));
    for (int i = 1; i < model->node_count; i++)
        WAIO_TRY(st, one_operand(&model->node[i].operand, &model->node[i].operand_count, p, i - 1));
    WAIO_TRY(st, one_operand(&model->input, &model->input_count, p, 0));
    WAIO_TRY(st, one_operand(&model->output, &model->output_count, p, model->node_count - 1));
done:
    return st;
}

static waio_status parse_model(waio_keras_model **out, const cJSON *json, const char *prefix,
                               waio_keras_layer *top, waio_arena *arena)
{
    const cJSON *config = waio_keras_get(json, "config");
    /* Before Keras 2.2.3 a Sequential's config was the list itself. */
    const cJSON *layers = cJSON_IsArray(config) ? config : waio_keras_get(config, "layers");
    const char *class_name = NULL;
    waio_keras_parser p = {.arena = arena};
    waio_status st = WAIO_OK;

    WAIO_NEW(st, p.model, arena, 1);
    WAIO_TRY(st, waio_keras_text(&class_name, json, "class_name", NULL));
    if (!is_model_class(class_name))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "a model of class %s; supported: Functional, Model, Sequential", class_name);
    WAIO_TRY(st, waio_keras_text(&p.model->name, config, "name", "model"));
    if (!cJSON_IsArray(layers) || !layers->child)
        WAIO_FAIL(st, WAIO_EINPUT, "model \"%s\" (%s) has no layers", p.model->name, class_name);
    if (strcmp(class_name, "Sequential") == 0)
        st = parse_sequential(&p, config, layers, prefix, top);
    else
        st = parse_functional(&p, config, layers, prefix, top);
    *out = p.model;
done:
    return st;
}

waio_status waio_keras_model_parse(waio_keras_model **out, const cJSON *json, waio_arena *arena)
{
    return parse_model(out, json, "", NULL, arena);
}
