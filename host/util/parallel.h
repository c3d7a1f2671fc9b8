/* A loop over independent items on several threads. */
#ifndef WAIO_UTIL_PARALLEL_H
#define WAIO_UTIL_PARALLEL_H

#include <stdint.h>

#include "util/status.h"

/* Calls `work(payload, item)` for every item in [0, count), each on one of `threads` threads, the
 * calling one among them, in no order. An error ends the loop early; the first one is returned with
 * its message. Where a thread cannot be started, the others do its share. */
typedef waio_status waio_parallel_work(void *payload, int64_t item);
waio_status waio_parallel_for(int threads, int64_t count, waio_parallel_work *work, void *payload);

#endif
