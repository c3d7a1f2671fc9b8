/* Integer conv2d and dense: acc = sum of (w - z_w) * (x - z_in) + bias; cells of padding add
 * nothing; the accumulator is requantized by s_in * s_w[c] / s_out, moved by z_out and clamped.
 *
 * The numbers x - z_in that one sum runs over are brought together first, in the order of the
 * weight's codes and with zeros for padding, so that every sum is one loop over two arrays. Only
 * weights of uint8 files have a zero point: z_w times the sum of those numbers is taken off.
 *
 * WAIO_REQUANT_TFLITE has a rule of its own for dense layers: the accumulator times s_in * s_w /
 * s_out, all in float64, rounded half away from zero; for int8, uint8 and int16, weights of one
 * scale and of one per channel, biases of 32 and 64 bits. Seen with ai-edge-litert 2.3.0's
 * reference kernels: of 60,000 accumulators at and next to ties, of both signs and up to 2^38, this
 * rule gave every output and none of the others did: not single or double rounding, not all 31 bits
 * of the multiplier, not float32. Its convolutions follow the integer rules by their accumulator's
 * width, depthwise ones as well. The cases *_sums of tests/data/vectors/litert_rules.json hold
 * both. */
#include <stdlib.h>
#include <string.h>

#include "backend/ref/refq.h"
#include "util/simd.h"

/* How an output channel's accumulator becomes a code. */
typedef struct channel {
    waio_multiplier multiplier;
    double real;
} channel;

typedef struct weighted {
    const waio_refq_call *call;
    channel *channel;    /* one per output channel */
    int16_t *operand;    /* x - z_in of one sum: `products` of them, for every group */
    int32_t weight_zero; /* z_w */
    int64_t products;    /* per sum */
    bool fits;           /* 32 bits hold every partial sum */
    bool wide;           /* accumulators of 64 bits */
    int64_t least, most; /* that the accumulator holds */
    bool in_float64;     /* requantized so */
    waio_refq_limits limits;
} weighted;

static int64_t products_of(const waio_shape *weight)
{
    return waio_shape_count(weight) / weight->dim[0];
}

size_t waio_refq_scratch_bytes(const waio_graph *graph, const waio_node *node)
{
    if (!waio_op_weighted(node->op))
        return 0;
    const waio_shape *w = &graph->value[node->input[1]].shape;
    int groups = node->op == WAIO_OP_CONV2D ? node->conv.groups : 1;
    return (size_t)w->dim[0] * sizeof(channel) +
           (size_t)(products_of(w) * groups) * sizeof(int16_t);
}

static int64_t bias_of(const waio_refq_call *call, int64_t c)
{
    if (call->node->input_count < 3)
        return 0;
    return call->in[2].type == WAIO_S32 ? ((const int32_t *)call->in[2].data)[c]
                                        : ((const int64_t *)call->in[2].data)[c];
}

/* Whether no sum of `products` products and a bias can leave 32 bits. */
static bool sums_fit(const waio_refq_call *call, int64_t products)
{
    int64_t z = call->in[0].params.zero_point[0], x = z > 0 ? z + 128 : 128 - z, top = 0;

    if (call->in[0].type == WAIO_S16)
        x = 32768;
    for (int64_t c = 0; c < call->in[1].shape.dim[0]; c++) {
        int64_t b = bias_of(call, c);
        if (b < INT32_MIN || b > INT32_MAX)
            return false;
        top = llabs(b) > top ? llabs(b) : top;
    }
    return call->in[1].type == WAIO_S8 && products <= (INT32_MAX - top) / (128 * x);
}

/* s_in * s_w / s_out of channel `c`. Convolutions of uint8 files round the product to float32. */
static double multiplier_of(const waio_refq_call *call, int64_t c)
{
    const waio_value_params *w = &call->in[1].params;
    double product = (double)call->in[0].params.scale[0] * (double)w->scale[w->count == 1 ? 0 : c];

    if (w->u8 && call->node->op == WAIO_OP_CONV2D)
        product = (double)(float)product;
    return product / (double)call->out.params.scale[0];
}

static weighted weighted_of(const waio_refq_call *call)
{
    const waio_type *bias = call->node->input_count == 3 ? &call->in[2].type : NULL;
    int64_t channels = call->in[1].shape.dim[0];
    bool wide = waio_refq_sum_bits(call->in[0].type, call->in[1].type, bias) == 64;
    channel *per = call->scratch;
    int64_t products = products_of(&call->in[1].shape);

    for (int64_t c = 0; c < channels; c++) {
        per[c].real = multiplier_of(call, c);
        per[c].multiplier = waio_multiplier_of(per[c].real);
    }
    return (weighted){.call = call,
                      .channel = per,
                      .operand = (int16_t *)(per + channels),
                      .products = products,
                      .fits = sums_fit(call, products),
                      .wide = wide,
                      .least = wide ? -(INT64_C(1) << 47) : INT32_MIN,
                      .most = wide ? INT64_C(1) << 47 : INT32_MAX,
                      .weight_zero = call->in[1].params.zero_point[0],
                      .in_float64 =
                          call->requant == WAIO_REQUANT_FLOAT ||
                          (call->requant == WAIO_REQUANT_TFLITE && call->node->op == WAIO_OP_DENSE),
                      .limits = waio_refq_output_limits(call)};
}

/* ---- sums ---- */

WAIO_SIMD static int32_t dot_short(const int16_t *x, const int8_t *w, int64_t count)
{
    int32_t sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * (int16_t)w[i];
    return sum;
}

/* In pieces that 32 bits hold: 2^8 products of at most 2^22. */
static int64_t dot_long(const int16_t *x, const int8_t *w, int64_t count)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i += 256)
        sum += dot_short(x + i, w + i, count - i < 256 ? count - i : 256);
    return sum;
}

static int64_t dot_16x16(const int16_t *x, const int16_t *w, int64_t count)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * w[i];
    return sum;
}

/* A sum of channel `c` as a code, without its zero point. */
static int32_t requantize(const weighted *k, int64_t acc, const channel *c)
{
    if (k->in_float64)
        return waio_multiply_by_real(acc, c->real);
    return k->wide
               ? waio_multiply_by_quantized_64(acc, c->multiplier)
               : waio_multiply_by_quantized((int32_t)acc, c->multiplier, c->real, k->call->requant);
}

/* What the weights' zero point takes off every sum over the operand at `x`. */
static int64_t offset_of(const weighted *k, const int16_t *x)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < k->products && k->weight_zero; i++)
        sum += x[i];
    return sum * k->weight_zero;
}

/* The code of channel `c`, its operand at `x`, whose sum has `offset` taken off. */
static int32_t code_of(const weighted *k, const int16_t *x, int64_t offset, int64_t c)
{
    const waio_refq_tensor *w = &k->call->in[1];
    int64_t at = c * k->products, acc = bias_of(k->call, c) - offset;

    if (k->fits)
        acc += dot_short(x, (const int8_t *)w->data + at, k->products);
    else if (w->type == WAIO_S8)
        acc += dot_long(x, (const int8_t *)w->data + at, k->products);
    else
        acc += dot_16x16(x, (const int16_t *)w->data + at, k->products);
    if (acc < k->least || acc > k->most) {
        *k->call->lost = acc;
        return 0;
    }
    return waio_finish_code(requantize(k, acc, &k->channel[c]), k->call->out.params.zero_point[0],
                            k->limits.lo, k->limits.hi);
}

/* x - z_in of `count` neighbours. */
WAIO_SIMD static void load_s8(int16_t *to, const int8_t *x, int64_t count, int32_t z)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (int16_t)(x[i] - z);
}

static void load(int16_t *to, const waio_refq_tensor *x, int64_t at, int64_t count)
{
    if (x->type == WAIO_S8)
        load_s8(to, (const int8_t *)x->data + at, count, x->params.zero_point[0]);
    else /* symmetric */
        memcpy(to, (const int16_t *)x->data + at, (size_t)count * sizeof *to);
}

/* ---- conv2d ---- */

/* A place of the kernel over the image. */
typedef struct place {
    int64_t image, oy, ox;
} place;

/* The cells of one kernel position go to every group's operand; `x_at` < 0: padding. */
static void load_cell(const weighted *k, int64_t cell, int64_t x_at)
{
    int64_t depth = k->call->in[1].shape.dim[3];

    for (int g = 0; g < k->call->node->conv.groups; g++) {
        int16_t *to = k->operand + g * k->products + cell * depth;
        if (x_at < 0)
            memset(to, 0, (size_t)depth * sizeof *to);
        else if (depth == 1)
            *to = (int16_t)(waio_refq_code(&k->call->in[0], x_at + g) -
                            k->call->in[0].params.zero_point[0]);
        else
            load(to, &k->call->in[0], x_at + g * depth, depth);
    }
}

static void load_patch(const weighted *k, place at)
{
    const waio_conv_params *p = &k->call->node->conv;
    const int64_t *in = k->call->in[0].shape.dim, *w = k->call->in[1].shape.dim;

    for (int64_t ky = 0; ky < w[1]; ky++) {
        int64_t iy = at.oy * p->stride[0] - p->pad[0] + ky * p->dilation[0];
        for (int64_t kx = 0; kx < w[2]; kx++) {
            int64_t ix = at.ox * p->stride[1] - p->pad[1] + kx * p->dilation[1];
            bool inside = iy >= 0 && iy < in[1] && ix >= 0 && ix < in[2];
            load_cell(k, ky * w[2] + kx,
                      inside ? ((at.image * in[1] + iy) * in[2] + ix) * in[3] : -1);
        }
    }
}

void waio_refq_conv2d(const waio_refq_call *call)
{
    const int64_t *out = call->out.shape.dim;
    weighted k = weighted_of(call);
    int64_t per_group = out[3] / call->node->conv.groups, offset = 0, y = 0;

    for (int64_t n = 0; n < out[0]; n++)
        for (int64_t oy = 0; oy < out[1]; oy++)
            for (int64_t ox = 0; ox < out[2]; ox++) {
                load_patch(&k, (place){n, oy, ox});
                for (int64_t c = 0; c < out[3]; c++, y++) {
                    const int16_t *x = k.operand + c / per_group * k.products;
                    offset = c % per_group ? offset : offset_of(&k, x);
                    waio_refq_store(call, y, code_of(&k, x, offset, c));
                }
            }
}

void waio_refq_dense(const waio_refq_call *call)
{
    int64_t outputs = call->in[1].shape.dim[0];
    int64_t rows = waio_shape_count(&call->out.shape) / outputs;
    weighted k = weighted_of(call);

    for (int64_t r = 0; r < rows; r++) {
        load(k.operand, &call->in[0], r * k.products, k.products);
        int64_t offset = offset_of(&k, k.operand);
        for (int64_t o = 0; o < outputs; o++)
            waio_refq_store(call, r * outputs + o, code_of(&k, k.operand, offset, o));
    }
}
