/* Small networks for the tests, a call a layer; numbers come from one seeded generator. */
#ifndef WAIO_TESTS_NETS_H
#define WAIO_TESTS_NETS_H

#include "check.h"
#include "graph/graph.h"
#include "util/rng.h"

static waio_rng net_rng;

static inline int net_pick(int n)
{
    return (int)waio_rng_below(&net_rng, (uint64_t)n);
}

/* A number in [-reach, reach). */
static inline float net_number(float reach)
{
    return (waio_rng_unit(&net_rng) * 2 - 1) * reach;
}

static inline int net_input(waio_graph *g, waio_shape shape)
{
    int id = -1;
    CHECK_OK(waio_graph_add_input(g, &id, "x", &shape));
    return id;
}

static inline int net_const(waio_graph *g, waio_shape shape, float reach)
{
    float *data = NULL;
    int id = -1;

    CHECK_OK(waio_graph_add_const(g, &id, "c", &shape, &data));
    for (int64_t i = 0; i < waio_shape_count(&shape); i++)
        data[i] = net_number(reach);
    return id;
}

/* Appends `node`; it is named after its op and has one input unless it says otherwise. */
static inline int net_node(waio_graph *g, waio_node node)
{
    int id = -1;

    node.input_count += node.input_count == 0;
    if (!node.name)
        node.name = waio_op_name(node.op);
    CHECK_OK(waio_graph_add_node(g, &id, &node));
    return id;
}

/* An op without parameters; `b` -1: it has one operand. */
static inline int net_op(waio_graph *g, waio_op op, int a, int b)
{
    return net_node(g, (waio_node){.op = op, .input = {a, b}, .input_count = b < 0 ? 1 : 2});
}

static const waio_clamp net_relu = {0, INFINITY};

/* A conv2d with bias that keeps height and width. */
static inline int net_conv(waio_graph *g, const char *name, int x, int64_t channels, int groups)
{
    int64_t in = g->value[x].shape.dim[3];
    waio_node node = {.op = WAIO_OP_CONV2D,
                      .name = name,
                      .input = {x, net_const(g, WAIO_SHAPE(channels, 3, 3, in / groups), 0.5f),
                                net_const(g, WAIO_SHAPE(channels), 0.3f)},
                      .input_count = 3,
                      .clamp = net_relu,
                      .conv = {{1, 1}, {1, 1}, {1, 1, 1, 1}, groups}};
    return net_node(g, node);
}

static inline int net_dense(waio_graph *g, const char *name, int x, int64_t outputs)
{
    const waio_shape *in = &g->value[x].shape;
    int w = net_const(g, WAIO_SHAPE(outputs, in->dim[in->rank - 1]), 0.7f);
    return net_node(g, (waio_node){.op = WAIO_OP_DENSE,
                                   .name = name,
                                   .input = {x, w, net_const(g, WAIO_SHAPE(outputs), 0.3f)},
                                   .input_count = 3});
}

/* Height and width averaged away: (1, C). */
static inline int net_mean(waio_graph *g, int x)
{
    return net_node(g, (waio_node){.op = WAIO_OP_MEAN, .input = {x}, .reduce = {6, false}});
}

static inline int net_softmax(waio_graph *g, int x)
{
    return net_node(
        g, (waio_node){.op = WAIO_OP_SOFTMAX, .input = {x}, .axis = {g->value[x].shape.rank - 1}});
}

static inline int net_pool(waio_graph *g, waio_op op, int x)
{
    return net_node(
        g, (waio_node){.op = op, .input = {x}, .pool = {{3, 3}, {1, 1}, {1, 1, 1, 1}, false}});
}

static inline int net_concat(waio_graph *g, int a, int b)
{
    waio_node node = {.op = WAIO_OP_CONCAT, .input = {a, b}, .input_count = 2};
    node.axis.axis = g->value[a].shape.rank - 1;
    return net_node(g, node);
}

/* Index of the node called `name`, -1 if there is none. */
static inline int net_find(const waio_graph *g, const char *name)
{
    for (int n = 0; n < g->node_count; n++)
        if (strcmp(g->node[n].name, name) == 0)
            return n;
    return -1;
}

/* ---- random networks ---- */

enum { NET_SIDE = 4, NET_OPS = 14 };

static inline bool net_same_shape(const waio_graph *g, int a, int b)
{
    return waio_shape_equal(&g->value[a].shape, &g->value[b].shape);
}

/* One more op over the maps `a` and `b`, of equal height and width. */
static inline int net_random_op(waio_graph *g, int a, int b)
{
    int64_t channels = g->value[a].shape.dim[3];
    bool fits = net_same_shape(g, a, b);
    int other = fits ? b : net_const(g, WAIO_SHAPE(channels), 1.5f);
    int square = (int)g->value[a].shape.dim[1];

    switch (net_pick(NET_OPS)) {
    case 0:
        return net_conv(g, "depthwise", a, channels, (int)channels);
    case 1:
        return net_op(g, WAIO_OP_ADD, a, other);
    case 2:
        return net_op(g, WAIO_OP_MUL, a, other);
    case 3:
        return net_op(g, WAIO_OP_MAXIMUM, a, other);
    case 4:
        return channels < 8 ? net_concat(g, a, b) : net_op(g, WAIO_OP_SUB, a, other);
    case 5:
        return net_pool(g, WAIO_OP_MAX_POOL, a);
    case 6:
        return net_pool(g, WAIO_OP_AVG_POOL, a);
    case 7:
        return net_node(
            g, (waio_node){.op = WAIO_OP_TRANSPOSE, .input = {a}, .transpose = {{0, 2, 1, 3}}});
    case 8:
        return net_op(g, WAIO_OP_LOGISTIC, a, -1);
    case 9:
        return net_node(g, (waio_node){.op = WAIO_OP_RESIZE,
                                       .input = {a},
                                       .resize = {{square, square}, net_pick(2), true, false}});
    case 10:
        return net_node(g, (waio_node){.op = WAIO_OP_CLIP, .input = {a}, .clamp = {-0.5f, 0.75f}});
    default:
        return net_conv(g, "conv", a, 2 + net_pick(3), 1);
    }
}

/* A random network of square maps with a classifier behind; at least two layers with weights. Its
 * nodes' clamps vary; some have a branch beside the last layer. */
static inline waio_graph *net_random_graph(uint64_t seed)
{
    enum { MAPS = 9 };
    waio_graph *g = waio_graph_new("random");
    int map[MAPS] = {net_input(g, WAIO_SHAPE(1, NET_SIDE, NET_SIDE, 2))};

    net_rng.state = seed;
    for (int i = 1; i < MAPS; i++) {
        int recent = net_pick(i < 3 ? i : 3), any = net_pick(i);
        map[i] = net_random_op(g, map[i - 1 - recent], map[any]);
        if (net_pick(4) == 0)
            g->node[g->node_count - 1].clamp = (waio_clamp){-0.25f, 1};
    }
    int body = net_conv(g, "body", map[MAPS - 1], 4, 1);
    int flat = net_pick(2) ? net_mean(g, body)
                           : net_node(g, (waio_node){.op = WAIO_OP_RESHAPE,
                                                     .input = {body},
                                                     .reshape = {WAIO_SHAPE(1, 64)}});
    int logits = net_dense(g, "head", flat, 4);
    if (net_pick(3) == 0)
        logits = net_op(g, WAIO_OP_ADD, logits, net_mean(g, body));
    CHECK_OK(waio_graph_add_output(g, net_softmax(g, logits)));
    return g;
}

#endif
