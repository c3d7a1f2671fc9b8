/* Runs a kernel: blocks one after the other, the threads of a block on fibers. A thread runs until
 * it waits at a barrier or for the other lanes of a collective, or ends; the schedule then says who
 * goes on. What CUDA forbids stops the kernel with a message. */
#include "cuda_emulation/emulator_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

emulated_position *emulated_now;
char *emulated_shared;
running_block running;

static emulator_schedule schedule;
static uint64_t seed = 1, random_state;
static char message[4096];
static bool stopped;

/* Which threads can go on: a bit per lane of each warp, and a bit per warp that has one. */
static unsigned ready_lanes[EMULATOR_MAX_WARPS], ready_warps;
/* Lanes that wait for a collective, and lanes that are there and have not ended. */
static unsigned meeting_lanes[EMULATOR_MAX_WARPS], live_lanes[EMULATOR_MAX_WARPS];

static emulated_thunk kernel_thunk;
static const void *kernel_function;
static void **kernel_args;

void emulator_set_schedule(emulator_schedule schedule_, uint64_t seed_)
{
    schedule = schedule_;
    seed = seed_;
}

const char *emulator_message(void)
{
    return message;
}

void emulator_set_message(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
}

void emulator_stop(const char *format, ...)
{
    const emulated_position *p = emulated_now;
    int used = snprintf(message, sizeof message, "block (%u,%u,%u) thread (%u,%u,%u): ", p->block.x,
                        p->block.y, p->block.z, p->thread.x, p->thread.y, p->thread.z);
    va_list args;

    va_start(args, format);
    vsnprintf(message + used, sizeof message - (size_t)used, format, args);
    va_end(args);
    stopped = true;
    fiber_switch(&thread_now()->stack, &fiber_host);
    abort(); /* nobody comes back to a stopped thread */
}

/* ---- who goes on ---- */

static uint64_t draw(void) /* xorshift */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int random_bit_of(unsigned mask)
{
    int skip = (int)(draw() % (unsigned)__builtin_popcount(mask));
    while (skip-- > 0)
        mask &= mask - 1;
    return __builtin_ctz(mask);
}

static int choose_bit(unsigned mask)
{
    switch (schedule) {
    case EMULATOR_REVERSE:
        return 31 - __builtin_clz(mask);
    case EMULATOR_RANDOM:
        return random_bit_of(mask);
    default:
        return __builtin_ctz(mask);
    }
}

/* The next thread: of `warp` while it has one, but at random another's one time in four. */
static thread *choose(int warp)
{
    if (!ready_warps)
        return NULL;
    if (warp < 0 || !ready_lanes[warp] || (schedule == EMULATOR_RANDOM && draw() % 4 == 0))
        warp = choose_bit(ready_warps);
    return &running.threads[warp * EMULATOR_LANES + choose_bit(ready_lanes[warp])];
}

static void make_ready(int warp, unsigned lanes)
{
    thread *first = &running.threads[warp * EMULATOR_LANES];

    for (unsigned rest = lanes; rest; rest &= rest - 1)
        first[__builtin_ctz(rest)].state = THREAD_READY;
    ready_lanes[warp] |= lanes;
    ready_warps |= 1u << warp;
}

static void make_waiting(thread *t, enum thread_state state)
{
    t->state = state;
    ready_lanes[t->warp] &= ~(1u << t->lane);
    if (!ready_lanes[t->warp])
        ready_warps &= ~(1u << t->warp);
}

/* Who waits where, when nobody can go on. */
[[noreturn]] static void stop_deadlock(void)
{
    char text[2048];
    int used = 0, listed = 0;

    for (int i = 0; i < running.count && listed < 8; i++) {
        const thread *t = &running.threads[i];
        if (t->state == THREAD_AT_BARRIER)
            used += snprintf(text + used, sizeof text - (size_t)used,
                             "; thread %d at __syncthreads, line %d", i, t->line);
        else if (t->state == THREAD_IN_WARP)
            used += snprintf(text + used, sizeof text - (size_t)used,
                             "; thread %d at %s, line %d, mask %08x", i,
                             warp_operation_name[t->operation], t->line, t->mask);
        else
            continue;
        listed++;
    }
    emulator_stop("deadlock: nobody can go on, %d of %d threads have ended%s", running.exited,
                  running.count, text);
}

static void go_on(thread *from, thread *to)
{
    if (to == from)
        return;
    emulated_now = &to->position;
    fiber_switch(&from->stack, &to->stack);
    emulated_now = &from->position;
}

static void give_way(thread *from)
{
    thread *next = choose(from->warp);
    if (!next)
        stop_deadlock();
    go_on(from, next);
}

/* ---- barrier ---- */

static void release_barrier(void)
{
    running.at_barrier = 0;
    running.barriers++;
    traffic_flush(-1);
    for (int warp = 0; warp * EMULATOR_LANES < running.count; warp++) {
        int lanes = running.count - warp * EMULATOR_LANES;
        make_ready(warp, lanes >= EMULATOR_LANES ? ~0u : (1u << lanes) - 1);
    }
}

void emulated_syncthreads(int line)
{
    thread *t = thread_now();

    if (running.exited)
        emulator_stop("waits at __syncthreads, line %d, after %d of %d threads have ended", line,
                      running.exited, running.count);
    if (running.at_barrier && running.barrier_line != line)
        emulator_stop("waits at __syncthreads, line %d, while %d threads wait at that of line %d",
                      line, running.at_barrier, running.barrier_line);
    running.barrier_line = line;
    running.at_barrier++;
    t->line = line;
    make_waiting(t, THREAD_AT_BARRIER);
    if (running.at_barrier == running.count) {
        release_barrier();
        go_on(t, choose(-1));
    } else {
        give_way(t);
    }
}

/* ---- collectives ---- */

static void check_mask(const thread *t, const char *name, unsigned mask, int line)
{
    int lanes = running.count - t->warp * EMULATOR_LANES;
    unsigned missing = mask & ~live_lanes[t->warp];

    if (!(mask >> t->lane & 1))
        emulator_stop("%s, line %d: lane %d is not in its own mask %08x", name, line, t->lane,
                      mask);
    if (!missing)
        return;
    int lane = __builtin_ctz(missing);
    if (lane >= lanes)
        emulator_stop("%s, line %d: mask %08x names lane %d, the warp has %d", name, line, mask,
                      lane, lanes);
    emulator_stop("%s, line %d: mask %08x names lane %d, which has ended", name, line, mask, lane);
}

/* Whether lane `o` of the warp waits for the same thing. It must if both name each other; otherwise
 * it may be at something of its own first. */
static bool agrees(const thread *t, const thread *o)
{
    if (o->mask == t->mask && o->operation == t->operation && o->line == t->line)
        return true;
    if (o->mask >> t->lane & 1 && t->mask >> o->lane & 1)
        emulator_stop("%s, line %d, mask %08x; but lane %d waits at %s, line %d, mask %08x",
                      warp_operation_name[t->operation], t->line, t->mask, o->lane,
                      warp_operation_name[o->operation], o->line, o->mask);
    return false;
}

/* Whether all lanes of the mask are there. Looks at one of them while some are missing, so that a
 * lane at the wrong place is stopped early, and at each in the end. */
static bool is_complete(const thread *t)
{
    const thread *first = t - t->lane;
    unsigned there = meeting_lanes[t->warp] & t->mask;
    bool complete = there == t->mask;

    if (!complete)
        there &= -there;
    for (; there; there &= there - 1)
        complete &= agrees(t, first + __builtin_ctz(there));
    return complete;
}

void warp_meet(enum warp_operation operation, unsigned mask, void *operands, int line)
{
    thread *t = thread_now();

    check_mask(t, warp_operation_name[operation], mask, line);
    t->operation = operation;
    t->mask = mask;
    t->operands = operands;
    t->line = line;
    make_waiting(t, THREAD_IN_WARP);
    meeting_lanes[t->warp] |= 1u << t->lane;
    if (is_complete(t)) {
        traffic_flush(t->warp);
        warp_perform(operation, mask, t - t->lane);
        if (operation == WARP_SYNC && mask == ~0u)
            running.syncs[t->warp]++;
        meeting_lanes[t->warp] &= ~mask;
        make_ready(t->warp, mask);
    }
    give_way(t);
}

/* ---- a block's life ---- */

static void check_exit(const thread *t)
{
    const thread *first = t - t->lane;

    if (t->copies)
        emulator_stop("ends with %d async copies not waited for", t->copies);
    if (running.at_barrier)
        emulator_stop("ends while %d of %d threads wait at __syncthreads, line %d",
                      running.at_barrier, running.count, running.barrier_line);
    for (unsigned rest = meeting_lanes[t->warp]; rest; rest &= rest - 1) {
        int lane = __builtin_ctz(rest);
        if (first[lane].mask >> t->lane & 1)
            emulator_stop("ends while lane %d waits for it at %s, line %d, mask %08x", lane,
                          warp_operation_name[first[lane].operation], first[lane].line,
                          first[lane].mask);
    }
}

__attribute__((no_sanitize("address"))) static void thread_main(void)
{
    fiber_entered();
    kernel_thunk(kernel_function, kernel_args);

    thread *t = thread_now();
    check_exit(t);
    make_waiting(t, THREAD_EXITED);
    live_lanes[t->warp] &= ~(1u << t->lane);
    running.exited++;
    thread *next = choose(t->warp);
    if (next) {
        go_on(t, next);
    } else {
        if (running.exited < running.count)
            stop_deadlock();
        fiber_switch(&t->stack, &fiber_host);
    }
    abort(); /* nobody comes back to an ended thread */
}

static void prepare_thread(thread *t, int index, uint3 block_index, const launch_shape *shape)
{
    unsigned x = shape->block.x, y = shape->block.y, i = (unsigned)index;

    t->position = {{i % x, i / x % y, i / x / y}, block_index, shape->block, shape->grid};
    t->index = index;
    t->warp = index / EMULATOR_LANES;
    t->lane = index % EMULATOR_LANES;
    t->line = 0;
    t->copies = t->groups = 0;
    fiber_prepare(&t->stack, index, thread_main);
}

static bool run_block(uint3 index, uint64_t number, const launch_shape *shape)
{
    running.count = (int)(shape->block.x * shape->block.y * shape->block.z);
    running.exited = running.at_barrier = running.barriers = 0;
    running.serial++;
    random_state = (seed * 0x9E3779B97F4A7C15u) ^ (number + 1) * 0xD1342543DE82EF95u;
    random_state += random_state == 0;
    emulated_shared = arena_new_shared(shape->shared_bytes);
    ready_warps = 0;
    for (int i = 0; i < running.count; i++)
        prepare_thread(&running.threads[i], i, index, shape);
    for (int warp = 0; warp * EMULATOR_LANES < running.count; warp++) {
        int lanes = running.count - warp * EMULATOR_LANES;
        running.syncs[warp] = 0;
        ready_lanes[warp] = meeting_lanes[warp] = 0;
        live_lanes[warp] = lanes >= EMULATOR_LANES ? ~0u : (1u << lanes) - 1;
        make_ready(warp, live_lanes[warp]);
    }
    stopped = false;
    thread *first = choose(-1);
    emulated_now = &first->position;
    fiber_switch(&fiber_host, &first->stack);
    traffic_flush(-1);
    emulated_now = NULL;
    if (stopped)
        fiber_forget_stacks(running.count);
    return !stopped;
}

static void allocate_threads(void)
{
    size_t copies = (size_t)EMULATOR_MAX_THREADS * EMULATOR_MAX_COPIES;
    pending_copy *copy = static_cast<pending_copy *>(calloc(copies, sizeof(pending_copy)));

    running.threads = static_cast<thread *>(calloc(EMULATOR_MAX_THREADS, sizeof(thread)));
    if (!running.threads || !copy)
        abort();
    for (int i = 0; i < EMULATOR_MAX_THREADS; i++)
        running.threads[i].copy = copy + (size_t)i * EMULATOR_MAX_COPIES;
}

bool emulator_run(emulated_thunk thunk, const void *function, void **args,
                  const launch_shape *shape)
{
    uint64_t x = shape->grid.x, y = shape->grid.y, blocks = x * y * shape->grid.z;

    if (!running.threads)
        allocate_threads();
    kernel_thunk = thunk;
    kernel_function = function;
    kernel_args = args;
    running.first_serial = running.serial + 1;
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t b = schedule == EMULATOR_REVERSE ? blocks - 1 - i : i;
        uint3 index = {(unsigned)(b % x), (unsigned)(b / x % y), (unsigned)(b / x / y)};
        if (!run_block(index, b, shape))
            return false;
    }
    return true;
}
