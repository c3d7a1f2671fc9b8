/* Numbers are doubles in JSON, so each is checked to be whole and in range before it is an int. */
#include "import/keras_json.h"

#include <math.h>
#include <string.h>

enum { MOST_INT = 32768 };

const cJSON *waio_keras_get(const cJSON *config, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, key);
    return cJSON_IsNull(item) ? NULL : item;
}

static waio_status whole(int *out, const cJSON *item, const char *key, int least)
{
    double x = cJSON_IsNumber(item) ? item->valuedouble : NAN;

    if (!(x >= least && x <= MOST_INT && x == floor(x)))
        return waio_error(WAIO_EINPUT, "%s: expected a whole number from %d to %d", key, least,
                          MOST_INT);
    *out = (int)x;
    return WAIO_OK;
}

static waio_status missing(const char *key)
{
    return waio_error(WAIO_EINPUT, "the config lacks \"%s\"", key);
}

waio_status waio_keras_int(int *out, const cJSON *config, const char *key, int least, int fallback)
{
    const cJSON *item = waio_keras_get(config, key);

    if (item)
        return whole(out, item, key, least);
    if (fallback == WAIO_KERAS_REQUIRED)
        return missing(key);
    *out = fallback;
    return WAIO_OK;
}

waio_status waio_keras_pair_of(int out[2], const cJSON *item, const char *key, int least)
{
    waio_status st = WAIO_OK;

    if (cJSON_IsArray(item)) {
        if (cJSON_GetArraySize(item) != 2)
            return waio_error(WAIO_EINPUT, "%s: %d numbers, expected two", key,
                              cJSON_GetArraySize(item));
        WAIO_TRY(st, whole(&out[0], item->child, key, least));
        WAIO_TRY(st, whole(&out[1], item->child->next, key, least));
    } else {
        WAIO_TRY(st, whole(&out[0], item, key, least));
        out[1] = out[0];
    }
done:
    return st;
}

waio_status waio_keras_pair(int out[2], const cJSON *config, const char *key, int least,
                            int fallback)
{
    const cJSON *item = waio_keras_get(config, key);

    if (item)
        return waio_keras_pair_of(out, item, key, least);
    if (fallback == WAIO_KERAS_REQUIRED)
        return missing(key);
    out[0] = out[1] = fallback;
    return WAIO_OK;
}

waio_status waio_keras_float(float *out, const cJSON *config, const char *key, float fallback)
{
    const cJSON *item = waio_keras_get(config, key);

    *out = fallback;
    if (!item)
        return WAIO_OK;
    if (!cJSON_IsNumber(item) || !isfinite((float)item->valuedouble))
        return waio_error(WAIO_EINPUT, "%s: expected a finite number", key);
    *out = (float)item->valuedouble;
    return WAIO_OK;
}

waio_status waio_keras_bool(bool *out, const cJSON *config, const char *key, bool fallback)
{
    const cJSON *item = waio_keras_get(config, key);

    *out = item ? cJSON_IsTrue(item) : fallback;
    if (item && !cJSON_IsBool(item))
        return waio_error(WAIO_EINPUT, "%s: expected true or false", key);
    return WAIO_OK;
}

waio_status waio_keras_text(const char **out, const cJSON *config, const char *key,
                            const char *fallback)
{
    const cJSON *item = waio_keras_get(config, key);

    if (!item && !fallback)
        return missing(key);
    if (item && !cJSON_IsString(item))
        return waio_error(WAIO_EINPUT, "%s: expected a text", key);
    *out = item ? item->valuestring : fallback;
    return WAIO_OK;
}

waio_status waio_keras_axis(int *out, const cJSON *config, const char *key, int rank, int fallback)
{
    const cJSON *item = waio_keras_get(config, key);
    double axis;

    if (cJSON_IsArray(item)) {
        if (cJSON_GetArraySize(item) != 1)
            return waio_error(WAIO_EUNSUPPORTED, "%s: %d axes at once; supported: one", key,
                              cJSON_GetArraySize(item));
        item = item->child;
    }
    if (item && !cJSON_IsNumber(item))
        return waio_error(WAIO_EINPUT, "%s: expected a number", key);
    axis = item ? item->valuedouble : fallback;
    axis = axis < 0 ? axis + rank : axis;
    if (!(axis >= 0 && axis < rank && axis == floor(axis)))
        return waio_error(WAIO_EINPUT, "%s: there is no such axis in %d dimensions", key, rank);
    *out = (int)axis;
    return WAIO_OK;
}

waio_status waio_keras_input_shape(waio_shape *out, const cJSON *dims)
{
    const cJSON *item;

    if (!cJSON_IsArray(dims) || !dims->child || cJSON_GetArraySize(dims) > WAIO_MAX_RANK)
        return waio_error(WAIO_EINPUT, "the input shape is not a list of 1 to %d numbers",
                          WAIO_MAX_RANK);
    *out = (waio_shape){0};
    cJSON_ArrayForEach(item, dims)
    {
        double size = cJSON_IsNumber(item) ? item->valuedouble : 0;
        if (out->rank == 0)
            size = 1;
        else if (cJSON_IsNull(item))
            return waio_error(WAIO_EUNSUPPORTED,
                              "dimension %d of the input is left open; supported: fixed sizes",
                              out->rank);
        if (!(size >= 1 && size <= 1 << 30 && size == floor(size)))
            return waio_error(WAIO_EINPUT,
                              "dimension %d of the input: expected a whole number "
                              "from 1",
                              out->rank);
        out->dim[out->rank++] = (int64_t)size;
    }
    return WAIO_OK;
}

waio_status waio_keras_same_padding(int *before, int *after, int64_t in, int kernel, int stride,
                                    int dilation)
{
    int64_t window = (int64_t)(kernel - 1) * dilation + 1;
    int64_t out = (in + stride - 1) / stride;
    int64_t total = (out - 1) * stride + window - in;

    if (total < 0)
        total = 0;
    if (total > INT32_MAX)
        return waio_error(WAIO_EINPUT, "a window of %lld cells is too large", (long long)window);
    *before = (int)(total / 2);
    *after = (int)(total - total / 2);
    return WAIO_OK;
}

static const cJSON *unwrap(const cJSON *item)
{
    const cJSON *class_name = waio_keras_get(item, "class_name");
    const cJSON *config = waio_keras_get(item, "config");

    if (cJSON_IsString(class_name) && (strcmp(class_name->valuestring, "__numpy__") == 0 ||
                                       strcmp(class_name->valuestring, "__tensor__") == 0))
        return waio_keras_get(config, "value");
    return item;
}

waio_status waio_keras_array_shape(waio_shape *out, const cJSON *item)
{
    *out = (waio_shape){0};
    for (item = unwrap(item); cJSON_IsArray(item); item = item->child) {
        if (out->rank == WAIO_MAX_RANK || !item->child)
            return waio_error(WAIO_EINPUT, "a list of numbers is empty or has more than %d levels",
                              WAIO_MAX_RANK);
        out->dim[out->rank++] = cJSON_GetArraySize(item);
    }
    if (!cJSON_IsNumber(item))
        return waio_error(WAIO_EINPUT, "expected a number or a list of numbers");
    return WAIO_OK;
}

/* Walks the tree without recursion: down into lists, then along, then up. */
waio_status waio_keras_array_read(float *out, const waio_shape *shape, const cJSON *item)
{
    const cJSON *parent[WAIO_MAX_RANK];
    int depth = 0;

    for (item = unwrap(item); item;) {
        if (depth < shape->rank) {
            if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) != shape->dim[depth])
                break;
            parent[depth++] = item;
            item = item->child;
            continue;
        }
        float x = cJSON_IsNumber(item) ? (float)item->valuedouble : NAN;
        if (!isfinite(x))
            break;
        *out++ = x;
        while (depth > 0 && !item->next)
            item = parent[--depth];
        item = depth > 0 ? item->next : NULL;
    }
    if (item)
        return waio_error(WAIO_EINPUT, "expected finite numbers in lists of equal length");
    return WAIO_OK;
}
