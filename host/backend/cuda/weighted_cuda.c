/* Integer conv2d, depthwise and dense through the kernels on tensor cores (kernels.h, "weighted
 * layers"). Weights and per-channel constants become one block of device memory. Kernels want each
 * pixel of x to begin at a multiple of 16 bytes: where the channels do not fill that, the image is
 * first copied to scratch memory, pixel by pixel. */
#include "backend/cuda/cuda.h"

#include <stdlib.h>

#include "backend/ref/refq.h"

enum { ALIGNMENT = 256 };

typedef struct weighted {
    waio_pack pack;
    size_t row_bytes, pitch_bytes; /* of a pixel as it lies, and as kernels take it */
    size_t pitched_bytes;          /* of the copy; 0: none is made */
    bool sums_64;
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

static waio_status fill_block(void *block, waio_pack *pack, const waio_kernel *kernel,
                              const void *weight)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = kernel->graph;
    const waio_node *node = kernel->node;
    const waio_value *bias = node->input_count == 3 ? &graph->value[node->input[2]] : NULL;
    size_t channels = (size_t)kernel->in[1].dim[0];
    waio_multiplier *multiplier = malloc(channels * sizeof *multiplier);
    double *real = malloc(channels * sizeof *real);

    if (!multiplier || !real)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
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

static waio_status run_weighted(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = WAIO_OK;
    const weighted *k = kernel->state;
    const waio_cuda_gpu *gpu = waio_cuda_gpu_now();
    cudaStream_t stream = waio_cuda_stream(args->space);
    waio_cuda_params out = waio_cuda_output_params(kernel);
    size_t element = waio_type_bytes(kernel->graph->value[kernel->node->input[0]].type);
    unsigned char *scratch = args->scratch;
    const void *x = args->input[0];

    if (k->pitched_bytes) {
        size_t pixels = k->pitched_bytes / k->pitch_bytes;
        CUDA_TRY(st, cudaMemcpy2DAsync(scratch, k->pitch_bytes, x, k->row_bytes, k->row_bytes,
                                       pixels, cudaMemcpyDeviceToDevice, stream));
        x = scratch;
    }
    waio_cuda_layer layer = {.pack = k->pack,
                             .packed = args->input[1],
                             .x = x,
                             .x_pitch = (int64_t)(k->pitch_bytes / element),
                             .y = args->output,
                             .y_pitch = k->pack.shape.oc,
                             .output = WAIO_CUDA_CODES,
                             .rounding = kernel->graph->requant,
                             .sums_64 = k->sums_64,
                             .zero_point = out.zero_point,
                             .lo = out.lo,
                             .hi = out.hi,
                             .flags = waio_cuda_overflow_flags(args->space),
                             .workspace = waio_cuda_workspace_bytes(&k->pack)
                                              ? scratch + rounded(k->pitched_bytes)
                                              : NULL,
                             .device = {gpu->processors, 100 * gpu->major + 10 * gpu->minor},
                             .tile = WAIO_CUDA_TILE_AUTO};
    WAIO_TRY(st, launch(kernel, &layer, stream));
done:
    return st;
}

static void lay_out_pixels(weighted *k, const waio_conv_shape *shape, size_t element)
{
    size_t pixels = (size_t)shape->images * (size_t)shape->ih * (size_t)shape->iw;

    k->row_bytes = (size_t)shape->ic * element;
    k->pitch_bytes = (size_t)waio_pack_x_pitch(&k->pack) * element;
    if (k->pitch_bytes <= k->row_bytes && k->row_bytes % 16 == 0)
        k->pitch_bytes = k->row_bytes;
    else
        k->pitched_bytes = pixels * k->pitch_bytes;
}

waio_status waio_cuda_create_weighted(waio_kernel *kernel)
{
    waio_status st = WAIO_OK;
    const waio_graph *graph = kernel->graph;
    const waio_value *x = &graph->value[kernel->node->input[0]];
    const waio_value *w = &graph->value[kernel->node->input[1]];
    waio_conv_shape shape = shape_of(kernel);
    weighted *k = calloc(1, sizeof *k);

    if (!k)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    kernel->state = k;
    kernel->destroy = free;
    kernel->run = run_weighted;
    kernel->pack = pack_weighted;
    if (w->params.u8)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "cuda: weights of uint8 files");
    if (!waio_pack_layout(&k->pack, &shape,
                          x->type == WAIO_S8   ? WAIO_PACK_S8_S8
                          : w->type == WAIO_S8 ? WAIO_PACK_S16_S8
                                               : WAIO_PACK_S16_S16))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "cuda: sizes beyond the kernels'");
    k->sums_64 = sums_of_64(kernel, x->type, w->type);
    lay_out_pixels(k, &shape, waio_type_bytes(x->type));
    kernel->scratch_bytes = rounded(k->pitched_bytes) + waio_cuda_workspace_bytes(&k->pack);
done:
    return st;
}
