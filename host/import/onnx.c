/* ONNX (onnx.ai): a protobuf message with a list of nodes in execution order, the initializers, and
 * one graph input. This file reads the frame; a node becomes ours through its row in onnx_ops.def.
 */
#include <inttypes.h>
#include <string.h>

#include "import/import.h"
#include "import/onnx_import.h"
#include "util/file.h"

enum { FREE_NUMBERS = 1 << 24 }; /* constants may grow to that many numbers from nothing */

/* ---- the file ---- */

static waio_status unpack(Onnx__ModelProto **model, const char *path)
{
    waio_status st = WAIO_OK;
    waio_arena *arena = waio_arena_new();
    unsigned char *data = NULL;
    size_t size = 0;

    if (!arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_file_read(&data, &size, path, arena));
    st = waio_onnx_check_wire(&onnx__model_proto__descriptor, data, size);
    if (st != WAIO_OK) {
        waio_error_context(st, "%.300s", path);
        goto done;
    }
    *model = onnx__model_proto__unpack(NULL, size, data);
    if (!*model)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "%.300s: not an ONNX model, or a broken one, or too large for "
                  "the memory",
                  path);
done:
    waio_arena_free(arena);
    return st;
}

static waio_status read_opset(waio_onnx *onnx, const Onnx__ModelProto *model)
{
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *set = model->opset_import[i];
        if (set->domain && *set->domain && strcmp(set->domain, "ai.onnx") != 0)
            continue; /* nodes of another domain are refused one by one */
        if (onnx->opset && onnx->opset != set->version)
            return waio_error(WAIO_EINPUT, "asks for two opsets, %" PRId64 " and %" PRId64,
                              onnx->opset, set->version);
        onnx->opset = set->version;
        if (onnx->opset < WAIO_ONNX_OPSET_MIN || onnx->opset > WAIO_ONNX_OPSET_MAX)
            return waio_error(WAIO_EUNSUPPORTED, "opset %" PRId64 ", supported are %d to %d",
                              onnx->opset, WAIO_ONNX_OPSET_MIN, WAIO_ONNX_OPSET_MAX);
    }
    if (!onnx->opset)
        return waio_error(WAIO_EINPUT, "not an ONNX model: it names no opset");
    return WAIO_OK;
}

static waio_status make_names(waio_onnx *onnx, const Onnx__GraphProto *graph)
{
    waio_status st = WAIO_OK;
    size_t most = graph->n_initializer + graph->n_node + 2;

    onnx->slot_count = 16;
    while (onnx->slot_count < 2 * most)
        onnx->slot_count *= 2;
    WAIO_NEW(st, onnx->slot, onnx->arena, onnx->slot_count);
    WAIO_NEW(st, onnx->value, onnx->arena, most);
done:
    return st;
}

static waio_status define_initializers(waio_onnx *onnx, const Onnx__GraphProto *graph)
{
    waio_status st = WAIO_OK;
    waio_onnx_value *value = NULL;

    if (graph->n_sparse_initializer)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "sparse initializers are not supported");
    for (size_t i = 0; i < graph->n_initializer; i++) {
        WAIO_TRY(st, waio_onnx_define(onnx, graph->initializer[i]->name, &value));
        value->kind = WAIO_ONNX_UNREAD;
        value->tensor = graph->initializer[i];
    }
done:
    return st;
}

/* ---- the input ---- */

/* The one graph input that no initializer stands for (before IR version 4 all were listed). */
static waio_status find_input(const waio_onnx *onnx, const Onnx__GraphProto *graph,
                              const Onnx__ValueInfoProto **out)
{
    *out = NULL;
    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__ValueInfoProto *input = graph->input[i];
        if (!input->name || !*input->name)
            return waio_error(WAIO_EINPUT, "input %zu has no name", i);
        if (waio_onnx_find(onnx, input->name))
            continue;
        if (*out)
            return waio_error(WAIO_EUNSUPPORTED,
                              "inputs \"%.100s\" and \"%.100s\": only networks "
                              "with one input are supported",
                              (*out)->name, input->name);
        *out = input;
    }
    if (!*out)
        return waio_error(WAIO_EINPUT, "the network has no input");
    return WAIO_OK;
}

static int64_t dim_of(const Onnx__TensorShapeProto__Dimension *dim)
{
    bool fixed = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    return fixed && dim->dim_value > 0 ? dim->dim_value : 0;
}

static waio_status input_shape(waio_onnx *onnx, waio_shape *out, const Onnx__ValueInfoProto *input)
{
    const Onnx__TypeProto *type = input->type;
    bool is_tensor = type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    const Onnx__TensorShapeProto *shape = is_tensor ? type->tensor_type->shape : NULL;

    if (!is_tensor || type->tensor_type->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return waio_error(WAIO_EUNSUPPORTED, "input \"%.100s\" is no float32 tensor", input->name);
    if (!shape || shape->n_dim < 1 || shape->n_dim > WAIO_MAX_RANK)
        return waio_error(WAIO_EUNSUPPORTED,
                          "input \"%.100s\" has %zu dimensions, expected 1 to %d", input->name,
                          shape ? shape->n_dim : 0, WAIO_MAX_RANK);
    *out = (waio_shape){.rank = (int)shape->n_dim, .dim = {1}};
    onnx->batch = dim_of(shape->dim[0]);
    for (int i = 1; i < out->rank; i++) {
        out->dim[i] = dim_of(shape->dim[i]);
        if (!out->dim[i])
            return waio_error(WAIO_EUNSUPPORTED,
                              "dimension %d of input \"%.100s\" has no fixed "
                              "size: export the model for one image size",
                              i, input->name);
    }
    return WAIO_OK;
}

static bool one_of(const char *type, const char *const *list)
{
    while (*list && strcmp(*list, type) != 0)
        list++;
    return *list != NULL;
}

/* What the first op that cares says about the order of an image's dimensions: 1 channels first, -1
 * channels last, 0 nothing. */
static int layout_told_by(const Onnx__NodeProto *node)
{
    static const char *const first[] = {"Conv",        "BatchNormalization", "MaxPool",
                                        "AveragePool", "GlobalAveragePool",  "GlobalMaxPool",
                                        NULL};
    static const int64_t to_first[4] = {0, 3, 1, 2}, to_last[4] = {0, 2, 3, 1};
    const Onnx__AttributeProto *perm = waio_onnx_attr(node, "perm");

    if (one_of(node->op_type, first))
        return 1;
    if (strcmp(node->op_type, "Transpose") != 0 || !perm || perm->n_ints != 4)
        return 0;
    if (memcmp(perm->ints, to_first, sizeof to_first) == 0)
        return -1;
    return memcmp(perm->ints, to_last, sizeof to_last) == 0 ? 1 : 0;
}

/* Follows the image from the input through ops that keep its layout. If nothing is said, an image
 * with 1, 3 or 4 channels in the last dimension but not in dimension 1 has them last. */
static bool channels_first(const Onnx__GraphProto *graph, const char *input,
                           const waio_shape *shape)
{
    static const char *const keeps[] = {"Add",      "Cast", "Clip", "Div", "Dropout",
                                        "Identity", "Max",  "Mul",  "Pad", "Relu",
                                        "Sigmoid",  "Sub",  "Sum",  NULL};
    enum { MOST = 16 };
    const char *followed[MOST] = {input};
    int count = 1, told = 0;

    for (size_t n = 0; n < graph->n_node && !told; n++) {
        const Onnx__NodeProto *node = graph->node[n];
        bool reads = false;
        for (size_t i = 0; i < node->n_input; i++)
            for (int k = 0; k < count; k++)
                reads = reads || strcmp(node->input[i], followed[k]) == 0;
        if (!reads || !node->op_type || !node->n_output)
            continue;
        told = layout_told_by(node);
        if (!told && one_of(node->op_type, keeps) && count < MOST)
            followed[count++] = node->output[0];
    }
    int64_t front = shape->dim[1], back = shape->dim[3];
    if (told == 0 && (back == 1 || back == 3 || back == 4))
        return front == 1 || front == 3 || front == 4;
    return told >= 0;
}

static waio_status define_input(waio_onnx *onnx, const Onnx__GraphProto *graph)
{
    waio_status st = WAIO_OK;
    const Onnx__ValueInfoProto *input = NULL;
    waio_onnx_value *value = NULL;
    waio_shape shape, ours;

    WAIO_TRY(st, find_input(onnx, graph, &input));
    WAIO_TRY(st, input_shape(onnx, &shape, input));
    WAIO_TRY(st, waio_onnx_define(onnx, input->name, &value));
    value->kind = WAIO_ONNX_ACTIVATION;
    waio_onnx_identity(shape.rank, value->perm);
    onnx->channels_first = shape.rank == 4 && channels_first(graph, input->name, &shape);
    if (onnx->channels_first)
        waio_onnx_channels_last(4, value->perm);
    ours = shape;
    for (int i = 0; i < shape.rank; i++)
        ours.dim[value->perm[i]] = shape.dim[i];
    WAIO_TRY(st, waio_graph_add_input(onnx->graph, &value->id, input->name, &ours));
done:
    return st;
}

/* ---- the outputs ---- */

/* Images leave as they came: if the input is NCHW in the file and so NHWC here, outputs of four
 * dimensions are turned in the same way. All others keep ONNX's order. */
static waio_status add_output(waio_onnx *onnx, const Onnx__ValueInfoProto *output)
{
    waio_status st = WAIO_OK;
    const char *name = output->name ? output->name : "";
    waio_onnx_value *value = waio_onnx_find(onnx, name);
    int perm[WAIO_MAX_RANK] = {0}, id = 0;

    if (!value)
        WAIO_FAIL(st, WAIO_EINPUT, "output \"%.100s\" is not the first output of any node", name);
    if (value->kind != WAIO_ONNX_ACTIVATION || value->perm[0] != 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "output \"%.100s\" is %s", name,
                  value->kind != WAIO_ONNX_ACTIVATION ? "a constant"
                                                      : "not led by the batch dimension");
    int rank = waio_onnx_rank(onnx, value);
    waio_onnx_identity(rank, perm);
    if (rank == 4 && onnx->channels_first)
        waio_onnx_channels_last(rank, perm);
    onnx->node_name = name;
    WAIO_TRY(st, waio_onnx_in_layout(onnx, &id, value, perm));
    if (id == onnx->graph->input) { /* a network that does nothing */
        waio_node copy = {.op = WAIO_OP_RESHAPE, .input = {id}, .input_count = 1};
        copy.reshape.shape = onnx->graph->value[id].shape;
        WAIO_TRY(st, waio_onnx_emit(onnx, &id, &copy, NULL));
    }
    WAIO_TRY(st, waio_graph_add_output(onnx->graph, id));
done:
    return st;
}

/* ---- all of it ---- */

static waio_status import_model(waio_onnx *onnx, const Onnx__ModelProto *model)
{
    waio_status st = WAIO_OK;
    const Onnx__GraphProto *graph = model->graph;

    if (!graph)
        WAIO_FAIL(st, WAIO_EINPUT, "not an ONNX model: it holds no graph");
    WAIO_TRY(st, read_opset(onnx, model));
    WAIO_TRY(st, make_names(onnx, graph));
    WAIO_TRY(st, define_initializers(onnx, graph));
    WAIO_TRY(st, define_input(onnx, graph));
    for (size_t i = 0; i < graph->n_node; i++)
        WAIO_TRY(st, waio_onnx_import_node(onnx, graph->node[i]));
    for (size_t i = 0; i < graph->n_output; i++)
        WAIO_TRY(st, add_output(onnx, graph->output[i]));
    WAIO_TRY(st, waio_graph_validate(onnx->graph));
done:
    return st;
}

/* The file's name without folder and ".onnx". */
static const char *graph_name(waio_arena *arena, const char *path)
{
    const char *base = waio_path_base(path);
    size_t n = strlen(base);

    if (n > 5 && waio_path_has_suffix(base, ".onnx"))
        n -= 5;
    return waio_arena_printf(arena, "%.*s", (int)n, base);
}

waio_status waio_import_onnx(waio_graph **out, const char *path)
{
    waio_status st = WAIO_OK;
    waio_onnx onnx = {.path = path, .spare_numbers = FREE_NUMBERS, .node_name = "model"};
    Onnx__ModelProto *model = NULL;

    WAIO_TRY(st, unpack(&model, path));
    onnx.arena = waio_arena_new();
    const char *name = onnx.arena ? graph_name(onnx.arena, path) : NULL;
    onnx.graph = name ? waio_graph_new(name) : NULL;
    if (!onnx.graph) {
        st = WAIO_ENOMEM;
        goto done;
    }
    st = import_model(&onnx, model);
    if (st != WAIO_OK) {
        waio_error_context(st, "%.300s", path);
        goto done;
    }
    *out = onnx.graph;
    onnx.graph = NULL;
done:
    waio_graph_free(onnx.graph);
    waio_arena_free(onnx.arena);
    if (model)
        onnx__model_proto__free_unpacked(model, NULL);
    return st;
}
