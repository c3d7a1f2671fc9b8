/* Fibers: a stack of its own and a saved stack pointer each. On x86-64 the switch is fourteen
 * instructions; elsewhere, and with WAIO_EMULATOR_UCONTEXT, the C library's. Sanitizers and
 * valgrind are told about the stacks. */
#include "cuda_emulation/emulator_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if !defined __x86_64__ && !defined WAIO_EMULATOR_UCONTEXT
#define WAIO_EMULATOR_UCONTEXT
#endif
#ifdef WAIO_EMULATOR_UCONTEXT
#include <ucontext.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

enum : size_t { STACK_BYTES = 256 << 10 };

fiber fiber_host;
static size_t page;  /* bytes of one */
static char *stacks; /* of EMULATOR_MAX_THREADS fibers, the lowest page of each is a guard */
static fiber *previous;

static void reserve_stacks(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    void *range = mmap(NULL, EMULATOR_MAX_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (range == MAP_FAILED) {
        perror("emulator: no room for the stacks");
        abort();
    }
    stacks = static_cast<char *>(range);
    for (int i = 0; i < EMULATOR_MAX_THREADS; i++) {
        char *stack = stacks + (size_t)i * STACK_BYTES;
        mprotect(stack, page, PROT_NONE);
#ifdef VALGRIND_STACK_REGISTER
        VALGRIND_STACK_REGISTER(stack + page, stack + STACK_BYTES);
#endif
    }
}

#ifndef WAIO_EMULATOR_UCONTEXT

/* Saves what a function must preserve on the stack, changes stacks, takes it back from there. */
extern "C" void fiber_switch_stacks(void **save, void *load);
asm(R"(
.text
.globl fiber_switch_stacks
.type fiber_switch_stacks, @function
fiber_switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size fiber_switch_stacks, .-fiber_switch_stacks
)");

static void start_at(fiber *f, char *top, void (*entry)(void))
{
    void **frame = reinterpret_cast<void **>(top);

    *--frame = NULL; /* entry's return address: keeps the stack aligned as after a call */
    *--frame = reinterpret_cast<void *>(entry);
    for (int i = 0; i < 6; i++)
        *--frame = NULL; /* registers */
    f->stack_pointer = frame;
}

static void switch_stacks(fiber *from, fiber *to)
{
    fiber_switch_stacks(&from->stack_pointer, to->stack_pointer);
}

#else

static ucontext_t *context_of(fiber *f)
{
    if (!f->context)
        f->context = calloc(1, sizeof(ucontext_t));
    assert(f->context);
    return static_cast<ucontext_t *>(f->context);
}

static void start_at(fiber *f, char *top, void (*entry)(void))
{
    ucontext_t *context = context_of(f);

    getcontext(context);
    context->uc_stack.ss_sp = f->stack;
    context->uc_stack.ss_size = (size_t)(top - f->stack);
    context->uc_link = NULL;
    makecontext(context, entry, 0);
}

static void switch_stacks(fiber *from, fiber *to)
{
    swapcontext(context_of(from), context_of(to));
}

#endif

void fiber_prepare(fiber *f, int index, void (*entry)(void))
{
    if (!stacks)
        reserve_stacks();
    f->stack = stacks + (size_t)index * STACK_BYTES + page;
    f->stack_bytes = STACK_BYTES - page;
    f->sanitizer_stack = NULL;
    /* Stacks that all began at the same place of a page would share the cache's sets. */
    start_at(f, f->stack + f->stack_bytes - (size_t)(index % 32) * 64, entry);
}

void fiber_switch(fiber *from, fiber *to)
{
    previous = from;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&from->sanitizer_stack, to->stack, to->stack_bytes);
    switch_stacks(from, to);
    __sanitizer_finish_switch_fiber(from->sanitizer_stack, NULL, NULL);
#else
    switch_stacks(from, to);
#endif
}

void fiber_entered(void)
{
#ifdef __SANITIZE_ADDRESS__
    const void *bottom = NULL;
    size_t bytes = 0;

    __sanitizer_finish_switch_fiber(NULL, &bottom, &bytes);
    if (previous == &fiber_host) {
        fiber_host.stack = static_cast<char *>(const_cast<void *>(bottom));
        fiber_host.stack_bytes = bytes;
    }
#endif
}

void fiber_forget_stacks(int count)
{
    (void)count;
#ifdef __SANITIZE_ADDRESS__
    for (int i = 0; i < count; i++) {
        __asan_unpoison_memory_region(stacks + (size_t)i * STACK_BYTES + page, STACK_BYTES - page);
    }
#endif
}
