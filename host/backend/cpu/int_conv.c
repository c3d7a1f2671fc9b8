/* Making the kernel: geometry, types, constants. */
#include "backend/cpu/int_conv.h"

#include <stdlib.h>
#include <string.h>

#include "backend/cpu/int_depthwise.h"
#include "backend/ref/ref.h"
#include "backend/ref/refq.h"

enum { STRIP_BYTES = 48 * 1024 };

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- geometry ---- */

static void set_conv(waio_int_conv *c, const waio_shape *x, const waio_shape *w,
                     const waio_shape *y)
{
    const waio_conv_params *p = &c->node->conv;

    c->images = x->dim[0];
    c->ih = x->dim[1];
    c->iw = x->dim[2];
    c->ic = x->dim[3];
    c->oh = y->dim[1];
    c->ow = y->dim[2];
    c->oc = y->dim[3];
    c->kh = w->dim[1];
    c->kw = w->dim[2];
    for (int i = 0; i < 2; i++) {
        c->stride[i] = p->stride[i];
        c->dilation[i] = p->dilation[i];
        c->pad[i] = p->pad[i];
    }
    c->depthwise = p->groups > 1 && p->groups == c->ic && c->ic == c->oc;
    c->groups = c->depthwise ? 1 : p->groups;
    c->flat = c->kh == 1 && c->kw == 1 && c->stride[0] == 1 && c->stride[1] == 1 &&
              c->oh == c->ih && c->ow == c->iw && !c->pad[0] && !c->pad[1];
}

static void set_dense(waio_int_conv *c, const waio_shape *w, const waio_shape *y)
{
    c->oc = w->dim[0];
    c->ic = w->dim[1];
    c->images = c->ih = c->oh = c->kh = c->kw = 1;
    c->iw = c->ow = waio_shape_count(y) / c->oc;
    c->stride[0] = c->stride[1] = c->dilation[0] = c->dilation[1] = c->groups = 1;
    c->flat = true;
}

/* One image of one row. */
static void flatten(waio_int_conv *c)
{
    c->iw = c->ow = c->images * c->ih * c->iw;
    c->images = c->ih = c->oh = 1;
}

static void set_strip(waio_int_conv *c)
{
    int64_t window = (c->kh - 1) * c->dilation[0] + 1;

    c->strip_width = (c->ow - 1) * c->stride[1] + (c->kw - 1) * c->dilation[1] + 1;
    c->row_bytes = c->strip_width * c->ic * c->bytes;
    if (c->flat) { /* strip_rows: pixels, as many as a chunk has */
        int64_t fit = STRIP_BYTES / (c->ic * c->bytes);
        c->strip_rows = smaller(c->ow, larger(16, smaller(WAIO_INT_CHUNK, fit)));
        c->row_bytes = c->ic * c->bytes;
        c->in_rows = c->strip_rows;
        return;
    }
    int64_t fit = (STRIP_BYTES / c->row_bytes - window) / c->stride[0] + 1;
    c->strip_rows = smaller(c->oh, larger(1, fit));
    c->in_rows = (c->strip_rows - 1) * c->stride[0] + window;
}

static waio_status set_segments(waio_int_conv *c)
{
    bool whole_rows = !c->depthwise && c->groups == 1 && (c->dilation[1] == 1 || c->kw == 1);
    int64_t columns = whole_rows ? 1 : c->kw;

    c->run = c->depth * (whole_rows ? c->kw : 1);
    c->steps = (c->run * c->bytes + WAIO_INT_STEP_BYTES - 1) / WAIO_INT_STEP_BYTES;
    c->segments = (int)(c->kh * columns);
    c->segment = calloc((size_t)c->segments, sizeof *c->segment);
    if (!c->segment)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int s = 0; s < c->segments; s++) {
        int64_t ky = s / columns, kx = s % columns;
        c->segment[s] = ky * c->dilation[0] * c->row_bytes + kx * c->dilation[1] * c->ic * c->bytes;
    }
    return WAIO_OK;
}

ptrdiff_t waio_int_block_x(const waio_int_conv *c, int group, int block)
{
    return (c->depthwise ? block * WAIO_INT_LANES : group * c->depth) * c->bytes;
}

/* Cuts a pixel's products into parts that 32 bits hold. */
static waio_status set_parts(waio_int_conv *c)
{
    int64_t numbers = c->x_type == WAIO_S8 ? WAIO_INT_PART_8 : WAIO_INT_PART_16;
    int64_t most =
        (c->w_zero ? numbers / 2 : numbers) * c->bytes / WAIO_INT_STEP_BYTES; /* in steps */
    int64_t per_run = (c->steps + most - 1) / most, together = larger(1, most / c->steps);
    int64_t count = per_run > 1 ? per_run * c->segments : (c->segments + together - 1) / together;

    c->part = calloc((size_t)count, sizeof *c->part);
    if (!c->part)
        return waio_error(WAIO_ENOMEM, "out of memory");
    for (int s = 0; s < c->segments; s += (int)together)
        for (int64_t step = 0; step < c->steps; step += most)
            c->part[c->parts++] = (waio_int_part){s, (int)smaller(together, c->segments - s), step,
                                                  smaller(most, c->steps - step)};
    return WAIO_OK;
}

/* ---- sums ---- */

static int64_t magnitude_of(const waio_value *w, int64_t from, int64_t count)
{
    int32_t zero = w->params.zero_point[0];
    int64_t sum = 0;

    for (int64_t i = from; i < from + count; i++)
        sum += w->type == WAIO_S8 ? abs(((const int8_t *)w->codes)[i] - zero)
                                  : abs(((const int16_t *)w->codes)[i]);
    return sum;
}

/* Whether all w - z_w are codes of 8 bits. */
static bool moved_weights_fit(const waio_value *w)
{
    for (int64_t i = 0; i < waio_shape_count(&w->shape); i++) {
        int32_t moved = ((const int8_t *)w->codes)[i] - w->params.zero_point[0];
        if (moved < -128 || moved > 127)
            return false;
    }
    return true;
}

static int64_t bias_size(const waio_value *bias, int64_t c)
{
    if (!bias)
        return 0;
    int64_t b = bias->type == WAIO_S32 ? ((const int32_t *)bias->codes)[c]
                                       : ((const int64_t *)bias->codes)[c];
    return b < 0 ? -(b + 1) + 1 : b;
}

/* Whether no sum can leave 32 bits, whatever the input is. */
static bool sums_fit(const waio_int_conv *c, const waio_value *w, const waio_value *bias)
{
    int64_t products = c->kh * c->kw * c->depth, x = larger(127 - c->x_zero, 128 + c->x_zero);

    for (int64_t o = 0; o < c->oc; o++) {
        int64_t size = magnitude_of(w, o * products, products);
        if (size > INT32_MAX || size * x + bias_size(bias, o) > INT32_MAX)
            return false;
    }
    return true;
}

/* ---- constants ---- */

int waio_int_blocks(const waio_int_conv *conv)
{
    return conv->groups * conv->group_blocks;
}

/* Real factors and their multipliers per padded channel. */
static void set_factors(const waio_int_conv *c, const waio_graph *graph, double *real,
                        waio_multiplier *multiplier)
{
    const waio_value_params *x = &graph->value[c->node->input[0]].params;
    const waio_value_params *w = &graph->value[c->node->input[1]].params;
    const waio_value_params *y = &graph->value[c->node->output].params;

    for (int64_t o = 0; o < c->oc; o++) {
        int64_t at = o / c->per_group * c->group_blocks * WAIO_INT_LANES + o % c->per_group;
        double product = (double)x->scale[0] * (double)w->scale[w->count == 1 ? 0 : o];
        if (w->u8 && c->node->op == WAIO_OP_CONV2D)
            product = (double)(float)product; /* as the reference has it */
        real[at] = product / (double)y->scale[0];
        multiplier[at] = waio_multiplier_of(real[at]);
    }
}

static waio_status set_requant(waio_int_conv *c, const waio_graph *graph, waio_isa isa)
{
    waio_status st = WAIO_OK;
    const waio_value_params *y = &graph->value[c->node->output].params;
    size_t channels = (size_t)waio_int_blocks(c) * WAIO_INT_LANES;
    double *real = calloc(channels, sizeof *real);
    waio_multiplier *multiplier = calloc(channels, sizeof *multiplier);

    if (!real || !multiplier)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    set_factors(c, graph, real, multiplier);
    bool in_float64 = graph->requant == WAIO_REQUANT_TFLITE && c->node->op == WAIO_OP_DENSE;
    c->requant.type = graph->value[c->node->output].type;
    c->requant.zero_point = y->zero_point[0];
    c->requant.lo = waio_bound_code(c->node->clamp.lo, y->scale[0], y->zero_point[0],
                                    waio_params_lo(y), waio_params_hi(y));
    c->requant.hi = waio_bound_code(c->node->clamp.hi, y->scale[0], y->zero_point[0],
                                    waio_params_lo(y), waio_params_hi(y));
    WAIO_TRY(st,
             waio_int_requant_create(&c->requant, in_float64 ? WAIO_REQUANT_FLOAT : graph->requant,
                                     multiplier, real, waio_int_blocks(c), isa));
done:
    free(real);
    free(multiplier);
    return st;
}

static void set_types(waio_int_conv *c, const waio_graph *graph, waio_isa isa)
{
    const waio_value *x = &graph->value[c->node->input[0]], *w = &graph->value[c->node->input[1]];
    const waio_value *bias = c->node->input_count == 3 ? &graph->value[c->node->input[2]] : NULL;

    c->x_type = x->type;
    c->w_type = w->type;
    c->bias_type = bias ? bias->type : WAIO_F32;
    c->x_zero = x->params.zero_point[0];
    c->w_zero = w->params.zero_point[0];
    c->sum_64 = waio_refq_sum_bits(x->type, w->type, bias ? &bias->type : NULL) == 64;
    c->wide = x->type == WAIO_S16 || !sums_fit(c, w, bias);
    c->terms = w->type == WAIO_S16 ? 2 : 1;
    c->tile = c->wide || c->depthwise ? NULL : waio_tile_u8s8(isa);
    c->bytes = c->tile ? 1 : 2;
    c->w_apart = c->tile && c->w_zero && !moved_weights_fit(w);
    if (!c->tile)
        c->tile = c->depthwise ? waio_tile_depthwise : waio_tile_s16(isa);
}

static void set_types_on_codes(waio_int_conv *c, waio_isa isa)
{
    c->x_type = c->bias_type = c->requant.type = WAIO_F32;
    c->w_type = WAIO_S8;
    c->terms = 1;
    c->tile = c->depthwise ? NULL : waio_tile_u8s8(isa);
    c->bytes = c->tile ? 1 : 2;
    if (!c->tile)
        c->tile = c->depthwise ? waio_tile_depthwise : waio_tile_s16(isa);
}

static waio_status create(waio_int_conv **out, const waio_graph *graph, const waio_node *node,
                          int64_t batch, waio_isa isa, bool on_codes)
{
    waio_status st = WAIO_OK;
    waio_shape x = waio_batched_shape(graph, node->input[0], batch);
    waio_shape y = waio_batched_shape(graph, node->output, batch);
    const waio_shape *w = &graph->value[node->input[1]].shape;
    waio_int_conv *c = calloc(1, sizeof *c);

    if (!c)
        WAIO_FAIL(st, WAIO_ENOMEM, "out of memory");
    c->node = node;
    c->on_codes = on_codes;
    if (node->op == WAIO_OP_CONV2D)
        set_conv(c, &x, w, &y);
    else
        set_dense(c, w, &y);
    if (c->flat)
        flatten(c);
    c->depth = c->depthwise ? 1 : c->ic / c->groups;
    c->per_group = c->oc / c->groups;
    c->group_blocks = (int)((c->per_group + WAIO_INT_LANES - 1) / WAIO_INT_LANES);
    if (on_codes)
        set_types_on_codes(c, isa);
    else
        set_types(c, graph, isa);
    set_strip(c);
    WAIO_TRY(st, set_segments(c));
    if (c->wide)
        WAIO_TRY(st, set_parts(c));
    if (c->depthwise && c->parts > 1)
        WAIO_FAIL(st, WAIO_EUNSUPPORTED, "a depthwise kernel of more than 510 positions");
    if (!on_codes) {
        WAIO_TRY(st, set_requant(c, graph, isa));
        WAIO_TRY(st,
                 waio_int_depthwise_create(&c->by_vectors, c, &graph->value[node->input[1]], isa));
    }
    *out = c;
    c = NULL;
done:
    waio_int_conv_free(c);
    return st;
}

waio_status waio_int_conv_create(waio_int_conv **out, const waio_graph *graph,
                                 const waio_node *node, int64_t batch, waio_isa isa)
{
    return create(out, graph, node, batch, isa, false);
}

waio_status waio_int_conv_create_on_codes(waio_int_conv **out, const waio_graph *graph,
                                          const waio_node *node, int64_t batch, waio_isa isa)
{
    return create(out, graph, node, batch, isa, true);
}

void waio_int_conv_free(waio_int_conv *conv)
{
    if (!conv)
        return;
    free(conv->segment);
    free(conv->part);
    waio_int_depthwise_free(conv->by_vectors);
    waio_int_requant_free(&conv->requant);
    free(conv);
}
