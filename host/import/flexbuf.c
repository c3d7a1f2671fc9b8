#include "import/flexbuf.h"

#include <math.h>
#include <string.h>

/* Types, as the upper six bits of a type byte say them. */
enum {
    FLEX_NULL = 0,
    FLEX_INT = 1,
    FLEX_UINT = 2,
    FLEX_FLOAT = 3,
    FLEX_INDIRECT_INT = 6,
    FLEX_INDIRECT_UINT = 7,
    FLEX_INDIRECT_FLOAT = 8,
    FLEX_MAP = 9,
    FLEX_BOOL = 26
};

static waio_status broken(size_t at, const char *what)
{
    return waio_error(WAIO_EINPUT, "byte %zu: %s; the options of a custom operator are damaged", at,
                      what);
}

static bool inside(const waio_flex_map *map, size_t at, size_t bytes)
{
    return at >= map->begin && at <= map->end && bytes <= map->end - at;
}

static uint64_t read_uint(const waio_flatbuf *file, size_t at, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++)
        value |= (uint64_t)file->data[at + i] << (8 * i);
    return value;
}

static double read_int(const waio_flatbuf *file, size_t at, size_t width)
{
    unsigned unused = 64 - 8 * (unsigned)width;
    return (double)((int64_t)(read_uint(file, at, width) << unused) >> unused);
}

/* Widths of 4 and 8 bytes; NaN for others, which nobody writes. */
static double read_float(const waio_flatbuf *file, size_t at, size_t width)
{
    uint64_t bits = read_uint(file, at, width);
    uint32_t low = (uint32_t)bits;
    double value = NAN;
    float single = 0;

    if (width == 8) {
        memcpy(&value, &bits, sizeof value);
    } else if (width == 4) {
        memcpy(&single, &low, sizeof single);
        value = (double)single;
    }
    return value;
}

/* Where the offset at `at`, of `width` bytes, leads: back in the buffer. */
static waio_status follow(size_t *to, const waio_flatbuf *file, const waio_flex_map *map, size_t at,
                          size_t width)
{
    if (!inside(map, at, width))
        return broken(at, "an offset outside of them");
    uint64_t offset = read_uint(file, at, width);
    if (offset == 0 || offset > at - map->begin)
        return broken(at, "an offset that leads out of them");
    *to = at - (size_t)offset;
    return WAIO_OK;
}

waio_status waio_flex_root(waio_flex_map *map, const waio_flatbuf *file,
                           const waio_flat_vector *bytes)
{
    waio_status st = WAIO_OK;
    size_t root = 0;

    *map = (waio_flex_map){.begin = bytes->at, .end = bytes->at + bytes->count};
    if (bytes->count < 3)
        return broken(bytes->at, "fewer than three bytes");
    size_t width = file->data[map->end - 1], type = file->data[map->end - 2];
    if ((width != 1 && width != 2 && width != 4 && width != 8) || width + 2 > bytes->count)
        return broken(map->end - 1, "a width that is not 1, 2, 4 or 8");
    if (type >> 2 != FLEX_MAP)
        return broken(map->end - 2, "no map of names and numbers");
    root = map->end - 2 - width;
    WAIO_TRY(st, follow(&map->values, file, map, root, width));
    map->width = (size_t)1 << (type & 3);
    /* In front of the values: an offset to the keys, the width of a key, how many there are. */
    if (map->values - map->begin < 3 * map->width)
        return broken(map->values, "a map without its keys");
    size_t count = (size_t)read_uint(file, map->values - map->width, map->width);
    map->key_width = (size_t)read_uint(file, map->values - 2 * map->width, map->width);
    if (map->key_width != 1 && map->key_width != 2 && map->key_width != 4 && map->key_width != 8)
        return broken(map->values, "a width of keys that is not 1, 2, 4 or 8");
    WAIO_TRY(st, follow(&map->keys, file, map, map->values - 3 * map->width, map->width));
    /* Each value has a type byte behind all of them. */
    if (count > bytes->count || !inside(map, map->values, count * (map->width + 1)) ||
        !inside(map, map->keys, count * map->key_width))
        return broken(map->values, "a map that reaches beyond them");
    map->count = (uint32_t)count;
done:
    return st;
}

/* Whether key `i` is `name`. */
static waio_status key_is(bool *out, const waio_flatbuf *file, const waio_flex_map *map, uint32_t i,
                          const char *name)
{
    size_t at = 0, length = strlen(name);
    waio_status st = follow(&at, file, map, map->keys + i * map->key_width, map->key_width);

    *out = st == WAIO_OK && inside(map, at, length + 1) &&
           memcmp(file->data + at, name, length + 1) == 0;
    return st;
}

static waio_status value_at(double *out, const waio_flatbuf *file, const waio_flex_map *map,
                            uint32_t i)
{
    waio_status st = WAIO_OK;
    size_t at = map->values + i * map->width, width = map->width;
    unsigned type = file->data[map->values + map->count * map->width + i];

    if (type >> 2 >= FLEX_INDIRECT_INT && type >> 2 <= FLEX_INDIRECT_FLOAT) {
        WAIO_TRY(st, follow(&at, file, map, at, width));
        width = (size_t)1 << (type & 3);
        if (!inside(map, at, width))
            return broken(at, "a number that reaches beyond them");
    }
    switch (type >> 2) {
    case FLEX_INT:
    case FLEX_INDIRECT_INT:
        *out = read_int(file, at, width);
        break;
    case FLEX_UINT:
    case FLEX_INDIRECT_UINT:
    case FLEX_BOOL:
        *out = (double)read_uint(file, at, width);
        break;
    case FLEX_FLOAT:
    case FLEX_INDIRECT_FLOAT:
        *out = read_float(file, at, width);
        break;
    default:
        return broken(at, "an option that is no number");
    }
done:
    return st;
}

waio_status waio_flex_number(double *out, bool *found, const waio_flatbuf *file,
                             const waio_flex_map *map, const char *name)
{
    waio_status st = WAIO_OK;

    *found = false;
    for (uint32_t i = 0; i < map->count && !*found; i++) {
        WAIO_TRY(st, key_is(found, file, map, i, name));
        if (*found && (st = value_at(out, file, map, i)) != WAIO_OK)
            return waio_error_context(st, "option %s", name);
    }
done:
    return st;
}
