/* Errors: a code goes up by return value, the message is set once where the fault is found
 * (one per thread), callers clean up and pass the code on. Broken preconditions are asserted. */
#ifndef WAIO_UTIL_STATUS_H
#define WAIO_UTIL_STATUS_H

#include <stdarg.h>

typedef enum waio_status {
    WAIO_OK = 0,
    WAIO_EUSAGE,       /* the command line or a suite asks for something that cannot be */
    WAIO_EINPUT,       /* a file (model, data, suite, results) is missing, broken or does not fit */
    WAIO_EIO,          /* reading or writing failed: disk full, permission, ... */
    WAIO_ENOMEM,       /* out of memory, or over the memory budget */
    WAIO_EUNSUPPORTED, /* well-formed, but no backend or importer can do it */
    WAIO_EINTERRUPTED, /* the user asked to stop; the run can be resumed */
    WAIO_EINTERNAL     /* a library call failed or an invariant is broken */
} waio_status;

/* Sets this thread's message and returns `code`. A message that is already there is replaced. */
waio_status waio_error(waio_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
waio_status waio_error_v(waio_status code, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Puts `prefix: ` before this thread's message; returns `code` unchanged, so that it can stand in
 * a return statement. */
waio_status waio_error_context(waio_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* This thread's message, "" if none; valid until the next error of this thread. */
const char *waio_error_message(void);
void waio_error_clear(void);

/* The process exit status that a command ends with for `code` (0, 2 or 130). */
int waio_exit_code(waio_status code);

#define WAIO_TRY(st, call)                                                                         \
    do {                                                                                           \
        (st) = (call);                                                                             \
        if ((st) != WAIO_OK)                                                                       \
            goto done;                                                                             \
    } while (0)

#define WAIO_FAIL(st, code, ...)                                                                   \
    do {                                                                                           \
        (st) = waio_error((code), __VA_ARGS__);                                                    \
        goto done;                                                                                 \
    } while (0)

#endif
