/* Backends that are loaded when they are there: a shared object beside the program brings `cuda`,
 * so that nobody without a GPU pays for its libraries. The object resolves what it needs of waio
 * from the program that loads it. */
#ifndef WAIO_BACKEND_PLUGIN_H
#define WAIO_BACKEND_PLUGIN_H

#include "backend/backend.h"

/* Raised with every change of the structs in backend.h, graph.h or here. */
enum { WAIO_PLUGIN_INTERFACE = 2 };

/* What the object exports, under the name WAIO_PLUGIN_SYMBOL. */
typedef struct waio_plugin {
    int interface;                     /* WAIO_PLUGIN_INTERFACE of its build */
    size_t backend_bytes, graph_bytes; /* sizeof of the structs, to be sure */
    const waio_backend *backend;
    /* Looks for a device. WAIO_EUNSUPPORTED with one line, "cuda: ...", if there is none that can
     * be used. Afterwards `device` tells its name and memory. */
    waio_status (*start)(void);
    const char *(*device)(void);
    void (*stop)(void); /* gives back what is left when no program is; a test counts memory then */
} waio_plugin;
#define WAIO_PLUGIN_SYMBOL "waio_cuda_plugin"

/* The cuda backend, loaded and started once. WAIO_EUNSUPPORTED if it cannot run: a line, "cuda:
 * ...", that says why. The object is WAIO_CUDA_PLUGIN from the environment, or waio_cuda.so beside
 * the program or in ../lib/waio/; the latter two are only opened where an NVIDIA driver is. Not
 * thread-safe. */
waio_status waio_plugin_cuda(const waio_backend **out);
/* Whether there is such an object to load. */
bool waio_plugin_cuda_built(void);
/* Its device: "NVIDIA ..., sm_86, ..."; NULL before it was started. */
const char *waio_plugin_cuda_device(void);

#endif
