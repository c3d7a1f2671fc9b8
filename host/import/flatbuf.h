/* Reading flatbuffers without trusting them: every offset, table, vector and string is checked
 * against the file before it is followed (format: the FlatBuffers internals document).
 * Little-endian numbers at any alignment. A place is a byte offset into the file; messages name it
 * and leave the file's name to the caller. Nothing here follows more than one offset a call. */
#ifndef WAIO_IMPORT_FLATBUF_H
#define WAIO_IMPORT_FLATBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

typedef struct waio_flatbuf {
    const unsigned char *data;
    size_t size;
} waio_flatbuf;

/* A table and its vtable. All zero: a table that is not there; its fields have their defaults. */
typedef struct waio_flat_table {
    size_t at, vtable;
    uint16_t vtable_bytes, table_bytes;
} waio_flat_table;

typedef struct waio_flat_vector {
    size_t at; /* of element 0 */
    uint32_t count;
} waio_flat_vector;

/* The root table, behind a file identifier of 4 letters at byte 4. */
waio_status waio_flat_root(waio_flat_table *table, const waio_flatbuf *file,
                           const char *identifier);

/* Field `id` as a number of the named kind, `fallback` if it is not there. */
waio_status waio_flat_u8(uint8_t *out, const waio_flatbuf *file, const waio_flat_table *table,
                         int id, uint8_t fallback);
waio_status waio_flat_i32(int32_t *out, const waio_flatbuf *file, const waio_flat_table *table,
                          int id, int32_t fallback);
waio_status waio_flat_u64(uint64_t *out, const waio_flatbuf *file, const waio_flat_table *table,
                          int id, uint64_t fallback);
waio_status waio_flat_f32(float *out, const waio_flatbuf *file, const waio_flat_table *table,
                          int id, float fallback);

/* Field `id` as a table, a vector of elements of `element` bytes, a string. Not there: an empty one
 * (the string ""). */
waio_status waio_flat_child(waio_flat_table *out, const waio_flatbuf *file,
                            const waio_flat_table *table, int id);
waio_status waio_flat_vector_field(waio_flat_vector *out, const waio_flatbuf *file,
                                   const waio_flat_table *table, int id, size_t element);
waio_status waio_flat_string(const char **out, const waio_flatbuf *file,
                             const waio_flat_table *table, int id);

/* Element `i` of a vector of tables. */
waio_status waio_flat_element(waio_flat_table *out, const waio_flatbuf *file,
                              const waio_flat_vector *vector, uint32_t i);

/* Elements of vectors whose extent was checked; i < count. */
int32_t waio_flat_i32_at(const waio_flatbuf *file, const waio_flat_vector *vector, uint32_t i);
int64_t waio_flat_i64_at(const waio_flatbuf *file, const waio_flat_vector *vector, uint32_t i);
float waio_flat_f32_at(const waio_flatbuf *file, const waio_flat_vector *vector, uint32_t i);

#endif
