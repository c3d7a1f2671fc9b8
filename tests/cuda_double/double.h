/* A double of the CUDA runtime, cuBLAS and cuDNN on the CPU: what the backend `cuda` calls, over
 * the emulator that runs the kernels. It is stricter than a device:
 *
 *   - Work is queued and runs when somebody waits for it, and no more of it than he waits for.
 *   - The host cannot read device memory; only running work can. New memory holds 0xFF.
 *   - Copies check direction, bounds, liveness. Pageable sources are read at the call, pinned ones
 *     when the copy runs.
 *   - Events get their times from a counter of pieces of work, kernels by their blocks.
 *   - It refuses what the libraries refuse. A kernel that was stopped leaves an error that stays.
 *
 * From the environment, read once:
 *   WAIO_DOUBLE_FAULT   function:nth:code or *:nth:code, the nth call (of any of them) fails with
 *                       this code of the runtime's; 700 and 719 stay. Of the libraries' functions 2
 *                       becomes their code for memory, others that for failed execution.
 *   WAIO_DOUBLE_TRACE   set: says which function the fault has met
 *   WAIO_DOUBLE_DEVICE  sm_75, sm_80, sm_86 (default), sm_120, or several with commas between them;
 *                       none; nodriver; old (a driver of 12.0)
 *   WAIO_DOUBLE_MEMORY  bytes that each device has
 *
 * A device's streams, events and memory are its own: work on one that names another's is refused,
 * as where there is no access from peer to peer. An error that stays, stays on its device.
 *
 * A test finds `double_controls` through dlsym. */
#ifndef WAIO_TESTS_DOUBLE_H
#define WAIO_TESTS_DOUBLE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is alive: bytes of the device, of pinned memory, and streams, events, handles, descriptors.
 */
typedef struct double_live {
    size_t device_bytes, pinned_bytes;
    int objects;
} double_live;

typedef struct double_table {
    void (*count_live)(double_live *out);
    long (*calls)(void); /* so far, that a fault could have met */
    /* Makes synchronisation wait for nothing: what forgetting it looks like. */
    void (*forget_synchronisation)(int on);
    void (*limit_memory)(size_t bytes); /* of each device; 0: as the environment says */
    long (*launches)(int device);       /* kernels started there so far */
} double_table;
extern const double_table double_controls;

#ifdef __cplusplus
}
#endif
#endif
