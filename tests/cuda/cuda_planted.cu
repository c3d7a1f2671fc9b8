/* Small kernels of every kind, with one fault each where PLANTED says so (planted.h). The right
 * version of all is PLANTED_NOTHING. */
#include "kernels/ptx.cuh"

#include "cuda/planted.h"

/* ---- block sums through shared memory ---- */

static __device__ void load_tile(int *s, const int *x, int i, int count)
{
    int t = (int)threadIdx.x;
#if PLANTED == PLANTED_GLOBAL_PAST_END
    int value = x[i];
    s[t] = i < count ? value : 0;
#elif PLANTED == PLANTED_TAIL_UNINITIALISED
    if (i < count)
        s[t] = x[i];
#else
    s[t] = i < count ? x[i] : 0;
#endif
}

static __global__ void sum_kernel(int *sums, int *total, const int *x, int count)
{
    WAIO_SHARED(int, s);
    int t = (int)threadIdx.x, i = (int)(blockIdx.x * blockDim.x) + t;

#if PLANTED == PLANTED_EARLY_RETURN
    if (i >= count)
        return;
#endif
    load_tile(s, x, i, count);
#if PLANTED == PLANTED_TWO_BARRIERS
    if (t < 32)
        __syncthreads();
    else
        __syncthreads();
#elif PLANTED != PLANTED_NO_BARRIER
    __syncthreads();
#endif
    for (int d = PLANTED_THREADS / 2; d > 0; d /= 2) {
#if PLANTED == PLANTED_BARRIER_IN_BRANCH
        if (t < d) {
            s[t] += s[t + d];
            __syncthreads();
        }
#elif PLANTED == PLANTED_SHARED_PAST_END
        int other = *const_cast<volatile int *>(s + t + d); /* also where t >= d */
        if (t < d)
            s[t] += other;
        __syncthreads();
#else
        if (t < d)
            s[t] += s[t + d];
        __syncthreads();
#endif
    }
#if PLANTED == PLANTED_READ_BY_TWO_WARPS
    int value = s[0];
    __syncwarp(); /* orders the reads of one warp, not those of the other */
    if (t == PLANTED_THREADS - 1)
        s[0] = value;
#endif
    if (t == 0) {
        sums[blockIdx.x] = s[0];
#if PLANTED == PLANTED_NO_ATOMICS
        *total += s[0];
#else
        atomicAdd(total, s[0]);
#endif
    }
}

static cudaError_t run_sum(int *sums, int *total, const int *x, int count)
{
    size_t shared = PLANTED_THREADS * sizeof(int);
#if PLANTED == PLANTED_TOO_MUCH_SHARED
    shared = (48 << 10) + 1;
#endif
    return waio_launch(sum_kernel, (unsigned)((count + PLANTED_THREADS - 1) / PLANTED_THREADS),
                       PLANTED_THREADS, shared, NULL, sums, total, x, count);
}

/* ---- a warp at a time ---- */

static __device__ int warp_exchange(int value)
{
    const int lane = (int)threadIdx.x;
    (void)lane;
#if PLANTED == PLANTED_SHUFFLE_IN_BRANCH
    int other = 0;
    if (lane < 16)
        other = __shfl_xor_sync(0xffffffffu, value, 1);
    __syncthreads();
    return other;
#elif PLANTED == PLANTED_SHUFFLE_OUTSIDE_MASK
    return lane % 2 ? value : __shfl_xor_sync(0x55555555u, value, 1);
#elif PLANTED == PLANTED_NOT_IN_OWN_MASK
    return __shfl_xor_sync(0xfffffff0u, value, 1);
#elif PLANTED == PLANTED_TWO_MASKS
    int other = __shfl_xor_sync(lane < 16 ? 0xffffffffu : 0xffff0000u, value, 1);
    __syncwarp();
    return other;
#else
    return __shfl_xor_sync(0xffffffffu, value, 1);
#endif
}

static __global__ void warp_kernel(int *sums, int *turned, int *swapped, const int *x)
{
    WAIO_SHARED(int, s);
    int lane = (int)threadIdx.x, i = (int)blockIdx.x * 32 + lane;

    s[lane] = x[i];
#if PLANTED != PLANTED_NO_SYNCWARP
    __syncwarp();
#endif
    turned[i] = s[31 - lane];
    __syncwarp();
    for (int d = 16; d > 0; d /= 2) {
        if (lane < d)
            s[lane] += s[lane + d];
#if PLANTED != PLANTED_WARP_SYNCHRONOUS
        __syncwarp();
#endif
    }
    if (lane == 0)
        sums[blockIdx.x] = s[0];
    swapped[i] = warp_exchange(x[i]);
}

static cudaError_t run_warp(int *sums, int *turned, int *swapped, const int *x, int blocks)
{
    return waio_launch(warp_kernel, (unsigned)blocks, 32, 32 * sizeof(int), NULL, sums, turned,
                       swapped, x);
}

/* ---- async copies ---- */

static __global__ void copy_kernel(uint4 *dst, const uint4 *src)
{
    WAIO_SHARED(uint4, s);
    int t = (int)threadIdx.x, other = (t + 32) % PLANTED_THREADS;

#if PLANTED == PLANTED_COPY_MISALIGNED
    waio_copy_async_16(reinterpret_cast<char *>(s + t) + 8, src + t, 16);
#else
    waio_copy_async_16(s + t, src + t, 16);
#endif
    waio_copy_commit();
#if PLANTED == PLANTED_READ_BEFORE_WAIT
    waio_st16(dst + other, waio_ld16(s + t));
    waio_copy_wait<0>();
#elif PLANTED == PLANTED_WAIT_WITHOUT_BARRIER
    waio_copy_wait<0>();
    waio_st16(dst + t, waio_ld16(s + other));
#elif PLANTED == PLANTED_NO_WAIT
    __syncthreads();
    waio_st16(dst + t, src[other]);
#else
    waio_copy_wait<0>();
    __syncthreads();
    waio_st16(dst + t, waio_ld16(s + other));
#endif
}

static cudaError_t run_copy(void *dst, const void *src)
{
    return waio_launch(copy_kernel, 1, PLANTED_THREADS, PLANTED_THREADS * sizeof(uint4), NULL,
                       static_cast<uint4 *>(dst), static_cast<const uint4 *>(src));
}

/* ---- a pipelined matrix product: tiles of 32 x 32, 64 bytes of k at a time, three stages ----
 * Two warps; each has 16 rows and all 32 columns. A stage's row is four chunks of 16 bytes, chunk c
 * of row r stands at c ^ (r >> 1 & 3), so that eight rows that ldmatrix reads lie in eight groups
 * of banks. */

enum { STAGES = 3, ROW_BYTES = 64, STAGE_BYTES = 2 * PLANTED_TILE * ROW_BYTES };

static __device__ int place_of(int row, int chunk)
{
#if PLANTED == PLANTED_GEMM_NO_SWIZZLE
    return row * ROW_BYTES + 16 * chunk;
#else
    return row * ROW_BYTES + 16 * (chunk ^ (row >> 1 & 3));
#endif
}

/* Rows first.. of a matrix of `rows` rows of k bytes, chunks of tile kt, into `stage`. */
static __device__ void load_rows(unsigned char *stage, const int8_t *x, int first, int rows, int k,
                                 int kt)
{
    for (int i = (int)threadIdx.x; i < PLANTED_TILE * 4; i += PLANTED_THREADS) {
        int row = i / 4, chunk = i % 4, at = kt * ROW_BYTES + 16 * chunk;
        bool inside = first + row < rows && at < k;
#if PLANTED == PLANTED_GEMM_ROWS_UNGUARDED
        inside = at < k;
#elif PLANTED == PLANTED_GEMM_TAIL_NOT_ZERO
        inside = first + row < rows;
#endif
        const int8_t *src = inside ? x + (size_t)(first + row) * (size_t)k + at : x;
        waio_copy_async_16_or_0(stage + place_of(row, chunk), src, inside);
    }
}

typedef struct operands {
    const int8_t *a, *b;
    int m, n, k, row, column; /* row, column: of the block's tile */
} operands;

static __device__ void load_stage(unsigned char *shared, const operands &o, int kt)
{
    unsigned char *stage = shared + kt % STAGES * STAGE_BYTES;

    if (kt * ROW_BYTES < o.k) {
        load_rows(stage, o.a, o.row, o.m, o.k, kt);
        load_rows(stage + STAGE_BYTES / 2, o.b, o.column, o.n, o.k, kt);
    }
    waio_copy_commit();
}

static __device__ void multiply_stage(int sum[4][4], const unsigned char *a, int warp, int lane)
{
    const unsigned char *b = a + STAGE_BYTES / 2;

    for (int step = 0; step < 2; step++) {
        unsigned ra[4], rb[2];
        int skew = PLANTED == PLANTED_GEMM_LDMATRIX_MISALIGNED ? 8 : 0;
        waio_ldmatrix<4>(ra, a + place_of(16 * warp + lane % 16, 2 * step + lane / 16) + skew);
        for (int tile = 0; tile < 4; tile++) {
            waio_ldmatrix<2>(rb, b + place_of(8 * tile + lane % 8, 2 * step + lane / 8 % 2));
            waio_mma_16x8x32<true, true>(sum[tile], ra, rb);
        }
    }
}

static __device__ void store_sums(int32_t *d, const operands &o, int sum[4][4], int warp, int lane)
{
    for (int tile = 0; tile < 4; tile++)
        for (int i = 0; i < 4; i++) {
            int m = o.row + 16 * warp + lane / 4 + 8 * (i / 2);
            int n = o.column + 8 * tile + 2 * (lane % 4) + i % 2;
            if (m < o.m && n < o.n)
                d[(size_t)m * (size_t)o.n + (size_t)n] = sum[tile][i];
        }
}

static __global__ void gemm_kernel(int32_t *d, operands o)
{
    WAIO_SHARED(unsigned char, shared);
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, sum[4][4] = {};
    int tiles = (o.k + ROW_BYTES - 1) / ROW_BYTES;

    o.row = (int)blockIdx.y * PLANTED_TILE;
    o.column = (int)blockIdx.x * PLANTED_TILE;
    for (int kt = 0; kt < STAGES - 1; kt++)
        load_stage(shared, o, kt);
    for (int kt = 0; kt < tiles; kt++) {
#if PLANTED == PLANTED_GEMM_WAITS_TOO_LITTLE
        waio_copy_wait<STAGES - 1>();
#else
        waio_copy_wait<STAGES - 2>();
#endif
#if PLANTED == PLANTED_GEMM_LOADS_TOO_EARLY
        load_stage(shared, o, kt + STAGES - 1);
#endif
#if PLANTED != PLANTED_GEMM_NO_BARRIER
        __syncthreads();
#endif
#if PLANTED != PLANTED_GEMM_LOADS_TOO_EARLY
        load_stage(shared, o, kt + STAGES - 1);
#endif
        multiply_stage(sum, shared + kt % STAGES * STAGE_BYTES, warp, lane);
    }
    waio_copy_wait<0>();
    store_sums(d, o, sum, warp, lane);
}

static cudaError_t run_gemm(int32_t *d, const int8_t *a, const int8_t *b, int m, int n, int k)
{
    dim3 grid((unsigned)(n + PLANTED_TILE - 1) / PLANTED_TILE,
              (unsigned)(m + PLANTED_TILE - 1) / PLANTED_TILE);
    operands o = {a, b, m, n, k, 0, 0};
    return waio_launch(gemm_kernel, grid, PLANTED_THREADS, STAGES * STAGE_BYTES, NULL, d, o);
}

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
extern "C" const planted_build JOIN(planted_, PLANTED);
extern "C" const planted_build JOIN(planted_, PLANTED) = {run_sum, run_warp, run_copy, run_gemm};
