/* From a layer as the host describes it to what kernels are given. Host code. */
#ifndef WAIO_KERNELS_WEIGHTED_CUH
#define WAIO_KERNELS_WEIGHTED_CUH

#include "kernels/gemm_epilogue.cuh"
#include "kernels/gemm_source.cuh"

static inline bool waio_pack_is_16(const waio_pack &p)
{
    return p.types >= WAIO_PACK_S16_S8;
}

static inline int64_t waio_output_pixels(const waio_pack &p)
{
    return (int64_t)p.shape.images * p.shape.oh * p.shape.ow;
}

/* Chunks of 8 16-bit numbers that sums of 32 bits hold: 32,768 products. */
enum { WAIO_FLUSH_CHUNKS = 4096 };

/* ---- what cannot be ---- */

static inline int waio_output_bytes(const waio_cuda_layer &l)
{
    if (l.output == WAIO_CUDA_CODES)
        return waio_pack_is_16(l.pack) ? 2 : 1;
    return l.output == WAIO_CUDA_SUMS && waio_pack_is_16(l.pack) ? 8 : 4;
}

/* Whether a sum can overflow, and then must be looked at. */
static inline bool waio_sums_are_checked(const waio_cuda_layer &l)
{
    if (waio_pack_is_16(l.pack))
        return l.output == WAIO_CUDA_CODES;
    return l.pack.may_overflow;
}

static inline bool waio_layer_is_possible(const waio_cuda_layer &l)
{
    int64_t x_bytes = waio_pack_is_16(l.pack) ? 2 : 1;
    bool outputs = l.output == WAIO_CUDA_CODES || l.output == WAIO_CUDA_SUMS ||
                   (l.output == WAIO_CUDA_FLOAT && !waio_pack_is_16(l.pack));

    return outputs && l.packed && l.x && l.y && (uintptr_t)l.packed % 256 == 0 &&
           (uintptr_t)l.x % 16 == 0 && (uintptr_t)l.y % (unsigned)waio_output_bytes(l) == 0 &&
           l.x_pitch * x_bytes % 16 == 0 && l.x_pitch >= waio_pack_x_pitch(&l.pack) &&
           l.y_pitch >= l.pack.shape.oc && (l.flags || !waio_sums_are_checked(l)) &&
           (l.workspace || waio_cuda_workspace_bytes(&l.pack) == 0) &&
           (l.pack.flat || l.x_pitch * x_bytes * l.pack.shape.iw * l.pack.shape.ih <= INT32_MAX);
}

/* Sums of more products than 32 bits hold could overflow unseen. */
static inline bool waio_overflow_is_unseen(const waio_cuda_layer &l)
{
    const waio_conv_shape &s = l.pack.shape;
    return !waio_pack_is_16(l.pack) && l.pack.may_overflow &&
           (int64_t)s.kh * s.kw * (s.ic / s.groups) > 131071;
}

/* The layer with TFLITE made a rule of its own. */
static inline waio_cuda_layer waio_layer_rounding(const waio_cuda_layer &l, waio_requant tflite)
{
    waio_cuda_layer resolved = l;
    if (resolved.rounding == WAIO_REQUANT_TFLITE)
        resolved.rounding = tflite;
    return resolved;
}

/* ---- views ---- */

template <class T> static inline const T *waio_part_of(const waio_cuda_layer &l, size_t offset)
{
    return reinterpret_cast<const T *>(static_cast<const unsigned char *>(l.packed) + offset);
}

static inline waio_matrix_view waio_rows_view(const waio_cuda_layer &l)
{
    int64_t bytes = waio_pack_is_16(l.pack) ? 2 : 1;
    return {static_cast<const unsigned char *>(l.x), l.x_pitch * bytes, 0,
            (int)waio_output_pixels(l.pack), l.pack.k_chunks};
}

static inline waio_matrix_view waio_weights_view(const waio_cuda_layer &l)
{
    const waio_pack &p = l.pack;
    return {waio_part_of<unsigned char>(l, p.weights), p.row_bytes, p.padded * p.row_bytes,
            p.padded, (int)(p.row_bytes / 16)};
}

/* `chunks` of a k-tile, as steps over window rows, columns and chunks of a cell. */
static inline waio_image_view waio_image_of(const waio_cuda_layer &l, int chunks)
{
    const waio_pack &p = l.pack;
    const waio_conv_shape &s = p.shape;
    int bytes = waio_pack_is_16(p) ? 2 : 1, cells = chunks / p.depth_chunks;
    waio_image_view v = {};

    v.data = static_cast<const unsigned char *>(l.x);
    v.line = waio_part_of<unsigned char>(l, p.line);
    v.rows = (int)waio_output_pixels(p);
    v.chunks = p.k_chunks;
    v.ih = s.ih;
    v.iw = s.iw;
    v.oh = s.oh;
    v.ow = s.ow;
    v.kw = s.kw;
    for (int i = 0; i < 2; i++) {
        v.stride[i] = s.stride[i];
        v.dilation[i] = s.dilation[i];
        v.pad[i] = s.pad[i];
    }
    v.pixel_bytes = (int)l.x_pitch * bytes;
    v.group_bytes = s.ic / s.groups * bytes;
    v.last_group = (int)waio_pack_x_pitch(&p) * bytes - 16 * p.depth_chunks;
    v.cell_chunks = p.depth_chunks;
    v.step[0] = cells / s.kw;
    v.step[1] = cells % s.kw;
    v.step[2] = chunks % p.depth_chunks;
    return v;
}

/* Wide stores: 8 codes of 8 bits at once, else 16 bytes at a time. */
static inline bool waio_stores_by_eight(const waio_cuda_layer &l)
{
    unsigned bytes = (unsigned)waio_output_bytes(l), wide = bytes == 1 ? 8 : 16;
    const waio_pack &p = l.pack;

    return (uintptr_t)l.y % wide == 0 && l.y_pitch * bytes % wide == 0 &&
           (p.depthwise || p.shape.groups == 1 || p.per_group * bytes % wide == 0);
}

static inline waio_output_view waio_output_of(const waio_cuda_layer &l)
{
    const waio_pack &p = l.pack;
    waio_output_view v = {};

    v.data = l.y;
    v.pitch = l.y_pitch;
    v.rows = (int)waio_output_pixels(p);
    v.columns = p.per_group;
    v.padded = p.padded;
    v.by_eight = waio_stores_by_eight(l);
    v.bias_32 = waio_part_of<int32_t>(l, p.bias_32);
    v.bias_64 = waio_part_of<int64_t>(l, p.bias_64);
    v.multiplier = waio_part_of<waio_multiplier>(l, p.multiplier);
    v.real = waio_part_of<double>(l, p.real);
    v.scale = waio_part_of<float>(l, p.scale);
    v.bias_f32 = waio_part_of<float>(l, p.bias_f32);
    v.zero_point = l.zero_point;
    v.lo = l.lo;
    v.hi = l.hi;
    v.rounding = l.rounding;
    v.checked = waio_sums_are_checked(l);
    v.sums_64 = l.sums_64;
    v.lo_f32 = l.lo_f32;
    v.hi_f32 = l.hi_f32;
    v.fake_quantized = l.fake_quantized;
    v.grid = l.grid;
    v.flags = l.flags;
    v.workspace = static_cast<int64_t *>(l.workspace);
    return v;
}

/* ---- blocks ---- */

/* Tiles in x, columns first (waio_origin_of); groups in z. */
static inline dim3 waio_gemm_blocks(const waio_pack &p, int rows, int columns)
{
    int64_t down = (waio_output_pixels(p) + rows - 1) / rows;
    int64_t across = (p.per_group + columns - 1) / columns;

    return dim3((unsigned)(down * across), 1, (unsigned)p.shape.groups);
}

/* The tile that is asked for, or that fits; 256X128 has more shared memory than sm_75. */
static inline waio_cuda_tile waio_tile_of(const waio_cuda_layer &l)
{
    if (l.tile == WAIO_CUDA_TILE_256X128 && l.device.arch < 800)
        return WAIO_CUDA_TILE_128X128;
    if (l.tile != WAIO_CUDA_TILE_AUTO)
        return l.tile;
    return waio_cuda_choose_tile(waio_output_pixels(l.pack), l.pack.per_group, l.pack.shape.groups,
                                 l.device);
}

#endif
