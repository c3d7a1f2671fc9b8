/* Passes: what a graph computes stays, the nodes that should go are gone, those that may not stay.
 */
#include "check.h"

#include <stdlib.h>

#include "check/compare.h"
#include "check/float_run.h"
#include "check/networks.h"

/* Folding rounds each weight and bias anew: an error of eps/2 a number and fold, and as much in
 * sums. The random graphs fold up to 3 times in a row, 12 layers deep. */
#define BOUND_FOLDED_NMSE 1e-11

enum { BATCH = 2 };

/* ---- a graph under construction ---- */

static waio_graph *graph;
static waio_rng rng;

static int input(waio_shape shape)
{
    int id = -1;
    graph = waio_graph_new("test");
    CHECK_OK(waio_graph_add_input(graph, &id, "x", &shape));
    return id;
}

static int constant(waio_shape shape, float middle, float spread)
{
    float *data = NULL;
    int id = -1;
    CHECK_OK(waio_graph_add_const(graph, &id, "c", &shape, &data));
    waio_fill_random(data, (size_t)waio_shape_count(&shape), &rng);
    for (int64_t i = 0; i < waio_shape_count(&shape); i++)
        data[i] = middle + spread * data[i];
    return id;
}

static int add_node(waio_node node)
{
    int id = -1;
    node.name = waio_op_name(node.op);
    while (node.input_count < 5 && (node.input_count == 0 || node.input[node.input_count] > 0))
        node.input_count++;
    CHECK_OK(waio_graph_add_node(graph, &id, &node));
    return id;
}

static int64_t last_dim(int id)
{
    const waio_shape *shape = &graph->value[id].shape;
    return shape->dim[shape->rank - 1];
}

static int conv(int x, int oc, int kernel, int groups, bool bias)
{
    int64_t depth = last_dim(x) / groups;
    int w = constant(WAIO_SHAPE(oc, kernel, kernel, depth), 0, 1 / sqrtf((float)(depth * kernel)));
    return add_node((waio_node){.op = WAIO_OP_CONV2D,
                                .input = {x, w, bias ? constant(WAIO_SHAPE(oc), 0, 1) : 0},
                                .conv = {{1, 1}, {1, 1}, {kernel / 2, 0, 0, kernel / 2}, groups}});
}

static int dense(int x, int outputs)
{
    int w = constant(WAIO_SHAPE(outputs, last_dim(x)), 0, 1);
    return add_node((waio_node){.op = WAIO_OP_DENSE, .input = {x, w}});
}

static int norm(int x)
{
    waio_shape v = WAIO_SHAPE(last_dim(x));
    int gamma = constant(v, 1, 0.5f), beta = constant(v, 0, 1), mean = constant(v, 0, 1);
    return add_node((waio_node){.op = WAIO_OP_BATCH_NORM,
                                .input = {x, gamma, beta, mean, constant(v, 1, 0.5f)},
                                .epsilon = 1e-3f});
}

static int clip(int x, float lo, float hi)
{
    return add_node((waio_node){.op = WAIO_OP_CLIP, .input = {x}, .clamp = {lo, hi}});
}

static int pad(int x, int top, int right, int channels, float value)
{
    return add_node((waio_node){
        .op = WAIO_OP_PAD, .input = {x}, .pad = {{0, top, 0, 0}, {0, 0, right, channels}, value}});
}

static int two(waio_op op, int a, int b)
{
    return add_node((waio_node){.op = op, .input = {a, b}, .input_count = 2});
}

static int reshape(int x, waio_shape shape, waio_clamp clamp)
{
    return add_node(
        (waio_node){.op = WAIO_OP_RESHAPE, .input = {x}, .clamp = clamp, .reshape = {shape}});
}

static void output(int id)
{
    CHECK_OK(waio_graph_add_output(graph, id));
}

static int count(waio_op op)
{
    int n = 0;
    for (int i = 0; i < graph->node_count; i++)
        n += graph->node[i].op == op;
    return n;
}

/* ---- before and after ---- */

/* Runs the graph on ref; `data` receives the numbers of all outputs. */
static size_t outputs_of(float **data, const float *x)
{
    waio_float_run run = {0};
    size_t total = 0;

    CHECK_OK(waio_float_run_create(&run, graph, &waio_backend_ref, BATCH, graph->node_count));
    CHECK_OK(waio_float_run_whole(&run, x));
    for (int i = 0; i < graph->output_count; i++)
        total += waio_float_run_count(&run, graph->output[i]);
    float *at = *data = calloc(total, sizeof **data);
    for (int i = 0; i < graph->output_count; i++) {
        size_t n = waio_float_run_count(&run, graph->output[i]);
        memcpy(at, waio_float_run_value(&run, graph->output[i]), n * sizeof *at);
        at += n;
    }
    waio_float_run_free(&run);
    return total;
}

static void check_order(void)
{
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < graph->node[n].input_count; i++) {
            int producer = waio_graph_producer(graph, graph->node[n].input[i]);
            CHECK(producer < n, "node %d reads what node %d computes", n, producer);
        }
}

/* Optimizes, compares, checks that a second time changes nothing; `nodes` should be left (-1: any).
 * Frees the graph unless `keep`. */
static void optimize(const char *what, int nodes, bool keep)
{
    size_t numbers = (size_t)waio_shape_count(&graph->value[graph->input].shape) * BATCH;
    float *x = calloc(numbers, sizeof *x), *before = NULL, *after = NULL;

    waio_fill_random(x, numbers, &rng);
    size_t wanted = outputs_of(&before, x);
    CHECK_OK(waio_graph_optimize(graph));
    size_t got = outputs_of(&after, x);
    CHECK(got == wanted, "%s: %zu numbers became %zu", what, wanted, got);
    double error = got == wanted ? waio_nmse(after, before, got) : INFINITY;
    CHECK(error <= BOUND_FOLDED_NMSE, "%s: outputs moved, nmse %g", what, error);
    CHECK(nodes < 0 || graph->node_count == nodes, "%s: %d nodes left, expected %d", what,
          graph->node_count, nodes);
    check_order();
    int once = graph->node_count;
    CHECK_OK(waio_graph_optimize(graph));
    CHECK(graph->node_count == once, "%s: a second pass found more", what);
    free(x);
    free(before);
    free(after);
    if (!keep)
        waio_graph_free(graph);
}

/* ---- what must go ---- */

static void folding(void)
{
    int x = input(WAIO_SHAPE(1, 5, 4, 3));
    output(clip(norm(conv(x, 7, 3, 1, false)), 0, INFINITY));
    optimize("conv, norm, relu", 1, true);
    CHECK(graph->node[0].clamp.lo == 0 && isinf(graph->node[0].clamp.hi), "relu is in the conv");
    CHECK(graph->node[0].input_count == 3, "the conv has a bias now");
    waio_graph_free(graph);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    output(norm(norm(conv(x, 6, 3, 3, true))));
    optimize("grouped conv with bias, two norms", 1, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    waio_shape v = WAIO_SHAPE(7);
    int c = conv(x, 7, 3, 1, false), k = constant(v, 1, 0.5f);
    output(add_node((waio_node){.op = WAIO_OP_BATCH_NORM,
                                .clamp = {-0.5f, 0.25f},
                                .input = {c, k, k, k, constant(v, 1, 0.5f)}}));
    optimize("a norm with a clamp of its own", 1, false);

    x = input(WAIO_SHAPE(1, 9));
    output(clip(norm(dense(x, 7)), 0, 6));
    optimize("dense, norm, relu6", 1, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    int bias = constant(WAIO_SHAPE(1, 1, 1, 7), 0, 1);
    output(two(WAIO_OP_ADD, two(WAIO_OP_ADD, conv(x, 7, 1, 1, true), constant(WAIO_SHAPE(7), 0, 1)),
               bias));
    optimize("two added biases", 1, false);

    x = input(WAIO_SHAPE(1, 9));
    bias = constant(WAIO_SHAPE(7), 0, 1);
    output(norm(two(WAIO_OP_ADD, bias, dense(x, 7))));
    optimize("a bias on the left, then norm", 1, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    int y = two(WAIO_OP_SUB, conv(x, 7, 3, 1, true), constant(WAIO_SHAPE(7), 0, 1));
    y = two(WAIO_OP_MUL, constant(WAIO_SHAPE(1, 1, 7), 1, 0.5f), y);
    output(clip(two(WAIO_OP_ADD, y, constant((waio_shape){0}, 0, 1)), 0, 6));
    optimize("a batch norm that is spelled out", 1, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    output(conv(pad(pad(x, 1, 0, 0, 0), 2, 1, 0, 0), 7, 3, 1, false));
    optimize("two pads in front of a conv", 1, true);
    const int *p = graph->node[0].conv.pad;
    CHECK(p[0] == 4 && p[1] == 0 && p[2] == 0 && p[3] == 2, "pad %d,%d,%d,%d", p[0], p[1], p[2],
          p[3]);
    waio_graph_free(graph);
}

static void clips_and_identities(void)
{
    int x = input(WAIO_SHAPE(1, 4, 3));
    int sum = two(WAIO_OP_ADD, x, x);
    output(clip(clip(clip(sum, -0.5f, INFINITY), -1, 1), -INFINITY, 0.75f));
    optimize("a chain of clips behind an add", 1, true);
    CHECK(graph->node[0].clamp.lo == -0.5f && graph->node[0].clamp.hi == 0.75f, "their meeting");
    waio_graph_free(graph);

    x = input(WAIO_SHAPE(1, 4, 3));
    output(clip(clip(two(WAIO_OP_MUL, x, x), -3, -2), 0.25f, 1));
    optimize("clips that do not meet", 1, true);
    CHECK(graph->node[0].clamp.lo == 0.25f && graph->node[0].clamp.hi == 0.25f, "one number left");
    waio_graph_free(graph);

    x = input(WAIO_SHAPE(1, 2, 3, 4));
    int y = reshape(x, WAIO_SHAPE(1, 2, 3, 4), WAIO_NO_CLAMP);
    y = pad(y, 0, 0, 0, 3);
    y = add_node((waio_node){.op = WAIO_OP_TRANSPOSE, .input = {y}, .transpose = {{0, 1, 2, 3}}});
    y = add_node((waio_node){.op = WAIO_OP_CONCAT, .input = {y}, .axis = {1}});
    y = add_node((waio_node){.op = WAIO_OP_RESIZE, .input = {y}, .resize = {{2, 3}, true, true}});
    y = clip(y, -INFINITY, INFINITY);
    output(two(WAIO_OP_ADD, y, x));
    output(y);
    optimize("identities", 1, true);
    CHECK(graph->output[1] == x, "an output behind identities is the input itself");
    waio_graph_free(graph);

    x = input(WAIO_SHAPE(1, 2, 3, 4));
    y = reshape(x, WAIO_SHAPE(1, 24), (waio_clamp){-0.5f, INFINITY});
    output(reshape(y, WAIO_SHAPE(1, 4, 6), (waio_clamp){-1, 0.25f}));
    optimize("two reshapes, both with a clamp", 1, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    norm(conv(norm(x), 7, 3, 1, false)); /* nobody reads it */
    output(clip(x, 0, 1));
    optimize("dead nodes", 1, false);
}

/* ---- what must stay ---- */

static void values_that_are_read_elsewhere(void)
{
    int x = input(WAIO_SHAPE(1, 5, 4, 7)), c = conv(x, 7, 3, 1, false);
    int n = norm(c);
    output(two(WAIO_OP_ADD, n, c));
    optimize("a conv read by a norm and by an add", 3, false);

    x = input(WAIO_SHAPE(1, 5, 4, 7));
    c = conv(x, 7, 3, 1, false);
    output(c);
    output(norm(c));
    optimize("a conv that is an output", 2, false);

    x = input(WAIO_SHAPE(1, 5, 4, 7));
    n = norm(conv(x, 7, 3, 1, false));
    output(clip(n, 0, 1));
    output(n);
    optimize("a norm that is an output, clipped elsewhere", 2, false);

    x = input(WAIO_SHAPE(1, 5, 4, 7));
    int p = pad(x, 1, 1, 0, 0);
    output(two(WAIO_OP_ADD, conv(p, 7, 3, 1, false), conv(p, 7, 3, 1, true)));
    optimize("a pad with two readers", 4, false);
}

static void what_does_not_fold(void)
{
    int x = input(WAIO_SHAPE(1, 5, 4, 3));
    output(norm(clip(conv(x, 7, 3, 1, false), 0, 1)));
    optimize("a clip between conv and norm", 2, true);
    CHECK(count(WAIO_OP_BATCH_NORM) == 1, "the norm stays");
    waio_graph_free(graph);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    output(conv(norm(x), 7, 3, 1, false));
    optimize("a norm in front of a padded conv", 2, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    int c = conv(x, 4, 1, 1, false);
    output(two(WAIO_OP_ADD, c, constant(WAIO_SHAPE(5, 4, 4), 0, 1)));
    optimize("an addend for each cell", 2, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    c = conv(x, 4, 1, 1, false);
    output(two(WAIO_OP_ADD, c, constant(WAIO_SHAPE(4, 1), 0, 1)));
    optimize("an addend for each column, as many as channels", 2, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    c = conv(x, 1, 1, 1, false);
    output(two(WAIO_OP_ADD, c, constant(WAIO_SHAPE(9), 0, 1)));
    optimize("an addend of 9 numbers to one channel", 2, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    c = conv(x, 4, 1, 1, false);
    output(two(WAIO_OP_SUB, constant(WAIO_SHAPE(4), 0, 1), c));
    optimize("a constant minus a conv", 2, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    output(conv(pad(x, 1, 1, 0, 0.5f), 7, 3, 1, false));
    optimize("a pad with 0.5", 2, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    output(conv(pad(x, 0, 0, 2, 0), 7, 3, 1, false));
    optimize("a pad of channels", 2, false);

    x = input(WAIO_SHAPE(1, 5, 4, 3));
    output(conv(clip(pad(x, 1, 1, 0, 0), 0.25f, 1), 7, 3, 1, false));
    optimize("a clip between pad and conv", 3, false);
}

static void a_fold_that_breaks_is_found(void)
{
    int x = input(WAIO_SHAPE(1, 5, 4, 3)), c = conv(x, 2, 1, 1, false);
    waio_shape v = WAIO_SHAPE(2);
    int k = constant(v, 1, 0);
    output(
        add_node((waio_node){.op = WAIO_OP_BATCH_NORM, .input = {c, k, k, k, constant(v, -1, 0)}}));
    CHECK_FAILS(waio_graph_optimize(graph), WAIO_EINPUT, "NaN");
    waio_graph_free(graph);
}

/* ---- random graphs ---- */

static int pick(const int *pool, int n)
{
    return pool[waio_rng_below(&rng, (uint64_t)n)];
}

static int random_node(const int *pool, int n)
{
    int x = pick(pool, n);
    int64_t c = last_dim(x);

    switch (waio_rng_below(&rng, 10)) {
    case 0:
    case 1:
        return conv(x, (int)c, 3, waio_rng_below(&rng, 2) ? (int)c : 1, waio_rng_below(&rng, 2));
    case 2:
    case 3:
        return norm(x);
    case 4:
        return clip(x, -0.5f, waio_rng_below(&rng, 2) ? INFINITY : 1);
    case 5:
        return two(waio_rng_below(&rng, 2) ? WAIO_OP_MUL : WAIO_OP_SUB, x,
                   constant(WAIO_SHAPE(waio_rng_below(&rng, 2) ? c : 1), 1, 0.5f));
    case 6:
        return two(WAIO_OP_ADD, pick(pool, n), x);
    case 7:
        return reshape(x, graph->value[x].shape, WAIO_NO_CLAMP);
    case 8:
        return conv(pad(x, 1, 1, 0, 0), (int)c, 2, 1, false);
    default:
        return add_node((waio_node){
            .op = WAIO_OP_MAX_POOL, .input = {x}, .pool = {{3, 3}, {1, 1}, {1, 1, 1, 1}}});
    }
}

/* Twelve steps; two in three go on from the last value, the others from any: branches, shared
 * values and dead ends come of themselves. Values of another size than the first drop out. */
static void grow(uint64_t seed)
{
    int pool[16], n = 0;

    rng = (waio_rng){seed};
    pool[n++] = input(WAIO_SHAPE(1, 5, 4, 3));
    for (int step = 0; step < 12; step++) {
        bool chain = waio_rng_below(&rng, 3) > 0;
        int id = random_node(chain ? &pool[n - 1] : pool, chain ? 1 : n);
        if (waio_shape_equal(&graph->value[id].shape, &graph->value[pool[0]].shape))
            pool[n++] = id;
        if (waio_rng_below(&rng, 8) == 0)
            output(id);
    }
    output(pool[n - 1]);
}

static void nothing_is_left_to_fold(uint64_t seed)
{
    for (int i = 0; i < graph->node_count; i++) {
        const waio_node *node = &graph->node[i];
        int producer = waio_graph_producer(graph, node->input[0]);
        CHECK(waio_graph_use_count(graph, node->output) > 0, "seed %d: a dead node", (int)seed);
        CHECK(node->op != WAIO_OP_RESHAPE, "seed %d: a reshape to the same", (int)seed);
        if (producer < 0 || waio_graph_use_count(graph, node->input[0]) > 1)
            continue;
        const waio_node *before = &graph->node[producer];
        bool plain = waio_op_weighted(before->op) && waio_clamp_is_none(before->clamp);
        CHECK(!(node->op == WAIO_OP_BATCH_NORM && plain), "seed %d: a norm is left", (int)seed);
        CHECK(!(node->op == WAIO_OP_CLIP && before->op != WAIO_OP_MAX_POOL),
              "seed %d: a clip is left behind %s", (int)seed, waio_op_name(before->op));
    }
}

static void random_graphs(void)
{
    int before = 0, after = 0;

    for (uint64_t seed = 1; seed <= 400; seed++) {
        grow(seed);
        before += graph->node_count;
        optimize("random graph", -1, true);
        after += graph->node_count;
        nothing_is_left_to_fold(seed);
        waio_graph_free(graph);
    }
    CHECK(after < before * 3 / 4, "%d nodes became %d", before, after);
}

static void built_in_networks(void)
{
    for (const waio_check_net *net = waio_check_nets; net->name; net++) {
        CHECK_OK(waio_check_net_build(&graph, net, 3));
        optimize(net->name, -1, true);
        CHECK(count(WAIO_OP_BATCH_NORM) + count(WAIO_OP_CLIP) + count(WAIO_OP_PAD) == 0,
              "%s: norms, clips or pads are left", net->name);
        waio_graph_free(graph);
    }
}

int main(void)
{
    folding();
    clips_and_identities();
    values_that_are_read_elsewhere();
    what_does_not_fold();
    a_fold_that_breaks_is_found();
    random_graphs();
    built_in_networks();
    return waio_check_result();
}
