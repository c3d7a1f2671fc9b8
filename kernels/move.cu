/* Concat, pad and transpose: elements go to other places. Concat requantizes codes of other
 * parameters on their way. */
#include "kernels/layer.cuh"

/* ---- concat: one kernel per input ---- */

/* How the codes of one input become the result's: as they are, by requantization, or, of uint8
 * files, in float32 on the codes that stand in the file. */
template <class Code> struct convert_code {
    typedef Code type;
    bool same, u8;
    requantizer requantize;
    float scale, bias;
    int32_t zero_in, zero_out, lo, hi;

    __device__ Code operator()(Code code) const
    {
        int32_t moved = code - zero_in;

        if (!same && u8)
            moved = (int32_t)waio_clampf(waio_round_half_away((float)(code + 128) * scale + bias),
                                         -512, 512);
        else if (!same)
            moved = requantize(moved);
        return (Code)waio_finish_code(moved, zero_out, lo, hi);
    }
};

/* Rows of `part` elements, which repeat after `period` rows, into rows of `row`. */
struct concat_shape {
    uint32_t part, row, start;
    uint32_t period_count; /* elements of all different rows */
};

template <class Rule, int N>
static __global__ void __launch_bounds__(WAIO_ELEMENTWISE_THREADS)
    concat_kernel(typename Rule::type *dst, const typename Rule::type *src, uint32_t count,
                  concat_shape s, Rule rule)
{
    for (uint32_t i = N * waio_first(); i < count; i += N * waio_step()) {
        uint32_t row = i / s.part;
        waio_lanes<typename Rule::type, N> x =
            waio_load<N>(src + (s.period_count == count ? i : i % s.period_count));
        for (int k = 0; k < N; k++)
            x.v[k] = rule(x.v[k]);
        waio_store(dst + (row * s.row + s.start + (i - row * s.part)), x);
    }
}

static int64_t product(const waio_cuda_shape *shape, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= shape->dim[i];
    return n;
}

static cudaError_t check_concat(const waio_cuda_concat *c)
{
    cudaError_t error = waio_cuda_check_count(waio_cuda_count(&c->out));
    int64_t along = 0;

    if (error != cudaSuccess)
        return error;
    if (c->axis < 0 || c->axis >= c->out.rank || c->count < 1 || !c->in)
        return cudaErrorInvalidValue;
    for (int k = 0; k < c->count; k++) {
        const waio_cuda_shape *in = &c->in[k];
        if (in->rank != c->out.rank || waio_cuda_count(in) < 1 ||
            product(in, c->axis + 1, in->rank) != product(&c->out, c->axis + 1, in->rank) ||
            product(&c->out, 0, c->axis) % product(in, 0, c->axis))
            return cudaErrorInvalidValue;
        along += in->dim[c->axis];
    }
    return along == c->out.dim[c->axis] ? cudaSuccess : cudaErrorInvalidValue;
}

/* One launch per input; `rule_of(k)` is what input k goes through. */
template <class T, class RuleOf>
static cudaError_t concat(T *dst, const T *const *src, const waio_cuda_concat *c, RuleOf rule_of,
                          cudaStream_t stream)
{
    typedef decltype(rule_of(0)) Rule;
    cudaError_t error = check_concat(c);
    int64_t row = error == cudaSuccess ? product(&c->out, c->axis, c->out.rank) : 0, start = 0;

    for (int k = 0; k < c->count && error == cudaSuccess; k++) {
        int64_t part = product(&c->in[k], c->axis, c->out.rank);
        int64_t count = product(&c->out, 0, c->axis) * part;
        bool by_four = part % 4 == 0 && row % 4 == 0 && start % 4 == 0 && waio_by_four(dst) &&
                       waio_by_four(src[k]);
        concat_shape shape = {(uint32_t)part, (uint32_t)row, (uint32_t)start,
                              (uint32_t)waio_cuda_count(&c->in[k])};
        if (!dst || !src[k])
            return cudaErrorInvalidValue;
        error = waio_launch(by_four ? concat_kernel<Rule, 4> : concat_kernel<Rule, 1>,
                            waio_grid(by_four ? count / 4 : count), dim3(WAIO_ELEMENTWISE_THREADS),
                            0, stream, dst, src[k], (uint32_t)count, shape, rule_of(k));
        start += part;
    }
    return error;
}

extern "C" cudaError_t waio_cuda_concat_f32(float *dst, const float *const *src,
                                            const waio_cuda_concat *layer,
                                            const waio_cuda_finish *finish, cudaStream_t stream)
{
    return concat(
        dst, src, layer, [&](int) { return finish_f32{*finish}; }, stream);
}

template <class Code>
static convert_code<Code> conversion_of(const waio_cuda_params *in, const waio_cuda_params *out,
                                        waio_requant requant)
{
    double real = (double)in->scale / (double)out->scale;
    float scale = in->scale * (1.0f / out->scale);
    convert_code<Code> rule = {};

    rule.same = real == 1 && in->zero_point == out->zero_point;
    rule.u8 = out->u8;
    rule.requantize = waio_requantizer_of(real, requant);
    rule.scale = scale;
    rule.bias = -(float)(in->zero_point + 128) * scale;
    rule.zero_in = in->zero_point;
    rule.zero_out = out->zero_point;
    rule.lo = out->lo;
    rule.hi = out->hi;
    return rule;
}

extern "C" cudaError_t waio_cuda_concat_q(void *dst, const void *const *src,
                                          const waio_cuda_concat *layer, const waio_cuda_params *in,
                                          const waio_cuda_params *out, waio_requant requant,
                                          cudaStream_t stream)
{
    for (int k = 0; k < layer->count; k++)
        if (in[k].bytes != out->bytes)
            return cudaErrorInvalidValue;
    return waio_by_bytes(out->bytes, [&](auto code) {
        typedef decltype(code) Code;
        return concat((Code *)dst, (const Code *const *)src, layer,
                      [&](int k) { return conversion_of<Code>(&in[k], out, requant); }, stream);
    });
}

/* ---- pad and transpose: every element of the result comes from a place, or is `fill` ---- */

/* The result's dimensions, the last one in [WAIO_CUDA_MAX_RANK - 1], 1 in front of the first. Along
 * each, elements [before, before + size) come from the source, where a step is `step`. In units of
 * lanes. */
struct gather_shape {
    uint32_t dim[WAIO_CUDA_MAX_RANK], before[WAIO_CUDA_MAX_RANK], size[WAIO_CUDA_MAX_RANK];
    uint32_t step[WAIO_CUDA_MAX_RANK];
};

template <class Rule, int N>
static __global__ void __launch_bounds__(WAIO_ELEMENTWISE_THREADS)
    gather_kernel(typename Rule::type *dst, const typename Rule::type *src, uint32_t count,
                  gather_shape s, typename Rule::type fill, Rule rule)
{
    for (uint32_t i = waio_first(); i < count; i += waio_step()) {
        uint32_t rest = i, offset = 0;
        bool inside = true;
#pragma unroll
        for (int d = WAIO_CUDA_MAX_RANK - 1; d >= 0; d--) {
            if (s.dim[d] > 1) {
                uint32_t next = rest / s.dim[d], at = rest - next * s.dim[d] - s.before[d];
                inside = inside && at < s.size[d]; /* below `before`, at wraps to a large one */
                offset += at * s.step[d];
                rest = next;
            }
        }
        waio_lanes<typename Rule::type, N> x;
        for (int k = 0; k < N; k++)
            x.v[k] = fill;
        if (inside)
            x = waio_load<N>(src + N * offset);
        for (int k = 0; k < N; k++)
            x.v[k] = rule(x.v[k]);
        waio_store(dst + N * i, x);
    }
}

static void gather_nothing(gather_shape *s)
{
    for (int d = 0; d < WAIO_CUDA_MAX_RANK; d++) {
        s->dim[d] = s->size[d] = 1;
        s->before[d] = s->step[d] = 0;
    }
}

/* Whether lanes of four stay together: along the last dimension, and then in all steps. */
static bool gathers_by_four(const gather_shape *s)
{
    const int last = WAIO_CUDA_MAX_RANK - 1;
    return s->dim[last] % 4 == 0 && s->before[last] % 4 == 0 && s->size[last] % 4 == 0 &&
           s->step[last] == 1;
}

template <class Rule, class T>
static cudaError_t gather(T *dst, const T *src, gather_shape s, T fill, const Rule &rule,
                          cudaStream_t stream)
{
    int64_t count = 1;
    bool by_four = gathers_by_four(&s) && waio_by_four(dst) && waio_by_four(src);

    if (!dst || !src)
        return cudaErrorInvalidValue;
    if (by_four) {
        s.dim[WAIO_CUDA_MAX_RANK - 1] /= 4;
        s.before[WAIO_CUDA_MAX_RANK - 1] /= 4;
        s.size[WAIO_CUDA_MAX_RANK - 1] /= 4;
        for (int d = 0; d < WAIO_CUDA_MAX_RANK - 1; d++)
            s.step[d] /= 4;
    }
    for (int d = 0; d < WAIO_CUDA_MAX_RANK; d++)
        count *= s.dim[d];
    return waio_launch(by_four ? gather_kernel<Rule, 4> : gather_kernel<Rule, 1>, waio_grid(count),
                       dim3(WAIO_ELEMENTWISE_THREADS), 0, stream, dst, src, (uint32_t)count, s,
                       fill, rule);
}

static cudaError_t pad_shape(gather_shape *s, const waio_cuda_pad *pad)
{
    waio_cuda_shape out = pad->in;
    cudaError_t error = waio_cuda_check_count(waio_cuda_count(&pad->in));
    int64_t step = 1;

    if (error != cudaSuccess)
        return error;
    gather_nothing(s);
    for (int i = pad->in.rank - 1; i >= 0; i--) {
        int d = i + WAIO_CUDA_MAX_RANK - pad->in.rank;
        if (pad->before[i] < 0 || pad->after[i] < 0)
            return cudaErrorInvalidValue;
        out.dim[i] += (int64_t)pad->before[i] + pad->after[i];
        s->dim[d] = (uint32_t)out.dim[i];
        s->before[d] = (uint32_t)pad->before[i];
        s->size[d] = (uint32_t)pad->in.dim[i];
        s->step[d] = (uint32_t)step;
        step *= pad->in.dim[i];
    }
    return waio_cuda_check_count(waio_cuda_count(&out));
}

extern "C" cudaError_t waio_cuda_pad_f32(float *dst, const float *src, const waio_cuda_pad *layer,
                                         const waio_cuda_finish *finish, cudaStream_t stream)
{
    gather_shape shape;
    cudaError_t error = pad_shape(&shape, layer);

    if (error != cudaSuccess)
        return error;
    return gather(dst, src, shape, layer->value, finish_f32{*finish}, stream);
}

extern "C" cudaError_t waio_cuda_pad_q(void *dst, const void *src, const waio_cuda_pad *layer,
                                       const waio_cuda_params *p, cudaStream_t stream)
{
    gather_shape shape;
    cudaError_t error = pad_shape(&shape, layer);
    int32_t fill = waio_bound_code(layer->value, p->scale, p->zero_point, p->lo, p->hi);

    if (error != cudaSuccess)
        return error;
    return waio_by_bytes(p->bytes, [&](auto code) {
        typedef decltype(code) Code;
        return gather((Code *)dst, (const Code *)src, shape, (Code)fill,
                      finish_code<Code>{p->lo, p->hi}, stream);
    });
}

static cudaError_t transpose_shape(gather_shape *s, const waio_cuda_transpose *t)
{
    int rank = t->in.rank;
    cudaError_t error = waio_cuda_check_count(waio_cuda_count(&t->in));
    unsigned seen = 0;

    if (error != cudaSuccess)
        return error;
    gather_nothing(s);
    for (int i = 0; i < rank; i++) {
        int d = i + WAIO_CUDA_MAX_RANK - rank, from = t->perm[i];
        if (from < 0 || from >= rank || seen >> from & 1u)
            return cudaErrorInvalidValue;
        seen |= 1u << from;
        s->dim[d] = s->size[d] = (uint32_t)t->in.dim[from];
        s->step[d] = (uint32_t)product(&t->in, from + 1, rank);
    }
    return cudaSuccess;
}

extern "C" cudaError_t waio_cuda_transpose_f32(float *dst, const float *src,
                                               const waio_cuda_transpose *layer,
                                               const waio_cuda_finish *finish, cudaStream_t stream)
{
    gather_shape shape;
    cudaError_t error = transpose_shape(&shape, layer);

    if (error != cudaSuccess)
        return error;
    return gather(dst, src, shape, 0.0f, finish_f32{*finish}, stream);
}

extern "C" cudaError_t waio_cuda_transpose_q(void *dst, const void *src,
                                             const waio_cuda_transpose *layer,
                                             const waio_cuda_params *p, cudaStream_t stream)
{
    gather_shape shape;
    cudaError_t error = transpose_shape(&shape, layer);

    if (error != cudaSuccess)
        return error;
    return waio_by_bytes(p->bytes, [&](auto code) {
        typedef decltype(code) Code;
        return gather((Code *)dst, (const Code *)src, shape, Code(0),
                      finish_code<Code>{p->lo, p->hi}, stream);
    });
}
