#include "export/flatbuild.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096, MOST_FIELDS = 32 };

/* `count` zero bytes behind the end; NULL if there is no memory. */
static unsigned char *extend(waio_flatbuild *b, size_t count)
{
    if (b->failed)
        return NULL;
    if (count > b->capacity - b->size) {
        size_t capacity = b->capacity + b->capacity / 2 + count + ROOM;
        unsigned char *grown = capacity > count ? realloc(b->data, capacity) : NULL;
        if (!grown) {
            b->failed = true;
            return NULL;
        }
        b->data = grown;
        b->capacity = capacity;
    }
    unsigned char *at = b->data + b->size;
    memset(at, 0, count);
    b->size += count;
    return at;
}

/* Moves the end to where `ahead` more bytes would reach a multiple of `align`. */
static void align_to(waio_flatbuild *b, size_t align, size_t ahead)
{
    extend(b, (align - (b->size + ahead) % align) % align);
}

static void put(waio_flatbuild *b, size_t at, uint64_t value, int bytes)
{
    for (int i = 0; !b->failed && i < bytes; i++)
        b->data[at + (size_t)i] = (unsigned char)(value >> (8 * i));
}

uint64_t waio_flat_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

void waio_flatbuild_start(waio_flatbuild *b, const char *identifier)
{
    unsigned char *at = extend(b, 8);
    if (at)
        memcpy(at + 4, identifier, 4);
}

/* A table begins with the distance back to its vtable, which holds the sizes of both and, per
 * field, the distance from the table's begin (0: not there). Wide fields come first, so that each
 * is aligned. */
size_t waio_flatbuild_table(waio_flatbuild *b, waio_flat_slot *slot, int count)
{
    size_t vtable_bytes = 4, table_bytes = 4, offset[MOST_FIELDS] = {0};

    assert(count <= MOST_FIELDS);
    for (int i = 0; i < count; i++) {
        size_t end = 4 + 2 * ((size_t)slot[i].id + 1);
        vtable_bytes = end > vtable_bytes ? end : vtable_bytes;
    }
    for (int width = 8; width >= 1; width /= 2)
        for (int i = 0; i < count; i++) {
            int bytes = slot[i].bytes == WAIO_FLAT_LINK ? 4 : slot[i].bytes;
            if (bytes != width)
                continue;
            offset[i] = table_bytes;
            table_bytes += (size_t)bytes;
        }
    align_to(b, 8, vtable_bytes + 4); /* the fields behind the first word: at a multiple of 8 */
    size_t vtable = b->size, table = vtable + vtable_bytes;
    extend(b, vtable_bytes + table_bytes);
    put(b, vtable, vtable_bytes, 2);
    put(b, vtable + 2, table_bytes, 2);
    put(b, table, vtable_bytes, 4);
    for (int i = 0; i < count; i++) {
        put(b, vtable + 4 + 2 * (size_t)slot[i].id, offset[i], 2);
        slot[i].at = table + offset[i];
        put(b, slot[i].at, slot[i].value, slot[i].bytes);
    }
    return table;
}

size_t waio_flatbuild_vector(waio_flatbuild *b, const void *elements, size_t count, size_t bytes,
                             size_t align)
{
    align_to(b, align > 4 ? align : 4, 4);
    size_t vector = b->size;
    unsigned char *at = extend(b, 4 + count * bytes);

    put(b, vector, count, 4);
    if (at && count)
        memcpy(at + 4, elements, count * bytes);
    return vector;
}

size_t waio_flatbuild_string(waio_flatbuild *b, const char *text)
{
    size_t string = waio_flatbuild_vector(b, text, strlen(text), 1, 4);
    extend(b, 1);
    return string;
}

size_t waio_flatbuild_links(waio_flatbuild *b, size_t count)
{
    align_to(b, 4, 0);
    size_t vector = b->size;
    extend(b, 4 + 4 * count);
    put(b, vector, count, 4);
    return vector;
}

size_t waio_flatbuild_element(size_t vector, size_t i)
{
    return vector + 4 + 4 * i;
}

void waio_flatbuild_link(waio_flatbuild *b, size_t at, size_t to)
{
    assert(b->failed || to > at);
    put(b, at, to - at, 4);
}

waio_status waio_flatbuild_finish(const waio_flatbuild *b)
{
    if (b->failed)
        return waio_error(WAIO_ENOMEM, "out of memory");
    if (b->size > INT32_MAX)
        return waio_error(WAIO_EUNSUPPORTED, "the file would have %zu bytes, it can have 2 GiB",
                          b->size);
    return WAIO_OK;
}
