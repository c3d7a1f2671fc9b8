#include "quant/moments.h"

#include <math.h>

/* ---- one number ---- */

static double density(double x)
{
    return isinf(x) ? 0 : exp(-0.5 * x * x) * 0.39894228040143267794;
}

static double below(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752440);
}

void waio_clipped_normal(double *mean, double *std, double center, double spread, double lo,
                         double hi)
{
    if (!(spread > 0)) {
        *mean = fmin(fmax(center, lo), hi);
        *std = 0;
        return;
    }
    double a = (lo - center) / spread, b = (hi - center) / spread;
    double inside = below(b) - below(a), at_lo = below(a), at_hi = below(-b);
    double slope = density(a) - density(b);
    /* First and second moment of (x - center) / spread. */
    double first = slope + (at_lo > 0 ? at_lo * a : 0) + (at_hi > 0 ? at_hi * b : 0);
    double second = inside + (isinf(a) ? 0 : a * density(a)) - (isinf(b) ? 0 : b * density(b)) +
                    (at_lo > 0 ? at_lo * a * a : 0) + (at_hi > 0 ? at_hi * b * b : 0);

    *mean = center + spread * first;
    *std = spread * sqrt(fmax(0, second - first * first));
}

/* A number with `center` and `spread`, between `lo` and `hi` for other reasons, behind `clamp`. */
static waio_moment limited(double center, double spread, double lo, double hi, waio_clamp clamp)
{
    waio_moment m = {.center = (float)center, .spread = (float)spread};
    double mean = center, std = spread;

    m.lo = fminf(fmaxf((float)lo, clamp.lo), clamp.hi);
    m.hi = fmaxf(fminf((float)hi, clamp.hi), clamp.lo);
    if (!waio_clamp_is_none(clamp))
        waio_clipped_normal(&mean, &std, center, spread, (double)clamp.lo, (double)clamp.hi);
    m.mean = (float)mean;
    m.std = (float)std;
    return m;
}

/* ---- ops ---- */

typedef struct walk {
    const waio_graph *graph;
    waio_moments *m;
    waio_arena *arena;
} walk;

/* Channel `c` of operand `id`: constants have a moment as well. */
static waio_moment operand(const walk *w, int id, int64_t c)
{
    const waio_value *value = &w->graph->value[id];
    int64_t count = waio_shape_count(&value->shape), channels = w->m->channels[id];

    if (!value->data)
        return w->m->channel[id][c % channels];
    int64_t last = value->shape.rank ? value->shape.dim[value->shape.rank - 1] : 1;
    double sum = 0, squares = 0, lo = INFINITY, hi = -INFINITY;
    int64_t seen = 0;
    for (int64_t i = c % last; i < count; i += last, seen++) {
        double x = (double)value->data[i];
        sum += x;
        squares += x * x;
        lo = fmin(lo, x);
        hi = fmax(hi, x);
    }
    double mean = sum / (double)seen, std = sqrt(fmax(0, squares / (double)seen - mean * mean));
    return (waio_moment){(float)mean, (float)std, (float)mean, (float)std, (float)lo, (float)hi};
}

/* Layers with weights: by the norm, or by what comes in. Neighbouring cells of an image are alike,
 * so that the spread of a sum lies between that of independent and of equal cells: the larger. What
 * a dense layer reads is learned to vary as its rows do: its spread is the largest there can be. */
static waio_moment of_layer(const walk *w, const waio_node *node, int64_t c)
{
    const waio_value *weight = &w->graph->value[node->input[1]];
    const waio_shape *shape = &weight->shape;
    int64_t inputs = shape->dim[shape->rank - 1];
    int64_t positions = waio_shape_count(shape) / shape->dim[0] / inputs;
    int groups = node->op == WAIO_OP_CONV2D ? node->conv.groups : 1;
    int64_t first = c / (shape->dim[0] / groups) * inputs;
    const float *row = weight->data + c * positions * inputs;
    double mean = node->input_count == 3 ? (double)w->graph->value[node->input[2]].data[c] : 0;
    double apart = 0, together = 0, aligned = 0;

    if (node->norm_mean)
        return limited((double)node->norm_mean[c], (double)node->norm_std[c], -INFINITY, INFINITY,
                       node->clamp);
    for (int64_t i = 0; i < inputs; i++) {
        waio_moment x = operand(w, node->input[0], first + i);
        double sum = 0, squares = 0, variance = (double)x.std * (double)x.std;
        for (int64_t p = 0; p < positions; p++) {
            double weight_here = (double)row[p * inputs + i];
            sum += weight_here;
            squares += weight_here * weight_here;
        }
        mean += sum * (double)x.mean;
        apart += squares * variance;
        together += sum * sum * variance;
        aligned += fabs(sum) * (double)x.std;
    }
    double spread = node->op == WAIO_OP_DENSE ? aligned : sqrt(fmax(apart, together));
    return limited(mean, spread, -INFINITY, INFINITY, node->clamp);
}

static waio_moment of_product(waio_moment a, waio_moment b, waio_clamp clamp)
{
    double va = (double)a.std * (double)a.std, vb = (double)b.std * (double)b.std;
    double ma = (double)a.mean, mb = (double)b.mean;
    double corner[4] = {(double)a.lo * (double)b.lo, (double)a.lo * (double)b.hi,
                        (double)a.hi * (double)b.lo, (double)a.hi * (double)b.hi};
    double lo = INFINITY, hi = -INFINITY;

    for (int i = 0; i < 4; i++) {
        double x = isnan(corner[i]) ? 0 : corner[i]; /* infinity times 0 */
        lo = fmin(lo, x);
        hi = fmax(hi, x);
    }
    return limited(ma * mb, sqrt(va * vb + va * mb * mb + vb * ma * ma), lo, hi, clamp);
}

static waio_moment of_pair(waio_moment a, waio_moment b, const waio_node *node)
{
    double sign = node->op == WAIO_OP_SUB ? -1 : 1;

    if (node->op == WAIO_OP_MUL)
        return of_product(a, b, node->clamp);
    if (node->op == WAIO_OP_MAXIMUM)
        return limited(fmax((double)a.mean, (double)b.mean),
                       fmax((double)a.spread, (double)b.spread), fmax((double)a.lo, (double)b.lo),
                       fmax((double)a.hi, (double)b.hi), node->clamp);
    double lo = (double)a.lo + (sign > 0 ? (double)b.lo : -(double)b.hi);
    double hi = (double)a.hi + (sign > 0 ? (double)b.hi : -(double)b.lo);
    waio_moment m = limited((double)a.mean + sign * (double)b.mean,
                            hypot((double)a.spread, (double)b.spread), lo, hi, node->clamp);
    if (waio_clamp_is_none(node->clamp))
        m.std = (float)hypot((double)a.std, (double)b.std);
    return m;
}

/* `m` behind an op that lets numbers through, and maybe other ones between `lo` and `hi` too. */
static waio_moment passed(waio_moment m, double lo, double hi, waio_clamp clamp)
{
    waio_moment out = m;

    out.lo = fminf(m.lo, (float)lo);
    out.hi = fmaxf(m.hi, (float)hi);
    if (waio_clamp_is_none(clamp))
        return out;
    return limited((double)m.mean, (double)m.spread, (double)out.lo, (double)out.hi, clamp);
}

/* Which input of a concat channel `c` of its output is, and which channel of that. */
static waio_moment of_concat(const walk *w, const waio_node *node, int64_t c)
{
    const waio_shape *shape = &w->graph->value[node->output].shape;

    for (int i = 0; i < node->input_count && node->axis.axis == shape->rank - 1; i++) {
        const waio_shape *in = &w->graph->value[node->input[i]].shape;
        int64_t channels = in->dim[in->rank - 1];
        if (c < channels)
            return operand(w, node->input[i], c);
        c -= channels;
    }
    waio_moment m = operand(w, node->input[0], c);
    for (int i = 1; i < node->input_count; i++) {
        waio_moment x = operand(w, node->input[i], c);
        m.mean += (x.mean - m.mean) / (float)(i + 1);
        m.center = fmaxf(m.center, x.center);
        m.std = fmaxf(m.std, x.std);
        m.spread = fmaxf(m.spread, x.spread);
        m.lo = fminf(m.lo, x.lo);
        m.hi = fmaxf(m.hi, x.hi);
    }
    return m;
}

/* The spread of an average of `cells` cells is between that of one (equal cells) and of one divided
 * by sqrt(cells) (independent ones): halfway. */
static waio_moment averaged(waio_moment m, double cells)
{
    float less = (float)sqrt(sqrt(cells));

    m.center = m.mean;
    m.spread /= less;
    m.std /= less;
    return m;
}

static waio_moment of_sum(const walk *w, const waio_node *node, int64_t c)
{
    waio_moment x = operand(w, node->input[0], c);
    double cells = (double)waio_shape_count(&w->graph->value[node->input[0]].shape) /
                   (double)waio_shape_count(&w->graph->value[node->output].shape);

    return limited(cells * (double)x.mean, cells * (double)x.spread, cells * (double)x.lo,
                   cells * (double)x.hi, node->clamp);
}

static waio_moment of_node(const walk *w, const waio_node *node, int64_t c)
{
    waio_moment x = {0};

    if (node->op == WAIO_OP_CONV2D || node->op == WAIO_OP_DENSE)
        return of_layer(w, node, c);
    if (node->op == WAIO_OP_CONCAT)
        return passed(of_concat(w, node, c), INFINITY, -INFINITY, node->clamp);
    x = operand(w, node->input[0], c);
    switch (node->op) {
    case WAIO_OP_BATCH_NORM:
        return limited((double)w->graph->value[node->input[2]].data[c],
                       fabs((double)w->graph->value[node->input[1]].data[c]), -INFINITY, INFINITY,
                       node->clamp);
    case WAIO_OP_ADD:
    case WAIO_OP_SUB:
    case WAIO_OP_MUL:
    case WAIO_OP_MAXIMUM:
        return of_pair(x, operand(w, node->input[1], c), node);
    case WAIO_OP_SUM:
        return of_sum(w, node, c);
    case WAIO_OP_SOFTMAX:
    case WAIO_OP_LOGISTIC:
        return (waio_moment){0.5f, 0.25f, 0.5f, 0.25f, 0, 1};
    case WAIO_OP_PAD:
        return passed(x, (double)node->pad.value, (double)node->pad.value, node->clamp);
    case WAIO_OP_AVG_POOL:
        x = averaged(x, node->pool.kernel[0] * node->pool.kernel[1]);
        return passed(x, node->pool.count_include_pad ? 0 : INFINITY,
                      node->pool.count_include_pad ? 0 : -INFINITY, node->clamp);
    case WAIO_OP_MEAN:
        x = averaged(x, (double)waio_shape_count(&w->graph->value[node->input[0]].shape) /
                            (double)waio_shape_count(&w->graph->value[node->output].shape));
        return passed(x, INFINITY, -INFINITY, node->clamp);
    default:
        return passed(x, INFINITY, -INFINITY, node->clamp);
    }
}

/* Ops that bring another dimension to the end mix the channels: each gets what all have. */
static bool mixes_channels(const waio_graph *graph, const waio_node *node)
{
    int rank = graph->value[node->input[0]].shape.rank;
    return (node->op == WAIO_OP_TRANSPOSE && node->transpose.perm[rank - 1] != rank - 1) ||
           ((node->op == WAIO_OP_MEAN || node->op == WAIO_OP_SUM) &&
            (node->reduce.axes >> (rank - 1) & 1));
}

static waio_moment of_all(const walk *w, const waio_node *node)
{
    int id = node->input[0];
    waio_moment all = operand(w, id, 0);

    for (int64_t c = 1; c < w->m->channels[id]; c++) {
        waio_moment x = operand(w, id, c);
        all.mean += (x.mean - all.mean) / (float)(c + 1);
        all.center += (x.center - all.center) / (float)(c + 1);
        all.std = fmaxf(all.std, x.std);
        all.spread = fmaxf(all.spread, x.spread + fabsf(x.center - all.center));
        all.lo = fminf(all.lo, x.lo);
        all.hi = fmaxf(all.hi, x.hi);
    }
    return all;
}

static waio_status do_node(const walk *w, const waio_node *node)
{
    waio_status st = WAIO_OK;
    const waio_shape *shape = &w->graph->value[node->output].shape;
    int64_t channels = shape->rank ? shape->dim[shape->rank - 1] : 1;
    waio_moment *out = NULL;

    WAIO_NEW(st, out, w->arena, (size_t)channels);
    for (int64_t c = 0; c < channels; c++)
        out[c] = mixes_channels(w->graph, node)
                     ? passed(of_all(w, node), INFINITY, -INFINITY, node->clamp)
                     : of_node(w, node, c);
    w->m->channel[node->output] = out;
    w->m->channels[node->output] = channels;
done:
    return st;
}

waio_status waio_moments_create(waio_moments *m, const waio_graph *graph, const waio_moment *input,
                                waio_arena *arena)
{
    waio_status st = WAIO_OK;
    walk w = {graph, m, arena};
    const waio_shape *shape = &graph->value[graph->input].shape;
    int64_t channels = shape->dim[shape->rank - 1];

    WAIO_NEW(st, m->channel, arena, (size_t)graph->value_count);
    WAIO_NEW(st, m->channels, arena, (size_t)graph->value_count);
    WAIO_NEW(st, m->channel[graph->input], arena, (size_t)channels);
    m->channels[graph->input] = channels;
    for (int64_t c = 0; c < channels; c++)
        m->channel[graph->input][c] = input[c];
    for (int n = 0; n < graph->node_count; n++)
        WAIO_TRY(st, do_node(&w, &graph->node[n]));
done:
    return st;
}

void waio_moments_range(const waio_moments *moments, int id, float sigmas, float *min, float *max)
{
    *min = INFINITY;
    *max = -INFINITY;
    for (int64_t c = 0; moments->channel[id] && c < moments->channels[id]; c++) {
        const waio_moment *m = &moments->channel[id][c];
        float low = m->center - sigmas * m->spread, high = m->center + sigmas * m->spread;
        *min = fminf(*min, fminf(fmaxf(low, m->lo), m->hi));
        *max = fmaxf(*max, fmaxf(fminf(high, m->hi), m->lo));
    }
}
