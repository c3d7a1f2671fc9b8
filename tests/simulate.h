/* The rules of host/quant/README.md once more, straight from the text: every value of a network
 * under one configuration, node by node with the reference's float ops. Nothing of host/quant is
 * used but the names of its types. */
#ifndef WAIO_TESTS_SIMULATE_H
#define WAIO_TESTS_SIMULATE_H

#include <math.h>

#include "backend/ref/ref.h"
#include "check.h"
#include "quant/quantizer.h"

typedef struct simulation {
    const waio_graph *graph; /* in order of execution */
    int64_t batch;
    waio_arena *arena;
    double *min, *max; /* per value: its range, shared ones joined */
    bool *fixed;       /* per value: softmax's range */
    bool *body, *tail; /* per value: behind a layer with weights; behind the last one */
    int first, last;   /* layers with weights */
    waio_scheme scheme;
    waio_precision bits;
    int boundary;          /* nodes before it run in float */
    const bool *real;      /* per node: it runs in float too; NULL: none */
    float **plain, **grid; /* per value: numbers for float readers and for quantized ones */
} simulation;

/* Where quantized numbers lie. */
typedef struct sim_grid {
    int bits;
    float scale;
    double zero, lo, hi;
} sim_grid;

static inline double sim_round(double x)
{
    return x < 0 ? -floor(0.5 - x) : floor(x + 0.5);
}

static inline int64_t sim_count(const simulation *s, int id)
{
    int64_t n = waio_shape_count(&s->graph->value[id].shape);
    return waio_value_is_const(s->graph, id) ? n : n * s->batch;
}

/* ---- ranges ---- */

static inline bool sim_joins(waio_op op)
{
    return op == WAIO_OP_CONCAT || op == WAIO_OP_AVG_POOL || op == WAIO_OP_MAX_POOL ||
           op == WAIO_OP_RESHAPE || op == WAIO_OP_TRANSPOSE || op == WAIO_OP_PAD ||
           op == WAIO_OP_RESIZE || op == WAIO_OP_MAXIMUM;
}

/* One round of letting joined neighbours have the same range; false when nothing changed.
 * `other`: something that is no softmax or logistic flows into the value's group. */
static inline bool sim_spread(simulation *s, bool *soft, bool *other)
{
    bool changed = false;

    for (int n = 0; n < s->graph->node_count; n++) {
        const waio_node *node = &s->graph->node[n];
        for (int i = 0; sim_joins(node->op) && i < node->input_count; i++) {
            int a = node->input[i], b = node->output;
            double min = fmin(s->min[a], s->min[b]), max = fmax(s->max[a], s->max[b]);
            changed = changed || s->min[a] != s->min[b] || s->max[a] != s->max[b] ||
                      soft[a] != soft[b] || other[a] != other[b];
            s->min[a] = s->min[b] = min;
            s->max[a] = s->max[b] = max;
            soft[a] = soft[b] = soft[a] || soft[b];
            other[a] = other[b] = other[a] || other[b];
        }
    }
    return changed;
}

static inline void sim_ranges(simulation *s)
{
    int values = s->graph->value_count;
    bool *soft = waio_arena_array(s->arena, (size_t)values, sizeof *soft);
    bool *other = waio_arena_array(s->arena, (size_t)values, sizeof *other);

    other[s->graph->input] = true;
    for (int n = 0; n < s->graph->node_count; n++) {
        const waio_node *node = &s->graph->node[n];
        soft[node->output] = node->op == WAIO_OP_SOFTMAX || node->op == WAIO_OP_LOGISTIC;
        other[node->output] = !soft[node->output] && !sim_joins(node->op);
        for (int i = 0; i < node->input_count && !waio_op_weighted(node->op); i++) {
            int id = node->input[i];
            const float *data = s->graph->value[id].data;
            for (int64_t k = 0; data && k < sim_count(s, id); k++) {
                s->min[id] = fmin(s->min[id], (double)data[k]);
                s->max[id] = fmax(s->max[id], (double)data[k]);
                other[id] = true;
            }
        }
    }
    while (sim_spread(s, soft, other))
        continue;
    for (int v = 0; v < values; v++)
        s->fixed[v] = soft[v] && !other[v];
}

/* ---- who gets which bits ---- */

static inline void sim_roles(simulation *s)
{
    s->first = s->last = -1;
    for (int n = 0; n < s->graph->node_count; n++)
        if (waio_op_weighted(s->graph->node[n].op)) {
            s->first = s->first < 0 ? n : s->first;
            s->last = n;
        }
    for (int n = 0; n < s->graph->node_count; n++) {
        const waio_node *node = &s->graph->node[n];
        bool body = waio_op_weighted(node->op), tail = n == s->last;
        for (int i = 0; i < node->input_count; i++) {
            body = body || s->body[node->input[i]];
            tail = tail || s->tail[node->input[i]];
        }
        s->body[node->output] = body;
        s->tail[node->output] = tail;
    }
}

static inline bool sim_in_float(const simulation *s, int n)
{
    return n < s->boundary || (s->real && s->real[n]);
}

/* Whether a quantized node computes or reads the value. */
static inline bool sim_touched(const simulation *s, int id)
{
    for (int n = 0; n < s->graph->node_count; n++) {
        bool touches = s->graph->node[n].output == id;
        for (int i = 0; i < s->graph->node[n].input_count; i++)
            touches = touches || s->graph->node[n].input[i] == id;
        if (touches && !sim_in_float(s, n))
            return true;
    }
    return false;
}

static inline int sim_value_bits(const simulation *s, int id)
{
    if (s->real && !sim_touched(s, id))
        return WAIO_FLOAT;
    return s->tail[id] ? s->bits.o : s->body[id] ? s->bits.a : s->bits.i;
}

static inline int sim_weight_bits(const simulation *s, int n)
{
    if (sim_in_float(s, n))
        return WAIO_FLOAT;
    return n == s->first ? s->bits.i : n == s->last ? s->bits.o : s->bits.w;
}

/* The node that is layer `count` + 1 with weights; 0 if none is left out. */
static inline int sim_boundary(const waio_graph *g, int count)
{
    int n = 0, left = count;

    for (; count > 0 && n < g->node_count; n++)
        if (waio_op_weighted(g->node[n].op) && left-- == 0)
            break;
    return n;
}

/* ---- numbers ---- */

static inline sim_grid sim_make_grid(double min, double max, int bits, bool symmetric)
{
    sim_grid g = {.bits = bits, .hi = pow(2, bits - 1) - 1};

    min = fmin(min, 0);
    max = fmax(max, 0);
    g.lo = symmetric ? -g.hi : -g.hi - 1;
    if (symmetric)
        g.scale = (float)(fmax(-min, max) / g.hi);
    else
        g.scale = (float)((double)((float)max - (float)min) / (g.hi - g.lo));
    if (g.scale < ldexpf(1, -126))
        return (sim_grid){.bits = bits, .scale = 1};
    if (!symmetric)
        g.zero = fmin(fmax(sim_round(g.lo - min / (double)g.scale), g.lo), g.hi);
    return g;
}

static inline sim_grid sim_value_grid(const simulation *s, int id, int bits)
{
    bool symmetric = s->scheme.activations == WAIO_SYMMETRIC ||
                     (s->scheme.activations == WAIO_SYMMETRY_AUTO && bits > 8);
    double top = pow(2, bits - 1);

    if (bits == WAIO_FLOAT || bits == WAIO_F16)
        return (sim_grid){.bits = bits};
    if (s->fixed[id] && symmetric)
        return (sim_grid){bits, (float)(1 / top), 0, 1 - top, top - 1};
    if (s->fixed[id])
        return (sim_grid){bits, (float)(0.5 / top), -top, -top, top - 1};
    return sim_make_grid(s->min[id], s->max[id], bits, symmetric);
}

static inline float sim_half(float x)
{
    int exponent = 0;

    if (fabsf(x) > 65504)
        return copysignf(65504, x);
    frexp((double)x, &exponent);
    double step = ldexp(1, exponent < -13 ? -24 : exponent - 11);
    return (float)(nearbyint((double)x / step) * step);
}

static inline float sim_put(float x, const sim_grid *g)
{
    if (g->bits == WAIO_FLOAT)
        return x;
    if (g->bits == WAIO_F16)
        return sim_half(x);
    double code = sim_round((double)(x / g->scale)) + g->zero;
    code = code < g->lo ? g->lo : code > g->hi ? g->hi : code;
    return (float)(code - g->zero) * g->scale;
}

static inline float *sim_put_all(const simulation *s, const float *x, int64_t count, sim_grid grid)
{
    float *y = waio_arena_array(s->arena, (size_t)count, sizeof *y);
    for (int64_t i = 0; i < count; i++)
        y[i] = sim_put(x[i], &grid);
    return y;
}

/* ---- layers ---- */

/* The scale of block `b`, `blocks` in all, so that a bias of 32 bits at its product with the scale
 * `in` takes no more than half of them; `bias` and `in` are NULL and 0 if there is no such bias. */
static inline float sim_wider(float scale, const waio_value *bias, float in, int64_t b,
                              int64_t blocks)
{
    double most = 0;

    for (int64_t c = 0; bias && c < bias->shape.dim[0]; c++)
        if (blocks == 1 || c == b)
            most = fmax(most, fabs((double)bias->data[c]));
    if (most / ((double)in * (double)scale) > 1073741823.5)
        return (float)(most / 1073741823.5 / (double)in);
    return scale;
}

/* Weights of `bits` bits, a block a scale; `scale` gets one number a block. `bias`, `in`: see
 * sim_wider. */
static inline float *sim_weights(const simulation *s, const waio_value *weight, int bits,
                                 float *scale, const waio_value *bias, float in)
{
    int64_t count = waio_shape_count(&weight->shape);
    int64_t block = s->scheme.per_channel ? count / weight->shape.dim[0] : count;
    float *w = waio_arena_array(s->arena, (size_t)count, sizeof *w);

    for (int64_t at = 0; at < count; at += block, scale++) {
        double min = INFINITY, max = -INFINITY;
        bool symmetric = s->scheme.weights == WAIO_SYMMETRIC;
        for (int64_t i = at; i < at + block; i++) {
            min = fmin(min, (double)weight->data[i]);
            max = fmax(max, (double)weight->data[i]);
        }
        sim_grid g = sim_make_grid(min, max, bits, symmetric);
        *scale = g.scale = sim_wider(g.scale, bias, in, at / block, count / block);
        for (int64_t i = at; i < at + block; i++) {
            double code = sim_round((double)(weight->data[i] * (1 / g.scale)));
            code = code < g.lo ? g.lo : code > g.hi ? g.hi : code;
            w[i] = symmetric ? (float)code * g.scale : sim_put(weight->data[i], &g);
        }
    }
    return w;
}

static inline float *sim_bias(const simulation *s, const waio_value *bias, const sim_grid *in,
                              const float *scale)
{
    int64_t count = bias->shape.dim[0];
    double limit = in->bits > 8 ? pow(2, 53) : pow(2, 31) - 1;
    float *b = waio_arena_array(s->arena, (size_t)count, sizeof *b);

    for (int64_t c = 0; c < count; c++) {
        float step = in->scale * scale[s->scheme.per_channel ? c : 0];
        double code = sim_round((double)bias->data[c] / (double)step);
        b[c] = (float)(fmax(-limit, fmin(limit, code)) * (double)step);
    }
    return b;
}

/* The constants that node `n` works with, in `x`. */
static inline void sim_constants(const simulation *s, int n, const float **x)
{
    const waio_node *node = &s->graph->node[n];
    const waio_value *value = s->graph->value;
    int bits = sim_weight_bits(s, n), in_bits = sim_value_bits(s, node->input[0]);
    bool quantized = bits <= WAIO_MAX_BITS, layer = waio_op_weighted(node->op);
    float scale[64];

    for (int i = 0; i < node->input_count; i++)
        if (value[node->input[i]].data)
            x[i] = value[node->input[i]].data;
    if (layer && bits == WAIO_F16) {
        x[1] = sim_put_all(s, x[1], sim_count(s, node->input[1]), (sim_grid){.bits = WAIO_F16});
    } else if (layer && quantized) {
        sim_grid in = sim_value_grid(s, node->input[0], in_bits);
        bool half = node->input_count == 3 && in_bits <= 8;
        x[1] = sim_weights(s, &value[node->input[1]], bits, scale,
                           half ? &value[node->input[2]] : NULL, half ? in.scale : 0);
        if (node->input_count == 3 && in_bits <= WAIO_MAX_BITS)
            x[2] = sim_bias(s, &value[node->input[2]], &in, scale);
    }
    for (int i = 0; !layer && !sim_in_float(s, n) && i < node->input_count; i++) {
        int id = node->input[i];
        if (value[id].data) /* an operand has the bits of the op's output */
            x[i] = sim_put_all(s, x[i], sim_count(s, id),
                               sim_value_grid(s, id, sim_value_bits(s, node->output)));
    }
}

static inline void sim_node(simulation *s, int n)
{
    const waio_node *node = &s->graph->node[n];
    int id = node->output;
    waio_shape in[WAIO_MAX_INPUTS], out = waio_batched_shape(s->graph, id, s->batch);
    const float *x[WAIO_MAX_INPUTS] = {0};

    for (int i = 0; i < node->input_count; i++) {
        in[i] = waio_batched_shape(s->graph, node->input[i], s->batch);
        x[i] = n < s->boundary ? s->plain[node->input[i]] : s->grid[node->input[i]];
    }
    sim_constants(s, n, x);
    s->plain[id] = waio_arena_array(s->arena, (size_t)sim_count(s, id), sizeof(float));
    waio_ref_run(&(waio_ref_call){node, in, &out, x, s->plain[id]});
    s->grid[id] = sim_put_all(s, s->plain[id], sim_count(s, id),
                              sim_value_grid(s, id, sim_value_bits(s, id)));
}

/* ---- use ---- */

/* `seen`: observed minimum and maximum per value; NULL: float only. Everything is in `arena`. */
static inline simulation sim_new(const waio_graph *graph, int64_t batch, const waio_ranges *seen,
                                 waio_arena *arena)
{
    simulation s = {.graph = graph, .batch = batch, .arena = arena};
    size_t values = (size_t)graph->value_count;

    s.min = waio_arena_array(arena, values, sizeof *s.min);
    s.max = waio_arena_array(arena, values, sizeof *s.max);
    s.fixed = waio_arena_array(arena, values, sizeof *s.fixed);
    s.body = waio_arena_array(arena, values, sizeof *s.body);
    s.tail = waio_arena_array(arena, values, sizeof *s.tail);
    s.plain = waio_arena_array(arena, values, sizeof *s.plain);
    s.grid = waio_arena_array(arena, values, sizeof *s.grid);
    for (size_t v = 0; v < values; v++) {
        s.min[v] = seen ? (double)seen->min[v] : INFINITY;
        s.max[v] = seen ? (double)seen->max[v] : -INFINITY;
    }
    sim_ranges(&s);
    sim_roles(&s);
    return s;
}

static inline void sim_run(simulation *s, const waio_quant_request *request, const float *image)
{
    int input = s->graph->input;
    int64_t count = sim_count(s, input);

    s->bits = request->bits;
    s->boundary = sim_boundary(s->graph, request->first_n);
    s->real = request->real;
    s->plain[input] = sim_put_all(s, image, count, (sim_grid){.bits = WAIO_FLOAT});
    s->grid[input] =
        sim_put_all(s, image, count, sim_value_grid(s, input, sim_value_bits(s, input)));
    for (int n = 0; n < s->graph->node_count; n++)
        sim_node(s, n);
}

#endif
