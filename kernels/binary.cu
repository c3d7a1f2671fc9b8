/* Two tensors in, one out, with numpy broadcasting: add, sub, mul, maximum.
 *
 * Where an operand's elements come again and again in their order (equal shapes, one number per
 * channel, one number, one image for a batch), its index is the result's modulo a period; four
 * elements at a time if all allows it. Any other broadcast goes through coordinates. */
#include "kernels/layer.cuh"

/* ---- rules: two numbers ---- */

struct binary_f32 {
    typedef float type;
    int op;
    finish_f32 finish;

    __device__ float operator()(float a, float b) const
    {
        switch (op) {
        case WAIO_CUDA_ADD:
            return finish(a + b);
        case WAIO_CUDA_SUB:
            return finish(a - b);
        case WAIO_CUDA_MUL:
            return finish(a * b);
        default:
            return finish(a > b || a != a ? a : b); /* NaN on either side stays NaN */
        }
    }
};

/* add and sub bring both operands to twice the larger scale, with `left` more bits, before they
 * meet. */
template <class Code> struct binary_code {
    typedef Code type;
    int op, left;
    waio_requant rounding;
    int32_t zero_a, zero_b, zero_out, lo, hi;
    waio_multiplier m_a, m_b, m_out;
    double real_a, real_b, real_out;

    __device__ Code operator()(Code code_a, Code code_b) const
    {
        int32_t a = code_a - zero_a, b = code_b - zero_b, y;

        if (op == WAIO_CUDA_MAXIMUM)
            return (Code)waio_finish_code(a > b ? a : b, zero_out, lo, hi);
        if (op == WAIO_CUDA_MUL) {
            y = a * b;
        } else {
            a = waio_multiply_by_quantized(a * (1 << left), m_a, real_a, rounding);
            b = waio_multiply_by_quantized(b * (1 << left), m_b, real_b, rounding);
            y = op == WAIO_CUDA_ADD ? a + b : a - b;
        }
        y = waio_multiply_by_quantized(y, m_out, real_out, rounding);
        return (Code)waio_finish_code(y, zero_out, lo, hi);
    }
};

/* ---- kernels ---- */

/* An operand that repeats after `period` elements; `whole`: it has as many as the result. */
template <class T> struct repeated {
    const T *data;
    uint32_t period;
    bool whole;

    template <int N> __device__ waio_lanes<T, N> at(uint32_t i) const
    {
        if (N > 1 && period == 1) {
            waio_lanes<T, N> lanes;
            for (int k = 0; k < N; k++)
                lanes.v[k] = *data;
            return lanes;
        }
        return waio_load<N>(data + (whole ? i : i % period));
    }
};

template <class Rule, int N>
static __global__ void __launch_bounds__(WAIO_ELEMENTWISE_THREADS)
    binary_repeated_kernel(typename Rule::type *dst, repeated<typename Rule::type> a,
                           repeated<typename Rule::type> b, uint32_t count, Rule rule)
{
    for (uint32_t i = N * waio_first(); i < count; i += N * waio_step()) {
        waio_lanes<typename Rule::type, N> x = a.template at<N>(i), y = b.template at<N>(i);
        for (int k = 0; k < N; k++)
            x.v[k] = rule(x.v[k], y.v[k]);
        waio_store(dst + i, x);
    }
}

/* The result's dimensions, the last one in [WAIO_CUDA_MAX_RANK - 1], 1 in front of the first; and
 * what a step along each means in the operands, 0 where they repeat. */
struct broadcast {
    uint32_t dim[WAIO_CUDA_MAX_RANK], step_a[WAIO_CUDA_MAX_RANK], step_b[WAIO_CUDA_MAX_RANK];
};

template <class Rule>
static __global__ void __launch_bounds__(WAIO_ELEMENTWISE_THREADS)
    binary_broadcast_kernel(typename Rule::type *dst, const typename Rule::type *a,
                            const typename Rule::type *b, uint32_t count, broadcast by, Rule rule)
{
    for (uint32_t i = waio_first(); i < count; i += waio_step()) {
        uint32_t rest = i, at_a = 0, at_b = 0;
#pragma unroll
        for (int d = WAIO_CUDA_MAX_RANK - 1; d >= 0; d--) {
            if (by.dim[d] > 1) {
                uint32_t at = rest % by.dim[d];
                rest /= by.dim[d];
                at_a += at * by.step_a[d];
                at_b += at * by.step_b[d];
            }
        }
        dst[i] = rule(a[at_a], b[at_b]);
    }
}

/* ---- launchers ---- */

/* Dimension `d` of a shape, counted as those of `broadcast`. */
static int64_t dim_of(const waio_cuda_shape *shape, int d)
{
    int own = d - (WAIO_CUDA_MAX_RANK - shape->rank);
    return own < 0 ? 1 : shape->dim[own];
}

/* The result's count, 0 if the shapes do not go together. */
static int64_t broadcast_of(broadcast *by, const waio_cuda_binary *layer)
{
    int64_t count = 1, count_a = 1, count_b = 1;

    for (int d = WAIO_CUDA_MAX_RANK - 1; d >= 0; d--) {
        int64_t a = dim_of(&layer->a, d), b = dim_of(&layer->b, d), larger = a > b ? a : b;
        if ((a != larger && a != 1) || (b != larger && b != 1))
            return 0;
        by->dim[d] = (uint32_t)larger;
        by->step_a[d] = a == 1 ? 0 : (uint32_t)count_a;
        by->step_b[d] = b == 1 ? 0 : (uint32_t)count_b;
        count_a *= a;
        count_b *= b;
        count *= larger;
        if (count > WAIO_MOST_ELEMENTS)
            return count;
    }
    return count;
}

/* After how many elements an operand with these steps repeats: all of them if it has the result's
 * shape; 0 if it repeats otherwise, that is, within a stretch that does not. */
static uint32_t period_of(const broadcast *by, const uint32_t step[WAIO_CUDA_MAX_RANK])
{
    uint32_t period = 1;
    bool repeats = false;

    for (int d = WAIO_CUDA_MAX_RANK - 1; d >= 0; d--) {
        if (by->dim[d] == 1)
            continue;
        if (step[d] && repeats)
            return 0;
        if (step[d])
            period *= by->dim[d];
        else
            repeats = true;
    }
    return period;
}

template <class T> static bool can_by_four(const repeated<T> &operand)
{
    return operand.period == 1 || (operand.period % 4 == 0 && waio_by_four(operand.data));
}

template <class Rule, class T>
static cudaError_t run(T *dst, const T *a, const T *b, const waio_cuda_binary *layer,
                       const Rule &rule, cudaStream_t stream)
{
    broadcast by;
    int64_t count_a = waio_cuda_count(&layer->a), count_b = waio_cuda_count(&layer->b);
    int64_t most = count_a > count_b ? count_a : count_b;
    cudaError_t error = waio_cuda_check_count(count_a < 1 || count_b < 1 ? 0 : most);

    if (error != cudaSuccess)
        return error;
    int64_t count = broadcast_of(&by, layer);
    error = waio_cuda_check_count(count);
    if (error != cudaSuccess)
        return error;
    if (!dst || !a || !b || (unsigned)layer->op > WAIO_CUDA_MAXIMUM)
        return cudaErrorInvalidValue;
    repeated<T> of_a = {a, period_of(&by, by.step_a), count_a == count};
    repeated<T> of_b = {b, period_of(&by, by.step_b), count_b == count};
    dim3 threads(WAIO_ELEMENTWISE_THREADS);
    if (!of_a.period || !of_b.period)
        return waio_launch(binary_broadcast_kernel<Rule>, waio_grid(count), threads, 0, stream, dst,
                           a, b, (uint32_t)count, by, rule);
    bool by_four = count % 4 == 0 && waio_by_four(dst) && can_by_four(of_a) && can_by_four(of_b);
    return waio_launch(by_four ? binary_repeated_kernel<Rule, 4> : binary_repeated_kernel<Rule, 1>,
                       waio_grid(by_four ? count / 4 : count), threads, 0, stream, dst, of_a, of_b,
                       (uint32_t)count, rule);
}

extern "C" cudaError_t waio_cuda_binary_f32(float *dst, const float *a, const float *b,
                                            const waio_cuda_binary *layer,
                                            const waio_cuda_finish *finish, cudaStream_t stream)
{
    binary_f32 rule = {layer->op, {*finish}};
    return run(dst, a, b, layer, rule, stream);
}

/* The multipliers of the op, by the reference's arithmetic. */
template <class Code>
static void fill_multipliers(binary_code<Code> *rule, const waio_cuda_params params[3])
{
    float a = params[0].scale, b = params[1].scale, out = params[2].scale;
    double twice = 2 * fmax((double)a, (double)b);

    rule->left = sizeof(Code) == 1 ? 20 : 15;
    rule->real_a = (double)a / twice;
    rule->real_b = (double)b / twice;
    rule->real_out = twice / ((double)(1 << rule->left) * (double)out);
    if (rule->op == WAIO_CUDA_MUL && rule->rounding == WAIO_REQUANT_TFLITE)
        rule->real_out = (double)(a * b / out);
    else if (rule->op == WAIO_CUDA_MUL)
        rule->real_out = (double)a * (double)b / (double)out;
    rule->m_a = waio_multiplier_of(rule->real_a);
    rule->m_b = waio_multiplier_of(rule->real_b);
    rule->m_out = waio_multiplier_of(rule->real_out);
}

extern "C" cudaError_t waio_cuda_binary_q(void *dst, const void *a, const void *b,
                                          const waio_cuda_binary *layer,
                                          const waio_cuda_params params[3], waio_requant requant,
                                          cudaStream_t stream)
{
    if (params[0].bytes != params[2].bytes || params[1].bytes != params[2].bytes)
        return cudaErrorInvalidValue;
    return waio_by_bytes(params[2].bytes, [&](auto code) {
        typedef decltype(code) Code;
        binary_code<Code> rule = {};
        rule.op = layer->op;
        rule.rounding = requant;
        rule.zero_a = params[0].zero_point;
        rule.zero_b = params[1].zero_point;
        rule.zero_out = params[2].zero_point;
        rule.lo = params[2].lo;
        rule.hi = params[2].hi;
        fill_multipliers(&rule, params);
        return run((Code *)dst, (const Code *)a, (const Code *)b, layer, rule, stream);
    });
}
