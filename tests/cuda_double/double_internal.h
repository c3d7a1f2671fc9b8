/* What the files of the double share. Everything happens under one lock: the emulator is for one
 * thread. */
#ifndef WAIO_TESTS_DOUBLE_INTERNAL_H
#define WAIO_TESTS_DOUBLE_INTERNAL_H

#include <functional>
#include <mutex>
#include <string>

#include "cuda_double/double.h"
#include "cuda_emulation/emulator_internal.h"

/* ---- what double_controls holds ---- */

void double_count_live(double_live *out);
void double_forget_synchronisation(int on);
void double_limit_memory(size_t bytes);

/* ---- faults_double.cpp ---- */

/* Taken by every entry: the lock, and the code that this call fails with, 0 for none. */
class double_call
{
  public:
    explicit double_call(const char *function);
    int fault;

  private:
    std::lock_guard<std::recursive_mutex> guard;
};

int double_objects(void);
/* An object (a stream, a handle, ...) has come or gone. */
void double_count_object(int change);
enum { DOUBLE_DEVICES = 8 };
/* Of device `number` in WAIO_DOUBLE_DEVICE; "" if there are fewer. */
std::string double_device_name(int number);
int double_current_device(void); /* of this thread */
long double_launches(int device);

/* ---- queue_double.cpp ---- */

/* Work for `stream`, done when somebody waits for it. It may call double_fail. */
void double_queue(cudaStream_t stream, std::function<void()> work);
/* Runs all work of a stream; of all streams of a device. */
void double_drain(cudaStream_t stream);
void double_drain_all(int device);
/* The device whose work runs now, else this thread's. */
int double_device_at_work(void);
bool double_stream_lives(cudaStream_t stream);
/* An error that all later calls for the device at work return. */
void double_fail(cudaError_t error);
cudaError_t double_sticky(void);
/* The end of an entry of the runtime: `error` as the caller gets it. */
cudaError_t double_result(cudaError_t error);

/* ---- memory_double.cpp ---- */

/* While work runs, device memory can be read and written. */
void double_open_memory(void);
void double_close_memory(void);
/* Whether the bytes are inside one live allocation of the device at work; work that finds them gone
 * fails.
 */
bool double_device_range(const void *p, size_t bytes);
/* The device that an address belongs to; -1: it is no device memory. */
int double_owner(const void *p);
/* Bytes of this thread's device that a library's handle takes; false if there are not that many. */
bool double_hold(size_t bytes);
void double_give_back(size_t bytes, int device);

#endif
