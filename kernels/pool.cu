/* Average and maximum over a sliding window. One thread makes one cell of one channel, or of four
 * neighbours where the number of channels allows it; rows of the window outside, columns inside, so
 * that sums have one order. */
#include "kernels/layer.cuh"

/* ---- rules: begin, take a cell, finish; `real` of `cells` cells lie in the image ---- */

struct maximum_f32 {
    typedef float type;
    typedef float sum;
    finish_f32 finish_one;

    __device__ sum begin() const
    {
        return -INFINITY;
    }
    __device__ void take(sum &best, float x) const
    {
        best = x > best || x != x ? x : best;
    }
    __device__ float finish(sum best, int32_t, int32_t) const
    {
        return finish_one(best);
    }
};

struct average_f32 {
    typedef float type;
    typedef waio_sum_f32 sum;
    finish_f32 finish_one;

    __device__ sum begin() const
    {
        sum zero = {0, 0};
        return zero;
    }
    __device__ void take(sum &s, float x) const
    {
        s.add(x);
    }
    __device__ float finish(const sum &s, int32_t, int32_t cells) const
    {
        return finish_one(s.value() / (float)cells);
    }
};

template <class Code> struct maximum_code {
    typedef Code type;
    typedef int32_t sum;
    finish_code<Code> finish_one;

    __device__ sum begin() const
    {
        return INT32_MIN;
    }
    __device__ void take(sum &best, Code x) const
    {
        best = x > best ? x : best;
    }
    __device__ Code finish(sum best, int32_t, int32_t) const
    {
        return finish_one(best);
    }
};

/* Half away from zero; codes of uint8 files, which are not negative there, half up. */
template <class Code, class Sum> struct average_code {
    typedef Code type;
    typedef Sum sum;
    finish_code<Code> finish_one;
    int32_t zero_point;
    bool u8;

    __device__ sum begin() const
    {
        return 0;
    }
    __device__ void take(sum &s, Code x) const
    {
        s += x;
    }
    __device__ Code finish(sum s, int32_t real, int32_t cells) const
    {
        s += (Sum)(cells - real) * zero_point;
        if (u8)
            return finish_one((int32_t)((s + (Sum)128 * cells + cells / 2) / cells) - 128);
        return finish_one((int32_t)((s > 0 ? s + cells / 2 : s - cells / 2) / cells));
    }
};

/* ---- kernel ---- */

struct pool_shape {
    int32_t height, width, groups, out_height, out_width; /* groups: lanes per cell */
    int32_t kernel[2], stride[2], pad[4];
    bool count_include_pad;
};

/* The window of an output cell along one axis: real cells [begin, end), and all that count. */
struct window {
    int32_t begin, end, cells;
};

static __device__ __forceinline__ window window_at(const pool_shape &p, int axis, int32_t at,
                                                   int32_t size)
{
    int32_t begin = at * p.stride[axis] - p.pad[axis], end = begin + p.kernel[axis];
    window w = {max(begin, 0), min(end, size), 0};

    w.cells = p.count_include_pad ? min(end, size + p.pad[axis + 2]) - begin : w.end - w.begin;
    return w;
}

/* Four blocks per multiprocessor: without a wish, ptxas squeezes some of them into 32 registers for
 * sm_100 and sm_120, and spills. */
template <class Rule, int N>
static __global__ void __launch_bounds__(WAIO_ELEMENTWISE_THREADS, 4)
    pool_kernel(typename Rule::type *dst, const typename Rule::type *src, uint32_t count,
                pool_shape p, Rule rule)
{
    const uint32_t i = waio_first();
    const uint32_t pixel = i / p.groups, group = i - pixel * p.groups;
    const uint32_t row = pixel / p.out_width, image = row / p.out_height;
    const window wx = window_at(p, 1, (int32_t)(pixel - row * p.out_width), p.width);
    const window wy = window_at(p, 0, (int32_t)(row - image * p.out_height), p.height);
    const int32_t real = (wy.end - wy.begin) * (wx.end - wx.begin), cells = wy.cells * wx.cells;
    typename Rule::sum sum[N];
    waio_lanes<typename Rule::type, N> v;

    if (i >= count)
        return;
    for (int k = 0; k < N; k++)
        sum[k] = rule.begin();
    for (int32_t y = wy.begin; y < wy.end; y++)
        for (int32_t x = wx.begin; x < wx.end; x++) {
            uint32_t cell = (image * p.height + y) * p.width + x;
            v = waio_load<N>(src + N * (cell * p.groups + group));
            for (int k = 0; k < N; k++)
                rule.take(sum[k], v.v[k]);
        }
    for (int k = 0; k < N; k++)
        v.v[k] = rule.finish(sum[k], real, cells);
    waio_store(dst + N * i, v);
}

/* ---- launchers ---- */

/* Whether every window along an axis has a real cell, and numbers fit. */
static bool axis_is_sound(const waio_cuda_pool *p, int axis, int64_t size)
{
    int64_t kernel = p->kernel[axis], stride = p->stride[axis];

    return p->out[axis] >= 1 && kernel >= 1 && stride >= 1 && p->pad[axis] >= 0 &&
           p->pad[axis + 2] >= 0 && p->pad[axis] < kernel && size + kernel <= INT32_MAX &&
           (p->out[axis] - 1) * stride - p->pad[axis] < size;
}

static cudaError_t check(const waio_cuda_pool *p)
{
    waio_cuda_shape in = waio_cuda_image(p->batch, p->height, p->width, p->channels);
    waio_cuda_shape out = waio_cuda_image(p->batch, p->out[0], p->out[1], p->channels);
    cudaError_t error = waio_cuda_check_count(waio_cuda_count(&in));

    if (error == cudaSuccess)
        error = waio_cuda_check_count(waio_cuda_count(&out));
    if (error == cudaSuccess && !(axis_is_sound(p, 0, p->height) && axis_is_sound(p, 1, p->width)))
        error = cudaErrorInvalidValue;
    return error;
}

template <class Rule, class T>
static cudaError_t run(T *dst, const T *src, const waio_cuda_pool *p, const Rule &rule,
                       cudaStream_t stream)
{
    cudaError_t error = check(p);
    if (error != cudaSuccess)
        return error;
    if (!dst || !src)
        return cudaErrorInvalidValue;
    bool by_four = p->channels % 4 == 0 && waio_by_four(dst) && waio_by_four(src);
    int32_t groups = (int32_t)(by_four ? p->channels / 4 : p->channels);
    int64_t count = p->batch * p->out[0] * p->out[1] * groups;
    pool_shape shape = {(int32_t)p->height,
                        (int32_t)p->width,
                        groups,
                        (int32_t)p->out[0],
                        (int32_t)p->out[1],
                        {p->kernel[0], p->kernel[1]},
                        {p->stride[0], p->stride[1]},
                        {p->pad[0], p->pad[1], p->pad[2], p->pad[3]},
                        p->count_include_pad};
    return waio_launch(by_four ? pool_kernel<Rule, 4> : pool_kernel<Rule, 1>,
                       waio_whole_grid(count), dim3(WAIO_ELEMENTWISE_THREADS), 0, stream, dst, src,
                       (uint32_t)count, shape, rule);
}

extern "C" cudaError_t waio_cuda_pool_f32(float *dst, const float *src, const waio_cuda_pool *layer,
                                          const waio_cuda_finish *finish, cudaStream_t stream)
{
    if (layer->average)
        return run(dst, src, layer, average_f32{{*finish}}, stream);
    return run(dst, src, layer, maximum_f32{{*finish}}, stream);
}

/* Sums of up to 2^22 codes of 8 bits (with their offset of 128) fit 32 bits. */
extern "C" cudaError_t waio_cuda_pool_q(void *dst, const void *src, const waio_cuda_pool *layer,
                                        const waio_cuda_params *params, cudaStream_t stream)
{
    bool wide = params->bytes != 1 || (int64_t)layer->kernel[0] * layer->kernel[1] > 1 << 22;

    return waio_by_bytes(params->bytes, [&](auto code) {
        typedef decltype(code) Code;
        finish_code<Code> one = {params->lo, params->hi};
        Code *y = (Code *)dst;
        const Code *x = (const Code *)src;
        if (!layer->average)
            return run(y, x, layer, maximum_code<Code>{one}, stream);
        if (wide)
            return run(y, x, layer,
                       average_code<Code, int64_t>{one, params->zero_point, params->u8}, stream);
        return run(y, x, layer, average_code<Code, int32_t>{one, params->zero_point, params->u8},
                   stream);
    });
}
