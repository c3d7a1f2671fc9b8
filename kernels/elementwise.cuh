/* One number in, one out: the kernel and launcher of all such operations. A rule is a struct that
 * names its types and maps one number:
 *
 *   struct rule { typedef float in; typedef int8_t out; __device__ int8_t operator()(float) const;
 * };
 *
 * One thread takes four numbers at a time where both pointers are aligned to four elements, one
 * otherwise and in the tail; the grid strides over the tensor. */
#ifndef WAIO_KERNELS_ELEMENTWISE_CUH
#define WAIO_KERNELS_ELEMENTWISE_CUH

#include <stddef.h>
#include <stdint.h>

#include "kernels/portable.cuh"
#include "kernels/ptx.cuh"

/* ---- four elements as one access ---- */

template <class T> struct waio_four {
};
template <> struct waio_four<float> {
    typedef float4 type;
};
template <> struct waio_four<int32_t> {
    typedef int4 type;
};
template <> struct waio_four<int16_t> {
    typedef short4 type;
};
template <> struct waio_four<int8_t> {
    typedef char4 type;
};

static inline bool waio_is_aligned(const void *p, size_t bytes)
{
    return (uintptr_t)p % bytes == 0;
}

/* ---- kernel ---- */

enum { WAIO_ELEMENTWISE_THREADS = 256, WAIO_ELEMENTWISE_MOST_BLOCKS = 1024 };

template <class Rule>
static __global__ void __launch_bounds__(WAIO_ELEMENTWISE_THREADS)
    elementwise_kernel(typename Rule::out *dst, const typename Rule::in *src, size_t count,
                       Rule rule, bool by_four)
{
    typedef typename waio_four<typename Rule::in>::type in4;
    typedef typename waio_four<typename Rule::out>::type out4;
    const size_t first = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    const size_t step = (size_t)gridDim.x * blockDim.x;
    const size_t fours = by_four ? count / 4 : 0;

    for (size_t i = first; i < fours; i += step) {
        in4 x = waio_ld(reinterpret_cast<const in4 *>(src) + i);
        out4 y = {rule(x.x), rule(x.y), rule(x.z), rule(x.w)};
        waio_st(reinterpret_cast<out4 *>(dst) + i, y);
    }
    for (size_t i = 4 * fours + first; i < count; i += step)
        dst[i] = rule(src[i]);
}

/* ---- launcher ---- */

/* Blocks that `work` pieces of work, `each` to a block, are worth: between 1 and `most`. */
static inline unsigned waio_blocks(size_t work, size_t each, size_t most)
{
    size_t blocks = (work + each - 1) / each;
    return (unsigned)(blocks < 1 ? 1 : blocks > most ? most : blocks);
}

/* For elementwise kernels: `work` is one thread's. */
static inline unsigned waio_elementwise_blocks(size_t work)
{
    return waio_blocks(work, WAIO_ELEMENTWISE_THREADS, WAIO_ELEMENTWISE_MOST_BLOCKS);
}

template <class Rule>
static inline cudaError_t waio_elementwise(typename Rule::out *dst, const typename Rule::in *src,
                                           size_t count, Rule rule, cudaStream_t stream)
{
    bool by_four = waio_is_aligned(dst, 4 * sizeof *dst) && waio_is_aligned(src, 4 * sizeof *src);

    if (count == 0)
        return cudaSuccess;
    if (!dst || !src)
        return cudaErrorInvalidValue;
    return waio_launch(elementwise_kernel<Rule>,
                       dim3(waio_elementwise_blocks(by_four ? (count + 3) / 4 : count)),
                       dim3(WAIO_ELEMENTWISE_THREADS), 0, stream, dst, src, count, rule, by_four);
}

#endif
