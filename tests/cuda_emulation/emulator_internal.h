/* What the emulator's files share: fibers, the running block, memory, the checker's hooks. */
#ifndef WAIO_TESTS_EMULATOR_INTERNAL_H
#define WAIO_TESTS_EMULATOR_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "cuda_emulation/cuda_runtime.h"
#include "cuda_emulation/emulator.h"

enum { EMULATOR_MAX_THREADS = 1024, EMULATOR_LANES = 32, EMULATOR_MAX_WARPS = 32 };

/* ---- fiber.cpp: stacks and the switch between them ---- */

typedef struct fiber {
    void *stack_pointer; /* while it does not run */
    char *stack;         /* lowest address; NULL for the host's own */
    size_t stack_bytes;
    void *sanitizer_stack;
    void *context; /* of the fallback */
} fiber;

extern fiber fiber_host;
/* Makes fiber `index` ready to begin in `entry`, which must not return. */
void fiber_prepare(fiber *f, int index, void (*entry)(void));
void fiber_switch(fiber *from, fiber *to);
/* The first thing that `entry` does. */
void fiber_entered(void);
/* After a kernel was stopped: its fibers' stacks may be written anew. */
void fiber_forget_stacks(int count);

/* ---- arena.cpp: device memory and shared memory in one reserved range ---- */

enum { EMULATOR_LIVE = 1, EMULATOR_WRITTEN = 2, EMULATOR_PENDING = 4 };

extern char *arena_base; /* NULL before the first use */
extern uint8_t *arena_state;
enum : size_t {
    ARENA_SHARED_BYTES = (size_t)1 << 19, /* where the block's shared memory lies */
    ARENA_BYTES = (size_t)1 << 29
};

static inline bool arena_holds(const void *p)
{
    return arena_base && (uintptr_t)p - (uintptr_t)arena_base < ARENA_BYTES;
}
static inline size_t arena_offset(const void *p)
{
    return (size_t)((uintptr_t)p - (uintptr_t)arena_base);
}
static inline bool arena_is_shared(const void *p)
{
    return arena_holds(p) && arena_offset(p) < ARENA_SHARED_BYTES;
}

void *arena_allocate(size_t bytes); /* NULL if there is no room; filled with 0xFF */
bool arena_free(void *p);           /* false if it is no allocation */
/* Whether [p, p + bytes) lies inside one allocation of device memory. */
bool arena_inside(const void *p, size_t bytes);
/* Shared memory of exactly `bytes` bytes for a new block, filled with 0xFF. */
char *arena_new_shared(size_t bytes);
size_t arena_shared_bytes(void);
void arena_set_state(const void *p, size_t bytes, uint8_t state);

/* ---- block.cpp: the running block ---- */

typedef struct pending_copy {
    char *dst;
    const char *src;
    unsigned bytes, valid;
    int group;
} pending_copy;

enum thread_state { THREAD_READY, THREAD_AT_BARRIER, THREAD_IN_WARP, THREAD_EXITED };
enum { EMULATOR_MAX_COPIES = 256 };

typedef struct thread {
    emulated_position position;
    fiber stack;
    int index, warp, lane;
    enum thread_state state;
    int line; /* where it waits, or has waited last */
    /* of a collective of the warp: */
    int operation;
    unsigned mask;
    void *operands;
    /* async copies on their way, oldest first: */
    pending_copy *copy; /* EMULATOR_MAX_COPIES; apart, so that threads lie close together */
    int copies, groups;
} thread;

enum warp_operation { WARP_SYNC, WARP_BALLOT, WARP_SHUFFLE, WARP_MMA, WARP_LDMATRIX };
extern const char *const warp_operation_name[];

typedef struct running_block {
    thread *threads; /* EMULATOR_MAX_THREADS of them */
    int count, exited, at_barrier;
    int barrier_line;
    int barriers;                  /* passed so far */
    int syncs[EMULATOR_MAX_WARPS]; /* full __syncwarps passed so far */
    uint32_t serial;               /* different for every block that ever ran */
    uint32_t first_serial;         /* of the launch's first block */
} running_block;
extern running_block running;

/* The running thread; valid inside kernels only. */
static inline thread *thread_now(void)
{
    return reinterpret_cast<thread *>(emulated_now);
}

typedef struct launch_shape {
    dim3 grid, block;
    size_t shared_bytes;
} launch_shape;

/* Runs a kernel to its end. False if it was stopped: emulator_message says why. */
bool emulator_run(emulated_thunk thunk, const void *function, void **args,
                  const launch_shape *shape);
/* Ends the running kernel with a message about the running thread. */
[[noreturn]] void emulator_stop(const char *format, ...) __attribute__((format(printf, 1, 2)));
void emulator_set_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The calling lane takes part in `operation` and returns when all lanes of `mask` have. */
void warp_meet(enum warp_operation operation, unsigned mask, void *operands, int line);
/* collectives.cpp: does the operation for the lanes of `mask`, whose threads are lane[0..31]. */
void warp_perform(enum warp_operation operation, unsigned mask, thread *lane);

/* ---- checker.cpp, traffic.cpp ---- */

enum access_kind { ACCESS_READ, ACCESS_WRITE, ACCESS_ATOMIC };
extern bool checker_on;
/* An access of the running thread by the instruction at `place`. */
void checker_access(const void *p, size_t bytes, enum access_kind kind, const void *place);
void checker_report(enum emulator_report kind, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void traffic_access(const void *p, size_t bytes, bool write, const void *place);
/* The accesses of `warp` since its last meeting are complete; -1: of all warps. */
void traffic_flush(int warp);
void traffic_reset(void);

#define EMULATED_PLACE __builtin_return_address(0)

#endif
