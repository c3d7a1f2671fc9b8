/* What becomes of the sums of a matrix product (gemm.cuh). An epilogue is made for 8 columns side
 * by side, whose constants it loads once, and then stores rows of 8 sums:
 *
 *   epilogue(view, group, column)
 *   store(row, sums)
 *
 * Constants are padded to 8 columns; columns from view.columns on are not stored. */
#ifndef WAIO_KERNELS_GEMM_EPILOGUE_CUH
#define WAIO_KERNELS_GEMM_EPILOGUE_CUH

#include <stdint.h>

#include "kernels/kernels.h"
#include "kernels/ptx.cuh"

/* Where D goes and what each column needs: pointers into a layer's packed block. */
struct waio_output_view {
    void *data;
    int64_t pitch;     /* elements from row to row */
    int rows, columns; /* of one group */
    int padded;        /* constants from group to group */
    bool by_eight;     /* rows of 8 columns are aligned for wide stores */
    const int32_t *bias_32;
    const int64_t *bias_64;
    const waio_multiplier *multiplier;
    const double *real;
    const float *scale, *bias_f32;
    int32_t zero_point, lo, hi;
    int rounding; /* waio_requant, TFLITE resolved */
    bool checked, sums_64;
    float lo_f32, hi_f32;
    bool fake_quantized;
    waio_cuda_grid grid;
    unsigned *flags;
    int64_t *workspace; /* [group][row][padded] */
};

/* ---- loads and stores of 8 numbers ---- */

/* COUNT (4, 8) constants of columns side by side; `from` is 16-byte aligned. */
template <int COUNT, class T>
static __device__ __forceinline__ void waio_load_columns(T *to, const T *__restrict__ from)
{
    enum { EACH = 16 / sizeof(T) };
    union {
        uint4 bytes;
        T number[EACH];
    } piece;

#pragma unroll
    for (int i = 0; i < COUNT; i += EACH) {
        piece.bytes = waio_ld16(reinterpret_cast<const uint4 *>(from + i));
#pragma unroll
        for (int j = 0; j < EACH; j++)
            to[i + j] = piece.number[j];
    }
}

/* Eight numbers of type T as one access per 16 bytes (one of 8 if they are bytes). */
template <class T> static __device__ __forceinline__ void waio_store_eight(T *to, const T *numbers)
{
    enum { BYTES = sizeof(T) == 1 ? 8 : 16, EACH = BYTES / sizeof(T) };
    union {
        uint4 sixteen;
        uint2 eight;
        T number[EACH];
    } piece;

#pragma unroll
    for (int i = 0; i < 8; i += EACH) {
#pragma unroll
        for (int j = 0; j < EACH; j++)
            piece.number[j] = numbers[i + j];
        if constexpr (BYTES == 8)
            waio_st(reinterpret_cast<uint2 *>(to + i), piece.eight);
        else
            waio_st16(reinterpret_cast<uint4 *>(to + i), piece.sixteen);
    }
}

/* The same where rows are not aligned or end inside the eight. */
template <class T>
static __device__ __forceinline__ void waio_store_columns(const waio_output_view &out, int64_t row,
                                                          int group, int column, const T *numbers)
{
    T *to = static_cast<T *>(out.data) + row * out.pitch + group * out.columns + column;

    if (out.by_eight && column + 8 <= out.columns) {
        waio_store_eight(to, numbers);
        return;
    }
#pragma unroll
    for (int i = 0; i < 8; i++)
        if (column + i < out.columns)
            to[i] = numbers[i];
}

static __device__ __forceinline__ void waio_flag_overflow(unsigned *flags)
{
    atomicOr(flags, (unsigned)WAIO_CUDA_FLAG_OVERFLOW);
}

/* ---- sums of 32 bits ---- */

/* s + bias, modulo 2^32: right whenever the whole sum fits. */
static __device__ __forceinline__ int waio_add_wrapped(int a, int b)
{
    return (int)((unsigned)a + (unsigned)b);
}

/* Where sums may leave 32 bits: whether one of the row's does. The products alone do not, up to
 * 131,071 of them. */
static __device__ __forceinline__ void waio_check_sums(const waio_output_view &out, int at,
                                                       const int *sums, int columns)
{
    bool lost = false;

    for (int i = 0; i < columns; i++) {
        int64_t sum = sums[i] + out.bias_64[at + i];
        lost = lost || sum < INT32_MIN || sum > INT32_MAX;
    }
    if (lost)
        waio_flag_overflow(out.flags);
}

/* What codes need of their column. FLOAT: requantization by float64, else by integers. */
template <bool FLOAT> struct waio_column_rule;

template <> struct waio_column_rule<false> {
    waio_multiplier multiplier[8];

    __device__ __forceinline__ void load(const waio_output_view &out, int at)
    {
        waio_load_columns<8>(multiplier, out.multiplier + at);
    }
    __device__ __forceinline__ int code(const waio_output_view &out, int i, int sum) const
    {
        return waio_multiply_by_quantized(sum, multiplier[i], 0, (waio_requant)out.rounding);
    }
};

template <> struct waio_column_rule<true> {
    double real[8];

    __device__ __forceinline__ void load(const waio_output_view &out, int at)
    {
        waio_load_columns<8>(real, out.real + at);
    }
    __device__ __forceinline__ int code(const waio_output_view &, int i, int sum) const
    {
        return waio_multiply_by_real(sum, real[i]);
    }
};

/* Codes of 8 bits. */
template <bool FLOAT> struct waio_epilogue_qs8 {
    typedef waio_output_view view;
    const view &out;
    int group, column, bias[8];
    waio_column_rule<FLOAT> rule;

    __device__ __forceinline__ waio_epilogue_qs8(const view &v, int g, int c)
        : out(v), group(g), column(c)
    {
        waio_load_columns<8>(bias, out.bias_32 + g * out.padded + c);
        rule.load(out, g * out.padded + c);
    }
    __device__ __forceinline__ void store(int row, const int *sums)
    {
        int8_t codes[8];

        if (out.checked)
            waio_check_sums(out, group * out.padded + column, sums, 8);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            int code = rule.code(out, i, waio_add_wrapped(sums[i], bias[i]));
            codes[i] = (int8_t)waio_finish_code(code, out.zero_point, out.lo, out.hi);
        }
        waio_store_columns(out, row, group, column, codes);
    }
};

/* Floats: scale, bias, clamp, fake-quantization. */
struct waio_epilogue_f32 {
    typedef waio_output_view view;
    const view &out;
    int group, column, bias[8];
    float scale[8], bias_f32[8];

    __device__ __forceinline__ waio_epilogue_f32(const view &v, int g, int c)
        : out(v), group(g), column(c)
    {
        waio_load_columns<8>(bias, out.bias_32 + g * out.padded + c);
        waio_load_columns<8>(scale, out.scale + g * out.padded + c);
        waio_load_columns<8>(bias_f32, out.bias_f32 + g * out.padded + c);
    }
    __device__ __forceinline__ void store(int row, const int *sums)
    {
        float values[8];

        if (out.checked)
            waio_check_sums(out, group * out.padded + column, sums, 8);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            float sum = (float)waio_add_wrapped(sums[i], bias[i]);
            values[i] = waio_clampf(fmaf(sum, scale[i], bias_f32[i]), out.lo_f32, out.hi_f32);
        }
        if (out.fake_quantized) {
#pragma unroll
            for (int i = 0; i < 8; i++)
                values[i] = waio_fake_quantize(values[i], out.grid.fq, out.grid.rounding);
        }
        waio_store_columns(out, row, group, column, values);
    }
};

/* The sums themselves. */
struct waio_epilogue_s32 {
    typedef waio_output_view view;
    const view &out;
    int group, column, bias[8];

    __device__ __forceinline__ waio_epilogue_s32(const view &v, int g, int c)
        : out(v), group(g), column(c)
    {
        waio_load_columns<8>(bias, out.bias_32 + g * out.padded + c);
    }
    __device__ __forceinline__ void store(int row, const int *sums)
    {
        int values[8];

        if (out.checked)
            waio_check_sums(out, group * out.padded + column, sums, 8);
#pragma unroll
        for (int i = 0; i < 8; i++)
            values[i] = waio_add_wrapped(sums[i], bias[i]);
        waio_store_columns(out, row, group, column, values);
    }
};

/* ---- sums of 64 bits ---- */

enum { WAIO_SUM_BITS_64 = 47 }; /* what waio_multiply_by_quantized_64 takes */

/* The sum if the accumulator that the layer states holds it; else 0, and *lost is set. */
static __device__ __forceinline__ int64_t waio_check_sum_64(const waio_output_view &out,
                                                            int64_t sum, bool *lost)
{
    int64_t most = out.sums_64 ? INT64_C(1) << WAIO_SUM_BITS_64 : INT32_MAX;
    int64_t least = out.sums_64 ? -most : INT32_MIN;

    if (sum >= least && sum <= most)
        return sum;
    *lost = true;
    return 0;
}

/* The requantized sum by integer rules. */
static __device__ __forceinline__ int waio_requantize_64(const waio_output_view &out, int64_t sum,
                                                         waio_multiplier multiplier)
{
    return out.sums_64
               ? waio_multiply_by_quantized_64(sum, multiplier)
               : waio_multiply_by_quantized((int)sum, multiplier, 0, (waio_requant)out.rounding);
}

/* Codes of 16 bits. FLOAT: requantization by float64, else by integers. The constants are loaded
 * where they are used: the three sums leave no registers for them. */
template <bool FLOAT> struct waio_epilogue_qs16 {
    typedef waio_output_view view;
    const view &out;
    int group, column;

    __device__ __forceinline__ waio_epilogue_qs16(const view &v, int g, int c)
        : out(v), group(g), column(c)
    {
    }
    __device__ __forceinline__ int16_t code(int64_t sum, int at, bool *lost) const
    {
        int code = 0;

        sum = waio_check_sum_64(out, sum, lost);
        if constexpr (FLOAT)
            code = waio_multiply_by_real(sum, out.real[at]);
        else
            code = waio_requantize_64(out, sum, out.multiplier[at]);
        return (int16_t)waio_finish_code(code, out.zero_point, out.lo, out.hi);
    }
    __device__ __forceinline__ void store(int row, const int64_t *sums)
    {
        int16_t codes[8];
        int at = group * out.padded + column;
        bool lost = false;

#pragma unroll
        for (int i = 0; i < 8; i++)
            codes[i] = code(sums[i] + out.bias_64[at + i], at + i, &lost);
        if (lost)
            waio_flag_overflow(out.flags);
        waio_store_columns(out, row, group, column, codes);
    }
};

/* The sums themselves. */
struct waio_epilogue_s64 {
    typedef waio_output_view view;
    const view &out;
    int group, column;

    __device__ __forceinline__ waio_epilogue_s64(const view &v, int g, int c)
        : out(v), group(g), column(c)
    {
    }
    __device__ __forceinline__ void store(int row, const int64_t *sums)
    {
        int64_t values[8];

#pragma unroll
        for (int i = 0; i < 8; i++)
            values[i] = sums[i] + out.bias_64[group * out.padded + column + i];
        waio_store_columns(out, row, group, column, values);
    }
};

/* ---- sums in parts: the workspace, which begins as zeros ----
 * Each number is added to and read by one thread alone. */

static __device__ __forceinline__ int64_t *waio_workspace_row(const waio_output_view &out,
                                                              int group, int row, int column)
{
    return out.workspace + ((int64_t)group * out.rows + row) * out.padded + column;
}

/* Adds a part of the sums to the workspace. */
struct waio_epilogue_part {
    typedef waio_output_view view;
    const view &out;
    int group, column;

    __device__ __forceinline__ waio_epilogue_part(const view &v, int g, int c)
        : out(v), group(g), column(c)
    {
    }
    __device__ __forceinline__ void store(int row, const int64_t *sums)
    {
        int64_t *to = waio_workspace_row(out, group, row, column);

#pragma unroll
        for (int i = 0; i < 8; i++)
            to[i] += sums[i];
    }
};

/* `Epilogue` on sums to which those of the workspace are added, if there is one. */
template <class Epilogue> struct waio_epilogue_with_parts {
    typedef waio_output_view view;
    Epilogue epilogue;

    __device__ __forceinline__ waio_epilogue_with_parts(const view &v, int g, int c)
        : epilogue(v, g, c)
    {
    }
    __device__ __forceinline__ void store(int row, int64_t *sums)
    {
        const view &out = epilogue.out;

        if (out.workspace) {
            const int64_t *from = waio_workspace_row(out, epilogue.group, row, epilogue.column);
#pragma unroll
            for (int i = 0; i < 8; i++)
                sums[i] += from[i];
        }
        epilogue.store(row, sums);
    }
};

#endif
