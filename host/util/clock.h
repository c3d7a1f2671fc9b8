/* Time: a steady clock for durations, wall-clock text for rows. */
#ifndef WAIO_UTIL_CLOCK_H
#define WAIO_UTIL_CLOCK_H

#include <stdio.h>
#include <time.h>

/* Seconds on a steady clock; only differences mean anything. */
static inline double waio_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of processor time that the calling thread has had: other programs do not count. */
static inline double waio_clock_thread(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Now in UTC as 2026-01-31T23:59:59Z. */
static inline void waio_clock_text(char text[21])
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    if (strftime(text, 21, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        text[0] = '\0';
}

#endif
