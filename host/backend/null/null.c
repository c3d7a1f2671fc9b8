/* The null backend returns zeros: it times and tests everything around the arithmetic. */
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"

struct waio_kernel {
    size_t output_bytes;
};

static bool null_supports(const waio_graph *graph, const waio_node *node, const char **reason)
{
    (void)graph;
    (void)node;
    (void)reason;
    return true;
}

static waio_status null_create(waio_kernel **kernel, const waio_graph *graph, const waio_node *node,
                               int64_t batch)
{
    waio_kernel *k = calloc(1, sizeof *k);
    if (!k)
        return waio_error(WAIO_ENOMEM, "out of memory");
    const waio_value *output = &graph->value[node->output];
    k->output_bytes =
        (size_t)(waio_shape_count(&output->shape) * batch) * waio_type_bytes(output->type);
    *kernel = k;
    return WAIO_OK;
}

static void null_destroy(waio_kernel *kernel)
{
    free(kernel);
}

static size_t null_scratch_bytes(const waio_kernel *kernel)
{
    (void)kernel;
    return 0;
}

static waio_status null_pack(const waio_kernel *kernel, void **packed, size_t *bytes,
                             const void *weight)
{
    (void)kernel;
    (void)weight;
    *bytes = 0;
    *packed = waio_aligned_calloc(0);
    return *packed ? WAIO_OK : WAIO_ENOMEM;
}

static waio_status null_run(const waio_kernel *kernel, const waio_kernel_args *args)
{
    memset(args->output, 0, kernel->output_bytes);
    return WAIO_OK;
}

static void null_fake_quantize(float *dst, const float *src, size_t count, waio_fq fq, int rounding)
{
    (void)dst;
    (void)src;
    (void)count;
    (void)fq;
    (void)rounding;
}

const waio_backend waio_backend_null = {
    .name = "null",
    .summary = "returns zeros: times and tests the harness",
    .supports = null_supports,
    .create = null_create,
    .destroy = null_destroy,
    .scratch_bytes = null_scratch_bytes,
    .pack = null_pack,
    .run = null_run,
    .fake_quantize = null_fake_quantize,
};
