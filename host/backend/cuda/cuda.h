/* Inside of the backend `cuda`: plain C around the launchers of kernels/kernels.h, cuDNN (float
 * convolutions) and cuBLAS (float dense layers). It is a shared object of its own (plugin.h), and
 * the tests link the same files with an emulation of the kernels and doubles of the libraries.
 *
 * Activations, packed weights and scratch memory are device memory; kernels queue their work on
 * their space's stream and wait for nothing. Every call is checked: a failed one becomes a status
 * with the call, its place and the library's own text. */
#ifndef WAIO_BACKEND_CUDA_CUDA_H
#define WAIO_BACKEND_CUDA_CUDA_H

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include "backend/backend.h"
#include "kernels/kernels.h"

extern const waio_backend waio_backend_cuda; /* cuda.c */

/* ---- error_cuda.c: WAIO_ENOMEM if memory ran out, else WAIO_EINTERNAL ---- */

waio_status waio_cuda_failed(cudaError_t error, const char *call, const char *file, int line);
waio_status waio_cublas_failed(cublasStatus_t error, const char *call, const char *file, int line);
waio_status waio_cudnn_failed(cudnnStatus_t error, const char *call, const char *file, int line);

#define CUDA_TRY(st, call)                                                                         \
    do {                                                                                           \
        cudaError_t cuda_error = (call);                                                           \
        if (cuda_error != cudaSuccess) {                                                           \
            (st) = waio_cuda_failed(cuda_error, #call, __FILE__, __LINE__);                        \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)
#define CUBLAS_TRY(st, call)                                                                       \
    do {                                                                                           \
        cublasStatus_t cublas_error = (call);                                                      \
        if (cublas_error != CUBLAS_STATUS_SUCCESS) {                                               \
            (st) = waio_cublas_failed(cublas_error, #call, __FILE__, __LINE__);                    \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)
#define CUDNN_TRY(st, call)                                                                        \
    do {                                                                                           \
        cudnnStatus_t cudnn_error = (call);                                                        \
        if (cudnn_error != CUDNN_STATUS_SUCCESS) {                                                 \
            (st) = waio_cudnn_failed(cudnn_error, #call, __FILE__, __LINE__);                      \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/* ---- device_cuda.c ---- */

typedef struct waio_cuda_gpu {
    int major, minor; /* compute capability */
    int processors;
    size_t memory;
    char text[192]; /* "NVIDIA GeForce RTX 3080, sm_86, 68 multiprocessors, 9.8 GiB" */
} waio_cuda_gpu;

enum { WAIO_CUDA_MOST_DEVICES = 16 };

/* The devices in use, which are all of one kind; NULL before they were started. */
const waio_cuda_gpu *waio_cuda_gpu_now(void);
/* `list`: "0,2", or NULL for all that are like the first. */
waio_status waio_cuda_start(const char *list);
int waio_cuda_devices(void);
/* Makes device `index` of those in use the one that this thread's calls go to. */
waio_status waio_cuda_use(int index);
/* " on device 2" where there are several, else "". */
const char *waio_cuda_device_suffix(char text[24]);
/* A handle for questions about shapes, made at its first use. */
waio_status waio_cuda_shape_handle(cudnnHandle_t *out);
/* Gives back what this file holds, for tests that count memory. */
void waio_cuda_stop(void);

/* ---- space_cuda.c ---- */

extern const waio_backend_memory waio_cuda_memory;
cudaStream_t waio_cuda_stream(const waio_space *space);
int waio_cuda_space_device(const waio_space *space); /* among those in use */
/* Words of the device, two a node, that kernels set where a sum does not fit its accumulator; seen
 * by the next download, which then fails as the reference does and names the node. */
unsigned *waio_cuda_overflow_flags(const waio_space *space, const waio_kernel *kernel);
int *waio_cuda_lost_flag(const waio_space *space, const waio_kernel *kernel);
/* The space's handles on its stream, TF32 off; made at their first use. */
waio_status waio_cuda_blas(cublasHandle_t *out, waio_space *space);
waio_status waio_cuda_dnn(cudnnHandle_t *out, waio_space *space);
/* A constant: `bytes` bytes in the memory of every device, complete when this returns; freed with
 * waio_cuda_release. What it gives is a handle: waio_cuda_placed says where the copy of a space's
 * device lies. */
waio_status waio_cuda_place(void **placed, const void *src, size_t bytes);
const void *waio_cuda_placed(const waio_space *space, const void *placed);
void waio_cuda_release(void *placed);

/* ---- squant_cuda.c ---- */

/* waio_backend's squant. */
waio_status waio_cuda_squant_layer(float *code, const float *weight, const waio_squant_shape *shape,
                                   const waio_squant_grid *grid, int64_t grid_count,
                                   waio_squant_stages stages);

/* ---- kernels ---- */

struct waio_kernel {
    const waio_graph *graph;
    const waio_node *node;
    int64_t batch;
    waio_shape in[WAIO_MAX_INPUTS], out; /* with the batch */
    waio_status (*run)(const waio_kernel *kernel, const waio_kernel_args *args);
    /* Of weighted nodes; NULL: the weight as the graph has it. */
    waio_status (*pack)(const waio_kernel *kernel, void **packed, size_t *bytes,
                        const void *weight);
    size_t scratch_bytes;
    void
        *state; /* of the kernel's own file, NULL or freed by `destroy`; may be a handle of place */
    void (*destroy)(void *state);
};

/* Fills `run` and what else it needs. WAIO_EUNSUPPORTED: the reference must run the node. On
 * failure `state` is freed by the caller as after a success. */
typedef waio_status waio_cuda_create(waio_kernel *kernel);

/* What a file has to make kernels of, for floats and for codes (a node that reads or writes some).
 */
waio_cuda_create waio_cuda_create_conv2d, waio_cuda_create_dense; /* floats */
waio_cuda_create waio_cuda_create_weighted;                       /* codes */
waio_cuda_create waio_cuda_create_quantize, waio_cuda_create_dequantize;
waio_cuda_create waio_cuda_create_unary, waio_cuda_create_batch_norm, waio_cuda_create_binary;
waio_cuda_create waio_cuda_create_pool, waio_cuda_create_reduce, waio_cuda_create_resize;
waio_cuda_create waio_cuda_create_softmax, waio_cuda_create_logistic;
waio_cuda_create waio_cuda_create_reshape, waio_cuda_create_concat, waio_cuda_create_pad;
waio_cuda_create waio_cuda_create_transpose;

/* ---- arguments.c: what launchers take, from what nodes say ---- */

waio_cuda_shape waio_cuda_shape_of(const waio_shape *shape);
/* The codes of an operand, and of the result with the node's clamp. */
waio_cuda_params waio_cuda_input_params(const waio_kernel *kernel, int input);
waio_cuda_params waio_cuda_output_params(const waio_kernel *kernel);
/* What is behind a float result: the node's clamp, or the quantizer that has it in its bounds. */
waio_cuda_finish waio_cuda_finish_of(const waio_kernel *kernel, const waio_kernel_args *args);
/* Whether the node's result is codes. */
bool waio_cuda_gives_codes(const waio_kernel *kernel);
size_t waio_cuda_output_count(const waio_kernel *kernel);

/* Bias and clamp behind a float conv2d or dense, in place. */
waio_status waio_cuda_bias_clamp(const waio_kernel *kernel, const waio_kernel_args *args);

#endif
