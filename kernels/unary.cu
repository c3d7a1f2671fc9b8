/* One tensor in, one of the same shape out: clip, logistic, batch norm; of codes clamp, clip and
 * requantization, look-up. Bytes decide the time. */
#include "kernels/exp.cuh"
#include "kernels/layer.cuh"

/* ---- rules: one number ---- */

struct clip_f32 {
    typedef float in;
    typedef float out;
    finish_f32 finish;

    __device__ float operator()(float x) const
    {
        return finish(x);
    }
};

/* 1 / (1 + e^-x), from e^-|x|, which cannot overflow. */
struct logistic_f32 {
    typedef float in;
    typedef float out;
    finish_f32 finish;

    __device__ float operator()(float x) const
    {
        float e = waio_exp_f32(-fabsf(x), 0.0f);
        return finish((x < 0 ? e : 1.0f) / (1.0f + e));
    }
};

template <class Code> struct clamp_code {
    typedef Code in;
    typedef Code out;
    finish_code<Code> finish;

    __device__ Code operator()(Code x) const
    {
        return finish(x);
    }
};

template <class Code> struct dequantize_code_finish {
    typedef Code in;
    typedef float out;
    float scale;
    int32_t zero_point;
    finish_f32 finish;

    __device__ float operator()(Code code) const
    {
        return finish(waio_dequantize_code(code, scale, zero_point));
    }
};

/* `table` begins at the lowest code. */
template <class Code> struct look_up_code {
    typedef Code in;
    typedef Code out;
    const Code *table;

    __device__ Code operator()(Code x) const
    {
        return table[x + (sizeof(Code) == 1 ? 128 : 32768)];
    }
};

/* ---- launchers ---- */

extern "C" cudaError_t waio_cuda_clip_f32(float *dst, const float *src, size_t count,
                                          const waio_cuda_finish *finish, cudaStream_t stream)
{
    clip_f32 rule = {{*finish}};
    return waio_elementwise(dst, src, count, rule, stream);
}

extern "C" cudaError_t waio_cuda_logistic_f32(float *dst, const float *src, size_t count,
                                              const waio_cuda_finish *finish, cudaStream_t stream)
{
    logistic_f32 rule = {{*finish}};
    return waio_elementwise(dst, src, count, rule, stream);
}

extern "C" cudaError_t waio_cuda_clamp_q(void *dst, const void *src, size_t count,
                                         const waio_cuda_params *params, cudaStream_t stream)
{
    return waio_by_bytes(params->bytes, [&](auto code) {
        typedef decltype(code) Code;
        clamp_code<Code> rule = {{params->lo, params->hi}};
        return waio_elementwise((Code *)dst, (const Code *)src, count, rule, stream);
    });
}

/* Codes of a layer, by the kernel that takes sums too (requantize.cu). */
static cudaError_t requantize_by_real(void *dst, const void *src, size_t count,
                                      const waio_cuda_params *in, const waio_cuda_params *out,
                                      double real, waio_requant rounding, cudaStream_t stream)
{
    waio_cuda_requant how = {};

    if (in->bytes > 2)
        return cudaErrorInvalidValue;
    how.multiplier = waio_multiplier_of(real);
    how.real = real;
    how.rounding = rounding;
    how.src_zero_point = in->zero_point;
    how.dst_zero_point = out->zero_point;
    how.lo = out->lo;
    how.hi = out->hi;
    return waio_cuda_requantize(dst, 8 * out->bytes, src, 8 * in->bytes, count, how, stream);
}

extern "C" cudaError_t waio_cuda_requantize_q(void *dst, const void *src, size_t count,
                                              const waio_cuda_params *in,
                                              const waio_cuda_params *out, waio_requant requant,
                                              cudaStream_t stream)
{
    double real = (double)in->scale / (double)out->scale;
    return requantize_by_real(dst, src, count, in, out, real, requant, stream);
}

extern "C" cudaError_t waio_cuda_clip_q(void *dst, const void *src, size_t count,
                                        const waio_cuda_params *in, const waio_cuda_params *out,
                                        waio_requant requant, cudaStream_t stream)
{
    double real = (double)in->scale / (double)out->scale;

    if (requant == WAIO_REQUANT_TFLITE)
        real = (double)(in->scale / out->scale);
    return requantize_by_real(dst, src, count, in, out, real, requant, stream);
}

extern "C" cudaError_t waio_cuda_dequantize_q(float *dst, const void *src, size_t count,
                                              const waio_cuda_params *in,
                                              const waio_cuda_finish *finish, cudaStream_t stream)
{
    return waio_by_bytes(in->bytes, [&](auto code) {
        typedef decltype(code) Code;
        dequantize_code_finish<Code> rule = {in->scale, in->zero_point, {*finish}};
        return waio_elementwise(dst, (const Code *)src, count, rule, stream);
    });
}

extern "C" cudaError_t waio_cuda_look_up_q(void *dst, const void *src, size_t count, int bytes,
                                           const void *table, cudaStream_t stream)
{
    if (count && !table)
        return cudaErrorInvalidValue;
    return waio_by_bytes(bytes, [&](auto code) {
        typedef decltype(code) Code;
        look_up_code<Code> rule = {(const Code *)table};
        return waio_elementwise((Code *)dst, (const Code *)src, count, rule, stream);
    });
}

/* ---- batch norm ---- */

/* What the numbers of one channel go through. */
struct channel_f32 {
    const float *gamma, *beta, *mean, *variance;
    float epsilon;

    __device__ float operator()(float x, uint32_t channel) const
    {
        float factor = gamma[channel] / sqrtf(variance[channel] + epsilon);
        return (x - mean[channel]) * factor + beta[channel];
    }
};

template <int N>
static __global__ void __launch_bounds__(WAIO_ELEMENTWISE_THREADS)
    batch_norm_kernel(float *dst, const float *src, uint32_t count, uint32_t channels,
                      channel_f32 rule, finish_f32 finish)
{
    for (uint32_t i = N * waio_first(); i < count; i += N * waio_step()) {
        uint32_t channel = i % channels;
        waio_lanes<float, N> x = waio_load<N>(src + i);
        for (int k = 0; k < N; k++)
            x.v[k] = finish(rule(x.v[k], channel + k));
        waio_store(dst + i, x);
    }
}

extern "C" cudaError_t waio_cuda_batch_norm_f32(float *dst, const float *src,
                                                const waio_cuda_batch_norm *layer,
                                                const waio_cuda_finish *finish, cudaStream_t stream)
{
    bool by_four = waio_by_four(dst) && waio_by_four(src) && layer->channels % 4 == 0;
    channel_f32 rule = {layer->gamma, layer->beta, layer->mean, layer->variance, layer->epsilon};
    cudaError_t error = waio_cuda_check_count(layer->count);

    if (layer->count == 0)
        return cudaSuccess;
    if (error != cudaSuccess)
        return error;
    if (!dst || !src || !rule.gamma || !rule.beta || !rule.mean || !rule.variance ||
        layer->channels < 1 || layer->count % layer->channels)
        return cudaErrorInvalidValue;
    return waio_launch(by_four ? batch_norm_kernel<4> : batch_norm_kernel<1>,
                       waio_grid(by_four ? layer->count / 4 : layer->count),
                       dim3(WAIO_ELEMENTWISE_THREADS), 0, stream, dst, src, (uint32_t)layer->count,
                       (uint32_t)layer->channels, rule, finish_f32{*finish});
}
