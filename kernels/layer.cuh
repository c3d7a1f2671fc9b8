/* What the kernels of layers share: finishing a result, requantizing, lanes of one or four
 * elements, sums that keep what rounding loses, positions in tensors of up to six dimensions. */
#ifndef WAIO_KERNELS_LAYER_CUH
#define WAIO_KERNELS_LAYER_CUH

#include "kernels/elementwise.cuh"
#include "kernels/kernels.h"

/* ---- finishing ---- */

/* The clamp and the quantizer of a float result. */
struct finish_f32 {
    typedef float type;
    waio_cuda_finish f;

    __device__ float operator()(float y) const
    {
        y = waio_clampf(y, f.lo, f.hi);
        if (f.quantizer == WAIO_CUDA_FAKE_QUANTIZE)
            return waio_fake_quantize(y, f.fq, f.rounding);
        return f.quantizer == WAIO_CUDA_HALF ? waio_round_to_half(y) : y;
    }
};

/* The clamp of a code. */
template <class Code> struct finish_code {
    typedef Code type;
    int32_t lo, hi;

    __device__ Code operator()(int32_t code) const
    {
        return (Code)waio_clampi(code, lo, hi);
    }
};

/* Codes less their zero point to codes of a scale `real` times as large. */
struct requantizer {
    waio_multiplier multiplier;
    double real;
    waio_requant rounding;

    __device__ int32_t operator()(int32_t x) const
    {
        return waio_multiply_by_quantized(x, multiplier, real, rounding);
    }
};

static inline requantizer waio_requantizer_of(double real, waio_requant rounding)
{
    requantizer r = {waio_multiplier_of(real), real, rounding};
    return r;
}

/* Calls run(int8_t()) or run(int16_t()), as codes have one or two bytes. */
template <class Run> static inline cudaError_t waio_by_bytes(int bytes, Run run)
{
    return bytes == 1 ? run(int8_t()) : bytes == 2 ? run(int16_t()) : cudaErrorInvalidValue;
}

/* ---- lanes: N (1 or 4) neighbours in memory ---- */

template <class T, int N> struct waio_lanes {
    T v[N];
};

template <class T>
static __device__ __forceinline__ waio_lanes<T, 1> waio_load_lanes(const T *src, waio_lanes<T, 1> *)
{
    waio_lanes<T, 1> lanes = {{*src}};
    return lanes;
}

template <class T>
static __device__ __forceinline__ waio_lanes<T, 4> waio_load_lanes(const T *src, waio_lanes<T, 4> *)
{
    typedef typename waio_four<T>::type four;
    four x = waio_ld(reinterpret_cast<const four *>(src));
    waio_lanes<T, 4> lanes = {{x.x, x.y, x.z, x.w}};
    return lanes;
}

template <int N, class T> static __device__ __forceinline__ waio_lanes<T, N> waio_load(const T *src)
{
    return waio_load_lanes(src, static_cast<waio_lanes<T, N> *>(nullptr));
}

template <class T>
static __device__ __forceinline__ void waio_store(T *dst, const waio_lanes<T, 1> &lanes)
{
    *dst = lanes.v[0];
}

template <class T>
static __device__ __forceinline__ void waio_store(T *dst, const waio_lanes<T, 4> &lanes)
{
    typedef typename waio_four<T>::type four;
    four y = {lanes.v[0], lanes.v[1], lanes.v[2], lanes.v[3]};
    waio_st(reinterpret_cast<four *>(dst), y);
}

/* Whether `p` may be read by four elements. */
template <class T> static inline bool waio_by_four(const T *p)
{
    return waio_is_aligned(p, 4 * sizeof(T));
}

/* ---- sums ----
 * A float sum and what its roundings have lost so far (Knuth's two-sum): as good as one of twice
 * the precision. An infinite sum has lost nothing. */
struct __align__(8) waio_sum_f32
{
    float sum, lost;

    __device__ void add(float x)
    {
        float next = sum + x, taken = next - sum;
        lost += (sum - (next - taken)) + (x - taken);
        sum = next;
    }

    __device__ void add(const waio_sum_f32 &other)
    {
        add(other.sum);
        lost += other.lost;
    }

    __device__ float value() const
    {
        return lost == lost ? sum + lost : sum;
    }
};

/* ---- shapes ---- */

enum { WAIO_MOST_ELEMENTS = INT32_MAX };

/* Elements of a shape, 0 if it is none, more than WAIO_MOST_ELEMENTS if they are too many. */
static inline int64_t waio_cuda_count(const waio_cuda_shape *shape)
{
    int64_t count = 1;

    if (shape->rank < 0 || shape->rank > WAIO_CUDA_MAX_RANK)
        return 0;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 1)
            return 0;
        if (shape->dim[i] > WAIO_MOST_ELEMENTS)
            return (int64_t)WAIO_MOST_ELEMENTS + 1;
        count *= shape->dim[i]; /* below 2^62 */
        if (count > WAIO_MOST_ELEMENTS)
            return count;
    }
    return count;
}

/* What to say of a tensor with `count` elements. */
static inline cudaError_t waio_cuda_check_count(int64_t count)
{
    return count < 1                    ? cudaErrorInvalidValue
           : count > WAIO_MOST_ELEMENTS ? cudaErrorNotSupported
                                        : cudaSuccess;
}

/* Images n x h x w x c as a shape. */
static inline waio_cuda_shape waio_cuda_image(int64_t n, int64_t h, int64_t w, int64_t c)
{
    waio_cuda_shape shape = {4, {n, h, w, c}};
    return shape;
}

/* Grid for `work` threads' worth of work in blocks of WAIO_ELEMENTWISE_THREADS. */
static inline dim3 waio_grid(int64_t work)
{
    return dim3(waio_elementwise_blocks((size_t)work));
}

/* The same, but a thread for each piece of work. */
static inline dim3 waio_whole_grid(int64_t work)
{
    return dim3((unsigned)((work + WAIO_ELEMENTWISE_THREADS - 1) / WAIO_ELEMENTWISE_THREADS));
}

/* A thread's first piece of work, and the distance to its next one. */
static __device__ __forceinline__ uint32_t waio_first(void)
{
    return blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ __forceinline__ uint32_t waio_step(void)
{
    return gridDim.x * blockDim.x;
}

#endif
