/* Bindings against tests/simulate.h, value by value on random networks: both sides run the
 * reference's float ops, so every number must be equal. Then biases of the vectors, sizes worked by
 * hand, and the bank of weights. */
#include <stdlib.h>

#include "backend/binding.h"
#include "nets.h"
#include "quant/lower.h"
#include "simulate.h"
#include "vectors.h"

enum { BATCH = 2, NETWORKS = 400, CONFIGURATIONS = 16 };

typedef struct network {
    waio_graph *graph;
    waio_arena *arena;
    waio_roles roles;
    waio_ranges ranges;
    waio_program *program;
    waio_workspace workspace;
    float *image; /* what the ranges were observed on, one and a half times as large */
    int64_t numbers;
} network;

static void run(const network *n, const waio_binding *binding, const float *x,
                const waio_observer_hook *hook)
{
    waio_run_range all = {0, n->graph->node_count, false, false};

    memcpy(waio_workspace_value(&n->workspace, n->program, n->graph->input), x,
           (size_t)n->numbers * sizeof *x);
    CHECK_OK(waio_program_run(n->program, binding, &n->workspace, all, hook));
}

static void observe(void *payload, int id, const float *data, int64_t count)
{
    waio_ranges_observe(payload, id, data, count);
}

/* Makes some channels' weights, or a whole layer's, so small that a bias of 32 bits asks for a
 * wider scale. */
static void shrink_weights(waio_graph *graph)
{
    for (int i = 0; i < graph->node_count; i++) {
        if (!waio_op_weighted(graph->node[i].op) || net_pick(3))
            continue;
        const waio_value *w = &graph->value[graph->node[i].input[1]];
        int64_t block = waio_shape_count(&w->shape) / w->shape.dim[0];
        int only = net_pick(2) ? net_pick((int)w->shape.dim[0]) : -1;
        for (int64_t k = 0; k < waio_shape_count(&w->shape); k++)
            if (only < 0 || k / block == only)
                ((float *)w->data)[k] *= ldexpf(1, -20 - net_pick(2) * 10);
    }
}

/* Takes the graph; its ranges are those of one random batch. */
static network open_network(waio_graph *graph)
{
    network n = {.graph = graph, .arena = waio_arena_new()};
    const waio_shape *in = &graph->value[graph->input].shape;

    n.numbers = waio_shape_count(in) * BATCH;
    n.image = waio_arena_array(n.arena, (size_t)n.numbers, sizeof *n.image);
    for (int64_t i = 0; i < n.numbers; i++)
        n.image[i] = net_number(2);
    CHECK_OK(waio_roles_assign(&n.roles, graph, n.arena));
    CHECK_OK(
        waio_program_compile(&n.program, graph, &waio_backend_ref, BATCH, n.roles.last_weighted));
    CHECK_OK(waio_workspace_create(&n.workspace, n.program));
    CHECK_OK(waio_ranges_create(&n.ranges, graph, n.arena));
    waio_ranges_observe(&n.ranges, graph->input, n.image, n.numbers);
    run(&n, &(waio_binding){.quant = NULL}, n.image, &(waio_observer_hook){observe, &n.ranges});
    for (int64_t i = 0; i < n.numbers; i++)
        n.image[i] *= 1.5f;
    return n;
}

static void close_network(network *n)
{
    waio_workspace_free(&n->workspace);
    waio_program_free(n->program);
    waio_graph_free(n->graph);
    waio_arena_free(n->arena);
}

/* ---- against the simulation ---- */

typedef struct comparison {
    const simulation *sim;
    int node, wrong; /* nodes seen; first node that differs, -1 if none */
} comparison;

static void compare(void *payload, int id, const float *data, int64_t count)
{
    comparison *c = payload;
    bool quantized = c->node >= c->sim->boundary;
    const float *want = quantized ? c->sim->grid[id] : c->sim->plain[id];

    for (int64_t i = 0; i < count && c->wrong < 0; i++)
        if (data[i] != want[i])
            c->wrong = c->node;
    c->node++;
}

/* The input as a session fills it in. */
static void fill_input(const network *n, const waio_quant_binding *b, float *x)
{
    for (int64_t i = 0; i < n->numbers; i++) {
        x[i] = n->image[i];
        if (b->input_bits == WAIO_F16)
            x[i] = waio_round_to_half(x[i]);
        else if (b->input_bits != WAIO_FLOAT)
            x[i] = waio_fake_quantize(x[i], b->input_quant.fq, b->input_quant.rounding);
    }
}

static void check_configuration(const network *n, waio_quantizer *q, simulation *sim,
                                const waio_quant_request *r, uint64_t seed)
{
    waio_quant_binding binding;
    comparison c = {.sim = sim, .wrong = -1};
    float *x = malloc((size_t)n->numbers * sizeof *x);

    CHECK_OK(waio_quantizer_bind(q, r, &binding));
    sim_run(sim, r, n->image);
    int bits = sim->boundary > 0 ? WAIO_FLOAT : sim_value_bits(sim, n->graph->input);
    CHECK(binding.input_bits == bits, "input of %d bits, expected %d", binding.input_bits, bits);
    fill_input(n, &binding, x);
    run(n, &binding.binding, x, &(waio_observer_hook){compare, &c});
    CHECK(c.wrong < 0 && c.node == n->graph->node_count,
          "network %d, w=%s a=%s i=%s o=%s first_n=%d %s w%d a%d: node %d (%s) differs", (int)seed,
          waio_bits_text(r->bits.w), waio_bits_text(r->bits.a), waio_bits_text(r->bits.i),
          waio_bits_text(r->bits.o), r->first_n, sim->scheme.per_channel ? "channel" : "layer",
          sim->scheme.weights, sim->scheme.activations, c.wrong,
          c.wrong < 0 ? "none" : waio_op_name(n->graph->node[c.wrong].op));
    waio_quant_binding_free(&binding);
    free(x);
}

static int random_bits(void)
{
    static const int bits[] = {2, 3, 4, 6, 8, 9, 12, 16, WAIO_F16, WAIO_FLOAT};
    return bits[net_pick(10)];
}

static void random_network(uint64_t seed)
{
    waio_graph *graph = net_random_graph(seed);
    if (seed % 2)
        shrink_weights(graph);
    network n = open_network(graph);
    int layers = 0;

    for (int i = 0; i < n.graph->node_count; i++)
        layers += waio_op_weighted(n.graph->node[i].op);
    for (int k = 0; k < CONFIGURATIONS; k++) {
        waio_arena *arena = waio_arena_new();
        simulation sim = sim_new(n.graph, BATCH, &n.ranges, arena);
        waio_quantizer *q = NULL;
        sim.scheme = (waio_scheme){.per_channel = net_pick(2),
                                   .weights = net_pick(2) ? WAIO_SYMMETRIC : WAIO_ASYMMETRIC,
                                   .activations = (waio_symmetry)net_pick(3),
                                   .rounding = WAIO_ROUND_HALF_AWAY};
        waio_quant_request r = {{random_bits(), random_bits(), random_bits(), random_bits()},
                                k % 2 ? net_pick(layers + 2) : 0,
                                NULL};
        bool *real = waio_arena_array(arena, (size_t)n.graph->node_count, sizeof *real);
        for (int i = 0, often = 1 + net_pick(4); i < n.graph->node_count; i++)
            real[i] = net_pick(4) < often;
        r.real = k % 4 < 2 ? real : NULL;
        CHECK_OK(waio_quantizer_create(&q, n.program, &n.roles, &n.ranges, &sim.scheme, 1 << 20));
        check_configuration(&n, q, &sim, &r, seed);
        waio_quantizer_free(q);
        waio_arena_free(arena);
    }
    close_network(&n);
}

/* One constant and one bias that ops of different roles read: each reader has them at its own bits
 * and scale. */
static void shared_constants(void)
{
    waio_graph *g = waio_graph_new("shared");
    int x = net_input(g, WAIO_SHAPE(1, NET_SIDE, NET_SIDE, 2));
    int factor = net_const(g, WAIO_SHAPE(2), 1);
    int c1 = net_conv(g, "c1", net_op(g, WAIO_OP_MUL, x, factor), 2, 1);
    waio_node second = {.op = WAIO_OP_CONV2D, .name = "c2", .input_count = 3};
    second.input[0] = net_op(g, WAIO_OP_MUL, c1, factor);
    second.input[1] = net_const(g, WAIO_SHAPE(2, 3, 3, 2), 4);
    second.input[2] = g->node[1].input[2];
    second.conv = g->node[1].conv;
    int fc = net_dense(g, "fc", net_mean(g, net_node(g, second)), 3);
    CHECK_OK(waio_graph_add_output(g, net_op(g, WAIO_OP_MUL, fc, net_const(g, WAIO_SHAPE(1), 2))));
    network n = open_network(g);
    waio_arena *arena = waio_arena_new();
    simulation sim = sim_new(n.graph, BATCH, &n.ranges, arena);
    waio_quantizer *q = NULL;

    CHECK_OK(waio_scheme_ptq(&sim.scheme, "channel", "symmetric", "auto"));
    CHECK_OK(waio_quantizer_create(&q, n.program, &n.roles, &n.ranges, &sim.scheme, 0));
    for (int first_n = 0; first_n <= 3; first_n++) {
        check_configuration(&n, q, &sim, &(waio_quant_request){{4, 8, 3, 6}, first_n, NULL}, 1000);
        check_configuration(&n, q, &sim, &(waio_quant_request){{8, 4, 32, 6}, first_n, NULL}, 1001);
        check_configuration(&n, q, &sim, &(waio_quant_request){{8, 32, 8, 6}, first_n, NULL}, 1002);
    }
    waio_quantizer_free(q);
    waio_arena_free(arena);
    close_network(&n);
}

/* ---- biases of TensorFlow Lite ---- */

static int check_bias(const cJSON *row)
{
    const cJSON *scales = cJSON_GetObjectItem(row, "weight_scales");
    const cJSON *bias = cJSON_GetObjectItem(row, "bias"),
                *codes = cJSON_GetObjectItem(row, "codes");
    const cJSON *steps = cJSON_GetObjectItem(row, "bias_scales");
    int count = cJSON_GetArraySize(bias);
    waio_graph *g = waio_graph_new("bias");
    waio_quant_binding binding;
    waio_quantizer *q = NULL;
    waio_scheme scheme;

    net_dense(g, "head", net_dense(g, "fc", net_input(g, WAIO_SHAPE(1, 1)), count), 1);
    CHECK_OK(waio_graph_add_output(g, g->node[1].output));
    network n = open_network(g);
    const int *input = g->node[0].input;
    n.ranges.min[g->input] = 0;
    n.ranges.max[g->input] = (float)(vectors_number(row, "input_scale") * 255);
    for (int i = 0; i < count; i++) {
        ((float *)g->value[input[1]].data)[i] = (float)(vectors_at(scales, i) * 127);
        ((float *)g->value[input[2]].data)[i] = (float)vectors_at(bias, i);
    }
    CHECK_OK(waio_scheme_ptq(&scheme, "channel", "symmetric", "auto"));
    CHECK_OK(waio_quantizer_create(&q, n.program, &n.roles, &n.ranges, &scheme, 0));
    CHECK_OK(waio_quantizer_bind(q, &(waio_quant_request){{8, 8, 8, 8}, 0, NULL}, &binding));
    const float *got = binding.binding.constant[input[2]];
    for (int i = 0; i < count; i++) {
        double code = vectors_at(codes, i), want = code * vectors_at(steps, i);
        double ours =
            waio_quantizer_bias_code((float)vectors_at(bias, i), (float)vectors_at(steps, i), 8);
        CHECK(ours == code, "bias %g has the code %g, not %g", vectors_at(bias, i), ours, code);
        if (fabs(code) > 0x1p30) /* the layer's scale is widened instead */
            want = vectors_at(bias, i);
        CHECK(fabs((double)got[i] - want) <= 3e-7 * fabs(want), "bias %g becomes %.9g, not %.9g",
              vectors_at(bias, i), (double)got[i], want);
    }
    waio_quant_binding_free(&binding);
    waio_quantizer_free(q);
    close_network(&n);
    return 1;
}

static void vectors_of_biases(void)
{
    cJSON *json = vectors_read("tflite_qparams.json");
    const cJSON *row = NULL;
    int rows = 0;

    cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "bias_int32")) rows += check_bias(row);
    CHECK(rows == 4, "%d rows", rows);
    cJSON_Delete(json);
}

/* ---- scales that a bias asks for ---- */

/* Scales and codes of node 1's weights in the lowered network; that it fits its accumulators. */
static void check_wider(const network *n, waio_quantizer *q, const waio_quant_request *r,
                        const float *want, int count, int bits)
{
    waio_graph *lowered = NULL;
    const waio_value *from = n->graph->value;
    const int *input = n->graph->node[1].input;
    int64_t block = waio_shape_count(&from[input[1]].shape) / count;
    float top = (float)((1 << (bits - 1)) - 1);

    CHECK_OK(waio_lower(&lowered, q, r, WAIO_REQUANT_TFLITE));
    int conv = net_find(lowered, "middle");
    const waio_value *w = &lowered->value[lowered->node[conv].input[1]];
    const waio_value *b = &lowered->value[lowered->node[conv].input[2]];
    CHECK(w->params.count == count && b->type == WAIO_S32, "%d scales", w->params.count);
    for (int c = 0; c < count; c++) {
        float scale = w->params.scale[c];
        CHECK(fabsf(scale / want[c] - 1) < 2e-7f, "%d bits, scale %d is %.9g, not %.9g", bits, c,
              (double)scale, (double)want[c]);
        for (int64_t k = c * block; k < (c + 1) * block; k++) {
            float code =
                waio_round_half_away(waio_clampf(from[input[1]].data[k] * (1 / scale), -top, top));
            CHECK(((const int8_t *)w->codes)[k] == (int)code, "code %d, not %g",
                  ((const int8_t *)w->codes)[k], (double)code);
        }
    }
    for (int64_t k = 0; k < b->shape.dim[0]; k++)
        CHECK(abs(((const int32_t *)b->codes)[k]) <= (1 << 30) + 64, "bias %d",
              ((const int32_t *)b->codes)[k]);

    waio_program *program = NULL; /* which is refused where a sum may not fit */
    CHECK_OK(waio_program_compile(&program, lowered, &waio_backend_cpu, 1, lowered->node_count));
    waio_program_free(program);
    waio_graph_free(lowered);
}

/* Scales that TensorFlow 2.21's converter gave a layer with the bias 0.5 or -3.7 and weights that a
 * channel (or the layer) has as small as this, at an input of the scale 0.007821243. */
static void biases_widen_scales(void)
{
    enum { EACH = 36 };     /* weights of a channel */
    waio_rng rng = net_rng; /* what comes behind this test gets the numbers it always had */
    static const struct {
        float bias, weight;
        int bits;
        bool per_channel;
        float scale;
    } row[] = {
        {0.5f, 1e-6f, 8, true, 5.953801363e-08f},
        {0.5f, 1e-9f, 8, true, 5.953801363e-08f},
        {-3.7f, 1e-6f, 8, true, 4.405813172e-07f},
        {0.5f, 1, 8, true, 0.007874016f},
        {0.5f, 6.615334e-8f * 127, 8, true, 6.615334e-8f},     /* 0.9 * 2^30: as it is */
        {0.5f, 3.969201e-8f * 127, 8, true, 5.953801363e-08f}, /* 1.5 * 2^30 would fit */
        {0.5f, 1e-9f, 4, true, 5.953801363e-08f},
        {0.5f, 1e-9f, 8, false, 5.953801363e-08f},
        {-3.7f, 1e-9f, 4, false, 4.405813172e-07f},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        waio_graph *g = waio_graph_new("wider");
        waio_quantizer *q = NULL;
        waio_scheme scheme;
        int x = net_input(g, WAIO_SHAPE(1, 4, 4, 3));
        int y = net_mean(g, net_conv(g, "middle", net_conv(g, "first", x, 4, 1), 4, 1));
        CHECK_OK(waio_graph_add_output(g, net_dense(g, "head", y, 2)));
        network n = open_network(g);
        float *w = (float *)g->value[g->node[1].input[1]].data;
        float *b = (float *)g->value[g->node[1].input[2]].data, want[4] = {0};
        n.ranges.min[g->node[1].input[0]] = 0;
        n.ranges.max[g->node[1].input[0]] = 0.007821243f * 255;
        for (int k = 0; k < 4 * EACH; k++)
            if (!row[i].per_channel || k / EACH == 1)
                w[k] = k % EACH ? row[i].weight * 0.3f : -row[i].weight;
        b[1] = row[i].bias;
        for (int c = 0; c < 4; c++) {
            for (int k = EACH * c; k < EACH * (c + 1); k++)
                want[c] = fmaxf(want[c], fabsf(w[k]));
            want[c] /= (float)((1 << (row[i].bits - 1)) - 1);
        }
        if (!row[i].per_channel)
            want[0] = row[i].scale;
        else
            want[1] = row[i].scale;
        CHECK_OK(waio_scheme_ptq(&scheme, row[i].per_channel ? "channel" : "layer", "symmetric",
                                 "auto"));
        CHECK_OK(waio_quantizer_create(&q, n.program, &n.roles, &n.ranges, &scheme, 1 << 20));
        waio_quant_request r = {{row[i].bits, 8, 8, 8}, 0, NULL};
        check_wider(&n, q, &r, want, row[i].per_channel ? 4 : 1, row[i].bits);
        waio_quantizer_free(q);
        close_network(&n);
    }
    net_rng = rng;
}

/* ---- sizes ---- */

/* x (4,4,2) -> c1: 3 of 3x3x2 -> c2: 4 of 3x3x3 -> mean -> fc: 3 of 4 -> softmax. Weights 54, 108
 * and 12, biases 3, 4 and 3. */
static network sized_network(void)
{
    waio_graph *g = waio_graph_new("sized");
    int x = net_input(g, WAIO_SHAPE(1, 4, 4, 2));
    int c2 = net_conv(g, "c2", net_conv(g, "c1", x, 3, 1), 4, 1);
    CHECK_OK(waio_graph_add_output(g, net_softmax(g, net_dense(g, "fc", net_mean(g, c2), 3))));
    return open_network(g);
}

static void sizes(void)
{
    enum { BIASES = 4 * (3 + 4 + 3) };
    static const struct {
        const char *granularity, *weights, *activations;
        waio_quant_request request;
        int64_t bytes;
    } row[] = {
        {"channel", "symmetric", "auto", {{32, 32, 32, 32}, 0, NULL}, 4 * 174 + BIASES},
        {"channel",
         "symmetric",
         "auto",
         {{WAIO_F16, 32, 32, 32}, 0, NULL},
         4 * 66 + 2 * 108 + BIASES},
        /* 108 bytes and 4 scales */
        {"channel", "symmetric", "auto", {{8, 32, 32, 32}, 0, NULL}, 4 * 66 + 108 + 16 + BIASES},
        /* 324 bits and 4 scales: 452 bits are 57 bytes */
        {"channel", "symmetric", "auto", {{3, 32, 32, 32}, 0, NULL}, 4 * 66 + 57 + BIASES},
        /* 324 bits and 1 scale: 356 bits are 45 bytes; asymmetric: 359 bits, 45 bytes */
        {"layer", "symmetric", "auto", {{3, 32, 32, 32}, 0, NULL}, 4 * 66 + 45 + BIASES},
        {"layer", "asymmetric", "auto", {{3, 32, 32, 32}, 0, NULL}, 4 * 66 + 45 + BIASES},
        /* per channel asymmetric: 4 zero points of 3 bits more: 464 bits, 58 bytes */
        {"channel", "asymmetric", "auto", {{3, 32, 32, 32}, 0, NULL}, 4 * 66 + 58 + BIASES},
        /* activations symmetric: 4 bytes each: c1, c2, mean */
        {"channel", "symmetric", "symmetric", {{32, 8, 32, 32}, 0, NULL}, 4 * 174 + BIASES + 12},
        /* I: 54 weights of 4 bits with 3 scales: 312 bits, 39 bytes; the input's scale */
        {"channel",
         "symmetric",
         "symmetric",
         {{32, 32, 4, 32}, 0, NULL},
         39 + 4 * 120 + BIASES + 4},
        /* O: 12 weights of 16 bits with 3 scales: 36 bytes; fc's and softmax's scales */
        {"channel", "symmetric", "auto", {{32, 32, 32, 16}, 0, NULL}, 36 + 4 * 162 + BIASES + 8},
        /* all: weights 54 + 12, 108 + 16, 12 + 12; zero points (a byte) of the input, c1, c2 and
         * mean (never below 0: lowest code) and softmax; fc's is not 0 either */
        {"channel", "symmetric", "auto", {{8, 8, 8, 8}, 0, NULL}, 66 + 124 + 24 + BIASES + 6 * 5},
        /* without the first layer: what it gives is read at the border, the input is float */
        {"channel", "symmetric", "auto", {{8, 8, 8, 8}, 1, NULL}, 216 + 124 + 24 + BIASES + 5 * 5},
        {"channel", "symmetric", "auto", {{8, 8, 8, 8}, 3, NULL}, 4 * 174 + BIASES},
    };
    net_rng.state = 2; /* whether a zero point is 0 depends on what is drawn */
    network n = sized_network();

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        waio_quantizer *q = NULL;
        waio_quant_binding binding;
        waio_scheme scheme;
        CHECK_OK(waio_scheme_ptq(&scheme, row[i].granularity, row[i].weights, row[i].activations));
        CHECK_OK(waio_quantizer_create(&q, n.program, &n.roles, &n.ranges, &scheme, 0));
        CHECK_OK(waio_quantizer_bind(q, &row[i].request, &binding));
        CHECK(binding.size_bytes == row[i].bytes, "row %zu: %lld bytes, by hand %lld", i,
              (long long)binding.size_bytes, (long long)row[i].bytes);
        waio_quant_binding_free(&binding);
        waio_quantizer_free(q);
    }
    close_network(&n);
}

/* ---- the bank of weights, and refusals ---- */

enum { REQUESTS = 24, ALIVE = 5 };

static waio_quant_request random_request(void)
{
    return (waio_quant_request){
        {random_bits(), random_bits(), random_bits(), random_bits()}, net_pick(4), NULL};
}

/* Scores of the first image. */
static void scores_of(const network *n, const waio_quant_binding *b, float scores[3])
{
    float *x = malloc((size_t)n->numbers * sizeof *x);

    fill_input(n, b, x);
    run(n, &b->binding, x, NULL);
    memcpy(scores, waio_workspace_value(&n->workspace, n->program, n->graph->output[0]),
           3 * sizeof *scores);
    free(x);
}

/* Bindings made and freed in any order, weights dropped and made again in between. */
static void bank_of(const network *n, size_t keep_bytes, const waio_quant_request *request,
                    float (*wanted)[3])
{
    waio_quantizer *q = NULL;
    waio_scheme scheme;
    waio_quant_binding alive[ALIVE] = {0};
    int which[ALIVE] = {0};
    float scores[3];

    CHECK_OK(waio_scheme_ptq(&scheme, "channel", "symmetric", "auto"));
    CHECK_OK(waio_quantizer_create(&q, n->program, &n->roles, &n->ranges, &scheme, keep_bytes));
    for (int i = 0; i < 300; i++) {
        int slot = net_pick(ALIVE), other = net_pick(ALIVE);
        waio_quant_binding_free(&alive[slot]);
        which[slot] = net_pick(REQUESTS);
        CHECK_OK(waio_quantizer_bind(q, &request[which[slot]], &alive[slot]));
        if (!alive[other].owned)
            continue;
        scores_of(n, &alive[other], scores);
        CHECK(memcmp(scores, wanted[which[other]], sizeof scores) == 0,
              "keep %zu bytes: other scores after %d bindings", keep_bytes, i);
    }
    for (int i = 0; i < ALIVE; i++)
        waio_quant_binding_free(&alive[i]);
    waio_quantizer_free(q);
}

static void bank(void)
{
    network n = sized_network();
    waio_quant_request request[REQUESTS];
    float wanted[REQUESTS][3];
    waio_scheme scheme;

    CHECK_OK(waio_scheme_ptq(&scheme, "channel", "symmetric", "auto"));
    for (int k = 0; k < REQUESTS; k++) {
        waio_quantizer *q = NULL; /* of its own for each */
        waio_quant_binding binding;
        request[k] = random_request();
        CHECK_OK(waio_quantizer_create(&q, n.program, &n.roles, &n.ranges, &scheme, 0));
        CHECK_OK(waio_quantizer_bind(q, &request[k], &binding));
        scores_of(&n, &binding, wanted[k]);
        waio_quant_binding_free(&binding);
        waio_quantizer_free(q);
    }
    bank_of(&n, 0, request, wanted);
    bank_of(&n, 700, request, wanted); /* of about 700 bytes a configuration */
    bank_of(&n, 1 << 20, request, wanted);
    close_network(&n);
}

static int packs; /* calls of counting_pack */

static waio_status counting_pack(const waio_kernel *kernel, void **packed, size_t *bytes,
                                 const void *weight)
{
    packs++;
    return waio_backend_ref.pack(kernel, packed, bytes, weight);
}

/* Weights are packed once while there is room for them, and dropped when there is none. */
static void what_the_bank_keeps(void)
{
    enum { LAYERS = 3 };
    static const waio_quant_request request[] = {
        {{4, 32, 4, 4}, 0, NULL}, {{8, 32, 8, 8}, 0, NULL}, {{4, 8, 4, 4}, 0, NULL}};
    waio_backend counting = waio_backend_ref;
    network n = sized_network();
    waio_scheme scheme;

    counting.pack = counting_pack;
    waio_program_free(n.program);
    CHECK_OK(waio_program_compile(&n.program, n.graph, &counting, BATCH, n.roles.last_weighted));
    CHECK_OK(waio_scheme_ptq(&scheme, "channel", "symmetric", "auto"));
    for (int room = 0; room < 2; room++) {
        waio_quantizer *q = NULL;
        waio_quant_binding binding;
        packs = 0;
        CHECK_OK(
            waio_quantizer_create(&q, n.program, &n.roles, &n.ranges, &scheme, room ? 1 << 20 : 0));
        for (int k = 0; k < 3; k++) {
            CHECK_OK(waio_quantizer_bind(q, &request[k], &binding));
            waio_quant_binding_free(&binding);
        }
        CHECK(packs == (room ? 2 : 3) * LAYERS, "%s: packed %d times", room ? "room" : "no room",
              packs);
        waio_quantizer_free(q);
    }
    close_network(&n);
}

static void without_ranges(void)
{
    static const waio_quant_request good[] = {{{4, 32, 32, 32}, 0, NULL},
                                              {{8, WAIO_F16, WAIO_F16, WAIO_F16}, 1, NULL},
                                              {{32, 32, 32, 32}, 0, NULL}};
    static const waio_quant_request bad[] = {{{32, 8, 32, 32}, 0, NULL},
                                             {{32, 32, 8, 32}, 0, NULL},
                                             {{32, 32, 32, 16}, 0, NULL},
                                             {{4, 2, 4, 4}, 2, NULL}};
    network n = sized_network();
    waio_quantizer *q = NULL;
    waio_quant_binding binding;
    waio_scheme scheme;

    CHECK_OK(waio_scheme_ptq(&scheme, "layer", "asymmetric", "asymmetric"));
    CHECK_OK(waio_quantizer_create(&q, n.program, &n.roles, NULL, &scheme, 1 << 20));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(waio_quantizer_bind(q, &good[i], &binding));
        waio_quant_binding_free(&binding);
    }
    for (int i = 0; i < 4; i++)
        CHECK_FAILS(waio_quantizer_bind(q, &bad[i], &binding), WAIO_EUSAGE,
                    "need calibrated ranges");
    CHECK(binding.owned == NULL, "a failed binding has nothing to free");
    waio_quantizer_free(q);
    close_network(&n);
}

int main(void)
{
    for (uint64_t seed = 0; seed < NETWORKS; seed++)
        random_network(seed);
    shared_constants();
    vectors_of_biases();
    biases_widen_scales();
    sizes();
    bank();
    what_the_bank_keeps();
    without_ranges();
    return waio_check_result();
}
