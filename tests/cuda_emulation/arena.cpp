/* Device memory and the block's shared memory: one reserved range, so that the checker knows at
 * once what an address is. Everything new is filled with 0xFF, a NaN as float and -1 as integer.
 * Sizes are exact: AddressSanitizer and the checker see the first byte behind them. */
#include "cuda_emulation/emulator_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, bytes)   ((void)(p), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(p, bytes) ((void)(p), (void)(bytes))
#endif

enum : size_t { ALIGNMENT = 256, GAP = 512, MAX_ALLOCATIONS = 4096, SHARED_START = 4096 };

typedef struct allocation {
    char *start;
    size_t bytes;
} allocation;

char *arena_base;
uint8_t *arena_state;
static allocation list[MAX_ALLOCATIONS]; /* by address */
static size_t allocations, allocated, shared_now;
static char *next_place; /* moves on, so that freed memory is not used again soon */

static void *reserve(size_t bytes)
{
    void *range = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) {
        perror("emulator: no room for device memory");
        abort();
    }
    return range;
}

static void arena_open(void)
{
    if (arena_base)
        return;
    arena_base = static_cast<char *>(reserve(ARENA_BYTES));
    arena_state = static_cast<uint8_t *>(reserve(ARENA_BYTES));
    next_place = arena_base + ARENA_SHARED_BYTES + GAP;
    ASAN_POISON_MEMORY_REGION(arena_base, ARENA_SHARED_BYTES + GAP);
}

void arena_set_state(const void *p, size_t bytes, uint8_t state)
{
    memset(arena_state + arena_offset(p), state, bytes);
}

static char *round_up(char *p)
{
    return p + (ALIGNMENT - (uintptr_t)p % ALIGNMENT) % ALIGNMENT;
}

/* The first place from `from` on where `bytes` and the gaps fit; *at: its index in the list. */
static char *find_room(char *from, size_t bytes, size_t *at)
{
    char *place = round_up(from);

    for (size_t i = 0; i <= allocations; i++) {
        char *end = i < allocations ? list[i].start : arena_base + ARENA_BYTES;
        if (end <= place)
            goto skip;
        if ((size_t)(end - place) >= bytes + GAP) {
            *at = i;
            return place;
        }
    skip:
        if (i < allocations && list[i].start + list[i].bytes + GAP > place)
            place = round_up(list[i].start + list[i].bytes + GAP);
    }
    return NULL;
}

void *arena_allocate(size_t bytes)
{
    size_t at = 0;

    arena_open();
    if (allocations == MAX_ALLOCATIONS || bytes > ARENA_BYTES)
        return NULL;
    char *place = find_room(next_place, bytes, &at);
    if (!place)
        place = find_room(arena_base + ARENA_SHARED_BYTES + GAP, bytes, &at);
    if (!place)
        return NULL;
    memmove(list + at + 1, list + at, (allocations - at) * sizeof *list);
    list[at] = {place, bytes};
    allocations++;
    allocated += bytes;
    next_place = place + bytes + GAP;
    ASAN_POISON_MEMORY_REGION(place - GAP / 2, bytes + GAP);
    ASAN_UNPOISON_MEMORY_REGION(place, bytes);
    memset(place, 0xFF, bytes);
    arena_set_state(place, bytes, EMULATOR_LIVE);
    return place;
}

bool arena_free(void *p)
{
    for (size_t i = 0; i < allocations; i++)
        if (list[i].start == p) {
            ASAN_POISON_MEMORY_REGION(list[i].start, list[i].bytes);
            arena_set_state(p, list[i].bytes, 0);
            allocated -= list[i].bytes;
            memmove(list + i, list + i + 1, (allocations - i - 1) * sizeof *list);
            allocations--;
            return true;
        }
    return false;
}

bool arena_inside(const void *p, size_t bytes)
{
    const char *start = static_cast<const char *>(p);

    for (size_t i = 0; i < allocations; i++)
        if (start >= list[i].start && start <= list[i].start + list[i].bytes)
            return bytes <= (size_t)(list[i].start + list[i].bytes - start);
    return false;
}

char *arena_new_shared(size_t bytes)
{
    arena_open();
    char *start = arena_base + SHARED_START;

    arena_set_state(start, shared_now, 0);
    ASAN_POISON_MEMORY_REGION(start, shared_now);
    ASAN_UNPOISON_MEMORY_REGION(start, bytes);
    memset(start, 0xFF, bytes);
    arena_set_state(start, bytes, EMULATOR_LIVE);
    shared_now = bytes;
    return start;
}

size_t arena_shared_bytes(void)
{
    return shared_now;
}

size_t emulator_allocated(void)
{
    return allocated;
}
