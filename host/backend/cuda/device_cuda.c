/* Which device is used, or in one line why none is. */
#include "backend/cuda/cuda.h"

#include <stdio.h>
#include <string.h>

enum { LEAST_MAJOR = 7, LEAST_MINOR = 5 };

static waio_cuda_gpu device;
static bool started;
static cudnnHandle_t shape_handle;

const waio_cuda_gpu *waio_cuda_gpu_now(void)
{
    return started ? &device : NULL;
}

/* The runtime answers "insufficient driver" where there is no driver at all, too. */
static waio_status no_device(cudaError_t error)
{
    int driver = 0, runtime = CUDART_VERSION;

    (void)cudaGetLastError();
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    if (driver == 0)
        return waio_error(WAIO_EUNSUPPORTED, "cuda: no NVIDIA driver (runtime %d.%d needs one)",
                          runtime / 1000, runtime % 1000 / 10);
    if (error == cudaErrorInsufficientDriver)
        return waio_error(WAIO_EUNSUPPORTED,
                          "cuda: the NVIDIA driver is too old: it has CUDA %d.%d, this is %d.%d",
                          driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    if (error == cudaErrorNoDevice || error == cudaSuccess)
        return waio_error(WAIO_EUNSUPPORTED, "cuda: no NVIDIA GPU is visible");
    return waio_error(WAIO_EUNSUPPORTED, "cuda: no device can be used: %s (code %d)",
                      cudaGetErrorString(error), (int)error);
}

/* Reads device 0; a user chooses another with CUDA_VISIBLE_DEVICES. */
static waio_status look_at_device(void)
{
    waio_status st = WAIO_OK;
    struct cudaDeviceProp properties;

    CUDA_TRY(st, cudaSetDevice(0));
    CUDA_TRY(st, cudaGetDeviceProperties(&properties, 0));
    device = (waio_cuda_gpu){.major = properties.major,
                             .minor = properties.minor,
                             .processors = properties.multiProcessorCount,
                             .memory = properties.totalGlobalMem};
    snprintf(device.text, sizeof device.text, "%.100s, sm_%d%d, %d multiprocessors, %.1f GiB",
             properties.name, device.major, device.minor, device.processors,
             (double)device.memory / (double)(1 << 30));
    if (device.major < LEAST_MAJOR || (device.major == LEAST_MAJOR && device.minor < LEAST_MINOR))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "cuda: %.100s is sm_%d%d, older than sm_%d%d",
                  properties.name, device.major, device.minor, LEAST_MAJOR, LEAST_MINOR);
done:
    return st;
}

waio_status waio_cuda_start(void)
{
    waio_status st = WAIO_OK;
    int count = 0;

    cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess || count < 1)
        return no_device(error);
    WAIO_TRY(st, look_at_device());
    CUDA_TRY(st, cudaFree(NULL)); /* makes the context: the last thing that can be missing */
    started = true;
done:
    return st == WAIO_OK ? st : WAIO_EUNSUPPORTED; /* with the message that is there */
}

waio_status waio_cuda_shape_handle(cudnnHandle_t *out)
{
    waio_status st = WAIO_OK;

    if (!shape_handle)
        CUDNN_TRY(st, cudnnCreate(&shape_handle));
    *out = shape_handle;
done:
    return st;
}

void waio_cuda_stop(void)
{
    if (shape_handle)
        (void)cudnnDestroy(shape_handle);
    shape_handle = NULL;
    started = false;
}
