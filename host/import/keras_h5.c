/* A Keras HDF5 file: opens it, parses its architecture, and calls the layers one after the other.
 * A call of a model that is used as a layer calls its layers in turn, with their own names and a
 * table of values per call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "import/h5_read.h"
#include "import/import.h"
#include "import/keras_json.h"
#include "import/keras_layers.h"
#include "import/keras_model.h"

/* Models inside of models can multiply: 40 levels of two calls are 2^40 layers. */
enum { MOST_CALLS = 100000 };

typedef struct walk {
    waio_keras_file file;
    int calls;
} walk;

/* One call of a model, while its nodes are being resolved. */
typedef struct frame {
    const waio_keras_model *model;
    const char *prefix; /* of names: "encoder@1/" */
    int *value;         /* ids of the outputs of all nodes, -1: not yet there */
    int *stack;         /* nodes that wait for the one above */
    char *on_stack;
} frame;

static waio_status call_model(walk *w, const waio_keras_model *model, const char *prefix,
                              const int *input, int input_count, int *output);

/* ---- one node ---- */

static waio_status add_constant(int *id, waio_keras_call *call, const cJSON *json, int position)
{
    int64_t count;
    float *data;
    char key[32];

    snprintf(key, sizeof key, "operand_%d", position);
    return waio_keras_read_numbers(id, &data, &count, call, json, key);
}

static waio_status call_layer(waio_keras_call *call, const waio_keras_node *node)
{
    const waio_keras_row *row = call->layer->row;

    if (call->input_count < row->least || call->input_count > row->most)
        return waio_error(WAIO_EINPUT, "%d inputs, expected %d to %d", call->input_count,
                          row->least, row->most);
    if (node->forced_training && row->trains)
        return waio_error(WAIO_EUNSUPPORTED, "is called with training=True");
    call->output = -1;
    return row->add(call);
}

static waio_status evaluate(walk *w, frame *f, const waio_keras_node *node)
{
    waio_keras_layer *layer = &f->model->layer[node->layer];
    waio_keras_call call = {.file = &w->file, .layer = layer, .config = layer->config};
    waio_arena *arena = w->file.arena;
    waio_status st = WAIO_OK;

    if (++w->calls > MOST_CALLS)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "more than %d calls of layers", MOST_CALLS);
    call.name = node->call == 0
                    ? waio_arena_printf(arena, "%s%s", f->prefix, layer->name)
                    : waio_arena_printf(arena, "%s%s@%d", f->prefix, layer->name, node->call);
    if (!call.name) {
        st = WAIO_ENOMEM;
        goto done;
    }
    for (int i = 0; i < node->operand_count; i++) {
        const waio_keras_operand *operand = &node->operand[i];
        if (operand->constant && (!layer->row || layer->row->most < 2))
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "is called with a number as its argument %d", i);
        if (operand->constant)
            WAIO_TRY(st, add_constant(&call.input[i], &call, operand->constant, i));
        else
            call.input[i] = f->value[f->model->node[operand->node].first_output + operand->tensor];
    }
    call.input_count = node->operand_count;
    if (layer->model) {
        const char *prefix = waio_arena_printf(arena, "%s/", call.name);
        st = prefix ? call_model(w, layer->model, prefix, call.input, call.input_count,
                                 &f->value[node->first_output])
                    : WAIO_ENOMEM;
        return st; /* the layer inside is named already */
    }
    WAIO_TRY(st, call_layer(&call, node));
    f->value[node->first_output] = call.output;
done:
    if (st != WAIO_OK)
        waio_error_context(st, "layer \"%s\" (%s)", layer->path, layer->class_name);
    return st;
}

/* ---- all nodes of a model ---- */

/* The first operand of `node` that is not there yet, -1: all are. */
static int missing_operand(const frame *f, const waio_keras_node *node)
{
    for (int i = 0; i < node->operand_count; i++) {
        const waio_keras_operand *operand = &node->operand[i];
        if (!operand->constant && f->value[f->model->node[operand->node].first_output] < 0)
            return operand->node;
    }
    return -1;
}

/* Evaluates a node after all that it needs; no recursion, since networks can be deep. */
static waio_status resolve(walk *w, frame *f, int node)
{
    waio_status st = WAIO_OK;
    int depth = 0;

    f->stack[depth++] = node;
    f->on_stack[node] = 1;
    while (depth > 0) {
        const waio_keras_node *top = &f->model->node[f->stack[depth - 1]];
        const waio_keras_layer *layer = &f->model->layer[top->layer];
        int missing = missing_operand(f, top);

        if (missing >= 0 && f->on_stack[missing])
            WAIO_FAIL(st, WAIO_EINPUT, "layer \"%s\" (%s): its input depends on its output",
                      layer->path, layer->class_name);
        if (missing >= 0) {
            f->stack[depth++] = missing;
            f->on_stack[missing] = 1;
            continue;
        }
        if (waio_keras_is_input(layer))
            WAIO_FAIL(st, WAIO_EINPUT,
                      "layer \"%s\" (InputLayer) is not among the inputs of \"%s\"", layer->path,
                      f->model->name);
        WAIO_TRY(st, evaluate(w, f, top));
        f->on_stack[f->stack[--depth]] = 0;
    }
done:
    return st;
}

static waio_status call_model(walk *w, const waio_keras_model *model, const char *prefix,
                              const int *input, int input_count, int *output)
{
    frame f = {.model = model, .prefix = prefix};
    waio_status st = WAIO_OK;

    if (input_count != model->input_count)
        WAIO_FAIL(st, WAIO_EINPUT, "model \"%s\" is called with %d inputs, expected %d",
                  model->name, input_count, model->input_count);
    f.value = malloc((size_t)(model->value_count + 1) * sizeof *f.value);
    f.stack = malloc((size_t)(model->node_count + 1) * sizeof *f.stack);
    f.on_stack = calloc((size_t)model->node_count + 1, 1);
    if (!f.value || !f.stack || !f.on_stack)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int i = 0; i < model->value_count; i++)
        f.value[i] = -1;
    for (int i = 0; i < input_count; i++)
        f.value[model->node[model->input[i].node].first_output] = input[i];
    for (int n = 0; n < model->node_count; n++)
        if (f.value[model->node[n].first_output] < 0)
            WAIO_TRY(st, resolve(w, &f, n));
    for (int i = 0; i < model->output_count; i++)
        output[i] =
            f.value[model->node[model->output[i].node].first_output + model->output[i].tensor];
done:
    free(f.value);
    free(f.stack);
    free(f.on_stack);
    return st;
}

/* ---- the file ---- */

static waio_status call_network(walk *w, const waio_keras_model *model)
{
    waio_graph *graph = w->file.graph;
    waio_status st = WAIO_OK;
    waio_shape shape;
    int *output;
    int input;

    if (model->input_count != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the network has %d inputs; supported: one",
                  model->input_count);
    const waio_keras_layer *layer = &model->layer[model->node[model->input[0].node].layer];
    if (!layer->input_dims)
        WAIO_FAIL(st, WAIO_EINPUT, "the shape of the input \"%s\" is not in the file", layer->path);
    WAIO_TRY(st, waio_keras_input_shape(&shape, layer->input_dims));
    WAIO_TRY(st, waio_graph_add_input(graph, &input, layer->name, &shape));
    WAIO_NEW(st, output, w->file.arena, (size_t)model->output_count);
    WAIO_TRY(st, call_model(w, model, "", &input, 1, output));
    for (int i = 0; i < model->output_count; i++)
        WAIO_TRY(st, waio_graph_add_output(graph, output[i]));
    WAIO_TRY(st, waio_graph_validate(graph));
done:
    return st;
}

static waio_status read_config(cJSON **out, const waio_h5 *h5, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const char *end = NULL;
    char *text = NULL;
    bool there;

    WAIO_TRY(st, waio_h5_has_attribute(&there, h5, "", "model_config"));
    if (!there)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "no attribute model_config: a file of weights only, or no Keras model; save the "
                  "whole model with model.save(\"NAME.h5\")");
    WAIO_TRY(st, waio_h5_string(&text, h5, "", "model_config", arena));
    *out = cJSON_ParseWithOpts(text, &end, 1);
    if (!*out)
        WAIO_FAIL(st, WAIO_EINPUT, "model_config is not valid JSON at byte %td: \"%.20s\"",
                  end ? end - text : 0, end ? end : text);
done:
    return st;
}

/* All between opening and closing the file; `w` and `config` are released by the caller. */
static waio_status import_file(walk *w, cJSON **config, waio_h5 *h5)
{
    waio_keras_model *model = NULL;
    waio_status st = WAIO_OK;
    bool own_group;

    w->file.h5 = h5;
    w->file.arena = waio_arena_new();
    if (!w->file.arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, read_config(config, h5, w->file.arena));
    WAIO_TRY(st, waio_keras_model_parse(&model, *config, w->file.arena));
    WAIO_TRY(st, waio_h5_has_group(&own_group, h5, "model_weights"));
    w->file.weights_root = own_group ? "model_weights" : "";
    w->file.graph = waio_graph_new(model->name);
    if (!w->file.graph)
        return WAIO_ENOMEM;
    WAIO_TRY(st, call_network(w, model));
done:
    return st;
}

waio_status waio_import_keras_h5(waio_graph **out, const char *path)
{
    walk w = {0};
    waio_h5 *h5 = NULL;
    cJSON *config = NULL;
    waio_status st = WAIO_OK;

    *out = NULL;
    WAIO_TRY(st, waio_h5_open(&h5, path));
    st = import_file(&w, &config, h5);
    if (st != WAIO_OK) {
        waio_error_context(st, "%s", path);
        goto done;
    }
    *out = w.file.graph;
    w.file.graph = NULL;
done:
    waio_graph_free(w.file.graph);
    cJSON_Delete(config);
    waio_arena_free(w.file.arena);
    waio_h5_close(h5);
    return st;
}
