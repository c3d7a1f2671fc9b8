#include "check/compare.h"

#include <math.h>

#include "check/tolerance.h"

const char *waio_bound_name(waio_bound_kind kind)
{
    static const char *const name[] = {"equal", "eps", "eps max", "nmse"};
    return name[kind];
}

/* Products or numbers that are summed for one result. */
static double summands(const waio_graph *graph, const waio_node *node)
{
    double outputs = (double)waio_shape_count(&graph->value[node->output].shape);

    if (waio_op_weighted(node->op))
        return (double)waio_node_macs(graph, node) / outputs + 1;
    if (node->op == WAIO_OP_AVG_POOL)
        return (double)node->pool.kernel[0] * node->pool.kernel[1];
    return (double)waio_shape_count(&graph->value[node->input[0]].shape) / outputs;
}

waio_bound waio_bound_of(const waio_graph *graph, const waio_node *node)
{
    switch (node->op) {
    case WAIO_OP_CONV2D:
    case WAIO_OP_DENSE:
    case WAIO_OP_AVG_POOL:
    case WAIO_OP_MEAN:
    case WAIO_OP_SUM:
        return (waio_bound){WAIO_BOUND_NMSE, WAIO_BOUND_SUM(summands(graph, node))};
    case WAIO_OP_BATCH_NORM:
        return (waio_bound){WAIO_BOUND_OF_LARGEST, WAIO_BOUND_BATCH_NORM};
    case WAIO_OP_SOFTMAX:
        return (waio_bound){WAIO_BOUND_OF_VALUE, WAIO_BOUND_SOFTMAX};
    case WAIO_OP_LOGISTIC:
        return (waio_bound){WAIO_BOUND_OF_VALUE, WAIO_BOUND_LOGISTIC};
    case WAIO_OP_RESIZE:
        if (node->resize.bilinear)
            return (waio_bound){WAIO_BOUND_OF_LARGEST, WAIO_BOUND_RESIZE};
        return (waio_bound){WAIO_BOUND_EQUAL_NUMBERS, 0};
    default: /* one operation a number, or none: every backend rounds it alike */
        return (waio_bound){WAIO_BOUND_EQUAL_NUMBERS, 0};
    }
}

/* Same finite number, same infinity, or both NaN. */
static bool same(float a, float b)
{
    return a == b || (a != a && b != b);
}

double waio_nmse(const float *got, const float *want, size_t count)
{
    double error = 0, power = 0;

    for (size_t i = 0; i < count; i++) {
        double d = same(got[i], want[i]) ? 0 : (double)got[i] - want[i];
        error += fabs(d) < WAIO_BOUND_TINY ? 0 : d * d;
        power += (double)want[i] * want[i];
    }
    return error == 0 ? 0 : error / power;
}

static double largest(const float *x, size_t count)
{
    double top = 0;
    for (size_t i = 0; i < count; i++)
        top = fmax(top, fabs((double)x[i]));
    return top;
}

/* The difference of one number in units of what is allowed. */
static double share_of(float got, float want, waio_bound bound, double top)
{
    if (same(got, want) || fabs((double)got - want) < WAIO_BOUND_TINY)
        return 0;
    double unit = bound.kind == WAIO_BOUND_OF_VALUE ? fabs((double)want) : top;
    if (bound.kind == WAIO_BOUND_EQUAL_NUMBERS || !isfinite(got) || !isfinite(want))
        return INFINITY;
    return fabs((double)got - want) / (bound.limit * WAIO_EPS * unit);
}

double waio_compare(const float *got, const float *want, size_t count, waio_bound bound)
{
    double top = largest(want, count), worst = 0;

    if (bound.kind == WAIO_BOUND_NMSE) {
        double share = waio_nmse(got, want, count) / bound.limit;
        return share == share ? share : INFINITY;
    }
    for (size_t i = 0; i < count; i++) {
        double share = share_of(got[i], want[i], bound, top);
        worst = share > worst ? share : worst;
    }
    return worst;
}
