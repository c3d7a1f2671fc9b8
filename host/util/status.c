#include "util/status.h"

#include <stdio.h>
#include <string.h>

static _Thread_local char message[2048];

waio_status waio_error_v(waio_status code, const char *format, va_list args)
{
    vsnprintf(message, sizeof message, format, args);
    return code;
}

waio_status waio_error(waio_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    waio_error_v(code, format, args);
    va_end(args);
    return code;
}

waio_status waio_error_context(waio_status code, const char *format, ...)
{
    char old[sizeof message];
    char prefix[512];
    va_list args;

    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(old, message, sizeof old);
    snprintf(message, sizeof message, "%s: %.1500s", prefix, old);
    return code;
}

const char *waio_error_message(void)
{
    return message;
}

void waio_error_clear(void)
{
    message[0] = '\0';
}

int waio_exit_code(waio_status code)
{
    if (code == WAIO_OK)
        return 0;
    return code == WAIO_EINTERRUPTED ? 130 : 2;
}
