/* Codes of the three libraries as statuses with a message. */
#include "backend/cuda/cuda.h"

#include <string.h>

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The name of the function in the text of a call. */
static int name_length(const char *call)
{
    return (int)strcspn(call, "(");
}

waio_status waio_cuda_failed(cudaError_t error, const char *call, const char *file, int line)
{
    waio_status st = error == cudaErrorMemoryAllocation ? WAIO_ENOMEM : WAIO_EINTERNAL;
    char device[24];

    (void)cudaGetLastError(); /* one that does not stick is over with this message */
    return waio_error(st, "cuda: %.*s%s: %s (code %d, %s:%d)", name_length(call), call,
                      waio_cuda_device_suffix(device), cudaGetErrorString(error), (int)error,
                      last_part(file), line);
}

waio_status waio_cublas_failed(cublasStatus_t error, const char *call, const char *file, int line)
{
    waio_status st = error == CUBLAS_STATUS_ALLOC_FAILED ? WAIO_ENOMEM : WAIO_EINTERNAL;
    char device[24];

    (void)cudaGetLastError();
    return waio_error(st, "cuda: %.*s%s: %s (code %d, %s:%d)", name_length(call), call,
                      waio_cuda_device_suffix(device), cublasGetStatusString(error), (int)error,
                      last_part(file), line);
}

waio_status waio_cudnn_failed(cudnnStatus_t error, const char *call, const char *file, int line)
{
    bool memory = error == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
                  error == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
    char device[24];

    (void)cudaGetLastError();
    return waio_error(memory ? WAIO_ENOMEM : WAIO_EINTERNAL, "cuda: %.*s%s: %s (code %d, %s:%d)",
                      name_length(call), call, waio_cuda_device_suffix(device),
                      cudnnGetErrorString(error), (int)error, last_part(file), line);
}
