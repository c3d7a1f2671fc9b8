/* Tests of the CUDA kernels. The same test runs on the emulator, under every schedule; linked with
 * kernels that carry the memory checker's hooks (WAIO_TEST_CHECKED), which must then have nothing
 * to report; and on a GPU (WAIO_TEST_DEVICE). */
#ifndef WAIO_TESTS_CUDA_DEVICE_H
#define WAIO_TESTS_CUDA_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>

#include "check.h"
#ifndef WAIO_TEST_DEVICE
#include "cuda_emulation/emulator.h"
#endif

#define CHECK_CUDA(call)                                                                           \
    do {                                                                                           \
        cudaError_t check_error = (call);                                                          \
        CHECK(check_error == cudaSuccess, "%s: %s", cudaGetErrorString(check_error),               \
              device_message());                                                                   \
    } while (0)

static inline const char *device_message(void)
{
#ifdef WAIO_TEST_DEVICE
    return "";
#else
    return emulator_message();
#endif
}

/* ---- schedules ---- */

#if defined WAIO_TEST_DEVICE
enum { DEVICE_SCHEDULES = 1 };
#elif defined WAIO_TEST_CHECKED
enum { DEVICE_SCHEDULES = 2 };
#else
enum { DEVICE_SCHEDULES = 4 };
#endif

/* For kernels whose threads never meet: two orders will do. */
enum { DEVICE_FEW_SCHEDULES = DEVICE_SCHEDULES < 2 ? DEVICE_SCHEDULES : 2 };

/* Schedule 0 to DEVICE_SCHEDULES - 1: forward, a random one, reverse, another random one. */
static inline void device_use_schedule(int number)
{
#ifdef WAIO_TEST_DEVICE
    (void)number;
#else
    static const emulator_schedule kind[] = {EMULATOR_FORWARD, EMULATOR_RANDOM, EMULATOR_REVERSE,
                                             EMULATOR_RANDOM};
    emulator_set_schedule(kind[number], (uint64_t)number + 1);
#endif
}

/* ---- begin and end of a test ---- */

static inline void device_begin(void)
{
#ifdef WAIO_TEST_DEVICE
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
        fprintf(stderr, "skipped: no CUDA device\n");
        exit(77);
    }
#elif defined WAIO_TEST_CHECKED
    emulator_check(1);
#endif
}

/* The checker has seen something, and has nothing to say. */
static inline int device_end(void)
{
#if defined WAIO_TEST_CHECKED
    for (int kind = 0; kind < EMULATOR_REPORTS; kind++)
        CHECK(emulator_report_count((emulator_report)kind) == 0, "%ld reports of kind %d: %s",
              emulator_report_count((emulator_report)kind), kind, emulator_first_report());
    CHECK(emulator_access_count() > 0, "the checker has seen nothing");
    fprintf(stderr, "%ld accesses checked\n", emulator_access_count());
#endif
#ifndef WAIO_TEST_DEVICE
    CHECK(emulator_allocated() == 0, "%zu bytes not freed", emulator_allocated());
#endif
    return waio_check_result();
}

/* ---- memory: allocated with a guard behind the last byte, but not for the checker: it sees every
 * access past the end, be it to read ---- */

#ifdef WAIO_TEST_CHECKED
enum { DEVICE_GUARD = 0, DEVICE_POISON = 0xA7 };
#else
enum { DEVICE_GUARD = 64, DEVICE_POISON = 0xA7 };
#endif

/* `offset` bytes lie unused in front, to try unaligned addresses. */
static inline void *device_new(size_t bytes, size_t offset)
{
    void *start = NULL;
    CHECK_CUDA(cudaMalloc(&start, offset + bytes + DEVICE_GUARD));
#ifndef WAIO_TEST_CHECKED /* the checker is to see what is not written */
    CHECK_CUDA(cudaMemset(start, DEVICE_POISON, offset + bytes + DEVICE_GUARD));
#endif
    return start ? (char *)start + offset : NULL;
}

static inline void *device_copy(const void *host, size_t bytes, size_t offset)
{
    void *p = device_new(bytes, offset);
    CHECK_CUDA(cudaMemcpy(p, host, bytes, cudaMemcpyHostToDevice));
    return p;
}

/* Reads back, checks the guard, frees. */
static inline void device_take(void *host, void *p, size_t bytes, size_t offset)
{
    unsigned char guard[DEVICE_GUARD + 1];

    CHECK_CUDA(cudaDeviceSynchronize());
    CHECK_CUDA(cudaMemcpy(host, p, bytes, cudaMemcpyDeviceToHost));
    CHECK_CUDA(cudaMemcpy(guard, (char *)p + bytes, DEVICE_GUARD, cudaMemcpyDeviceToHost));
    for (int i = 0; i < DEVICE_GUARD; i++)
        if (guard[i] != DEVICE_POISON) {
            CHECK(guard[i] == DEVICE_POISON, "written %d bytes past the end", i + 1);
            break;
        }
    CHECK_CUDA(cudaFree((char *)p - offset));
}

static inline void device_free(void *p, size_t offset)
{
    CHECK_CUDA(cudaFree((char *)p - offset));
}

/* A generator of its own for each test: repeats on every machine. */
static inline uint32_t device_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* In (-1, 1). */
static inline float device_random_float(uint32_t *state)
{
    return (float)(int32_t)device_random(state) * 0x1p-31f;
}

#endif
