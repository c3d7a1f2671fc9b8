/* Backends that are loaded when they are there: a shared object beside the program brings `cuda`,
 * so that nobody without a GPU pays for its libraries. The object resolves what it needs of waio
 * from the program that loads it. */
#ifndef WAIO_BACKEND_PLUGIN_H
#define WAIO_BACKEND_PLUGIN_H

#include "backend/backend.h"
#include "backend/kernel_bench.h"

/* Raised with every change of the structs in backend.h, graph.h or here. */
enum { WAIO_PLUGIN_INTERFACE = 2 };

/* What it is started with. */
typedef struct waio_plugin_options {
    const char *devices; /* "0,1"; NULL: all that are like the first */
    bool autotune;       /* tiles by measurement, kept in a file of the user's cache */
} waio_plugin_options;

/* What the object exports, under the name WAIO_PLUGIN_SYMBOL. */
typedef struct waio_plugin {
    int interface;                     /* WAIO_PLUGIN_INTERFACE of its build */
    size_t backend_bytes, graph_bytes; /* sizeof of the structs, to be sure */
    const waio_backend *backend;
    /* Looks for devices. WAIO_EUNSUPPORTED with one line, "cuda: ...", if there is none that can
     * be used. Afterwards `device` tells its name and memory. */
    waio_status (*start)(const waio_plugin_options *options);
    const char *(*device)(void);
    void (*stop)(void); /* gives back what is left when no program is; a test counts memory then */
    /* Times kernels on the device in use; each row as soon as it is there. */
    waio_status (*bench)(const waio_kernel_bench *request);
} waio_plugin;
#define WAIO_PLUGIN_SYMBOL "waio_cuda_plugin"

/* The cuda backend, loaded and started once. WAIO_EUNSUPPORTED if it cannot run: a line, "cuda:
 * ...", that says why. The object is WAIO_CUDA_PLUGIN from the environment, or waio_cuda.so beside
 * the program or in ../lib/waio/; the latter two are only opened where an NVIDIA driver is. Not
 * thread-safe. */
waio_status waio_plugin_cuda(const waio_backend **out);
/* What it will be started with, said before it is loaded; texts are not copied. */
void waio_plugin_cuda_choose(waio_plugin_options options);
/* Whether there is such an object to load. */
bool waio_plugin_cuda_built(void);
/* Times its kernels; the same error if it cannot run. */
waio_status waio_plugin_cuda_bench(const waio_kernel_bench *request);
/* Its device: "NVIDIA ..., sm_86, ..."; NULL before it was started. */
const char *waio_plugin_cuda_device(void);

#endif
