/* Constants of a TensorFlow Lite file: floats, float16 as floats, codes in another layout, codes as
 * the floats that they stand for, and the whole numbers of shapes and axes. */
#include <math.h>

#include "import/tflite_import.h"

static float half_to_float(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float value = exponent == 0    ? ldexpf((float)fraction, -24)
                  : exponent == 31 ? (fraction ? NAN : INFINITY)
                                   : ldexpf((float)(fraction | 1024), exponent - 25);
    return half & 0x8000 ? -value : value;
}

/* Element `k` as it stands in the file; codes of uint8 128 lower. */
static int64_t code_at(const waio_tfl *tfl, const waio_tfl_tensor *tensor, uint32_t k)
{
    const unsigned char *byte = tfl->file.data + tensor->data.at;

    switch (tensor->type) {
    case WAIO_TFL_U8:
        return byte[k] - 128;
    case WAIO_TFL_S8:
        return (int8_t)byte[k];
    case WAIO_TFL_S4: /* the lower half comes first */
        return (int8_t)(byte[k / 2] << (k % 2 ? 0 : 4)) >> 4;
    case WAIO_TFL_S16:
        return (int16_t)(byte[2 * (size_t)k] | byte[2 * (size_t)k + 1] << 8);
    case WAIO_TFL_S32:
        return waio_flat_i32_at(&tfl->file, &tensor->data, k);
    default:
        return waio_flat_i64_at(&tfl->file, &tensor->data, k);
    }
}

static float float_at(const waio_tfl *tfl, const waio_tfl_tensor *tensor, uint32_t k)
{
    const unsigned char *half = tfl->file.data + tensor->data.at + 2 * (size_t)k;

    if (tensor->type == WAIO_TFL_F16)
        return half_to_float((uint16_t)(half[0] | half[1] << 8));
    return waio_flat_f32_at(&tfl->file, &tensor->data, k);
}

static void store_code(void *codes, waio_type type, int64_t i, int64_t code)
{
    switch (type) {
    case WAIO_S8:
        ((int8_t *)codes)[i] = (int8_t)code;
        break;
    case WAIO_S16:
        ((int16_t *)codes)[i] = (int16_t)code;
        break;
    case WAIO_S32:
        ((int32_t *)codes)[i] = (int32_t)code;
        break;
    default:
        ((int64_t *)codes)[i] = code;
        break;
    }
}

/* Numbers of the file that share a channel with their neighbours along `axis`. */
static int64_t channel_stride(const waio_tfl_tensor *tensor, int axis)
{
    int64_t stride = 1;
    for (int i = axis + 1; i < tensor->shape.rank; i++)
        stride *= tensor->shape.dim[i];
    return stride;
}

static waio_status add_floats(int *id, waio_tfl *tfl, const waio_tfl_tensor *tensor,
                              const waio_tfl_layout *layout, const waio_value_params *params)
{
    waio_status st = WAIO_OK;
    int64_t count = waio_shape_count(&layout->shape), stride = channel_stride(tensor, layout->axis);
    float *out = NULL;

    WAIO_TRY(st, waio_graph_add_const(tfl->graph, id, tensor->name, &layout->shape, &out));
    for (int64_t i = 0; i < count; i++) {
        uint32_t k = (uint32_t)(layout->from ? layout->from[i] : i);
        if (params->count == 0) {
            out[i] = float_at(tfl, tensor, k);
            continue;
        }
        int64_t c = params->count == 1 ? 0 : k / stride % params->count;
        int64_t distance = code_at(tfl, tensor, k) - params->zero_point[c];
        out[i] = params->scale[c] * (float)distance;
    }
done:
    return st;
}

static waio_status add_codes(int *id, waio_tfl *tfl, const waio_tfl_tensor *tensor,
                             const waio_tfl_layout *layout, const waio_value_params *params,
                             waio_type type)
{
    waio_status st = WAIO_OK;
    int64_t count = waio_shape_count(&layout->shape);
    void *codes = NULL;

    WAIO_TRY(st, waio_graph_add_codes(tfl->graph, id, tensor->name, &layout->shape, type, params,
                                      &codes));
    for (int64_t i = 0; i < count; i++)
        store_code(codes, type, i,
                   code_at(tfl, tensor, (uint32_t)(layout->from ? layout->from[i] : i)));
done:
    return st;
}

waio_status waio_tfl_weight(int *id, waio_tfl *tfl, const waio_tfl_tensor *tensor,
                            const waio_tfl_layout *layout, bool as_float)
{
    waio_status st = WAIO_OK;
    const waio_tfl_row *row = NULL;
    waio_value_params params = {0};

    WAIO_TRY(st, waio_tfl_value_type(&row, tensor));
    if (!tensor->data.at)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "tensor \"%s\" is computed, expected a constant",
                  tensor->name);
    if ((tfl->spare_numbers -= waio_shape_count(&layout->shape)) < 0)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "its constants repeat the same bytes more often than any "
                  "converter makes them");
    if (row->ours == WAIO_F32) {
        WAIO_TRY(st, add_floats(id, tfl, tensor, layout, &params));
        goto done;
    }
    if (tensor->scale.count > 1 &&
        (layout->axis >= tensor->shape.rank || tensor->axis != layout->axis ||
         tensor->scale.count != tensor->shape.dim[layout->axis]))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "tensor \"%s\" has %u scales along dimension %d, supported is one, or one for "
                  "each output channel",
                  tensor->name, tensor->scale.count, tensor->axis);
    WAIO_TRY(st, waio_tfl_params(&params, row, tfl, tensor, true));
    if (as_float || tensor->as_float)
        WAIO_TRY(st, add_floats(id, tfl, tensor, layout, &params));
    else
        WAIO_TRY(st, add_codes(id, tfl, tensor, layout, &params, row->ours));
done:
    return st;
}

waio_status waio_tfl_value(int *id, waio_tfl *tfl, waio_tfl_tensor *tensor)
{
    waio_status st = WAIO_OK;
    bool along = tensor->scale.count > 1 && tensor->axis >= 0 && tensor->axis < tensor->shape.rank;
    waio_tfl_layout layout = {tensor->shape, NULL, along ? tensor->axis : 0};

    if (tensor->id < 0 && tensor->data.at) {
        if (tensor->scale.count > 1 && !tensor->as_float)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED, "the constant \"%s\" has %u scales, supported is one",
                      tensor->name, tensor->scale.count);
        WAIO_TRY(st, waio_tfl_weight(&tensor->id, tfl, tensor, &layout, false));
    }
    if (tensor->id < 0)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                  "tensor \"%s\" is not computed in front of it, or is a computed shape",
                  tensor->name);
    *id = tensor->id;
done:
    return st;
}

waio_status waio_tfl_floats(float *out, const waio_tfl *tfl, const waio_tfl_tensor *tensor)
{
    waio_status st = WAIO_OK;
    const waio_tfl_row *row = NULL;
    waio_value_params params = {0};

    WAIO_TRY(st, waio_tfl_value_type(&row, tensor));
    if (!tensor->data.at || tensor->scale.count > 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "tensor \"%s\" is no constant with at most one scale",
                  tensor->name);
    if (row->ours != WAIO_F32)
        WAIO_TRY(st, waio_tfl_params(&params, row, tfl, tensor, false));
    for (uint32_t i = 0; i < (uint32_t)waio_shape_count(&tensor->shape); i++)
        out[i] = params.count == 0
                     ? float_at(tfl, tensor, i)
                     : params.scale[0] * (float)(code_at(tfl, tensor, i) - params.zero_point[0]);
done:
    return st;
}

waio_status waio_tfl_number(float *out, const waio_tfl *tfl, const waio_tfl_tensor *tensor)
{
    waio_status st = WAIO_OK;
    const waio_tfl_row *row = NULL;
    waio_value_params params;

    WAIO_TRY(st, waio_tfl_value_type(&row, tensor));
    if (!tensor->data.at || waio_shape_count(&tensor->shape) != 1 || tensor->scale.count > 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "tensor \"%s\" is no constant of one number",
                  tensor->name);
    if (row->ours == WAIO_F32) {
        *out = float_at(tfl, tensor, 0);
        goto done;
    }
    WAIO_TRY(st, waio_tfl_params(&params, row, tfl, tensor, false));
    *out = params.scale[0] * (float)(code_at(tfl, tensor, 0) - params.zero_point[0]);
done:
    return st;
}

waio_status waio_tfl_ints(int64_t *out, int *count, int most, const waio_tfl *tfl,
                          const waio_tfl_tensor *tensor)
{
    bool whole = tensor->type == WAIO_TFL_S32 || tensor->type == WAIO_TFL_S64;
    int64_t n = waio_shape_count(&tensor->shape);

    if (!tensor->data.at || !whole || n < 0 || n > most)
        return waio_error(WAIO_EUNSUPPORTED,
                          "tensor \"%s\": expected a constant of at most %d whole numbers",
                          tensor->name, most);
    *count = (int)n;
    for (int i = 0; i < *count; i++)
        out[i] = code_at(tfl, tensor, (uint32_t)i);
    return WAIO_OK;
}
