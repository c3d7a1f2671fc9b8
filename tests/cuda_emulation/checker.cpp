/* The memory checker. Kernels compiled with -fsanitize=thread call __tsan_read4 and its like at
 * every access; those functions stand here, and the compiler's library is not linked. What has
 * happened to a byte is kept exactly: who wrote and who read it last, whether it was ever written,
 * whether an async copy to it is on its way.
 *
 * Two accesses by different threads, at least one of them a write and not both atomic, are a race
 * unless something orders them: a __syncthreads between threads of a block, a full __syncwarp
 * between lanes of a warp. Blocks of one launch are never ordered. Shuffles, votes, mma and
 * ldmatrix promise nothing about memory and order nothing. */
#include "cuda_emulation/emulator_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

bool checker_on;

/* Who a record is about: a thread, or that several have read since the last order among them. */
enum { NOBODY = 0, SEVERAL_IN_WARP = 0x4000, SEVERAL_IN_BLOCK = 0x8000, SEVERAL_BLOCKS = 0xC000 };
/* A thread of the block is stored as its index + 1, several of a warp as SEVERAL_IN_WARP + warp. */

typedef struct record {
    uint32_t serial; /* of the block */
    uint16_t who;
    uint16_t atomic;
    int32_t barriers, syncs; /* passed by the block, by the warp */
} record;

typedef struct shadow {
    record write, read;
} shadow;

static shadow *shadows; /* one per byte of the arena */
static long reports[EMULATOR_REPORTS], accesses;
static char first_report[512];

void emulator_check(int on)
{
    if (on && !shadows) {
        void *range = mmap(NULL, ARENA_BYTES * sizeof(shadow), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (range == MAP_FAILED) {
            perror("emulator: no room for the checker");
            abort();
        }
        shadows = static_cast<shadow *>(range);
    }
    checker_on = on != 0;
    memset(reports, 0, sizeof reports);
    accesses = 0;
    first_report[0] = 0;
    traffic_reset();
}

long emulator_report_count(emulator_report kind)
{
    return reports[kind];
}

const char *emulator_first_report(void)
{
    return first_report;
}

long emulator_access_count(void)
{
    return accesses;
}

void checker_report(enum emulator_report kind, const char *format, ...)
{
    va_list args;

    reports[kind]++;
    if (first_report[0])
        return;
    va_start(args, format);
    vsnprintf(first_report, sizeof first_report, format, args);
    va_end(args);
}

/* ---- the rules ---- */

static int warp_of(const record *r)
{
    return r->who >= SEVERAL_IN_WARP ? r->who - SEVERAL_IN_WARP : (r->who - 1) / EMULATOR_LANES;
}

/* Whether nothing orders what `r` says before an access by thread `t` now. */
static bool unordered(const record *r, const thread *t, bool shared)
{
    if (r->who == NOBODY || r->serial < running.first_serial)
        return false;
    if (r->serial != running.serial || r->who == SEVERAL_BLOCKS)
        return !shared;
    if (r->who == t->index + 1)
        return false;
    if (r->barriers != running.barriers)
        return false;
    if (r->who == SEVERAL_IN_BLOCK || warp_of(r) != t->warp)
        return true;
    return r->syncs == running.syncs[t->warp];
}

static record record_of(const thread *t, enum access_kind kind)
{
    return {running.serial, (uint16_t)(t->index + 1), kind == ACCESS_ATOMIC, running.barriers,
            running.syncs[t->warp]};
}

/* The record of reads after one by `t`: `old` is still one of those that a writer must follow. */
static void add_read(record *old, const thread *t, enum access_kind kind, bool shared)
{
    record now = record_of(t, kind);

    if (unordered(old, t, shared)) {
        bool other_block = old->serial != now.serial || old->who == SEVERAL_BLOCKS;
        bool other_warp = old->who == SEVERAL_IN_BLOCK || warp_of(old) != t->warp;
        now.who = (uint16_t)(other_block  ? SEVERAL_BLOCKS
                             : other_warp ? SEVERAL_IN_BLOCK
                                          : SEVERAL_IN_WARP + t->warp);
        now.atomic = now.atomic && old->atomic;
    } else if (old->who == now.who && old->serial == now.serial && old->barriers == now.barriers &&
               old->syncs == now.syncs) {
        now.atomic = now.atomic && old->atomic;
    }
    *old = now;
}

static void describe(char *text, size_t bytes, const record *r)
{
    if (r->who == SEVERAL_BLOCKS || r->who == SEVERAL_IN_BLOCK)
        snprintf(text, bytes, "several threads");
    else if (r->who >= SEVERAL_IN_WARP)
        snprintf(text, bytes, "several lanes of warp %d", warp_of(r));
    else
        snprintf(text, bytes, "thread %d of %s block", r->who - 1,
                 r->serial == running.serial ? "this" : "another");
}

static void report_access(enum emulator_report kind, const char *what, const void *p, size_t bytes,
                          const record *other, const void *place)
{
    const emulated_position *at = emulated_now;
    char by[64] = "";

    if (other)
        describe(by, sizeof by, other);
    checker_report(kind, "%s: %zu bytes at %s+%zu by block (%u,%u,%u) thread %d, code at %p%s%s",
                   what, bytes, arena_is_shared(p) ? "shared" : "global",
                   arena_is_shared(p) ? (size_t)(static_cast<const char *>(p) - emulated_shared)
                                      : arena_offset(p),
                   at->block.x, at->block.y, at->block.z, thread_now()->index, place,
                   other ? "; before: " : "", by);
}

/* The first thing that is wrong with the access; false if all is well. */
static bool find_fault(const void *p, size_t bytes, enum access_kind kind, const void *place)
{
    const thread *t = thread_now();
    const bool shared = arena_is_shared(p), reads = kind != ACCESS_WRITE;
    size_t at = arena_offset(p);

    for (size_t i = at; i < at + bytes; i++) {
        const shadow *s = &shadows[i];
        if (!(arena_state[i] & EMULATOR_LIVE))
            report_access(EMULATOR_OUT_OF_BOUNDS, "out of bounds", p, bytes, NULL, place);
        else if (reads && arena_state[i] & EMULATOR_PENDING)
            report_access(EMULATOR_BEFORE_WAIT, "async copy read before its wait", p, bytes, NULL,
                          place);
        else if (reads && !(arena_state[i] & EMULATOR_WRITTEN))
            report_access(EMULATOR_UNINITIALISED, "uninitialised", p, bytes, NULL, place);
        else if (unordered(&s->write, t, shared) && !(kind == ACCESS_ATOMIC && s->write.atomic))
            report_access(EMULATOR_RACE, reads ? "race, read after write" : "race, two writes", p,
                          bytes, &s->write, place);
        else if (kind != ACCESS_READ && unordered(&s->read, t, shared) &&
                 !(kind == ACCESS_ATOMIC && s->read.atomic))
            report_access(EMULATOR_RACE, "race, write after read", p, bytes, &s->read, place);
        else
            continue;
        return true;
    }
    return false;
}

void checker_access(const void *p, size_t bytes, enum access_kind kind, const void *place)
{
    if (!checker_on || !emulated_now || !arena_holds(p))
        return;
    const thread *t = thread_now();
    const bool shared = arena_is_shared(p);
    size_t at = arena_offset(p);

    accesses++;
    if (kind != ACCESS_ATOMIC)
        traffic_access(p, bytes, kind == ACCESS_WRITE, place);
    find_fault(p, bytes, kind, place);
    for (size_t i = at; i < at + bytes; i++) {
        if (kind != ACCESS_READ) {
            arena_state[i] |= EMULATOR_WRITTEN;
            shadows[i].write = record_of(t, kind);
        }
        if (kind != ACCESS_WRITE)
            add_read(&shadows[i].read, t, kind, shared);
    }
}

/* ---- what the compiler calls ---- */

extern "C" {
#define HOOKS(bytes)                                                                               \
    void __tsan_read##bytes(void *p)                                                               \
    {                                                                                              \
        checker_access(p, bytes, ACCESS_READ, EMULATED_PLACE);                                     \
    }                                                                                              \
    void __tsan_write##bytes(void *p)                                                              \
    {                                                                                              \
        checker_access(p, bytes, ACCESS_WRITE, EMULATED_PLACE);                                    \
    }                                                                                              \
    void __tsan_unaligned_read##bytes(void *p)                                                     \
    {                                                                                              \
        checker_access(p, bytes, ACCESS_READ, EMULATED_PLACE);                                     \
    }                                                                                              \
    void __tsan_unaligned_write##bytes(void *p)                                                    \
    {                                                                                              \
        checker_access(p, bytes, ACCESS_WRITE, EMULATED_PLACE);                                    \
    }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
#undef HOOKS

void __tsan_read_range(void *p, size_t bytes)
{
    checker_access(p, bytes, ACCESS_READ, EMULATED_PLACE);
}

void __tsan_write_range(void *p, size_t bytes)
{
    checker_access(p, bytes, ACCESS_WRITE, EMULATED_PLACE);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(void *)
{
}

void __tsan_func_exit(void)
{
}

void __tsan_vptr_read(void **)
{
}

void __tsan_vptr_update(void **, void *)
{
}
}
