/* Roles and the order of execution: hand-built networks by name, random ones against the
 * definition, worked from ancestors. */
#include <stdlib.h>

#include "nets.h"
#include "quant/roles.h"

static waio_arena *arena;

static waio_roles assign(waio_graph *g, int output)
{
    waio_roles roles = {0};

    CHECK_OK(waio_graph_add_output(g, output));
    CHECK_OK(waio_roles_assign(&roles, g, arena));
    for (int n = 0; n < g->node_count; n++) /* inputs stand before their readers */
        for (int i = 0; i < g->node[n].input_count; i++)
            CHECK(waio_graph_producer(g, g->node[n].input[i]) < n, "%s: node %d is too early",
                  g->name, n);
    return roles;
}

/* The roles of the nodes' outputs in order of execution, a letter each: "IAAO". */
static void check_roles(const waio_graph *g, const waio_roles *roles, const char *wanted)
{
    char text[64] = "";

    for (int n = 0; n < g->node_count; n++)
        text[n] = "IAO"[roles->value[g->node[n].output]];
    CHECK(strcmp(text, wanted) == 0, "%s: roles %s, expected %s", g->name, text, wanted);
}

static void check_order(const waio_graph *g, const char *wanted)
{
    char text[256] = "";

    for (int n = 0; n < g->node_count; n++) {
        strcat(text, n ? " " : "");
        strcat(text, g->node[n].name);
    }
    CHECK(strcmp(text, wanted) == 0, "%s: order %s, expected %s", g->name, text, wanted);
}

static void check_ends(const waio_graph *g, const waio_roles *roles, const char *first,
                       const char *last)
{
    CHECK(strcmp(g->node[roles->first_weighted].name, first) == 0, "%s: first layer %s, not %s",
          g->name, g->node[roles->first_weighted].name, first);
    CHECK(strcmp(g->node[roles->last_weighted].name, last) == 0, "%s: last layer %s, not %s",
          g->name, g->node[roles->last_weighted].name, last);
}

static const waio_shape image = {4, {1, 4, 4, 3}};

static void chain(void)
{
    waio_graph *g = waio_graph_new("chain");
    int x = net_input(g, image);
    int body = net_conv(g, "c2", net_conv(g, "c1", x, 4, 1), 4, 1);
    int soft = net_softmax(g, net_dense(g, "fc", net_mean(g, body), 4));
    waio_roles roles = assign(g, soft);

    check_roles(g, &roles, "AAAOO");
    check_order(g, "c1 c2 mean fc softmax");
    check_ends(g, &roles, "c1", "fc");
    CHECK(roles.value[x] == WAIO_ROLE_I, "the input is I");
    CHECK(roles.value[g->node[3].input[1]] == WAIO_ROLE_O, "the head's weight");
    waio_graph_free(g);
}

/* Rescaling before the first layer is I with its constants; the skip connection is A. */
static void residual_with_rescaling(void)
{
    waio_graph *g = waio_graph_new("residual");
    int x = net_input(g, image), scale = net_const(g, WAIO_SHAPE(3), 1);
    int scaled = net_op(g, WAIO_OP_MUL, x, scale);
    int moved = net_op(g, WAIO_OP_ADD, scaled, net_const(g, WAIO_SHAPE(3), 1));
    int c1 = net_conv(g, "c1", moved, 3, 1), c2 = net_conv(g, "c2", c1, 3, 1);
    int sum = net_op(g, WAIO_OP_SUB, c2, c1), over = net_op(g, WAIO_OP_MAXIMUM, sum, moved);
    waio_roles roles = assign(g, net_dense(g, "fc", net_mean(g, over), 4));

    check_roles(g, &roles, "IIAAAAAO");
    check_order(g, "mul add c1 c2 sub maximum mean fc");
    check_ends(g, &roles, "c1", "fc");
    CHECK(roles.value[scale] == WAIO_ROLE_I, "a constant has the role of its reader");
    waio_graph_free(g);
}

/* Two branches from the input: the layer that stands first is first; what is computed from the
 * input alone comes before it, even if it was added later. */
static void branches(void)
{
    waio_graph *g = waio_graph_new("branches");
    int x = net_input(g, image);
    int left = net_conv(g, "left", x, 3, 1);
    int pool = net_pool(g, WAIO_OP_MAX_POOL, x);
    int right = net_conv(g, "right", pool, 3, 1);
    int both = net_concat(g, left, net_concat(g, right, pool));
    waio_roles roles = assign(g, net_dense(g, "fc", net_mean(g, both), 4));

    check_roles(g, &roles, "IAAAAAO");
    check_order(g, "max_pool left right concat concat mean fc");
    check_ends(g, &roles, "left", "fc");
    waio_graph_free(g);
}

static void single_layer(void)
{
    waio_graph *g = waio_graph_new("single");
    int x = net_input(g, image), small = net_op(g, WAIO_OP_LOGISTIC, x, -1);
    int fc = net_dense(g, "fc", net_mean(g, small), 4);
    waio_roles roles = assign(g, net_softmax(g, fc));

    check_roles(g, &roles, "IIOO");
    check_ends(g, &roles, "fc", "fc");
    CHECK(roles.first_weighted == 2 && roles.last_weighted == 2, "nodes %d and %d",
          roles.first_weighted, roles.last_weighted);
    waio_graph_free(g);
}

/* What stands behind the last layer but does not follow from it comes before it, so that the head
 * can be run again alone. */
static void beside_the_last_layer(void)
{
    waio_graph *g = waio_graph_new("beside");
    int x = net_input(g, image), c1 = net_conv(g, "c1", x, 4, 1);
    int fc = net_dense(g, "fc", net_mean(g, c1), 4);
    int soft = net_softmax(g, fc);
    int side = net_op(g, WAIO_OP_LOGISTIC, c1, -1);
    int early = net_pool(g, WAIO_OP_AVG_POOL, x);
    int tail = net_op(g, WAIO_OP_ADD, soft, net_mean(g, side));
    int input_tail = net_op(g, WAIO_OP_MUL, tail,
                            net_const(g, WAIO_SHAPE(1), 1)); /* keeps the last op a head op */
    (void)early;
    waio_roles roles = assign(g, input_tail);

    check_roles(g, &roles, "IAAAAOOOO");
    check_order(g, "avg_pool c1 mean logistic mean fc softmax add mul");
    check_ends(g, &roles, "c1", "fc");
    waio_graph_free(g);
}

/* Two layers, both from the input: the first one's output is A, whatever the head does with it. */
static void parallel_layers(void)
{
    waio_graph *g = waio_graph_new("parallel");
    int x = net_input(g, image), a = net_conv(g, "a", x, 3, 1), b = net_conv(g, "b", x, 3, 1);
    waio_roles roles = assign(g, net_op(g, WAIO_OP_ADD, net_op(g, WAIO_OP_MUL, a, x), b));

    check_roles(g, &roles, "AAOO");
    check_order(g, "a mul b add");
    check_ends(g, &roles, "a", "b");
    waio_graph_free(g);
}

/* A factor that ops of both sides read, and a bias that two layers read: each reader gets a value
 * of its own, with the same numbers. */
static void shared_constants(void)
{
    waio_graph *g = waio_graph_new("shared");
    int x = net_input(g, image), factor = net_const(g, WAIO_SHAPE(3), 1);
    int a = net_conv(g, "a", net_op(g, WAIO_OP_MUL, x, factor), 3, 1);
    int b = net_conv(g, "b", net_op(g, WAIO_OP_MUL, a, factor), 3, 1);
    g->node[3].input[2] = g->node[1].input[2]; /* b's bias is a's */
    waio_roles roles = assign(g, net_op(g, WAIO_OP_MUL, b, factor));

    check_roles(g, &roles, "IAAOO");
    for (int n = 0; n < g->node_count; n++)
        for (int i = 1; i < g->node[n].input_count; i++) {
            int id = g->node[n].input[i];
            CHECK(waio_graph_use_count(g, id) == 1, "constant %d has several readers", id);
            CHECK(roles.value[id] == roles.value[g->node[n].output], "its role is the reader's");
        }
    for (int n = 0; n <= 4; n += 2)
        CHECK(memcmp(g->value[g->node[n].input[1]].data, g->value[factor].data,
                     3 * sizeof(float)) == 0,
              "the factor of node %d has other numbers", n);
    CHECK(memcmp(g->value[g->node[1].input[2]].data, g->value[g->node[3].input[2]].data,
                 3 * sizeof(float)) == 0,
          "the biases differ");
    waio_graph_free(g);
}

static void no_layer(void)
{
    waio_graph *g = waio_graph_new("nothing");
    waio_roles roles;

    CHECK_OK(waio_graph_add_output(g, net_mean(g, net_input(g, image))));
    CHECK_FAILS(waio_roles_assign(&roles, g, arena), WAIO_EUNSUPPORTED, "no layer has weights");
    waio_graph_free(g);
}

/* ---- random networks ---- */

/* Whether value `id` is computed by, or follows from, a node that `wanted` names. */
static bool follows(const waio_graph *g, int id, bool (*wanted)(const waio_graph *, int node))
{
    int n = waio_graph_producer(g, id);

    if (n < 0)
        return false;
    if (wanted(g, n))
        return true;
    for (int i = 0; i < g->node[n].input_count; i++)
        if (follows(g, g->node[n].input[i], wanted))
            return true;
    return false;
}

static bool is_layer(const waio_graph *g, int n)
{
    return waio_op_weighted(g->node[n].op);
}

static bool is_last_layer(const waio_graph *g, int n)
{
    return strcmp(g->node[n].name, "head") == 0;
}

static void random_network(uint64_t seed)
{
    waio_graph *g = net_random_graph(seed);
    waio_roles roles = {0};
    int count = g->node_count, first = -1;
    waio_node *before = malloc((size_t)count * sizeof *before);

    memcpy(before, g->node, (size_t)count * sizeof *before);
    for (int n = count - 1; n >= 0; n--)
        first = is_layer(g, n) ? g->node[n].output : first;
    CHECK_OK(waio_roles_assign(&roles, g, arena));
    CHECK(g->node_count == count && g->node[roles.first_weighted].output == first,
          "seed %d: another layer is first", (int)seed);
    CHECK(is_last_layer(g, roles.last_weighted), "seed %d: another layer is last", (int)seed);
    for (int n = 0; n < count; n++) {
        const waio_node *node = &g->node[n];
        waio_role wanted = follows(g, node->output, is_last_layer) ? WAIO_ROLE_O
                           : follows(g, node->output, is_layer)    ? WAIO_ROLE_A
                                                                   : WAIO_ROLE_I;
        CHECK(roles.value[node->output] == wanted, "seed %d: role of node %d", (int)seed, n);
        CHECK((n < roles.first_weighted) == (wanted == WAIO_ROLE_I), "seed %d: I comes first",
              (int)seed);
        CHECK((n >= roles.last_weighted) == (wanted == WAIO_ROLE_O), "seed %d: O comes last",
              (int)seed);
        for (int i = 0; i < node->input_count; i++)
            CHECK(waio_graph_producer(g, node->input[i]) < n, "seed %d: not in order", (int)seed);
        int times = 0;
        for (int k = 0; k < count; k++)
            times += before[k].output == node->output;
        CHECK(times == 1, "seed %d: a node was lost or doubled", (int)seed);
    }
    free(before);
    waio_graph_free(g);
}

int main(void)
{
    arena = waio_arena_new();
    net_rng.state = 3;
    chain();
    residual_with_rescaling();
    branches();
    single_layer();
    beside_the_last_layer();
    parallel_layers();
    shared_constants();
    no_layer();
    for (uint64_t seed = 0; seed < 200; seed++)
        random_network(seed);
    waio_arena_free(arena);
    return waio_check_result();
}
