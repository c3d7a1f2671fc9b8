/* Post-training quantization against an independent calculation: a small residual network is run
 * with waio's bindings and, beside it, step by step with the rules of host/quant/README.md written
 * out again here in double. Both use the reference's float ops, so every number must be equal. */
#include <math.h>
#include <stdlib.h>

#include "backend/program.h"
#include "backend/ref/ref.h"
#include "check.h"
#include "quant/quantizer.h"
#include "quant/weights.h"
#include "util/rng.h"

enum { SIDE = 5, CHANNELS = 3, BATCH = 2, CLASSES = 4 };

/* Node indices in execution order, and value ids. */
typedef struct network {
    waio_graph *graph;
    waio_arena *arena;
    waio_roles roles;
    waio_ranges ranges;
    waio_program *program;
    int conv1, conv2, sum, pool, flat, dense, soft; /* value ids */
} network;

static waio_rng rng;

static float random_number(float reach)
{
    return (waio_rng_unit(&rng) * 2 - 1) * reach;
}

static int add_weighted(waio_graph *g, waio_op op, int x, waio_shape shape, const char *name)
{
    float *w = NULL, *b = NULL;
    waio_shape bias = WAIO_SHAPE(shape.dim[0]);
    waio_node node = {.op = op, .name = name, .input = {x}, .input_count = 3};
    int id = -1;

    CHECK_OK(waio_graph_add_const(g, &node.input[1], "w", &shape, &w));
    CHECK_OK(waio_graph_add_const(g, &node.input[2], "b", &bias, &b));
    for (int64_t i = 0; i < waio_shape_count(&shape); i++)
        w[i] = random_number(0.5f);
    for (int64_t i = 0; i < shape.dim[0]; i++)
        b[i] = random_number(0.3f);
    if (op == WAIO_OP_CONV2D)
        node.conv = (waio_conv_params){{1, 1}, {1, 1}, {1, 1, 1, 1}, 1};
    node.clamp = op == WAIO_OP_CONV2D ? (waio_clamp){0, INFINITY} : WAIO_NO_CLAMP;
    CHECK_OK(waio_graph_add_node(g, &id, &node));
    return id;
}

static int add_plain(waio_graph *g, waio_node node)
{
    int id = -1;
    CHECK_OK(waio_graph_add_node(g, &id, &node));
    return id;
}

static void observe(void *payload, int id, const float *data, int64_t count)
{
    waio_ranges_observe(payload, id, data, count);
}

/* Runs the whole program on `x`; weights of unbound nodes are the graph's own. */
static void run(network *n, const waio_binding *binding, const float *x, float *scores,
                const waio_observer_hook *hook)
{
    waio_workspace ws = {0};
    int last = n->graph->node_count;

    CHECK_OK(waio_workspace_create(&ws, n->program));
    memcpy(waio_workspace_value(&ws, n->program, n->graph->input), x,
           sizeof(float) * BATCH * SIDE * SIDE * CHANNELS);
    CHECK_OK(
        waio_program_run(n->program, binding, &ws, (waio_run_range){0, last, false, false}, hook));
    memcpy(scores, waio_workspace_value(&ws, n->program, n->soft), sizeof(float) * BATCH * CLASSES);
    waio_workspace_free(&ws);
}

static void build(network *n, const float *x)
{
    waio_shape in = WAIO_SHAPE(1, SIDE, SIDE, CHANNELS);
    waio_graph *g = n->graph = waio_graph_new("small");
    float scores[BATCH * CLASSES];
    int input = -1;

    n->arena = waio_arena_new();
    CHECK_OK(waio_graph_add_input(g, &input, "x", &in));
    n->conv1 = add_weighted(g, WAIO_OP_CONV2D, input, WAIO_SHAPE(4, 3, 3, CHANNELS), "conv1");
    n->conv2 = add_weighted(g, WAIO_OP_CONV2D, n->conv1, WAIO_SHAPE(4, 3, 3, 4), "conv2");
    n->sum = add_plain(
        g, (waio_node){
               .op = WAIO_OP_ADD, .name = "sum", .input = {n->conv1, n->conv2}, .input_count = 2});
    n->pool = add_plain(g, (waio_node){.op = WAIO_OP_AVG_POOL,
                                       .name = "pool",
                                       .input = {n->sum},
                                       .input_count = 1,
                                       .pool = {{5, 5}, {5, 5}, {0, 0, 0, 0}, false}});
    n->flat = add_plain(g, (waio_node){.op = WAIO_OP_RESHAPE,
                                       .name = "flat",
                                       .input = {n->pool},
                                       .input_count = 1,
                                       .reshape = {WAIO_SHAPE(1, 4)}});
    n->dense = add_weighted(g, WAIO_OP_DENSE, n->flat, WAIO_SHAPE(CLASSES, 4), "dense");
    n->soft = add_plain(g, (waio_node){.op = WAIO_OP_SOFTMAX,
                                       .name = "soft",
                                       .input = {n->dense},
                                       .input_count = 1,
                                       .axis = {1}});
    CHECK_OK(waio_graph_add_output(g, n->soft));
    CHECK_OK(waio_roles_assign(&n->roles, g, n->arena));
    CHECK_OK(
        waio_program_compile(&n->program, g, &waio_backend_ref, BATCH, n->roles.last_weighted));
    CHECK_OK(waio_ranges_create(&n->ranges, g, n->arena));
    waio_observer_hook hook = {observe, &n->ranges};
    waio_ranges_observe(&n->ranges, input, x, BATCH * SIDE * SIDE * CHANNELS);
    run(n, &(waio_binding){.quant = NULL}, x, scores, &hook);
}

static void destroy(network *n)
{
    waio_program_free(n->program);
    waio_graph_free(n->graph);
    waio_arena_free(n->arena);
}

/* ---- the rules once more ---- */

static double half_away(double x)
{
    return x < 0 ? -floor(-x + 0.5) : floor(x + 0.5);
}

typedef struct grid {
    float scale;
    double zero, lo, hi;
} grid;

static grid make_grid(double min, double max, int bits, bool symmetric)
{
    grid g;

    if (symmetric) {
        g.hi = pow(2, bits - 1) - 1;
        g.lo = -g.hi;
        g.scale = (float)(fmax(fabs(min), fabs(max)) / g.hi);
        g.zero = 0;
        return g;
    }
    min = fmin(min, 0);
    max = fmax(max, 0);
    g.lo = -pow(2, bits - 1);
    g.hi = pow(2, bits - 1) - 1;
    g.scale = (float)((double)((float)max - (float)min) / (g.hi - g.lo));
    g.zero = fmin(fmax(half_away(g.lo - min / g.scale), g.lo), g.hi);
    return g;
}

static void to_grid(float *x, int64_t count, grid g)
{
    for (int64_t i = 0; i < count; i++) {
        double code = half_away((double)(x[i] / g.scale)) + g.zero;
        code = fmin(fmax(code, g.lo), g.hi);
        x[i] = (float)(code - g.zero) * g.scale;
    }
}

static void quantize_activation(float *x, int64_t count, double min, double max, int bits)
{
    if (bits != 32)
        to_grid(x, count, make_grid(min, max, bits, bits > 8));
}

/* Weights of one layer and its bias; `in` is the input's grid, scale 0 if it is float. */
static void quantize_layer(float *w, float *b, int64_t channels, int64_t count, int bits, bool each,
                           grid in)
{
    int64_t block = each ? count / channels : count;
    float scale[8] = {0};

    for (int64_t k = 0; bits != 32 && k < count / block; k++) {
        double top = 0;
        for (int64_t i = 0; i < block; i++)
            top = fmax(top, fabs((double)w[k * block + i]));
        grid g = make_grid(-top, top, bits, true);
        scale[k] = g.scale;
        for (int64_t i = 0; i < block; i++) {
            float inverse = 1.0f / g.scale;
            double code = half_away((double)(w[k * block + i] * inverse));
            w[k * block + i] = (float)fmin(fmax(code, g.lo), g.hi) * g.scale;
        }
    }
    for (int64_t c = 0; bits != 32 && in.scale > 0 && c < channels; c++) {
        float step = in.scale * scale[each ? c : 0];
        b[c] = (float)(half_away((double)b[c] / (double)step) * (double)step);
    }
}

/* One reference op on plain arrays, the node's own constants replaced by `w` and `b`. */
static void op(const network *n, int id, const float *x0, const float *x1, const float *b, float *y)
{
    const waio_node *node = &n->graph->node[waio_graph_producer(n->graph, id)];
    waio_shape in[3], out = waio_batched_shape(n->graph, id, BATCH);
    const float *x[3] = {x0, x1, b};

    for (int i = 0; i < node->input_count; i++)
        in[i] = waio_batched_shape(n->graph, node->input[i], BATCH);
    waio_ref_run(&(waio_ref_call){node, in, &out, x, y});
}

static const waio_node *node_of(const network *n, int id)
{
    return &n->graph->node[waio_graph_producer(n->graph, id)];
}

/* A weighted layer with its input on grid `in`. */
static void layer(const network *n, int id, const float *x, float *y, int bits, bool each, grid in)
{
    const waio_node *node = node_of(n, id);
    const waio_value *weight = &n->graph->value[node->input[1]];
    int64_t count = waio_shape_count(&weight->shape), channels = weight->shape.dim[0];
    float w[256], b[8];

    memcpy(w, weight->data, (size_t)count * sizeof *w);
    memcpy(b, n->graph->value[node->input[2]].data, (size_t)channels * sizeof *b);
    quantize_layer(w, b, channels, count, bits, each, in);
    op(n, id, x, w, b, y);
}

static grid grid_of(const network *n, int id, int bits)
{
    grid none = {0};
    if (bits == 32)
        return none;
    return make_grid(n->ranges.min[id], n->ranges.max[id], bits, bits > 8);
}

/* Everything by hand. The pool keeps the range of the sum; the softmax has a fixed one. */
static void by_hand(const network *n, const float *image, waio_precision p, int first_n, bool each,
                    float *scores)
{
    enum { MAP = BATCH * SIDE * SIDE * 4, IMAGE = BATCH * SIDE * SIDE * CHANNELS };
    float x[IMAGE], c1[MAP], c1q[MAP], c2[MAP], sum[MAP], pool[BATCH * 4], logits[BATCH * CLASSES];
    grid none = {0};
    int in = n->graph->input;
    double low = fmin(n->ranges.min[n->sum], n->ranges.min[n->pool]);
    double high = fmax(n->ranges.max[n->sum], n->ranges.max[n->pool]);
    bool first_float = first_n > 0, second_float = first_n > 1;

    memcpy(x, image, sizeof x);
    if (!first_float)
        quantize_activation(x, IMAGE, n->ranges.min[in], n->ranges.max[in], p.i);
    layer(n, n->conv1, x, c1, first_float ? 32 : p.i, each,
          first_float ? none : grid_of(n, in, p.i));
    memcpy(c1q, c1, sizeof c1q);
    quantize_activation(c1q, MAP, n->ranges.min[n->conv1], n->ranges.max[n->conv1], p.a);
    layer(n, n->conv2, second_float ? c1 : c1q, c2, second_float ? 32 : p.w, each,
          second_float ? none : grid_of(n, n->conv1, p.a));
    /* With two float layers the sum still is float: the prefix ends before the third layer. */
    if (!second_float)
        quantize_activation(c2, MAP, n->ranges.min[n->conv2], n->ranges.max[n->conv2], p.a);
    op(n, n->sum, second_float ? c1 : c1q, c2, NULL, sum);
    if (!second_float)
        quantize_activation(sum, MAP, low, high, p.a);
    op(n, n->pool, sum, NULL, NULL, pool);
    quantize_activation(pool, BATCH * 4, low, high, p.a);
    grid pooled = p.a == 32 ? none : make_grid(low, high, p.a, p.a > 8);
    layer(n, n->dense, pool, logits, p.o, each, pooled);
    quantize_activation(logits, BATCH * CLASSES, n->ranges.min[n->dense], n->ranges.max[n->dense],
                        p.o);
    op(n, n->soft, logits, NULL, NULL, scores);
    if (p.o != 32 && p.o <= 8)
        to_grid(scores, BATCH * CLASSES,
                (grid){ldexpf(1, -p.o), -pow(2, p.o - 1), -pow(2, p.o - 1), pow(2, p.o - 1) - 1});
    else if (p.o != 32)
        to_grid(scores, BATCH * CLASSES,
                (grid){ldexpf(1, 1 - p.o), 0, -(pow(2, p.o - 1) - 1), pow(2, p.o - 1) - 1});
}

static void compare(network *n, waio_quantizer *q, const float *image, waio_precision p,
                    int first_n, bool each)
{
    float got[BATCH * CLASSES], want[BATCH * CLASSES], x[BATCH * SIDE * SIDE * CHANNELS];
    waio_quant_request request = {p, first_n, NULL};
    waio_quant_binding binding;

    CHECK_OK(waio_quantizer_bind(q, &request, &binding));
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = binding.input_quant.enabled
                   ? waio_fake_quantize(image[i], binding.input_quant.fq, WAIO_ROUND_HALF_AWAY)
                   : image[i];
    run(n, &binding.binding, x, got, NULL);
    by_hand(n, image, p, first_n, each, want);
    for (int i = 0; i < BATCH * CLASSES; i++)
        CHECK(got[i] == want[i],
              "w=%d a=%d i=%d o=%d first_n=%d %s: score %d is %.9g, by hand %.9g", p.w, p.a, p.i,
              p.o, first_n, each ? "channel" : "layer", i, (double)got[i], (double)want[i]);
    waio_quant_binding_free(&binding);
}

static void test_precisions(void)
{
    static const int bits[] = {3, 6, 8, 12, 16, 32};
    float image[BATCH * SIDE * SIDE * CHANNELS];
    network n = {0};

    for (size_t i = 0; i < sizeof image / sizeof *image; i++)
        image[i] = random_number(2);
    build(&n, image);
    for (int each = 0; each < 2; each++) {
        waio_scheme scheme;
        waio_quantizer *q = NULL;
        CHECK_OK(waio_scheme_ptq(&scheme, each ? "channel" : "layer", "symmetric", "auto"));
        /* No room to keep weights: each binding quantizes its own. */
        CHECK_OK(waio_quantizer_create(&q, n.program, &n.roles, &n.ranges, &scheme, 0));
        for (int k = 0; k < 6 * 6 * 6 * 6; k += 5)
            compare(&n, q, image,
                    (waio_precision){bits[k % 6], bits[k / 6 % 6], bits[k / 36 % 6], bits[k / 216]},
                    k % 3, each);
        waio_quantizer_free(q);
    }
    destroy(&n);
}

static void test_sizes_and_errors(void)
{
    float image[BATCH * SIDE * SIDE * CHANNELS] = {1, -1};
    waio_quant_request w8 = {{8, 32, 32, 32}, 0, NULL}, a8 = {{8, 8, 32, 32}, 0, NULL};
    waio_quant_request real = {{32, 32, 32, 32}, 0, NULL};
    waio_quant_binding binding;
    waio_quantizer *q = NULL;
    waio_scheme scheme;
    network n = {0};

    build(&n, image);
    CHECK_OK(waio_scheme_ptq(&scheme, "channel", "symmetric", "auto"));
    CHECK(scheme.rounding == WAIO_ROUND_HALF_AWAY, "ptq rounds as TensorFlow Lite does");
    CHECK_FAILS(waio_scheme_ptq(&scheme, "tensor", "symmetric", "auto"), WAIO_EUSAGE, "layer");
    CHECK_FAILS(waio_scheme_ptq(&scheme, "layer", "auto", "auto"), WAIO_EUSAGE, "asymmetric");
    CHECK_OK(waio_scheme_ptq(&scheme, "channel", "symmetric", "auto"));
    CHECK_OK(waio_quantizer_create(&q, n.program, &n.roles, NULL, &scheme, 1 << 20));
    int64_t weights1 = 4 * 9 * CHANNELS, weights2 = 4 * 9 * 4, head = CLASSES * 4;
    CHECK_OK(waio_quantizer_bind(q, &real, &binding));
    CHECK(binding.size_bytes == 4 * (weights1 + weights2 + head + 4 + 4 + CLASSES), "%lld bytes",
          (long long)binding.size_bytes);
    waio_quant_binding_free(&binding);
    CHECK_OK(waio_quantizer_bind(q, &w8, &binding));
    CHECK(binding.size_bytes == 4 * (weights1 + head + 4 + 4 + CLASSES) + weights2 + 4 * 4,
          "%lld bytes", (long long)binding.size_bytes);
    waio_quant_binding_free(&binding);
    CHECK_FAILS(waio_quantizer_bind(q, &a8, &binding), WAIO_EUSAGE, "need calibrated ranges");
    waio_quantizer_free(q);
    destroy(&n);
}

static void test_levels(void)
{
    float data[] = {1, 2, 2, 1, 5, 6, 7, 8};
    int64_t levels = 0;

    CHECK_OK(waio_count_levels(&levels, data, 8, 1, 100));
    CHECK(levels == 6, "%lld", (long long)levels);
    CHECK_OK(waio_count_levels(&levels, data, 8, 2, 100));
    CHECK(levels == 4, "%lld", (long long)levels);
    CHECK_OK(waio_count_levels(&levels, data, 8, 1, 3));
    CHECK(levels == 4, "counting goes on past the limit: %lld", (long long)levels);
}

int main(void)
{
    rng.state = 7;
    test_precisions();
    test_sizes_and_errors();
    test_levels();
    return waio_check_result();
}
