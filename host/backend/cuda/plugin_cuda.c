/* What the shared object shows to the program that loads it (backend/plugin.h). */
#include "backend/plugin.h"

#include "backend/cuda/bench_cuda.h"
#include "backend/cuda/tune_cuda.h"

static const char *device_text(void)
{
    const waio_cuda_gpu *device = waio_cuda_gpu_now();
    return device ? device->text : NULL;
}

static waio_status start(const waio_plugin_options *options)
{
    waio_cuda_tune_start(options->autotune);
    return waio_cuda_start(options->devices);
}

extern const waio_plugin waio_cuda_plugin; /* named by WAIO_PLUGIN_SYMBOL */
const waio_plugin waio_cuda_plugin = {
    .interface = WAIO_PLUGIN_INTERFACE,
    .backend_bytes = sizeof(waio_backend),
    .graph_bytes = sizeof(waio_graph),
    .backend = &waio_backend_cuda,
    .start = start,
    .stop = waio_cuda_stop,
    .device = device_text,
    .bench = waio_cuda_bench,
};
