/* Checks for the tests: print what failed and go on; main returns waio_check_result(). */
#ifndef WAIO_TESTS_CHECK_H
#define WAIO_TESTS_CHECK_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "util/status.h"

static int waio_checks_done, waio_checks_failed;

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        waio_checks_done++;                                                                        \
        if (!(condition)) {                                                                        \
            waio_checks_failed++;                                                                  \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
        }                                                                                          \
    } while (0)

#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        waio_error_clear();                                                                        \
        waio_status check_st = (call);                                                             \
        CHECK(check_st == WAIO_OK, "%s", waio_error_message());                                    \
    } while (0)

/* The call must fail with `code` and a message that contains `part`. */
#define CHECK_FAILS(call, code, part)                                                              \
    do {                                                                                           \
        waio_error_clear();                                                                        \
        waio_status check_st = (call);                                                             \
        CHECK(check_st == (code), "status %d, message: %s", (int)check_st, waio_error_message());  \
        CHECK(strstr(waio_error_message(), (part)) != NULL, "message lacks \"%s\": %s", (part),    \
              waio_error_message());                                                               \
    } while (0)

/* A test that ran nothing has failed. */
static inline int waio_check_result(void)
{
    fprintf(stderr, "%d checks, %d failed\n", waio_checks_done, waio_checks_failed);
    return waio_checks_done == 0 || waio_checks_failed ? 1 : 0;
}

#endif
