/* The cpu backend: oneDNN for float conv2d and dense, vectorized loops for the rest. A kernel runs
 * on the thread that calls it; the evaluator keeps one worker a core busy, which scales better than
 * threads inside small kernels. */
#include <stdlib.h>

#include "backend/cpu/int_op.h"
#include "backend/ref/ref.h"
#include "backend/ref/refq.h"
#include "util/simd.h"

static waio_cpu_loop *loop_of(const waio_graph *graph, const waio_node *node, const char **reason)
{
    const waio_shape *x = &graph->value[node->input[0]].shape;

    switch (node->op) {
    case WAIO_OP_BATCH_NORM:
        return waio_cpu_batch_norm;
    case WAIO_OP_CLIP:
        return waio_cpu_clip;
    case WAIO_OP_ADD:
    case WAIO_OP_SUB:
    case WAIO_OP_MUL:
    case WAIO_OP_MAXIMUM:
        *reason = "only equal shapes and one number per channel";
        return waio_cpu_binary_supported(graph, node) ? waio_cpu_binary : NULL;
    case WAIO_OP_AVG_POOL:
    case WAIO_OP_MAX_POOL:
        return waio_cpu_pool;
    case WAIO_OP_MEAN:
    case WAIO_OP_SUM:
        *reason = "only over height and width of NHWC";
        return x->rank == 4 && node->reduce.axes == 6 ? waio_cpu_reduce_image : NULL;
    case WAIO_OP_SOFTMAX:
        return waio_cpu_softmax;
    case WAIO_OP_LOGISTIC:
        return waio_cpu_logistic;
    case WAIO_OP_CONCAT:
    case WAIO_OP_RESHAPE:
        return waio_cpu_copy;
    case WAIO_OP_PAD:
        *reason = "only height and width of NHWC";
        return x->rank == 4 && !node->pad.before[3] && !node->pad.after[3] ? waio_cpu_pad : NULL;
    default:
        *reason = "no fast loop yet";
        return NULL;
    }
}

static bool cpu_supports(const waio_graph *graph, const waio_node *node, const char **reason)
{
    if (waio_refq_wanted(graph, node))
        return waio_int_supports(graph, node, reason);
    return waio_op_weighted(node->op) || loop_of(graph, node, reason) != NULL;
}

static void cpu_destroy(waio_kernel *kernel)
{
    if (kernel) {
        waio_dnnl_state_destroy(kernel->dnnl);
        waio_int_conv_free(kernel->int_conv);
        waio_int_conv_free(kernel->on_codes);
        waio_int_op_free(kernel->int_op);
    }
    free(kernel);
}

static waio_status cpu_create(waio_kernel **kernel, const waio_graph *graph, const waio_node *node,
                              int64_t batch)
{
    waio_status st = WAIO_OK;
    const char *reason = "";
    waio_kernel *k = calloc(1, sizeof *k);

    if (!k)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    k->node = node;
    for (int i = 0; i < node->input_count; i++)
        k->in[i] = waio_batched_shape(graph, node->input[i], batch);
    k->out = waio_batched_shape(graph, node->output, batch);
    if (waio_refq_wanted(graph, node))
        WAIO_TRY(st, waio_int_create(k, graph, batch));
    else if (waio_op_weighted(node->op)) {
        WAIO_TRY(st, waio_dnnl_state_create(&k->dnnl, k));
        WAIO_TRY(st, waio_int_create_on_codes(k, graph, batch));
    }
    if (!k->loop)
        k->loop = k->dnnl ? waio_dnnl_run : loop_of(graph, node, &reason);
    *kernel = k;
done:
    if (st != WAIO_OK)
        cpu_destroy(k);
    return st;
}

static size_t cpu_scratch_bytes(const waio_kernel *kernel)
{
    if (kernel->int_conv)
        return waio_int_conv_scratch_bytes(kernel->int_conv);
    if (kernel->int_op)
        return waio_int_op_scratch_bytes(kernel);
    if (kernel->node->op == WAIO_OP_BATCH_NORM) /* a factor a channel */
        return (size_t)kernel->out.dim[kernel->out.rank - 1] * sizeof(float);
    size_t codes = kernel->on_codes ? waio_int_conv_scratch_bytes(kernel->on_codes) : 0;
    size_t floats = kernel->dnnl ? waio_dnnl_scratch_bytes(kernel->dnnl) : 0;
    return codes > floats ? codes : floats;
}

static waio_status cpu_pack(const waio_kernel *kernel, void **packed, size_t *bytes,
                            const void *weight)
{
    return kernel->int_conv ? waio_int_conv_pack(kernel->int_conv, packed, bytes, weight)
                            : waio_dnnl_pack(kernel->dnnl, packed, bytes, weight);
}

static waio_status cpu_run(const waio_kernel *kernel, const waio_kernel_args *args)
{
    return args->on_codes ? waio_int_conv_run(kernel->on_codes, args) : kernel->loop(kernel, args);
}

static bool cpu_fuses(const waio_kernel *kernel)
{
    return kernel->dnnl != NULL;
}

static bool cpu_takes_codes(const waio_kernel *kernel)
{
    return kernel->on_codes != NULL;
}

static waio_status cpu_pack_codes(const waio_kernel *kernel, void **packed, size_t *bytes,
                                  const int8_t *code)
{
    return waio_int_conv_pack(kernel->on_codes, packed, bytes, code);
}

WAIO_SIMD static void fake_quantize_away(float *dst, const float *src, size_t count, waio_fq fq)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = waio_fake_quantize(src[i], fq, WAIO_ROUND_HALF_AWAY);
}

WAIO_SIMD static void fake_quantize_even(float *dst, const float *src, size_t count, waio_fq fq)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = waio_fake_quantize(src[i], fq, WAIO_ROUND_HALF_EVEN);
}

void waio_cpu_fake_quantize(float *dst, const float *src, size_t count, waio_fq fq, int rounding)
{
    if (rounding == WAIO_ROUND_HALF_EVEN)
        fake_quantize_even(dst, src, count, fq);
    else
        fake_quantize_away(dst, src, count, fq);
}

const waio_backend waio_backend_cpu = {
    .name = "cpu",
    .summary = "oneDNN and vectorized loops for floats, kernels of its own for integers",
    .supports = cpu_supports,
    .create = cpu_create,
    .destroy = cpu_destroy,
    .scratch_bytes = cpu_scratch_bytes,
    .pack = cpu_pack,
    .run = cpu_run,
    .fuses = cpu_fuses,
    .takes_codes = cpu_takes_codes,
    .pack_codes = cpu_pack_codes,
    .fake_quantize = waio_cpu_fake_quantize,
};
