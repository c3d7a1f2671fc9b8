/* One weighted layer, run by a CUDA launcher and by the reference kernels (backend/ref/refq.h);
 * both must give the same bits. What the reference has no form of (unsigned codes, floats, sums) is
 * computed here from sums of 64 bits. */
#ifndef WAIO_TESTS_CUDA_LAYER_H
#define WAIO_TESTS_CUDA_LAYER_H

#include "cuda/device.h"

#include "backend/ref/refq.h"
#include "kernels/kernels.h"

typedef struct layer_case {
    waio_conv_shape shape;
    bool dense; /* by the gemm launcher, and as a dense layer of the reference */
    waio_pack_types types;
    waio_cuda_output output;
    waio_requant rounding;
    waio_cuda_tile tile;
    int bias_bits; /* 0, 32, 64 */
    int32_t x_zero, y_zero;
    bool stem;    /* run over blocks of 2x2 pixels */
    bool extreme; /* codes from the ends of their range */
    bool relu;    /* a clamp from 0 to 6 */
    bool fake_quantized;
    int64_t bias_most; /* biases are up to this size; 0: 1000 */
    int x_extra;       /* pads of a pixel, by 16 bytes; */
    int y_extra;       /* by elements */
} layer_case;

/* All that a case is made of; pointers are to the host's memory. */
typedef struct layer {
    layer_case k;
    int64_t pixels_in, pixels_out, products; /* per sum */
    int x_bytes, w_bytes, y_bytes;
    void *x; /* [pixel][ic] */
    void *w;
    int64_t *bias;
    int32_t *bias_32;
    float x_scale, y_scale, *w_scale, *scale, *bias_f32;
    waio_multiplier *multiplier;
    double *real;
    int32_t *w_zero;
    waio_cuda_layer run;
} layer;

/* ---- making one ---- */

static inline int layer_is_16(const layer *l)
{
    return l->k.types >= WAIO_PACK_S16_S8;
}

static inline int32_t layer_code(const void *codes, int64_t i, int bytes, bool is_unsigned)
{
    if (bytes == 2)
        return ((const int16_t *)codes)[i];
    return is_unsigned ? ((const uint8_t *)codes)[i] : ((const int8_t *)codes)[i];
}

static inline void *layer_codes(int64_t count, int bytes, bool extreme, uint32_t *seed)
{
    static const uint16_t ends[] = {0x8080, 0x7f7f, 0xffff, 0x0000};
    static const uint16_t wide_ends[] = {0x8000, 0x7fff, 0xffff, 0x00ff};
    unsigned char *codes = malloc((size_t)(count * bytes));

    for (int64_t i = 0; i < count; i++) {
        uint16_t code = (uint16_t)(device_random(seed) >> 8);
        if (extreme)
            code = (bytes == 2 ? wide_ends : ends)[device_random(seed) % 16 ? 0 : code % 4];
        memcpy(codes + i * bytes, &code, (size_t)bytes);
    }
    return codes;
}

/* Factors that spread the sums over the output's codes, some of them by powers of two: ties. */
static inline void layer_make_scales(layer *l, uint32_t *seed)
{
    float size_x = l->x_bytes == 2 ? 16000 : 64, size_w = l->w_bytes == 2 ? 16000 : 64;
    float spread = (layer_is_16(l) ? 12000.0f : 60.0f) /
                   (size_x * size_w * sqrtf((float)l->products) + (float)l->k.bias_most);

    l->x_scale = 0.0123f;
    l->y_scale = 0.0371f;
    for (int c = 0; c < l->k.shape.oc; c++) {
        float real = spread * (1.5f + device_random_float(seed));
        if (c % 3 == 1)
            real = exp2f(floorf(log2f(real)));
        l->w_scale[c] = real * l->y_scale / l->x_scale;
        if (c % 3 == 1) { /* a product that is a power of two */
            l->w_scale[c] = real;
            l->x_scale = c == 1 ? l->y_scale : l->x_scale;
        }
    }
    for (int c = 0; c < l->k.shape.oc; c++) {
        l->real[c] = (double)l->x_scale * (double)l->w_scale[c] / (double)l->y_scale;
        l->multiplier[c] = waio_multiplier_of(l->real[c]);
        l->scale[c] = l->x_scale * l->w_scale[c];
        l->bias_f32[c] = device_random_float(seed);
    }
}

static inline void layer_make_bias(layer *l, uint32_t *seed)
{
    int64_t most = l->k.bias_most ? l->k.bias_most : 1000;

    for (int c = 0; c < l->k.shape.oc; c++) {
        int64_t b = (int64_t)((double)most * (double)device_random_float(seed));
        l->bias[c] = l->k.bias_bits == 0 ? 0 : l->k.bias_most && c % 4 == 3 ? most : b;
        l->bias_32[c] = (int32_t)l->bias[c];
    }
}

static inline layer layer_make(const layer_case *k, uint32_t *seed)
{
    const waio_conv_shape *s = &k->shape;
    size_t oc = (size_t)s->oc;
    layer l = {.k = *k,
               .pixels_in = (int64_t)s->images * s->ih * s->iw,
               .pixels_out = (int64_t)s->images * s->oh * s->ow,
               .products = (int64_t)s->kh * s->kw * (s->ic / s->groups)};

    l.x_bytes = layer_is_16(&l) ? 2 : 1;
    l.w_bytes = k->types == WAIO_PACK_S16_S16 ? 2 : 1;
    l.y_bytes = k->output == WAIO_CUDA_CODES  ? l.x_bytes
                : k->output == WAIO_CUDA_SUMS ? (layer_is_16(&l) ? 8 : 4)
                                              : 4;
    l.x = layer_codes(l.pixels_in * s->ic, l.x_bytes, k->extreme, seed);
    l.w = layer_codes(l.products * s->oc, l.w_bytes, k->extreme, seed);
    l.bias = calloc(oc, sizeof *l.bias);
    l.bias_32 = calloc(oc, sizeof *l.bias_32);
    l.w_scale = calloc(oc, sizeof *l.w_scale);
    l.scale = calloc(oc, sizeof *l.scale);
    l.bias_f32 = calloc(oc, sizeof *l.bias_f32);
    l.multiplier = calloc(oc, sizeof *l.multiplier);
    l.real = calloc(oc, sizeof *l.real);
    l.w_zero = calloc(oc, sizeof *l.w_zero);
    layer_make_scales(&l, seed);
    layer_make_bias(&l, seed);
    return l;
}

static inline void layer_free(layer *l)
{
    void *all[] = {l->x,     l->w,        l->bias,       l->bias_32, l->w_scale,
                   l->scale, l->bias_f32, l->multiplier, l->real,    l->w_zero};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* ---- what must come out ---- */

/* The sum of output pixel `pixel`, channel `c`, bias and zero point included. */
static inline int64_t layer_sum(const layer *l, int64_t pixel, int c)
{
    const waio_conv_shape *s = &l->k.shape;
    int64_t ox = pixel % s->ow, oy = pixel / s->ow % s->oh, n = pixel / s->ow / s->oh;
    int depth = s->ic / s->groups, group = c / (s->oc / s->groups);
    bool xu = l->k.types == WAIO_PACK_U8_S8 || l->k.types == WAIO_PACK_U8_U8;
    bool wu = l->k.types == WAIO_PACK_S8_U8 || l->k.types == WAIO_PACK_U8_U8;
    int64_t sum = l->bias[c];

    for (int64_t ky = 0; ky < s->kh; ky++)
        for (int64_t kx = 0; kx < s->kw; kx++) {
            int64_t y = oy * s->stride[0] - s->pad[0] + ky * s->dilation[0];
            int64_t x = ox * s->stride[1] - s->pad[1] + kx * s->dilation[1];
            int64_t at = ((n * s->ih + y) * s->iw + x) * s->ic + group * depth;
            int64_t w = ((int64_t)c * s->kh * s->kw + ky * s->kw + kx) * depth;
            if (y < 0 || y >= s->ih || x < 0 || x >= s->iw)
                continue;
            for (int i = 0; i < depth; i++)
                sum += (layer_code(l->x, at + i, l->x_bytes, xu) - l->k.x_zero) *
                       (int64_t)layer_code(l->w, w + i, l->w_bytes, wu);
        }
    return sum;
}

static inline waio_fq layer_grid(const layer *l)
{
    return (waio_fq){l->y_scale, -20, 20};
}

/* The result of one sum, where the reference does not give it. */
static inline void layer_expect_one(const layer *l, void *to, int64_t sum, int c)
{
    if (l->k.output == WAIO_CUDA_SUMS) {
        if (layer_is_16(l))
            *(int64_t *)to = sum;
        else
            *(int32_t *)to = (int32_t)sum;
    } else if (l->k.output == WAIO_CUDA_FLOAT) {
        float y = fmaf((float)sum, l->scale[c], l->bias_f32[c]);
        y = waio_clampf(y, l->run.lo_f32, l->run.hi_f32);
        if (l->k.fake_quantized)
            y = waio_fake_quantize(y, layer_grid(l), WAIO_ROUND_HALF_EVEN);
        *(float *)to = y;
    } else { /* unsigned codes: dense layers */
        int32_t q = l->k.rounding == WAIO_REQUANT_TFLITE || l->k.rounding == WAIO_REQUANT_FLOAT
                        ? waio_multiply_by_real(sum, l->real[c])
                        : waio_multiply_by_quantized((int32_t)sum, l->multiplier[c], l->real[c],
                                                     l->k.rounding);
        *(int8_t *)to = (int8_t)waio_finish_code(q, l->run.zero_point, l->run.lo, l->run.hi);
    }
}

static inline waio_value_params layer_params(int bits, const float *scale, const int32_t *zero)
{
    return (waio_value_params){.bits = bits, .count = 1, .scale = scale, .zero_point = zero};
}

/* The node as the reference sees it. */
static inline waio_node layer_node(const layer *l)
{
    const waio_conv_shape *s = &l->k.shape;
    waio_node node = {.op = l->k.dense ? WAIO_OP_DENSE : WAIO_OP_CONV2D,
                      .name = "layer",
                      .input_count = l->k.bias_bits ? 3 : 2,
                      .clamp = l->k.relu ? (waio_clamp){0, 6} : WAIO_NO_CLAMP};

    if (!l->k.dense)
        node.conv = (waio_conv_params){.stride = {s->stride[0], s->stride[1]},
                                       .dilation = {s->dilation[0], s->dilation[1]},
                                       .pad = {s->pad[0], s->pad[1]},
                                       .groups = s->groups};
    return node;
}

/* The call of the reference: tensors with the layer's data, and its output limits in l->run.
 * Returns a sum that its accumulator does not hold, 0 if there is none. */
static inline int64_t layer_reference(layer *l, void *result)
{
    const waio_conv_shape *s = &l->k.shape;
    waio_type type = layer_is_16(l) ? WAIO_S16 : WAIO_S8;
    waio_node node = layer_node(l);
    waio_value_params wp = layer_params(8 * l->w_bytes, l->w_scale, l->w_zero);
    waio_shape bias_shape = {1, {s->oc}};
    int64_t lost = 0;

    wp.count = s->oc;
    waio_refq_tensor in[3] = {
        {.type = type, .params = layer_params(8 * l->x_bytes, &l->x_scale, &l->k.x_zero)},
        {.type = l->w_bytes == 2 ? WAIO_S16 : WAIO_S8, .params = wp, .data = l->w},
        {.type = l->k.bias_bits == 64 ? WAIO_S64 : WAIO_S32, .shape = bias_shape}};
    waio_refq_tensor out = {.type = type,
                            .params = layer_params(8 * l->x_bytes, &l->y_scale, &l->k.y_zero)};
    in[0].data = l->x;
    in[2].data = l->k.bias_bits == 64 ? (void *)l->bias : (void *)l->bias_32;
    if (l->k.dense) {
        in[0].shape = (waio_shape){2, {l->pixels_in, s->ic}};
        in[1].shape = (waio_shape){2, {s->oc, s->ic}};
        out.shape = (waio_shape){2, {l->pixels_out, s->oc}};
    } else {
        in[0].shape = (waio_shape){4, {s->images, s->ih, s->iw, s->ic}};
        in[1].shape = (waio_shape){4, {s->oc, s->kh, s->kw, s->ic / s->groups}};
        out.shape = (waio_shape){4, {s->images, s->oh, s->ow, s->oc}};
    }
    waio_refq_call call = {.node = &node, .requant = l->k.rounding, .in = in, .out = out};
    waio_refq_limits limits = waio_refq_output_limits(&call);
    l->run.lo = limits.lo;
    l->run.hi = limits.hi;
    l->run.sums_64 =
        waio_refq_sum_bits(type, in[1].type, l->k.bias_bits ? &in[2].type : NULL) == 64;
    if (!result)
        return 0;
    call.result = result;
    call.lost = &lost;
    call.scratch = malloc((size_t)s->oc * 64 + (size_t)(l->products * s->groups) * 2 + 64);
    if (l->k.dense)
        waio_refq_dense(&call);
    else
        waio_refq_conv2d(&call);
    free(call.scratch);
    return lost;
}

/* Output in dense rows; returns a lost sum, see above. */
static inline int64_t layer_expect(layer *l, unsigned char *want)
{
    bool by_reference =
        l->k.output == WAIO_CUDA_CODES && (l->k.types == WAIO_PACK_S8_S8 || layer_is_16(l));
    int oc = l->k.shape.oc;

    if (by_reference)
        return layer_reference(l, want);
    layer_reference(l, NULL);
    for (int64_t pixel = 0; pixel < l->pixels_out; pixel++)
        for (int c = 0; c < oc; c++)
            layer_expect_one(l, want + (pixel * oc + c) * l->y_bytes, layer_sum(l, pixel, c), c);
    return 0;
}

/* ---- on the device ---- */

static inline void *layer_upload_x(layer *l)
{
    int64_t row = l->k.shape.ic * l->x_bytes, pitch;
    uint32_t seed = 99;

    l->run.x_pitch = waio_pack_x_pitch(&l->run.pack) + 16 / l->x_bytes * l->k.x_extra;
    pitch = l->run.x_pitch * l->x_bytes;
    unsigned char *padded = layer_codes(l->pixels_in * pitch, 1, false, &seed); /* anything pads */
    for (int64_t i = 0; i < l->pixels_in; i++)
        memcpy(padded + i * pitch, (unsigned char *)l->x + i * row, (size_t)row);
    void *x = device_copy(padded, (size_t)(l->pixels_in * pitch), 0);
    free(padded);
    return x;
}

/* Images of 2x2 blocks, arranged on the device. */
static inline void *layer_upload_blocks(layer *l)
{
    const waio_conv_shape *s = &l->k.shape;
    int64_t blocks = (int64_t)s->images * ((s->ih + 1) / 2) * ((s->iw + 1) / 2);
    void *dense = device_copy(l->x, (size_t)(l->pixels_in * s->ic * l->x_bytes), 0);

    l->run.x_pitch = 16 / l->x_bytes * (1 + l->k.x_extra);
    void *x = device_new((size_t)(blocks * l->run.x_pitch * l->x_bytes), 0);
    waio_cuda_arrangement how = {s->images, s->ih, s->iw, s->ic, 2, l->run.x_pitch, l->k.x_zero};
    CHECK_CUDA(l->x_bytes == 2 ? waio_cuda_arrange_qs16(x, dense, how, NULL)
                               : waio_cuda_arrange_qs8(x, dense, how, NULL));
    device_free(dense, 0);
    return x;
}

static inline void *layer_upload_pack(layer *l)
{
    waio_pack_source source = {.weight = l->w,
                               .bias_32 = l->k.bias_bits == 32 ? l->bias_32 : NULL,
                               .bias_64 = l->k.bias_bits == 64 ? l->bias : NULL,
                               .x_zero = l->k.x_zero,
                               .multiplier = l->multiplier,
                               .real = l->real,
                               .scale = l->scale,
                               .bias_f32 = l->bias_f32};
    waio_conv_shape s = l->k.shape;
    void *stem = NULL;

    if (l->k.stem) {
        CHECK(waio_pack_stem(&s, &l->k.shape, l->k.types), "no stem");
        source.weight = stem = malloc((size_t)s.oc * (size_t)(s.kh * s.kw * s.ic * l->w_bytes));
        waio_pack_stem_weights(stem, l->w, &l->k.shape, l->k.types);
    }
    CHECK(waio_pack_layout(&l->run.pack, &s, l->k.types), "no layout");
    void *block = malloc(l->run.pack.bytes);
    waio_pack_fill(&l->run.pack, block, &source);
    void *packed = device_copy(block, l->run.pack.bytes, 0);
    free(block);
    free(stem);
    return packed;
}

static inline cudaError_t layer_launch(const layer *l, bool direct)
{
    if (l->k.dense)
        return layer_is_16(l) ? waio_cuda_gemm_qs16(&l->run, NULL)
                              : waio_cuda_gemm_qs8(&l->run, NULL);
    if (direct && l->run.pack.depthwise)
        return layer_is_16(l) ? waio_cuda_depthwise_qs16(&l->run, NULL)
                              : waio_cuda_depthwise_qs8(&l->run, NULL);
    return layer_is_16(l) ? waio_cuda_conv2d_qs16(&l->run, NULL)
                          : waio_cuda_conv2d_qs8(&l->run, NULL);
}

static inline void layer_set_run(layer *l)
{
    l->run.output = l->k.output;
    l->run.rounding = l->k.rounding;
    l->run.tile = l->k.tile;
    l->run.zero_point = l->k.y_zero;
    l->run.device = (waio_cuda_device){68, 860};
    l->run.lo_f32 = l->k.relu ? 0 : -INFINITY;
    l->run.hi_f32 = l->k.relu ? 6 : INFINITY;
    l->run.fake_quantized = l->k.fake_quantized;
    l->run.grid = (waio_cuda_grid){layer_grid(l), 0, WAIO_ROUND_HALF_EVEN};
    l->run.y_pitch = l->k.shape.oc + l->k.y_extra;
}

/* Outputs that are not those of `want`; *first: one of them; *written: bytes of pads written. */
static inline int64_t layer_wrong(const layer *l, const unsigned char *got,
                                  const unsigned char *want, int64_t *first, int64_t *written)
{
#ifdef WAIO_TEST_CHECKED
    const unsigned char untouched = 0xFF;
#else
    const unsigned char untouched = DEVICE_POISON;
#endif
    int64_t row = (int64_t)l->k.shape.oc * l->y_bytes, pitch = l->run.y_pitch * l->y_bytes,
            wrong = 0;

    *written = 0;
    for (int64_t p = 0; p < l->pixels_out; p++) {
        for (int64_t i = 0; i < row; i += l->y_bytes)
            if (memcmp(got + p * pitch + i, want + p * row + i, (size_t)l->y_bytes)) {
                *first = p * l->k.shape.oc + i / l->y_bytes;
                wrong++;
            }
        for (int64_t i = row; i < pitch; i++)
            *written += got[p * pitch + i] != untouched;
    }
    return wrong;
}

/* Rows equal `want`, columns behind them are as they were. */
static inline void layer_compare(const layer *l, const unsigned char *got,
                                 const unsigned char *want)
{
    const waio_conv_shape *s = &l->k.shape;
    int64_t first = -1, written, wrong = layer_wrong(l, got, want, &first, &written);

    CHECK(wrong == 0 && written == 0,
          "%dx%dx%d %d of %d groups, %dx%d stride %d dilation %d pad %d, %lld outputs: %lld wrong, "
          "one is %lld, %lld pads written; types %d output %d rounding %d tile %d",
          s->ih, s->iw, s->ic, s->oc, s->groups, s->kh, s->kw, s->stride[0], s->dilation[0],
          s->pad[0], (long long)(l->pixels_out * s->oc), (long long)wrong, (long long)first,
          (long long)written, (int)l->k.types, (int)l->k.output, (int)l->k.rounding,
          (int)l->k.tile);
}

static inline size_t layer_output_bytes(const layer *l)
{
    return (size_t)(l->pixels_out * l->run.y_pitch * l->y_bytes);
}

/* One run on the device: the output with its pads, and the flags. */
static inline cudaError_t layer_run(layer *l, bool direct, unsigned char *got, unsigned *flags)
{
    size_t bytes = layer_output_bytes(l);
    void *packed = layer_upload_pack(l), *y = device_new(bytes, 0);
    void *x = l->k.stem ? layer_upload_blocks(l) : layer_upload_x(l);
    unsigned *word = device_copy(flags, sizeof *flags, 0);
    void *work = device_new(waio_cuda_workspace_bytes(&l->run.pack), 0);

    l->run.packed = packed;
    l->run.x = x;
    l->run.y = y;
    l->run.flags = word;
    l->run.workspace = work;
    cudaError_t error = layer_launch(l, direct);
    device_take(got, y, bytes, 0);
    device_take(flags, word, sizeof *flags, 0);
    device_free(packed, 0);
    device_free(x, 0);
    device_free(work, 0);
    return error;
}

/* Runs a case: bits must equal, or, where a sum is lost, the flag must tell. */
static inline void layer_test(const layer_case *k, uint32_t *seed)
{
    layer made = layer_make(k, seed), *l = &made;
    unsigned flags = 0;

    layer_set_run(l);
    unsigned char *want = calloc((size_t)(l->pixels_out * k->shape.oc), (size_t)l->y_bytes);
    unsigned char *got = malloc(layer_output_bytes(l));
    int64_t lost = layer_expect(l, want);

    CHECK_CUDA(layer_run(l, *seed % 2, got, &flags));
    CHECK((flags == WAIO_CUDA_FLAG_OVERFLOW) == (lost != 0), "flags %u, lost %lld", flags,
          (long long)lost);
    if (!lost)
        layer_compare(l, got, want);
    free(want);
    free(got);
    layer_free(l);
}

#endif
