/* Times of the kernels on tensor cores and of depthwise convolutions: matrix products, and the
 * layers of networks. A few hundred of the results, corners included, are computed once more on the
 * host. Peers: cuBLAS's int8 product for the same of ours, in floats cuBLAS and cuDNN. */
#include "backend/cuda/bench_cuda.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 4096, SMALL_SIDE = 96, CHECKED = 512, X_ZERO = -3, Y_ZERO = 5 };

typedef struct weighted_bench {
    waio_conv_shape shape; /* that runs: of a stem, the one over blocks */
    waio_pack_types types;
    waio_cuda_tile tile;
    waio_cuda_output output;
    bool dense;
    double products; /* multiply-adds of the layer as the network has it */
    char name[48], text[96];
    void *x, *w; /* host: [pixel][pitch] and OHWI */
    double *real;
    waio_multiplier *multiplier;
    void *device_w; /* as in `w`, for cuBLAS */
    waio_cuda_layer run;
} weighted_bench;

static bool is_16(const weighted_bench *k)
{
    return k->types >= WAIO_PACK_S16_S8;
}

static size_t x_bytes(const weighted_bench *k)
{
    return is_16(k) ? 2 : 1;
}

static size_t w_bytes(const weighted_bench *k)
{
    return k->types == WAIO_PACK_S16_S16 ? 2 : 1;
}

static size_t y_bytes(const weighted_bench *k)
{
    return k->output == WAIO_CUDA_SUMS ? 4 : x_bytes(k);
}

static int64_t depth(const weighted_bench *k)
{
    return (int64_t)k->shape.kh * k->shape.kw * (k->shape.ic / k->shape.groups);
}

static int64_t pixels(const weighted_bench *k)
{
    return (int64_t)k->shape.images * k->shape.oh * k->shape.ow;
}

/* ---- operands ---- */

static waio_status random_bytes(waio_bench *b, void *out, size_t bytes)
{
    waio_status st = WAIO_OK;
    uint64_t *words = NULL;

    WAIO_TRY(st, waio_bench_host(b, out, (bytes + 7) / 8 * 8));
    words = *(void **)out;
    for (size_t i = 0; i < (bytes + 7) / 8; i++)
        words[i] = waio_rng_next(&b->rng);
done:
    return st;
}

/* Multipliers that spread the sums over the output's codes. */
static waio_status make_multipliers(waio_bench *b, weighted_bench *k)
{
    waio_status st = WAIO_OK;
    size_t oc = (size_t)k->shape.oc;
    double size = (is_16(k) ? 18918.0 : 74.0) * (w_bytes(k) == 2 ? 18918.0 : 74.0);
    double spread = (is_16(k) ? 12000.0 : 45.0) / (size * sqrt((double)depth(k)));

    WAIO_TRY(st, waio_bench_host(b, &k->real, oc * sizeof *k->real));
    WAIO_TRY(st, waio_bench_host(b, &k->multiplier, oc * sizeof *k->multiplier));
    for (size_t c = 0; c < oc; c++) {
        k->real[c] = spread * (1 + (double)(c % 7) / 16);
        k->multiplier[c] = waio_multiplier_of(k->real[c]);
    }
done:
    return st;
}

static waio_status place_weights(waio_bench *b, weighted_bench *k)
{
    waio_status st = WAIO_OK;
    size_t bytes = (size_t)(k->shape.oc * depth(k)) * w_bytes(k);
    void *block = NULL;

    WAIO_TRY(st, random_bytes(b, &k->w, bytes));
    WAIO_TRY(st, make_multipliers(b, k));
    WAIO_TRY(st, waio_bench_host(b, &block, k->run.pack.bytes));
    waio_pack_fill(&k->run.pack, block,
                   &(waio_pack_source){.weight = k->w,
                                       .x_zero = is_16(k) ? 0 : X_ZERO,
                                       .multiplier = k->multiplier,
                                       .real = k->real});
    WAIO_TRY(st, waio_bench_place(b, (void *)&k->run.packed, block, k->run.pack.bytes));
    if (k->dense)
        WAIO_TRY(st, waio_bench_place(b, &k->device_w, k->w, bytes));
done:
    return st;
}

static waio_status prepare(waio_bench *b, weighted_bench *k)
{
    waio_status st = WAIO_OK;
    const waio_cuda_gpu *gpu = waio_cuda_gpu_now();
    waio_cuda_layer *l = &k->run;
    int64_t top = is_16(k) ? 32767 : 127;
    size_t results = (size_t)(pixels(k) * k->shape.oc);

    if (!waio_pack_layout(&l->pack, &k->shape, k->types))
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "cuda: %s: sizes beyond the kernels'", k->text);
    l->x_pitch = waio_pack_x_pitch(&l->pack);
    size_t image = (size_t)(l->x_pitch * k->shape.images * k->shape.ih * k->shape.iw) * x_bytes(k);
    WAIO_TRY(st, random_bytes(b, &k->x, image));
    WAIO_TRY(st, waio_bench_place(b, (void *)&l->x, k->x, image));
    WAIO_TRY(st, place_weights(b, k));
    WAIO_TRY(st, waio_bench_place(b, &l->y, NULL, results * y_bytes(k)));
    WAIO_TRY(st, waio_bench_place(b, &l->flags, (const unsigned[1]){0}, sizeof *l->flags));
    if (waio_cuda_workspace_bytes(&l->pack))
        WAIO_TRY(st, waio_bench_place(b, &l->workspace, NULL, waio_cuda_workspace_bytes(&l->pack)));
    l->y_pitch = k->shape.oc;
    l->output = k->output;
    l->rounding = WAIO_REQUANT_SINGLE;
    l->sums_64 = is_16(k);
    l->zero_point = is_16(k) ? 0 : Y_ZERO;
    l->lo = (int32_t)(-top - 1);
    l->hi = (int32_t)top;
    l->device = (waio_cuda_device){gpu->processors, 100 * gpu->major + 10 * gpu->minor};
    l->tile = k->tile;
done:
    return st;
}

static waio_status run_kernel(waio_bench *b, void *payload)
{
    waio_status st = WAIO_OK;
    const weighted_bench *k = payload;

    if (k->dense && is_16(k))
        CUDA_TRY(st, waio_cuda_gemm_qs16(&k->run, b->stream));
    else if (k->dense)
        CUDA_TRY(st, waio_cuda_gemm_qs8(&k->run, b->stream));
    else if (is_16(k))
        CUDA_TRY(st, waio_cuda_conv2d_qs16(&k->run, b->stream));
    else
        CUDA_TRY(st, waio_cuda_conv2d_qs8(&k->run, b->stream));
done:
    return st;
}

/* ---- what must come out ---- */

static int64_t code_at(const void *codes, int64_t i, size_t bytes)
{
    return bytes == 2 ? ((const int16_t *)codes)[i] : ((const int8_t *)codes)[i];
}

static int64_t sum_of(const weighted_bench *k, int64_t pixel, int64_t c)
{
    const waio_conv_shape *s = &k->shape;
    int64_t ox = pixel % s->ow, oy = pixel / s->ow % s->oh, n = pixel / s->ow / s->oh, sum = 0;
    int64_t cell = s->ic / s->groups, group = c / (s->oc / s->groups);
    int64_t zero = is_16(k) ? 0 : X_ZERO;

    for (int64_t tap = 0; tap < (int64_t)s->kh * s->kw; tap++) {
        int64_t y = oy * s->stride[0] - s->pad[0] + tap / s->kw * s->dilation[0];
        int64_t x = ox * s->stride[1] - s->pad[1] + tap % s->kw * s->dilation[1];
        int64_t at = ((n * s->ih + y) * s->iw + x) * k->run.x_pitch + group * cell;
        int64_t w = (c * s->kh * s->kw + tap) * cell;
        for (int64_t i = 0; y >= 0 && y < s->ih && x >= 0 && x < s->iw && i < cell; i++)
            sum += (code_at(k->x, at + i, x_bytes(k)) - zero) * code_at(k->w, w + i, w_bytes(k));
    }
    return sum;
}

static int32_t expected(const weighted_bench *k, int64_t pixel, int64_t c)
{
    int64_t sum = sum_of(k, pixel, c);

    if (k->output == WAIO_CUDA_SUMS)
        return (int32_t)sum;
    int32_t moved = is_16(k) ? waio_multiply_by_quantized_64(sum, k->multiplier[c])
                             : waio_multiply_by_quantized((int32_t)sum, k->multiplier[c],
                                                          k->real[c], WAIO_REQUANT_SINGLE);
    return waio_finish_code(moved, k->run.zero_point, k->run.lo, k->run.hi);
}

/* The first and the last result, and some in between. */
static waio_status check(waio_bench *b, weighted_bench *k, waio_kernel_time *time)
{
    waio_status st = WAIO_OK;
    int64_t rows = pixels(k), columns = k->shape.oc, count = rows * columns;
    void *y = NULL;

    WAIO_TRY(st, waio_bench_host(b, &y, (size_t)count * y_bytes(k)));
    WAIO_TRY(st, waio_bench_fetch(b, y, k->run.y, (size_t)count * y_bytes(k)));
    for (int i = 0; i < CHECKED; i++) {
        int64_t at = i == 0   ? 0
                     : i == 1 ? count - 1
                              : (int64_t)waio_rng_below(&b->rng, (uint64_t)count);
        int64_t got = y_bytes(k) == 4 ? ((const int32_t *)y)[at] : code_at(y, at, y_bytes(k));
        time->checked++;
        time->wrong += got != expected(k, at / columns, at % columns);
    }
    b->host_count--; /* it may be large */
    free(y);
done:
    return st;
}

/* ---- peers ---- */

static waio_status run_cublas(waio_bench *b, void *payload)
{
    waio_status st = WAIO_OK;
    const weighted_bench *k = payload;
    const int32_t one = 1, zero = 0;
    int m = (int)pixels(k), n = k->shape.oc, depth_k = k->shape.ic;
    cublasHandle_t blas = NULL;

    WAIO_TRY(st, waio_cuda_blas(&blas, b->space));
    CUBLAS_TRY(st, cublasGemmEx(blas, CUBLAS_OP_T, CUBLAS_OP_N, n, m, depth_k, &one, k->device_w,
                                CUDA_R_8I, depth_k, k->run.x, CUDA_R_8I, depth_k, &zero, k->run.y,
                                CUDA_R_32I, n, CUBLAS_COMPUTE_32I, CUBLAS_GEMM_DEFAULT));
done:
    return st;
}

/* Like ours but without zero point: only its time is taken. */
static waio_status time_cublas(waio_bench *b, weighted_bench *k, waio_kernel_time *time)
{
    time->peer = "cuBLAS int8";
    return waio_bench_time(b, &time->peer_seconds, run_cublas, k);
}

/* The float layer of the backend at the same shape. */
typedef struct float_layer {
    waio_node node;
    waio_kernel kernel;
    waio_kernel_args args;
    const void *input[2];
} float_layer;

static waio_status random_floats(waio_bench *b, void *out, size_t count)
{
    waio_status st = WAIO_OK;
    float *numbers = NULL;

    WAIO_TRY(st, waio_bench_host(b, &numbers, count * sizeof *numbers));
    for (size_t i = 0; i < count; i++)
        numbers[i] = waio_rng_unit(&b->rng) - 0.5f;
    WAIO_TRY(st, waio_bench_place(b, out, numbers, count * sizeof *numbers));
    b->host_count--;
    free(numbers);
done:
    return st;
}

static void describe_float(float_layer *f, const weighted_bench *k)
{
    const waio_conv_shape *s = &k->shape;
    int behind[2] = {
        (s->oh - 1) * s->stride[0] + (s->kh - 1) * s->dilation[0] + 1 - s->ih - s->pad[0],
        (s->ow - 1) * s->stride[1] + (s->kw - 1) * s->dilation[1] + 1 - s->iw - s->pad[1]};

    f->node = (waio_node){.op = k->dense ? WAIO_OP_DENSE : WAIO_OP_CONV2D,
                          .name = "peer",
                          .input_count = 2,
                          .clamp = WAIO_NO_CLAMP,
                          .conv = {.stride = {s->stride[0], s->stride[1]},
                                   .dilation = {s->dilation[0], s->dilation[1]},
                                   .pad = {s->pad[0], s->pad[1], behind[0] > 0 ? behind[0] : 0,
                                           behind[1] > 0 ? behind[1] : 0},
                                   .groups = s->groups}};
    f->kernel.node = &f->node;
    f->kernel.batch = s->images;
    if (k->dense) {
        f->kernel.in[0] = WAIO_SHAPE(pixels(k), s->ic);
        f->kernel.in[1] = WAIO_SHAPE(s->oc, s->ic);
        f->kernel.out = WAIO_SHAPE(pixels(k), s->oc);
        return;
    }
    f->kernel.in[0] = WAIO_SHAPE(s->images, s->ih, s->iw, s->ic);
    f->kernel.in[1] = WAIO_SHAPE(s->oc, s->kh, s->kw, s->ic / s->groups);
    f->kernel.out = WAIO_SHAPE(s->images, s->oh, s->ow, s->oc);
}

static waio_status run_float(waio_bench *b, void *payload)
{
    float_layer *f = payload;

    (void)b;
    return f->kernel.run(&f->kernel, &f->args);
}

static waio_status time_float(waio_bench *b, weighted_bench *k, waio_kernel_time *time)
{
    waio_status st = WAIO_OK;
    float_layer f = {.args = {.input = f.input, .space = b->space}};

    describe_float(&f, k);
    st = k->dense ? waio_cuda_create_dense(&f.kernel) : waio_cuda_create_conv2d(&f.kernel);
    if (st == WAIO_EUNSUPPORTED) /* no peer then */
        st = WAIO_OK;
    else if (st == WAIO_OK) {
        WAIO_TRY(st, random_floats(b, &f.input[0], (size_t)waio_shape_count(&f.kernel.in[0])));
        WAIO_TRY(st, random_floats(b, &f.input[1], (size_t)waio_shape_count(&f.kernel.in[1])));
        WAIO_TRY(st, waio_bench_place(b, &f.args.output, NULL,
                                      (size_t)waio_shape_count(&f.kernel.out) * sizeof(float)));
        WAIO_TRY(st, waio_bench_place(b, &f.args.scratch, NULL, f.kernel.scratch_bytes));
        WAIO_TRY(st, waio_bench_time(b, &time->peer_seconds, run_float, &f));
        time->peer = k->dense ? "cuBLAS float" : "cuDNN float";
    }
done:
    if (f.kernel.destroy)
        f.kernel.destroy(f.kernel.state);
    return st;
}

/* ---- one case ---- */

static waio_status bench_one(waio_bench *b, weighted_bench *k, bool peer)
{
    waio_status st = WAIO_OK;
    const waio_conv_shape *s = &k->shape;
    waio_kernel_time time = {.kernel = k->name, .shape = k->text, .operations = 2 * k->products};
    bool depthwise = s->groups > 1 && s->groups == s->ic;
    double cost = depthwise ? 0 : (double)(x_bytes(k) * w_bytes(k));

    if (!waio_bench_wants(b, k->name))
        return WAIO_OK;
    WAIO_TRY(st, prepare(b, k));
    time.bytes = (double)s->images * s->ih * s->iw * s->ic * (double)x_bytes(k) +
                 (double)(s->oc * depth(k)) * (double)w_bytes(k) +
                 (double)pixels(k) * s->oc * (double)y_bytes(k);
    WAIO_TRY(st, waio_bench_time(b, &time.seconds, run_kernel, k));
    WAIO_TRY(st, check(b, k, &time));
    if (peer && k->dense && k->output == WAIO_CUDA_SUMS)
        WAIO_TRY(st, time_cublas(b, k, &time));
    else if (peer)
        WAIO_TRY(st, time_float(b, k, &time));
    waio_bench_report(b, &time, cost);
done:
    waio_bench_drop(b);
    return st;
}

/* ---- matrix products ---- */

static waio_status bench_product(waio_bench *b, waio_pack_types types, waio_cuda_output output,
                                 waio_cuda_tile tile)
{
    static const char *const tiles[] = {"", " 64x64", " 128x128", " 256x128"};
    static const char *const names[] = {[WAIO_PACK_S8_S8] = "gemm_qs8",
                                        [WAIO_PACK_S16_S8] = "gemm_16x8",
                                        [WAIO_PACK_S16_S16] = "gemm_16x16"};
    int side = b->request->small ? SMALL_SIDE : SIDE;
    weighted_bench k = {.shape = waio_conv_of_gemm(side, side, side),
                        .types = types,
                        .output = output,
                        .tile = tile,
                        .dense = true,
                        .products = (double)side * side * side};

    snprintf(k.name, sizeof k.name, "%s%s", names[types],
             output == WAIO_CUDA_SUMS ? " sums" : tiles[tile]);
    snprintf(k.text, sizeof k.text, "%d x %d x %d", side, side, side);
    return bench_one(b, &k, output == WAIO_CUDA_SUMS || is_16(&k));
}

static waio_status bench_products(waio_bench *b)
{
    waio_status st = WAIO_OK;
    bool large = waio_cuda_gpu_now()->major >= 8;

    WAIO_TRY(st, bench_product(b, WAIO_PACK_S8_S8, WAIO_CUDA_SUMS, WAIO_CUDA_TILE_AUTO));
    for (int tile = WAIO_CUDA_TILE_64X64; tile <= WAIO_CUDA_TILE_128X128 + large; tile++)
        WAIO_TRY(st, bench_product(b, WAIO_PACK_S8_S8, WAIO_CUDA_CODES, (waio_cuda_tile)tile));
    WAIO_TRY(st, bench_product(b, WAIO_PACK_S16_S8, WAIO_CUDA_CODES, WAIO_CUDA_TILE_AUTO));
    WAIO_TRY(st, bench_product(b, WAIO_PACK_S16_S16, WAIO_CUDA_CODES, WAIO_CUDA_TILE_AUTO));
done:
    return st;
}

/* ---- layers ---- */

/* The same kind of layer, of a size that is computed in no time. */
static void shrink(waio_conv_shape *s)
{
    int32_t *image[2] = {&s->ih, &s->iw}, *out[2] = {&s->oh, &s->ow};
    const int32_t kernel[2] = {s->kh, s->kw};

    s->images = 2;
    for (int i = 0; i < 2; i++) {
        int32_t behind = (*out[i] - 1) * s->stride[i] + kernel[i] - *image[i] - s->pad[i];
        *out[i] = *out[i] > 3 ? 3 : *out[i];
        *image[i] =
            (*out[i] - 1) * s->stride[i] + kernel[i] - s->pad[i] - (behind > 0 ? behind : 0);
    }
    if (s->groups > 1)
        s->groups = s->ic = s->oc = s->ic > 24 ? 24 : s->ic;
    s->ic = s->ic > 40 ? 40 : s->ic;
    s->oc = s->groups > 1 || s->oc < 24 ? s->oc : 24;
}

static waio_status bench_layer(waio_bench *b, const waio_bench_layer *layer, waio_pack_types types)
{
    weighted_bench k = {.shape = layer->shape, .types = types, .output = WAIO_CUDA_CODES};
    waio_conv_shape *s = &k.shape, blocks;

    s->images = (int32_t)b->request->batch;
    if (b->request->small)
        shrink(s);
    bool depthwise = s->groups > 1 && s->groups == s->ic, stem = waio_pack_stem(&blocks, s, types);
    k.products = (double)pixels(&k) * s->oc * (double)depth(&k);
    snprintf(k.name, sizeof k.name, "%s_%s", depthwise ? "depthwise" : "conv2d",
             types == WAIO_PACK_S8_S8 ? "qs8" : "16x8");
    snprintf(k.text, sizeof k.text, "%s %dx%dx%dx%d to %d, %dx%d/%d (%d layers)%s", layer->network,
             s->images, s->ih, s->iw, s->ic, s->oc, s->kh, s->kw, s->stride[0], layer->repeats,
             stem ? " as blocks" : "");
    if (stem)
        *s = blocks;
    return bench_one(b, &k, types == WAIO_PACK_S8_S8);
}

waio_status waio_bench_weighted(waio_bench *b)
{
    waio_status st = WAIO_OK;

    WAIO_TRY(st, bench_products(b));
    for (int i = 0; i < b->request->layer_count; i++) {
        WAIO_TRY(st, bench_layer(b, &b->request->layer[i], WAIO_PACK_S8_S8));
        WAIO_TRY(st, bench_layer(b, &b->request->layer[i], WAIO_PACK_S16_S8));
    }
done:
    return st;
}
