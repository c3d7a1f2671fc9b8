/* Names, nodes, attributes and constants of the model to be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/onnx_out.h"

/* ---- memory ---- */

void *waio_onnxo_room(waio_onnxo *out, size_t count, size_t size)
{
    void *room = out->failed ? NULL : waio_arena_array(out->arena, count, size);

    out->failed = out->failed || !room;
    return room;
}

/* `*items` with room for one more pointer than `count`; false when out of memory. */
static bool grow(waio_onnxo *out, void **items, size_t *capacity, size_t count)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity ? 2 * *capacity : 64;
    void *grown = realloc(*items, more * sizeof(void *));
    if (!grown) {
        waio_error(WAIO_ENOMEM, "out of memory");
        out->failed = true;
        return false;
    }
    *items = grown;
    *capacity = more;
    return true;
}

static char *copy_text(waio_onnxo *out, const char *text)
{
    char *copy = waio_onnxo_room(out, strlen(text) + 1, 1);
    return copy ? strcpy(copy, text) : NULL;
}

/* ---- names ---- */

static size_t hash(const char *text)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return (size_t)h;
}

/* Where `name` is in a table of `capacity` places (a power of two), or would be. */
static const char **place_of(const char **table, size_t capacity, const char *name)
{
    size_t i = hash(name) & (capacity - 1);
    while (table[i] && strcmp(table[i], name) != 0)
        i = (i + 1) & (capacity - 1);
    return &table[i];
}

static bool is_taken(const waio_onnxo *out, const char *name)
{
    return out->taken_capacity && *place_of(out->taken, out->taken_capacity, name);
}

static void take(waio_onnxo *out, const char *name)
{
    if (2 * (out->taken_count + 1) > out->taken_capacity) {
        size_t more = out->taken_capacity ? 2 * out->taken_capacity : 256;
        const char **table = calloc(more, sizeof *table);
        if (!table) {
            waio_error(WAIO_ENOMEM, "out of memory");
            out->failed = true;
            return;
        }
        for (size_t i = 0; i < out->taken_capacity; i++)
            if (out->taken[i])
                *place_of(table, more, out->taken[i]) = out->taken[i];
        free(out->taken);
        out->taken = table;
        out->taken_capacity = more;
    }
    *place_of(out->taken, out->taken_capacity, name) = name;
    out->taken_count++;
}

char *waio_onnxo_name(waio_onnxo *out, const char *base, const char *suffix)
{
    size_t length = strlen(base) + strlen(suffix) + 24;
    char *name = waio_onnxo_room(out, length, 1);
    static char nothing[1];

    if (!name)
        return nothing;
    snprintf(name, length, "%s", *base ? base : "value");
    for (int i = 1; is_taken(out, name); i++)
        snprintf(name, length, i > 1 ? "%s/%s_%d" : "%s/%s", base, suffix, i);
    take(out, name);
    return out->failed ? nothing : name;
}

/* ---- nodes ---- */

const char *waio_onnxo_node(waio_onnxo *out, const char *op, const char *base, int count,
                            const char *const *input)
{
    char *name = waio_onnxo_name(out, base, op);
    Onnx__NodeProto *node = waio_onnxo_room(out, 1, sizeof *node);
    char **in = waio_onnxo_room(out, (size_t)count, sizeof *in);
    char **result = waio_onnxo_room(out, 1, sizeof *result);
    void *items = out->node;

    if (out->failed || !grow(out, &items, &out->node_capacity, out->node_count))
        return "";
    onnx__node_proto__init(node);
    for (int i = 0; i < count; i++)
        in[i] = (char *)input[i];
    *result = name;
    node->n_input = (size_t)count;
    node->input = in;
    node->n_output = 1;
    node->output = result;
    node->name = name;
    node->op_type = copy_text(out, op);
    out->node = items;
    out->node[out->node_count++] = node;
    return name;
}

/* ---- attributes ---- */

enum { MOST_ATTRIBUTES = 8 };

/* A new attribute of the last node; NULL when out of memory. */
static Onnx__AttributeProto *attribute(waio_onnxo *out, const char *name,
                                       Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *a = waio_onnxo_room(out, 1, sizeof *a);
    char *copy = copy_text(out, name);

    if (!copy)
        return NULL;
    Onnx__NodeProto *node = out->node[out->node_count - 1];
    if (!node->attribute)
        node->attribute = waio_onnxo_room(out, MOST_ATTRIBUTES, sizeof *node->attribute);
    if (!node->attribute)
        return NULL;
    onnx__attribute_proto__init(a);
    a->name = copy;
    a->has_type = 1;
    a->type = type;
    node->attribute[node->n_attribute++] = a;
    return a;
}

void waio_onnxo_int(waio_onnxo *out, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = attribute(out, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (!a)
        return;
    a->has_i = 1;
    a->i = value;
}

void waio_onnxo_ints(waio_onnxo *out, const char *name, const int64_t *value, int count)
{
    Onnx__AttributeProto *a = attribute(out, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    int64_t *copy = waio_onnxo_room(out, (size_t)count, sizeof *copy);

    if (!copy)
        return;
    memcpy(copy, value, (size_t)count * sizeof *copy);
    a->n_ints = (size_t)count;
    a->ints = copy;
}

void waio_onnxo_float(waio_onnxo *out, const char *name, float value)
{
    Onnx__AttributeProto *a = attribute(out, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (!a)
        return;
    a->has_f = 1;
    a->f = value;
}

void waio_onnxo_text(waio_onnxo *out, const char *name, const char *value)
{
    Onnx__AttributeProto *a = attribute(out, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    char *copy = copy_text(out, value);

    if (!copy)
        return;
    a->has_s = 1;
    a->s = (ProtobufCBinaryData){strlen(copy), (uint8_t *)copy};
}

/* ---- constants ---- */

/* Nodes keep their names for their results. */
static bool names_a_node(const waio_onnxo *out, const char *name)
{
    for (int n = 0; n < out->graph->node_count; n++)
        if (strcmp(out->graph->node[n].name, name) == 0)
            return true;
    return false;
}

static char *constant_name(waio_onnxo *out, const char *base, const char *suffix)
{
    if (!suffix && !names_a_node(out, base))
        return waio_onnxo_name(out, base, "constant");
    if (!suffix)
        suffix = "constant";
    char *joined = waio_onnxo_room(out, strlen(base) + strlen(suffix) + 2, 1);
    if (joined)
        sprintf(joined, "%s/%s", base, suffix);
    return waio_onnxo_name(out, joined ? joined : "", "again");
}

const char *waio_onnxo_constant(waio_onnxo *out, const char *base, const char *suffix,
                                waio_onnxo_type type, const waio_shape *shape, const void *data,
                                size_t bytes)
{
    char *name = constant_name(out, base, suffix);
    Onnx__TensorProto *t = waio_onnxo_room(out, 1, sizeof *t);
    int64_t *dims = waio_onnxo_room(out, WAIO_MAX_RANK, sizeof *dims);
    void *items = out->constant;

    if (out->failed || !data || !grow(out, &items, &out->constant_capacity, out->constant_count))
        return "";
    onnx__tensor_proto__init(t);
    memcpy(dims, shape->dim, sizeof shape->dim);
    t->n_dims = (size_t)shape->rank;
    t->dims = dims;
    t->has_data_type = 1;
    t->data_type = (int32_t)type;
    t->name = name;
    t->has_raw_data = 1;
    t->raw_data = (ProtobufCBinaryData){bytes, (uint8_t *)data};
    out->constant = items;
    out->constant[out->constant_count++] = t;
    return name;
}

const char *waio_onnxo_scalar(waio_onnxo *out, const char *base, const char *suffix, float value)
{
    waio_shape shape = {.rank = 0};
    float *data = waio_onnxo_room(out, 1, sizeof *data);

    if (data)
        *data = value;
    return waio_onnxo_constant(out, base, suffix, WAIO_ONNXO_F32, &shape, data, sizeof *data);
}

const char *waio_onnxo_numbers(waio_onnxo *out, const char *base, const char *suffix,
                               const int64_t *value, int count)
{
    waio_shape shape = WAIO_SHAPE(count);
    int64_t *data = waio_onnxo_room(out, (size_t)count, sizeof *data);

    if (data)
        memcpy(data, value, (size_t)count * sizeof *data);
    return waio_onnxo_constant(out, base, suffix, WAIO_ONNXO_S64, &shape, data,
                               (size_t)count * sizeof *data);
}
