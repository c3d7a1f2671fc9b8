/* How a warp multiplies a stage of the main loop (gemm.cuh): sums of ROW_TILES x COLUMN_TILES mma
 * tiles of 16 x 8, four of them per lane and tile.
 *
 *   multiply(a, b)        adds one k-tile: rows of A and B in shared memory
 *   value(row tile, column tile, i)
 *
 * 8 bits: sums of 32 bits, which wrap around. Largest number of products that cannot: s8 x s8
 * 131,071, u8 x s8 65,793, u8 x u8 33,025.
 *
 * 16 bits, by bytes: a = 256 ah + al, ah signed and al unsigned. 16x8: 256 sum(ah b) + sum(al b).
 * 16x16: 65536 sum(ah bh) + 256 sum(ah bl + al bh) + sum(al bl). All sums of 32 bits are exact up
 * to 32,768 products (the mixed one holds 32,896); they are joined in 64 bits. */
#ifndef WAIO_KERNELS_GEMM_MATH_CUH
#define WAIO_KERNELS_GEMM_MATH_CUH

#include "kernels/gemm.cuh"

/* ---- what each lane points ldmatrix at ----
 * Bytes from the beginning of a stage's A or B; the two chunks of k-step `step` are reached by
 * exclusive-or with 32 * step, the next row tile by 16 rows, the next column tile by 2 rows. */

/* Lane L: row L % 16, chunk L / 16. */
template <class Tile> static __device__ __forceinline__ int waio_lane_place_a(int warp_row)
{
    int lane = (int)threadIdx.x % 32, row = lane % 16;
    return (warp_row + row) * Tile::A_BYTES + 16 * waio_swizzle_a<Tile::A_BYTES>(row, lane / 16);
}

/* Lane L: column c = L % 8 of a tile, that is row 8 (c / 2) + c % 2 of a group of 32. */
static __device__ __forceinline__ int waio_lane_row_b(void)
{
    int c = (int)threadIdx.x % 8;
    return 8 * (c >> 1) + (c & 1);
}

/* Matrix j = L / 8: chunk j % 2 of column tile j / 2. */
template <class Tile> static __device__ __forceinline__ int waio_lane_place_b(int warp_column)
{
    int j = (int)threadIdx.x % 32 / 8, row = waio_lane_row_b() + 2 * (j >> 1);
    return (warp_column + row) * Tile::B_BYTES + 16 * waio_swizzle_b(row, j & 1);
}

/* Matrix j = L / 8: chunk j of one column tile. */
template <class Tile> static __device__ __forceinline__ int waio_lane_place_b4(int warp_column)
{
    int j = (int)threadIdx.x % 32 / 8, row = waio_lane_row_b();
    return (warp_column + row) * Tile::B_BYTES + 16 * waio_swizzle_b(row, j);
}

/* Bytes from the lane's place to column tile `n`: 2 rows each within a group of four. */
template <class Tile> static __device__ __forceinline__ constexpr int waio_column_tile(int n)
{
    return (n / 4 * 32 + n % 4 * 2) * Tile::B_BYTES;
}

/* ---- 8 bits ---- */

template <class Tile, bool A_SIGNED, bool B_SIGNED> struct waio_math_8 {
    typedef int sum;
    int s[Tile::ROW_TILES][Tile::COLUMN_TILES][4];
    int a_place, b_place;

    __device__ __forceinline__ waio_math_8(const waio_origin &origin)
        : s(), a_place(waio_lane_place_a<Tile>(origin.warp_row)),
          b_place(waio_lane_place_b<Tile>(origin.warp_column))
    {
    }
    __device__ __forceinline__ void multiply(const unsigned char *a, const unsigned char *b)
    {
#pragma unroll
        for (int step = 0; step < Tile::A_BYTES / 32; step++) {
            unsigned fa[4 * Tile::ROW_TILES], fb[2 * Tile::COLUMN_TILES];
#pragma unroll
            for (int m = 0; m < Tile::ROW_TILES; m++)
                waio_ldmatrix<4>(fa + 4 * m, a + (a_place ^ 32 * step) + m * 16 * Tile::A_BYTES);
#pragma unroll
            for (int n = 0; n < Tile::COLUMN_TILES; n += 2)
                waio_ldmatrix<4>(fb + 2 * n, b + (b_place ^ 32 * step) + waio_column_tile<Tile>(n));
#pragma unroll
            for (int m = 0; m < Tile::ROW_TILES; m++)
#pragma unroll
                for (int n = 0; n < Tile::COLUMN_TILES; n++)
                    waio_mma_16x8x32<A_SIGNED, B_SIGNED>(s[m][n], fa + 4 * m, fb + 2 * n);
        }
    }
    __device__ __forceinline__ int value(int m, int n, int i) const
    {
        return s[m][n][i];
    }
};

/* ---- 16 bits ---- */

/* Low and high bytes of 8 16-bit numbers, four of chunk x and four of chunk y: this lane's numbers
 * 2t, 2t + 1 of each. That orders k anew within 16 numbers, for A and for B alike (pack.c for
 * weights of 8 bits), and the sum stays. */
static __device__ __forceinline__ void waio_split(unsigned *low, unsigned *high, unsigned x,
                                                  unsigned y)
{
    *low = __byte_perm(x, y, 0x6420);
    *high = __byte_perm(x, y, 0x7531);
}

/* 16 x 32 numbers of A, split: chunks 4 step to 4 step + 3 of each row from the lane's place on. */
template <class Tile>
static __device__ __forceinline__ void
waio_load_split_a(unsigned *low, unsigned *high, const unsigned char *a, int place, int step)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        unsigned r[4]; /* chunk 2 half of rows g, g + 8; the next chunk of both */
        waio_ldmatrix<4>(r, a + (place ^ 32 * (2 * step + half)));
        waio_split(low + 2 * half, high + 2 * half, r[0], r[2]);
        waio_split(low + 2 * half + 1, high + 2 * half + 1, r[1], r[3]);
    }
}

template <class Tile>
static __device__ __forceinline__ void
waio_clear(int (*sums)[Tile::COLUMN_TILES][4]) /* [ROW_TILES] */
{
#pragma unroll
    for (int m = 0; m < Tile::ROW_TILES; m++)
#pragma unroll
        for (int n = 0; n < Tile::COLUMN_TILES; n++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                sums[m][n][i] = 0;
}

/* Activations of 16 bits, weights of 8: stages with twice as many bytes of A as of B. */
template <class Tile> struct waio_math_16x8 {
    typedef int64_t sum;
    int high[Tile::ROW_TILES][Tile::COLUMN_TILES][4], low[Tile::ROW_TILES][Tile::COLUMN_TILES][4];
    int a_place, b_place;

    __device__ __forceinline__ waio_math_16x8(const waio_origin &origin)
        : high(), low(), a_place(waio_lane_place_a<Tile>(origin.warp_row)),
          b_place(waio_lane_place_b<Tile>(origin.warp_column))
    {
    }
    __device__ __forceinline__ void clear(void)
    {
        waio_clear<Tile>(high);
        waio_clear<Tile>(low);
    }
    __device__ __forceinline__ void multiply(const unsigned char *a, const unsigned char *b)
    {
#pragma unroll
        for (int step = 0; step < Tile::B_BYTES / 32; step++) {
            unsigned fb[2 * Tile::COLUMN_TILES];
#pragma unroll
            for (int n = 0; n < Tile::COLUMN_TILES; n += 2)
                waio_ldmatrix<4>(fb + 2 * n, b + (b_place ^ 32 * step) + waio_column_tile<Tile>(n));
#pragma unroll
            for (int m = 0; m < Tile::ROW_TILES; m++) {
                unsigned al[4], ah[4];
                waio_load_split_a<Tile>(al, ah, a + m * 16 * Tile::A_BYTES, a_place, step);
#pragma unroll
                for (int n = 0; n < Tile::COLUMN_TILES; n++) {
                    waio_mma_16x8x32<true, true>(high[m][n], ah, fb + 2 * n);
                    waio_mma_16x8x32<false, true>(low[m][n], al, fb + 2 * n);
                }
            }
        }
    }
    __device__ __forceinline__ int64_t value(int m, int n, int i) const
    {
        return (int64_t)high[m][n][i] * 256 + low[m][n][i];
    }
};

/* Both of 16 bits. */
template <class Tile> struct waio_math_16x16 {
    typedef int64_t sum;
    int high[Tile::ROW_TILES][Tile::COLUMN_TILES][4], mixed[Tile::ROW_TILES][Tile::COLUMN_TILES][4],
        low[Tile::ROW_TILES][Tile::COLUMN_TILES][4];
    int a_place, b_place;

    __device__ __forceinline__ waio_math_16x16(const waio_origin &origin)
        : high(), mixed(), low(), a_place(waio_lane_place_a<Tile>(origin.warp_row)),
          b_place(waio_lane_place_b4<Tile>(origin.warp_column))
    {
        static_assert(Tile::A_BYTES == 64 && Tile::B_BYTES == 64, "one step of 32 numbers");
    }
    __device__ __forceinline__ void clear(void)
    {
        waio_clear<Tile>(high);
        waio_clear<Tile>(mixed);
        waio_clear<Tile>(low);
    }
    __device__ __forceinline__ void multiply(const unsigned char *a, const unsigned char *b)
    {
        unsigned bl[2 * Tile::COLUMN_TILES], bh[2 * Tile::COLUMN_TILES];
#pragma unroll
        for (int n = 0; n < Tile::COLUMN_TILES; n++) {
            unsigned r[4]; /* chunks 0 to 3 of a column */
            waio_ldmatrix<4>(r, b + b_place + waio_column_tile<Tile>(n));
            waio_split(bl + 2 * n, bh + 2 * n, r[0], r[1]);
            waio_split(bl + 2 * n + 1, bh + 2 * n + 1, r[2], r[3]);
        }
#pragma unroll
        for (int m = 0; m < Tile::ROW_TILES; m++) {
            unsigned al[4], ah[4];
            waio_load_split_a<Tile>(al, ah, a + m * 16 * Tile::A_BYTES, a_place, 0);
#pragma unroll
            for (int n = 0; n < Tile::COLUMN_TILES; n++) {
                waio_mma_16x8x32<true, true>(high[m][n], ah, bh + 2 * n);
                waio_mma_16x8x32<true, false>(mixed[m][n], ah, bl + 2 * n);
                waio_mma_16x8x32<false, true>(mixed[m][n], al, bh + 2 * n);
                waio_mma_16x8x32<false, false>(low[m][n], al, bl + 2 * n);
            }
        }
    }
    __device__ __forceinline__ int64_t value(int m, int n, int i) const
    {
        return (int64_t)high[m][n][i] * 65536 + (int64_t)mixed[m][n][i] * 256 + low[m][n][i];
    }
};

#endif
