/* Tensors of a TensorFlow Lite file: shapes, types, scales and zero points, where their data are.
 */
#include <math.h>
#include <string.h>

#include "import/tflite_import.h"

static const waio_tfl_row types[] = {
    {WAIO_TFL_F32, "float32", 4, WAIO_F32, 0, 0, 0},
    {WAIO_TFL_F16, "float16", 2, WAIO_F32, 0, 0, 0},
    {WAIO_TFL_S32, "int32", 4, WAIO_S32, 32, 0, 0},
    {WAIO_TFL_U8, "uint8", 1, WAIO_S8, 8, 0, 255},
    {WAIO_TFL_S64, "int64", 8, WAIO_S64, 64, 0, 0},
    {WAIO_TFL_S16, "int16", 2, WAIO_S16, 16, INT16_MIN, INT16_MAX},
    {WAIO_TFL_S8, "int8", 1, WAIO_S8, 8, INT8_MIN, INT8_MAX},
    {5, "string", 0, WAIO_F32, 0, 0, 0},
    {WAIO_TFL_BOOL, "bool", 0, WAIO_F32, 0, 0, 0},
    {10, "float64", 0, WAIO_F32, 0, 0, 0},
    {WAIO_TFL_S4, "int4", 1, WAIO_S8, 4, -8, 7}, /* two to a byte */
    {18, "bfloat16", 0, WAIO_F32, 0, 0, 0},
    {19, "int2", 0, WAIO_F32, 0, 0, 0},
};

/* NULL for a type that this table lacks. */
static const waio_tfl_row *type_of(const waio_tfl_tensor *tensor)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == tensor->type)
            return &types[i];
    return NULL;
}

/* ---- reading ---- */

static waio_status read_shape(waio_tfl_tensor *tensor, const waio_flatbuf *file,
                              const waio_flat_table *table)
{
    waio_status st = WAIO_OK;
    waio_flat_vector dims;

    WAIO_TRY(st, waio_flat_vector_field(&dims, file, table, TENSOR_SHAPE, 4));
    if (dims.count > WAIO_MAX_RANK)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%u dimensions, at most %d are supported", dims.count,
                  WAIO_MAX_RANK);
    tensor->shape.rank = (int)dims.count;
    for (uint32_t i = 0; i < dims.count; i++)
        tensor->shape.dim[i] = waio_flat_i32_at(file, &dims, i);
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
    if (tensor->zero_point.count && tensor->scale.count != tensor->zero_point.count)
        WAIO_FAIL(st, WAIO_EINPUT, "%u scales and %u zero points", tensor->scale.count,
                  tensor->zero_point.count);
done:
    return st;
}

static size_t data_bytes(const waio_tfl_row *type, int64_t count)
{
    size_t bytes = (size_t)count * type->bytes;
    return type->type == WAIO_TFL_S4 ? (bytes + 1) / 2 : bytes;
}

static waio_status read_data(waio_tfl_tensor *tensor, const waio_flatbuf *file,
                             const waio_flat_table *table, const waio_flat_vector *buffers)
{
    waio_status st = WAIO_OK;
    waio_flat_table buffer, sparsity;
    const waio_tfl_row *type = type_of(tensor);
    int64_t count = waio_shape_count(&tensor->shape);
    int32_t index = 0;
    uint64_t offset = 0;
    uint8_t variable = 0;

    WAIO_TRY(st, waio_flat_i32(&index, file, table, TENSOR_BUFFER, 0));
    WAIO_TRY(st, waio_flat_u8(&variable, file, table, TENSOR_VARIABLE, 0));
    WAIO_TRY(st, waio_flat_child(&sparsity, file, table, TENSOR_SPARSITY));
    WAIO_TRY(st, waio_flat_element(&buffer, file, buffers, (uint32_t)index));
    WAIO_TRY(st, waio_flat_vector_field(&tensor->data, file, &buffer, BUFFER_DATA, 1));
    WAIO_TRY(st, waio_flat_u64(&offset, file, &buffer, BUFFER_OFFSET, 0));
    tensor->outside = variable != 0 || sparsity.at != 0 || offset > 1;
    if (tensor->data.count == 0 || tensor->outside)
        tensor->data = (waio_flat_vector){0};
    else if (type && type->bytes && count >= 0 && tensor->data.count != data_bytes(type, count))
        WAIO_FAIL(st, WAIO_EINPUT, "%u bytes of data at byte %zu, its shape asks for %zu",
                  tensor->data.count, tensor->data.at, data_bytes(type, count));
done:
    return st;
}

waio_status waio_tfl_read_tensor(waio_tfl_tensor *tensor, waio_tfl *tfl,
                                 const waio_flat_table *table, const waio_flat_vector *buffers)
{
    waio_status st = WAIO_OK;
    const char *name = "";
    uint8_t type = 0;

    *tensor = (waio_tfl_tensor){.name = name, .id = -1};
    WAIO_TRY(st, waio_flat_string(&name, &tfl->file, table, TENSOR_NAME));
    tensor->name = waio_arena_printf(tfl->arena, "%.200s", name); /* some fill pages */
    if (!tensor->name)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_flat_u8(&type, &tfl->file, table, TENSOR_TYPE, 0));
    tensor->type = type;
    WAIO_TRY(st, read_shape(tensor, &tfl->file, table));
    WAIO_TRY(st, read_params(tensor, &tfl->file, table));
    WAIO_TRY(st, read_data(tensor, &tfl->file, table, buffers));
done:
    return st == WAIO_OK ? st : waio_error_context(st, "tensor \"%s\"", tensor->name);
}

/* ---- types ---- */

waio_status waio_tfl_value_type(const waio_tfl_row **row, const waio_tfl_tensor *tensor)
{
    char text[64];

    *row = type_of(tensor);
    if (tensor->outside)
        return waio_error(WAIO_EUNSUPPORTED,
                          "tensor \"%s\" is a variable, sparse, or has its data outside the file's "
                          "tables",
                          tensor->name);
    if (!*row || !(*row)->bytes)
        return waio_error(WAIO_EUNSUPPORTED,
                          "tensor \"%s\" is of %s (type %d); supported are float32, float16 "
                          "weights, int8, uint8, int16, int4 weights, and biases of int32 and "
                          "int64",
                          tensor->name, *row ? (*row)->name : "a type unknown here", tensor->type);
    if (waio_shape_count(&tensor->shape) < 0)
        return waio_error(WAIO_EUNSUPPORTED, "tensor \"%s\" has the shape %s, which is not fixed",
                          tensor->name, waio_shape_text(&tensor->shape, text));
    if ((*row)->ours != WAIO_F32 && tensor->scale.count == 0)
        return waio_error(WAIO_EUNSUPPORTED,
                          "tensor \"%s\" holds whole numbers (%s without a scale), which are only "
                          "supported as shapes and axes",
                          tensor->name, (*row)->name);
    return WAIO_OK;
}

waio_status waio_tfl_params(waio_value_params *params, const waio_tfl_row *row, const waio_tfl *tfl,
                            const waio_tfl_tensor *tensor, bool zero_scale)
{
    waio_status st = WAIO_OK;
    int32_t moved = row->type == WAIO_TFL_U8 ? 128 : 0;
    uint32_t count = tensor->scale.count;
    float *scale = NULL;
    int32_t *zero_point = NULL;

    WAIO_NEW(st, scale, tfl->arena, count);
    WAIO_NEW(st, zero_point, tfl->arena, count);
    for (uint32_t i = 0; i < count; i++) {
        int64_t z = 0;
        scale[i] = waio_flat_f32_at(&tfl->file, &tensor->scale, i);
        if (!isfinite(scale[i]) || scale[i] < 0 || (scale[i] == 0 && !zero_scale))
            WAIO_FAIL(st, WAIO_EINPUT, "tensor \"%s\": scale %u is %g, expected a positive number",
                      tensor->name, i, (double)scale[i]);
        if (tensor->zero_point.count)
            z = waio_flat_i64_at(&tfl->file, &tensor->zero_point, i);
        if (z < row->lowest || z > row->highest)
            WAIO_FAIL(st, WAIO_EINPUT, "tensor \"%s\": zero point %u is %lld, which no %s code is",
                      tensor->name, i, (long long)z, row->name);
        zero_point[i] = (int32_t)z - moved;
    }
    *params = (waio_value_params){.bits = row->bits,
                                  .u8 = row->type == WAIO_TFL_U8,
                                  .count = (int)count,
                                  .scale = scale,
                                  .zero_point = zero_point};
done:
    return st;
}

waio_status waio_tfl_set_type(waio_tfl *tfl, int id, const waio_tfl_tensor *tensor)
{
    waio_status st = WAIO_OK;
    const waio_tfl_row *row = NULL;
    waio_value_params params;

    WAIO_TRY(st, waio_tfl_value_type(&row, tensor));
    if (row->ours == WAIO_F32)
        goto done;
    if (row->type == WAIO_TFL_S4)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "tensor \"%s\" holds activations of int4; supported are "
                  "weights",
                  tensor->name);
    if (tensor->scale.count != 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "tensor \"%s\" has %u scales, supported is one",
                  tensor->name, tensor->scale.count);
    WAIO_TRY(st, waio_tfl_params(&params, row, tfl, tensor, false));
    WAIO_TRY(st, waio_graph_set_type(tfl->graph, id, row->ours, &params));
done:
    return st;
}
