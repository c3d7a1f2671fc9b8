/* The backend's struct, and which kernel runs a node. */
#include "backend/cuda/cuda.h"

#include <stdlib.h>

#include "backend/ref/ref.h"
#include "backend/ref/refq.h"

/* What makes the kernel of a float node; NULL: none, for `reason`. */
static waio_cuda_create *float_way(const waio_node *node, const char **reason)
{
    switch (node->op) {
    case WAIO_OP_CONV2D:
    case WAIO_OP_DENSE:
        *reason = "a clamp that is no ReLU";
        if (!waio_cuda_clamp_supported(node->clamp))
            return NULL;
        return node->op == WAIO_OP_CONV2D ? waio_cuda_create_conv2d : waio_cuda_create_dense;
    case WAIO_OP_RESHAPE:
        *reason = "a clamp";
        return waio_clamp_is_none(node->clamp) ? waio_cuda_create_reshape : NULL;
    default:
        *reason = "no CUDA kernel yet";
        return NULL;
    }
}

static waio_cuda_create *integer_way(const waio_graph *graph, const waio_node *node,
                                     const char **reason)
{
    switch (node->op) {
    case WAIO_OP_RESHAPE:
        *reason = "a clamp";
        return waio_clamp_is_none(node->clamp) ? waio_cuda_create_reshape : NULL;
    case WAIO_OP_QUANTIZE:
        return waio_cuda_quantize_supported(graph, node, reason) ? waio_cuda_create_quantize : NULL;
    case WAIO_OP_DEQUANTIZE:
        *reason = "a clamp";
        return waio_clamp_is_none(node->clamp) ? waio_cuda_create_dequantize : NULL;
    default:
        *reason = "no CUDA kernel yet";
        return NULL;
    }
}

static waio_cuda_create *way_of(const waio_graph *graph, const waio_node *node, const char **reason)
{
    return waio_refq_wanted(graph, node) ? integer_way(graph, node, reason)
                                         : float_way(node, reason);
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
    waio_status st = kernel->run(kernel, args);
    return st == WAIO_OK ? st : waio_error_context(st, "node \"%s\"", kernel->node->name);
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
    .fake_quantize = host_fake_quantize,
    .memory = &waio_cuda_memory,
};
