/* SQuant's rounding (kernels/squant.h): the codes that the host's loops give, weight by weight. One
 * block a channel.
 *
 * A thread takes a kernel (stage K), finds the weights to flip one after the other, each the
 * largest key below the last, and notes which weight it leaves open. Stage C needs the n-th largest
 * key of the channel, which a radix search finds in eight passes over the keys, a byte each. Keys
 * are made anew from the weights whenever they are looked at: they are cached, and nothing need be
 * kept but a pair of words a kernel.
 *
 * Key: the priority's bits, which sort as numbers >= 0 do, above the weight's place counted from
 * the end, so that the earlier weight comes first at ties. Places run as the method has them: input
 * channel by input channel. */
#include "kernels/elementwise.cuh"
#include "kernels/kernels.h"

enum { SQUANT_THREADS = 256, SQUANT_WARPS = SQUANT_THREADS / 32, SQUANT_BINS = 256 };

/* The weight that a kernel leaves open to stage C. */
struct squant_open {
    float priority;
    int32_t position; /* times 2, + 1 for a flip up */
};

struct squant_channel {
    const float *weight;
    float *code;
    squant_open *open; /* one an input; read if `kernels` */
    waio_squant_grid grid;
    int positions, inputs;
    bool kernels; /* stage K has run */
};

struct squant_shared {
    double sum[SQUANT_WARPS];
    unsigned bin[SQUANT_BINS];
    unsigned long long prefix;
    unsigned rest;
};

static __device__ float squant_place(const squant_channel &c, int position, int input)
{
    return waio_squant_place(c.weight[(size_t)position * c.inputs + input], c.grid);
}

/* Priority of a flip after stage E. */
static __device__ float squant_priority(float x, bool up, waio_squant_grid grid)
{
    const float error = waio_round_half_even(x) - x;
    return waio_squant_flipped(x, up, grid).possible ? fabsf(error) : 0.0f;
}

static __device__ unsigned long long squant_key(float priority, unsigned place)
{
    return (unsigned long long)__float_as_uint(priority) << 32 | (0xffffffffu - place);
}

/* ---- stage K: one kernel, one thread ---- */

static __device__ unsigned long long squant_kernel_key(const squant_channel &c, int position,
                                                       int input, bool up)
{
    return squant_key(squant_priority(squant_place(c, position, input), up, c.grid),
                      (unsigned)position);
}

/* The largest key below `bound`; 0 if there is none. */
static __device__ unsigned long long squant_next(const squant_channel &c, int input, bool up,
                                                 unsigned long long bound)
{
    unsigned long long best = 0;

    for (int p = 0; p < c.positions; p++) {
        const unsigned long long key = squant_kernel_key(c, p, input, up);
        if (key < bound && key > best)
            best = key;
    }
    return best;
}

/* The last key in order. */
static __device__ unsigned long long squant_least(const squant_channel &c, int input, bool up)
{
    unsigned long long least = ~0ull;

    for (int p = 0; p < c.positions; p++) {
        const unsigned long long key = squant_kernel_key(c, p, input, up);
        least = key < least ? key : least;
    }
    return least;
}

/* Rounds kernel `input`; returns the sum of its errors afterwards. */
static __device__ double squant_round_kernel(const squant_channel &c, int input)
{
    double sum = 0, left = 0;

    for (int p = 0; p < c.positions; p++) {
        const float x = squant_place(c, p, input);
        sum += waio_squant_term(waio_round_half_even(x) - x);
    }
    const float rounded = (float)sum;
    const bool up = rounded < 0;
    const int flips = waio_squant_flips(rounded);
    const bool enough = (float)flips >= fabsf(rounded);
    unsigned long long last = ~0ull; /* of those that are flipped */
    for (int k = 0; k < flips && k < c.positions; k++)
        last = squant_next(c, input, up, last);
    unsigned long long open = last;
    if (!enough)
        open = squant_next(c, input, up, last);
    else if (flips == 0)
        open = squant_least(c, input, up);
    const int open_position = (int)(0xffffffffu - (unsigned)open);
    float open_error = 0;
    for (int p = 0; p < c.positions; p++) {
        const float x = squant_place(c, p, input);
        float code = waio_round_half_even(x), error = code - x;
        if (flips > 0 && squant_kernel_key(c, p, input, up) >= last) {
            const waio_squant_flip flip = waio_squant_flipped(x, up, c.grid);
            code = flip.code;
            error = flip.error;
        }
        c.code[(size_t)p * c.inputs + input] = code;
        left += waio_squant_term(error);
        if (p == open_position)
            open_error = error;
    }
    c.open[input] = {fabsf(open_error), 2 * open_position + (enough ? !up : up)};
    return left;
}

/* Rounds every weight to its nearest; returns the sum of this thread's errors. */
static __device__ double squant_round_elements(const squant_channel &c)
{
    double sum = 0;

    for (int i = (int)threadIdx.x; i < c.positions * c.inputs; i += SQUANT_THREADS) {
        const float x = waio_squant_place(c.weight[i], c.grid), code = waio_round_half_even(x);
        c.code[i] = code;
        sum += waio_squant_term(code - x);
    }
    return sum;
}

/* ---- stage C: a block ---- */

/* Key of weight `i`, counted as memory has it. */
static __device__ unsigned long long squant_channel_key(const squant_channel &c, int i, bool up)
{
    const int position = i / c.inputs, input = i % c.inputs;
    float priority = 0;

    if (!c.kernels)
        priority = squant_priority(waio_squant_place(c.weight[i], c.grid), up, c.grid);
    else if (c.open[input].position == 2 * position + up)
        priority = c.open[input].priority;
    return squant_key(priority, (unsigned)(input * c.positions + position));
}

/* The sum over the block, known to all: exact, so that its order does not matter. Behind its
 * barrier codes and open weights may be other threads'. */
static __device__ double squant_block_sum(double x, squant_shared *shared)
{
    for (int d = 16; d > 0; d /= 2)
        x += __shfl_down_sync(0xffffffffu, x, d);
    if (threadIdx.x % 32 == 0)
        shared->sum[threadIdx.x / 32] = x;
    __syncthreads();
    x = 0;
    for (int w = 0; w < SQUANT_WARPS; w++)
        x += shared->sum[w];
    return x;
}

/* One warp: the bin, from the highest, with the `rest`-th key; what is left of `rest` in it. */
static __device__ void squant_choose_bin(squant_shared *shared)
{
    enum { EACH = SQUANT_BINS / 32 };
    const int lane = (int)threadIdx.x, top = SQUANT_BINS - 1 - EACH * lane;
    const unsigned rest = shared->rest;
    const unsigned long long prefix = shared->prefix;
    unsigned own = 0, before = 0;

    for (int k = 0; k < EACH; k++)
        own += shared->bin[top - k];
    unsigned through = own; /* keys in the bins of this and of lower lanes */
    for (int d = 1; d < 32; d *= 2) {
        const unsigned other = __shfl_up_sync(0xffffffffu, through, d);
        through += lane >= d ? other : 0;
    }
    before = through - own;
    __syncwarp();
    if (before < rest && rest <= through) {
        int k = 0;
        for (; before + shared->bin[top - k] < rest; k++)
            before += shared->bin[top - k];
        shared->prefix = prefix << 8 | (unsigned)(top - k);
        shared->rest = rest - before;
    }
}

/* The `count`-th largest key of the channel, 1 <= count <= its weights. */
static __device__ unsigned long long squant_nth_key(const squant_channel &c, bool up, int count,
                                                    squant_shared *shared)
{
    if (threadIdx.x == 0) {
        shared->prefix = 0;
        shared->rest = (unsigned)count;
    }
    for (int shift = 56; shift >= 0; shift -= 8) {
        for (int b = (int)threadIdx.x; b < SQUANT_BINS; b += SQUANT_THREADS)
            shared->bin[b] = 0;
        __syncthreads();
        const unsigned long long prefix = shared->prefix;
        for (int i = (int)threadIdx.x; i < c.positions * c.inputs; i += SQUANT_THREADS) {
            const unsigned long long key = squant_channel_key(c, i, up);
            if (shift == 56 || key >> (shift + 8) == prefix)
                atomicAdd(&shared->bin[key >> shift & 0xff], 1u);
        }
        __syncthreads();
        if (threadIdx.x < 32)
            squant_choose_bin(shared);
        __syncthreads();
    }
    return shared->prefix;
}

static __device__ void squant_round_channel(const squant_channel &c, double sum,
                                            squant_shared *shared)
{
    const int count = c.positions * c.inputs;
    const float rounded = (float)squant_block_sum(sum, shared);
    const bool up = rounded < 0;
    const int wanted = waio_squant_flips(rounded), flips = wanted < count ? wanted : count;

    if (flips == 0)
        return;
    const unsigned long long last = squant_nth_key(c, up, flips, shared);
    for (int i = (int)threadIdx.x; i < count; i += SQUANT_THREADS)
        if (squant_channel_key(c, i, up) >= last)
            c.code[i] =
                waio_squant_flipped(waio_squant_place(c.weight[i], c.grid), up, c.grid).code;
}

/* ---- the kernel ---- */

struct squant_tensor {
    float *code;
    const float *weight;
    const waio_squant_grid *grid;
    squant_open *open;
    int positions, inputs;
    bool one_grid, kernels, channels;
};

static __global__ void __launch_bounds__(SQUANT_THREADS)
    squant_kernel(const __grid_constant__ squant_tensor t)
{
    WAIO_SHARED(squant_shared, shared);
    const size_t first = (size_t)blockIdx.x * t.positions * t.inputs;
    const squant_channel c = {t.weight + first,
                              t.code + first,
                              t.open + (size_t)blockIdx.x * t.inputs,
                              t.grid[t.one_grid ? 0 : blockIdx.x],
                              t.positions,
                              t.inputs,
                              t.kernels};
    double sum = 0;

    if (!t.kernels)
        sum = squant_round_elements(c);
    else
        for (int i = (int)threadIdx.x; i < t.inputs; i += SQUANT_THREADS)
            sum += squant_round_kernel(c, i);
    if (t.channels)
        squant_round_channel(c, sum, shared);
    __syncthreads();
    for (int i = (int)threadIdx.x; i < t.positions * t.inputs; i += SQUANT_THREADS)
        c.code[i] = waio_clampf(c.code[i], c.grid.lo, c.grid.hi);
}

extern "C" size_t waio_cuda_squant_scratch(waio_squant_shape shape)
{
    return shape.positions > 1 ? (size_t)(shape.channels * shape.inputs) * sizeof(squant_open) : 0;
}

extern "C" cudaError_t waio_cuda_squant(float *code, void *scratch, const float *weight,
                                        waio_squant_shape shape, const waio_squant_grid *grid,
                                        int64_t grid_count, waio_squant_stages stages,
                                        cudaStream_t stream)
{
    const bool kernels = stages.kernel && shape.positions > 1;

    if (shape.channels < 0 || shape.positions < 0 || shape.inputs < 0)
        return cudaErrorInvalidValue;
    if (shape.channels == 0 || shape.positions == 0 || shape.inputs == 0)
        return cudaSuccess;
    if (!code || !weight || !grid || (kernels && !scratch) ||
        (grid_count != 1 && grid_count != shape.channels))
        return cudaErrorInvalidValue;
    if (shape.positions > WAIO_SQUANT_EXACT || shape.inputs > WAIO_SQUANT_EXACT ||
        shape.positions * shape.inputs > WAIO_SQUANT_EXACT || shape.channels > INT32_MAX)
        return cudaErrorNotSupported;
    const squant_tensor tensor = {code,
                                  weight,
                                  grid,
                                  static_cast<squant_open *>(scratch),
                                  (int)shape.positions,
                                  (int)shape.inputs,
                                  grid_count == 1,
                                  kernels,
                                  stages.channel};
    return waio_launch(squant_kernel, dim3((unsigned)shape.channels), dim3(SQUANT_THREADS),
                       sizeof(squant_shared), stream, tensor);
}
