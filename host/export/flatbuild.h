/* Building a flatbuffer from front to back (format: the FlatBuffers internals document). What an
 * offset leads to must lie behind it, so a parent is written first, with empty offsets, and each
 * child is linked when it is written:
 *
 *   waio_flat_slot slot[] = {{.id = 0, .bytes = 4, .value = 3}, {.id = 2, .bytes =
 * WAIO_FLAT_LINK}}; waio_flatbuild_table(&b, slot, 2); waio_flatbuild_link(&b, slot[1].at,
 * waio_flatbuild_string(&b, "name"));
 *
 * Out of memory: everything after it does nothing, waio_flatbuild_finish says so. */
#ifndef WAIO_EXPORT_FLATBUILD_H
#define WAIO_EXPORT_FLATBUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

typedef struct waio_flatbuild {
    unsigned char *data; /* released with free() */
    size_t size, capacity;
    bool failed;
} waio_flatbuild;

enum { WAIO_FLAT_LINK = 0 }; /* as `bytes`: an offset, linked later */

typedef struct waio_flat_slot {
    int id;         /* of the field */
    int bytes;      /* 1, 2, 4, 8 or WAIO_FLAT_LINK */
    uint64_t value; /* its bits */
    size_t at;      /* receives where it was written */
} waio_flat_slot;

/* The bits of a float, for a slot of 4 bytes. */
uint64_t waio_flat_float(float value);

/* Leaves room for the offset of the root table, and writes the identifier of 4 letters. */
void waio_flatbuild_start(waio_flatbuild *b, const char *identifier);

/* Each writes an item and says where it begins. */
size_t waio_flatbuild_table(waio_flatbuild *b, waio_flat_slot *slot, int count);
size_t waio_flatbuild_string(waio_flatbuild *b, const char *text);
/* `count` elements of `bytes` bytes, little-endian; the first one lies at a multiple of `align`. */
size_t waio_flatbuild_vector(waio_flatbuild *b, const void *elements, size_t count, size_t bytes,
                             size_t align);
/* A vector of offsets; offset i lies at waio_flatbuild_element(vector, i). */
size_t waio_flatbuild_links(waio_flatbuild *b, size_t count);
size_t waio_flatbuild_element(size_t vector, size_t i);

/* Lets the offset at `at` lead to `to`, which lies behind it. */
void waio_flatbuild_link(waio_flatbuild *b, size_t at, size_t to);

/* WAIO_ENOMEM if something was left out, WAIO_EUNSUPPORTED from 2 GiB up. */
waio_status waio_flatbuild_finish(const waio_flatbuild *b);

#endif
