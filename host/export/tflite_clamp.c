/* Clamps, and the ranges of few bits: fused activations where the schema has them, MAXIMUM and
 * MINIMUM with a constant where not. */
#include <float.h>
#include <math.h>

#include "export/tflite_out.h"

enum { QUANTIZE = 114, MAXIMUM = 55, MINIMUM = 57, BOUND_OPTIONS = 39, QUANTIZE_OPTIONS = 89 };
enum { RELU = 19, RELU_N1_TO_1 = 20, RELU6 = 21 };

typedef struct activation {
    int fused, code; /* as a field of options, as an operator */
    waio_clamp clamp;
} activation;

static const activation activations[] = {
    {1, RELU, {0, INFINITY}}, {2, RELU_N1_TO_1, {-1, 1}}, {3, RELU6, {0, 6}}};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

static const activation *activation_of(waio_clamp clamp)
{
    for (int i = 0; i < ACTIVATIONS; i++)
        if (activations[i].clamp.lo == clamp.lo && activations[i].clamp.hi == clamp.hi)
            return &activations[i];
    return NULL;
}

/* What lies between two bounds: codes of a quantized value, numbers of a float one. */
typedef struct bounds {
    double lo, hi;
} bounds;

/* The codes that `clamp` leaves of lo..hi. */
static bounds code_bounds(const waio_value_params *p, waio_clamp clamp, int32_t lo, int32_t hi)
{
    return (bounds){waio_bound_code(clamp.lo, p->scale[0], p->zero_point[0], lo, hi),
                    waio_bound_code(clamp.hi, p->scale[0], p->zero_point[0], lo, hi)};
}

static bounds wanted_bounds(const waio_value *value, waio_clamp clamp)
{
    if (value->type == WAIO_F32)
        return (bounds){clamp.lo, clamp.hi};
    return code_bounds(&value->params, clamp, waio_params_lo(&value->params),
                       waio_params_hi(&value->params));
}

/* What an operator gives that does the clamp `fused` (or none) itself. */
static bounds given_bounds(const waio_value *value, waio_clamp fused, bool kept)
{
    int32_t lo = value->type == WAIO_S8 ? -128 : -32768, hi = -(lo + 1);

    if (value->type == WAIO_F32)
        return (bounds){fused.lo, fused.hi};
    if (kept)
        return wanted_bounds(value, fused);
    return code_bounds(&value->params, fused, lo, hi);
}

/* MAXIMUM or MINIMUM of tensor `from` and one number, to tensor `to`. */
static waio_status add_bound(waio_tflo *out, const waio_node *node, int code, int from, int to,
                             double bound)
{
    waio_status st = WAIO_OK;
    waio_tflo_operator op = {
        .code = code, .input = {from}, .input_count = 2, .output = to, .options = BOUND_OPTIONS};
    waio_type type = out->graph->value[node->output].type;
    int32_t as_code = type == WAIO_F32 ? 0 : (int32_t)bound;

    op.version = waio_tflo_version(code, type);
    WAIO_TRY(st, waio_tflo_scalar(out, &op.input[1], node->output, code == MAXIMUM ? "lo" : "hi",
                                  (float)bound, as_code));
    WAIO_TRY(st, waio_tflo_add_operator(out, &op));
done:
    return st;
}

/* Brings tensor `from`, which lies within `given`, to the node's output within `wanted`; at least
 * one of them cuts. */
static waio_status add_bounds(waio_tflo *out, const waio_node *node, int from, bounds given,
                              bounds wanted)
{
    waio_status st = WAIO_OK;
    const waio_shape *shape = &out->graph->value[node->output].shape;
    bool below = wanted.lo > given.lo, above = wanted.hi < given.hi;
    int to = -1, between = -1;

    WAIO_TRY(st, waio_tflo_value(out, &to, node->output));
    if (below && above)
        WAIO_TRY(st, waio_tflo_like(out, &between, node->output, shape, "above"));
    if (below)
        WAIO_TRY(st, add_bound(out, node, MAXIMUM, from, above ? between : to, wanted.lo));
    if (above)
        WAIO_TRY(st, add_bound(out, node, MINIMUM, below ? between : from, to, wanted.hi));
done:
    return st;
}

static bool cuts(bounds given, bounds wanted)
{
    return wanted.lo > given.lo || wanted.hi < given.hi;
}

/* Appends `op`, whose result lies within `given`, and the bounds behind it that are missing. */
static waio_status finish(waio_tflo *out, const waio_node *node, waio_tflo_operator *op,
                          bounds given)
{
    waio_status st = WAIO_OK;
    const waio_value *value = &out->graph->value[node->output];
    bounds wanted = wanted_bounds(value, node->clamp);

    if (!cuts(given, wanted)) {
        WAIO_TRY(st, waio_tflo_value(out, &op->output, node->output));
        WAIO_TRY(st, waio_tflo_add_operator(out, op));
        goto done;
    }
    WAIO_TRY(st, waio_tflo_like(out, &op->output, node->output, &value->shape, "unclamped"));
    WAIO_TRY(st, waio_tflo_add_operator(out, op));
    WAIO_TRY(st, add_bounds(out, node, op->output, given, wanted));
done:
    return st;
}

waio_status waio_tflo_finish(waio_tflo *out, const waio_node *node, waio_tflo_operator *op,
                             int fusion, bool kept)
{
    const activation *a = fusion >= 0 ? activation_of(node->clamp) : NULL;

    if (a)
        waio_tflo_option(op, fusion, 1, a->fused);
    return finish(
        out, node, op,
        given_bounds(&out->graph->value[node->output], a ? a->clamp : WAIO_NO_CLAMP, kept));
}

static bool same_grid(const waio_value *a, const waio_value *b)
{
    return a->type == b->type &&
           (a->type == WAIO_F32 ||
            (a->params.bits == b->params.bits && a->params.symmetric == b->params.symmetric &&
             a->params.scale[0] == b->params.scale[0] &&
             a->params.zero_point[0] == b->params.zero_point[0]));
}

waio_status waio_tflo_clip(waio_tflo *out, const waio_node *node)
{
    waio_status st = WAIO_OK;
    const waio_value *x = &out->graph->value[node->input[0]];
    const waio_value *y = &out->graph->value[node->output];
    const activation *a = activation_of(node->clamp);
    bounds wanted = wanted_bounds(y, node->clamp);
    waio_tflo_operator op = {.code = QUANTIZE, .input_count = 1, .options = QUANTIZE_OPTIONS};
    bool is_float = y->type == WAIO_F32, same = same_grid(x, y);

    WAIO_TRY(st, waio_tflo_value(out, &op.input[0], node->input[0]));
    bounds given = given_bounds(y, WAIO_NO_CLAMP, same);
    if (a && (is_float || (!same && a->code != RELU_N1_TO_1))) {
        op.code = a->code;
        op.options = 0;
        given = given_bounds(y, a->clamp, false);
    } else if (same && (is_float || cuts(given, wanted))) {
        if (!cuts(given, wanted)) /* a clip that does nothing */
            wanted.lo = -(double)FLT_MAX;
        WAIO_TRY(st, add_bounds(out, node, op.input[0], given, wanted));
        goto done;
    }
    op.version = waio_tflo_version(op.code, y->type);
    WAIO_TRY(st, finish(out, node, &op, given));
done:
    return st;
}
