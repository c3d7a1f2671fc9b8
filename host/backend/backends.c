/* The table of backends. A backend that was not built in is absent from it. */
#include "backend/backend.h"

#include <string.h>

const waio_backend *const waio_backends[] = {&waio_backend_cpu, &waio_backend_ref,
                                             &waio_backend_null, NULL};

waio_status waio_backend_find(const waio_backend **out, const char *name)
{
    if (strcmp(name, "auto") == 0)
        name = "cpu";
    for (int i = 0; waio_backends[i]; i++) {
        if (strcmp(waio_backends[i]->name, name) == 0) {
            *out = waio_backends[i];
            return WAIO_OK;
        }
    }
    return waio_error(WAIO_EUSAGE, "backend \"%s\" is unknown; there are: auto, cpu, ref, null",
                      name);
}
