/* Softmax over the last dimension. A row belongs to a team: a warp, or a block where it is long.
 * Each lane takes every 32nd (256th) element, in order; lanes are added as a tree, so that a sum's
 * order depends on the width alone. Exponentials are made twice rather than kept. */
#include "kernels/exp.cuh"
#include "kernels/layer.cuh"
#include "kernels/qexp.h"

enum { SOFTMAX_THREADS = 256, SOFTMAX_WARPS = SOFTMAX_THREADS / 32, SOFTMAX_LONG = 2048 };

/* ---- teams ---- */

struct row_sum {
    int64_t sum;

    __device__ void add(const row_sum &other)
    {
        sum += other.sum;
    }
};

struct largest_f32 {
    float top;

    __device__ void add(const largest_f32 &other)
    {
        top = other.top > top ? other.top : top;
    }
};

struct largest_s32 {
    int32_t top;

    __device__ void add(const largest_s32 &other)
    {
        top = max(top, other.top);
    }
};

/* Another lane's x, by words. */
template <class T> static __device__ __forceinline__ T from_lane(const T &x, int lane)
{
    int word[sizeof(T) / sizeof(int)];

    memcpy(word, &x, sizeof x);
    for (size_t w = 0; w < sizeof word / sizeof *word; w++)
        word[w] = __shfl_sync(~0u, word[w], lane);
    T from;
    memcpy(&from, word, sizeof from);
    return from;
}

/* What the team's lanes add up to, for all of them: lane 0's tree, then warp by warp. `shared` has
 * a place per warp, free again behind the call. */
template <int TEAM, class T> static __device__ T team_total(T x, T *shared)
{
    const int lane = threadIdx.x % 32;

    for (int by = 16; by > 0; by /= 2)
        x.add(from_lane(x, (lane + by) % 32));
    if (TEAM == 32)
        return from_lane(x, 0);
    if (lane == 0)
        shared[threadIdx.x / 32] = x;
    __syncthreads();
    x = shared[0];
    for (int w = 1; w < SOFTMAX_WARPS; w++)
        x.add(shared[w]);
    __syncthreads();
    return x;
}

/* A team's row and a thread's place in it; past the last row, an empty one. */
template <int TEAM> struct team_row {
    int64_t at;
    uint32_t lane, width;

    __device__ team_row(uint32_t rows, uint32_t row_width)
    {
        uint32_t row = blockIdx.x * (SOFTMAX_THREADS / TEAM) + threadIdx.x / TEAM;
        at = (int64_t)row * row_width;
        lane = threadIdx.x % TEAM;
        width = row < rows ? row_width : 0;
    }
};

/* ---- float ---- */

/* e^(x - top), the difference with what its rounding loses. */
static __device__ __forceinline__ float exp_below(float x, float top)
{
    float d = x - top, taken = x - d; /* top, but for the rounding */
    return waio_exp_f32(d, (x - (d + taken)) + (taken - top));
}

template <int TEAM>
static __global__ void __launch_bounds__(SOFTMAX_THREADS)
    softmax_f32_kernel(float *dst, const float *src, uint32_t rows, uint32_t row_width,
                       finish_f32 finish)
{
    WAIO_SHARED(waio_sum_f32, shared);
    team_row<TEAM> row(rows, row_width);
    const float *x = src + row.at;
    largest_f32 top = {-INFINITY};
    waio_sum_f32 sum = {0, 0};

    for (uint32_t i = row.lane; i < row.width; i += TEAM) {
        largest_f32 one = {x[i]};
        top.add(one);
    }
    top = team_total<TEAM>(top, reinterpret_cast<largest_f32 *>(shared));
    for (uint32_t i = row.lane; i < row.width; i += TEAM)
        sum.add(exp_below(x[i], top.top));
    float total = team_total<TEAM>(sum, shared).value();
    for (uint32_t i = row.lane; i < row.width; i += TEAM)
        dst[row.at + i] = finish(exp_below(x[i], top.top) / total);
}

/* ---- codes: the steps of the reference, which are those of TensorFlow Lite ---- */

struct softmax_shared {
    waio_cuda_softmax_tables tables;
    int64_t team[SOFTMAX_WARPS];
};

/* The 32 bits of a sum; one that has more goes to `lost`. */
static __device__ uint32_t narrow(int64_t sum, int *lost)
{
    if (sum <= INT32_MAX)
        return (uint32_t)sum;
    if (lost)
        atomicExch(lost, 1);
    return INT32_MAX;
}

struct softmax_qs8 {
    typedef int8_t code;
    finish_code<int8_t> finish;
    int32_t reciprocal, shift; /* of the row's sum */

    enum { FIRST_WORD = 0, WORDS = 256 }; /* of the tables */

    __device__ int32_t exponential(const waio_cuda_softmax_tables &t, int32_t top, int32_t x) const
    {
        return t.exp_8[top - x];
    }

    __device__ int64_t summand(int32_t y) const
    {
        return waio_rounding_divide_by_power_of_two(y, 12); /* in units of 2^-19 */
    }

    __device__ void take_sum(const waio_cuda_softmax_tables &, uint32_t sum)
    {
        int zeros = __clz((int)sum);
        int32_t over_one = (int32_t)((sum << zeros) - (UINT32_C(1) << 31)); /* sum / 2^n - 1 */
        reciprocal = waio_reciprocal_of_one_plus(over_one);
        shift = 12 - zeros + 31 - 8;
    }

    __device__ int8_t result(int32_t exponential) const
    {
        int32_t y = waio_saturating_rounding_doubling_high_mul(reciprocal, exponential);
        y = shift > 31 ? 0 : waio_rounding_divide_by_power_of_two(y, shift);
        return finish(waio_clampi(y - 128, -128, 127));
    }
};

/* A table of 513 samples over all codes, with lines between them. */
static __device__ __forceinline__ int32_t look_up(const int16_t *table, int32_t code)
{
    int32_t at = code + 32768, base = table[at >> 7], slope = table[(at >> 7) + 1] - base;
    return base + ((slope * (at & 127) + 64) >> 7);
}

struct softmax_qs16 {
    typedef int16_t code;
    finish_code<int16_t> finish;
    requantizer to_tenths; /* distances to codes of [-10, 0] */
    int32_t scale, shift;  /* of the row's sum */

    enum { FIRST_WORD = 256, WORDS = 513 };

    __device__ int32_t exponential(const waio_cuda_softmax_tables &t, int32_t top, int32_t x) const
    {
        return look_up(t.exp, waio_finish_code(to_tenths(x - top), 32767, -32768, 32767));
    }

    __device__ int64_t summand(int32_t y) const
    {
        return y;
    }

    __device__ void take_sum(const waio_cuda_softmax_tables &t, uint32_t sum)
    {
        int zeros = __clz((int)sum);
        int64_t shifted = (((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14;
        int32_t at = (int32_t)(shifted - (1 << 15) - (1 << 16));
        scale = look_up(t.reciprocal, waio_clampi(at, -32768, 32767));
        shift = 31 - zeros;
    }

    __device__ int16_t result(int32_t exponential) const
    {
        int64_t y = ((int64_t)exponential * scale + (INT64_C(1) << (shift - 1))) >> shift;
        return finish(y < 0 ? 0 : y > 32767 ? 32767 : (int32_t)y);
    }
};

template <class Rule, int TEAM>
static __global__ void __launch_bounds__(SOFTMAX_THREADS)
    softmax_code_kernel(typename Rule::code *dst, const typename Rule::code *src, uint32_t rows,
                        uint32_t row_width, const waio_cuda_softmax_tables *tables, int *lost,
                        Rule rule)
{
    WAIO_SHARED(softmax_shared, shared);
    team_row<TEAM> row(rows, row_width);
    const typename Rule::code *x = src + row.at;
    largest_s32 top = {INT32_MIN};
    row_sum sum = {0};

    for (int w = Rule::FIRST_WORD + (int)threadIdx.x; w < Rule::FIRST_WORD + Rule::WORDS;
         w += SOFTMAX_THREADS)
        reinterpret_cast<int32_t *>(&shared->tables)[w] =
            reinterpret_cast<const int32_t *>(tables)[w];
    for (uint32_t i = row.lane; i < row.width; i += TEAM)
        top.top = max(top.top, (int32_t)x[i]);
    top = team_total<TEAM>(top, reinterpret_cast<largest_s32 *>(shared->team));
    __syncthreads();
    for (uint32_t i = row.lane; i < row.width; i += TEAM)
        sum.sum += rule.summand(rule.exponential(shared->tables, top.top, x[i]));
    sum = team_total<TEAM>(sum, reinterpret_cast<row_sum *>(shared->team));
    if (row.width == 0)
        return;
    rule.take_sum(shared->tables, narrow(sum.sum, lost));
    for (uint32_t i = row.lane; i < row.width; i += TEAM)
        dst[row.at + i] = rule.result(rule.exponential(shared->tables, top.top, x[i]));
}

/* ---- launchers ---- */

static cudaError_t check(const void *dst, const void *src, int64_t rows, int64_t width)
{
    waio_cuda_shape shape = {2, {rows, width}};
    cudaError_t error = waio_cuda_check_count(waio_cuda_count(&shape));

    return error == cudaSuccess && (!dst || !src) ? cudaErrorInvalidValue : error;
}

static dim3 grid_of(int64_t rows, int64_t width)
{
    int64_t teams = width >= SOFTMAX_LONG ? 1 : SOFTMAX_WARPS;
    return dim3((unsigned)((rows + teams - 1) / teams));
}

extern "C" cudaError_t waio_cuda_softmax_f32(float *dst, const float *src, int64_t rows,
                                             int64_t width, const waio_cuda_finish *finish,
                                             cudaStream_t stream)
{
    cudaError_t error = rows == 0 ? cudaSuccess : check(dst, src, rows, width);

    if (rows == 0 || error != cudaSuccess)
        return error;
    return waio_launch(
        width >= SOFTMAX_LONG ? softmax_f32_kernel<SOFTMAX_THREADS> : softmax_f32_kernel<32>,
        grid_of(rows, width), dim3(SOFTMAX_THREADS), SOFTMAX_WARPS * sizeof(waio_sum_f32), stream,
        dst, src, (uint32_t)rows, (uint32_t)width, finish_f32{*finish});
}

template <class Rule>
static cudaError_t run(void *dst, const void *src, int64_t rows, int64_t width,
                       const waio_cuda_softmax_tables *tables, int *lost, const Rule &rule,
                       cudaStream_t stream)
{
    return waio_launch(width >= SOFTMAX_LONG ? softmax_code_kernel<Rule, SOFTMAX_THREADS>
                                             : softmax_code_kernel<Rule, 32>,
                       grid_of(rows, width), dim3(SOFTMAX_THREADS), sizeof(softmax_shared), stream,
                       (typename Rule::code *)dst, (const typename Rule::code *)src, (uint32_t)rows,
                       (uint32_t)width, tables, lost, rule);
}

extern "C" cudaError_t waio_cuda_softmax_q(void *dst, const void *src, int64_t rows, int64_t width,
                                           const waio_cuda_params params[2], waio_requant requant,
                                           const waio_cuda_softmax_tables *tables, int *lost,
                                           cudaStream_t stream)
{
    const waio_cuda_params *out = &params[1];
    cudaError_t error = rows == 0 ? cudaSuccess : check(dst, src, rows, width);

    if (rows == 0 || error != cudaSuccess)
        return error;
    if (!tables || params[0].bytes != out->bytes)
        return cudaErrorInvalidValue;
    if (out->bytes == 1) {
        softmax_qs8 rule = {{out->lo, out->hi}, 0, 0};
        return run(dst, src, rows, width, tables, lost, rule, stream);
    }
    if (out->bytes != 2)
        return cudaErrorInvalidValue;
    double real = (double)params[0].scale / (10.0 / 65535);
    softmax_qs16 rule = {{out->lo, out->hi}, waio_requantizer_of(real, requant), 0, 0};
    return run(dst, src, rows, width, tables, lost, rule, stream);
}
