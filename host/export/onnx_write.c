/* The model around the nodes: inputs, outputs, versions, bytes. */
#include "export/onnx_write.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "export/onnx_out.h"

/* ---- versions ---- */

/* The lowest opset that has what the graph needs. */
static int opset_of(const waio_graph *graph)
{
    int opset = 17;

    for (int v = 0; v < graph->value_count; v++)
        if (graph->value[v].type == WAIO_S16 || graph->value[v].stored == WAIO_S16)
            opset = 21; /* int16 in QuantizeLinear */
    return opset;
}

static int ir_version_of(int opset)
{
    return opset < 21 ? 8 : 10;
}

/* ---- inputs and outputs ---- */

static waio_onnxo_type element_type(const waio_onnxo *out, int id)
{
    return out->graph->value[id].type == WAIO_F32 ? WAIO_ONNXO_F32 : waio_onnxo_code_type(out, id);
}

static Onnx__TensorShapeProto *shape_proto(waio_onnxo *out, const waio_shape *shape)
{
    static char batch[] = "N";
    size_t rank = (size_t)shape->rank;
    Onnx__TensorShapeProto *proto = waio_onnxo_room(out, 1, sizeof *proto);
    Onnx__TensorShapeProto__Dimension *dim = waio_onnxo_room(out, rank, sizeof *dim);
    Onnx__TensorShapeProto__Dimension **dims = waio_onnxo_room(out, rank, sizeof *dims);

    if (!dims)
        return NULL;
    onnx__tensor_shape_proto__init(proto);
    for (size_t i = 0; i < rank; i++) {
        onnx__tensor_shape_proto__dimension__init(&dim[i]);
        dim[i].value_case = i ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                              : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        if (i)
            dim[i].dim_value = shape->dim[i];
        else
            dim[i].dim_param = batch;
        dims[i] = &dim[i];
    }
    proto->n_dim = rank;
    proto->dim = dims;
    return proto;
}

/* What is said of tensor `name`, which holds value `id`; NULL when out of memory. */
static Onnx__ValueInfoProto *value_info(waio_onnxo *out, int id, const char *name)
{
    Onnx__ValueInfoProto *info = waio_onnxo_room(out, 1, sizeof *info);
    Onnx__TypeProto *type = waio_onnxo_room(out, 1, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = waio_onnxo_room(out, 1, sizeof *tensor);
    Onnx__TensorShapeProto *shape = shape_proto(out, &out->graph->value[id].shape);

    if (!shape)
        return NULL;
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    tensor->has_elem_type = 1;
    tensor->elem_type = (int32_t)element_type(out, id);
    tensor->shape = shape;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    info->name = (char *)name;
    info->type = type;
    return info;
}

/* The tensor of output `index`: none that entered the network, or left it as one of `before`. */
static const char *output_name(waio_onnxo *out, Onnx__ValueInfoProto *const *before, int index)
{
    int id = out->graph->output[index];
    const waio_value *value = &out->graph->value[id];
    const char *name = value->type == WAIO_F32 ? waio_onnxo_real(out, id, WAIO_ONNXO_PLAIN)
                                               : waio_onnxo_codes(out, id, WAIO_ONNXO_PLAIN);
    bool again = strcmp(name, out->input) == 0;

    for (int i = 0; i < index; i++)
        again = again || (before[i] && strcmp(before[i]->name, name) == 0);
    return again ? WAIO_ONNXO_NODE(out, "Identity", value->name, name) : name;
}

/* ---- the model ---- */

/* An image is brought to the inner order at once: whoever reads the file sees by that what its
 * dimensions are. */
static void add_input(waio_onnxo *out)
{
    int id = out->graph->input;
    const waio_value *input = &out->graph->value[id];
    waio_onnxo_value *form = &out->value[id];
    const char **forms = input->type == WAIO_F32 ? form->real : form->codes;

    out->input = waio_onnxo_name(out, input->name, "input");
    forms[WAIO_ONNXO_PLAIN] = out->input;
    if (input->shape.rank != 4)
        return;
    (input->type == WAIO_F32 ? waio_onnxo_real : waio_onnxo_codes)(out, id, WAIO_ONNXO_FIRST);
    forms[WAIO_ONNXO_PLAIN] = NULL;
}

static waio_status collect_nodes(waio_onnxo *out)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = out->graph;

    WAIO_NEW(st, out->value, out->arena, (size_t)graph->value_count);
    out->value[graph->input].visible = true;
    for (int i = 0; i < graph->output_count; i++)
        out->value[graph->output[i]].visible = true;
    add_input(out);
    for (int n = 0; n < graph->node_count; n++)
        if ((st = waio_onnxo_write_node(out, &graph->node[n])) != WAIO_OK) {
            waio_error_context(st, "node \"%s\" (%s)", graph->node[n].name,
                               waio_op_name(graph->node[n].op));
            goto done;
        }
done:
    return st;
}

static void fill_graph(waio_onnxo *out, Onnx__GraphProto *proto)
{
    const waio_graph *graph = out->graph;
    size_t outputs = (size_t)graph->output_count;
    Onnx__ValueInfoProto **in = waio_onnxo_room(out, 1, sizeof *in);
    Onnx__ValueInfoProto **results = waio_onnxo_room(out, outputs, sizeof *results);

    if (out->failed)
        return;
    *in = value_info(out, graph->input, out->input);
    for (int i = 0; i < graph->output_count; i++)
        results[i] = value_info(out, graph->output[i], output_name(out, results, i));
    proto->name = (char *)graph->name;
    proto->n_input = 1;
    proto->input = in;
    proto->n_output = outputs;
    proto->output = results;
    proto->n_node = out->node_count;
    proto->node = out->node;
    proto->n_initializer = out->constant_count;
    proto->initializer = out->constant;
}

/* Protobuf messages end at 2 GiB. */
static waio_status pack(unsigned char **data, size_t *size, const Onnx__ModelProto *model)
{
    size_t bytes = onnx__model_proto__get_packed_size(model);

    if (bytes > INT_MAX)
        return waio_error(WAIO_EUNSUPPORTED, "an ONNX file holds less than 2 GiB, not %zu bytes",
                          bytes);
    *data = malloc(bytes);
    if (!*data)
        return waio_error(WAIO_ENOMEM, "out of memory");
    *size = onnx__model_proto__pack(model, *data);
    return WAIO_OK;
}

static waio_status write_model(unsigned char **data, size_t *size, waio_onnxo *out)
{
    static char producer[] = "waio", version[] = WAIO_VERSION;
    waio_status st = WAIO_OK;
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets = &opset;

    WAIO_TRY(st, collect_nodes(out));
    fill_graph(out, &graph);
    if (out->failed)
        return WAIO_ENOMEM;
    opset.has_version = 1;
    opset.version = out->opset;
    model.has_ir_version = 1;
    model.ir_version = ir_version_of(out->opset);
    model.producer_name = producer;
    model.producer_version = version;
    model.n_opset_import = 1;
    model.opset_import = &opsets;
    model.graph = &graph;
    WAIO_TRY(st, pack(data, size, &model));
done:
    return st;
}

waio_status waio_onnx_write(unsigned char **data, size_t *size, const waio_graph *graph)
{
    waio_status st = WAIO_OK;
    waio_onnxo out = {.graph = graph, .arena = waio_arena_new(), .opset = opset_of(graph)};

    if (!out.arena)
        return WAIO_ENOMEM;
    st = write_model(data, size, &out);
    free(out.node);
    free(out.constant);
    free(out.taken);
    waio_arena_free(out.arena);
    return st;
}
