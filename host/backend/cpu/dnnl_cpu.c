/* conv2d and dense as oneDNN primitives: NHWC in and out, the weight in the primitive's own layout,
 * the clamp behind it by a loop of our own: oneDNN's fused ReLU and clip turn a NaN into a limit,
 * and a network that has gone wrong would look right. */
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>

#include "backend/cpu/cpu_kernel.h"
#include "backend/cpu/dnnl_compat.h"

struct waio_dnnl_state {
    waio_dnnl_problem problem;
    waio_md weight_md; /* what the primitive wants */
    waio_md user_md;   /* what the graph has */
    waio_md src_md, dst_md, bias_md, scratch_md;
    dnnl_primitive_t primitive;
    size_t scratch_bytes;
};

static dnnl_engine_t engine;
static dnnl_status_t engine_status;

static void engine_create(void)
{
    engine_status = dnnl_engine_create(&engine, dnnl_cpu, 0);
}

/* The engine lives as long as the process. */
static waio_status engine_get(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, engine_create);
    if (engine_status != dnnl_success)
        return waio_error(WAIO_EINTERNAL, "oneDNN has no CPU engine (status %d)",
                          (int)engine_status);
    return WAIO_OK;
}

/* Every call into oneDNN uses the calling thread alone: the evaluator has one worker a core, and a
 * team of threads costs more than it gains in kernels of microseconds. The setting is the calling
 * thread's own. */
static void use_calling_thread(void)
{
    if (omp_get_max_threads() != 1)
        omp_set_num_threads(1);
}

/* NHWC numbers seen in oneDNN's logical order N,C,H,W. */
static void image_dims(dnnl_dims_t dims, dnnl_dims_t strides, const int64_t *nhwc)
{
    int64_t n = nhwc[0], h = nhwc[1], w = nhwc[2], c = nhwc[3];

    memcpy(dims, (int64_t[]){n, c, h, w}, 4 * sizeof *dims);
    memcpy(strides, (int64_t[]){h * w * c, 1, w * c, c}, 4 * sizeof *strides);
}

static void conv_problem(waio_dnnl_problem *p, const waio_kernel *k)
{
    const waio_conv_params *conv = &k->node->conv;
    const int64_t *w = k->in[1].dim;
    int64_t groups = conv->groups, oc = w[0] / groups, spatial = w[1] * w[2] * w[3];

    p->convolution = true;
    p->rank = 4;
    image_dims(p->src, p->src_strides, k->in[0].dim);
    image_dims(p->dst, p->dst_strides, k->out.dim);
    int64_t dims[5] = {groups, oc, w[3], w[1], w[2]};
    int64_t strides[5] = {oc * spatial, spatial, 1, w[2] * w[3], w[3]};
    int skip = groups == 1; /* without groups the leading dimension is left out */
    p->weight_rank = 5 - skip;
    memcpy(p->weight, dims + skip, (size_t)p->weight_rank * sizeof *dims);
    memcpy(p->weight_strides, strides + skip, (size_t)p->weight_rank * sizeof *strides);
    for (int i = 0; i < 2; i++) {
        p->stride[i] = conv->stride[i];
        p->dilation[i] = conv->dilation[i] - 1;
        p->pad_before[i] = conv->pad[i];
        p->pad_after[i] = conv->pad[i + 2];
    }
}

/* A dense layer is a 1x1 convolution over one image whose cells are the rows. oneDNN's own inner
 * product goes to its matrix product, which sums the last rows of a batch in another order. */
static void dense_problem(waio_dnnl_problem *p, const waio_kernel *k)
{
    int64_t outputs = k->in[1].dim[0], inputs = k->in[1].dim[1];
    int64_t rows = waio_shape_count(&k->out) / outputs;

    p->convolution = true;
    p->rank = p->weight_rank = 4;
    image_dims(p->src, p->src_strides, (int64_t[]){1, rows, 1, inputs});
    image_dims(p->dst, p->dst_strides, (int64_t[]){1, rows, 1, outputs});
    image_dims(p->weight, p->weight_strides, (int64_t[]){outputs, 1, 1, inputs});
    p->stride[0] = p->stride[1] = 1;
}

static waio_status user_descriptors(waio_dnnl_state *s)
{
    waio_status st = WAIO_OK;
    const waio_dnnl_problem *p = &s->problem;
    dnnl_dims_t one = {1}, channels = {p->dst[1]};
    dnnl_dims_t scratch = {s->scratch_bytes ? (int64_t)(s->scratch_bytes + 3) / 4 : 1};

    DNNL_TRY(st, waio_md_create(&s->user_md, p->weight_rank, p->weight, p->weight_strides));
    DNNL_TRY(st, waio_md_create(&s->src_md, p->rank, p->src, p->src_strides));
    DNNL_TRY(st, waio_md_create(&s->dst_md, p->rank, p->dst, p->dst_strides));
    DNNL_TRY(st, waio_md_create(&s->bias_md, 1, channels, one));
    DNNL_TRY(st, waio_md_create(&s->scratch_md, 1, scratch, one));
done:
    return st;
}

waio_status waio_dnnl_state_create(waio_dnnl_state **state, const waio_kernel *kernel)
{
    waio_status st = WAIO_OK;
    waio_dnnl_state *s = NULL;

    use_calling_thread(); /* primitives are made for as many threads as are set here */
    WAIO_TRY(st, engine_get());
    s = calloc(1, sizeof *s);
    if (!s)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    if (kernel->node->op == WAIO_OP_CONV2D)
        conv_problem(&s->problem, kernel);
    else
        dense_problem(&s->problem, kernel);
    s->problem.bias = kernel->node->input_count == 3;
    WAIO_TRY(
        st, waio_dnnl_create(&s->primitive, &s->weight_md, &s->scratch_bytes, engine, &s->problem));
    WAIO_TRY(st, user_descriptors(s));
    *state = s;
    s = NULL;
done:
    waio_dnnl_state_destroy(s);
    return st;
}

void waio_dnnl_state_destroy(waio_dnnl_state *state)
{
    if (!state)
        return;
    waio_md_destroy(state->weight_md);
    waio_md_destroy(state->user_md);
    waio_md_destroy(state->src_md);
    waio_md_destroy(state->dst_md);
    waio_md_destroy(state->bias_md);
    waio_md_destroy(state->scratch_md);
    if (state->primitive)
        dnnl_primitive_destroy(state->primitive);
    free(state);
}

size_t waio_dnnl_scratch_bytes(const waio_dnnl_state *state)
{
    return state->scratch_bytes;
}

waio_status waio_dnnl_pack(const waio_dnnl_state *state, void **packed, size_t *bytes,
                           const float *weight)
{
    waio_status st = WAIO_OK;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_stream_t stream = NULL;

    use_calling_thread();
    *bytes = waio_md_bytes(state->weight_md);
    *packed = waio_aligned_calloc(*bytes);
    if (!*packed)
        return WAIO_ENOMEM;
    DNNL_TRY(st, dnnl_reorder_primitive_desc_create(&pd, state->user_md, engine, state->weight_md,
                                                    engine, NULL));
    DNNL_TRY(st, dnnl_primitive_create(&reorder, pd));
    DNNL_TRY(st, dnnl_memory_create(&from, state->user_md, engine, (void *)weight));
    DNNL_TRY(st, dnnl_memory_create(&to, state->weight_md, engine, *packed));
    DNNL_TRY(st, dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    DNNL_TRY(st, dnnl_primitive_execute(reorder, stream, 2, args));
    DNNL_TRY(st, dnnl_stream_wait(stream));
done:
    if (stream)
        dnnl_stream_destroy(stream);
    if (from)
        dnnl_memory_destroy(from);
    if (to)
        dnnl_memory_destroy(to);
    if (reorder)
        dnnl_primitive_destroy(reorder);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (st != WAIO_OK) {
        free(*packed);
        *packed = NULL;
    }
    return st;
}

waio_status waio_dnnl_run(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    const waio_dnnl_state *s = kernel->dnnl;
    struct {
        int index;
        waio_md_view md;
        const void *data;
    } part[] = {
        {DNNL_ARG_SRC, s->src_md, args->input[0]},
        {DNNL_ARG_WEIGHTS, s->weight_md, args->input[1]},
        {DNNL_ARG_DST, s->dst_md, args->output},
        {DNNL_ARG_SCRATCHPAD, s->scratch_md, args->scratch},
        {DNNL_ARG_BIAS, s->bias_md, s->problem.bias ? args->input[2] : NULL},
    };
    int parts = s->problem.bias ? 5 : 4;
    dnnl_exec_arg_t exec[5] = {0};
    dnnl_stream_t stream = NULL;

    use_calling_thread();
    DNNL_TRY(st, dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    for (int i = 0; i < parts; i++) {
        exec[i].arg = part[i].index;
        DNNL_TRY(st, dnnl_memory_create(&exec[i].memory, part[i].md, engine, (void *)part[i].data));
    }
    DNNL_TRY(st, dnnl_primitive_execute(s->primitive, stream, parts, exec));
    DNNL_TRY(st, dnnl_stream_wait(stream));
    waio_cpu_clamp_output(kernel, args);
    if (args->quantizer)
        waio_cpu_fake_quantize(args->output, args->output, (size_t)waio_shape_count(&kernel->out),
                               *args->quantizer, args->rounding);
done:
    for (int i = 0; i < parts; i++)
        if (exec[i].memory)
            dnnl_memory_destroy(exec[i].memory);
    if (stream)
        dnnl_stream_destroy(stream);
    return st;
}
