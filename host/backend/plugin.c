#include "backend/plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct loaded {
    bool tried;
    waio_status status;
    char message[512]; /* if it cannot run */
    const waio_plugin *plugin;
} loaded;

static loaded cuda;
static waio_plugin_options chosen;

void waio_plugin_cuda_choose(waio_plugin_options options)
{
    chosen = options;
}

/* ---- where it is ---- */

/* The object's path; false if there is none. */
static bool find_object(char *path, size_t size)
{
    static const char *const places[] = {"waio_cuda.so", "../lib/waio/waio_cuda.so"};
    const char *asked = getenv("WAIO_CUDA_PLUGIN");
    char folder[1024];

    if (asked) {
        snprintf(path, size, "%s", asked);
        return true;
    }
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (length <= 0)
        return false;
    folder[length] = '\0';
    char *slash = strrchr(folder, '/');
    if (!slash)
        return false;
    slash[1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, size, "%s%s", folder, places[i]);
        if (access(path, R_OK) == 0)
            return true;
    }
    return false;
}

bool waio_plugin_cuda_built(void)
{
    char path[1200];
    return find_object(path, sizeof path);
}

/* The driver's library; without it the object is not even opened. */
static bool driver_is_there(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);

    if (driver)
        dlclose(driver);
    return driver != NULL;
}

/* ---- loading ---- */

static waio_status fits(const waio_plugin *plugin, const char *path)
{
    if (!plugin || plugin->interface != WAIO_PLUGIN_INTERFACE ||
        plugin->backend_bytes != sizeof(waio_backend) || plugin->graph_bytes != sizeof(waio_graph))
        return waio_error(WAIO_EUNSUPPORTED, "cuda: %s is of another version of waio", path);
    return WAIO_OK;
}

static waio_status load(void)
{
    waio_status st = WAIO_OK;
    char path[1200];

    if (!find_object(path, sizeof path))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "cuda: not built in (no waio_cuda.so beside the program)");
    if (!getenv("WAIO_CUDA_PLUGIN") && !driver_is_there())
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "cuda: no NVIDIA driver (libcuda.so.1 is missing)");
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "cuda: %s", dlerror());
    const waio_plugin *plugin = dlsym(object, WAIO_PLUGIN_SYMBOL);
    WAIO_TRY(st, fits(plugin, path));
    WAIO_TRY(st, plugin->start(&chosen));
    cuda.plugin = plugin;
done:
    return st; /* the object stays open: its libraries do not like to go */
}

waio_status waio_plugin_cuda(const waio_backend **out)
{
    if (!cuda.tried) {
        cuda.tried = true;
        cuda.status = load();
        snprintf(cuda.message, sizeof cuda.message, "%.500s",
                 cuda.status == WAIO_OK ? "" : waio_error_message());
    }
    if (cuda.status != WAIO_OK)
        return waio_error(cuda.status, "%s", cuda.message);
    *out = cuda.plugin->backend;
    return WAIO_OK;
}

waio_status waio_plugin_cuda_bench(const waio_kernel_bench *request)
{
    const waio_backend *backend = NULL;
    waio_status st = waio_plugin_cuda(&backend);

    return st == WAIO_OK ? cuda.plugin->bench(request) : st;
}

const char *waio_plugin_cuda_device(void)
{
    return cuda.plugin ? cuda.plugin->device() : NULL;
}
