/* Which call fails, what device there is, what is alive. */
#include "cuda_double/double_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static std::recursive_mutex lock;
static long calls, of_function;
static int objects;

typedef struct planned {
    char function[64];
    long nth;
    int code;
} planned;

static planned read_plan(void)
{
    planned plan = {"", 0, 0};
    const char *text = getenv("WAIO_DOUBLE_FAULT");

    if (text && sscanf(text, "%63[^:]:%ld:%d", plan.function, &plan.nth, &plan.code) != 3) {
        fprintf(stderr, "double: WAIO_DOUBLE_FAULT=%s is no function:nth:code\n", text);
        abort();
    }
    return plan;
}

double_call::double_call(const char *function) : fault(0), guard(lock)
{
    static const planned plan = read_plan();

    calls++;
    if (!plan.code)
        return;
    bool any = strcmp(plan.function, "*") == 0;
    if (!any && strcmp(plan.function, function) != 0)
        return;
    of_function++;
    if (of_function != plan.nth)
        return;
    fault = plan.code;
    if (getenv("WAIO_DOUBLE_TRACE"))
        fprintf(stderr, "double: %s fails with %d\n", function, fault);
    if (fault == cudaErrorIllegalAddress || fault == cudaErrorLaunchFailure)
        double_fail((cudaError_t)fault);
}

static long calls_so_far(void)
{
    return calls;
}

void double_count_object(int change)
{
    objects += change;
}

std::string double_device_name(int number)
{
    const char *names = getenv("WAIO_DOUBLE_DEVICE");
    std::string rest = names ? names : "sm_86";

    while (number-- > 0) {
        size_t comma = rest.find(',');
        rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
    }
    return rest.substr(0, rest.find(','));
}

int double_objects(void)
{
    return objects;
}

const double_table double_controls = {double_count_live, calls_so_far,
                                      double_forget_synchronisation, double_limit_memory,
                                      double_launches};
