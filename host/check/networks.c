#include "check/networks.h"

#include <math.h>

#include "util/rng.h"

/* A chain of nodes that grows at its end. After a failure every further step does nothing, so that
 * a network reads as a list of its layers; build functions return `st`. */
typedef struct chain {
    waio_graph *graph;
    waio_rng rng;
    waio_status st;
    int end; /* value id */
} chain;

static int64_t channels_of(const chain *c)
{
    const waio_shape *shape = &c->graph->value[c->end].shape;
    return shape->dim[shape->rank - 1];
}

static int constant(chain *c, waio_shape shape, float middle, float spread)
{
    float *data = NULL;
    int id = -1;

    if (c->st == WAIO_OK)
        c->st = waio_graph_add_const(c->graph, &id, "constant", &shape, &data);
    for (int64_t i = 0; c->st == WAIO_OK && i < waio_shape_count(&shape); i++)
        data[i] = middle + spread * (2 * waio_rng_unit(&c->rng) - 1);
    return id;
}

static void append(chain *c, waio_node node)
{
    node.name = waio_op_name(node.op);
    if (c->st == WAIO_OK)
        c->st = waio_graph_add_node(c->graph, &c->end, &node);
}

static void input(chain *c, waio_shape shape)
{
    if (c->st == WAIO_OK)
        c->st = waio_graph_add_input(c->graph, &c->end, "image", &shape);
}

/* A convolution with padding `pad` on the sides in the order of waio_conv_params. */
static void conv_padded(chain *c, int oc, int kh, int kw, int stride, int groups, const int pad[4])
{
    int64_t depth = channels_of(c) / groups;
    float spread = sqrtf(6 / (float)(depth * kh * kw)); /* He: variance 2 / summands */
    int weight = constant(c, WAIO_SHAPE(oc, kh, kw, depth), 0, spread);
    append(c, (waio_node){.op = WAIO_OP_CONV2D,
                          .input = {c->end, weight},
                          .input_count = 2,
                          .conv = {.stride = {stride, stride},
                                   .dilation = {1, 1},
                                   .pad = {pad[0], pad[1], pad[2], pad[3]},
                                   .groups = groups}});
}

static void conv(chain *c, int oc, int kernel, int stride, int groups)
{
    int half = kernel / 2;
    conv_padded(c, oc, kernel, kernel, stride, groups, (int[]){half, half, half, half});
}

static void norm(chain *c)
{
    waio_shape vector = WAIO_SHAPE(channels_of(c));
    int gamma = constant(c, vector, 1, 0.3f), beta = constant(c, vector, 0, 0.3f);
    int mean = constant(c, vector, 0, 0.3f), variance = constant(c, vector, 1, 0.5f);
    append(c, (waio_node){.op = WAIO_OP_BATCH_NORM,
                          .input = {c->end, gamma, beta, mean, variance},
                          .input_count = 5,
                          .epsilon = 1e-3f});
}

static void clip(chain *c, float hi)
{
    append(c,
           (waio_node){.op = WAIO_OP_CLIP, .input = {c->end}, .input_count = 1, .clamp = {0, hi}});
}

static void conv_norm_relu(chain *c, int oc, int kernel, int stride)
{
    conv(c, oc, kernel, stride, 1);
    norm(c);
    clip(c, INFINITY);
}

static void pool(chain *c, waio_op op, int kernel, int stride, int pad)
{
    append(c, (waio_node){.op = op,
                          .input = {c->end},
                          .input_count = 1,
                          .pool = {.kernel = {kernel, kernel},
                                   .stride = {stride, stride},
                                   .pad = {pad, pad, pad, pad}}});
}

static void classifier(chain *c, int classes)
{
    append(c, (waio_node){
                  .op = WAIO_OP_MEAN, .input = {c->end}, .input_count = 1, .reduce = {.axes = 6}});
    int64_t inputs = channels_of(c);
    int weight = constant(c, WAIO_SHAPE(classes, inputs), 0, sqrtf(3 / (float)inputs));
    int bias = constant(c, WAIO_SHAPE(classes), 0, 0.1f);
    append(c, (waio_node){.op = WAIO_OP_DENSE, .input = {c->end, weight, bias}, .input_count = 3});
    append(c, (waio_node){.op = WAIO_OP_SOFTMAX, .input = {c->end}, .input_count = 1, .axis = {1}});
    if (c->st == WAIO_OK)
        c->st = waio_graph_add_output(c->graph, c->end);
}

/* ---- the networks ---- */

/* Two 3x3 convolutions and a shortcut, projected where the shape changes. */
static void residual(chain *c, int oc, int stride)
{
    int start = c->end;
    int64_t ic = channels_of(c);

    conv_norm_relu(c, oc, 3, stride);
    conv(c, oc, 3, 1, 1);
    norm(c);
    int body = c->end;
    c->end = start;
    if (stride > 1 || ic != oc) {
        conv(c, oc, 1, stride, 1);
        norm(c);
    }
    append(c, (waio_node){.op = WAIO_OP_ADD, .input = {body, c->end}, .input_count = 2});
    clip(c, INFINITY);
}

static waio_status resnet(waio_graph *graph, uint64_t seed)
{
    chain c = {.graph = graph, .rng = {seed}};

    input(&c, WAIO_SHAPE(1, 33, 33, 3));
    conv_norm_relu(&c, 16, 7, 2);
    pool(&c, WAIO_OP_MAX_POOL, 3, 2, 1);
    residual(&c, 16, 1);
    residual(&c, 33, 2);
    residual(&c, 33, 1);
    classifier(&c, 10);
    return c.st;
}

/* Expansion, depthwise, projection; a shortcut where nothing changes. Stride 2 pads as Keras does:
 * by a node of its own, at the bottom and right alone. */
static void inverted(chain *c, int oc, int stride)
{
    int start = c->end, ic = (int)channels_of(c), wide = 6 * ic;

    conv(c, wide, 1, 1, 1);
    norm(c);
    clip(c, 6);
    if (stride == 1) {
        conv(c, wide, 3, 1, wide);
    } else {
        append(c, (waio_node){.op = WAIO_OP_PAD,
                              .input = {c->end},
                              .input_count = 1,
                              .pad = {.after = {0, 1, 1, 0}}});
        conv_padded(c, wide, 3, 3, stride, wide, (int[]){0, 0, 0, 0});
    }
    norm(c);
    clip(c, 6);
    conv(c, oc, 1, 1, 1);
    norm(c);
    if (stride == 1 && ic == oc)
        append(c, (waio_node){.op = WAIO_OP_ADD, .input = {start, c->end}, .input_count = 2});
}

static waio_status mobilenet(waio_graph *graph, uint64_t seed)
{
    chain c = {.graph = graph, .rng = {seed}};

    input(&c, WAIO_SHAPE(1, 32, 32, 3));
    conv_padded(&c, 8, 3, 3, 2, 1, (int[]){0, 0, 1, 1});
    norm(&c);
    clip(&c, 6);
    inverted(&c, 7, 1);
    inverted(&c, 7, 1);
    inverted(&c, 16, 2);
    inverted(&c, 16, 1);
    classifier(&c, 10);
    return c.st;
}

static int branch(chain *c, int start, const int (*step)[3], int steps)
{
    c->end = start;
    for (int i = 0; i < steps; i++) {
        int oc = step[i][0], kh = step[i][1], kw = step[i][2];
        conv_padded(c, oc, kh, kw, 1, 1, (int[]){kh / 2, kw / 2, kh / 2, kw / 2});
        norm(c);
        clip(c, INFINITY);
    }
    return c->end;
}

/* Four branches side by side; 7x7 is a 1x7 and a 7x1, as in Inception v3. */
static void inception_block(chain *c)
{
    int start = c->end;
    int a = branch(c, start, (const int[][3]){{8, 1, 1}}, 1);
    int b = branch(c, start, (const int[][3]){{5, 1, 1}, {8, 5, 5}}, 2);
    int d = branch(c, start, (const int[][3]){{6, 1, 1}, {7, 1, 7}, {9, 7, 1}}, 3);
    c->end = start;
    pool(c, WAIO_OP_AVG_POOL, 3, 1, 1);
    int e = branch(c, c->end, (const int[][3]){{8, 1, 1}}, 1);
    append(c,
           (waio_node){.op = WAIO_OP_CONCAT, .input = {a, b, d, e}, .input_count = 4, .axis = {3}});
}

static waio_status inception(waio_graph *graph, uint64_t seed)
{
    chain c = {.graph = graph, .rng = {seed}};

    input(&c, WAIO_SHAPE(1, 35, 35, 3));
    conv_padded(&c, 16, 3, 3, 2, 1, (int[]){0, 0, 0, 0});
    norm(&c);
    clip(&c, INFINITY);
    pool(&c, WAIO_OP_MAX_POOL, 3, 2, 0);
    inception_block(&c);
    inception_block(&c);
    classifier(&c, 10);
    return c.st;
}

const waio_check_net waio_check_nets[] = {
    {"resnet", "residual blocks, batch norm, max pool", resnet},
    {"mobilenet", "depthwise, inverted residuals, relu6, padding at one side", mobilenet},
    {"inception", "branches of 1x1, 5x5, 1x7 and 7x1 kernels, average pool, concat", inception},
    {NULL, NULL, NULL},
};

waio_status waio_check_net_build(waio_graph **out, const waio_check_net *net, uint64_t seed)
{
    waio_status st = WAIO_OK;
    waio_graph *graph = waio_graph_new(net->name);

    if (!graph)
        return WAIO_ENOMEM;
    WAIO_TRY(st, net->build(graph, seed));
    *out = graph;
    graph = NULL;
done:
    waio_graph_free(graph);
    return st;
}
