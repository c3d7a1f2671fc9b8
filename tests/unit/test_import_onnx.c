/* The ONNX importer on models made here, field by field: what it must read, what it must refuse and
 * how, and damaged files, which must end in an error or in a graph but never in a crash. Numbers of
 * whole networks are compared with onnxruntime in tests/python/test_import_onnx.py. */
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "import/import.h"
#include "onnx/onnx.pb-c.h"
#include "util/file.h"
#include "util/rng.h"

enum { MOST = 32 };

typedef struct builder {
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset, *opsets[1];
    Onnx__NodeProto *node[MOST];
    Onnx__TensorProto *tensor[MOST];
    Onnx__ValueInfoProto *input[MOST], *output[MOST];
} builder;

static waio_arena *arena; /* everything that builders hold */
static char folder[256], path[300];

/* ---- building ---- */

static void *take(size_t bytes)
{
    void *p = waio_arena_alloc(arena, bytes);
    if (!p)
        abort();
    return p;
}

static char *copy(const char *text)
{
    return strcpy(take(strlen(text) + 1), text);
}

static builder *new_model(int64_t opset)
{
    builder *b = take(sizeof *b);

    onnx__model_proto__init(&b->model);
    onnx__graph_proto__init(&b->graph);
    onnx__operator_set_id_proto__init(&b->opset);
    b->model.has_ir_version = 1;
    b->model.ir_version = 8;
    b->model.graph = &b->graph;
    b->opsets[0] = &b->opset;
    b->model.opset_import = b->opsets;
    b->model.n_opset_import = 1;
    b->opset.has_version = 1;
    b->opset.version = opset;
    b->graph.node = b->node;
    b->graph.initializer = b->tensor;
    b->graph.input = b->input;
    b->graph.output = b->output;
    return b;
}

static Onnx__ValueInfoProto *new_value(const char *name, size_t rank, const int64_t *dims)
{
    Onnx__ValueInfoProto *value = take(sizeof *value);
    Onnx__TypeProto *type = take(sizeof *type);
    Onnx__TypeProto__Tensor *tensor = take(sizeof *tensor);
    Onnx__TensorShapeProto *shape = take(sizeof *shape);

    onnx__value_info_proto__init(value);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    value->name = copy(name);
    value->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = shape;
    shape->dim = take((rank + 1) * sizeof *shape->dim);
    shape->n_dim = rank;
    for (size_t i = 0; i < rank; i++) {
        shape->dim[i] = take(sizeof **shape->dim);
        onnx__tensor_shape_proto__dimension__init(shape->dim[i]);
        shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        shape->dim[i]->dim_value = dims[i];
    }
    return value;
}

#define DIMS(...)                                                                                  \
    sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[])                          \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void add_input(builder *b, const char *name, size_t rank, const int64_t *dims)
{
    b->input[b->graph.n_input++] = new_value(name, rank, dims);
}

static void add_output(builder *b, const char *name)
{
    b->output[b->graph.n_output++] = new_value(name, 0, NULL);
}

/* A tensor with raw data: whole numbers 1, 2, 3, ... as float32. */
static Onnx__TensorProto *add_tensor(builder *b, const char *name, size_t rank, const int64_t *dims)
{
    Onnx__TensorProto *tensor = take(sizeof *tensor);
    size_t count = 1;

    onnx__tensor_proto__init(tensor);
    tensor->name = copy(name);
    tensor->has_data_type = tensor->has_raw_data = 1;
    tensor->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->n_dims = rank;
    tensor->dims = take((rank + 1) * sizeof *tensor->dims);
    for (size_t i = 0; i < rank; i++)
        count *= (size_t)(tensor->dims[i] = dims[i]);
    float *data = take(count * sizeof *data);
    for (size_t i = 0; i < count; i++)
        data[i] = (float)(i + 1);
    tensor->raw_data.len = count * sizeof *data;
    tensor->raw_data.data = (uint8_t *)data;
    b->tensor[b->graph.n_initializer++] = tensor;
    return tensor;
}

static void add_ints(builder *b, const char *name, size_t count, const int64_t *ints)
{
    Onnx__TensorProto *tensor = add_tensor(b, name, 1, &(int64_t){0});

    tensor->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    tensor->has_raw_data = 0;
    tensor->dims[0] = (int64_t)count;
    tensor->n_int64_data = count;
    tensor->int64_data = take((count + 1) * sizeof *ints);
    memcpy(tensor->int64_data, ints, count * sizeof *ints);
}

/* inputs: names with blanks between them. */
static Onnx__NodeProto *add_node(builder *b, const char *type, const char *inputs,
                                 const char *output)
{
    Onnx__NodeProto *node = take(sizeof *node);

    onnx__node_proto__init(node);
    node->op_type = copy(type);
    node->name = strcat(strcpy(take(strlen(output) + 6), "node_"), output);
    node->input = take(MOST * sizeof *node->input);
    for (char *at = strtok(copy(inputs), " "); at; at = strtok(NULL, " "))
        node->input[node->n_input++] = at;
    node->output = take(sizeof *node->output);
    node->output[node->n_output++] = copy(output);
    node->attribute = take(MOST * sizeof *node->attribute);
    b->node[b->graph.n_node++] = node;
    return node;
}

static Onnx__AttributeProto *add_attribute(Onnx__NodeProto *node, const char *name, int type)
{
    Onnx__AttributeProto *attr = take(sizeof *attr);

    onnx__attribute_proto__init(attr);
    attr->name = copy(name);
    attr->has_type = 1;
    attr->type = (Onnx__AttributeProto__AttributeType)type;
    node->attribute[node->n_attribute++] = attr;
    return attr;
}

static void set_int(Onnx__NodeProto *node, const char *name, int64_t number)
{
    Onnx__AttributeProto *attr =
        add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    attr->has_i = 1;
    attr->i = number;
}

static void set_ints(Onnx__NodeProto *node, const char *name, size_t count, const int64_t *ints)
{
    Onnx__AttributeProto *attr =
        add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    attr->n_ints = count;
    attr->ints = take((count + 1) * sizeof *ints);
    memcpy(attr->ints, ints, count * sizeof *ints);
}

static void write_file(const char *name, const void *data, size_t size)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

static unsigned char *pack(const builder *b, size_t *size)
{
    *size = onnx__model_proto__get_packed_size(&b->model);
    unsigned char *data = take(*size);
    onnx__model_proto__pack(&b->model, data);
    return data;
}

static waio_status import_bytes(waio_graph **graph, const void *data, size_t size)
{
    write_file("model.onnx", data, size);
    return waio_import_model(graph, path);
}

static waio_status import(waio_graph **graph, const builder *b)
{
    size_t size = 0;
    unsigned char *data = pack(b, &size);
    return import_bytes(graph, data, size);
}

#define REFUSED(b, code, part)                                                                     \
    do {                                                                                           \
        waio_graph *refused = NULL;                                                                \
        CHECK_FAILS(import(&refused, (b)), (code), (part));                                        \
        waio_graph_free(refused);                                                                  \
    } while (0)

/* ---- what must be read ---- */

/* x (1, 2, 3, 3) -> Conv 2 -> 3, 2x2, stride 1 -> Relu -> Flatten -> Gemm 12 -> 2. */
static builder *small_net(void)
{
    builder *b = new_model(13);

    add_input(b, "x", DIMS(-1, 2, 3, 3));
    add_tensor(b, "w", DIMS(3, 2, 2, 2));
    add_tensor(b, "bias", DIMS(3));
    add_tensor(b, "matrix", DIMS(2, 12));
    add_node(b, "Conv", "x w bias", "a");
    add_node(b, "Relu", "a", "r");
    add_node(b, "Flatten", "r", "f");
    set_int(add_node(b, "Gemm", "f matrix", "y"), "transB", 1);
    add_output(b, "y");
    return b;
}

static const waio_node *node_of(const waio_graph *graph, waio_op op)
{
    for (int i = 0; i < graph->node_count; i++)
        if (graph->node[i].op == op)
            return &graph->node[i];
    return NULL;
}

/* Weights end up as OHWI, and a flattened image costs no transpose: column (c, y, x) of the file
 * becomes column (y, x, c). */
static void test_layout(void)
{
    waio_graph *graph = NULL;

    CHECK_OK(import(&graph, small_net()));
    if (!graph)
        return;
    CHECK(waio_shape_equal(&graph->value[graph->input].shape, &WAIO_SHAPE(1, 3, 3, 2)), "input");
    CHECK(!node_of(graph, WAIO_OP_TRANSPOSE), "a transpose is there");
    const waio_node *conv = node_of(graph, WAIO_OP_CONV2D);
    const waio_node *dense = node_of(graph, WAIO_OP_DENSE);
    CHECK(conv && dense, "conv2d and dense");
    const waio_value *w = &graph->value[conv->input[1]], *m = &graph->value[dense->input[1]];
    CHECK(waio_shape_equal(&w->shape, &WAIO_SHAPE(3, 2, 2, 2)), "weight shape");
    for (int o = 0; o < 3; o++)
        for (int i = 0; i < 2; i++)
            for (int yx = 0; yx < 4; yx++) {
                float expected = (float)(o * 8 + i * 4 + yx + 1);
                CHECK(w->data[o * 8 + yx * 2 + i] == expected, "weight %d %d %d", o, i, yx);
            }
    CHECK(waio_shape_equal(&m->shape, &WAIO_SHAPE(2, 12)), "matrix shape");
    for (int o = 0; o < 2; o++)
        for (int c = 0; c < 3; c++)
            for (int yx = 0; yx < 4; yx++) {
                float expected = (float)(o * 12 + c * 4 + yx + 1);
                CHECK(m->data[o * 12 + yx * 3 + c] == expected, "matrix %d %d %d", o, c, yx);
            }
    CHECK(strcmp(graph->name, "model") == 0, "name %s", graph->name);
    CHECK(strcmp(conv->name, "node_a") == 0, "node name %s", conv->name);
    waio_graph_free(graph);
}

/* The target of a reshape computed from the input's shape, for a batch that is not known. */
static void test_folding(void)
{
    builder *b = new_model(13);
    waio_graph *graph = NULL;

    add_input(b, "x", DIMS(0, 6, 2, 4));
    add_ints(b, "zero", 1, (int64_t[]){0});
    add_ints(b, "from", 1, (int64_t[]){-1});
    add_ints(b, "to", 1, (int64_t[]){INT64_MIN});
    add_ints(b, "step", 1, (int64_t[]){-2});
    add_ints(b, "two", 1, (int64_t[]){2});
    add_node(b, "Shape", "x", "s");
    add_node(b, "Gather", "s zero", "n");
    add_node(b, "Slice", "s from to zero step", "w_c"); /* 4, 6 */
    add_node(b, "Mul", "w_c two", "twice");             /* 8, 12 */
    add_node(b, "Div", "twice two", "once");
    add_node(b, "Sub", "once two", "less"); /* 2, 4 */
    add_node(b, "Add", "less two", "more"); /* 4, 6 */
    set_int(add_node(b, "Concat", "n more two", "target"), "axis", 0);
    add_node(b, "Reshape", "x target", "y");
    add_output(b, "y");
    CHECK_OK(import(&graph, b));
    if (graph) {
        char text[64];
        const waio_shape *shape = &graph->value[graph->output[0]].shape;
        CHECK(waio_shape_count(shape) == 48, "shape %s", waio_shape_text(shape, text));
    }
    waio_graph_free(graph);

    b->node[3]->op_type = copy("Add");
    b->node[3]->input[0] = copy("n"); /* the batch size + 2 */
    REFUSED(b, WAIO_EUNSUPPORTED, "node \"node_twice\" (Add): arithmetic with the batch size");
    b->node[3]->op_type = copy("Div");
    b->node[3]->input[0] = copy("two");
    b->node[3]->input[1] = copy("zero");
    REFUSED(b, WAIO_EINPUT, "node \"node_twice\" (Div): the result for 2 and 0");
}

static void test_nothing_to_do(void)
{
    builder *b = new_model(21);
    waio_graph *graph = NULL;

    add_input(b, "x", DIMS(1, 3, 2, 2));
    add_node(b, "Identity", "x", "y");
    add_output(b, "y");
    CHECK_OK(import(&graph, b));
    CHECK(graph && graph->node_count == 1 && graph->output[0] != graph->input, "a copy");
    waio_graph_free(graph);
}

/* ---- what must be refused ---- */

static void test_refused_nodes(void)
{
    builder *b = small_net();
    b->node[1]->op_type = copy("Swish");
    REFUSED(b, WAIO_EUNSUPPORTED, "model.onnx: node \"node_r\" (Swish): ");
    REFUSED(b, WAIO_EUNSUPPORTED, "supported are Add, AveragePool, BatchNormalization, Cast, ");
    b->node[1]->op_type = NULL;
    REFUSED(b, WAIO_EUNSUPPORTED, "supported are");
    b = small_net();
    b->node[1]->domain = copy("org.example");
    REFUSED(b, WAIO_EUNSUPPORTED, "org.example");
    b = small_net();
    set_int(b->node[0], "group", 3);
    REFUSED(b, WAIO_EINPUT, "node \"node_a\" (Conv): weight is 3x2x2x2, group 3 does not divide 2");
    b = small_net();
    set_ints(b->node[0], "strides", DIMS(0, 1));
    REFUSED(b, WAIO_EINPUT, "strides holds 0");
    b = small_net();
    set_ints(b->node[0], "pads", DIMS(1, 1, 1));
    REFUSED(b, WAIO_EINPUT, "pads has 3 numbers, expected 4");
    b = small_net();
    set_ints(b->node[0], "dilations", DIMS(9, 9));
    REFUSED(b, WAIO_EINPUT, "does not fit");
    b = small_net();
    set_int(b->node[0], "pads", 1);
    REFUSED(b, WAIO_EINPUT, "pads is not a list of integers");
    b = small_net();
    set_int(b->node[1], "alpha", 1);
    REFUSED(b, WAIO_EUNSUPPORTED, "unknown attribute \"alpha\"");
    b = small_net();
    set_int(b->node[3], "transB", 1);
    REFUSED(b, WAIO_EINPUT, "given twice");
    b = small_net();
    b->node[0]->n_input = 1;
    REFUSED(b, WAIO_EINPUT, "1 inputs, expected 2 to 3");
    b = small_net();
    b->node[0]->n_output = 0;
    REFUSED(b, WAIO_EINPUT, "no output");
    b = small_net();
    set_int(b->node[2], "axis", 7);
    REFUSED(b, WAIO_EINPUT, "axis 7 of 4 dimensions");
    b = small_net();
    b->node[3]->n_attribute = 0;
    REFUSED(b, WAIO_EINPUT, "does not go with the weight 2x12");
}

static void test_refused_graphs(void)
{
    builder *b = small_net();
    b->node[2]->input[0] = copy("y"); /* a cycle */
    REFUSED(b, WAIO_EINPUT, "reads \"y\"");
    b = small_net();
    b->graph.n_initializer = 2;
    REFUSED(b, WAIO_EINPUT, "reads \"matrix\"");
    b = small_net();
    b->node[1]->output[0] = copy("a");
    REFUSED(b, WAIO_EINPUT, "\"a\" is given to more than one value");
    b = small_net();
    b->tensor[1]->name = copy("w");
    REFUSED(b, WAIO_EINPUT, "\"w\" is given to more than one value");
    b = small_net();
    b->tensor[1]->name = NULL;
    REFUSED(b, WAIO_EINPUT, "without a name");
    b = small_net();
    add_input(b, "z", DIMS(1, 2));
    REFUSED(b, WAIO_EUNSUPPORTED, "\"x\" and \"z\"");
    b = small_net();
    b->graph.n_input = 0;
    REFUSED(b, WAIO_EINPUT, "no input");
    b = small_net();
    b->graph.n_output = 0;
    REFUSED(b, WAIO_EINPUT, "no output");
    b = small_net();
    b->output[0] = new_value("w", 0, NULL);
    REFUSED(b, WAIO_EUNSUPPORTED, "a constant");
    b = small_net();
    b->output[0] = new_value("nothing", 0, NULL);
    REFUSED(b, WAIO_EINPUT, "\"nothing\"");
    b = small_net();
    b->input[0]->type->tensor_type->shape->dim[2]->dim_value = -1;
    REFUSED(b, WAIO_EUNSUPPORTED, "dimension 2 of input \"x\" has no fixed size");
    b = small_net();
    b->input[0]->type->tensor_type->shape->dim[2]->dim_value = INT64_MAX;
    REFUSED(b, WAIO_EINPUT, "too large");
    b = small_net();
    b->input[0]->type = NULL;
    REFUSED(b, WAIO_EUNSUPPORTED, "no float32 tensor");
    b = small_net();
    b->opset.version = 22;
    REFUSED(b, WAIO_EUNSUPPORTED, "opset 22, supported are 7 to 21");
    b = small_net();
    b->model.n_opset_import = 0;
    REFUSED(b, WAIO_EINPUT, "names no opset");
    b = small_net();
    b->model.graph = NULL;
    REFUSED(b, WAIO_EINPUT, "no graph");
}

static void test_refused_tensors(void)
{
    builder *b = small_net();
    ((float *)(void *)b->tensor[0]->raw_data.data)[5] = NAN;
    REFUSED(b, WAIO_EINPUT, "w holds NaN at position");
    b = small_net();
    b->tensor[0]->raw_data.len--;
    REFUSED(b, WAIO_EINPUT, "tensor \"w\": 95 bytes of data, expected 96");
    b = small_net();
    b->tensor[0]->dims[0] = INT64_C(1) << 38;
    REFUSED(b, WAIO_EINPUT, "tensor \"w\": the impossible shape");
    b = small_net();
    b->tensor[0]->dims[0] = INT64_C(1) << 36; /* a terabyte that is not there */
    REFUSED(b, WAIO_EINPUT, "tensor \"w\": 96 bytes of data, expected 2199023255552");
    b = small_net();
    b->tensor[0]->dims[0] = -3;
    REFUSED(b, WAIO_EINPUT, "tensor \"w\": the impossible shape");
    b = small_net();
    b->tensor[0]->dims[0] = 0;
    b->tensor[0]->raw_data.len = 0;
    REFUSED(b, WAIO_EINPUT, "weight is 0x2x2x2");
    b = small_net();
    b->tensor[0]->has_raw_data = 0;
    REFUSED(b, WAIO_EINPUT, "tensor \"w\": 0 numbers, expected 24");
    b = small_net();
    b->tensor[0]->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
    REFUSED(b, WAIO_EUNSUPPORTED, "tensor \"w\": element type 8");
    b = small_net();
    b->tensor[0]->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
    REFUSED(b, WAIO_EINPUT, "holds integers, expected floats");
    b = small_net();
    b->tensor[0]->dims = (int64_t[]){1, 1, 1, 3, 2, 2, 2};
    b->tensor[0]->n_dims = 7;
    REFUSED(b, WAIO_EUNSUPPORTED, "7 dimensions");
    b = small_net();
    b->tensor[1]->dims[0] = 1;
    b->tensor[1]->raw_data.len = 4;
    REFUSED(b, WAIO_EINPUT, "input 2 (\"bias\") is 1, expected 3");
}

/* A few bytes that ask for more memory than there is. */
static void test_bombs(void)
{
    builder *b = new_model(13);
    add_input(b, "x", DIMS(1, 3));
    add_ints(b, "dims", DIMS(1 << 19, 1 << 20));
    add_node(b, "ConstantOfShape", "dims", "c");
    add_node(b, "Add", "x c", "y");
    add_output(b, "y");
    REFUSED(b, WAIO_EUNSUPPORTED, "far more numbers than the file holds");

    b = new_model(13);
    add_input(b, "x", DIMS(1, 3));
    add_tensor(b, "row", DIMS(1, 6000));
    add_tensor(b, "column", DIMS(6000, 1));
    add_node(b, "Mul", "row column", "c");
    add_node(b, "Add", "x c", "y");
    add_output(b, "y");
    REFUSED(b, WAIO_EUNSUPPORTED, "far more numbers than the file holds");
}

/* Messages inside messages to a depth that would overflow the stack: ModelProto.graph, .node,
 * .attribute, .g, .node, .attribute, .g, ... */
static void test_nesting(void)
{
    enum { LEVELS = 60000, ROOM = LEVELS * 5 };
    static const unsigned char tags[] = {1 << 3 | 2, 5 << 3 | 2, 6 << 3 | 2};
    unsigned char *data = take(ROOM);
    size_t at = ROOM;
    waio_graph *graph = NULL;

    for (int level = 0; level <= LEVELS; level++) {
        size_t length = ROOM - at;
        unsigned char digits[5];
        int n = 0;
        do {
            digits[n++] = (unsigned char)(length & 0x7f);
            length >>= 7;
        } while (length);
        for (int i = 0; i < n; i++) /* the last digit goes in first and has no mark */
            data[--at] = (unsigned char)(digits[n - 1 - i] | (i ? 0x80 : 0));
        data[--at] = level == LEVELS ? 7 << 3 | 2 : tags[(LEVELS - 1 - level) % 3];
    }
    CHECK_FAILS(import_bytes(&graph, data + at, ROOM - at), WAIO_EINPUT, "nested too deep");
}

/* ---- external data ---- */

static builder *external_net(const char *location, const char *offset, const char *length)
{
    builder *b = small_net();
    const char *text[3][2] = {{"location", location}, {"offset", offset}, {"length", length}};
    Onnx__TensorProto *w = b->tensor[0];

    w->has_raw_data = 0;
    w->has_data_location = 1;
    w->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    w->external_data = take(3 * sizeof *w->external_data);
    for (int i = 0; i < 3; i++) {
        if (!text[i][1])
            continue;
        Onnx__StringStringEntryProto *entry = take(sizeof *entry);
        onnx__string_string_entry_proto__init(entry);
        entry->key = copy(text[i][0]);
        entry->value = copy(text[i][1]);
        w->external_data[w->n_external_data++] = entry;
    }
    return b;
}

static void test_external(void)
{
    float numbers[26];
    waio_graph *graph = NULL;

    for (int i = 0; i < 26; i++)
        numbers[i] = (float)i;
    write_file("w.bin", numbers, sizeof numbers);
    CHECK_OK(import(&graph, external_net("w.bin", "4", "96")));
    if (graph) {
        const waio_node *conv = node_of(graph, WAIO_OP_CONV2D);
        CHECK(graph->value[conv->input[1]].data[2] == 2, "number 2 (o=0 h=0 w=1 i=0)");
    }
    waio_graph_free(graph);
    graph = NULL;
    CHECK_OK(import(&graph, external_net(".//w.bin", NULL, NULL)));
    waio_graph_free(graph);

    static const char *const outside[] = {"../w.bin", "/etc/hostname", "a/../../w.bin", "",
                                          "..",       "a\\..\\w.bin",  "./../w.bin"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        REFUSED(external_net(outside[i], NULL, NULL), WAIO_EINPUT, "not inside of the model's");
    REFUSED(external_net(NULL, NULL, NULL), WAIO_EINPUT, "not inside of the model's");
    REFUSED(external_net("missing.bin", NULL, NULL), WAIO_EINPUT, "missing.bin");
    REFUSED(external_net(".", NULL, NULL), WAIO_EINPUT, "not a regular file");
    REFUSED(external_net("w.bin", "12", NULL), WAIO_EINPUT, "96 bytes at byte 12");
    REFUSED(external_net("w.bin", "1000", NULL), WAIO_EINPUT, "96 bytes at byte 1000");
    REFUSED(external_net("w.bin", "0", "92"), WAIO_EINPUT, "92 bytes, expected 96");
    REFUSED(external_net("w.bin", "-4", NULL), WAIO_EINPUT, "offset \"-4\"");
    REFUSED(external_net("w.bin", "99999999999999999999", NULL), WAIO_EINPUT, "offset");
    REFUSED(external_net("w.bin", "4x", NULL), WAIO_EINPUT, "offset \"4x\"");
    builder *b = external_net("w.bin", "0", NULL);
    b->tensor[0]->dims[0] = INT64_C(1) << 36;
    REFUSED(b, WAIO_EINPUT, "bytes at byte 0");
}

/* ---- damaged files ---- */

static void test_truncation(void)
{
    size_t size = 0;
    unsigned char *data = pack(small_net(), &size);

    for (size_t n = 0; n < size; n++) {
        waio_graph *graph = NULL;
        waio_error_clear();
        CHECK(import_bytes(&graph, data, n) != WAIO_OK, "%zu of %zu bytes are a model", n, size);
        CHECK(strstr(waio_error_message(), "model.onnx: "), "%s", waio_error_message());
        waio_graph_free(graph);
    }
}

/* Ops whose attributes and shape arithmetic random bytes reach. */
static builder *varied_net(void)
{
    builder *b = small_net();

    add_ints(b, "zero", 1, (int64_t[]){0});
    add_ints(b, "one", 1, (int64_t[]){1});
    add_ints(b, "minus", 1, (int64_t[]){-1});
    add_tensor(b, "scale", DIMS(3, 1, 1));
    add_tensor(b, "scales", DIMS(4));
    add_node(b, "Shape", "a", "s");
    add_node(b, "Gather", "s zero", "n");
    add_node(b, "Slice", "s one minus zero one", "cut");
    add_node(b, "Mul", "cut one", "cut2");
    set_int(add_node(b, "Concat", "n minus", "target"), "axis", 0);
    add_node(b, "Mul", "a scale", "scaled");
    set_ints(add_node(b, "Transpose", "scaled", "t"), "perm", DIMS(0, 2, 3, 1));
    set_int(add_node(b, "Softmax", "t", "soft"), "axis", 2);
    set_ints(add_node(b, "MaxPool", "a", "p"), "kernel_shape", DIMS(2, 2));
    set_ints(add_node(b, "ReduceMean", "soft", "m"), "axes", DIMS(1, 2));
    add_node(b, "Reshape", "soft target", "flat");
    add_output(b, "flat");
    add_output(b, "m");
    add_output(b, "p");
    return b;
}

static void test_byte_flips(void)
{
    waio_rng rng = {7};
    waio_graph *graph = NULL;
    size_t size = 0;
    unsigned char *data = pack(varied_net(), &size), *damaged = take(size);
    int read = 0;

    CHECK_OK(import_bytes(&graph, data, size));
    waio_graph_free(graph);
    for (int round = 0; round < 4000; round++) {
        memcpy(damaged, data, size);
        for (uint64_t flips = 1 + waio_rng_below(&rng, 3); flips > 0; flips--)
            damaged[waio_rng_below(&rng, size)] = (unsigned char)waio_rng_next(&rng);
        graph = NULL;
        waio_error_clear();
        waio_status st = import_bytes(&graph, damaged, size);
        CHECK((st == WAIO_OK) == (graph != NULL), "round %d: status %d", round, (int)st);
        CHECK(st == WAIO_OK || *waio_error_message(), "round %d: no message", round);
        CHECK(st != WAIO_ENOMEM, "round %d: %s", round, waio_error_message());
        read += st == WAIO_OK;
        waio_graph_free(graph);
    }
    CHECK(read > 0 && read < 4000, "%d damaged files were read", read);
}

static void test_other_formats(void)
{
    waio_graph *graph = NULL;
    static const unsigned char tflite[16] = {0x1c, 0, 0, 0, 'T', 'F', 'L', '3'};
    static const unsigned char zip[16] = {'P', 'K', 3, 4}, pickle[16] = {0x80, 2, 'c'};
    unsigned char hdf5[1100] = {0};

    /* A TensorFlow Lite file by its letters, whatever its name; its own importer refuses this one.
     */
    CHECK_FAILS(import_bytes(&graph, tflite, sizeof tflite), WAIO_EINPUT, "byte 28: a table");
    CHECK_FAILS(import_bytes(&graph, zip, sizeof zip), WAIO_EUNSUPPORTED, "zip");
    CHECK_FAILS(import_bytes(&graph, pickle, sizeof pickle), WAIO_EUNSUPPORTED, "pickle");
    CHECK_FAILS(import_bytes(&graph, "", 0), WAIO_EINPUT, "not an ONNX model");
    CHECK_FAILS(import_bytes(&graph, "layers: 3\n", 10), WAIO_EINPUT, "not an ONNX model");
    memcpy(hdf5 + 1024, "\x89HDF\r\n\x1a\n", 8);
    CHECK(import_bytes(&graph, hdf5, sizeof hdf5) != WAIO_OK, "a broken HDF5 file");
    CHECK(!strstr(waio_error_message(), "ONNX"), "%s", waio_error_message());
    CHECK_FAILS(waio_import_model(&graph, "does/not/exist.onnx"), WAIO_EINPUT, "exist.onnx");
    CHECK_FAILS(waio_import_model(&graph, folder), WAIO_EINPUT, "not a regular file");
    CHECK_FAILS(waio_import_onnx(&graph, folder), WAIO_EINPUT, "not a regular file");
}

int main(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%.200s/waio_onnx_XXXXXX", base && *base ? base : "/tmp");
    arena = waio_arena_new();
    if (!mkdtemp(folder) || !arena)
        return 1;
    test_layout();
    test_folding();
    test_nothing_to_do();
    test_refused_nodes();
    test_refused_graphs();
    test_refused_tensors();
    test_bombs();
    test_nesting();
    test_external();
    test_truncation();
    test_byte_flips();
    test_other_formats();
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/w.bin", folder);
    unlink(path);
    rmdir(folder);
    waio_arena_free(arena);
    return waio_check_result();
}
