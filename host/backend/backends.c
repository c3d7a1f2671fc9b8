/* The table of backends, and how one is chosen. */
#include "backend/backend.h"

#include <stdio.h>
#include <string.h>

#include "backend/plugin.h"

const waio_backend *const waio_backends[] = {&waio_backend_cpu, &waio_backend_ref,
                                             &waio_backend_null, NULL};

static bool is_quiet;

void waio_backend_be_quiet(bool quiet)
{
    is_quiet = quiet;
}

static void choose(const waio_backend **out)
{
    *out = &waio_backend_cpu;
    if (waio_plugin_cuda_built() && waio_plugin_cuda(out) != WAIO_OK && !is_quiet)
        fprintf(stderr, "%s; using cpu\n", waio_error_message());
}

waio_status waio_backend_find(const waio_backend **out, const char *name)
{
    if (strcmp(name, "auto") == 0) {
        choose(out);
        return WAIO_OK;
    }
    if (strcmp(name, "cuda") == 0)
        return waio_plugin_cuda(out);
    for (int i = 0; waio_backends[i]; i++) {
        if (strcmp(waio_backends[i]->name, name) == 0) {
            *out = waio_backends[i];
            return WAIO_OK;
        }
    }
    return waio_error(WAIO_EUSAGE,
                      "backend \"%s\" is unknown; there are: auto, cpu, cuda, ref, null", name);
}

const char *waio_backend_device(const waio_backend *backend)
{
    return backend->memory ? waio_plugin_cuda_device() : NULL;
}
