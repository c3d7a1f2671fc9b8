/* An arena hands out memory that lives until the arena is freed: no single frees, no leaks on the
 * error path. Who makes an arena frees it; who receives one only takes from it. */
#ifndef WAIO_UTIL_ARENA_H
#define WAIO_UTIL_ARENA_H

#include <stddef.h>

#include "util/status.h"

typedef struct waio_arena waio_arena;

/* NULL when out of memory (with a message set). */
waio_arena *waio_arena_new(void);
void waio_arena_free(waio_arena *arena);

/* `bytes` of zeroed memory, aligned to 64 bytes; NULL when out of memory (with a message set).
 * A size of 0 gives a valid pointer of no bytes. */
void *waio_arena_alloc(waio_arena *arena, size_t bytes);
/* The same for `count` items of `size` bytes; an overflowing product is out of memory. */
void *waio_arena_array(waio_arena *arena, size_t count, size_t size);
char *waio_arena_strdup(waio_arena *arena, const char *text);
char *waio_arena_printf(waio_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define WAIO_NEW(st, out, arena, count)                                                            \
    do {                                                                                           \
        (out) = waio_arena_array((arena), (count), sizeof *(out));                                 \
        if (!(out)) {                                                                              \
            (st) = WAIO_ENOMEM;                                                                    \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/* 64-byte aligned, zeroed heap memory for tensors and workspaces; release with free(). */
void *waio_aligned_calloc(size_t bytes);

#endif
