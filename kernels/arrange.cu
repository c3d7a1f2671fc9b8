/* Images of pixels as weighted layers read them: 16-byte chunks, for stems 2x2 pixels side by side.
 * A thread makes one chunk. Bytes decide the time; the pixels of one image are read once. */
#include "kernels/kernels.h"
#include "kernels/ptx.cuh"

enum { ARRANGE_THREADS = 256 };

/* Chunk `i` of the new images: which pixel block, which channels. */
template <class Code> struct arrange_view {
    waio_cuda_arrangement how;
    int oh, ow, chunks; /* of the new images */
    int64_t count;      /* chunks in all */
    Code zero;
};

/* ---- rules: what a code is made of ---- */

template <class Code> struct arrange_code {
    typedef Code in;
    __device__ Code operator()(Code code) const
    {
        return code;
    }
};

template <class Code, int ROUNDING> struct arrange_float {
    typedef float in;
    waio_fq fq;
    int32_t zero_point;

    __device__ Code operator()(float x) const
    {
        return (Code)waio_quantize_code(x, fq, zero_point, ROUNDING);
    }
};

/* ---- kernel ---- */

/* Number `j` of the block at (by, bx) of image n: pixel j / ic, rows first, channel j % ic. */
template <class Code, class Rule>
static __device__ __forceinline__ Code arrange_one(const arrange_view<Code> &v, int64_t n, int by,
                                                   int bx, int j, const typename Rule::in *src,
                                                   const Rule &rule)
{
    const waio_cuda_arrangement &h = v.how;
    int pixel = j / h.ic, c = j % h.ic;
    int y = by * h.block + pixel / h.block, x = bx * h.block + pixel % h.block;

    if (pixel >= h.block * h.block)
        return 0;
    if (y >= h.ih || x >= h.iw)
        return v.zero;
    return rule(src[((n * h.ih + y) * h.iw + x) * h.ic + c]);
}

template <class Code, class Rule>
static __global__ void __launch_bounds__(ARRANGE_THREADS)
    arrange_kernel(Code *dst, const typename Rule::in *src, const arrange_view<Code> v, Rule rule)
{
    enum { EACH = 16 / sizeof(Code) };
    int64_t i = (int64_t)blockIdx.x * ARRANGE_THREADS + threadIdx.x;
    union {
        uint4 bytes;
        Code code[EACH];
    } chunk;

    if (i >= v.count)
        return;
    int first = (int)(i % v.chunks) * EACH;
    int64_t block = i / v.chunks;
    int bx = (int)(block % v.ow), by = (int)(block / v.ow % v.oh);
#pragma unroll
    for (int e = 0; e < EACH; e++)
        chunk.code[e] = arrange_one(v, block / v.ow / v.oh, by, bx, first + e, src, rule);
    waio_st16(reinterpret_cast<uint4 *>(dst) + i, chunk.bytes);
}

/* ---- launchers ---- */

template <class Code, class Rule>
static cudaError_t arrange(Code *dst, const typename Rule::in *src,
                           const waio_cuda_arrangement &how, int32_t zero_point, Rule rule,
                           cudaStream_t stream)
{
    int64_t bytes = how.pitch * (int64_t)sizeof(Code);
    arrange_view<Code> v = {how, 0, 0, 0, 0, (Code)zero_point};

    if (!dst || !src || (uintptr_t)dst % 16 || how.images < 1 || how.ih < 1 || how.iw < 1 ||
        how.ic < 1 || how.block < 1 || how.block > 2 || bytes % 16 || bytes > INT32_MAX ||
        how.pitch < (int64_t)how.block * how.block * how.ic)
        return cudaErrorInvalidValue;
    v.oh = (how.ih + how.block - 1) / how.block;
    v.ow = (how.iw + how.block - 1) / how.block;
    v.chunks = (int)(bytes / 16);
    v.count = (int64_t)how.images * v.oh * v.ow * v.chunks;
    int64_t blocks = (v.count + ARRANGE_THREADS - 1) / ARRANGE_THREADS;
    if (blocks > INT32_MAX)
        return cudaErrorInvalidValue;
    return waio_launch(arrange_kernel<Code, Rule>, dim3((unsigned)blocks), dim3(ARRANGE_THREADS), 0,
                       stream, dst, src, v, rule);
}

template <class Code>
static cudaError_t arrange_floats(Code *dst, const float *src, const waio_cuda_arrangement &how,
                                  const waio_cuda_grid &grid, cudaStream_t stream)
{
    if (grid.rounding == WAIO_ROUND_HALF_EVEN)
        return arrange(dst, src, how, grid.zero_point,
                       arrange_float<Code, WAIO_ROUND_HALF_EVEN>{grid.fq, grid.zero_point}, stream);
    return arrange(dst, src, how, grid.zero_point,
                   arrange_float<Code, WAIO_ROUND_HALF_AWAY>{grid.fq, grid.zero_point}, stream);
}

extern "C" cudaError_t waio_cuda_arrange_qs8(int8_t *dst, const int8_t *src,
                                             waio_cuda_arrangement how, cudaStream_t stream)
{
    return arrange(dst, src, how, how.zero_point, arrange_code<int8_t>(), stream);
}

extern "C" cudaError_t waio_cuda_arrange_qs16(int16_t *dst, const int16_t *src,
                                              waio_cuda_arrangement how, cudaStream_t stream)
{
    return arrange(dst, src, how, how.zero_point, arrange_code<int16_t>(), stream);
}

extern "C" cudaError_t waio_cuda_quantize_arrange_qs8(int8_t *dst, const float *src,
                                                      waio_cuda_arrangement how,
                                                      waio_cuda_grid grid, cudaStream_t stream)
{
    return arrange_floats(dst, src, how, grid, stream);
}

extern "C" cudaError_t waio_cuda_quantize_arrange_qs16(int16_t *dst, const float *src,
                                                       waio_cuda_arrangement how,
                                                       waio_cuda_grid grid, cudaStream_t stream)
{
    return arrange_floats(dst, src, how, grid, stream);
}
