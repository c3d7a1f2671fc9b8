/* Depthwise convolutions: one kernel per channel, so memory decides and no tensor core helps. A
 * thread makes one output pixel of four channels. Lanes go along the channels, then the pixels:
 * neighbours read neighbouring words.
 *
 * 8 bits: the words of four positions of the window are transposed into four words of one channel
 * each, and dp4a adds their four products; sums of 32 bits, exact up to 65,793 positions. Weights
 * are packed by fours of positions; those behind the last one are 0. 16 bits: products and sums of
 * 64 bits. */
#include "kernels/weighted.cuh"

enum { DEPTHWISE_THREADS = 128, DEPTHWISE_CHANNELS = 4 };

/* A thread's place. */
struct depthwise_place {
    int pixel, channel;
    int y, x;                   /* where the window begins */
    const unsigned char *image; /* that the pixel is of, at the channel */
};

static __device__ __forceinline__ depthwise_place depthwise_place_of(const waio_image_view &v,
                                                                     int fours, int number_bytes)
{
    int64_t i = (int64_t)blockIdx.x * DEPTHWISE_THREADS + threadIdx.x;
    depthwise_place p;

    p.pixel = (int)(i / fours);
    p.channel = (int)(i % fours) * DEPTHWISE_CHANNELS;
    int ox = p.pixel % v.ow, oy = p.pixel / v.ow % v.oh, n = p.pixel / v.ow / v.oh;
    p.y = oy * v.stride[0] - v.pad[0];
    p.x = ox * v.stride[1] - v.pad[1];
    p.image = v.data + (int64_t)n * v.ih * v.iw * v.pixel_bytes + p.channel * number_bytes;
    return p;
}

/* Address of position (ky, kx) of the window for the thread's channels; NULL: padding. */
static __device__ __forceinline__ const unsigned char *
depthwise_cell(const waio_image_view &v, const depthwise_place &p, int ky, int kx)
{
    int y = p.y + ky * v.dilation[0], x = p.x + kx * v.dilation[1];
    bool inside = (unsigned)y < (unsigned)v.ih && (unsigned)x < (unsigned)v.iw;

    return inside ? p.image + ((int64_t)y * v.iw + x) * v.pixel_bytes : nullptr;
}

/* ---- 8 bits ---- */

/* byte[c] of four words to one word, for each c. */
static __device__ __forceinline__ void transpose_bytes(unsigned *w)
{
    unsigned low01 = __byte_perm(w[0], w[1], 0x5140), high01 = __byte_perm(w[0], w[1], 0x7362);
    unsigned low23 = __byte_perm(w[2], w[3], 0x5140), high23 = __byte_perm(w[2], w[3], 0x7362);

    w[0] = __byte_perm(low01, low23, 0x5410);
    w[1] = __byte_perm(low01, low23, 0x7632);
    w[2] = __byte_perm(high01, high23, 0x5410);
    w[3] = __byte_perm(high01, high23, 0x7632);
}

/* KH, KW: the window, known to the compiler; 0: any. */
template <int KH, int KW> struct window_8 {
    const waio_image_view &v;
    const depthwise_place &place;
    const unsigned *weights; /* [position / 4][padded] words */
    int padded, kh, kw;
    unsigned zero; /* four zero points */

    /* Words of positions [first, first + 4), one of which may be past the last. */
    __device__ __forceinline__ void load(unsigned *w, int first) const
    {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int ky = (first + i) / kw, kx = (first + i) % kw;
            w[i] = 0;
            if (first + i >= kh * kw)
                continue;
            const unsigned char *cell = depthwise_cell(v, place, ky, kx);
            w[i] = cell ? waio_ld(reinterpret_cast<const unsigned *>(cell)) : zero;
        }
    }
    __device__ __forceinline__ void add(int *sums, int first) const
    {
        unsigned w[4];
        load(w, first);
        transpose_bytes(w);
        uint4 f = waio_ld16(
            reinterpret_cast<const uint4 *>(weights + first / 4 * padded + place.channel));
        sums[0] = waio_dp4a<true, true>(w[0], f.x, sums[0]);
        sums[1] = waio_dp4a<true, true>(w[1], f.y, sums[1]);
        sums[2] = waio_dp4a<true, true>(w[2], f.z, sums[2]);
        sums[3] = waio_dp4a<true, true>(w[3], f.w, sums[3]);
    }
    __device__ __forceinline__ void all(int *sums) const
    {
        if constexpr (KH > 0) {
#pragma unroll
            for (int i = 0; i < KH * KW; i += 4)
                add(sums, i);
        } else {
            for (int i = 0; i < kh * kw; i += 4)
                add(sums, i);
        }
    }
};

struct depthwise_view {
    waio_image_view image;
    const unsigned *weights;
    int fours, kh; /* of channels, of window rows */
    waio_output_view out;
};

/* Sums of four channels from `at` on, bias included, become codes. */
static __device__ __forceinline__ void depthwise_codes_8(const waio_output_view &out,
                                                         const int *sums, int at, int8_t *codes)
{
    int code[4];

    if (out.rounding == WAIO_REQUANT_FLOAT) {
        double real[4];
        waio_load_columns<4>(real, out.real + at);
#pragma unroll
        for (int i = 0; i < 4; i++)
            code[i] = waio_multiply_by_real(sums[i], real[i]);
    } else {
        waio_multiplier multiplier[4];
        waio_load_columns<4>(multiplier, out.multiplier + at);
#pragma unroll
        for (int i = 0; i < 4; i++)
            code[i] =
                waio_multiply_by_quantized(sums[i], multiplier[i], 0, (waio_requant)out.rounding);
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        codes[i] = (int8_t)waio_finish_code(code[i], out.zero_point, out.lo, out.hi);
}

/* The same, floats. */
static __device__ __forceinline__ void depthwise_floats(const waio_output_view &out,
                                                        const int *sums, int at, float *values)
{
    float scale[4], bias[4];

    waio_load_columns<4>(scale, out.scale + at);
    waio_load_columns<4>(bias, out.bias_f32 + at);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float y = fmaf((float)sums[i], scale[i], bias[i]);
        y = waio_clampf(y, out.lo_f32, out.hi_f32);
        values[i] = out.fake_quantized ? waio_fake_quantize(y, out.grid.fq, out.grid.rounding) : y;
    }
}

/* Four numbers side by side, as one access if they are aligned and all there. */
template <class T, class Four>
static __device__ __forceinline__ void store_four(const waio_output_view &out, int64_t pixel,
                                                  int channel, const T *numbers)
{
    T *to = static_cast<T *>(out.data) + pixel * out.pitch + channel;

    if (out.by_eight && channel + 4 <= out.columns) {
        Four four = {numbers[0], numbers[1], numbers[2], numbers[3]};
        waio_st(reinterpret_cast<Four *>(to), four);
        return;
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        if (channel + i < out.columns)
            to[i] = numbers[i];
}

template <int KH, int KW, int OUTPUT>
static __global__ void __launch_bounds__(DEPTHWISE_THREADS)
    depthwise_8_kernel(const depthwise_view v)
{
    depthwise_place place = depthwise_place_of(v.image, v.fours, 1);
    int sums[4] = {};

    if (place.pixel >= v.out.rows)
        return;
    unsigned zero = waio_ld(reinterpret_cast<const unsigned *>(v.image.line));
    window_8<KH, KW> window = {
        v.image, place, v.weights, v.out.padded, KH > 0 ? KH : v.kh, KW > 0 ? KW : v.image.kw,
        zero};
    window.all(sums);
    if (v.out.checked)
        waio_check_sums(v.out, place.channel, sums, 4);
    int bias[4];
    waio_load_columns<4>(bias, v.out.bias_32 + place.channel);
#pragma unroll
    for (int i = 0; i < 4; i++)
        sums[i] = waio_add_wrapped(sums[i], bias[i]);
    if constexpr (OUTPUT == WAIO_CUDA_CODES) {
        int8_t codes[4];
        depthwise_codes_8(v.out, sums, place.channel, codes);
        store_four<int8_t, char4>(v.out, place.pixel, place.channel, codes);
    } else if constexpr (OUTPUT == WAIO_CUDA_FLOAT) {
        float values[4];
        depthwise_floats(v.out, sums, place.channel, values);
        store_four<float, float4>(v.out, place.pixel, place.channel, values);
    } else {
        store_four<int, int4>(v.out, place.pixel, place.channel, sums);
    }
}

/* ---- 16 bits ---- */

/* Sums of four channels; weights [position][padded]. */
static __device__ __forceinline__ void window_16(const depthwise_view &v,
                                                 const depthwise_place &place, int64_t *sums)
{
    const short *weights = reinterpret_cast<const short *>(v.weights) + place.channel;

    for (int ky = 0; ky < v.kh; ky++)
        for (int kx = 0; kx < v.image.kw; kx++, weights += v.out.padded) {
            const unsigned char *cell = depthwise_cell(v.image, place, ky, kx);
            if (!cell) /* 16-bit codes are symmetric */
                continue;
            short4 x = waio_ld(reinterpret_cast<const short4 *>(cell));
            short4 w = waio_ld(reinterpret_cast<const short4 *>(weights));
            sums[0] += x.x * w.x;
            sums[1] += x.y * w.y;
            sums[2] += x.z * w.z;
            sums[3] += x.w * w.w;
        }
}

/* The code of a whole sum of channel `at`. */
static __device__ __forceinline__ int16_t depthwise_code_16(const waio_output_view &out,
                                                            int64_t sum, int at, bool *lost)
{
    sum = waio_check_sum_64(out, sum, lost);
    int code = out.rounding == WAIO_REQUANT_FLOAT
                   ? waio_multiply_by_real(sum, out.real[at])
                   : waio_requantize_64(out, sum, out.multiplier[at]);
    return (int16_t)waio_finish_code(code, out.zero_point, out.lo, out.hi);
}

template <bool CODES>
static __global__ void __launch_bounds__(DEPTHWISE_THREADS)
    depthwise_16_kernel(const depthwise_view v)
{
    depthwise_place place = depthwise_place_of(v.image, v.fours, 2);
    int64_t sums[4] = {};

    if (place.pixel >= v.out.rows)
        return;
    window_16(v, place, sums);
    int16_t codes[4];
    bool lost = false;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        sums[i] += v.out.bias_64[place.channel + i];
        if constexpr (CODES)
            codes[i] = depthwise_code_16(v.out, sums[i], place.channel + i, &lost);
    }
    if constexpr (CODES) {
        if (lost)
            waio_flag_overflow(v.out.flags);
        store_four<int16_t, short4>(v.out, place.pixel, place.channel, codes);
    } else {
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (place.channel + i < v.out.columns)
                static_cast<int64_t *>(v.out.data)[place.pixel * v.out.pitch + place.channel + i] =
                    sums[i];
    }
}

/* ---- launchers ---- */

static depthwise_view view_of(const waio_cuda_layer &layer)
{
    int chunks = 1; /* steps of chunks are not used here */
    return {waio_image_of(layer, chunks), waio_part_of<unsigned>(layer, layer.pack.weights),
            (layer.pack.per_group + DEPTHWISE_CHANNELS - 1) / DEPTHWISE_CHANNELS,
            layer.pack.shape.kh, waio_output_of(layer)};
}

static cudaError_t launch(void (*kernel)(const depthwise_view), const waio_cuda_layer &layer,
                          cudaStream_t stream)
{
    depthwise_view view = view_of(layer);
    int64_t threads = waio_output_pixels(layer.pack) * view.fours;
    int64_t blocks = (threads + DEPTHWISE_THREADS - 1) / DEPTHWISE_THREADS;

    if (blocks > INT32_MAX)
        return cudaErrorInvalidValue;
    return waio_launch(kernel, dim3((unsigned)blocks), dim3(DEPTHWISE_THREADS), 0, stream, view);
}

template <int OUTPUT> static cudaError_t launch_8(const waio_cuda_layer &layer, cudaStream_t stream)
{
    const waio_conv_shape &s = layer.pack.shape;

    if (s.kh == 3 && s.kw == 3)
        return launch(depthwise_8_kernel<3, 3, OUTPUT>, layer, stream);
    if (s.kh == 5 && s.kw == 5)
        return launch(depthwise_8_kernel<5, 5, OUTPUT>, layer, stream);
    return launch(depthwise_8_kernel<0, 0, OUTPUT>, layer, stream);
}

extern "C" cudaError_t waio_cuda_depthwise_qs8(const waio_cuda_layer *layer, cudaStream_t stream)
{
    if (!layer || layer->pack.types != WAIO_PACK_S8_S8 || !layer->pack.depthwise ||
        !waio_layer_is_possible(*layer))
        return cudaErrorInvalidValue;
    if (waio_overflow_is_unseen(*layer))
        return cudaErrorNotSupported;
    waio_cuda_layer resolved = waio_layer_rounding(*layer, WAIO_REQUANT_DOUBLE);
    if (layer->output == WAIO_CUDA_FLOAT)
        return launch_8<WAIO_CUDA_FLOAT>(resolved, stream);
    if (layer->output == WAIO_CUDA_SUMS)
        return launch_8<WAIO_CUDA_SUMS>(resolved, stream);
    return launch_8<WAIO_CUDA_CODES>(resolved, stream);
}

extern "C" cudaError_t waio_cuda_depthwise_qs16(const waio_cuda_layer *layer, cudaStream_t stream)
{
    if (!layer || !waio_pack_is_16(layer->pack) || !layer->pack.depthwise ||
        !waio_layer_is_possible(*layer))
        return cudaErrorInvalidValue;
    waio_cuda_layer resolved = waio_layer_rounding(*layer, WAIO_REQUANT_DOUBLE);
    return layer->output == WAIO_CUDA_CODES ? launch(depthwise_16_kernel<true>, resolved, stream)
                                            : launch(depthwise_16_kernel<false>, resolved, stream);
}
