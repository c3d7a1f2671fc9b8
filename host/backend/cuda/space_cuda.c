/* A workspace's part on the device: activations and scratch memory in one allocation, a stream for
 * work and one for input on its way up. Input goes through two pinned buffers of the host and two
 * of the device, so that the host fills one, the bus carries one and the kernels read one. */
#include "backend/cuda/cuda.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { BUFFERS = 2, ALIGNMENT = 256, FLAGS = 2 };

struct waio_space {
    int on; /* the device, among those in use */
    cudaStream_t work, way_up;
    unsigned char *memory; /* activations, then scratch, the input buffers, the flags */
    int *flags, *seen;     /* on the device, in pinned memory: FLAGS a node */
    int nodes;
    const waio_kernel **of_flags; /* who was given a node's flags */
    size_t scratch_at, input_bytes;
    unsigned char *host[BUFFERS], *device[BUFFERS];
    cudaEvent_t sent[BUFFERS], read[BUFFERS]; /* the host's may be filled, the device's too */
    int next;
    cublasHandle_t blas;
    cudnnHandle_t dnn;
};

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* ---- opening and closing ---- */

/* Spaces on each device: a new one goes where there are fewest, so that a pass's workers, each with
 * its space, are spread evenly. */
static atomic_int spaces_on[WAIO_CUDA_MOST_DEVICES];

static int take_device(void)
{
    int least = 0;

    for (int i = 1; i < waio_cuda_devices(); i++)
        if (atomic_load(&spaces_on[i]) < atomic_load(&spaces_on[least]))
            least = i;
    atomic_fetch_add(&spaces_on[least], 1);
    return least;
}

static void space_close(waio_space *space)
{
    if (!space)
        return;
    (void)waio_cuda_use(space->on);
    atomic_fetch_sub(&spaces_on[space->on], 1);
    /* What fails here has failed before and was reported, or is the driver going away. */
    if (space->way_up)
        (void)cudaStreamSynchronize(space->way_up);
    if (space->work)
        (void)cudaStreamSynchronize(space->work);
    if (space->dnn)
        (void)cudnnDestroy(space->dnn);
    if (space->blas)
        (void)cublasDestroy(space->blas);
    for (int i = 0; i < BUFFERS; i++) {
        if (space->sent[i])
            (void)cudaEventDestroy(space->sent[i]);
        if (space->read[i])
            (void)cudaEventDestroy(space->read[i]);
        if (space->host[i])
            (void)cudaFreeHost(space->host[i]);
    }
    if (space->seen)
        (void)cudaFreeHost(space->seen);
    if (space->memory)
        (void)cudaFree(space->memory);
    if (space->way_up)
        (void)cudaStreamDestroy(space->way_up);
    if (space->work)
        (void)cudaStreamDestroy(space->work);
    (void)cudaGetLastError();
    free(space->of_flags);
    free(space);
}

static waio_status open_buffers(waio_space *space)
{
    waio_status st = WAIO_OK;

    for (int i = 0; i < BUFFERS; i++) {
        CUDA_TRY(st,
                 cudaHostAlloc((void **)&space->host[i], space->input_bytes, cudaHostAllocDefault));
        CUDA_TRY(st, cudaEventCreateWithFlags(&space->sent[i], cudaEventDisableTiming));
        CUDA_TRY(st, cudaEventCreateWithFlags(&space->read[i], cudaEventDisableTiming));
    }
done:
    return st;
}

/* The libraries' handles take memory as well: here, where too large a batch is still found out. */
static waio_status check_room(waio_space *space, const waio_space_plan *plan)
{
    waio_status st = WAIO_OK;
    size_t unused = 0, total = 0;
    cublasHandle_t blas = NULL;
    cudnnHandle_t dnn = NULL;

    if (plan->floats) {
        WAIO_TRY(st, waio_cuda_blas(&blas, space));
        WAIO_TRY(st, waio_cuda_dnn(&dnn, space));
    }
    CUDA_TRY(st, cudaMemGetInfo(&unused, &total));
    if (unused < plan->reserve)
        WAIO_FAIL(st, WAIO_ENOMEM,
                  "cuda: %zu of %zu bytes are left on the device, weights take %zu", unused, total,
                  plan->reserve);
done:
    return st;
}

static waio_status space_open(waio_space **out, const waio_space_plan *plan)
{
    waio_status st = WAIO_OK;
    size_t input = rounded(plan->input), activations = rounded(plan->activations);
    size_t scratch = rounded(plan->scratch), flags_at = activations + scratch + BUFFERS * input;
    int nodes = plan->nodes > 0 ? plan->nodes : 1;
    size_t flags = FLAGS * (size_t)nodes * sizeof(int);
    waio_space *space = calloc(1, sizeof *space);

    if (!space)
        return waio_error(WAIO_ENOMEM, "out of memory");
    space->nodes = nodes;
    space->on = take_device();
    space->of_flags = calloc((size_t)nodes, sizeof *space->of_flags);
    if (!space->of_flags)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, waio_cuda_use(space->on));
    space->scratch_at = activations;
    space->input_bytes = plan->input;
    CUDA_TRY(st, cudaStreamCreateWithFlags(&space->work, cudaStreamNonBlocking));
    CUDA_TRY(st, cudaStreamCreateWithFlags(&space->way_up, cudaStreamNonBlocking));
    CUDA_TRY(st, cudaMalloc((void **)&space->memory, flags_at + flags));
    space->flags = (int *)(void *)(space->memory + flags_at);
    CUDA_TRY(st, cudaHostAlloc((void **)&space->seen, flags, cudaHostAllocDefault));
    CUDA_TRY(st, cudaMemsetAsync(space->flags, 0, flags, space->work));
    for (int i = 0; i < BUFFERS; i++)
        space->device[i] = space->memory + activations + scratch + (size_t)i * input;
    WAIO_TRY(st, open_buffers(space));
    WAIO_TRY(st, check_room(space, plan));
    *out = space;
    space = NULL;
done:
    space_close(space);
    return st;
}

static void *space_activations(const waio_space *space)
{
    return space->memory;
}

static void *space_scratch(const waio_space *space)
{
    return space->memory + space->scratch_at;
}

cudaStream_t waio_cuda_stream(const waio_space *space)
{
    return space->work;
}

/* The node's two words; its kernel is remembered for the message. */
static int *flags_of(const waio_space *space, const waio_kernel *kernel)
{
    int64_t node = kernel->node - kernel->graph->node;

    space->of_flags[node] = kernel;
    return space->flags + FLAGS * node;
}

unsigned *waio_cuda_overflow_flags(const waio_space *space, const waio_kernel *kernel)
{
    return (unsigned *)flags_of(space, kernel);
}

int *waio_cuda_lost_flag(const waio_space *space, const waio_kernel *kernel)
{
    return flags_of(space, kernel) + 1;
}

/* Clears flags that are set and reports the first of them. */
static waio_status check_flags(waio_space *space)
{
    waio_status st = WAIO_OK;
    size_t set = 0, words = FLAGS * (size_t)space->nodes;

    while (set < words && !space->seen[set])
        set++;
    if (set == words)
        return WAIO_OK;
    CUDA_TRY(st, cudaMemsetAsync(space->flags, 0, words * sizeof(int), space->work));
    const waio_kernel *kernel = space->of_flags[set / FLAGS];
    if (!kernel)
        WAIO_FAIL(st, WAIO_EINTERNAL, "cuda: a flag is set that no kernel has");
    WAIO_FAIL(st, WAIO_EUNSUPPORTED,
              "cuda: node \"%s\" (%s): a sum is more than its accumulator holds",
              kernel->node->name, waio_op_name(kernel->node->op));
done:
    return st;
}

waio_status waio_cuda_blas(cublasHandle_t *out, waio_space *space)
{
    waio_status st = WAIO_OK;

    if (!space->blas) {
        CUBLAS_TRY(st, cublasCreate(&space->blas));
        CUBLAS_TRY(st, cublasSetStream(space->blas, space->work));
        /* Full float32: this mode does not take TF32, as opposed to CUBLAS_TF32_TENSOR_OP_MATH. */
        CUBLAS_TRY(st, cublasSetMathMode(space->blas, CUBLAS_DEFAULT_MATH));
    }
    *out = space->blas;
done:
    if (st != WAIO_OK && space->blas) {
        (void)cublasDestroy(space->blas);
        space->blas = NULL;
    }
    return st;
}

waio_status waio_cuda_dnn(cudnnHandle_t *out, waio_space *space)
{
    waio_status st = WAIO_OK;

    if (!space->dnn) {
        CUDNN_TRY(st, cudnnCreate(&space->dnn));
        CUDNN_TRY(st, cudnnSetStream(space->dnn, space->work));
    }
    *out = space->dnn;
done:
    if (st != WAIO_OK && space->dnn) {
        (void)cudnnDestroy(space->dnn);
        space->dnn = NULL;
    }
    return st;
}

/* ---- copies ---- */

static void *space_input(const waio_space *space)
{
    return space->host[space->next];
}

static waio_status space_send_input(waio_space *space, void *dst)
{
    waio_status st = WAIO_OK;
    int i = space->next;

    WAIO_TRY(st, waio_cuda_use(space->on));
    CUDA_TRY(st, cudaStreamWaitEvent(space->way_up, space->read[i], 0));
    CUDA_TRY(st, cudaMemcpyAsync(space->device[i], space->host[i], space->input_bytes,
                                 cudaMemcpyHostToDevice, space->way_up));
    CUDA_TRY(st, cudaEventRecord(space->sent[i], space->way_up));
    CUDA_TRY(st, cudaStreamWaitEvent(space->work, space->sent[i], 0));
    CUDA_TRY(st, cudaMemcpyAsync(dst, space->device[i], space->input_bytes,
                                 cudaMemcpyDeviceToDevice, space->work));
    CUDA_TRY(st, cudaEventRecord(space->read[i], space->work));
    space->next = (i + 1) % BUFFERS;
    CUDA_TRY(st, cudaEventSynchronize(space->sent[space->next]));
done:
    return st;
}

static waio_status space_upload(waio_space *space, void *dst, const void *src, size_t bytes)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_cuda_use(space->on));
    /* From pageable memory: the runtime has taken its copy when this returns. */
    CUDA_TRY(st, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, space->work));
done:
    return st;
}

static waio_status space_download(waio_space *space, void *dst, const void *src, size_t bytes)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, waio_cuda_use(space->on));
    CUDA_TRY(st, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, space->work));
    CUDA_TRY(st,
             cudaMemcpyAsync(space->seen, space->flags, FLAGS * (size_t)space->nodes * sizeof(int),
                             cudaMemcpyDeviceToHost, space->work));
    CUDA_TRY(st, cudaStreamSynchronize(space->work));
    WAIO_TRY(st, check_flags(space));
done:
    return st;
}

static waio_status space_fake_quantize(waio_space *space, float *data, size_t count, waio_fq fq,
                                       int rounding)
{
    waio_status st = WAIO_OK;
    waio_cuda_grid grid = {.fq = fq, .rounding = rounding};

    WAIO_TRY(st, waio_cuda_use(space->on));
    CUDA_TRY(st, waio_cuda_fake_quantize(data, data, count, grid, space->work));
done:
    return st;
}

/* ---- constants ---- */

/* What a handle is. */
typedef struct placed_constant {
    void *at[WAIO_CUDA_MOST_DEVICES];
} placed_constant;

static waio_status place_here(void **at, const void *src, size_t bytes)
{
    waio_status st = WAIO_OK;

    CUDA_TRY(st, cudaMalloc(at, bytes ? bytes : 1));
    CUDA_TRY(st, cudaMemcpy(*at, src, bytes, cudaMemcpyHostToDevice));
    /* That call may end before the last bytes have arrived, and the spaces' streams do not wait for
     * the one that it used. */
    CUDA_TRY(st, cudaStreamSynchronize(NULL));
done:
    return st;
}

waio_status waio_cuda_place(void **placed, const void *src, size_t bytes)
{
    waio_status st = WAIO_OK;
    placed_constant *constant = calloc(1, sizeof *constant);

    if (!constant)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    for (int i = 0; i < waio_cuda_devices(); i++) {
        WAIO_TRY(st, waio_cuda_use(i));
        WAIO_TRY(st, place_here(&constant->at[i], src, bytes));
    }
    *placed = constant;
    constant = NULL;
done:
    waio_cuda_release(constant);
    return st;
}

const void *waio_cuda_placed(const waio_space *space, const void *placed)
{
    return ((const placed_constant *)placed)->at[space->on];
}

void waio_cuda_release(void *placed)
{
    placed_constant *constant = placed;

    for (int i = 0; constant && i < WAIO_CUDA_MOST_DEVICES; i++)
        if (constant->at[i] && cudaFree(constant->at[i]) != cudaSuccess)
            (void)cudaGetLastError();
    free(constant);
}

int waio_cuda_space_device(const waio_space *space)
{
    return space->on;
}

const waio_backend_memory waio_cuda_memory = {
    .open = space_open,
    .close = space_close,
    .activations = space_activations,
    .scratch = space_scratch,
    .input = space_input,
    .send_input = space_send_input,
    .upload = space_upload,
    .download = space_download,
    .fake_quantize = space_fake_quantize,
    .place = waio_cuda_place,
    .devices = waio_cuda_devices,
};
