/* Codes of one scale to those of another: the integer rules of qmath.h, one number at a time. Reads
 * 1, 2 or 4 bytes an element, writes 1 or 2. */
#include "kernels/elementwise.cuh"
#include "kernels/kernels.h"

/* ---- rule: one number ---- */

template <class In, class Out> struct requantize_code {
    typedef In in;
    typedef Out out;
    waio_cuda_requant r;

    __device__ Out operator()(In code) const
    {
        int32_t moved = waio_multiply_by_quantized((int32_t)code - r.src_zero_point, r.multiplier,
                                                   r.real, r.rounding);
        return (Out)waio_finish_code(moved, r.dst_zero_point, r.lo, r.hi);
    }
};

/* ---- launcher ---- */

template <class In, class Out>
static cudaError_t requantize(void *dst, const void *src, size_t count,
                              const waio_cuda_requant &requant, cudaStream_t stream)
{
    requantize_code<In, Out> rule = {requant};
    return waio_elementwise(static_cast<Out *>(dst), static_cast<const In *>(src), count, rule,
                            stream);
}

extern "C" cudaError_t waio_cuda_requantize(void *dst, int dst_bits, const void *src, int src_bits,
                                            size_t count, waio_cuda_requant requant,
                                            cudaStream_t stream)
{
    switch (100 * src_bits + dst_bits) {
    case 808:
        return requantize<int8_t, int8_t>(dst, src, count, requant, stream);
    case 816:
        return requantize<int8_t, int16_t>(dst, src, count, requant, stream);
    case 1608:
        return requantize<int16_t, int8_t>(dst, src, count, requant, stream);
    case 1616:
        return requantize<int16_t, int16_t>(dst, src, count, requant, stream);
    case 3208:
        return requantize<int32_t, int8_t>(dst, src, count, requant, stream);
    case 3216:
        return requantize<int32_t, int16_t>(dst, src, count, requant, stream);
    default:
        return cudaErrorInvalidValue;
    }
}
