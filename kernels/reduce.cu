/* Mean and sum over whole axes. Neighbouring dimensions that are both kept or both summed over are
 * one; at most three of each kind are left. A block of 32 x 8 threads makes the results of 32 or 8
 * cells; each sum is cut into 8 or 32 interleaved slices, one per thread, so that neighbouring
 * threads read neighbouring elements whether the last dimension is kept or not. Slices are added as
 * a tree: the order of a sum depends on its shape alone. */
#include "kernels/layer.cuh"

enum { REDUCE_LANES = 32, REDUCE_WARPS = 8, REDUCE_GROUPS = WAIO_CUDA_MAX_RANK / 2 };

/* ---- rules: what a sum is, and what becomes of it ---- */

struct reduce_f32 {
    typedef float in;
    typedef float out;
    typedef waio_sum_f32 sum;
    float divisor;
    finish_f32 finish_one;

    __device__ float finish(const sum &s) const
    {
        return finish_one(s.value() / divisor);
    }
};

/* A sum of codes, as one that the kernel adds to. */
struct sum_s64 {
    int64_t sum;

    __device__ void add(int64_t x)
    {
        sum += x;
    }
    __device__ void add(const sum_s64 &other)
    {
        sum += other.sum;
    }
};

template <class Code> struct reduce_code {
    typedef Code in;
    typedef Code out;
    typedef sum_s64 sum;
    int64_t zero_in; /* of all cells */
    int32_t zero_out, lo, hi;
    requantizer requantize;
    int *lost;

    __device__ Code finish(const sum &s) const
    {
        int64_t exact = s.sum - zero_in;
        int32_t narrow = exact < INT32_MIN   ? INT32_MIN
                         : exact > INT32_MAX ? INT32_MAX
                                             : (int32_t)exact;
        if (narrow != exact && lost)
            atomicExch(lost, 1);
        return (Code)waio_finish_code(requantize(narrow), zero_out, lo, hi);
    }
};

/* ---- kernel ---- */

/* Dimensions of one kind, the last one in [REDUCE_GROUPS - 1], 1 in front of the first. */
struct reduce_group {
    uint32_t dim[REDUCE_GROUPS], step[REDUCE_GROUPS];

    __device__ uint32_t offset(uint32_t index) const
    {
        uint32_t offset = 0;
#pragma unroll
        for (int d = REDUCE_GROUPS - 1; d >= 0; d--) {
            if (d == 0 || dim[d - 1] == 1) /* nothing in front: no remainder to take */
                return offset + index * step[d];
            offset += index % dim[d] * step[d];
            index /= dim[d];
        }
        return offset;
    }
};

/* ACROSS: a warp's lanes are neighbouring results, its number is the slice; else the lane is. */
template <class Rule, bool ACROSS>
static __global__ void __launch_bounds__(REDUCE_LANES *REDUCE_WARPS)
    reduce_kernel(typename Rule::out *dst, const typename Rule::in *src, uint32_t outputs,
                  uint32_t cells, reduce_group kept, reduce_group summed, Rule rule)
{
    const uint32_t slices = ACROSS ? REDUCE_WARPS : REDUCE_LANES;
    const uint32_t results = ACROSS ? REDUCE_LANES : REDUCE_WARPS;
    const uint32_t warp = threadIdx.x / REDUCE_LANES, lane = threadIdx.x % REDUCE_LANES;
    const uint32_t slice = ACROSS ? warp : lane, result = ACROSS ? lane : warp;
    const uint32_t output = blockIdx.x * results + result;
    const uint32_t to_next_slice = ACROSS ? REDUCE_LANES : 1; /* in threads */
    WAIO_SHARED(typename Rule::sum, shared);                  /* one per thread */
    typename Rule::sum sum = {};

    if (output < outputs) {
        const typename Rule::in *x = src + kept.offset(output);
        for (uint32_t i = slice; i < cells; i += slices)
            sum.add(x[summed.offset(i)]);
    }
    shared[threadIdx.x] = sum;
    for (uint32_t half = slices / 2; half > 0; half /= 2) {
        __syncthreads();
        if (slice < half) {
            sum.add(shared[threadIdx.x + half * to_next_slice]);
            shared[threadIdx.x] = sum;
        }
    }
    if (slice == 0 && output < outputs)
        dst[output] = rule.finish(sum);
}

/* ---- launchers ---- */

/* The dimensions of a call, in groups. */
struct reduce_plan {
    reduce_group kept, summed;
    int64_t outputs, cells;
    bool last_kept;
};

/* Merges dimension `size` with the steps `step` into group[*at], or into the one in front of it if
 * the dimension behind was of the other kind. */
static void add_dim(reduce_group *group, int *at, bool joins, int64_t size, int64_t step)
{
    if (!joins) {
        --*at;
        group->step[*at] = (uint32_t)step;
    }
    group->dim[*at] *= (uint32_t)size;
}

static void plan_of(reduce_plan *plan, const waio_cuda_reduce *layer)
{
    int at[2] = {REDUCE_GROUPS, REDUCE_GROUPS}, last = -1;
    int64_t step = 1;

    plan->outputs = plan->cells = 1;
    for (int d = 0; d < REDUCE_GROUPS; d++) {
        plan->kept.dim[d] = plan->summed.dim[d] = 1;
        plan->kept.step[d] = plan->summed.step[d] = 0;
    }
    plan->last_kept = true;
    for (int d = layer->in.rank - 1; d >= 0; d--) {
        int64_t size = layer->in.dim[d];
        int summed = layer->axes >> d & 1u;
        *(summed ? &plan->cells : &plan->outputs) *= size;
        if (size == 1)
            continue;
        if (last < 0)
            plan->last_kept = !summed;
        add_dim(summed ? &plan->summed : &plan->kept, &at[summed], last == summed, size, step);
        last = summed;
        step *= size;
    }
}

template <class Rule, class T>
static cudaError_t run(T *dst, const T *src, const reduce_plan *plan, const Rule &rule,
                       cudaStream_t stream)
{
    int64_t results = plan->last_kept ? REDUCE_LANES : REDUCE_WARPS;

    return waio_launch(plan->last_kept ? reduce_kernel<Rule, true> : reduce_kernel<Rule, false>,
                       dim3((unsigned)((plan->outputs + results - 1) / results)),
                       dim3(REDUCE_LANES * REDUCE_WARPS),
                       REDUCE_LANES * REDUCE_WARPS * sizeof(typename Rule::sum), stream, dst, src,
                       (uint32_t)plan->outputs, (uint32_t)plan->cells, plan->kept, plan->summed,
                       rule);
}

static cudaError_t check(const void *dst, const void *src, const waio_cuda_reduce *layer)
{
    cudaError_t error = waio_cuda_check_count(waio_cuda_count(&layer->in));

    if (error == cudaSuccess && (!dst || !src || layer->axes >> layer->in.rank))
        return cudaErrorInvalidValue;
    return error;
}

extern "C" cudaError_t waio_cuda_reduce_f32(float *dst, const float *src,
                                            const waio_cuda_reduce *layer,
                                            const waio_cuda_finish *finish, cudaStream_t stream)
{
    cudaError_t error = check(dst, src, layer);
    reduce_plan plan;

    if (error != cudaSuccess)
        return error;
    plan_of(&plan, layer);
    reduce_f32 rule = {layer->mean ? (float)plan.cells : 1.0f, {*finish}};
    return run(dst, src, &plan, rule, stream);
}

/* The multiplier divided by n cells, with as many bits kept as 32 hold: the reference's. */
static waio_multiplier divide_multiplier(waio_multiplier m, int64_t n)
{
    int shift = 0;

    while (n >> (shift + 1))
        shift++;
    shift = shift < 32 ? shift : 32;
    shift = shift < 31 + m.shift ? shift : 31 + m.shift;
    waio_multiplier divided = {(int32_t)(((int64_t)m.m << shift) / n), m.shift - shift};
    return divided;
}

extern "C" cudaError_t waio_cuda_reduce_q(void *dst, const void *src, const waio_cuda_reduce *layer,
                                          const waio_cuda_params params[2], waio_requant requant,
                                          int *lost, cudaStream_t stream)
{
    const waio_cuda_params *in = &params[0], *out = &params[1];
    cudaError_t error = check(dst, src, layer);
    double ratio = (double)in->scale / (double)out->scale;
    reduce_plan plan;

    if (error != cudaSuccess)
        return error;
    if (in->bytes != out->bytes)
        return cudaErrorInvalidValue;
    plan_of(&plan, layer);
    requantizer to = waio_requantizer_of(ratio, requant);
    to.real = ratio / (layer->mean ? (double)plan.cells : 1.0);
    if (layer->mean)
        to.multiplier = divide_multiplier(to.multiplier, plan.cells);
    return waio_by_bytes(out->bytes, [&](auto code) {
        typedef decltype(code) Code;
        reduce_code<Code> rule = {
            in->zero_point * plan.cells, out->zero_point, out->lo, out->hi, to, lost};
        return run((Code *)dst, (const Code *)src, &plan, rule, stream);
    });
}
