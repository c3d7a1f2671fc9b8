/* What tests ask of the CUDA emulator: the order in which threads run, why a kernel was stopped,
 * what the memory checker saw, how many transactions the memory accesses took.
 *
 * The emulator runs a kernel's own source on the CPU, one block after the other, a fiber per thread
 * (block.cpp). It is for one thread of the host. Kernels must be right under every schedule. */
#ifndef WAIO_TESTS_EMULATOR_H
#define WAIO_TESTS_EMULATOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The order of threads wherever the language leaves it open. REVERSE also reverses the blocks;
 * RANDOM draws from `seed` and the block's index, so that a failure repeats. */
typedef enum emulator_schedule {
    EMULATOR_FORWARD,
    EMULATOR_REVERSE,
    EMULATOR_RANDOM
} emulator_schedule;
void emulator_set_schedule(emulator_schedule schedule, uint64_t seed);

/* Most shared memory that a block may ask for, in bytes; 101,376 (sm_86) unless set. */
void emulator_set_shared_limit(size_t bytes);

/* Why the last kernel was stopped: block, thread, source lines. "" if it was not. A stopped kernel
 * leaves an error that all later calls return until emulator_reset. */
const char *emulator_message(void);
void emulator_reset(void);

/* Bytes of device memory that are allocated now. */
size_t emulator_allocated(void);

/* ---- memory checker: sees kernels that were compiled with -fsanitize=thread ---- */

typedef enum emulator_report {
    EMULATOR_OUT_OF_BOUNDS,
    EMULATOR_UNINITIALISED,
    EMULATOR_RACE,
    EMULATOR_BEFORE_WAIT, /* an async copy's bytes, read before the wait for it */
    EMULATOR_REPORTS
} emulator_report;

/* Starts (on) or ends checking, and forgets earlier reports and traffic. */
void emulator_check(int on);
/* Reports of one kind since then, in accesses. */
long emulator_report_count(emulator_report kind);
/* Text of the first report, "" if there is none. */
const char *emulator_first_report(void);
/* Accesses checked. */
long emulator_access_count(void);

/* ---- traffic counter: sees the same kernels while checking is on ---- */

typedef enum emulator_space { EMULATOR_GLOBAL, EMULATOR_SHARED } emulator_space;

/* Transactions taken over the fewest possible for the accesses of `bytes` bytes per thread (1, 2,
 * 4, 8, 16) in `space`, reads or writes: 1 is the best. `worst`: of the one place in the source
 * that is worst; else over all of them. 0 if there was no such access. Global: sectors of 32 bytes
 * touched. Shared: words asked of the busiest bank. */
typedef struct emulator_traffic {
    emulator_space space;
    int write;
    unsigned bytes;
    int worst;
} emulator_traffic;
double emulator_traffic_ratio(emulator_traffic which);

#ifdef __cplusplus
}
#endif
#endif
