/* The tensors and operators as bytes: a table each, in the order of the schema. */
#include "export/tflite_write.h"

#include <stdlib.h>
#include <string.h>

#include "export/tflite_out.h"

enum { SCHEMA_VERSION = 3, DATA_ALIGNMENT = 16 };

/* ---- the graph ---- */

static waio_status collect(waio_tflo *out)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = out->graph;
    int tensor = -1;

    WAIO_NEW(st, out->of_value, out->arena, (size_t)graph->value_count);
    memset(out->of_value, -1, (size_t)graph->value_count * sizeof *out->of_value);
    WAIO_TRY(st, waio_tflo_value(out, &tensor, graph->input));
    for (int n = 0; n < graph->node_count; n++)
        if ((st = waio_tflo_node(out, &graph->node[n])) != WAIO_OK) {
            waio_error_context(st, "node \"%s\" (%s)", graph->node[n].name,
                               waio_op_name(graph->node[n].op));
            goto done;
        }
    for (int i = 0; i < graph->output_count; i++)
        WAIO_TRY(st, waio_tflo_value(out, &tensor, graph->output[i]));
done:
    return st;
}

/* ---- tensors ---- */

static void link_ints(waio_flatbuild *b, size_t at, const int *number, int count)
{
    waio_flatbuild_link(b, at, waio_flatbuild_vector(b, number, (size_t)count, 4, 4));
}

static waio_status put_params(waio_flatbuild *b, size_t at, const waio_tflo_tensor *t)
{
    size_t count = (size_t)t->params->count;
    int64_t *zeros = malloc(count * sizeof *zeros);
    waio_flat_slot slot[] = {
        {.id = 2}, {.id = 3}, {.id = 6, .bytes = 4, .value = (uint64_t)(count > 1 ? t->axis : 0)}};

    if (!zeros)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        zeros[i] = t->params->zero_point[i];
    waio_flatbuild_link(b, at, waio_flatbuild_table(b, slot, 3));
    waio_flatbuild_link(b, slot[0].at, waio_flatbuild_vector(b, t->params->scale, count, 4, 4));
    waio_flatbuild_link(b, slot[1].at, waio_flatbuild_vector(b, zeros, count, 8, 8));
    free(zeros);
    return WAIO_OK;
}

/* Buffer 0 is the empty one; the constants have theirs in the tensors' order from 1 on. */
static waio_status put_tensor(waio_flatbuild *b, size_t at, const waio_tflo_tensor *t, int buffer)
{
    waio_status st = WAIO_OK;
    int dims[WAIO_MAX_RANK];
    waio_flat_slot slot[] = {{.id = 0},
                             {.id = 1, .bytes = 1, .value = (uint64_t)t->type},
                             {.id = 2, .bytes = 4, .value = (uint64_t)buffer},
                             {.id = 3},
                             {.id = 8, .bytes = 1, .value = 1}, /* the rank is known */
                             {.id = 4},
                             {.id = 7}};
    int count = t->params ? 6 : 5;

    if (t->batched)
        slot[count++] = (waio_flat_slot){.id = 7};
    for (int i = 0; i < t->shape.rank; i++)
        dims[i] = (int)t->shape.dim[i];
    waio_flatbuild_link(b, at, waio_flatbuild_table(b, slot, count));
    link_ints(b, slot[0].at, dims, t->shape.rank);
    waio_flatbuild_link(b, slot[3].at, waio_flatbuild_string(b, t->name));
    if (t->params)
        WAIO_TRY(st, put_params(b, slot[5].at, t));
    if (t->batched) {
        dims[0] = -1;
        link_ints(b, slot[count - 1].at, dims, t->shape.rank);
    }
done:
    return st;
}

static waio_status put_tensors(waio_flatbuild *b, size_t at, const waio_tflo *out)
{
    waio_status st = WAIO_OK;
    size_t vector = waio_flatbuild_links(b, (size_t)out->tensor_count);
    int buffer = 0;

    waio_flatbuild_link(b, at, vector);
    for (int i = 0; i < out->tensor_count; i++) {
        buffer += out->tensor[i].data != NULL;
        WAIO_TRY(st, put_tensor(b, waio_flatbuild_element(vector, (size_t)i), &out->tensor[i],
                                out->tensor[i].data ? buffer : 0));
    }
done:
    return st;
}

/* ---- operators ---- */

/* The codes are listed once; an operator names its place in the list. */
static int code_index(const waio_tflo *out, int n)
{
    int index = 0;

    for (int i = 0; i < n; i++) {
        bool first = true;
        for (int k = 0; k < i; k++)
            first = first && (out->op[k].code != out->op[i].code ||
                              out->op[k].version != out->op[i].version);
        if (first && out->op[i].code == out->op[n].code && out->op[i].version == out->op[n].version)
            return index;
        index += first;
    }
    return index;
}

static void put_codes(waio_flatbuild *b, size_t at, const waio_tflo *out)
{
    int count = 0;

    for (int i = 0; i < out->op_count; i++)
        count += code_index(out, i) == count;
    size_t vector = waio_flatbuild_links(b, (size_t)count);
    waio_flatbuild_link(b, at, vector);
    for (int i = 0, k = 0; i < out->op_count; i++) {
        if (code_index(out, i) != k)
            continue;
        uint64_t code = (uint64_t)out->op[i].code, version = (uint64_t)out->op[i].version;
        waio_flat_slot slot[] = {{.id = 0, .bytes = 1, .value = code < 127 ? code : 127},
                                 {.id = 2, .bytes = 4, .value = version},
                                 {.id = 3, .bytes = 4, .value = code}};
        size_t table = waio_flatbuild_table(b, slot, 3);
        waio_flatbuild_link(b, waio_flatbuild_element(vector, (size_t)k++), table);
    }
}

static void put_operator(waio_flatbuild *b, size_t at, const waio_tflo_operator *op, int index)
{
    waio_flat_slot slot[] = {{.id = 0, .bytes = 4, .value = (uint64_t)index},
                             {.id = 1},
                             {.id = 2},
                             {.id = 3, .bytes = 1, .value = (uint64_t)op->options},
                             {.id = 4}};
    waio_flat_slot option[WAIO_TFLO_MOST_OPTIONS];

    memcpy(option, op->option, sizeof option);
    waio_flatbuild_link(b, at, waio_flatbuild_table(b, slot, op->options ? 5 : 3));
    link_ints(b, slot[1].at, op->input, op->input_count);
    link_ints(b, slot[2].at, &op->output, 1);
    if (op->options)
        waio_flatbuild_link(b, slot[4].at, waio_flatbuild_table(b, option, op->option_count));
}

static waio_status put_subgraph(waio_flatbuild *b, size_t at, const waio_tflo *out)
{
    waio_status st = WAIO_OK;
    waio_flat_slot slot[] = {{.id = 0}, {.id = 1}, {.id = 2}, {.id = 3}, {.id = 4}};
    int outputs[WAIO_MAX_OUTPUTS];
    const waio_graph *graph = out->graph;

    waio_flatbuild_link(b, at, waio_flatbuild_table(b, slot, 5));
    WAIO_TRY(st, put_tensors(b, slot[0].at, out));
    for (int i = 0; i < graph->output_count; i++)
        outputs[i] = out->of_value[graph->output[i]];
    link_ints(b, slot[1].at, &out->of_value[graph->input], 1);
    link_ints(b, slot[2].at, outputs, graph->output_count);
    size_t operators = waio_flatbuild_links(b, (size_t)out->op_count);
    waio_flatbuild_link(b, slot[3].at, operators);
    for (int i = 0; i < out->op_count; i++)
        put_operator(b, waio_flatbuild_element(operators, (size_t)i), &out->op[i],
                     code_index(out, i));
    waio_flatbuild_link(b, slot[4].at, waio_flatbuild_string(b, "main"));
done:
    return st;
}

/* ---- the file ---- */

static void put_buffers(waio_flatbuild *b, size_t at, const waio_tflo *out)
{
    size_t count = 1, k = 1;

    for (int i = 0; i < out->tensor_count; i++)
        count += out->tensor[i].data != NULL;
    size_t vector = waio_flatbuild_links(b, count);
    waio_flatbuild_link(b, at, vector);
    waio_flatbuild_link(b, waio_flatbuild_element(vector, 0), waio_flatbuild_table(b, NULL, 0));
    for (int i = 0; i < out->tensor_count; i++) {
        const waio_tflo_tensor *t = &out->tensor[i];
        waio_flat_slot slot[] = {{.id = 0}};
        if (!t->data)
            continue;
        waio_flatbuild_link(b, waio_flatbuild_element(vector, k++),
                            waio_flatbuild_table(b, slot, 1));
        waio_flatbuild_link(b, slot[0].at,
                            waio_flatbuild_vector(b, t->data, t->bytes, 1, DATA_ALIGNMENT));
    }
}

static waio_status put_model(waio_flatbuild *b, const waio_tflo *out)
{
    waio_status st = WAIO_OK;
    waio_flat_slot slot[] = {
        {.id = 0, .bytes = 4, .value = SCHEMA_VERSION}, {.id = 1}, {.id = 2}, {.id = 3}, {.id = 4}};

    waio_flatbuild_start(b, "TFL3");
    waio_flatbuild_link(b, 0, waio_flatbuild_table(b, slot, 5));
    put_codes(b, slot[1].at, out);
    size_t subgraphs = waio_flatbuild_links(b, 1);
    waio_flatbuild_link(b, slot[2].at, subgraphs);
    WAIO_TRY(st, put_subgraph(b, waio_flatbuild_element(subgraphs, 0), out));
    waio_flatbuild_link(b, slot[3].at, waio_flatbuild_string(b, out->graph->name));
    put_buffers(b, slot[4].at, out);
    WAIO_TRY(st, waio_flatbuild_finish(b));
done:
    return st;
}

/* What the runtime would read, but compute by other rules. */
static waio_status check_types(const waio_graph *graph)
{
    for (int v = 0; v < graph->value_count; v++)
        if (graph->value[v].type == WAIO_S8 && graph->value[v].params.u8)
            return waio_error(WAIO_EUNSUPPORTED,
                              "value \"%s\" comes from a uint8 file; those are not written",
                              graph->value[v].name);
    for (int n = 0; n < graph->node_count; n++) {
        const waio_node *node = &graph->node[n];
        if (waio_op_weighted(node->op) && node->input_count == 3 &&
            graph->value[node->input[0]].type == WAIO_S16 &&
            graph->value[node->input[2]].type == WAIO_S32)
            return waio_error(WAIO_EUNSUPPORTED,
                              "node \"%s\" has 16-bit activations and a 32-bit bias; only biases "
                              "of 64 bits are written with those",
                              node->name);
    }
    return WAIO_OK;
}

waio_status waio_tflite_write(unsigned char **data, size_t *size, const waio_graph *graph)
{
    waio_status st = WAIO_OK;
    waio_tflo out = {.graph = graph, .arena = waio_arena_new()};
    waio_flatbuild b = {0};

    if (!out.arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, check_types(graph));
    WAIO_TRY(st, collect(&out));
    WAIO_TRY(st, put_model(&b, &out));
    *data = b.data;
    *size = b.size;
    b.data = NULL;
done:
    free(b.data);
    free(out.tensor);
    free(out.op);
    waio_arena_free(out.arena);
    return st;
}
