/* Writes a small network as an ONNX file, for tests of sessions:
 *
 *   x (3, S, S) -> mul -> c1 4, stride 2 -> relu -> c2 4 -> concat with the pooled mul -> c3 6,
 *   stride 2 -> relu -> mean -> fc1 10 -> fc2 10 -> add fc1 -> softmax
 *
 * Something crosses each place where sessions cut it: the pooled image passes by c1, fc1 by fc2. */
#ifndef WAIO_TESTS_TINY_ONNX_H
#define WAIO_TESTS_TINY_ONNX_H

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "onnx/onnx.pb-c.h"
#include "util/arena.h"
#include "util/rng.h"

typedef struct tiny_options {
    int side, classes; /* 32 and 10 fit the shapes data set */
    float head;        /* weights of fc2 lie in +-head; 0: so do its bias and fc1's numbers */
    uint64_t seed;
} tiny_options;

/* Layers of the network with weights, and all its nodes once it is imported and optimized: mul,
 * pool, c1, c2, concat, c3, mean, reshape, fc1, fc2, add, softmax. */
enum { TINY_LAYERS = 5, TINY_NODES = 12 };

typedef struct tiny_writer {
    waio_arena *arena;
    waio_rng rng;
    Onnx__GraphProto *graph;
} tiny_writer;

/* A zeroed array of pointers with room for all that this network has. */
static inline void *tiny_list(const tiny_writer *w)
{
    return waio_arena_alloc(w->arena, 32 * sizeof(void *));
}

#define TINY_NEW(w, type, init)                                                                    \
    type *made = waio_arena_alloc((w)->arena, sizeof *made);                                       \
    init(made)

static inline void tiny_tensor(tiny_writer *w, const char *name, float reach, size_t rank,
                               const int64_t *dims)
{
    TINY_NEW(w, Onnx__TensorProto, onnx__tensor_proto__init);
    size_t count = 1;

    made->name = waio_arena_strdup(w->arena, name);
    made->dims = waio_arena_array(w->arena, rank + 1, sizeof *made->dims);
    made->n_dims = rank;
    for (size_t i = 0; i < rank; i++)
        count *= (size_t)(made->dims[i] = dims[i]);
    made->has_data_type = 1;
    made->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    made->n_float_data = count;
    made->float_data = waio_arena_array(w->arena, count, sizeof(float));
    for (size_t i = 0; i < count; i++)
        made->float_data[i] = (waio_rng_unit(&w->rng) * 2 - 1) * reach;
    w->graph->initializer[w->graph->n_initializer++] = made;
}

static inline Onnx__NodeProto *tiny_node(tiny_writer *w, const char *type, const char *output,
                                         const char *inputs)
{
    TINY_NEW(w, Onnx__NodeProto, onnx__node_proto__init);
    char *copy = waio_arena_strdup(w->arena, inputs), *save = NULL;

    made->op_type = waio_arena_strdup(w->arena, type);
    made->name = waio_arena_strdup(w->arena, output);
    made->input = tiny_list(w);
    made->output = tiny_list(w);
    made->attribute = tiny_list(w);
    for (char *at = strtok_r(copy, " ", &save); at; at = strtok_r(NULL, " ", &save))
        made->input[made->n_input++] = at;
    made->output[made->n_output++] = made->name;
    w->graph->node[w->graph->n_node++] = made;
    return made;
}

static inline void tiny_ints(tiny_writer *w, Onnx__NodeProto *node, const char *name, size_t count,
                             int64_t number)
{
    TINY_NEW(w, Onnx__AttributeProto, onnx__attribute_proto__init);

    made->name = waio_arena_strdup(w->arena, name);
    made->has_type = 1;
    made->type = count ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS
                       : ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    made->has_i = count == 0;
    made->i = number;
    made->n_ints = count;
    made->ints = waio_arena_array(w->arena, count + 1, sizeof *made->ints);
    for (size_t i = 0; i < count; i++)
        made->ints[i] = number;
    node->attribute[node->n_attribute++] = made;
}

/* `name` = conv3x3(`input`) with padding 1, named weights and bias. */
static inline void tiny_conv(tiny_writer *w, const char *name, const char *input, int64_t out,
                             int64_t in, int64_t stride)
{
    char weight[16], bias[16], inputs[64];

    snprintf(weight, sizeof weight, "%s_w", name);
    snprintf(bias, sizeof bias, "%s_b", name);
    snprintf(inputs, sizeof inputs, "%s %s %s", input, weight, bias);
    tiny_tensor(w, weight, 0.4f, 4, (int64_t[]){out, in, 3, 3});
    tiny_tensor(w, bias, 0.2f, 1, &out);
    Onnx__NodeProto *node = tiny_node(w, "Conv", name, inputs);
    tiny_ints(w, node, "pads", 4, 1);
    tiny_ints(w, node, "strides", 2, stride);
}

static inline void tiny_gemm(tiny_writer *w, const char *name, const char *input, int64_t out,
                             int64_t in, float reach)
{
    char weight[16], bias[16], inputs[64];

    snprintf(weight, sizeof weight, "%s_w", name);
    snprintf(bias, sizeof bias, "%s_b", name);
    snprintf(inputs, sizeof inputs, "%s %s %s", input, weight, bias);
    tiny_tensor(w, weight, reach, 2, (int64_t[]){out, in});
    tiny_tensor(w, bias, reach / 4, 1, &out);
    tiny_ints(w, tiny_node(w, "Gemm", name, inputs), "transB", 0, 1);
}

static inline void tiny_layers(tiny_writer *w, const tiny_options *o)
{
    tiny_tensor(w, "factor", 0, 0, NULL);
    w->graph->initializer[0]->float_data[0] = 1.0f / 128;
    tiny_node(w, "Mul", "scaled", "x factor");
    tiny_conv(w, "c1", "scaled", 4, 3, 2);
    tiny_node(w, "Relu", "r1", "c1");
    tiny_conv(w, "c2", "r1", 4, 4, 1);
    Onnx__NodeProto *pool = tiny_node(w, "AveragePool", "pool", "scaled");
    tiny_ints(w, pool, "kernel_shape", 2, 2);
    tiny_ints(w, pool, "strides", 2, 2);
    tiny_ints(w, tiny_node(w, "Concat", "both", "c2 pool"), "axis", 0, 1);
    tiny_conv(w, "c3", "both", 6, 7, 2);
    tiny_node(w, "Relu", "r3", "c3");
    tiny_node(w, "GlobalAveragePool", "mean", "r3");
    tiny_node(w, "Flatten", "flat", "mean");
    tiny_gemm(w, "fc1", "flat", o->classes, 6, o->head > 0 ? 2 : 0);
    tiny_gemm(w, "fc2", "fc1", o->classes, o->classes, o->head);
    tiny_node(w, "Add", "sum", "fc2 fc1");
    tiny_node(w, "Softmax", "y", "sum");
}

static inline Onnx__ValueInfoProto *tiny_value(const tiny_writer *w, const char *name, size_t rank,
                                               const int64_t *dims)
{
    TINY_NEW(w, Onnx__ValueInfoProto, onnx__value_info_proto__init);
    Onnx__TypeProto *type = waio_arena_alloc(w->arena, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = waio_arena_alloc(w->arena, sizeof *tensor);
    Onnx__TensorShapeProto *shape = waio_arena_alloc(w->arena, sizeof *shape);

    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    made->name = waio_arena_strdup(w->arena, name);
    made->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = shape;
    shape->dim = tiny_list(w);
    for (shape->n_dim = 0; shape->n_dim < rank; shape->n_dim++) {
        Onnx__TensorShapeProto__Dimension *dim = waio_arena_alloc(w->arena, sizeof *dim);
        onnx__tensor_shape_proto__dimension__init(dim);
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = dims[shape->n_dim];
        shape->dim[shape->n_dim] = dim;
    }
    return made;
}

/* Writes the network to `path`. */
static inline void tiny_write(const char *path, const tiny_options *o)
{
    tiny_writer w = {.arena = waio_arena_new(), .rng = {o->seed}};
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = {&opset};
    Onnx__ValueInfoProto *input, *output;

    w.graph = &graph;
    graph.node = tiny_list(&w);
    graph.initializer = tiny_list(&w);
    tiny_layers(&w, o);
    input = tiny_value(&w, "x", 4, (int64_t[]){1, 3, o->side, o->side});
    output = tiny_value(&w, "y", 0, NULL);
    graph.input = &input;
    graph.output = &output;
    graph.n_input = graph.n_output = 1;
    opset.has_version = model.has_ir_version = 1;
    opset.version = 13;
    model.ir_version = 8;
    model.graph = &graph;
    model.opset_import = opsets;
    model.n_opset_import = 1;
    size_t size = onnx__model_proto__get_packed_size(&model);
    unsigned char *data = waio_arena_alloc(w.arena, size);
    onnx__model_proto__pack(&model, data);
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(data, 1, size, file) == size, "%s cannot be written", path);
    if (file)
        fclose(file);
    waio_arena_free(w.arena);
}

#endif
