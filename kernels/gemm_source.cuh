/* Where the main loop's 16-byte chunks come from. A source serves one thread: COPIES rows, `step`
 * apart, at one chunk each, which moves on along k from stage to stage.
 *
 *   source(view, row, step, chunk)   rows row, row + step, ...; the first chunk of k
 *   chunk(i)                         address for row i now
 *   whole(i)                         whether it is copied; else zeros are
 *   next(chunks)                     moves on
 *
 * The number of a group of channels is blockIdx.z. */
#ifndef WAIO_KERNELS_GEMM_SOURCE_CUH
#define WAIO_KERNELS_GEMM_SOURCE_CUH

#include <stdint.h>

#include "kernels/portable.cuh"

/* ---- a matrix: rows of chunks, zeros beyond both ---- */

struct waio_matrix_view {
    const unsigned char *data; /* 16-byte aligned */
    int64_t pitch;             /* bytes from row to row; a multiple of 16 */
    int64_t group_pitch;       /* bytes from group to group */
    int rows, chunks;
};

template <int COPIES> struct waio_matrix_source {
    typedef waio_matrix_view view;
    const unsigned char *data;
    int64_t step_bytes;
    int rows_left, step; /* rows from the first one to the end */
    int chunks_left;

    __device__ waio_matrix_source(const view &m, int row, int row_step, int chunk)
        : data(m.data + blockIdx.z * m.group_pitch + row * m.pitch + 16 * chunk),
          step_bytes(row_step * m.pitch), rows_left(m.rows - row), step(row_step),
          chunks_left(m.chunks - chunk)
    {
    }
    __device__ __forceinline__ const void *chunk(int i) const
    {
        return data + i * step_bytes;
    }
    __device__ __forceinline__ bool whole(int i) const
    {
        return i * step < rows_left && chunks_left > 0;
    }
    __device__ __forceinline__ void next(int chunks)
    {
        data += 16 * chunks;
        chunks_left -= chunks;
    }
};

/* ---- an NHWC image: row = output pixel, k = (ky, kx, channel), channels innermost ----
 * Channels of a cell are whole chunks, so that a chunk never crosses a cell. A cell of padding is
 * read from a line of memory that holds the zero point. */

struct waio_image_view {
    const unsigned char *data, *line; /* 16-byte aligned */
    int rows, chunks;                 /* output pixels; chunks of a whole window */
    int ih, iw, oh, ow, kw;
    int stride[2], dilation[2], pad[2];
    int pixel_bytes;             /* from pixel to pixel; a multiple of 16 */
    int group_bytes, last_group; /* the channels of a group begin at byte group_bytes * group,
                                    rounded down to 16 and at most last_group, of a pixel */
    int cell_chunks;             /* of one cell */
    int step[3];                 /* the chunks of one k-tile as ky, kx, chunk */
};

template <int COPIES> struct waio_image_source {
    typedef waio_image_view view;
    const view &image;
    int64_t start[COPIES]; /* byte where each row's window begins; may be in front of the image */
    int y[COPIES], x[COPIES];
    int ky, kx, chunk_of_cell, chunks_left;
    int64_t delta; /* bytes from a window's begin to the chunk */
    int dy, dx;

    __device__ waio_image_source(const view &v, int row, int row_step, int chunk) : image(v)
    {
        int group_start = (int)blockIdx.z * v.group_bytes & ~15;
        group_start = group_start < v.last_group ? group_start : v.last_group;
#pragma unroll
        for (int i = 0; i < COPIES; i++)
            set_row(i, row + i * row_step, group_start);
        ky = chunk / v.cell_chunks / v.kw;
        kx = chunk / v.cell_chunks % v.kw;
        chunk_of_cell = chunk % v.cell_chunks;
        chunks_left = v.chunks - chunk;
        set_delta();
    }
    __device__ __forceinline__ void set_row(int i, int row, int group_start)
    {
        int ox = row % image.ow, oy = row / image.ow % image.oh, n = row / image.ow / image.oh;

        y[i] = oy * image.stride[0] - image.pad[0];
        x[i] = ox * image.stride[1] - image.pad[1];
        start[i] =
            (((int64_t)n * image.ih + y[i]) * image.iw + x[i]) * image.pixel_bytes + group_start;
        if (row >= image.rows)
            y[i] = INT32_MIN / 2; /* outside, wherever the window is */
    }
    __device__ __forceinline__ void set_delta(void)
    {
        dy = ky * image.dilation[0];
        dx = kx * image.dilation[1];
        delta = ((int64_t)dy * image.iw + dx) * image.pixel_bytes + 16 * chunk_of_cell;
    }
    __device__ __forceinline__ const void *chunk(int i) const
    {
        bool inside = (unsigned)(y[i] + dy) < (unsigned)image.ih &&
                      (unsigned)(x[i] + dx) < (unsigned)image.iw;
        return inside ? image.data + (start[i] + delta) : image.line;
    }
    __device__ __forceinline__ bool whole(int) const
    {
        return chunks_left > 0;
    }
    __device__ __forceinline__ void next(int chunks)
    {
        chunks_left -= chunks;
        chunk_of_cell += image.step[2];
        kx += image.step[1];
        ky += image.step[0];
        if (chunk_of_cell >= image.cell_chunks) {
            chunk_of_cell -= image.cell_chunks;
            kx++;
        }
        if (kx >= image.kw) {
            kx -= image.kw;
            ky++;
        }
        set_delta();
    }
};

#endif
