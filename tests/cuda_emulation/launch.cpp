/* Kernels that are known, and what a launch may ask for. The runtime beside it (runtime.cpp, or the
 * device double's) decides when a kernel runs. */
#include "cuda_emulation/emulator_internal.h"

typedef struct kernel {
    const void *function;
    emulated_thunk thunk;
    const unsigned *sizes;
    size_t shared_allowed;
} kernel;

enum { MAX_KERNELS = 4096, SHARED_WITHOUT_ASKING = 48 << 10 };
static kernel kernels[MAX_KERNELS];
static int kernel_count;
static size_t shared_limit = 99 << 10;

static kernel *kernel_find(const void *function)
{
    for (int i = 0; i < kernel_count; i++)
        if (kernels[i].function == function)
            return &kernels[i];
    if (kernel_count == MAX_KERNELS)
        return NULL;
    kernels[kernel_count] = {function, NULL, NULL, SHARED_WITHOUT_ASKING};
    return &kernels[kernel_count++];
}

void emulated_register_kernel(const void *function, emulated_thunk thunk, const unsigned *sizes)
{
    kernel *k = kernel_find(function);
    if (k) {
        k->thunk = thunk;
        k->sizes = sizes;
    }
}

void emulator_set_shared_limit(size_t bytes)
{
    shared_limit = bytes;
}

const unsigned *launch_parameter_sizes(const void *function)
{
    kernel *k = kernel_find(function);
    return k ? k->sizes : NULL;
}

/* What a launch may not ask for: the message, NULL if all is well. */
static const char *launch_fault(const kernel *k, const launch_shape *s)
{
    size_t threads = (size_t)s->block.x * s->block.y * s->block.z;

    if (threads < 1 || threads > EMULATOR_MAX_THREADS || s->block.z > 64)
        return "a block has 1 to 1024 threads, at most 64 in z";
    if (s->grid.x < 1 || s->grid.x > 0x7fffffffu || s->grid.y < 1 || s->grid.y > 65535 ||
        s->grid.z < 1 || s->grid.z > 65535)
        return "a grid has 1 to 2147483647 x 65535 x 65535 blocks";
    if (s->shared_bytes > shared_limit)
        return "more shared memory than the device has";
    if (s->shared_bytes > k->shared_allowed)
        return "more shared memory than 48 KiB or than waio_allow_shared was asked for";
    return NULL;
}

cudaError_t launch_check(const void *function, const launch_shape *shape)
{
    kernel *k = kernel_find(function);

    if (!k || !k->thunk)
        return cudaErrorInvalidDeviceFunction;
    const char *fault = launch_fault(k, shape);
    if (!fault)
        return cudaSuccess;
    emulator_set_message("launch of %u x %u x %u blocks of %u x %u x %u threads, %zu bytes: %s",
                         shape->grid.x, shape->grid.y, shape->grid.z, shape->block.x,
                         shape->block.y, shape->block.z, shape->shared_bytes, fault);
    return cudaErrorInvalidConfiguration;
}

bool launch_run(const void *function, void **args, const launch_shape *shape)
{
    return emulator_run(kernel_find(function)->thunk, function, args, shape);
}

cudaError_t launch_allow_shared(const void *function, int bytes)
{
    kernel *k = kernel_find(function);

    if (!k)
        return cudaErrorInvalidDeviceFunction;
    if (bytes < 0 || (size_t)bytes > shared_limit)
        return cudaErrorInvalidValue;
    k->shared_allowed = (size_t)bytes;
    return cudaSuccess;
}
