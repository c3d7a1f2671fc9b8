/* Ranges: what is observed, in any order; which tensors share a range; which have a fixed one. */
#include <stdlib.h>

#include "nets.h"
#include "quant/ranges.h"

static waio_arena *arena;

/* ---- observing ---- */

static void observing(void)
{
    waio_graph *g = waio_graph_new("one");
    int x = net_input(g, WAIO_SHAPE(1, 4));
    float numbers[] = {NAN, 3, -0.0f, NAN, -7, 2, NAN}, none[] = {NAN, NAN};
    waio_ranges r;

    CHECK_OK(waio_ranges_create(&r, g, arena));
    CHECK(r.count == 1 && r.min[x] == INFINITY && r.max[x] == -INFINITY, "nothing seen yet");
    waio_ranges_observe(&r, x, none, 2);
    waio_ranges_observe(&r, x, numbers, 0);
    CHECK(r.min[x] == INFINITY && r.max[x] == -INFINITY, "NaN is no number: %g .. %g",
          (double)r.min[x], (double)r.max[x]);
    waio_ranges_observe(&r, x, numbers, 7);
    CHECK(r.min[x] == -7 && r.max[x] == 3, "%g .. %g", (double)r.min[x], (double)r.max[x]);
    waio_ranges_observe(&r, x, (float[]){9, -1}, 2);
    waio_ranges_observe(&r, x, none, 2);
    CHECK(r.min[x] == -7 && r.max[x] == 9, "%g .. %g", (double)r.min[x], (double)r.max[x]);
    waio_graph_free(g);
}

/* Whatever way the numbers are dealt to workers and the workers merged: the same ranges. */
static void merging(void)
{
    enum { NUMBERS = 60, WORKERS = 4, VALUES = 3 };
    waio_graph *g = waio_graph_new("three");
    float number[NUMBERS];
    waio_ranges all;
    int x = net_input(g, WAIO_SHAPE(1, 4)), ids[VALUES] = {x};

    ids[1] = net_op(g, WAIO_OP_LOGISTIC, x, -1);
    ids[2] = net_op(g, WAIO_OP_MUL, x, ids[1]); /* never observed by anyone */
    CHECK_OK(waio_ranges_create(&all, g, arena));
    for (int i = 0; i < NUMBERS; i++) {
        number[i] = i % 7 == 0 ? NAN : net_number(100);
        waio_ranges_observe(&all, ids[i % 2], &number[i], 1);
    }
    for (int attempt = 0; attempt < 50; attempt++) {
        waio_ranges worker[WORKERS];
        for (int w = 0; w < WORKERS; w++)
            CHECK_OK(waio_ranges_create(&worker[w], g, arena));
        for (int i = 0; i < NUMBERS; i++) /* worker 3 gets nothing at times */
            waio_ranges_observe(&worker[net_pick(3 + attempt % 2)], ids[i % 2], &number[i], 1);
        for (int left = WORKERS; left > 1; left--) {
            int from = net_pick(left - 1);
            waio_ranges_merge(&worker[from], &worker[left - 1]);
        }
        for (int v = 0; v < VALUES; v++)
            CHECK(worker[0].min[ids[v]] == all.min[ids[v]] &&
                      worker[0].max[ids[v]] == all.max[ids[v]],
                  "value %d: %g .. %g", v, (double)worker[0].min[ids[v]],
                  (double)worker[0].max[ids[v]]);
    }
    waio_graph_free(g);
}

/* ---- groups ---- */

static waio_ranges ranges_of(const waio_graph *g)
{
    waio_ranges r;

    CHECK_OK(waio_ranges_create(&r, g, arena));
    for (int v = 0; v < g->value_count; v++)
        if (!waio_value_is_const(g, v)) { /* each value has a range of its own */
            r.min[v] = -1 - (float)v;
            r.max[v] = 1 + (float)v;
        }
    return r;
}

static waio_range_groups groups_of(const waio_graph *g)
{
    waio_range_groups groups;
    waio_ranges r = ranges_of(g);

    CHECK_OK(waio_range_groups_create(&groups, g, &r, arena));
    return groups;
}

/* Whether the values share a range, which is then -1 - last .. 1 + last. */
static void check_shared(const waio_range_groups *groups, const char *what, const int *ids,
                         int count)
{
    int last = 0;

    for (int i = 0; i < count; i++)
        last = ids[i] > last ? ids[i] : last;
    for (int i = 0; i < count; i++)
        CHECK(groups->group[ids[i]] == groups->group[ids[0]] &&
                  groups->min[ids[i]] == -1 - (float)last && groups->max[ids[i]] == 1 + (float)last,
              "%s: value %d has %g .. %g, expected the range of value %d", what, ids[i],
              (double)groups->min[ids[i]], (double)groups->max[ids[i]], last);
}

/* Every op over (1, 4, 4, 3): does its output share the input's range? */
static void ops_that_share(void)
{
    static const struct {
        waio_node node;
        bool shares;
    } row[] = {
        {{.op = WAIO_OP_CONCAT, .input_count = 2, .axis = {3}}, true},
        {{.op = WAIO_OP_AVG_POOL, .pool = {{2, 2}, {2, 2}, {0, 0, 0, 0}, false}}, true},
        {{.op = WAIO_OP_MAX_POOL, .pool = {{2, 2}, {2, 2}, {0, 0, 0, 0}, false}}, true},
        {{.op = WAIO_OP_PAD, .pad = {{0, 1, 1, 0}, {0, 1, 1, 0}, 0}}, true},
        {{.op = WAIO_OP_RESHAPE, .reshape = {{2, {1, 48}}}}, true},
        {{.op = WAIO_OP_TRANSPOSE, .transpose = {{0, 3, 1, 2}}}, true},
        {{.op = WAIO_OP_RESIZE, .resize = {{8, 8}, true, true, false}}, true},
        {{.op = WAIO_OP_MAXIMUM, .input_count = 2}, true},
        {{.op = WAIO_OP_ADD, .input_count = 2}, false},
        {{.op = WAIO_OP_SUB, .input_count = 2}, false},
        {{.op = WAIO_OP_MUL, .input_count = 2}, false},
        {{.op = WAIO_OP_MEAN, .reduce = {6, true}}, false},
        {{.op = WAIO_OP_SUM, .reduce = {6, true}}, false},
        {{.op = WAIO_OP_CLIP, .clamp = {0, 6}}, false},
        {{.op = WAIO_OP_SOFTMAX, .axis = {3}}, false},
        {{.op = WAIO_OP_LOGISTIC}, false},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        waio_graph *g = waio_graph_new("op");
        waio_node node = row[i].node;
        int x = net_input(g, WAIO_SHAPE(1, 4, 4, 3));
        node.input[0] = net_op(g, WAIO_OP_MUL, x, x);
        node.input[1] = x;
        int y = net_node(g, node);
        waio_range_groups groups = groups_of(g);
        bool same = groups.group[y] == groups.group[node.input[0]];
        CHECK(same == row[i].shares, "%s: shares a range", waio_op_name(node.op));
        if (row[i].shares)
            check_shared(&groups, waio_op_name(node.op), (int[]){node.input[0], y}, 2);
        if (node.input_count == 2)
            CHECK((groups.group[x] == groups.group[y]) == same, "%s: the second operand",
                  waio_op_name(node.op));
        waio_graph_free(g);
    }
}

/* conv -> pool -> concat(pool, transpose(other)) -> reshape, an add beside it. */
static void chains_of_groups(void)
{
    waio_graph *g = waio_graph_new("chain");
    int x = net_input(g, WAIO_SHAPE(1, 4, 4, 3));
    int a = net_conv(g, "a", x, 3, 1), b = net_conv(g, "b", x, 3, 1);
    int pool = net_pool(g, WAIO_OP_MAX_POOL, a);
    int turned = net_node(
        g, (waio_node){.op = WAIO_OP_TRANSPOSE, .input = {b}, .transpose = {{0, 2, 1, 3}}});
    int sum = net_op(g, WAIO_OP_ADD, a, b);
    int both = net_concat(g, pool, turned);
    int flat = net_node(
        g, (waio_node){.op = WAIO_OP_RESHAPE, .input = {both}, .reshape = {WAIO_SHAPE(1, 96)}});
    waio_range_groups groups = groups_of(g);

    check_shared(&groups, "chain", (int[]){a, b, pool, turned, both, flat}, 6);
    check_shared(&groups, "input alone", &x, 1);
    check_shared(&groups, "sum alone", &sum, 1);
    int weight = g->node[0].input[1];
    CHECK(groups.group[weight] == weight && !(groups.min[weight] <= groups.max[weight]),
          "weights have no range of the activations' kind");
    waio_graph_free(g);
}

/* Constants bring their numbers into the range of their group; others have one of their own. */
static void constants(void)
{
    waio_graph *g = waio_graph_new("constants");
    int x = net_input(g, WAIO_SHAPE(1, 2)), twice = net_op(g, WAIO_OP_ADD, x, x);
    int floor_of = net_const(g, WAIO_SHAPE(1), 1), more = net_const(g, WAIO_SHAPE(1, 1), 1);
    int factor = net_const(g, WAIO_SHAPE(2), 1);
    ((float *)g->value[floor_of].data)[0] = -50;
    ((float *)g->value[more].data)[0] = 70;
    ((float *)g->value[factor].data)[0] = 0.25f;
    ((float *)g->value[factor].data)[1] = 0.5f;
    int above = net_op(g, WAIO_OP_MAXIMUM, twice, floor_of);
    int joined = net_concat(g, above, more);
    int scaled = net_op(g, WAIO_OP_MUL, joined, net_const(g, WAIO_SHAPE(1), 1));
    int last = net_op(g, WAIO_OP_MUL, x, factor);
    waio_range_groups groups = groups_of(g);

    for (int i = 0; i < 5; i++) {
        int id = (int[]){twice, above, joined, floor_of, more}[i];
        CHECK(groups.min[id] == -50 && groups.max[id] == 70, "value %d: %g .. %g", id,
              (double)groups.min[id], (double)groups.max[id]);
    }
    CHECK(groups.min[factor] == 0.25f && groups.max[factor] == 0.5f, "a factor alone: %g .. %g",
          (double)groups.min[factor], (double)groups.max[factor]);
    CHECK(groups.group[last] == last && groups.group[scaled] == scaled, "mul shares nothing");
    waio_graph_free(g);
}

/* ---- fixed ranges ---- */

static bool is_fixed(const waio_range_groups *groups, int id)
{
    return groups->fixed[groups->group[id]];
}

static void fixed_ranges(void)
{
    waio_graph *g = waio_graph_new("fixed");
    int x = net_input(g, WAIO_SHAPE(1, 4, 4, 2)), a = net_op(g, WAIO_OP_ADD, x, x);
    int sigmoid = net_op(g, WAIO_OP_LOGISTIC, a, -1), soft = net_softmax(g, a);
    int both = net_concat(g, sigmoid, soft);
    int flat = net_node(
        g, (waio_node){.op = WAIO_OP_RESHAPE, .input = {both}, .reshape = {WAIO_SHAPE(1, 64)}});
    int gate = net_op(g, WAIO_OP_MUL, sigmoid, a);
    int other = net_op(g, WAIO_OP_LOGISTIC, x, -1);
    int mixed = net_op(g, WAIO_OP_MAXIMUM, other, gate);
    int third = net_op(g, WAIO_OP_LOGISTIC, gate, -1);
    int with_input = net_concat(g, third, x);
    waio_range_groups groups = groups_of(g);

    CHECK(is_fixed(&groups, sigmoid) && is_fixed(&groups, soft), "logistic and softmax");
    CHECK(is_fixed(&groups, both) && is_fixed(&groups, flat), "through concat and reshape");
    CHECK(!is_fixed(&groups, a) && !is_fixed(&groups, gate), "not before, not behind a mul");
    CHECK(!is_fixed(&groups, other) && !is_fixed(&groups, mixed), "joined with another range");
    CHECK(!is_fixed(&groups, third) && !is_fixed(&groups, with_input), "joined with the input");
    CHECK(groups.max[other] == 1 + (float)mixed, "a joined logistic has the union");
    waio_graph_free(g);
}

/* Constants and padding that is not 0 come from elsewhere: [0, 1) need not hold them. */
static void fixed_ranges_and_constants(void)
{
    waio_graph *g = waio_graph_new("constants");
    int x = net_input(g, WAIO_SHAPE(1, 4, 4, 2));
    int a = net_op(g, WAIO_OP_LOGISTIC, x, -1), b = net_op(g, WAIO_OP_LOGISTIC, x, -1);
    int c = net_op(g, WAIO_OP_LOGISTIC, x, -1);
    int over = net_op(g, WAIO_OP_MAXIMUM, a, net_const(g, WAIO_SHAPE(1), 3));
    waio_node pad = {.op = WAIO_OP_PAD, .input = {b}, .pad = {{0, 1, 1, 0}, {0}, 0}};
    int zeros = net_node(g, pad);
    pad.input[0] = c;
    pad.pad.value = 2;
    int twos = net_node(g, pad);
    waio_range_groups groups = groups_of(g);

    CHECK(!is_fixed(&groups, over) && !is_fixed(&groups, a), "a constant may be above 1");
    CHECK(is_fixed(&groups, zeros) && is_fixed(&groups, b), "zeros are in [0, 1)");
    CHECK(!is_fixed(&groups, twos) && !is_fixed(&groups, c), "twos are not");
    waio_graph_free(g);
}

/* ---- moving ---- */

static void moving_ops(void)
{
    static const waio_op moves[] = {WAIO_OP_CONCAT,    WAIO_OP_MAX_POOL, WAIO_OP_RESHAPE,
                                    WAIO_OP_TRANSPOSE, WAIO_OP_PAD,      WAIO_OP_RESIZE};

    for (int op = 0; op < WAIO_OP_COUNT; op++) {
        waio_node node = {.op = (waio_op)op, .clamp = WAIO_NO_CLAMP};
        bool wanted = false;
        for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
            wanted = wanted || moves[i] == (waio_op)op;
        CHECK(waio_op_moves(&node) == wanted, "%s", waio_op_name(node.op));
        node.clamp = (waio_clamp){0, 6}; /* 6 need not be on the grid */
        CHECK(!waio_op_moves(&node), "%s with a clamp", waio_op_name(node.op));
    }
    waio_node pad = {.op = WAIO_OP_PAD, .clamp = WAIO_NO_CLAMP, .pad = {.value = 1}};
    CHECK(!waio_op_moves(&pad), "pad with ones");
    waio_node resize = {.op = WAIO_OP_RESIZE, .clamp = WAIO_NO_CLAMP, .resize = {.bilinear = true}};
    CHECK(!waio_op_moves(&resize), "bilinear resize");
}

int main(void)
{
    arena = waio_arena_new();
    net_rng.state = 5;
    observing();
    merging();
    ops_that_share();
    chains_of_groups();
    constants();
    fixed_ranges();
    fixed_ranges_and_constants();
    moving_ops();
    waio_arena_free(arena);
    return waio_check_result();
}
