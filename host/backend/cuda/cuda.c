/* The backend's struct, and which kernel runs a node. */
#include "backend/cuda/cuda.h"

#include <stdlib.h>

#include "backend/ref/ref.h"
#include "backend/ref/refq.h"

/* What makes the kernel of a node, of floats and of codes; NULL: no kernel yet. */
typedef struct way {
    waio_cuda_create *floats, *codes;
} way;

static const way ways[WAIO_OP_COUNT] = {
    [WAIO_OP_CONV2D] = {waio_cuda_create_conv2d, waio_cuda_create_weighted},
    [WAIO_OP_DENSE] = {waio_cuda_create_dense, waio_cuda_create_weighted},
    [WAIO_OP_BATCH_NORM] = {waio_cuda_create_batch_norm, NULL},
    [WAIO_OP_CLIP] = {waio_cuda_create_unary, waio_cuda_create_unary},
    [WAIO_OP_ADD] = {waio_cuda_create_binary, waio_cuda_create_binary},
    [WAIO_OP_SUB] = {waio_cuda_create_binary, waio_cuda_create_binary},
    [WAIO_OP_MUL] = {waio_cuda_create_binary, waio_cuda_create_binary},
    [WAIO_OP_MAXIMUM] = {waio_cuda_create_binary, waio_cuda_create_binary},
    [WAIO_OP_CONCAT] = {waio_cuda_create_concat, waio_cuda_create_concat},
    [WAIO_OP_AVG_POOL] = {waio_cuda_create_pool, waio_cuda_create_pool},
    [WAIO_OP_MAX_POOL] = {waio_cuda_create_pool, waio_cuda_create_pool},
    [WAIO_OP_MEAN] = {waio_cuda_create_reduce, waio_cuda_create_reduce},
    [WAIO_OP_SUM] = {waio_cuda_create_reduce, waio_cuda_create_reduce},
    [WAIO_OP_PAD] = {waio_cuda_create_pad, waio_cuda_create_pad},
    [WAIO_OP_RESHAPE] = {waio_cuda_create_reshape, waio_cuda_create_reshape},
    [WAIO_OP_TRANSPOSE] = {waio_cuda_create_transpose, waio_cuda_create_transpose},
    [WAIO_OP_SOFTMAX] = {waio_cuda_create_softmax, waio_cuda_create_softmax},
    [WAIO_OP_LOGISTIC] = {waio_cuda_create_logistic, waio_cuda_create_logistic},
    [WAIO_OP_RESIZE] = {waio_cuda_create_resize, waio_cuda_create_resize},
    [WAIO_OP_QUANTIZE] = {NULL, waio_cuda_create_quantize},
    [WAIO_OP_DEQUANTIZE] = {NULL, waio_cuda_create_dequantize},
};

static waio_cuda_create *way_of(const waio_graph *graph, const waio_node *node, const char **reason)
{
    const way *w = &ways[node->op];

    *reason = "no CUDA kernel yet";
    return waio_refq_wanted(graph, node) ? w->codes : w->floats;
}

static bool cuda_supports(const waio_graph *graph, const waio_node *node, const char **reason)
{
    return way_of(graph, node, reason) != NULL;
}

static void cuda_destroy(waio_kernel *kernel)
{
    if (kernel && kernel->destroy)
        kernel->destroy(kernel->state);
    free(kernel);
}

static waio_status cuda_create(waio_kernel **kernel, const waio_graph *graph, const waio_node *node,
                               int64_t batch)
{
    waio_status st = WAIO_OK;
    const char *reason = "";
    waio_kernel *k = calloc(1, sizeof *k);

    if (!k)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    k->graph = graph;
    k->node = node;
    k->batch = batch;
    for (int i = 0; i < node->input_count; i++)
        k->in[i] = waio_batched_shape(graph, node->input[i], batch);
    k->out = waio_batched_shape(graph, node->output, batch);
    if (waio_shape_count(&k->out) > INT32_MAX)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "cuda: more than 2^31 - 1 numbers");
    if (waio_refq_wanted(graph, node))
        WAIO_TRY(st, waio_refq_check(graph, node));
    WAIO_TRY(st, way_of(graph, node, &reason)(k));
    *kernel = k;
    k = NULL;
done:
    cuda_destroy(k);
    return st;
}

static size_t cuda_scratch_bytes(const waio_kernel *kernel)
{
    return kernel->scratch_bytes;
}

static waio_status cuda_pack(const waio_kernel *kernel, void **packed, size_t *bytes,
                             const void *weight)
{
    if (kernel->pack)
        return kernel->pack(kernel, packed, bytes, weight);
    *bytes = (size_t)waio_shape_count(&kernel->in[1]) *
             waio_type_bytes(kernel->graph->value[kernel->node->input[1]].type);
    return waio_cuda_place(packed, weight, *bytes);
}

static waio_status cuda_run(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const void *input[WAIO_MAX_INPUTS];
    waio_kernel_args here = *args;
    waio_status st = waio_cuda_use(waio_cuda_space_device(args->space));

    for (int i = 0; i < kernel->node->input_count; i++) /* constants are handles */
        input[i] = waio_value_is_const(kernel->graph, kernel->node->input[i])
                       ? waio_cuda_placed(args->space, args->input[i])
                       : args->input[i];
    here.input = input;
    if (st == WAIO_OK)
        st = kernel->run(kernel, &here);
    return st == WAIO_OK ? st : waio_error_context(st, "node \"%s\"", kernel->node->name);
}

/* All launchers with a float result take what is behind it. */
static bool cuda_fuses(const waio_kernel *kernel)
{
    return !waio_cuda_gives_codes(kernel);
}

static void host_fake_quantize(float *dst, const float *src, size_t count, waio_fq fq, int rounding)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = waio_fake_quantize(src[i], fq, rounding);
}

const waio_backend waio_backend_cuda = {
    .name = "cuda",
    .summary = "own kernels for integers and quantizers, cuDNN and cuBLAS for floats",
    .supports = cuda_supports,
    .create = cuda_create,
    .destroy = cuda_destroy,
    .scratch_bytes = cuda_scratch_bytes,
    .pack = cuda_pack,
    .release = waio_cuda_release,
    .run = cuda_run,
    .fuses = cuda_fuses,
    .fake_quantize = host_fake_quantize,
    .squant = waio_cuda_squant_layer,
    .memory = &waio_cuda_memory,
};
