/* Which devices are used, or in one line why none is. */
#include "backend/cuda/cuda.h"

#include <stdio.h>
#include <string.h>

enum { LEAST_MAJOR = 7, LEAST_MINOR = 5 };

static waio_cuda_gpu device;
static int ordinal[WAIO_CUDA_MOST_DEVICES], devices; /* in use; 0 before the start */
static _Thread_local int current = -1;               /* the runtime's number of this thread's */
static cudnnHandle_t shape_handle;

const waio_cuda_gpu *waio_cuda_gpu_now(void)
{
    return devices ? &device : NULL;
}

int waio_cuda_devices(void)
{
    return devices;
}

static waio_status make_current(int number)
{
    waio_status st = WAIO_OK;

    if (current != number) {
        CUDA_TRY(st, cudaSetDevice(number));
        current = number;
    }
done:
    return st;
}

waio_status waio_cuda_use(int index)
{
    return make_current(ordinal[index]);
}

const char *waio_cuda_device_suffix(char text[24])
{
    text[0] = '\0';
    if (devices > 1)
        snprintf(text, 24, " on device %d", current);
    return text;
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

/* ---- which devices ---- */

/* Reads what is said of one. */
static waio_status look_at(waio_cuda_gpu *out, int number)
{
    waio_status st = WAIO_OK;
    struct cudaDeviceProp properties;

    CUDA_TRY(st, cudaGetDeviceProperties(&properties, number));
    *out = (waio_cuda_gpu){.major = properties.major,
                           .minor = properties.minor,
                           .processors = properties.multiProcessorCount,
                           .memory = properties.totalGlobalMem};
    snprintf(out->text, sizeof out->text, "%.100s, sm_%d%d, %d multiprocessors, %.1f GiB",
             properties.name, out->major, out->minor, out->processors,
             (double)out->memory / (double)(1 << 30));
    if (out->major < LEAST_MAJOR || (out->major == LEAST_MAJOR && out->minor < LEAST_MINOR))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "cuda: %.100s is sm_%d%d, older than sm_%d%d",
                  properties.name, out->major, out->minor, LEAST_MAJOR, LEAST_MINOR);
done:
    return st;
}

/* The numbers of a list, each of them a device and there once. */
static waio_status read_list(int *number, int *listed, const char *list, int count)
{
    const char *at = list;
    int behind = 0;

    for (*listed = 0;; at += behind + 1) {
        int n = -1;
        bool valid = at[0] >= '0' && at[0] <= '9' && sscanf(at, "%9d%n", &n, &behind) == 1;
        for (int i = 0; i < *listed; i++)
            valid = valid && number[i] != n;
        if (!valid || n >= count || *listed == WAIO_CUDA_MOST_DEVICES ||
            (at[behind] != ',' && at[behind] != '\0'))
            return waio_error(
                WAIO_EUNSUPPORTED,
                "cuda: devices %s: expected different numbers from 0 to %d with commas "
                "between them",
                list, count - 1);
        number[(*listed)++] = n;
        if (at[behind] == '\0')
            return WAIO_OK;
    }
}

/* Equal chips: their floats are too, so that rows do not depend on who computed what. */
static bool same_kind(const waio_cuda_gpu *a, const waio_cuda_gpu *b)
{
    return a->major == b->major && a->minor == b->minor && a->processors == b->processors;
}

/* Fills `ordinal` with the devices asked for; `device` is the first, with the least memory. */
static waio_status choose_devices(int *chosen, const char *list, int count)
{
    waio_status st = WAIO_OK;
    int number[WAIO_CUDA_MOST_DEVICES], listed = 0;
    char text[sizeof device.text];

    for (int i = 0; !list && i < count && i < WAIO_CUDA_MOST_DEVICES; i++)
        number[listed++] = i;
    if (list)
        WAIO_TRY(st, read_list(number, &listed, list, count));
    for (int i = 0; i < listed; i++) {
        waio_cuda_gpu gpu;
        st = look_at(&gpu, number[i]);
        if (st != WAIO_OK && (i == 0 || list))
            goto done;
        bool like_first = st == WAIO_OK && (i == 0 || same_kind(&gpu, &device));
        if (!like_first && list)
            WAIO_FAIL(st, WAIO_EUNSUPPORTED,
                      "cuda: device %d (%s) is of another kind than device %d (%s)", number[i],
                      gpu.text, number[0], device.text);
        if (!like_first)
            continue;
        if (i == 0 || gpu.memory < device.memory)
            device = gpu;
        ordinal[(*chosen)++] = number[i];
    }
    st = WAIO_OK;
    snprintf(text, sizeof text, "%s", device.text);
    if (*chosen > 1)
        snprintf(device.text, sizeof device.text, "%d x %.160s", *chosen, text);
done:
    return st;
}

waio_status waio_cuda_start(const char *list)
{
    waio_status st = WAIO_OK;
    int count = 0, chosen = 0;

    cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess || count < 1)
        return no_device(error);
    WAIO_TRY(st, choose_devices(&chosen, list, count));
    for (int i = 0; i < chosen; i++) { /* makes the contexts: the last thing that can be missing */
        WAIO_TRY(st, waio_cuda_use(i));
        CUDA_TRY(st, cudaFree(NULL));
    }
    devices = chosen;
    WAIO_TRY(st, waio_cuda_use(0));
done:
    if (st != WAIO_OK)
        devices = 0;
    return st == WAIO_OK ? st : WAIO_EUNSUPPORTED; /* with the message that is there */
}

waio_status waio_cuda_shape_handle(cudnnHandle_t *out)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_cuda_use(0));
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
    devices = 0;
}
