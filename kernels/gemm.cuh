/* The main loop that all integer matrix products and convolutions share:
 *
 *   D[rows, columns] = A[rows, k] B[columns, k]^T
 *
 * A block of threads computes a tile of D. Bytes of A and B come by async copies of 16-byte chunks
 * through STAGES stages of shared memory; warps read them with ldmatrix and multiply on tensor
 * cores. Three classes make a kernel of it: where chunks of A come from (gemm_source.cuh), how they
 * are multiplied (gemm_math.cuh), what becomes of the sums (gemm_epilogue.cuh).
 *
 * Stages. Each holds rows of A_BYTES, then columns' rows of B_BYTES; chunk c of row r stands at
 * place c ^ (a function of r), such that both the copies and ldmatrix touch all banks evenly.
 *
 * Columns. Column c of the q-th mma tile of 8 columns in a group of 32 is column 8 (c / 2) + 2 q +
 * c % 2 of the group: it only needs other rows of B for ldmatrix, and every thread then owns 8
 * columns side by side. */
#ifndef WAIO_KERNELS_GEMM_CUH
#define WAIO_KERNELS_GEMM_CUH

#include <stdint.h>

#include "kernels/gemm_source.cuh"
#include "kernels/ptx.cuh"

/* ---- shapes ---- */

/* All in elements of D or bytes of k. */
template <int ROWS_, int COLUMNS_, int WARP_ROWS_, int WARP_COLUMNS_, int STAGES_, int A_BYTES_,
          int B_BYTES_>
struct waio_tile {
    enum {
        ROWS = ROWS_,
        COLUMNS = COLUMNS_,
        WARP_ROWS = WARP_ROWS_,
        WARP_COLUMNS = WARP_COLUMNS_,
        STAGES = STAGES_,
        A_BYTES = A_BYTES_,
        B_BYTES = B_BYTES_,
        A_CHUNKS = A_BYTES / 16,
        B_CHUNKS = B_BYTES / 16,
        WARPS_DOWN = ROWS / WARP_ROWS,
        THREADS = 32 * WARPS_DOWN * (COLUMNS / WARP_COLUMNS),
        A_COPIES = ROWS * A_CHUNKS / THREADS, /* per thread and stage */
        B_COPIES = COLUMNS * B_CHUNKS / THREADS,
        ROW_TILES = WARP_ROWS / 16, /* mma tiles of a warp */
        COLUMN_TILES = WARP_COLUMNS / 8,
        STAGE_BYTES = ROWS * A_BYTES + COLUMNS * B_BYTES,
        SHARED_BYTES = STAGES * STAGE_BYTES
    };
    static_assert(WARP_COLUMNS % 32 == 0, "columns are permuted in groups of 32");
    static_assert(ROWS * A_CHUNKS % THREADS == 0 && COLUMNS * B_CHUNKS % THREADS == 0,
                  "every thread copies as many chunks");
    static_assert(THREADS / A_CHUNKS % 8 == 0 && THREADS / B_CHUNKS % 32 == 0,
                  "a thread's rows have one swizzle");
};

/* The place of a chunk in its row. */
template <int BYTES> static __device__ __forceinline__ int waio_swizzle_a(int row, int chunk)
{
    static_assert(BYTES == 64 || BYTES == 128, "rows of 64 or 128 bytes");
    return BYTES == 64 ? chunk ^ (row >> 1 & 3) : chunk ^ (row & 7);
}

static __device__ __forceinline__ int waio_swizzle_b(int row, int chunk)
{
    return chunk ^ (row >> 3 & 3);
}

/* ---- copies ---- */

/* What a thread copies for every stage: chunk `chunk` of rows `row`, `row` + step, ... */
template <class Tile, class Source> struct waio_copier {
    Source a;
    waio_matrix_source<Tile::B_COPIES> b;
    int a_place, b_place; /* bytes in the stage */

    __device__ waio_copier(const typename Source::view &a_view, const waio_matrix_view &b_view,
                           int row, int column)
        : a(a_view, row + (int)threadIdx.x / Tile::A_CHUNKS, Tile::THREADS / Tile::A_CHUNKS,
            (int)threadIdx.x % Tile::A_CHUNKS),
          b(b_view, column + (int)threadIdx.x / Tile::B_CHUNKS, Tile::THREADS / Tile::B_CHUNKS,
            (int)threadIdx.x % Tile::B_CHUNKS)
    {
        int t = (int)threadIdx.x, r = t / Tile::A_CHUNKS, n = t / Tile::B_CHUNKS;
        a_place = r * Tile::A_BYTES + 16 * waio_swizzle_a<Tile::A_BYTES>(r, t % Tile::A_CHUNKS);
        b_place = Tile::ROWS * Tile::A_BYTES + n * Tile::B_BYTES +
                  16 * waio_swizzle_b(n, t % Tile::B_CHUNKS);
    }

    /* Issues the copies of the next k-tile into `stage`. */
    __device__ __forceinline__ void copy(unsigned char *stage)
    {
#pragma unroll
        for (int i = 0; i < Tile::A_COPIES; i++)
            waio_copy_async_16_or_0(stage + a_place + i * (16 * Tile::THREADS), a.chunk(i),
                                    a.whole(i));
#pragma unroll
        for (int i = 0; i < Tile::B_COPIES; i++)
            waio_copy_async_16_or_0(stage + b_place + i * (16 * Tile::THREADS), b.chunk(i),
                                    b.whole(i));
        a.next(Tile::A_CHUNKS);
        b.next(Tile::B_CHUNKS);
    }
};

/* ---- main loop ---- */

static __device__ __forceinline__ int waio_next_stage(int stage, int stages)
{
    return stage + 1 == stages ? 0 : stage + 1;
}

/* Adds `tiles` k-tiles to the warp's sums. One barrier per tile: it shows other threads' copies,
 * and that nobody reads the stage which is then overwritten. A commit per tile, with copies or
 * without, keeps the count of groups right. */
template <class Tile, class Math, class Copier>
static __device__ __forceinline__ void waio_gemm_loop(Math &math, Copier &copier,
                                                      unsigned char *shared, int tiles)
{
    int fill = Tile::STAGES - 1, use = 0;

#pragma unroll
    for (int s = 0; s < Tile::STAGES - 1; s++) {
        if (s < tiles)
            copier.copy(shared + s * Tile::STAGE_BYTES);
        waio_copy_commit();
    }
    for (int i = 0; i < tiles; i++) {
        waio_copy_wait<Tile::STAGES - 2>();
        __syncthreads();
        if (i + Tile::STAGES - 1 < tiles)
            copier.copy(shared + fill * Tile::STAGE_BYTES);
        waio_copy_commit();
        const unsigned char *stage = shared + use * Tile::STAGE_BYTES;
        math.multiply(stage, stage + Tile::ROWS * Tile::A_BYTES);
        fill = waio_next_stage(fill, Tile::STAGES);
        use = waio_next_stage(use, Tile::STAGES);
    }
    waio_copy_wait<0>();
}

/* ---- from sums to memory ---- */

/* Where a block's and a warp's part of D begins. */
struct waio_origin {
    int row, column;           /* of the block */
    int warp_row, warp_column; /* within it */
    int group;
};

/* Blocks go through the columns first: those that run together then share rows of A, which is the
 * larger operand, and all of B stays in L2. */
template <class Tile> static __device__ __forceinline__ waio_origin waio_origin_of(int columns)
{
    int warp = (int)threadIdx.x / 32;
    int across = (columns + Tile::COLUMNS - 1) / Tile::COLUMNS;

    return {(int)blockIdx.x / across * Tile::ROWS, (int)blockIdx.x % across * Tile::COLUMNS,
            warp % Tile::WARPS_DOWN * Tile::WARP_ROWS, warp / Tile::WARPS_DOWN * Tile::WARP_COLUMNS,
            (int)blockIdx.z};
}

/* Calls the epilogue for every row of 8 columns that this thread owns and D has. */
template <class Tile, class Epilogue, class Math>
static __device__ __forceinline__ void
waio_gemm_store(const Math &math, const typename Epilogue::view &out, const waio_origin &origin)
{
    int lane = (int)threadIdx.x % 32;
    int row = origin.row + origin.warp_row + lane / 4;
    int column = origin.column + origin.warp_column + lane % 4 * 8;

#pragma unroll
    for (int part = 0; part < Tile::WARP_COLUMNS / 32; part++) {
        if (column + 32 * part >= out.columns)
            continue;
        Epilogue epilogue(out, origin.group, column + 32 * part); /* loads what columns have */
#pragma unroll
        for (int i = 0; i < Tile::ROW_TILES * 2; i++) {
            typename Math::sum sums[8];
#pragma unroll
            for (int j = 0; j < 8; j++)
                sums[j] = math.value(i / 2, 4 * part + j / 2, 2 * (i % 2) + j % 2);
            if (row + 8 * i < out.rows)
                epilogue.store(row + 8 * i, sums);
        }
    }
}

#endif
