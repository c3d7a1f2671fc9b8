#include "sweep/diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/binding.h"
#include "sweep/session_internal.h"

/* Float numbers may be this far apart, as a share of the layer's largest one. */
#define FLOAT_STEP 1e-4

typedef struct run {
    const waio_graph *graph;
    waio_model file;
    waio_graph *lowered;
    waio_program *program;
    waio_workspace workspace;
    waio_float_binding weights;   /* of codes */
    waio_quant_binding simulated; /* of the simulation */
    const waio_binding *binding;
    waio_input_table table;
    int *layer; /* per value: its layer, -1: the other side lacks it */
} run;

typedef struct comparison {
    waio_diff *diff;
    run side[2];
    float **kept; /* per layer: the left side's numbers of the image at hand */
    double tolerance;
} comparison;

/* ---- a side ---- */

/* The simulation's own numbers on another program: weights are packed for its kernels. */
static waio_status bind_simulated(run *r, waio_session *s, const waio_quant_request *request)
{
    waio_status st = WAIO_OK;
    waio_weight_scales scales;
    float *values = NULL;
    waio_arena *arena = waio_arena_new();

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_float_binding_create(&r->weights, r->program));
    for (int n = 0; n < r->graph->node_count; n++) {
        size_t bytes = 0;
        if (!waio_op_weighted(r->graph->node[n].op))
            continue;
        int bits = waio_quantizer_weight_bits(s->quantizer, request, n);
        WAIO_TRY(st, waio_quantizer_weight_values(
                         s->quantizer, n, bits, waio_quantizer_input_bits(s->quantizer, request, n),
                         &values, &scales, arena));
        free(r->weights.packed[n]);
        r->weights.packed[n] = NULL;
        WAIO_TRY(st, waio_program_pack(r->program, n, &r->weights.packed[n], &bytes, values));
        r->simulated.binding.constant[r->graph->node[n].input[1]] = r->weights.packed[n];
        free(values);
        values = NULL;
    }
    r->binding = &r->simulated.binding;
done:
    free(values);
    waio_arena_free(arena);
    return st;
}

static waio_status open_file(run *r, const waio_session *s, const char *path)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_model_load(&r->file, path, &s->options.model_paths));
    r->graph = r->file.graph;
    const waio_shape *in = &r->graph->value[r->graph->input].shape;
    const waio_graph *ours = s->model.graph;
    if (!waio_shape_equal(in, &ours->value[ours->input].shape))
        WAIO_FAIL(st, WAIO_EINPUT, "%s takes other images than %s", path, s->model.name);
done:
    return st;
}

static waio_status open_side(run *r, waio_session *s, const waio_quant_request *request,
                             waio_requant requant, const waio_diff_side *side)
{
    waio_status st = WAIO_OK;
    bool simulate = !side->file && !side->integer;

    r->graph = s->model.graph;
    r->table = s->input_table;
    if (side->file)
        WAIO_TRY(st, open_file(r, s, side->file));
    else
        WAIO_TRY(st, waio_session_lower(s, &r->lowered, request, requant)); /* calibrates */
    if (!side->file) {
        WAIO_TRY(st, waio_quantizer_bind(s->quantizer, request, &r->simulated));
        waio_input_numbers(&r->table, s, &r->simulated);
        r->graph = simulate ? r->graph : r->lowered;
    }
    WAIO_TRY(st,
             waio_program_compile(&r->program, r->graph, side->backend, 1, r->graph->node_count));
    WAIO_TRY(st, waio_workspace_create(&r->workspace, r->program));
    if (simulate) {
        WAIO_TRY(st, bind_simulated(r, s, request));
        goto done;
    }
    WAIO_TRY(st, waio_float_binding_create(&r->weights, r->program));
    r->binding = &r->weights.binding;
    waio_table_to_codes(&r->table, &r->graph->value[r->graph->input]);
done:
    return st;
}

static void close_side(run *r)
{
    waio_workspace_free(&r->workspace);
    waio_quant_binding_free(&r->simulated);
    waio_float_binding_free(&r->weights);
    waio_program_free(r->program);
    waio_graph_free(r->lowered);
    waio_model_free(&r->file);
}

/* ---- which layers belong together ---- */

/* The node whose result is called as that of `node` is, or that is called as `node` itself: what
 * was fused has the result's name of the last one. */
static int find_name(const waio_graph *graph, const waio_graph *of, const waio_node *node)
{
    const char *result = of->value[node->output].name;

    for (int n = 0; n < graph->node_count; n++)
        if (strcmp(graph->value[graph->node[n].output].name, result) == 0)
            return n;
    for (int n = 0; n < graph->node_count; n++)
        if (strcmp(graph->node[n].name, node->name) == 0)
            return n;
    return -1;
}

/* Whether a weighted node has its like by name. */
static bool share_names(const waio_graph *left, const waio_graph *right)
{
    for (int n = 0; n < left->node_count; n++)
        if (waio_op_weighted(left->node[n].op) && find_name(right, left, &left->node[n]) >= 0)
            return true;
    return false;
}

/* The weighted node that comes at the same place among its like; -1 if there is none. */
static int find_place(const waio_graph *graph, const waio_graph *of, int node)
{
    int place = 0;

    for (int n = 0; n < node; n++)
        place += waio_op_weighted(of->node[n].op);
    for (int n = 0; n < graph->node_count; n++)
        if (waio_op_weighted(graph->node[n].op) && place-- == 0)
            return n;
    return -1;
}

/* Behind a node in float that is quantized next, the codes are what the rest of the network sees.
 */
static const waio_node *quantized_form(const waio_graph *graph, int n)
{
    const waio_node *node = &graph->node[n];

    for (int k = n + 1; k < graph->node_count && graph->value[node->output].type == WAIO_F32; k++)
        if (graph->node[k].op == WAIO_OP_QUANTIZE && graph->node[k].input[0] == node->output)
            return &graph->node[k];
    return node;
}

/* Node `left` and what is called as its codes are, else what is called as itself. */
static void add_pair(comparison *c, int left, int right, waio_arena *arena)
{
    const waio_graph *from = c->side[0].graph, *to = c->side[1].graph;
    const waio_node *a = quantized_form(from, left), *b = quantized_form(to, right);

    for (int n = 0; n < to->node_count; n++)
        if (strcmp(to->value[to->node[n].output].name, from->value[a->output].name) == 0)
            b = quantized_form(to, n);
    const waio_value *x = &c->side[0].graph->value[a->output];
    const waio_value *y = &c->side[1].graph->value[b->output];

    if (waio_shape_count(&x->shape) != waio_shape_count(&y->shape) ||
        c->side[0].layer[a->output] >= 0 || c->side[1].layer[b->output] >= 0)
        return;
    c->side[0].layer[a->output] = c->side[1].layer[b->output] = c->diff->count;
    c->diff->layer[c->diff->count++] = (waio_diff_layer){.name = waio_arena_strdup(arena, x->name),
                                                         .op = c->side[0].graph->node[left].op};
}

static waio_status pair_layers(comparison *c, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_graph *left = c->side[0].graph, *right = c->side[1].graph;

    for (int k = 0; k < 2; k++) {
        size_t count = (size_t)c->side[k].graph->value_count;
        WAIO_NEW(st, c->side[k].layer, arena, count);
        memset(c->side[k].layer, -1, count * sizeof *c->side[k].layer);
    }
    WAIO_NEW(st, c->diff->layer, arena, (size_t)left->node_count + 1);
    bool names = share_names(left, right);
    for (int n = 0; n < left->node_count; n++) {
        int other = names || !waio_op_weighted(left->node[n].op)
                        ? find_name(right, left, &left->node[n])
                        : find_place(right, left, n);
        if (other >= 0)
            add_pair(c, n, other, arena);
    }
    if (c->diff->count == 0)
        WAIO_FAIL(st, WAIO_EINPUT, "the two networks have no layer in common");
    WAIO_NEW(st, c->kept, arena, (size_t)c->diff->count);
    for (int n = 0; n < left->node_count; n++) {
        int id = left->node[n].output, layer = c->side[0].layer[id];
        if (layer >= 0)
            WAIO_NEW(st, c->kept[layer], arena, (size_t)waio_shape_count(&left->value[id].shape));
    }
done:
    return st;
}

/* ---- comparing ---- */

static float number_at(const waio_value *value, const void *data, int64_t i)
{
    if (value->type == WAIO_F32)
        return ((const float *)data)[i];
    int32_t code = value->type == WAIO_S8 ? ((const int8_t *)data)[i] : ((const int16_t *)data)[i];
    return waio_dequantize_code(code, value->params.scale[0], value->params.zero_point[0]);
}

static void keep_left(void *payload, int id, const float *data, int64_t count)
{
    comparison *c = payload;
    int layer = c->side[0].layer[id];

    for (int64_t i = 0; layer >= 0 && i < count; i++)
        c->kept[layer][i] = number_at(&c->side[0].graph->value[id], data, i);
}

/* The scale of a value's codes or of its quantizer, 0 if it is float. */
static double scale_of(const run *r, int id)
{
    const waio_value *value = &r->graph->value[id];
    const waio_value_quant *quant = r->binding->quant;

    if (value->type != WAIO_F32)
        return (double)value->params.scale[0];
    return quant && quant[id].enabled && !quant[id].half ? (double)quant[id].fq.scale : 0;
}

static int left_value(const comparison *c, int layer)
{
    int id = 0;
    while (c->side[0].layer[id] != layer)
        id++;
    return id;
}

static double step_of(const comparison *c, int layer, int right, int64_t count)
{
    double step = scale_of(&c->side[1], right), largest = 0;

    if (step == 0)
        step = scale_of(&c->side[0], left_value(c, layer));
    c->diff->layer[layer].quantized = step != 0;
    for (int64_t i = 0; step == 0 && i < count; i++)
        largest = fmax(largest, fabs((double)c->kept[layer][i]));
    return step != 0 ? step : fmax(FLOAT_STEP * largest, 1e-30);
}

static void compare_right(void *payload, int id, const float *data, int64_t count)
{
    comparison *c = payload;
    int layer = c->side[1].layer[id];

    if (layer < 0)
        return;
    waio_diff_layer *l = &c->diff->layer[layer];
    l->step = step_of(c, layer, id, count);
    l->count += count;
    for (int64_t i = 0; i < count; i++) {
        double other = (double)number_at(&c->side[1].graph->value[id], data, i);
        double apart = fabs(other - (double)c->kept[layer][i]) / l->step;
        if (isnan(apart))
            apart = INFINITY;
        l->off += apart > c->tolerance;
        l->worst = fmax(l->worst, apart);
    }
}

/* ---- what the networks give ---- */

/* The scale of an output's codes, be they behind it or in front of its dequantize. */
static double output_scale(const run *r, int id)
{
    int n = waio_graph_producer(r->graph, id);
    double scale = scale_of(r, id);

    if (scale == 0 && n >= 0 && r->graph->node[n].op == WAIO_OP_DEQUANTIZE)
        scale = scale_of(r, r->graph->node[n].input[0]);
    return scale;
}

static waio_status list_outputs(comparison *c, waio_arena *arena)
{
    waio_status st = WAIO_OK;
    const waio_graph *left = c->side[0].graph, *right = c->side[1].graph;
    int count = left->output_count < right->output_count ? left->output_count : right->output_count;

    WAIO_NEW(st, c->diff->output, arena, (size_t)count);
    for (int o = 0; o < count; o++) {
        const waio_value *x = &left->value[left->output[o]];
        double scale = output_scale(&c->side[1], right->output[o]);
        if (waio_shape_count(&x->shape) != waio_shape_count(&right->value[right->output[o]].shape))
            break;
        if (scale == 0)
            scale = output_scale(&c->side[0], left->output[o]);
        c->diff->output[c->diff->outputs++] =
            (waio_diff_output){.name = waio_arena_strdup(arena, x->name), .step = scale};
    }
done:
    return st;
}

static const void *output_of(const run *r, int o)
{
    return waio_workspace_value(&r->workspace, r->program, r->graph->output[o]);
}

static void compare_output(comparison *c, int o)
{
    waio_diff_output *out = &c->diff->output[o];
    const waio_value *value[2];
    const void *data[2];
    double largest = 0, step = out->step;

    for (int k = 0; k < 2; k++) {
        value[k] = &c->side[k].graph->value[c->side[k].graph->output[o]];
        data[k] = output_of(&c->side[k], o);
    }
    int64_t count = waio_shape_count(&value[0]->shape);
    for (int64_t i = 0; step == 0 && i < count; i++)
        largest = fmax(largest, fabs((double)number_at(value[0], data[0], i)));
    step = step != 0 ? step : fmax(FLOAT_STEP * largest, 1e-30);
    out->count += count;
    for (int64_t i = 0; i < count; i++) {
        double apart = fabs((double)number_at(value[1], data[1], i) -
                            (double)number_at(value[0], data[0], i)) /
                       step;
        apart = isnan(apart) ? INFINITY : apart;
        out->off += apart > c->tolerance;
        out->worst = fmax(out->worst, apart);
    }
}

static int32_t predict_one(const run *r, int classes)
{
    int32_t class = 0;

    waio_predict(&class, output_of(r, 0), r->graph->value[r->graph->output[0]].type, classes, 1);
    return class;
}

static waio_status same_boxes(bool *same, const comparison *c, const waio_session *s, int64_t image)
{
    waio_status st = WAIO_OK;
    waio_found_list found[2] = {{0}};
    const waio_detector *d = s->detecting.detector;

    for (int k = 0; k < 2; k++)
        WAIO_TRY(st, waio_detecting_find(&found[k], &s->detecting, 0, c->side[k].graph,
                                         output_of(&c->side[k], d->boxes),
                                         output_of(&c->side[k], d->scores), s->dataset, image));
    *same = waio_found_same(&found[0], &found[1]);
done:
    waio_found_lists_free(found, 2);
    return st;
}

static waio_status run_image(comparison *c, const waio_session *s, int64_t image)
{
    waio_status st = WAIO_OK;
    waio_observer_hook hook[2] = {{keep_left, c}, {compare_right, c}};
    bool same = false;

    for (int k = 0; k < 2; k++) {
        const run *r = &c->side[k];
        waio_fill_input(r->program, s->dataset, &r->table, &r->workspace, NULL, image, 1);
        WAIO_TRY(st, waio_program_run(r->program, r->binding, &r->workspace,
                                      (waio_run_range){0, r->graph->node_count, false, false},
                                      &hook[k]));
        for (int o = 0; o < r->graph->output_count; o++)
            WAIO_TRY(st, waio_workspace_fetch(&r->workspace, r->program, r->graph->output[o]));
    }
    for (int o = 0; o < c->diff->outputs; o++)
        compare_output(c, o);
    if (c->diff->boxes)
        WAIO_TRY(st, same_boxes(&same, c, s, image));
    else
        same = predict_one(&c->side[0], s->dataset->classes) ==
               predict_one(&c->side[1], s->dataset->classes);
    c->diff->images++;
    c->diff->differ += !same;
done:
    return st;
}

waio_status waio_session_diff(waio_diff *out, waio_session *session,
                              const waio_quant_request *request, waio_requant requant,
                              const waio_diff_side side[2], int64_t images, double tolerance,
                              waio_arena *arena)
{
    waio_status st = WAIO_OK;
    comparison c = {.diff = out, .tolerance = tolerance};

    *out = (waio_diff){.first = -1};
    for (int k = 0; k < 2; k++)
        WAIO_TRY(st, open_side(&c.side[k], session, request, requant, &side[k]));
    out->left_nodes = c.side[0].graph->node_count;
    out->right_nodes = c.side[1].graph->node_count;
    WAIO_TRY(st, pair_layers(&c, arena));
    WAIO_TRY(st, list_outputs(&c, arena));
    out->boxes = session->detecting.detector != NULL;
    if (out->boxes && out->outputs < c.side[0].graph->output_count)
        WAIO_FAIL(st, WAIO_EINPUT, "the other network has not the outputs of a detector");
    for (int64_t i = 0; i < images && i < session->dataset->count; i++)
        WAIO_TRY(st, run_image(&c, session, i));
    for (int l = out->count - 1; l >= 0; l--)
        out->first = out->layer[l].off ? l : out->first;
done:
    close_side(&c.side[0]);
    close_side(&c.side[1]);
    return st;
}
