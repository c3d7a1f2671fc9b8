/* Between numbers and codes, one tensor with one scale: fake-quantize, quantize, dequantize. The
 * arithmetic of one number is that of qmath.h, so results equal the reference's bit for bit; bytes
 * decide the time (8 an element for float to float, 5 for float to int8). */
#include "kernels/elementwise.cuh"
#include "kernels/kernels.h"

/* ---- rules: one number ---- */

template <int ROUNDING> struct fake_quantize_f32_fq {
    typedef float in;
    typedef float out;
    waio_fq fq;

    __device__ float operator()(float x) const
    {
        return waio_fake_quantize(x, fq, ROUNDING);
    }
};

template <class Code, int ROUNDING> struct quantize_f32_code {
    typedef float in;
    typedef Code out;
    waio_fq fq;
    int32_t zero_point;

    __device__ Code operator()(float x) const
    {
        return (Code)waio_quantize_code(x, fq, zero_point, ROUNDING);
    }
};

template <class Code> struct dequantize_code_f32 {
    typedef Code in;
    typedef float out;
    float scale;
    int32_t zero_point;

    __device__ float operator()(Code code) const
    {
        return waio_dequantize_code(code, scale, zero_point);
    }
};

struct map_f32_po2 {
    typedef float in;
    typedef float out;
    waio_po2 po2;

    __device__ float operator()(float x) const
    {
        return waio_map_to_power_of_two(x, po2);
    }
};

/* ---- launchers ---- */

template <class Code>
static cudaError_t quantize(Code *dst, const float *src, size_t count, const waio_cuda_grid &grid,
                            cudaStream_t stream)
{
    if (grid.rounding == WAIO_ROUND_HALF_EVEN) {
        quantize_f32_code<Code, WAIO_ROUND_HALF_EVEN> rule = {grid.fq, grid.zero_point};
        return waio_elementwise(dst, src, count, rule, stream);
    }
    quantize_f32_code<Code, WAIO_ROUND_HALF_AWAY> rule = {grid.fq, grid.zero_point};
    return waio_elementwise(dst, src, count, rule, stream);
}

extern "C" cudaError_t waio_cuda_fake_quantize(float *dst, const float *src, size_t count,
                                               waio_cuda_grid grid, cudaStream_t stream)
{
    if (grid.rounding == WAIO_ROUND_HALF_EVEN) {
        fake_quantize_f32_fq<WAIO_ROUND_HALF_EVEN> rule = {grid.fq};
        return waio_elementwise(dst, src, count, rule, stream);
    }
    fake_quantize_f32_fq<WAIO_ROUND_HALF_AWAY> rule = {grid.fq};
    return waio_elementwise(dst, src, count, rule, stream);
}

extern "C" cudaError_t waio_cuda_quantize_qs8(int8_t *dst, const float *src, size_t count,
                                              waio_cuda_grid grid, cudaStream_t stream)
{
    return quantize(dst, src, count, grid, stream);
}

extern "C" cudaError_t waio_cuda_quantize_qs16(int16_t *dst, const float *src, size_t count,
                                               waio_cuda_grid grid, cudaStream_t stream)
{
    return quantize(dst, src, count, grid, stream);
}

extern "C" cudaError_t waio_cuda_dequantize_qs8(float *dst, const int8_t *src, size_t count,
                                                float scale, int32_t zero_point,
                                                cudaStream_t stream)
{
    dequantize_code_f32<int8_t> rule = {scale, zero_point};
    return waio_elementwise(dst, src, count, rule, stream);
}

extern "C" cudaError_t waio_cuda_dequantize_qs16(float *dst, const int16_t *src, size_t count,
                                                 float scale, int32_t zero_point,
                                                 cudaStream_t stream)
{
    dequantize_code_f32<int16_t> rule = {scale, zero_point};
    return waio_elementwise(dst, src, count, rule, stream);
}

extern "C" cudaError_t waio_cuda_map_to_power_of_two(float *dst, const float *src, size_t count,
                                                     waio_po2 po2, cudaStream_t stream)
{
    map_f32_po2 rule = {po2};
    return waio_elementwise(dst, src, count, rule, stream);
}
