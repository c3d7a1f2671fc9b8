/* Integer conv2d, depthwise and dense through the kernels on tensor cores (kernels.h, "weighted
 * layers"). Weights and per-channel constants become one block of device memory. Kernels want each
 * pixel of x to begin at a multiple of 16 bytes: where the channels do not fill that, the image is
 * first arranged so in scratch memory; stems are made layers over blocks of 2x2 pixels (pack.h). */
#include "backend/cuda/cuda.h"

#include <stdlib.h>

#include "backend/cuda/tune_cuda.h"
#include "backend/ref/refq.h"

enum { ALIGNMENT = 256 };

typedef struct weighted {
    waio_pack pack;
    waio_conv_shape shape; /* of the node; pack.shape is another for a stem */
    bool stem, arranges;   /* the image is arranged first: */
    waio_cuda_arrangement arrangement;
    size_t arranged_bytes;
    bool sums_64;
    waio_cuda_tile tile;
} weighted;

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* ---- making ---- */

static waio_conv_shape shape_of_conv(const waio_kernel *kernel)
{
    const waio_conv_params *p = &kernel->node->conv;
    const int64_t *x = kernel->in[0].dim, *w = kernel->in[1].dim, *y = kernel->out.dim;

    return (waio_conv_shape){.images = (int32_t)x[0],
                             .ih = (int32_t)x[1],
                             .iw = (int32_t)x[2],
                             .ic = (int32_t)x[3],
                             .oh = (int32_t)y[1],
                             .ow = (int32_t)y[2],
                             .oc = (int32_t)y[3],
                             .kh = (int32_t)w[1],
                             .kw = (int32_t)w[2],
                             .stride = {p->stride[0], p->stride[1]},
                             .dilation = {p->dilation[0], p->dilation[1]},
                             .pad = {p->pad[0], p->pad[1]},
                             .groups = p->groups};
}

static waio_conv_shape shape_of(const waio_kernel *kernel)
{
    const int64_t *w = kernel->in[1].dim;

    if (kernel->node->op == WAIO_OP_CONV2D)
        return shape_of_conv(kernel);
    return waio_conv_of_gemm((int32_t)(waio_shape_count(&kernel->out) / w[0]), (int32_t)w[0],
                             (int32_t)w[1]);
}

static bool sums_of_64(const waio_kernel *kernel, waio_type x, waio_type w)
{
    const waio_node *node = kernel->node;
    const waio_type *bias =
        node->input_count == 3 ? &kernel->graph->value[node->input[2]].type : NULL;

    return waio_refq_sum_bits(x, w, bias) == 64;
}

/* ---- packing ---- */

/* s_in * s_w / s_out of every output channel, as the reference has it. */
static void fill_multipliers(waio_multiplier *multiplier, double *real, const waio_kernel *kernel)
{
    const waio_graph *graph = kernel->graph;
    const waio_value_params *x = &graph->value[kernel->node->input[0]].params;
    const waio_value_params *w = &graph->value[kernel->node->input[1]].params;
    double out = (double)graph->value[kernel->node->output].params.scale[0];

    for (int64_t c = 0; c < kernel->in[1].dim[0]; c++) {
        real[c] = (double)x->scale[0] * (double)w->scale[w->count == 1 ? 0 : c] / out;
        multiplier[c] = waio_multiplier_of(real[c]);
    }
}

/* The weights as the packed layer has them, in `blocks` if they must change. */
static waio_status blocks_of(void **blocks, const waio_kernel *kernel, const void **weight)
{
    const weighted *k = kernel->state;
    const waio_conv_shape *to = &k->pack.shape;
    size_t count = (size_t)to->oc * (size_t)to->kh * (size_t)to->kw * (size_t)to->ic;

    if (!k->stem)
        return WAIO_OK;
    *blocks = calloc(count, sizeof(int16_t));
    if (!*blocks)
        return waio_error(WAIO_ENOMEM, "out of memory");
    waio_pack_stem_weights(*blocks, *weight, &k->shape, k->pack.types);
    *weight = *blocks;
    return WAIO_OK;
}

static waio_status fill_block(void *block, waio_pack *pack, const waio_kernel *kernel,
                              const void *weight)
{
    waio_status st = WAIO_OK;
    void *blocks = NULL;
    const waio_graph *graph = kernel->graph;
    const waio_node *node = kernel->node;
    const waio_value *bias = node->input_count == 3 ? &graph->value[node->input[2]] : NULL;
    size_t channels = (size_t)kernel->in[1].dim[0];
    waio_multiplier *multiplier = malloc(channels * sizeof *multiplier);
    double *real = malloc(channels * sizeof *real);

    if (!multiplier || !real)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, blocks_of(&blocks, kernel, &weight));
    fill_multipliers(multiplier, real, kernel);
    waio_pack_fill(
        pack, block,
        &(waio_pack_source){.weight = weight,
                            .bias_32 = bias && bias->type == WAIO_S32 ? bias->codes : NULL,
                            .bias_64 = bias && bias->type == WAIO_S64 ? bias->codes : NULL,
                            .x_zero = graph->value[node->input[0]].params.zero_point[0],
                            .multiplier = multiplier,
                            .real = real});
done:
    free(multiplier);
    free(real);
    free(blocks);
    return st;
}

static waio_status pack_weighted(const waio_kernel *kernel, void **packed, size_t *bytes,
                                 const void *weight)
{
    waio_status st = WAIO_OK;
    weighted *k = kernel->state;
    waio_pack pack = k->pack;
    void *block = calloc(1, pack.bytes);

    if (!block)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    WAIO_TRY(st, fill_block(block, &pack, kernel, weight));
    k->pack.may_overflow = k->pack.may_overflow || pack.may_overflow;
    *bytes = pack.bytes;
    WAIO_TRY(st, waio_cuda_place(packed, block, pack.bytes));
done:
    free(block);
    return st;
}

/* ---- running ---- */

static waio_status launch(const waio_kernel *kernel, const waio_cuda_layer *layer,
                          cudaStream_t stream)
{
    waio_status st = WAIO_OK;
    bool conv = kernel->node->op == WAIO_OP_CONV2D;
    bool narrow = kernel->graph->value[kernel->node->input[0]].type == WAIO_S8;

    if (conv && narrow)
        CUDA_TRY(st, waio_cuda_conv2d_qs8(layer, stream));
    else if (conv)
        CUDA_TRY(st, waio_cuda_conv2d_qs16(layer, stream));
    else if (narrow)
        CUDA_TRY(st, waio_cuda_gemm_qs8(layer, stream));
    else
        CUDA_TRY(st, waio_cuda_gemm_qs16(layer, stream));
done:
    return st;
}

static waio_status arrange(const weighted *k, void *to, const void *x, cudaStream_t stream)
{
    waio_status st = WAIO_OK;

    if (k->pack.types < WAIO_PACK_S16_S8)
        CUDA_TRY(st, waio_cuda_arrange_qs8(to, x, k->arrangement, stream));
    else
        CUDA_TRY(st, waio_cuda_arrange_qs16(to, x, k->arrangement, stream));
done:
    return st;
}

static waio_status run_weighted(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    const weighted *k = kernel->state;
    const waio_cuda_gpu *gpu = waio_cuda_gpu_now();
    cudaStream_t stream = waio_cuda_stream(args->space);
    waio_cuda_params out = waio_cuda_output_params(kernel);
    unsigned char *scratch = args->scratch;
    bool works = waio_cuda_workspace_bytes(&k->pack) > 0;

    if (k->arranges)
        WAIO_TRY(st, arrange(k, scratch, args->input[0], stream));
    waio_cuda_layer layer = {.pack = k->pack,
                             .packed = args->input[1],
                             .x = k->arranges ? scratch : args->input[0],
                             .x_pitch = k->arrangement.pitch,
                             .y = args->output,
                             .y_pitch = k->shape.oc,
                             .output = WAIO_CUDA_CODES,
                             .rounding = kernel->graph->requant,
                             .sums_64 = k->sums_64,
                             .zero_point = out.zero_point,
                             .lo = out.lo,
                             .hi = out.hi,
                             .flags = waio_cuda_overflow_flags(args->space, kernel),
                             .workspace = works ? scratch + rounded(k->arranged_bytes) : NULL,
                             .device = {gpu->processors, 100 * gpu->major + 10 * gpu->minor},
                             .tile = k->tile};
    WAIO_TRY(st, launch(kernel, &layer, stream));
done:
    return st;
}

/* Whether and how the image is arranged. */
static void plan_arrangement(weighted *k, const waio_value *x)
{
    const waio_conv_shape *s = &k->shape;
    int64_t element = (int64_t)waio_type_bytes(x->type), pitch = waio_pack_x_pitch(&k->pack);
    int32_t block = k->stem ? 2 : 1;
    int64_t pixels =
        (int64_t)s->images * ((s->ih + block - 1) / block) * ((s->iw + block - 1) / block);

    k->arranges = k->stem || s->ic * element % 16 != 0 || pitch > s->ic;
    k->arrangement = (waio_cuda_arrangement){.images = s->images,
                                             .ih = s->ih,
                                             .iw = s->iw,
                                             .ic = s->ic,
                                             .block = block,
                                             .pitch = k->arranges ? pitch : s->ic,
                                             .zero_point = x->params.zero_point[0]};
    k->arranged_bytes = k->arranges ? (size_t)(pixels * pitch * element) : 0;
}

waio_status waio_cuda_create_weighted(waio_kernel *kernel)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = kernel->graph;
    const waio_value *x = &graph->value[kernel->node->input[0]];
    const waio_value *w = &graph->value[kernel->node->input[1]];
    waio_pack_types types = x->type == WAIO_S8   ? WAIO_PACK_S8_S8
                            : w->type == WAIO_S8 ? WAIO_PACK_S16_S8
                                                 : WAIO_PACK_S16_S16;
    weighted *k = calloc(1, sizeof *k);

    if (!k)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    kernel->state = k;
    kernel->destroy = free;
    kernel->run = run_weighted;
    kernel->pack = pack_weighted;
    if (w->params.u8)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "cuda: weights of uint8 files");
    waio_conv_shape shape = k->shape = shape_of(kernel);
    k->stem = kernel->node->op == WAIO_OP_CONV2D && waio_pack_stem(&shape, &k->shape, types);
    if (!waio_pack_layout(&k->pack, k->stem ? &shape : &k->shape, types))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "cuda: sizes beyond the kernels'");
    k->sums_64 = sums_of_64(kernel, x->type, w->type);
    WAIO_TRY(st, waio_cuda_tile_measured(&k->tile, &k->pack, kernel->node->op == WAIO_OP_DENSE,
                                         graph->requant));
    plan_arrangement(k, x);
    kernel->scratch_bytes = rounded(k->arranged_bytes) + waio_cuda_workspace_bytes(&k->pack);
done:
    return st;
}
