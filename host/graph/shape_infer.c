#include "graph/shape_infer.h"

#include <string.h>

static const waio_shape *shape_of(const waio_graph *graph, const waio_node *node, int i)
{
    return &graph->value[node->input[i]].shape;
}

static waio_status need_rank(const waio_shape *shape, int rank, const char *what)
{
    char text[64];
    if (shape->rank == rank)
        return WAIO_OK;
    return waio_error(WAIO_EINPUT, "%s has shape %s, expected %d dimensions", what,
                      waio_shape_text(shape, text), rank);
}

static waio_status need_vector(const waio_graph *graph, const waio_node *node, int i, int64_t count,
                               const char *what)
{
    char text[64];
    if (!waio_value_is_const(graph, node->input[i]))
        return waio_error(WAIO_EINPUT, "the %s is computed, expected a constant", what);
    if (shape_of(graph, node, i)->rank == 1 && shape_of(graph, node, i)->dim[0] == count)
        return WAIO_OK;
    return waio_error(WAIO_EINPUT, "the %s has shape %s, expected %lld", what,
                      waio_shape_text(shape_of(graph, node, i), text), (long long)count);
}

/* Cells along one axis of a sliding window; 0 if the window does not fit. */
static int64_t window_count(int64_t in, int64_t before, int64_t after, int64_t window, int64_t step)
{
    int64_t room = in + before + after - window;
    return room < 0 ? 0 : room / step + 1;
}

static waio_status window_shape(waio_shape *out, const waio_shape *x, const int kernel[2],
                                const int stride[2], const int dilation[2], const int pad[4])
{
    char text[64];

    for (int i = 0; i < 2; i++) {
        if (kernel[i] < 1 || stride[i] < 1 || dilation[i] < 1 || pad[i] < 0 || pad[i + 2] < 0)
            return waio_error(WAIO_EINPUT,
                              "kernel %d, stride %d, dilation %d, padding %d and %d: "
                              "expected sizes from 1 and paddings from 0",
                              kernel[i], stride[i], dilation[i], pad[i], pad[i + 2]);
        int64_t window = (int64_t)(kernel[i] - 1) * dilation[i] + 1;
        out->dim[1 + i] = window_count(x->dim[1 + i], pad[i], pad[i + 2], window, stride[i]);
        if (out->dim[1 + i] == 0)
            return waio_error(WAIO_EINPUT, "a window of %lld does not fit an input of %s",
                              (long long)window, waio_shape_text(x, text));
    }
    return WAIO_OK;
}

static waio_status shape_conv2d(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    waio_status st = WAIO_OK;
    const waio_shape *x = shape_of(graph, node, 0), *w = shape_of(graph, node, 1);
    const waio_conv_params *p = &node->conv;
    char text[64];

    WAIO_TRY(st, need_rank(x, 4, "the input"));
    WAIO_TRY(st, need_rank(w, 4, "the weight"));
    if (!waio_value_is_const(graph, node->input[1]))
        WAIO_FAIL(st, WAIO_EINPUT, "the weight is computed, expected a constant");
    if (p->groups < 1 || x->dim[3] % p->groups || w->dim[0] % p->groups)
        WAIO_FAIL(st, WAIO_EINPUT, "%d groups do not divide %lld input and %lld output channels",
                  p->groups, (long long)x->dim[3], (long long)w->dim[0]);
    if (w->dim[3] != x->dim[3] / p->groups)
        WAIO_FAIL(st, WAIO_EINPUT, "the weight is %s (OHWI), expected %lld input channels",
                  waio_shape_text(w, text), (long long)(x->dim[3] / p->groups));
    if (node->input_count == 3)
        WAIO_TRY(st, need_vector(graph, node, 2, w->dim[0], "bias"));
    *out = WAIO_SHAPE(x->dim[0], 0, 0, w->dim[0]);
    int kernel[2] = {(int)w->dim[1], (int)w->dim[2]};
    WAIO_TRY(st, window_shape(out, x, kernel, p->stride, p->dilation, p->pad));
done:
    return st;
}

static waio_status shape_dense(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    waio_status st = WAIO_OK;
    const waio_shape *x = shape_of(graph, node, 0), *w = shape_of(graph, node, 1);
    char text[64];

    WAIO_TRY(st, need_rank(w, 2, "the weight"));
    if (!waio_value_is_const(graph, node->input[1]))
        WAIO_FAIL(st, WAIO_EINPUT, "the weight is computed, expected a constant");
    if (x->rank < 2 || x->dim[x->rank - 1] != w->dim[1])
        WAIO_FAIL(st, WAIO_EINPUT, "the input is %s, expected %lld in its last dimension",
                  waio_shape_text(x, text), (long long)w->dim[1]);
    if (node->input_count == 3)
        WAIO_TRY(st, need_vector(graph, node, 2, w->dim[0], "bias"));
    *out = *x;
    out->dim[x->rank - 1] = w->dim[0];
done:
    return st;
}

static waio_status shape_batch_norm(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    static const char *const name[] = {"", "gamma", "beta", "mean", "variance"};
    waio_status st = WAIO_OK;
    const waio_shape *x = shape_of(graph, node, 0);

    if (x->rank < 2)
        WAIO_FAIL(st, WAIO_EINPUT, "the input has no channels");
    for (int i = 1; i < 5; i++)
        WAIO_TRY(st, need_vector(graph, node, i, x->dim[x->rank - 1], name[i]));
    if (!(node->epsilon >= 0))
        WAIO_FAIL(st, WAIO_EINPUT, "epsilon is %g, expected at least 0", (double)node->epsilon);
    *out = *x;
done:
    return st;
}

static waio_status shape_same(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    *out = *shape_of(graph, node, 0);
    return WAIO_OK;
}

static waio_status shape_clip(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    if (!(node->clamp.lo <= node->clamp.hi))
        return waio_error(WAIO_EINPUT, "clip from %g to %g is empty", (double)node->clamp.lo,
                          (double)node->clamp.hi);
    return shape_same(out, graph, node);
}

static waio_status shape_logistic(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    return shape_same(out, graph, node);
}

static waio_status shape_binary(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    const waio_shape *a = shape_of(graph, node, 0), *b = shape_of(graph, node, 1);
    char text_a[64], text_b[64];

    if (!waio_shape_broadcast(out, a, b))
        return waio_error(WAIO_EINPUT, "shapes %s and %s do not go together",
                          waio_shape_text(a, text_a), waio_shape_text(b, text_b));
    /* Dimension 0 of a computed value is the batch: it must come to lie on the result's. */
    bool moved = false;
    for (int i = 0; i < 2; i++)
        moved = moved || (!waio_value_is_const(graph, node->input[i]) &&
                          shape_of(graph, node, i)->rank != out->rank);
    if (moved || out->rank < 1 || out->dim[0] != 1)
        return waio_error(WAIO_EINPUT, "shapes %s and %s would change the batch",
                          waio_shape_text(a, text_a), waio_shape_text(b, text_b));
    return WAIO_OK;
}

static waio_status shape_add(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    return shape_binary(out, graph, node);
}

static waio_status shape_sub(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    return shape_binary(out, graph, node);
}

static waio_status shape_mul(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    return shape_binary(out, graph, node);
}

static waio_status shape_maximum(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    return shape_binary(out, graph, node);
}

static waio_status shape_concat(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    char text_a[64], text_b[64];
    const waio_shape *first = shape_of(graph, node, 0);
    int axis = node->axis.axis;

    if (axis < 1 || axis >= first->rank)
        return waio_error(WAIO_EINPUT, "axis %d, expected 1 to %d", axis, first->rank - 1);
    *out = *first;
    for (int i = 1; i < node->input_count; i++) {
        waio_shape other = *shape_of(graph, node, i);
        int64_t size = other.rank > axis ? other.dim[axis] : 0;
        if (other.rank == first->rank)
            other.dim[axis] = first->dim[axis];
        if (!waio_shape_equal(&other, first))
            return waio_error(WAIO_EINPUT, "input %d is %s, which does not continue %s on axis %d",
                              i, waio_shape_text(shape_of(graph, node, i), text_a),
                              waio_shape_text(first, text_b), axis);
        out->dim[axis] += size;
    }
    return WAIO_OK;
}

static waio_status shape_pool(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    static const int no_dilation[2] = {1, 1};
    waio_status st = WAIO_OK;
    const waio_shape *x = shape_of(graph, node, 0);
    const waio_pool_params *p = &node->pool;

    WAIO_TRY(st, need_rank(x, 4, "the input"));
    for (int i = 0; i < 2; i++)
        if (p->pad[i] >= p->kernel[i] || p->pad[i + 2] >= p->kernel[i])
            WAIO_FAIL(st, WAIO_EINPUT, "padding %d and %d, expected less than the kernel's %d",
                      p->pad[i], p->pad[i + 2], p->kernel[i]);
    *out = *x;
    WAIO_TRY(st, window_shape(out, x, p->kernel, p->stride, no_dilation, p->pad));
done:
    return st;
}

static waio_status shape_avg_pool(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    return shape_pool(out, graph, node);
}

static waio_status shape_max_pool(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    return shape_pool(out, graph, node);
}

static waio_status shape_reduce(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    const waio_shape *x = shape_of(graph, node, 0);
    unsigned axes = node->reduce.axes;

    if (axes == 0 || axes & 1u || axes >> x->rank)
        return waio_error(WAIO_EINPUT,
                          "reduces axes 0x%x of %d dimensions, expected some of them "
                          "but never the batch",
                          axes, x->rank);
    out->rank = 0;
    for (int i = 0; i < x->rank; i++) {
        bool reduced = axes >> i & 1u;
        if (!reduced || node->reduce.keep_dims)
            out->dim[out->rank++] = reduced ? 1 : x->dim[i];
    }
    return WAIO_OK;
}

static waio_status shape_mean(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    return shape_reduce(out, graph, node);
}

static waio_status shape_sum(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    return shape_reduce(out, graph, node);
}

static waio_status shape_pad(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    const waio_pad_params *p = &node->pad;

    *out = *shape_of(graph, node, 0);
    for (int i = 0; i < out->rank; i++) {
        if (p->before[i] < 0 || p->after[i] < 0 || (i == 0 && (p->before[0] || p->after[0])))
            return waio_error(WAIO_EINPUT,
                              "pads dimension %d by %d and %d, expected at least 0 "
                              "and none for the batch",
                              i, p->before[i], p->after[i]);
        out->dim[i] += (int64_t)p->before[i] + p->after[i];
    }
    return WAIO_OK;
}

static waio_status shape_reshape(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    char text_a[64], text_b[64];
    const waio_shape *x = shape_of(graph, node, 0);

    *out = node->reshape.shape;
    if (out->rank < 1 || out->rank > WAIO_MAX_RANK || out->dim[0] != 1 ||
        waio_shape_count(out) != waio_shape_count(x))
        return waio_error(WAIO_EINPUT, "cannot reshape %s to %s", waio_shape_text(x, text_a),
                          waio_shape_text(out, text_b));
    return WAIO_OK;
}

static waio_status shape_transpose(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    const waio_shape *x = shape_of(graph, node, 0);
    unsigned seen = 0;

    out->rank = x->rank;
    for (int i = 0; i < x->rank; i++) {
        int from = node->transpose.perm[i];
        if (from < 0 || from >= x->rank || seen >> from & 1u || (i == 0 && from != 0))
            return waio_error(WAIO_EINPUT,
                              "dimension %d comes from %d: not a permutation of %d "
                              "dimensions that keeps the batch in front",
                              i, from, x->rank);
        seen |= 1u << from;
        out->dim[i] = x->dim[from];
    }
    return WAIO_OK;
}

static waio_status shape_softmax(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    const waio_shape *x = shape_of(graph, node, 0);
    if (x->rank < 2 || node->axis.axis != x->rank - 1)
        return waio_error(WAIO_EINPUT, "axis %d of %d dimensions, expected the last one",
                          node->axis.axis, x->rank);
    return shape_same(out, graph, node);
}

static waio_status shape_quantize(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    return shape_same(out, graph, node);
}

static waio_status shape_dequantize(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    return shape_same(out, graph, node);
}

static waio_status shape_resize(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    waio_status st = WAIO_OK;
    const waio_shape *x = shape_of(graph, node, 0);
    const waio_resize_params *p = &node->resize;

    WAIO_TRY(st, need_rank(x, 4, "the input"));
    if (p->out[0] < 1 || p->out[1] < 1 || (p->half_pixel && p->align_corners))
        WAIO_FAIL(st, WAIO_EINPUT, "resize to %dx%d%s", p->out[0], p->out[1],
                  p->half_pixel ? " with both half_pixel and align_corners" : "");
    *out = WAIO_SHAPE(x->dim[0], p->out[0], p->out[1], x->dim[3]);
done:
    return st;
}

waio_status waio_infer_shape(waio_shape *out, const waio_graph *graph, const waio_node *node)
{
    typedef waio_status (*infer)(waio_shape *, const waio_graph *, const waio_node *);
    static const infer table[WAIO_OP_COUNT] = {
#define WAIO_OP_DEF(ENUM, name, least, most, weighted) shape_##name,
#include "graph/ops.def"
#undef WAIO_OP_DEF
    };
    bool constant = true;
    for (int i = 0; i < node->input_count; i++)
        constant = constant && waio_value_is_const(graph, node->input[i]);
    memset(out, 0, sizeof *out);
    if (constant)
        return waio_error(WAIO_EINPUT, "all inputs are constants");
    return table[node->op](out, graph, node);
}
