/* Constants of the lowered graph: weights, biases, operands. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/lowering.h"

/* Largest bias of 64 bits: see lower.h. */
static const double bias_limit = 70368744177664.0;

static bool is_float_node(const waio_lowering *l, int n)
{
    return waio_quantizer_in_float(l->quantizer, l->request, n);
}

static void store_code(void *codes, waio_type type, int64_t i, int64_t code)
{
    switch (type) {
    case WAIO_S8:
        ((int8_t *)codes)[i] = (int8_t)code;
        return;
    case WAIO_S16:
        ((int16_t *)codes)[i] = (int16_t)code;
        return;
    case WAIO_S32:
        ((int32_t *)codes)[i] = (int32_t)code;
        return;
    default:
        ((int64_t *)codes)[i] = code;
    }
}

/* ---- operands ---- */

waio_status waio_lower_real_operand(waio_lowering *l, int *id, int v, int n)
{
    waio_status st = WAIO_OK;
    const waio_value *value = &l->from->value[v];
    int64_t count = waio_shape_count(&value->shape);
    int bits = waio_quantizer_operand_bits(l->quantizer, l->request, v);
    float *data = NULL;

    bits = is_float_node(l, n) ? WAIO_FLOAT : bits;
    WAIO_TRY(st, waio_graph_add_const(l->to, id, value->name, &value->shape, &data));
    memcpy(data, value->data, (size_t)count * sizeof *data);
    l->to->value[*id].half = bits == WAIO_F16;
    for (int64_t i = 0; bits == WAIO_F16 && i < count; i++)
        data[i] = waio_round_to_half(data[i]);
    if (!waio_bits_quantized(bits))
        goto done;
    waio_qparams p = waio_quantizer_value_params(l->quantizer, v, bits);
    waio_fq fq = waio_qparams_fq(&p);
    for (int64_t i = 0; i < count; i++)
        data[i] = waio_fake_quantize(data[i], fq, waio_quantizer_scheme(l->quantizer)->rounding);
done:
    return st;
}

waio_status waio_lower_code_operand(waio_lowering *l, int *id, int v, int bits, waio_type lane)
{
    waio_status st = WAIO_OK;
    const waio_value *value = &l->from->value[v];
    int64_t count = waio_shape_count(&value->shape);
    waio_qparams p = waio_quantizer_value_params(l->quantizer, v, bits);
    waio_fq fq = waio_qparams_fq(&p);
    waio_grid grid = waio_grid_widen(waio_grid_of(l, v, bits), lane);
    waio_value_params params = {.bits = grid.bits,
                                .symmetric = grid.symmetric,
                                .count = 1,
                                .scale = &grid.scale,
                                .zero_point = &grid.zero_point};
    void *codes = NULL;

    WAIO_TRY(st, waio_graph_add_codes(l->to, id, value->name, &value->shape, grid.type, &params,
                                      &codes));
    for (int64_t i = 0; i < count; i++)
        store_code(codes, grid.type, i,
                   waio_quantize_code(value->data[i], fq, grid.zero_point,
                                      waio_quantizer_scheme(l->quantizer)->rounding));
done:
    return st;
}

/* ---- weights ---- */

/* A node's weights at their bits, on the way into the lowered graph. */
typedef struct weights {
    const waio_node *node; /* of `from` */
    int bits;
    float *values;
    float *bias; /* that goes with them; NULL: there is none */
    waio_weight_scales scales;
    int64_t count;
} weights;

static waio_status read_weights(weights *w, waio_lowering *l, int n)
{
    waio_status st = WAIO_OK;

    w->node = &l->from->node[n];
    w->bits = waio_quantizer_weight_bits(l->quantizer, l->request, n);
    w->count = waio_shape_count(&l->from->value[w->node->input[1]].shape);
    WAIO_TRY(st,
             waio_quantizer_weight_values(l->quantizer, n, w->bits,
                                          waio_quantizer_input_bits(l->quantizer, l->request, n),
                                          &w->values, &w->scales, l->arena));
    if (w->node->input_count < 3)
        goto done;
    WAIO_NEW(st, w->bias, l->arena, (size_t)l->from->value[w->node->input[2]].shape.dim[0]);
    waio_quantizer_bias(l->quantizer, n, w->values, w->bias);
done:
    return st;
}

static float scale_of(const weights *w, int64_t channel)
{
    return w->scales.scale[w->scales.count == 1 ? 0 : channel];
}

/* Codes of the weights, of `type`; `params` describes them, with arrays in the arena. */
static waio_status weight_codes(const weights *w, waio_lowering *l, waio_type type, void *codes,
                                waio_value_params *params)
{
    waio_status st = WAIO_OK;
    int16_t *wide = NULL;
    int32_t *zeros = NULL;

    WAIO_NEW(st, zeros, l->arena, (size_t)w->scales.count);
    *params = (waio_value_params){.bits = w->bits,
                                  .symmetric = true,
                                  .count = w->scales.count,
                                  .scale = w->scales.scale,
                                  .zero_point = zeros};
    if (!codes)
        goto done;
    WAIO_NEW(st, wide, l->arena, (size_t)w->count);
    waio_weight_codes(wide, w->values, &w->scales, w->count);
    for (int64_t i = 0; i < w->count; i++)
        store_code(codes, type, i, wide[i]);
done:
    return st;
}

/* Lets files keep the float constant `id`, which holds quantized weights, in its narrow form. */
static waio_status keep_narrow(const weights *w, waio_lowering *l, int id)
{
    waio_status st = WAIO_OK;
    waio_type type = w->bits <= 8 ? WAIO_S8 : WAIO_S16;
    waio_value_params params;
    void *codes = NULL;

    l->to->value[id].half = w->bits == WAIO_F16;
    if (!waio_bits_quantized(w->bits) ||
        waio_quantizer_scheme(l->quantizer)->weights != WAIO_SYMMETRIC)
        goto done;
    codes = waio_arena_array(l->to->arena, (size_t)w->count, waio_type_bytes(type));
    if (!codes) {
        st = WAIO_ENOMEM;
        goto done;
    }
    WAIO_TRY(st, weight_codes(w, l, type, codes, &params));
    WAIO_TRY(st, waio_graph_set_type(l->to, id, WAIO_F32, &params)); /* copies the parameters */
    l->to->value[id].stored = type;
    l->to->value[id].stored_codes = codes;
done:
    return st;
}

/* The bias as float; at the accumulator's scale if input and weight are both quantized. */
static waio_status real_bias(const weights *w, waio_lowering *l, waio_node *node, int n)
{
    waio_status st = WAIO_OK;
    const waio_value *bias = &l->from->value[w->node->input[2]];
    int x = w->node->input[0], bits = is_float_node(l, n) ? WAIO_FLOAT : waio_lower_bits(l, x);
    float *data = NULL;

    WAIO_TRY(st, waio_graph_add_const(l->to, &node->input[2], bias->name, &bias->shape, &data));
    memcpy(data, w->bias, (size_t)bias->shape.dim[0] * sizeof *data);
    if (!waio_bits_quantized(w->bits) || !waio_bits_quantized(bits) ||
        waio_scheme_float_bias(waio_quantizer_scheme(l->quantizer)))
        goto done;
    float in = waio_quantizer_value_params(l->quantizer, x, bits).scale;
    for (int64_t c = 0; c < bias->shape.dim[0]; c++) {
        float scale = in * scale_of(w, c);
        data[c] = (float)(waio_quantizer_bias_code(data[c], scale, bits) * (double)scale);
    }
done:
    return st;
}

waio_status waio_lower_real_weights(waio_lowering *l, waio_node *node, int n)
{
    waio_status st = WAIO_OK;
    weights w = {0};
    float *data = NULL;

    WAIO_TRY(st, read_weights(&w, l, n));
    const waio_value *weight = &l->from->value[w.node->input[1]];
    WAIO_TRY(st, waio_graph_add_const(l->to, &node->input[1], weight->name, &weight->shape, &data));
    memcpy(data, w.values, (size_t)w.count * sizeof *data);
    WAIO_TRY(st, keep_narrow(&w, l, node->input[1]));
    if (w.node->input_count == 3)
        WAIO_TRY(st, real_bias(&w, l, node, n));
done:
    free(w.values);
    return st;
}

static waio_status code_bias(const weights *w, waio_lowering *l, waio_node *node,
                             const waio_grid *x, waio_type type)
{
    waio_status st = WAIO_OK;
    const waio_value *bias = &l->from->value[w->node->input[2]];
    int input_bits = waio_lower_bits(l, w->node->input[0]), count = w->scales.count;
    float *scale = NULL;
    int32_t *zeros = NULL;
    void *codes = NULL;

    WAIO_NEW(st, scale, l->arena, (size_t)count);
    WAIO_NEW(st, zeros, l->arena, (size_t)count);
    for (int c = 0; c < count; c++)
        scale[c] = x->scale * scale_of(w, c);
    waio_value_params params = {
        .bits = type == WAIO_S32 ? 32 : 64, .count = count, .scale = scale, .zero_point = zeros};
    WAIO_TRY(st, waio_graph_add_codes(l->to, &node->input[2], bias->name, &bias->shape, type,
                                      &params, &codes));
    for (int64_t c = 0; c < bias->shape.dim[0]; c++) {
        double code = waio_quantizer_bias_code(w->bias[c], scale[count == 1 ? 0 : c], input_bits);
        store_code(codes, type, c, (int64_t)fmax(fmin(code, bias_limit), -bias_limit));
    }
done:
    return st;
}

waio_status waio_lower_code_weights(waio_lowering *l, waio_node *node, int n, const waio_grid *x)
{
    waio_status st = WAIO_OK;
    weights w = {0};
    waio_value_params params;
    void *codes = NULL;

    WAIO_TRY(st, read_weights(&w, l, n));
    const waio_value *weight = &l->from->value[w.node->input[1]];
    waio_type type = w.bits <= 8 ? WAIO_S8 : WAIO_S16;
    WAIO_TRY(st, weight_codes(&w, l, type, NULL, &params));
    WAIO_TRY(st, waio_graph_add_codes(l->to, &node->input[1], weight->name, &weight->shape, type,
                                      &params, &codes));
    WAIO_TRY(st, weight_codes(&w, l, type, codes, &params));
    if (w.node->input_count == 3)
        WAIO_TRY(st, code_bias(&w, l, node, x, x->type == WAIO_S8 ? WAIO_S32 : WAIO_S64));
done:
    free(w.values);
    return st;
}
