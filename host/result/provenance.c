#include "result/provenance.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

const char *waio_version(void)
{
    return WAIO_VERSION;
}

const char *waio_build_type(void)
{
    return WAIO_BUILD_TYPE;
}

static char cpu_name[128] = "unknown processor";

/* The line "model name : ..." of /proc/cpuinfo. */
static void read_cpu_name(void)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");

    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        colon += strspn(colon, ": \t");
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(cpu_name, sizeof cpu_name, "%.120s", colon);
        break;
    }
    if (file)
        fclose(file);
}

const char *waio_cpu_name(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_cpu_name);
    return cpu_name;
}
