/* TensorFlow Lite files: tensors with their scales and zero points, and the walk over the
 * operators, which stand in execution order. Only the first subgraph is a network here. */
#include <math.h>
#include <string.h>

#include "import/import.h"
#include "import/tflite_import.h"
#include "util/file.h"

enum { MODEL_CODES = 1, MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4 };
enum { GRAPH_TENSORS = 0, GRAPH_INPUTS = 1, GRAPH_OUTPUTS = 2, GRAPH_OPERATORS = 3 };
enum { TENSOR_SHAPE = 0, TENSOR_TYPE = 1, TENSOR_BUFFER = 2, TENSOR_NAME = 3, TENSOR_QUANT = 4 };
enum { QUANT_SCALE = 2, QUANT_ZERO_POINT = 3, QUANT_AXIS = 6 };
enum { OPERATOR_CODE = 0, OPERATOR_INPUTS = 1, OPERATOR_OUTPUTS = 2, OPERATOR_OPTIONS = 4 };
enum { CODE_OLD = 0, CODE_CUSTOM = 1, CODE_NEW = 3, CUSTOM = 32 };

/* ---- tensors ---- */

static size_t element_bytes(waio_tfl_type type)
{
    switch (type) {
    case WAIO_TFL_F32:
    case WAIO_TFL_S32:
        return 4;
    case WAIO_TFL_F16:
    case WAIO_TFL_S16:
        return 2;
    case WAIO_TFL_S64:
        return 8;
    default:
        return 1;
    }
}

static waio_status read_shape(waio_tfl_tensor *tensor, const waio_flatbuf *file,
                              const waio_flat_table *table)
{
    waio_status st = WAIO_OK;
    waio_flat_vector dims;

    WAIO_TRY(st, waio_flat_vector_field(&dims, file, table, TENSOR_SHAPE, 4));
    if (dims.count > WAIO_MAX_RANK)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "%s: tensor \"%s\" has %u dimensions, at most %d are "
                  "supported",
                  file->path, tensor->name, dims.count, WAIO_MAX_RANK);
    tensor->shape.rank = (int)dims.count;
    for (uint32_t i = 0; i < dims.count; i++)
        tensor->shape.dim[i] = waio_flat_i32_at(file, &dims, i);
    if (waio_shape_count(&tensor->shape) < 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s: tensor \"%s\" has no fixed shape", file->path,
                  tensor->name);
done:
    return st;
}

static waio_status read_params(waio_tfl_tensor *tensor, const waio_flatbuf *file,
                               const waio_flat_table *table)
{
    waio_status st = WAIO_OK;
    waio_flat_table quant;

    WAIO_TRY(st, waio_flat_child(&quant, file, table, TENSOR_QUANT));
    WAIO_TRY(st, waio_flat_vector_field(&tensor->scale, file, &quant, QUANT_SCALE, 4));
    WAIO_TRY(st, waio_flat_vector_field(&tensor->zero_point, file, &quant, QUANT_ZERO_POINT, 8));
    WAIO_TRY(st, waio_flat_i32(&tensor->axis, file, &quant, QUANT_AXIS, 0));
    if (tensor->scale.count && tensor->zero_point.count &&
        tensor->scale.count != tensor->zero_point.count)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: tensor \"%s\" has %u scales and %u zero points", file->path,
                  tensor->name, tensor->scale.count, tensor->zero_point.count);
    for (uint32_t i = 0; i < tensor->scale.count; i++) {
        float scale = waio_flat_f32_at(file, &tensor->scale, i);
        if (!isfinite(scale) || scale < 0)
            WAIO_FAIL(st, WAIO_EINPUT,
                      "%s: tensor \"%s\": scale %u is %g, expected a positive "
                      "number",
                      file->path, tensor->name, i, (double)scale);
    }
done:
    return st;
}

static waio_status read_data(waio_tfl_tensor *tensor, const waio_flatbuf *file,
                             const waio_flat_table *table, const waio_flat_vector *buffers)
{
    waio_status st = WAIO_OK;
    waio_flat_table buffer;
    int32_t index = 0;

    WAIO_TRY(st, waio_flat_i32(&index, file, table, TENSOR_BUFFER, 0));
    WAIO_TRY(st, waio_flat_element(&buffer, file, buffers, (uint32_t)index));
    WAIO_TRY(st, waio_flat_vector_field(&tensor->data, file, &buffer, 0, 1));
    size_t expected = (size_t)waio_shape_count(&tensor->shape) * element_bytes(tensor->type);
    if (tensor->data.count == 0)
        tensor->data = (waio_flat_vector){0};
    else if (tensor->data.count != expected)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: tensor \"%s\" has %u bytes of data, its shape asks for %zu",
                  file->path, tensor->name, tensor->data.count, expected);
done:
    return st;
}

static waio_status read_tensor(waio_tfl_tensor *tensor, waio_tfl *tfl, const waio_flat_table *table,
                               const waio_flat_vector *buffers)
{
    waio_status st = WAIO_OK;
    uint8_t type = 0;

    tensor->id = -1;
    WAIO_TRY(st, waio_flat_string(&tensor->name, &tfl->file, table, TENSOR_NAME));
    WAIO_TRY(st, waio_flat_u8(&type, &tfl->file, table, TENSOR_TYPE, 0));
    tensor->type = (waio_tfl_type)type;
    WAIO_TRY(st, read_shape(tensor, &tfl->file, table));
    WAIO_TRY(st, read_params(tensor, &tfl->file, table));
    WAIO_TRY(st, read_data(tensor, &tfl->file, table, buffers));
done:
    return st;
}

/* ---- types ---- */

static waio_status graph_type(waio_type *type, const waio_tfl *tfl, const waio_tfl_tensor *tensor)
{
    switch (tensor->type) {
    case WAIO_TFL_F32:
    case WAIO_TFL_F16:
        *type = WAIO_F32;
        return WAIO_OK;
    case WAIO_TFL_S8:
        *type = WAIO_S8;
        break;
    case WAIO_TFL_S16:
        *type = WAIO_S16;
        break;
    case WAIO_TFL_S32:
        *type = WAIO_S32;
        break;
    case WAIO_TFL_S64:
        *type = WAIO_S64;
        break;
    default:
        return waio_error(WAIO_EUNSUPPORTED,
                          "%s: tensor \"%s\" has type %d; supported are float32, float16 weights, "
                          "int8, int16, and int32 and int64 biases (uint8 networks: not yet)",
                          tfl->file.path, tensor->name, (int)tensor->type);
    }
    if (tensor->scale.count == 0)
        return waio_error(WAIO_EUNSUPPORTED, "%s: tensor \"%s\" is of integers without a scale",
                          tfl->file.path, tensor->name);
    return WAIO_OK;
}

/* Scales and zero points as the graph has them, in the import's arena. */
static waio_status graph_params(waio_value_params *params, waio_type type, const waio_tfl *tfl,
                                const waio_tfl_tensor *tensor, int axis)
{
    static const int bits[] = {32, 8, 16, 32, 64};
    waio_status st = WAIO_OK;
    float *scale = NULL;
    int32_t *zero_point = NULL;

    WAIO_NEW(st, scale, tfl->arena, tensor->scale.count);
    WAIO_NEW(st, zero_point, tfl->arena, tensor->scale.count);
    for (uint32_t i = 0; i < tensor->scale.count; i++) {
        scale[i] = waio_flat_f32_at(&tfl->file, &tensor->scale, i);
        if (tensor->zero_point.count)
            zero_point[i] = (int32_t)waio_flat_i64_at(&tfl->file, &tensor->zero_point, i);
        if (scale[i] == 0)
            scale[i] = 1; /* a channel of zeros */
    }
    *params = (waio_value_params){.bits = bits[type],
                                  .axis = axis,
                                  .count = (int)tensor->scale.count,
                                  .scale = scale,
                                  .zero_point = zero_point};
done:
    return st;
}

static float half_to_float(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float value = exponent == 0    ? ldexpf((float)fraction, -24)
                  : exponent == 31 ? (fraction ? NAN : INFINITY)
                                   : ldexpf((float)(fraction | 1024), exponent - 25);
    return half & 0x8000 ? -value : value;
}

static void copy_floats(float *out, const waio_tfl *tfl, const waio_tfl_tensor *tensor,
                        const int64_t *from, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t k = (uint32_t)(from ? from[i] : i);
        const unsigned char *half = tfl->file.data + tensor->data.at + 2 * (size_t)k;
        out[i] = tensor->type == WAIO_TFL_F16 ? half_to_float((uint16_t)(half[0] | half[1] << 8))
                                              : waio_flat_f32_at(&tfl->file, &tensor->data, k);
    }
}

waio_status waio_tfl_constant(int *id, waio_tfl *tfl, const waio_tfl_tensor *tensor,
                              const waio_shape *shape, const int64_t *from, int axis)
{
    waio_status st = WAIO_OK;
    waio_type type = WAIO_F32;
    waio_value_params params;
    void *codes = NULL;
    float *floats = NULL;
    int64_t count = waio_shape_count(shape);

    if (!tensor->data.at)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s: tensor \"%s\" is computed, expected a constant",
                  tfl->file.path, tensor->name);
    WAIO_TRY(st, graph_type(&type, tfl, tensor));
    if (type == WAIO_F32) {
        WAIO_TRY(st, waio_graph_add_const(tfl->graph, id, tensor->name, shape, &floats));
        copy_floats(floats, tfl, tensor, from, count);
        goto done;
    }
    WAIO_TRY(st, graph_params(&params, type, tfl, tensor, axis));
    WAIO_TRY(st, waio_graph_add_codes(tfl->graph, id, tensor->name, shape, type, &params, &codes));
    size_t bytes = waio_type_bytes(type); /* codes are little-endian, as the machine is */
    for (int64_t i = 0; i < count; i++)
        memcpy((char *)codes + (size_t)i * bytes,
               tfl->file.data + tensor->data.at + (size_t)(from ? from[i] : i) * bytes, bytes);
done:
    return st;
}

waio_status waio_tfl_value(int *id, waio_tfl *tfl, waio_tfl_tensor *tensor)
{
    waio_status st = WAIO_OK;

    if (tensor->id < 0 && tensor->data.at)
        WAIO_TRY(st,
                 waio_tfl_constant(&tensor->id, tfl, tensor, &tensor->shape, NULL, tensor->axis));
    if (tensor->id < 0)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: tensor \"%s\" is read before it is computed",
                  tfl->file.path, tensor->name);
    *id = tensor->id;
done:
    return st;
}

waio_status waio_tfl_ints(int64_t *out, int *count, int most, waio_tfl *tfl,
                          const waio_tfl_tensor *tensor)
{
    int64_t n = waio_shape_count(&tensor->shape);

    if (!tensor->data.at || tensor->type != WAIO_TFL_S32 || n > most)
        return waio_error(WAIO_EUNSUPPORTED,
                          "%s: tensor \"%s\": expected a constant of at most %d int32",
                          tfl->file.path, tensor->name, most);
    *count = (int)n;
    for (int i = 0; i < *count; i++)
        out[i] = waio_flat_i32_at(&tfl->file, &tensor->data, (uint32_t)i);
    return WAIO_OK;
}

static waio_status set_type(waio_tfl *tfl, int id, const waio_tfl_tensor *tensor)
{
    waio_status st = WAIO_OK;
    waio_type type = WAIO_F32;
    waio_value_params params;

    WAIO_TRY(st, graph_type(&type, tfl, tensor));
    if (type == WAIO_F32)
        goto done;
    WAIO_TRY(st, graph_params(&params, type, tfl, tensor, 0));
    params.symmetric = false;
    WAIO_TRY(st, waio_graph_set_type(tfl->graph, id, type, &params));
done:
    return st;
}

waio_status waio_tfl_node(waio_tfl *tfl, waio_node *node, waio_tfl_tensor *tensor)
{
    waio_status st = WAIO_OK;
    char want[64], got[64];

    node->name = tensor->name[0] ? tensor->name : waio_op_name(node->op);
    WAIO_TRY(st, waio_graph_add_node(tfl->graph, &tensor->id, node));
    const waio_shape *shape = &tfl->graph->value[tensor->id].shape;
    if (!waio_shape_equal(shape, &tensor->shape))
        WAIO_FAIL(st, WAIO_EINPUT, "node \"%s\" (%s) gives %s, the file says %s", node->name,
                  waio_op_name(node->op), waio_shape_text(shape, got),
                  waio_shape_text(&tensor->shape, want));
    WAIO_TRY(st, set_type(tfl, tensor->id, tensor));
done:
    return st;
}

/* ---- operators ---- */

static waio_status operand_at(waio_tfl_tensor **out, waio_tfl *tfl, const waio_flat_vector *list,
                              uint32_t i)
{
    int32_t index = i < list->count ? waio_flat_i32_at(&tfl->file, list, i) : -1;

    *out = NULL;
    if (index == -1)
        return WAIO_OK;
    if (index < 0 || (uint32_t)index >= tfl->tensor_count)
        return waio_error(WAIO_EINPUT, "%s: tensor %d is named, there are %u", tfl->file.path,
                          index, tfl->tensor_count);
    *out = &tfl->tensor[index];
    return WAIO_OK;
}

waio_status waio_tfl_operand(waio_tfl_tensor **out, waio_tfl *tfl, const waio_tfl_operator *op,
                             uint32_t i)
{
    return operand_at(out, tfl, &op->input, i);
}

waio_status waio_tfl_result(waio_tfl_tensor **out, waio_tfl *tfl, const waio_tfl_operator *op)
{
    waio_status st = operand_at(out, tfl, &op->output, 0);

    if (st == WAIO_OK && (op->output.count != 1 || !*out))
        return waio_error(WAIO_EINPUT, "%s: operator %s has %u outputs, expected one",
                          tfl->file.path, op->name, op->output.count);
    return st;
}

static waio_status read_code(waio_tfl_operator *op, waio_tfl *tfl, const waio_flat_vector *codes,
                             uint32_t index)
{
    waio_status st = WAIO_OK;
    waio_flat_table table;
    uint8_t old = 0;
    const char *custom = "";

    WAIO_TRY(st, waio_flat_element(&table, &tfl->file, codes, index));
    WAIO_TRY(st, waio_flat_u8(&old, &tfl->file, &table, CODE_OLD, 0));
    WAIO_TRY(st, waio_flat_i32(&op->code, &tfl->file, &table, CODE_NEW, 0));
    op->code = op->code > old ? op->code : old;
    if (op->code == CUSTOM) {
        WAIO_TRY(st, waio_flat_string(&custom, &tfl->file, &table, CODE_CUSTOM));
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s: the custom operator %s is not supported",
                  tfl->file.path, custom);
    }
    op->name = waio_tfl_operator_name(op->code);
done:
    return st;
}

static waio_status import_operators(waio_tfl *tfl, const waio_flat_table *subgraph,
                                    const waio_flat_vector *codes)
{
    waio_status st = WAIO_OK;
    waio_flat_vector operators;

    WAIO_TRY(st, waio_flat_vector_field(&operators, &tfl->file, subgraph, GRAPH_OPERATORS, 4));
    for (uint32_t i = 0; i < operators.count; i++) {
        waio_flat_table table;
        waio_tfl_operator op = {0};
        int32_t code = 0;
        WAIO_TRY(st, waio_flat_element(&table, &tfl->file, &operators, i));
        WAIO_TRY(st, waio_flat_i32(&code, &tfl->file, &table, OPERATOR_CODE, 0));
        WAIO_TRY(st, read_code(&op, tfl, codes, (uint32_t)code));
        WAIO_TRY(st, waio_flat_vector_field(&op.input, &tfl->file, &table, OPERATOR_INPUTS, 4));
        WAIO_TRY(st, waio_flat_vector_field(&op.output, &tfl->file, &table, OPERATOR_OUTPUTS, 4));
        WAIO_TRY(st, waio_flat_child(&op.options, &tfl->file, &table, OPERATOR_OPTIONS));
        if ((st = waio_tfl_import_operator(tfl, &op)) != WAIO_OK) {
            waio_error_context(st, "%s: operator %u (%s)", tfl->file.path, i,
                               op.name ? op.name : "?");
            goto done;
        }
    }
done:
    return st;
}

static waio_status import_subgraph(waio_tfl *tfl, const waio_flat_table *subgraph,
                                   const waio_flat_vector *codes)
{
    waio_status st = WAIO_OK;
    waio_flat_vector inputs, outputs;
    waio_tfl_tensor *tensor = NULL;

    WAIO_TRY(st, waio_flat_vector_field(&inputs, &tfl->file, subgraph, GRAPH_INPUTS, 4));
    WAIO_TRY(st, waio_flat_vector_field(&outputs, &tfl->file, subgraph, GRAPH_OUTPUTS, 4));
    if (inputs.count != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s: the network has %u inputs, expected one",
                  tfl->file.path, inputs.count);
    WAIO_TRY(st, operand_at(&tensor, tfl, &inputs, 0));
    if (!tensor)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: the input is no tensor", tfl->file.path);
    WAIO_TRY(st, waio_graph_add_input(tfl->graph, &tensor->id, tensor->name, &tensor->shape));
    WAIO_TRY(st, set_type(tfl, tensor->id, tensor));
    WAIO_TRY(st, import_operators(tfl, subgraph, codes));
    for (uint32_t i = 0; i < outputs.count; i++) {
        int id = -1;
        WAIO_TRY(st, operand_at(&tensor, tfl, &outputs, i));
        if (!tensor)
            WAIO_FAIL(st, WAIO_EINPUT, "%s: output %u is no tensor", tfl->file.path, i);
        WAIO_TRY(st, waio_tfl_value(&id, tfl, tensor));
        WAIO_TRY(st, waio_graph_add_output(tfl->graph, id));
    }
    WAIO_TRY(st, waio_graph_validate(tfl->graph));
done:
    return st;
}

static waio_status import_file(waio_tfl *tfl)
{
    waio_status st = WAIO_OK;
    waio_flat_table model, subgraph, table;
    waio_flat_vector codes, subgraphs, buffers, tensors;

    WAIO_TRY(st, waio_flat_root(&model, &tfl->file, "TFL3"));
    WAIO_TRY(st, waio_flat_vector_field(&codes, &tfl->file, &model, MODEL_CODES, 4));
    WAIO_TRY(st, waio_flat_vector_field(&subgraphs, &tfl->file, &model, MODEL_SUBGRAPHS, 4));
    WAIO_TRY(st, waio_flat_vector_field(&buffers, &tfl->file, &model, MODEL_BUFFERS, 4));
    if (subgraphs.count != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%s: %u subgraphs, expected one", tfl->file.path,
                  subgraphs.count);
    WAIO_TRY(st, waio_flat_element(&subgraph, &tfl->file, &subgraphs, 0));
    WAIO_TRY(st, waio_flat_vector_field(&tensors, &tfl->file, &subgraph, GRAPH_TENSORS, 4));
    WAIO_NEW(st, tfl->tensor, tfl->arena, tensors.count);
    tfl->tensor_count = tensors.count;
    for (uint32_t i = 0; i < tensors.count; i++) {
        WAIO_TRY(st, waio_flat_element(&table, &tfl->file, &tensors, i));
        WAIO_TRY(st, read_tensor(&tfl->tensor[i], tfl, &table, &buffers));
    }
    WAIO_TRY(st, import_subgraph(tfl, &subgraph, &codes));
done:
    return st;
}

waio_status waio_import_tflite(waio_graph **out, const char *path)
{
    waio_status st = WAIO_OK;
    waio_tfl tfl = {.file.path = path};
    unsigned char *data = NULL;
    const char *base = waio_path_base(path);

    tfl.arena = waio_arena_new();
    if (!tfl.arena)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_file_read(&data, &tfl.file.size, path, tfl.arena));
    tfl.file.data = data;
    tfl.graph = waio_graph_new(base);
    if (!tfl.graph) {
        st = WAIO_ENOMEM;
        goto done;
    }
    WAIO_TRY(st, import_file(&tfl));
    *out = tfl.graph;
    tfl.graph = NULL;
done:
    waio_graph_free(tfl.graph);
    waio_arena_free(tfl.arena);
    return st;
}
