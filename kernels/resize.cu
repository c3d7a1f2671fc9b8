/* Nearest and bilinear resize. Positions are fractions (mul * i + add) / den in whole numbers for
 * floats and for nearest, 1/1024 of a cell for codes, floats for codes of uint8 files, as the
 * reference has them. One thread makes one cell of one channel, or of four neighbours. */
#include "kernels/layer.cuh"

/* ---- positions along one axis ---- */

struct resize_axis {
    int32_t in, out;
    int64_t mul, add, den; /* the position of cell i as a fraction */
    int32_t scale, offset; /* in 1/1024 of a cell: i * scale + offset */
    float step;            /* as a float: i * step, or with half pixels (i + 1/2) * step - 1/2 */
    bool half_pixel;
};

/* The whole part of a fraction, rounded down, and the rest over the denominator. */
struct fraction {
    int32_t whole;
    float rest;
};

static __device__ __forceinline__ fraction fraction_at(const resize_axis &axis, uint32_t i)
{
    int64_t above = axis.mul * i + axis.add;
    bool negative = above < 0; /* then it is above -1 */
    uint64_t positive = (uint64_t)(negative ? above + axis.den : above);
    uint64_t whole =
        positive >> 32 ? positive / (uint64_t)axis.den : (uint32_t)positive / (uint32_t)axis.den;
    fraction f = {(int32_t)whole - negative,
                  (float)(positive - whole * (uint64_t)axis.den) / (float)axis.den};
    return f;
}

static __device__ __forceinline__ int32_t limit(int32_t i, int32_t count)
{
    return min(max(i, 0), count - 1);
}

/* Cells of the source on both sides and the weight of the upper one, in the rule's own type. */
template <class Weight> struct resize_source {
    int32_t lower, upper;
    Weight weight;
};

/* ---- rules: where, and how four cells are mixed ---- */

struct bilinear_f32 {
    typedef float type;
    typedef resize_source<float> source;
    finish_f32 finish;

    __device__ source at(const resize_axis &axis, uint32_t i) const
    {
        fraction f = fraction_at(axis, i);
        source s = {limit(f.whole, axis.in), limit(f.whole + 1, axis.in), f.rest};
        return s;
    }

    __device__ float mix(const float cell[4], const source &y, const source &x) const
    {
        float top = fmaf(x.weight, cell[1] - cell[0], cell[0]);
        float bottom = fmaf(x.weight, cell[3] - cell[2], cell[2]);
        return finish(fmaf(y.weight, bottom - top, top));
    }
};

enum { RESIZE_ONE = 1 << 10 };

template <class Code> struct bilinear_code {
    typedef Code type;
    typedef resize_source<int64_t> source;
    finish_code<Code> finish;
    bool single; /* rounds upwards, else half away from zero */

    __device__ source at(const resize_axis &axis, uint32_t i) const
    {
        int32_t at = (int32_t)i * axis.scale + axis.offset;
        int32_t lower = limit(at / RESIZE_ONE, axis.in);
        source s = {lower, limit((at + RESIZE_ONE - 1) / RESIZE_ONE, axis.in),
                    at - RESIZE_ONE * lower};
        return s;
    }

    __device__ Code mix(const Code cell[4], const source &y, const source &x) const
    {
        const int64_t half = INT64_C(1) << 19;
        int64_t top = cell[0] * (RESIZE_ONE - x.weight) + cell[1] * x.weight;
        int64_t bottom = cell[2] * (RESIZE_ONE - x.weight) + cell[3] * x.weight;
        int64_t sum = top * (RESIZE_ONE - y.weight) + bottom * y.weight;

        if (single)
            return finish((int32_t)((sum + half) >> 20));
        return finish((int32_t)((sum > 0 ? sum + half : sum - half) / (INT64_C(1) << 20)));
    }
};

/* Codes of uint8 files: floats on the codes that stand in the file, halves up. */
struct bilinear_u8 {
    typedef int8_t type;
    typedef resize_source<float> source;
    finish_code<int8_t> finish;

    __device__ source at(const resize_axis &axis, uint32_t i) const
    {
        float at = axis.half_pixel ? ((float)i + 0.5f) * axis.step - 0.5f : (float)i * axis.step;
        int32_t lower = max((int32_t)floorf(at), 0);
        source s = {lower, min((int32_t)ceilf(at), axis.in - 1), at - (float)lower};
        return s;
    }

    __device__ int8_t mix(const int8_t cell[4], const source &y, const source &x) const
    {
        float fy = y.weight, fx = x.weight, code[4];

        for (int i = 0; i < 4; i++)
            code[i] = (float)(cell[i] + 128);
        float sum = code[0] * (1 - fy) * (1 - fx) + code[2] * fy * (1 - fx) +
                    code[1] * (1 - fy) * fx + code[3] * fy * fx + 0.5f;
        return finish((int32_t)sum - 128);
    }
};

/* ---- kernels ---- */

/* Lane groups of the result: a group's channel, column, row, image. */
struct resize_shape {
    resize_axis y, x;
    uint32_t groups;
};

struct resize_place {
    uint32_t group, x, y, image;
};

static __device__ __forceinline__ resize_place place_of(const resize_shape &s, uint32_t i)
{
    uint32_t pixel = i / s.groups, row = pixel / s.x.out, image = row / s.y.out;
    resize_place p = {i - pixel * s.groups, pixel - row * s.x.out, row - image * s.y.out, image};
    return p;
}

template <class Finish, int N>
static __global__ void __launch_bounds__(WAIO_ELEMENTWISE_THREADS)
    resize_nearest_kernel(typename Finish::type *dst, const typename Finish::type *src,
                          uint32_t count, resize_shape s, Finish finish)
{
    for (uint32_t i = waio_first(); i < count; i += waio_step()) {
        resize_place p = place_of(s, i);
        uint32_t y = limit(fraction_at(s.y, p.y).whole, s.y.in);
        uint32_t x = limit(fraction_at(s.x, p.x).whole, s.x.in);
        uint32_t cell = (p.image * s.y.in + y) * s.x.in + x;
        waio_lanes<typename Finish::type, N> v =
            waio_load<N>(src + N * (cell * s.groups + p.group));
        for (int k = 0; k < N; k++)
            v.v[k] = finish(v.v[k]);
        waio_store(dst + N * i, v);
    }
}

template <class Rule, int N>
static __global__ void __launch_bounds__(WAIO_ELEMENTWISE_THREADS)
    resize_bilinear_kernel(typename Rule::type *dst, const typename Rule::type *src, uint32_t count,
                           resize_shape s, Rule rule)
{
    typedef typename Rule::type T;

    for (uint32_t i = waio_first(); i < count; i += waio_step()) {
        resize_place p = place_of(s, i);
        typename Rule::source y = rule.at(s.y, p.y), x = rule.at(s.x, p.x);
        const uint32_t row[2] = {(p.image * s.y.in + y.lower) * s.x.in,
                                 (p.image * s.y.in + y.upper) * s.x.in};
        waio_lanes<T, N> cell[4], result;
        for (int c = 0; c < 4; c++) {
            uint32_t at = row[c / 2] + (c % 2 ? x.upper : x.lower);
            cell[c] = waio_load<N>(src + N * (at * s.groups + p.group));
        }
        for (int k = 0; k < N; k++) {
            const T four[4] = {cell[0].v[k], cell[1].v[k], cell[2].v[k], cell[3].v[k]};
            result.v[k] = rule.mix(four, y, x);
        }
        waio_store(dst + N * i, result);
    }
}

/* ---- launchers ---- */

static resize_axis axis_of(const waio_cuda_resize *r, int64_t in, int64_t out)
{
    bool corners = r->align_corners && out > 1, half = r->half_pixel;
    int64_t from = corners ? in - 1 : in, to = corners ? out - 1 : out;
    resize_axis axis = {};

    axis.in = (int32_t)in;
    axis.out = (int32_t)out;
    axis.half_pixel = half;
    axis.step = (float)from / (float)to;
    axis.scale = (int32_t)((RESIZE_ONE * from + to / 2) / to);
    axis.offset = half ? axis.scale / 2 - RESIZE_ONE / 2 : 0;
    axis.den = to;
    axis.mul = from;
    if ((half && !r->align_corners) || (r->align_corners && !r->bilinear)) {
        axis.mul *= 2;
        axis.den *= 2;
    }
    if (r->align_corners)
        axis.add = r->bilinear ? 0 : to; /* nearest: the position plus 1/2 */
    else if (half)
        axis.add = r->bilinear ? in - out : in;
    return axis;
}

/* Cells and how they are grouped; the count of groups. */
struct resize_plan {
    resize_shape shape;
    int64_t count;
    bool by_four;
};

template <class T>
static cudaError_t plan_of(resize_plan *plan, const T *dst, const T *src, const waio_cuda_resize *r)
{
    waio_cuda_shape in = waio_cuda_image(r->batch, r->height, r->width, r->channels);
    waio_cuda_shape out = waio_cuda_image(r->batch, r->out[0], r->out[1], r->channels);
    cudaError_t error = waio_cuda_check_count(waio_cuda_count(&in));
    const int64_t most = 1 << 20;

    if (error == cudaSuccess)
        error = waio_cuda_check_count(waio_cuda_count(&out));
    if (error != cudaSuccess)
        return error;
    if (!dst || !src)
        return cudaErrorInvalidValue;
    if (r->height > most || r->width > most || r->out[0] > most || r->out[1] > most)
        return cudaErrorNotSupported;
    plan->by_four = r->channels % 4 == 0 && waio_by_four(dst) && waio_by_four(src);
    plan->shape.groups = (uint32_t)(r->channels / (plan->by_four ? 4 : 1));
    plan->shape.y = axis_of(r, r->height, r->out[0]);
    plan->shape.x = axis_of(r, r->width, r->out[1]);
    plan->count = r->batch * r->out[0] * r->out[1] * plan->shape.groups;
    return cudaSuccess;
}

template <class Finish, class T>
static cudaError_t nearest(T *dst, const T *src, const waio_cuda_resize *r, const Finish &finish,
                           cudaStream_t stream)
{
    resize_plan plan;
    cudaError_t error = plan_of(&plan, dst, src, r);

    if (error != cudaSuccess)
        return error;
    return waio_launch(plan.by_four ? resize_nearest_kernel<Finish, 4>
                                    : resize_nearest_kernel<Finish, 1>,
                       waio_grid(plan.count), dim3(WAIO_ELEMENTWISE_THREADS), 0, stream, dst, src,
                       (uint32_t)plan.count, plan.shape, finish);
}

template <class Rule, class T>
static cudaError_t bilinear(T *dst, const T *src, const waio_cuda_resize *r, const Rule &rule,
                            cudaStream_t stream)
{
    resize_plan plan;
    cudaError_t error = plan_of(&plan, dst, src, r);

    if (error != cudaSuccess)
        return error;
    return waio_launch(plan.by_four ? resize_bilinear_kernel<Rule, 4>
                                    : resize_bilinear_kernel<Rule, 1>,
                       waio_grid(plan.count), dim3(WAIO_ELEMENTWISE_THREADS), 0, stream, dst, src,
                       (uint32_t)plan.count, plan.shape, rule);
}

extern "C" cudaError_t waio_cuda_resize_f32(float *dst, const float *src,
                                            const waio_cuda_resize *layer,
                                            const waio_cuda_finish *finish, cudaStream_t stream)
{
    if (layer->bilinear)
        return bilinear(dst, src, layer, bilinear_f32{{*finish}}, stream);
    return nearest(dst, src, layer, finish_f32{*finish}, stream);
}

extern "C" cudaError_t waio_cuda_resize_q(void *dst, const void *src, const waio_cuda_resize *layer,
                                          const waio_cuda_params *params, waio_requant requant,
                                          cudaStream_t stream)
{
    if (params->u8 && layer->bilinear && params->bytes == 1)
        return bilinear((int8_t *)dst, (const int8_t *)src, layer,
                        bilinear_u8{{params->lo, params->hi}}, stream);
    return waio_by_bytes(params->bytes, [&](auto code) {
        typedef decltype(code) Code;
        finish_code<Code> finish = {params->lo, params->hi};
        if (!layer->bilinear)
            return nearest((Code *)dst, (const Code *)src, layer, finish, stream);
        return bilinear((Code *)dst, (const Code *)src, layer,
                        bilinear_code<Code>{finish, requant == WAIO_REQUANT_SINGLE}, stream);
    });
}
