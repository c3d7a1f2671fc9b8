/* Building and reading graphs. Shapes are inferred as nodes are added (shape_infer.c). */
#include "graph/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/shape_infer.h"

static const struct {
    const char *name;
    int least, most;
    bool weighted;
} op_table[] = {
#define WAIO_OP_DEF(ENUM, name, least, most, weighted) {#name, least, most, weighted},
#include "graph/ops.def"
#undef WAIO_OP_DEF
};
_Static_assert(sizeof op_table / sizeof *op_table == WAIO_OP_COUNT, "an op without a row");

const char *waio_op_name(waio_op op)
{
    return op < WAIO_OP_COUNT ? op_table[op].name : "?";
}

waio_op waio_op_find(const char *name)
{
    for (int op = 0; op < WAIO_OP_COUNT; op++)
        if (strcmp(op_table[op].name, name) == 0)
            return (waio_op)op;
    return WAIO_OP_COUNT;
}

bool waio_op_weighted(waio_op op)
{
    return op_table[op].weighted;
}

bool waio_clamp_is_none(waio_clamp clamp)
{
    return clamp.lo == -INFINITY && clamp.hi == INFINITY;
}

bool waio_value_is_const(const waio_graph *graph, int id)
{
    return graph->value[id].data != NULL || graph->value[id].codes != NULL;
}

size_t waio_type_bytes(waio_type type)
{
    static const size_t bytes[] = {4, 1, 2, 4, 8};
    return bytes[type];
}

const char *waio_type_name(waio_type type)
{
    static const char *const name[] = {"f32", "s8", "s16", "s32", "s64"};
    return name[type];
}

int waio_value_bits(const waio_graph *graph, int id)
{
    const waio_value *value = &graph->value[id];
    return value->type == WAIO_F32 ? 32 : value->params.bits;
}

waio_status waio_requant_parse(waio_requant *requant, const char *name)
{
    static const char *const names[] = {[WAIO_REQUANT_TFLITE] = "tflite",
                                        [WAIO_REQUANT_DOUBLE] = "double",
                                        [WAIO_REQUANT_SINGLE] = "single",
                                        [WAIO_REQUANT_FLOAT] = "float"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *requant = (waio_requant)i;
            return WAIO_OK;
        }
    return waio_error(WAIO_EUSAGE, "rounding \"%s\"; there are: tflite, double, single, float",
                      name);
}

bool waio_graph_is_quantized(const waio_graph *graph)
{
    for (int v = 0; v < graph->value_count; v++)
        if (graph->value[v].type != WAIO_F32)
            return true;
    return false;
}

int32_t waio_params_lo(const waio_value_params *params)
{
    return -(INT32_C(1) << (params->bits - 1)) + params->symmetric;
}

int32_t waio_params_hi(const waio_value_params *params)
{
    return (INT32_C(1) << (params->bits - 1)) - 1;
}

waio_graph *waio_graph_new(const char *name)
{
    waio_graph *graph = calloc(1, sizeof *graph);
    if (graph)
        graph->arena = waio_arena_new();
    if (!graph || !graph->arena || !(graph->name = waio_arena_strdup(graph->arena, name))) {
        waio_error(WAIO_ENOMEM, "out of memory");
        waio_graph_free(graph);
        return NULL;
    }
    graph->input = -1;
    return graph;
}

void waio_graph_free(waio_graph *graph)
{
    if (!graph)
        return;
    free(graph->value);
    free(graph->node);
    waio_arena_free(graph->arena);
    free(graph);
}

static waio_status grow(void **items, int *capacity, int count, size_t size)
{
    if (count < *capacity)
        return WAIO_OK;
    int bigger = *capacity ? *capacity * 2 : 64;
    void *moved = realloc(*items, (size_t)bigger * size);
    if (!moved)
        return waio_error(WAIO_ENOMEM, "out of memory");
    *items = moved;
    *capacity = bigger;
    return WAIO_OK;
}

static waio_status add_value(waio_graph *graph, int *id, const char *name, const waio_shape *shape)
{
    waio_status st = WAIO_OK;
    char text[64];

    if (shape->rank < 0 || shape->rank > WAIO_MAX_RANK || waio_shape_count(shape) < 0)
        return waio_error(WAIO_EINPUT, "%s: the shape %s is impossible or too large", name,
                          waio_shape_text(shape, text));
    void *items = graph->value;
    WAIO_TRY(st, grow(&items, &graph->value_capacity, graph->value_count, sizeof *graph->value));
    graph->value = items;
    waio_value *value = &graph->value[graph->value_count];
    *value = (waio_value){.name = waio_arena_strdup(graph->arena, name), .shape = *shape};
    if (!value->name)
        return WAIO_ENOMEM;
    *id = graph->value_count++;
done:
    return st;
}

waio_status waio_graph_add_input(waio_graph *graph, int *id, const char *name,
                                 const waio_shape *shape)
{
    waio_status st = WAIO_OK;
    char text[64];

    if (graph->input >= 0)
        return waio_error(WAIO_EUNSUPPORTED, "%s: a network with more than one input (%s and %s)",
                          graph->name, graph->value[graph->input].name, name);
    if (shape->rank < 1 || shape->dim[0] != 1)
        return waio_error(WAIO_EINPUT, "input %s: shape %s, expected a batch of 1 in front", name,
                          waio_shape_text(shape, text));
    WAIO_TRY(st, add_value(graph, &graph->input, name, shape));
    *id = graph->input;
done:
    return st;
}

waio_status waio_graph_add_const(waio_graph *graph, int *id, const char *name,
                                 const waio_shape *shape, float **data)
{
    waio_status st = WAIO_OK;
    float *numbers = NULL;

    WAIO_TRY(st, add_value(graph, id, name, shape));
    WAIO_NEW(st, numbers, graph->arena, (size_t)waio_shape_count(shape));
    graph->value[*id].data = numbers;
    if (data)
        *data = numbers;
done:
    return st;
}

static waio_status copy_params(waio_graph *graph, waio_value *value, waio_type type,
                               const waio_value_params *params)
{
    waio_status st = WAIO_OK;
    float *scale = NULL;
    int32_t *zero_point = NULL;

    WAIO_NEW(st, scale, graph->arena, (size_t)params->count);
    WAIO_NEW(st, zero_point, graph->arena, (size_t)params->count);
    memcpy(scale, params->scale, (size_t)params->count * sizeof *scale);
    memcpy(zero_point, params->zero_point, (size_t)params->count * sizeof *zero_point);
    value->type = type;
    value->params = *params;
    value->params.scale = scale;
    value->params.zero_point = zero_point;
done:
    return st;
}

waio_status waio_graph_set_type(waio_graph *graph, int id, waio_type type,
                                const waio_value_params *params)
{
    return copy_params(graph, &graph->value[id], type, params);
}

waio_status waio_graph_add_codes(waio_graph *graph, int *id, const char *name,
                                 const waio_shape *shape, waio_type type,
                                 const waio_value_params *params, void **codes)
{
    waio_status st = WAIO_OK;
    void *numbers = NULL;

    WAIO_TRY(st, add_value(graph, id, name, shape));
    numbers =
        waio_arena_array(graph->arena, (size_t)waio_shape_count(shape), waio_type_bytes(type));
    if (!numbers)
        return WAIO_ENOMEM;
    WAIO_TRY(st, copy_params(graph, &graph->value[*id], type, params));
    graph->value[*id].codes = numbers;
    if (codes)
        *codes = numbers;
done:
    return st;
}

static waio_status check_inputs(const waio_graph *graph, const waio_node *node)
{
    if (node->input_count < op_table[node->op].least || node->input_count > op_table[node->op].most)
        return waio_error(WAIO_EINPUT, "%d inputs, expected %d to %d", node->input_count,
                          op_table[node->op].least, op_table[node->op].most);
    for (int i = 0; i < node->input_count; i++)
        if (node->input[i] < 0 || node->input[i] >= graph->value_count)
            return waio_error(WAIO_EINPUT, "input %d is not a value of this graph", i);
    return WAIO_OK;
}

/* Whether a node that is there already would share constant `id` with a new reader of which one of
 * the two packs it as its weight. */
static bool weight_of_another(const waio_graph *graph, int id, bool as_weight)
{
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < graph->node[n].input_count; i++)
            if (graph->node[n].input[i] == id &&
                (as_weight || (i == 1 && waio_op_weighted(graph->node[n].op))))
                return true;
    return false;
}

/* Gives constants that `node` would share with a weighted node an id of their own. */
static waio_status split_weights(waio_graph *graph, waio_node *node)
{
    waio_status st = WAIO_OK;

    for (int i = 0; i < node->input_count; i++) {
        waio_value shared = graph->value[node->input[i]];
        bool as_weight = i == 1 && waio_op_weighted(node->op);
        bool constant = waio_value_is_const(graph, node->input[i]);
        if (!constant || !weight_of_another(graph, node->input[i], as_weight))
            continue;
        WAIO_TRY(st, add_value(graph, &node->input[i], shared.name, &shared.shape));
        shared.name = graph->value[node->input[i]].name;
        graph->value[node->input[i]] = shared;
    }
done:
    return st;
}

waio_status waio_graph_add_node(waio_graph *graph, int *id, const waio_node *proto)
{
    waio_status st = WAIO_OK;
    waio_node node = *proto;
    waio_shape shape;

    if (node.clamp.lo == 0 && node.clamp.hi == 0)
        node.clamp = WAIO_NO_CLAMP;
    WAIO_TRY(st, check_inputs(graph, &node));
    WAIO_TRY(st, waio_infer_shape(&shape, graph, &node));
    WAIO_TRY(st, split_weights(graph, &node));
    node.name = waio_arena_strdup(graph->arena, proto->name);
    node.norm_mean = node.norm_std = NULL; /* of another graph's arena, perhaps */
    if (!node.name)
        return WAIO_ENOMEM;
    WAIO_TRY(st, add_value(graph, &node.output, node.name, &shape));
    void *items = graph->node;
    WAIO_TRY(st, grow(&items, &graph->node_capacity, graph->node_count, sizeof *graph->node));
    graph->node = items;
    graph->node[graph->node_count++] = node;
    *id = node.output;
done:
    if (st != WAIO_OK)
        waio_error_context(st, "node \"%s\" (%s)", proto->name, waio_op_name(proto->op));
    return st;
}

waio_status waio_graph_add_output(waio_graph *graph, int id)
{
    if (id < 0 || id >= graph->value_count || waio_value_is_const(graph, id))
        return waio_error(WAIO_EINPUT, "%s: output %d is not a computed value of the network",
                          graph->name, graph->output_count);
    if (graph->output_count == WAIO_MAX_OUTPUTS)
        return waio_error(WAIO_EUNSUPPORTED, "%s: more than %d outputs", graph->name,
                          WAIO_MAX_OUTPUTS);
    graph->output[graph->output_count++] = id;
    return WAIO_OK;
}

waio_status waio_graph_validate(const waio_graph *graph)
{
    if (graph->input < 0)
        return waio_error(WAIO_EINPUT, "%s: the network has no input", graph->name);
    if (graph->output_count == 0)
        return waio_error(WAIO_EINPUT, "%s: the network has no output", graph->name);
    for (int v = 0; v < graph->value_count; v++) {
        const waio_value *value = &graph->value[v];
        int64_t n = value->data ? waio_shape_count(&value->shape) : 0;
        for (int64_t i = 0; i < n; i++)
            if (!isfinite(value->data[i]))
                return waio_error(WAIO_EINPUT,
                                  "%s: %s holds %s at position %lld, expected finite "
                                  "numbers",
                                  graph->name, value->name,
                                  isnan(value->data[i]) ? "NaN" : "infinity", (long long)i);
    }
    return WAIO_OK;
}

int waio_graph_producer(const waio_graph *graph, int id)
{
    for (int n = 0; n < graph->node_count; n++)
        if (graph->node[n].output == id)
            return n;
    return -1;
}

int waio_graph_use_count(const waio_graph *graph, int id)
{
    int uses = 0;

    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < graph->node[n].input_count; i++)
            uses += graph->node[n].input[i] == id;
    for (int i = 0; i < graph->output_count; i++)
        uses += graph->output[i] == id;
    return uses;
}

int64_t waio_node_macs(const waio_graph *graph, const waio_node *node)
{
    if (!waio_op_weighted(node->op))
        return 0;
    const waio_shape *weight = &graph->value[node->input[1]].shape;
    int64_t outputs = waio_shape_count(&graph->value[node->output].shape);
    return outputs * (waio_shape_count(weight) / weight->dim[0]);
}

/* Whether a node in front of `node` reads the same numbers. */
static bool read_before(const waio_graph *graph, const waio_node *node, const waio_value *constant)
{
    for (const waio_node *n = graph->node; n != node; n++)
        for (int i = 0; i < n->input_count; i++) {
            const waio_value *other = &graph->value[n->input[i]];
            if ((constant->data && other->data == constant->data) ||
                (constant->codes && other->codes == constant->codes))
                return true;
        }
    return false;
}

int64_t waio_node_params(const waio_graph *graph, const waio_node *node)
{
    int64_t n = 0;
    for (int i = 0; i < node->input_count; i++) {
        const waio_value *value = &graph->value[node->input[i]];
        if (waio_value_is_const(graph, node->input[i]) && !value->implied &&
            !read_before(graph, node, value))
            n += waio_shape_count(&value->shape);
    }
    return n;
}

int64_t waio_graph_params(const waio_graph *graph)
{
    int64_t n = 0;
    for (int i = 0; i < graph->node_count; i++)
        n += waio_node_params(graph, &graph->node[i]);
    return n;
}

int64_t waio_graph_macs(const waio_graph *graph)
{
    int64_t n = 0;
    for (int i = 0; i < graph->node_count; i++)
        n += waio_node_macs(graph, &graph->node[i]);
    return n;
}
