/* Every item is its own allocation, so that AddressSanitizer and valgrind see each overrun. The
 * arenas of this program hold few, large items; a bump allocator would gain nothing. */
#include "util/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

struct waio_arena {
    void **items;
    size_t count, capacity;
};

waio_arena *waio_arena_new(void)
{
    waio_arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        waio_error(WAIO_ENOMEM, "out of memory");
    return arena;
}

void waio_arena_free(waio_arena *arena)
{
    if (!arena)
        return;
    for (size_t i = 0; i < arena->count; i++)
        free(arena->items[i]);
    free(arena->items);
    free(arena);
}

void *waio_aligned_calloc(size_t bytes)
{
    void *p = NULL;
    size_t rounded = bytes < SIZE_MAX - ALIGN ? (bytes + ALIGN - 1) / ALIGN * ALIGN : SIZE_MAX;

    if (rounded == SIZE_MAX || !(p = aligned_alloc(ALIGN, rounded ? rounded : ALIGN))) {
        waio_error(WAIO_ENOMEM, "out of memory: %zu bytes asked for", bytes);
        return NULL;
    }
    memset(p, 0, rounded ? rounded : ALIGN);
    return p;
}

void *waio_arena_alloc(waio_arena *arena, size_t bytes)
{
    if (arena->count == arena->capacity) {
        size_t capacity = arena->capacity ? arena->capacity * 2 : 64;
        void **items = realloc(arena->items, capacity * sizeof *items);
        if (!items) {
            waio_error(WAIO_ENOMEM, "out of memory");
            return NULL;
        }
        arena->items = items;
        arena->capacity = capacity;
    }
    void *p = waio_aligned_calloc(bytes);
    if (p) {
        arena->items[arena->count++] = p;
    }
    return p;
}

void *waio_arena_array(waio_arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) {
        waio_error(WAIO_ENOMEM, "out of memory: %zu items of %zu bytes asked for", count, size);
        return NULL;
    }
    return waio_arena_alloc(arena, count * size);
}

char *waio_arena_strdup(waio_arena *arena, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = waio_arena_alloc(arena, bytes);
    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

char *waio_arena_printf(waio_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return NULL;
    char *text = waio_arena_alloc(arena, (size_t)n + 1);
    if (text) {
        va_start(args, format);
        vsnprintf(text, (size_t)n + 1, format, args);
        va_end(args);
    }
    return text;
}
