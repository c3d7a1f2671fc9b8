/* TensorProto to numbers. They stand in raw_data (little-endian), in the field of their type, or in
 * a file beside the model (external_data: location, offset, length). Lengths are compared with the
 * bytes that are there before anything is allocated. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "import/onnx_import.h"
#include "util/file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw_data is read as it stands");

/* Element types that are read. Not: texts, complex numbers, uint64, floats below 16 bits. */
static const struct {
    int type;
    size_t size;
    bool is_float;
} type_table[] = {
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 4, true},
    {ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, 8, true},
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, 2, true},
    {ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, 2, true},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 8, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, 4, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT16, 2, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, 1, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, 4, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, 2, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, 1, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, 1, false},
};

int64_t waio_onnx_count(const waio_shape *shape)
{
    waio_shape above_zero = *shape;
    bool empty = false;

    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] == 0) {
            above_zero.dim[i] = 1;
            empty = true;
        }
    int64_t count = waio_shape_count(&above_zero);
    return count > 0 && empty ? 0 : count;
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 mantissa bits. */
static float from_half(uint16_t bits)
{
    int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    float value = 0;

    if (exponent == 31)
        value = mantissa ? NAN : INFINITY;
    else
        value = exponent ? ldexpf((float)(mantissa + 1024), exponent - 25)
                         : ldexpf((float)mantissa, -24);
    return bits >> 15 ? -value : value;
}

static float from_bfloat(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value = 0;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static float load_float(int type, const unsigned char *p)
{
    uint16_t half = 0;
    double wide = 0;
    float value = 0;

    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        memcpy(&wide, p, sizeof wide);
        return (float)wide;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        memcpy(&half, p, sizeof half);
        return from_half(half);
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
        memcpy(&half, p, sizeof half);
        return from_bfloat(half);
    default:
        memcpy(&value, p, sizeof value);
        return value;
    }
}

static int64_t load_int(int type, const unsigned char *p)
{
    union {
        int64_t s64;
        int32_t s32;
        int16_t s16;
        int8_t s8;
        uint32_t u32;
        uint16_t u16;
    } number;

    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        memcpy(&number.s32, p, 4);
        return number.s32;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
        memcpy(&number.s16, p, 2);
        return number.s16;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
        memcpy(&number.s8, p, 1);
        return number.s8;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        memcpy(&number.u32, p, 4);
        return number.u32;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
        memcpy(&number.u16, p, 2);
        return number.u16;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
        return *p;
    default:
        memcpy(&number.s64, p, 8);
        return number.s64;
    }
}

/* ---- external data ---- */

static waio_status read_decimal(uint64_t *out, const char *key, const char *text)
{
    char *end = NULL;

    errno = 0;
    *out = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || *out > (UINT64_C(1) << 42))
        return waio_error(WAIO_EINPUT, "external data with the %s \"%.40s\"", key, text);
    return WAIO_OK;
}

/* No way out of the model's folder: not absolute, and at no point more ".." than folders. */
static waio_status check_location(const char *location)
{
    int depth = 0;
    bool inside = location[0] != '\0' && location[0] != '/' && !strchr(location, '\\');

    for (const char *p = location; inside && *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.')
            depth--;
        else if (n && !(n == 1 && p[0] == '.'))
            depth++;
        inside = depth >= 0;
        p += n + (p[n] == '/');
    }
    if (!inside)
        return waio_error(WAIO_EINPUT,
                          "external data in \"%.200s\", which is not inside of the "
                          "model's folder",
                          location);
    return WAIO_OK;
}

typedef struct external {
    const char *location;
    uint64_t offset, length;
    bool has_length;
} external;

static waio_status read_external_fields(external *out, const Onnx__TensorProto *tensor)
{
    waio_status st = WAIO_OK;

    *out = (external){.location = ""};
    for (size_t i = 0; i < tensor->n_external_data; i++) {
        const Onnx__StringStringEntryProto *entry = tensor->external_data[i];
        if (!entry->key || !entry->value)
            WAIO_FAIL(st, WAIO_EINPUT, "external data with an empty entry");
        if (strcmp(entry->key, "location") == 0) {
            out->location = entry->value;
        } else if (strcmp(entry->key, "offset") == 0) {
            WAIO_TRY(st, read_decimal(&out->offset, "offset", entry->value));
        } else if (strcmp(entry->key, "length") == 0) {
            WAIO_TRY(st, read_decimal(&out->length, "length", entry->value));
            out->has_length = true;
        }
    }
    st = check_location(out->location);
done:
    return st;
}

static waio_status read_external(waio_onnx *onnx, const unsigned char **data,
                                 const Onnx__TensorProto *tensor, size_t bytes)
{
    waio_status st = WAIO_OK;
    FILE *file = NULL;
    external from;
    size_t size = 0;

    WAIO_TRY(st, read_external_fields(&from, tensor));
    const char *folder = waio_path_dir(onnx->arena, onnx->path);
    const char *path = folder ? waio_path_join(onnx->arena, folder, from.location) : NULL;
    if (!path)
        return WAIO_ENOMEM;
    WAIO_TRY(st, waio_file_size(&size, path));
    if (from.has_length && from.length != bytes)
        WAIO_FAIL(st, WAIO_EINPUT, "external data of %llu bytes, expected %zu",
                  (unsigned long long)from.length, bytes);
    if (from.offset > size || bytes > size - from.offset)
        WAIO_FAIL(st, WAIO_EINPUT,
                  "external data of %zu bytes at byte %llu of %.200s, which has "
                  "only %zu",
                  bytes, (unsigned long long)from.offset, path, size);
    unsigned char *buffer = waio_arena_alloc(onnx->arena, bytes);
    if (!buffer)
        return WAIO_ENOMEM;
    file = fopen(path, "rb");
    if (!file)
        WAIO_FAIL(st, WAIO_EINPUT, "%s: %s", path, strerror(errno));
    if (fseeko(file, (off_t)from.offset, SEEK_SET) != 0 || fread(buffer, 1, bytes, file) != bytes)
        WAIO_FAIL(st, WAIO_EIO, "%s: reading %zu bytes at byte %llu failed", path, bytes,
                  (unsigned long long)from.offset);
    *data = buffer;
done:
    if (file)
        fclose(file);
    return st;
}

/* ---- the tensor ---- */

/* Which typed field holds the numbers, how many, and how wide one stands there. */
static void typed_field(const Onnx__TensorProto *tensor, const unsigned char **data, size_t *count,
                        size_t *stride)
{
    const void *field = tensor->int32_data;

    *count = tensor->n_int32_data;
    *stride = sizeof(int32_t);
    switch (tensor->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        field = tensor->float_data;
        *count = tensor->n_float_data;
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        field = tensor->double_data;
        *count = tensor->n_double_data;
        *stride = sizeof(double);
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        field = tensor->int64_data;
        *count = tensor->n_int64_data;
        *stride = sizeof(int64_t);
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        field = tensor->uint64_data;
        *count = tensor->n_uint64_data;
        *stride = sizeof(uint64_t);
        break;
    default:
        break; /* the narrow types stand in the low bits of an int32 */
    }
    *data = field;
}

static waio_status find_bytes(waio_onnx *onnx, const unsigned char **data, size_t *stride,
                              const Onnx__TensorProto *tensor, size_t count, size_t size)
{
    bool is_external = tensor->has_data_location &&
                       tensor->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    size_t there = 0;

    *stride = size;
    if (is_external)
        return read_external(onnx, data, tensor, count * size);
    if (tensor->has_raw_data) {
        *data = tensor->raw_data.data;
        if (tensor->raw_data.len != count * size)
            return waio_error(WAIO_EINPUT, "%zu bytes of data, expected %zu", tensor->raw_data.len,
                              count * size);
        return WAIO_OK;
    }
    typed_field(tensor, data, &there, stride);
    if (there != count)
        return waio_error(WAIO_EINPUT, "%zu numbers, expected %zu", there, count);
    return WAIO_OK;
}

static waio_status convert(waio_onnx *onnx, waio_onnx_value *out, const Onnx__TensorProto *tensor,
                           int64_t count, int row)
{
    waio_status st = WAIO_OK;
    const unsigned char *data = NULL;
    size_t stride = 0;
    int type = type_table[row].type;
    float *floats = NULL;
    int64_t *ints = NULL;

    WAIO_TRY(st, find_bytes(onnx, &data, &stride, tensor, (size_t)count, type_table[row].size));
    out->kind = type_table[row].is_float ? WAIO_ONNX_FLOATS : WAIO_ONNX_INTS;
    onnx->spare_numbers += 16 * count; /* what is in the file may be copied a few times */
    if (type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT && (uintptr_t)data % sizeof(float) == 0) {
        out->floats = (const float *)(const void *)data;
    } else if (type_table[row].is_float) {
        WAIO_NEW(st, floats, onnx->arena, (size_t)count);
        for (int64_t i = 0; i < count; i++)
            floats[i] = load_float(type, data + (size_t)i * stride);
        out->floats = floats;
    } else {
        WAIO_NEW(st, ints, onnx->arena, (size_t)count);
        for (int64_t i = 0; i < count; i++)
            ints[i] = load_int(type, data + (size_t)i * stride);
        out->ints = ints;
    }
done:
    return st;
}

waio_status waio_onnx_read_tensor(waio_onnx *onnx, const Onnx__TensorProto *tensor,
                                  waio_onnx_value *out)
{
    waio_status st = WAIO_OK;
    int row = 0, rows = (int)(sizeof type_table / sizeof *type_table);
    const char *name = tensor->name && *tensor->name ? tensor->name : "(unnamed)";
    waio_shape shape = {0};

    while (row < rows && type_table[row].type != tensor->data_type)
        row++;
    if (row == rows)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "element type %d (of TensorProto.DataType)",
                  (int)tensor->data_type);
    if (tensor->n_dims > WAIO_MAX_RANK)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "%zu dimensions, expected up to %d", tensor->n_dims,
                  WAIO_MAX_RANK);
    if (tensor->segment)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "stored in segments");
    shape.rank = (int)tensor->n_dims;
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = tensor->dims[i];
    int64_t count = waio_onnx_count(&shape);
    if (count < 0) {
        char text[64];
        WAIO_FAIL(st, WAIO_EINPUT, "the impossible shape %s", waio_shape_text(&shape, text));
    }
    out->shape = shape;
    WAIO_TRY(st, convert(onnx, out, tensor, count, row));
done:
    if (st != WAIO_OK)
        waio_error_context(st, "tensor \"%.100s\"", name);
    return st;
}
