/* One kernel per wrapper of ptx.cuh, for test_cuda_ptx.c: registers as they are given and come. */
#include "kernels/ptx.cuh"

#include "cuda/cuda_ptx.h"

/* d[lane][4] += fragments a[lane][4], b[lane][2]. */
template <int SHAPE, bool A_SIGNED, bool B_SIGNED>
static __global__ void mma_kernel(int *d, const unsigned *a, const unsigned *b)
{
    int lane = (int)threadIdx.x, sum[4];
    unsigned ra[4], rb[2];

    for (int i = 0; i < 4; i++) {
        sum[i] = d[4 * lane + i];
        ra[i] = a[4 * lane + i];
    }
    rb[0] = b[2 * lane];
    rb[1] = b[2 * lane + 1];
    if constexpr (SHAPE == CUDA_PTX_8X8X16)
        waio_mma_8x8x16<A_SIGNED, B_SIGNED>(sum, ra, rb);
    else if constexpr (SHAPE == CUDA_PTX_16X8X16)
        waio_mma_16x8x16<A_SIGNED, B_SIGNED>(sum, ra, rb);
    else
        waio_mma_16x8x32<A_SIGNED, B_SIGNED>(sum, ra, rb);
    for (int i = 0; i < 4; i++)
        d[4 * lane + i] = sum[i];
}

template <int SHAPE>
static cudaError_t mma_signs(int *d, const unsigned *a, const unsigned *b, int a_signed,
                             int b_signed)
{
    if (a_signed && b_signed)
        return waio_launch(mma_kernel<SHAPE, true, true>, 1, 32, 0, NULL, d, a, b);
    if (a_signed)
        return waio_launch(mma_kernel<SHAPE, true, false>, 1, 32, 0, NULL, d, a, b);
    if (b_signed)
        return waio_launch(mma_kernel<SHAPE, false, true>, 1, 32, 0, NULL, d, a, b);
    return waio_launch(mma_kernel<SHAPE, false, false>, 1, 32, 0, NULL, d, a, b);
}

extern "C" cudaError_t cuda_ptx_mma(int shape, int a_signed, int b_signed, int *d,
                                    const unsigned *a, const unsigned *b)
{
    if (shape == CUDA_PTX_8X8X16)
        return mma_signs<CUDA_PTX_8X8X16>(d, a, b, a_signed, b_signed);
    if (shape == CUDA_PTX_16X8X16)
        return mma_signs<CUDA_PTX_16X8X16>(d, a, b, a_signed, b_signed);
    return mma_signs<CUDA_PTX_16X8X32>(d, a, b, a_signed, b_signed);
}

/* registers[lane][N] of the matrices whose 8N rows of 16 bytes are `bytes`; row r is stored at
 * `place` r * 48 of shared memory, so that a row's address counts and not its number. */
template <int N> static __global__ void ldmatrix_kernel(unsigned *registers, const uint4 *bytes)
{
    WAIO_SHARED(unsigned char, shared);
    int lane = (int)threadIdx.x;
    unsigned r[4];

    if (lane < 8 * N)
        waio_st16(reinterpret_cast<uint4 *>(shared + 48 * lane), waio_ld16(bytes + lane));
    __syncthreads();
    waio_ldmatrix<N>(r, shared + (lane < 8 * N ? 48 * lane : 4096)); /* the others pass anything */
    for (int j = 0; j < N; j++)
        registers[N * lane + j] = r[j];
}

extern "C" cudaError_t cuda_ptx_ldmatrix(int count, unsigned *registers, const void *bytes)
{
    const uint4 *rows = static_cast<const uint4 *>(bytes);
    size_t shared = (size_t)(8 * count - 1) * 48 + 16;

    if (count == 1)
        return waio_launch(ldmatrix_kernel<1>, 1, 32, shared, NULL, registers, rows);
    if (count == 2)
        return waio_launch(ldmatrix_kernel<2>, 1, 32, shared, NULL, registers, rows);
    return waio_launch(ldmatrix_kernel<4>, 1, 32, shared, NULL, registers, rows);
}

/* Each thread copies BYTES bytes, of which valid[thread] are valid, in two groups; after waiting
 * for the older one it reads that, then the other. */
template <int BYTES>
static __global__ void copy_kernel(unsigned char *dst, const unsigned char *src,
                                   const unsigned *valid)
{
    WAIO_SHARED(unsigned char, shared);
    int threads = (int)blockDim.x, t = (int)threadIdx.x;

    for (int group = 0; group < 2; group++) {
        int i = group * threads + t;
        if constexpr (BYTES == 16)
            waio_copy_async_16(shared + 16 * i, src + 16 * i, valid[i]);
        else if constexpr (BYTES == 8)
            waio_copy_async_8(shared + 8 * i, src + 8 * i, valid[i]);
        else
            waio_copy_async_4(shared + 4 * i, src + 4 * i, valid[i]);
        waio_copy_commit();
    }
    for (int group = 0; group < 2; group++) {
        if (group == 0)
            waio_copy_wait<1>();
        else
            waio_copy_wait<0>();
        __syncthreads();
        int other = group * threads + (t + 1) % threads; /* another thread's bytes */
        for (int b = 0; b < BYTES; b++)
            dst[BYTES * other + b] = shared[BYTES * other + b];
    }
}

extern "C" cudaError_t cuda_ptx_copy(int bytes, int threads, unsigned char *dst,
                                     const unsigned char *src, const unsigned *valid)
{
    size_t shared = 2 * (size_t)threads * (size_t)bytes;

    if (bytes == 16)
        return waio_launch(copy_kernel<16>, 1, threads, shared, NULL, dst, src, valid);
    if (bytes == 8)
        return waio_launch(copy_kernel<8>, 1, threads, shared, NULL, dst, src, valid);
    return waio_launch(copy_kernel<4>, 1, threads, shared, NULL, dst, src, valid);
}

/* Whole copies or none at all. */
static __global__ void copy_whole_kernel(uint4 *dst, const uint4 *src, const unsigned *valid)
{
    WAIO_SHARED(uint4, shared);
    int t = (int)threadIdx.x;

    waio_copy_async_16_or_0(shared + t, src + t, valid[t] == 16);
    waio_copy_commit();
    waio_copy_wait<0>();
    __syncthreads();
    int other = (t + 1) % (int)blockDim.x;
    waio_st16(dst + other, waio_ld16(shared + other));
}

extern "C" cudaError_t cuda_ptx_copy_whole(int threads, void *dst, const void *src,
                                           const unsigned *valid)
{
    return waio_launch(copy_whole_kernel, 1, threads, 16 * (size_t)threads, NULL,
                       static_cast<uint4 *>(dst), static_cast<const uint4 *>(src), valid);
}

/* out[i][0..3]: dot products with signs ss, su, us, uu; [4]: bytes by selector `sum`. */
static __global__ void bytes_kernel(int *out, const unsigned *a, const unsigned *b, const int *sum,
                                    int count)
{
    int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);

    if (i >= count)
        return;
    out[5 * i] = waio_dp4a<true, true>(a[i], b[i], sum[i]);
    out[5 * i + 1] = waio_dp4a<true, false>(a[i], b[i], sum[i]);
    out[5 * i + 2] = waio_dp4a<false, true>(a[i], b[i], sum[i]);
    out[5 * i + 3] = waio_dp4a<false, false>(a[i], b[i], sum[i]);
    out[5 * i + 4] = (int)__byte_perm(a[i], b[i], (unsigned)sum[i]);
}

extern "C" cudaError_t cuda_ptx_bytes(int *out, const unsigned *a, const unsigned *b,
                                      const int *sum, int count)
{
    return waio_launch(bytes_kernel, (unsigned)(count + 63) / 64, 64, 0, NULL, out, a, b, sum,
                       count);
}
