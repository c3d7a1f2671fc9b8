#include "import/flatbuf.h"

#include <string.h>

static waio_status broken(size_t at, const char *what)
{
    return waio_error(WAIO_EINPUT, "byte %zu: %s; the file is damaged or cut short", at, what);
}

static bool inside(const waio_flatbuf *file, size_t at, size_t bytes)
{
    return at <= file->size && bytes <= file->size - at;
}

static uint32_t u32(const waio_flatbuf *file, size_t at)
{
    const unsigned char *p = file->data + at;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t u16(const waio_flatbuf *file, size_t at)
{
    return (uint16_t)(file->data[at] | file->data[at + 1] << 8);
}

/* The table at `at`: its first word leads back (signed) to the vtable. */
static waio_status open_table(waio_flat_table *table, const waio_flatbuf *file, size_t at)
{
    if (!inside(file, at, 4))
        return broken(at, "a table outside the file");
    int64_t vtable = (int64_t)at - (int32_t)u32(file, at);
    if (vtable < 0 || !inside(file, (size_t)vtable, 4))
        return broken(at, "a table whose vtable lies outside the file");
    *table = (waio_flat_table){at, (size_t)vtable, u16(file, (size_t)vtable),
                               u16(file, (size_t)vtable + 2)};
    if (table->vtable_bytes < 4 || !inside(file, table->vtable, table->vtable_bytes) ||
        table->table_bytes < 4 || !inside(file, at, table->table_bytes))
        return broken(at, "a table that reaches beyond the file");
    return WAIO_OK;
}

waio_status waio_flat_root(waio_flat_table *table, const waio_flatbuf *file, const char *identifier)
{
    if (!inside(file, 0, 8) || memcmp(file->data + 4, identifier, 4) != 0)
        return waio_error(WAIO_EINPUT, "byte 4: no \"%s\" there", identifier);
    return open_table(table, file, u32(file, 0));
}

/* The place of field `id` with `bytes` of content, 0 if the table does not have it. */
static waio_status field(size_t *at, const waio_flatbuf *file, const waio_flat_table *table, int id,
                         size_t bytes)
{
    size_t slot = 4 + 2 * (size_t)id;

    *at = 0;
    if (slot + 2 > table->vtable_bytes)
        return WAIO_OK;
    uint16_t offset = u16(file, table->vtable + slot);
    if (offset == 0)
        return WAIO_OK;
    if (offset < 4 || offset + bytes > table->table_bytes)
        return broken(table->at, "a field outside its table");
    *at = table->at + offset;
    return WAIO_OK;
}

waio_status waio_flat_u8(uint8_t *out, const waio_flatbuf *file, const waio_flat_table *table,
                         int id, uint8_t fallback)
{
    size_t at = 0;
    waio_status st = field(&at, file, table, id, 1);
    *out = at ? file->data[at] : fallback;
    return st;
}

waio_status waio_flat_i32(int32_t *out, const waio_flatbuf *file, const waio_flat_table *table,
                          int id, int32_t fallback)
{
    size_t at = 0;
    waio_status st = field(&at, file, table, id, 4);
    *out = at ? (int32_t)u32(file, at) : fallback;
    return st;
}

waio_status waio_flat_u64(uint64_t *out, const waio_flatbuf *file, const waio_flat_table *table,
                          int id, uint64_t fallback)
{
    size_t at = 0;
    waio_status st = field(&at, file, table, id, 8);
    *out = at ? (uint64_t)u32(file, at) | (uint64_t)u32(file, at + 4) << 32 : fallback;
    return st;
}

waio_status waio_flat_f32(float *out, const waio_flatbuf *file, const waio_flat_table *table,
                          int id, float fallback)
{
    size_t at = 0;
    waio_status st = field(&at, file, table, id, 4);
    uint32_t bits = at ? u32(file, at) : 0;

    *out = fallback;
    if (at)
        memcpy(out, &bits, sizeof bits);
    return st;
}

/* The place that the offset in field `id` leads to, 0 if it is not there. */
static waio_status follow(size_t *to, const waio_flatbuf *file, const waio_flat_table *table,
                          int id)
{
    size_t at = 0;
    waio_status st = field(&at, file, table, id, 4);

    *to = 0;
    if (st != WAIO_OK || !at)
        return st;
    uint32_t offset = u32(file, at);
    if (offset == 0 || !inside(file, at, (size_t)offset + 4))
        return broken(at, "an offset that leaves the file");
    *to = at + offset;
    return WAIO_OK;
}

waio_status waio_flat_child(waio_flat_table *out, const waio_flatbuf *file,
                            const waio_flat_table *table, int id)
{
    size_t at = 0;
    waio_status st = follow(&at, file, table, id);

    *out = (waio_flat_table){0};
    return st == WAIO_OK && at ? open_table(out, file, at) : st;
}

waio_status waio_flat_vector_field(waio_flat_vector *out, const waio_flatbuf *file,
                                   const waio_flat_table *table, int id, size_t element)
{
    size_t at = 0;
    waio_status st = follow(&at, file, table, id);

    *out = (waio_flat_vector){0};
    if (st != WAIO_OK || !at)
        return st;
    uint32_t count = u32(file, at);
    if (!inside(file, at + 4, 0) || count > (file->size - at - 4) / element)
        return broken(at, "a vector that reaches beyond the file");
    *out = (waio_flat_vector){at + 4, count};
    return WAIO_OK;
}

waio_status waio_flat_string(const char **out, const waio_flatbuf *file,
                             const waio_flat_table *table, int id)
{
    waio_flat_vector text;
    waio_status st = waio_flat_vector_field(&text, file, table, id, 1);

    *out = "";
    if (st != WAIO_OK || !text.at)
        return st;
    if (!inside(file, text.at, (size_t)text.count + 1) || file->data[text.at + text.count] != 0)
        return broken(text.at, "a text without its end");
    *out = (const char *)file->data + text.at;
    return WAIO_OK;
}

waio_status waio_flat_element(waio_flat_table *out, const waio_flatbuf *file,
                              const waio_flat_vector *vector, uint32_t i)
{
    if (i >= vector->count)
        return broken(vector->at, "an index beyond its vector");
    size_t at = vector->at + 4 * (size_t)i;
    uint32_t offset = u32(file, at);
    if (!inside(file, at, (size_t)offset + 4))
        return broken(at, "an offset that leaves the file");
    return open_table(out, file, at + offset);
}

int32_t waio_flat_i32_at(const waio_flatbuf *file, const waio_flat_vector *vector, uint32_t i)
{
    return (int32_t)u32(file, vector->at + 4 * (size_t)i);
}

int64_t waio_flat_i64_at(const waio_flatbuf *file, const waio_flat_vector *vector, uint32_t i)
{
    size_t at = vector->at + 8 * (size_t)i;
    return (int64_t)((uint64_t)u32(file, at) | (uint64_t)u32(file, at + 4) << 32);
}

float waio_flat_f32_at(const waio_flatbuf *file, const waio_flat_vector *vector, uint32_t i)
{
    uint32_t bits = u32(file, vector->at + 4 * (size_t)i);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
