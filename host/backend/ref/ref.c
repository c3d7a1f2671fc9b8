#include "backend/ref/ref.h"

#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/ref/refq.h"

struct waio_kernel {
    const waio_node *node;
    waio_shape in[WAIO_MAX_INPUTS], out;
    size_t weight_bytes;
    bool integer; /* runs the integer kernels on these: */
    waio_requant requant;
    size_t scratch_bytes;
    waio_refq_tensor in_q[WAIO_MAX_INPUTS], out_q;
};

waio_shape waio_batched_shape(const waio_graph *graph, int id, int64_t batch)
{
    waio_shape shape = graph->value[id].shape;
    if (!waio_value_is_const(graph, id))
        shape.dim[0] = batch;
    return shape;
}

void waio_ref_run(const waio_ref_call *call)
{
    typedef void (*run)(const waio_ref_call *);
    static const run table[WAIO_OP_COUNT] = {
#define WAIO_OP_DEF(ENUM, name, least, most, weighted) waio_ref_##name,
#include "graph/ops.def"
#undef WAIO_OP_DEF
    };
    table[call->node->op](call);
    waio_clamp clamp = call->node->clamp;
    int64_t n = waio_clamp_is_none(clamp) ? 0 : waio_shape_count(call->out);
    for (int64_t i = 0; i < n; i++)
        call->y[i] = waio_clampf(call->y[i], clamp.lo, clamp.hi);
}

static bool ref_supports(const waio_graph *graph, const waio_node *node, const char **reason)
{
    (void)graph;
    (void)node;
    (void)reason;
    return true;
}

static waio_refq_tensor tensor_of(const waio_graph *graph, int id, int64_t batch)
{
    const waio_value *value = &graph->value[id];
    return (waio_refq_tensor){waio_batched_shape(graph, id, batch), value->type, value->params,
                              NULL};
}

static waio_status ref_create(waio_kernel **kernel, const waio_graph *graph, const waio_node *node,
                              int64_t batch)
{
    bool integer = waio_refq_wanted(graph, node);
    waio_status st = integer ? waio_refq_check(graph, node) : WAIO_OK;
    if (st != WAIO_OK)
        return st;
    waio_kernel *k = calloc(1, sizeof *k);
    if (!k)
        return waio_error(WAIO_ENOMEM, "out of memory");
    k->node = node;
    k->integer = integer;
    k->requant = graph->requant;
    k->scratch_bytes = integer ? waio_refq_scratch_bytes(graph, node) : 0;
    for (int i = 0; i < node->input_count; i++)
        k->in_q[i] = tensor_of(graph, node->input[i], batch);
    k->out_q = tensor_of(graph, node->output, batch);
    for (int i = 0; i < node->input_count; i++)
        k->in[i] = waio_batched_shape(graph, node->input[i], batch);
    k->out = waio_batched_shape(graph, node->output, batch);
    if (waio_op_weighted(node->op))
        k->weight_bytes = (size_t)waio_shape_count(&k->in[1]) *
                          waio_type_bytes(graph->value[node->input[1]].type);
    *kernel = k;
    return WAIO_OK;
}

static void ref_destroy(waio_kernel *kernel)
{
    free(kernel);
}

static size_t ref_scratch_bytes(const waio_kernel *kernel)
{
    return kernel->scratch_bytes;
}

static waio_status ref_pack(const waio_kernel *kernel, void **packed, size_t *bytes,
                            const void *weight)
{
    *bytes = kernel->weight_bytes;
    *packed = waio_aligned_calloc(*bytes);
    if (!*packed)
        return WAIO_ENOMEM;
    memcpy(*packed, weight, *bytes);
    return WAIO_OK;
}

static waio_status run_integer(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_refq_tensor in[WAIO_MAX_INPUTS];

    for (int i = 0; i < kernel->node->input_count; i++) {
        in[i] = kernel->in_q[i];
        in[i].data = args->input[i];
    }
    return waio_refq_run(&(waio_refq_call){.node = kernel->node,
                                           .requant = kernel->requant,
                                           .in = in,
                                           .out = kernel->out_q,
                                           .result = args->output,
                                           .scratch = args->scratch});
}

static waio_status ref_run(const waio_kernel *kernel, const waio_kernel_args *args)
{
    const float *x[WAIO_MAX_INPUTS];

    if (kernel->integer)
        return run_integer(kernel, args);
    for (int i = 0; i < kernel->node->input_count; i++)
        x[i] = args->input[i];
    waio_ref_run(&(waio_ref_call){kernel->node, kernel->in, &kernel->out, x, args->output});
    return WAIO_OK;
}

static void ref_fake_quantize(float *dst, const float *src, size_t count, waio_fq fq, int rounding)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = waio_fake_quantize(src[i], fq, rounding);
}

const waio_backend waio_backend_ref = {
    .name = "ref",
    .summary = "plain C loops, the definition of right",
    .supports = ref_supports,
    .create = ref_create,
    .destroy = ref_destroy,
    .scratch_bytes = ref_scratch_bytes,
    .pack = ref_pack,
    .run = ref_run,
    .fake_quantize = ref_fake_quantize,
};
