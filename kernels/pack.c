#include "kernels/pack.h"

#include <limits.h>
#include <string.h>

enum { CHUNK = 16, ALIGNMENT = 256 };

static int64_t round_up(int64_t x, int64_t step)
{
    return (x + step - 1) / step * step;
}

static int x_bytes_of(const waio_pack *p)
{
    return p->types >= WAIO_PACK_S16_S8 ? 2 : 1;
}

static int w_bytes_of(const waio_pack *p)
{
    return p->types == WAIO_PACK_S16_S16 ? 2 : 1;
}

/* ---- layout ---- */

waio_conv_shape waio_conv_of_gemm(int32_t m, int32_t n, int32_t k)
{
    return (waio_conv_shape){.images = 1,
                             .ih = 1,
                             .iw = m,
                             .ic = k,
                             .oh = 1,
                             .ow = m,
                             .oc = n,
                             .kh = 1,
                             .kw = 1,
                             .stride = {1, 1},
                             .dilation = {1, 1},
                             .groups = 1};
}

static bool is_flat(const waio_conv_shape *s)
{
    return s->kh == 1 && s->kw == 1 && s->stride[0] == 1 && s->stride[1] == 1 && !s->pad[0] &&
           !s->pad[1] && s->oh == s->ih && s->ow == s->iw && s->groups == 1;
}

/* Kernels add the rows of a tile and the height of a window to numbers of these sizes. */
enum { MOST = INT32_MAX - 1024, MOST_PLACES = INT32_MAX / 4 };

/* Whether the product of positive numbers is at most `most`. */
static bool fits(int64_t a, int64_t b, int64_t c, int64_t most)
{
    return a > 0 && b > 0 && c > 0 && a <= most && b <= most && c <= most && a * b <= most &&
           a * b * c <= most;
}

static bool is_possible(const waio_conv_shape *s, waio_pack_types types)
{
    int64_t bytes = types >= WAIO_PACK_S16_S8 ? 2 : 1;

    if (s->ic < 1 || s->oc < 1 || s->groups < 1 || s->groups > USHRT_MAX || s->pad[0] < 0 ||
        s->pad[1] < 0 || s->ic % s->groups || s->oc % s->groups ||
        s->oc > MOST - 8 * (int64_t)s->groups)
        return false;
    int64_t depth = round_up(s->ic * bytes, CHUNK);
    return fits(s->images, s->oh, s->ow, MOST) && (is_flat(s) || fits(s->ih, s->iw, depth, MOST)) &&
           fits(s->kh, s->kw, depth + CHUNK, MOST) && fits(s->kh, s->dilation[0], 1, MOST_PLACES) &&
           fits(s->kw, s->dilation[1], 1, MOST_PLACES) &&
           fits(s->oh, s->stride[0], 1, MOST_PLACES) && fits(s->ow, s->stride[1], 1, MOST_PLACES);
}

/* Chunks that hold the channels of any group, from an aligned byte on. */
static int32_t chunks_of_group(const waio_conv_shape *s, int bytes)
{
    int64_t depth = (int64_t)s->ic / s->groups * bytes, most = 0;

    for (int64_t g = 0; g < s->groups; g++) {
        int64_t first = g * depth / CHUNK, end = (g * depth + depth + CHUNK - 1) / CHUNK;
        most = end - first > most ? end - first : most;
    }
    return (int32_t)most;
}

static size_t take(size_t *end, size_t bytes)
{
    size_t start = *end;
    *end = (size_t)round_up((int64_t)(start + bytes), ALIGNMENT);
    return start;
}

static void lay_out(waio_pack *p)
{
    size_t channels = (size_t)p->padded * (size_t)(p->depthwise ? 1 : p->shape.groups);
    int64_t rows = p->depthwise ? 1 : (int64_t)channels;

    p->weights = take(&p->bytes, (size_t)(rows * p->row_bytes));
    p->line = take(&p->bytes, CHUNK);
    p->bias_32 = take(&p->bytes, channels * sizeof(int32_t));
    p->bias_64 = take(&p->bytes, channels * sizeof(int64_t));
    p->multiplier = take(&p->bytes, channels * sizeof(waio_multiplier));
    p->real = take(&p->bytes, channels * sizeof(double));
    p->scale = take(&p->bytes, channels * sizeof(float));
    p->bias_f32 = take(&p->bytes, channels * sizeof(float));
}

bool waio_pack_layout(waio_pack *out, const waio_conv_shape *shape, waio_pack_types types)
{
    waio_pack p = {.shape = *shape, .types = types};
    int64_t positions = (int64_t)shape->kh * shape->kw;

    if (!is_possible(shape, types))
        return false;
    p.flat = is_flat(shape);
    p.depthwise = shape->groups > 1 && shape->groups == shape->ic && shape->ic == shape->oc;
    p.per_group = p.depthwise ? shape->oc : shape->oc / shape->groups;
    p.padded = (int32_t)round_up(p.per_group, 8);
    p.depth_chunks = chunks_of_group(shape, x_bytes_of(&p));
    p.k_chunks = (int32_t)positions * p.depth_chunks;
    if (types != WAIO_PACK_S8_S8 && types < WAIO_PACK_S16_S8 && !p.flat)
        return false;
    if (p.depthwise) /* taps by fours of bytes, or numbers of 16 bits; rows are one block */
        p.row_bytes =
            p.padded * (types == WAIO_PACK_S8_S8 ? round_up(positions, 4) : 2 * positions);
    else
        p.row_bytes =
            round_up((int64_t)p.k_chunks * CHUNK / x_bytes_of(&p) * w_bytes_of(&p), CHUNK);
    lay_out(&p);
    *out = p;
    return true;
}

int64_t waio_pack_x_pitch(const waio_pack *pack)
{
    int bytes = x_bytes_of(pack);
    return round_up((int64_t)pack->shape.ic * bytes, CHUNK) / bytes;
}

int32_t waio_pack_group_start(const waio_pack *pack, int32_t group)
{
    int bytes = x_bytes_of(pack);
    int64_t depth = (int64_t)pack->shape.ic / pack->shape.groups * bytes;
    int64_t first = group * depth / CHUNK * CHUNK;
    int64_t last = waio_pack_x_pitch(pack) * bytes - (int64_t)pack->depth_chunks * CHUNK;

    return (int32_t)(first < last ? first : last);
}

/* ---- weights ---- */

static int32_t code_at(const void *codes, int64_t i, waio_pack_types types)
{
    if (types == WAIO_PACK_S16_S16)
        return ((const int16_t *)codes)[i];
    if (types == WAIO_PACK_S8_U8 || types == WAIO_PACK_U8_U8)
        return ((const uint8_t *)codes)[i];
    return ((const int8_t *)codes)[i];
}

/* Where number k of a row stands. 16x8: the byte-splitting of 16-bit activations brings numbers 2t,
 * 2t + 1, 8 + 2t, 9 + 2t of every 16 together (gemm_16.cuh), so weights stand in that order. */
static int64_t place_of(const waio_pack *p, int64_t k)
{
    int64_t in = k % 16;

    if (p->types != WAIO_PACK_S16_S8)
        return k;
    return k - in + in % 8 / 2 * 4 + in / 8 * 2 + in % 2;
}

/* One output channel of one group, from OHWI codes `w`. */
static void pack_row(const waio_pack *p, unsigned char *row, const void *w, int32_t group,
                     int64_t channel)
{
    const waio_conv_shape *s = &p->shape;
    int64_t depth = s->ic / s->groups, cells = (int64_t)s->kh * s->kw;
    int64_t per_cell = (int64_t)p->depth_chunks * CHUNK / x_bytes_of(p);
    int64_t lead = group * depth - waio_pack_group_start(p, group) / x_bytes_of(p);

    for (int64_t cell = 0; cell < cells; cell++)
        for (int64_t c = 0; c < depth; c++) {
            int32_t code = code_at(w, (channel * cells + cell) * depth + c, p->types);
            int64_t at = place_of(p, cell * per_cell + lead + c);
            if (w_bytes_of(p) == 2)
                memcpy(row + 2 * at, &(int16_t){(int16_t)code}, 2);
            else
                row[at] = (unsigned char)code;
        }
}

/* Depthwise: 8 bits [position / 4][channel][4], 16 bits [position][channel] as int16. */
static void pack_depthwise(const waio_pack *p, unsigned char *to, const void *w)
{
    int64_t cells = (int64_t)p->shape.kh * p->shape.kw;

    for (int64_t c = 0; c < p->shape.oc; c++)
        for (int64_t i = 0; i < cells; i++) {
            int32_t code = code_at(w, c * cells + i, p->types);
            if (p->types == WAIO_PACK_S8_S8)
                to[(i / 4 * p->padded + c) * 4 + i % 4] = (unsigned char)code;
            else
                memcpy(to + 2 * (i * p->padded + c), &(int16_t){(int16_t)code}, 2);
        }
}

/* ---- constants of a channel ---- */

static int64_t bias_of(const waio_pack_source *source, int64_t channel)
{
    return source->bias_32   ? source->bias_32[channel]
           : source->bias_64 ? source->bias_64[channel]
                             : 0;
}

/* Largest |x - z|. */
static int64_t reach_of(const waio_pack *p, int32_t z)
{
    int64_t lo = -128, hi = 127;

    if (p->types == WAIO_PACK_U8_S8 || p->types == WAIO_PACK_U8_U8) {
        lo = 0;
        hi = 255;
    }
    return hi - z > z - lo ? hi - z : z - lo;
}

static void fill_constants(waio_pack *p, unsigned char *block, const waio_pack_source *source,
                           int64_t channel, int64_t at)
{
    const waio_conv_shape *s = &p->shape;
    int64_t products = (int64_t)s->kh * s->kw * (s->ic / s->groups), sum = 0, size = 0;
    int64_t bias = bias_of(source, channel), reach = reach_of(p, source->x_zero);

    for (int64_t i = 0; i < products; i++) {
        int64_t code = code_at(source->weight, channel * products + i, p->types);
        sum += code;
        size += code < 0 ? -code : code;
    }
    /* Both |bias| <= 2^31 where this matters and size <= 2^46: no overflow. */
    if (bias > INT32_MAX || bias < INT32_MIN ||
        size * reach + (bias < 0 ? -bias : bias) > INT32_MAX)
        p->may_overflow = true;
    int64_t corrected = bias - source->x_zero * sum;
    ((int32_t *)(block + p->bias_32))[at] = (int32_t)(uint32_t)(uint64_t)corrected;
    ((int64_t *)(block + p->bias_64))[at] = corrected;
    if (source->multiplier)
        ((waio_multiplier *)(block + p->multiplier))[at] = source->multiplier[channel];
    if (source->real)
        ((double *)(block + p->real))[at] = source->real[channel];
    if (source->scale)
        ((float *)(block + p->scale))[at] = source->scale[channel];
    if (source->bias_f32)
        ((float *)(block + p->bias_f32))[at] = source->bias_f32[channel];
}

void waio_pack_fill(waio_pack *pack, void *block, const waio_pack_source *source)
{
    unsigned char *to = block;

    memset(block, 0, pack->bytes);
    pack->may_overflow = false;
    memset(to + pack->line, (unsigned char)source->x_zero, CHUNK);
    if (pack->depthwise)
        pack_depthwise(pack, to + pack->weights, source->weight);
    for (int64_t channel = 0; channel < pack->shape.oc; channel++) {
        int32_t group = (int32_t)(channel / pack->per_group);
        int64_t at = (int64_t)group * pack->padded + channel % pack->per_group;
        if (!pack->depthwise)
            pack_row(pack, to + pack->weights + at * pack->row_bytes, source->weight, group,
                     channel);
        fill_constants(pack, to, source, channel, at);
    }
}

/* ---- stems ---- */

/* Row ky of the window is row ky - pad + 2 oy of the image: block oy + floor((ky - pad) / 2). */
static int32_t first_block(int32_t pad)
{
    return -((pad + 1) / 2);
}

static int32_t last_block(int32_t k, int32_t pad)
{
    int32_t last = k - 1 - pad;
    return last < 0 ? -((1 - last) / 2) : last / 2;
}

bool waio_pack_stem(waio_conv_shape *out, const waio_conv_shape *shape, waio_pack_types types)
{
    waio_conv_shape s = *shape;
    int64_t bytes = types >= WAIO_PACK_S16_S8 ? 2 : 1;

    if (s.groups != 1 || s.stride[0] != 2 || s.stride[1] != 2 || s.dilation[0] != 1 ||
        s.dilation[1] != 1 || 4 * s.ic * bytes > CHUNK)
        return false;
    s.ih = (s.ih + 1) / 2;
    s.iw = (s.iw + 1) / 2;
    s.ic *= 4;
    s.kh = last_block(shape->kh, shape->pad[0]) - first_block(shape->pad[0]) + 1;
    s.kw = last_block(shape->kw, shape->pad[1]) - first_block(shape->pad[1]) + 1;
    for (int i = 0; i < 2; i++) {
        s.stride[i] = 1;
        s.pad[i] = -first_block(shape->pad[i]);
    }
    *out = s;
    return true;
}

void waio_pack_stem_weights(void *to, const void *from, const waio_conv_shape *shape,
                            waio_pack_types types)
{
    waio_conv_shape stem = *shape;
    int64_t bytes = types == WAIO_PACK_S16_S16 ? 2 : 1, depth = shape->ic;

    if (!waio_pack_stem(&stem, shape, types))
        return;
    for (int64_t o = 0; o < stem.oc; o++)
        for (int64_t y = 0; y < 2 * stem.kh; y++) /* rows of blocks, then of pixels within */
            for (int64_t x = 0; x < 2 * stem.kw; x++) {
                int64_t ky = y - 2 * stem.pad[0] + shape->pad[0];
                int64_t kx = x - 2 * stem.pad[1] + shape->pad[1];
                bool inside = ky >= 0 && ky < shape->kh && kx >= 0 && kx < shape->kw;
                int64_t at =
                    (((o * stem.kh + y / 2) * stem.kw + x / 2) * 4 + y % 2 * 2 + x % 2) * depth;
                unsigned char *cell = (unsigned char *)to + at * bytes;
                if (inside)
                    memcpy(cell,
                           (const unsigned char *)from +
                               ((o * shape->kh + ky) * shape->kw + kx) * depth * bytes,
                           (size_t)(depth * bytes));
                else
                    memset(cell, 0, (size_t)(depth * bytes));
            }
}
