/* `waio check` must agree where backends agree, and name the layer where they do not. */
#include "check.h"

#include <stdbool.h>
#include <stdlib.h>

#include "check/check.h"
#include "check/networks.h"

enum { IMAGES = 3 };

static waio_network_report check(const waio_graph *graph, const waio_backend *backend,
                                 const waio_value_quant *quant)
{
    waio_check_args args = {.backend = backend, .images = IMAGES, .seed = 9, .quant = quant};
    waio_network_report report = {0};
    CHECK_OK(waio_check_network(graph, &args, &report));
    return report;
}

static waio_graph *build(const waio_check_net *net, bool optimize)
{
    waio_graph *graph = NULL;
    CHECK_OK(waio_check_net_build(&graph, net, 4));
    if (optimize)
        CHECK_OK(waio_graph_optimize(graph));
    return graph;
}

static void cpu_agrees(const waio_check_net *net, bool optimize)
{
    static const int bits[] = {0, 8, 4};
    waio_graph *graph = build(net, optimize);

    for (int i = 0; i < 3; i++) {
        waio_value_quant *quant = NULL;
        if (bits[i])
            CHECK_OK(waio_check_quantizers(&quant, graph, bits[i], IMAGES, 9));
        waio_network_report r = check(graph, &waio_backend_cpu, quant);
        printf("%-10s %d nodes, %d bits: share %.3g, output nmse %.3g, %lld of %lld off on ties\n",
               net->name, graph->node_count, bits[i], r.worst_share, r.output_nmse,
               (long long)r.steps_off, (long long)r.quantized);
        CHECK(r.agreed, "%s, %d bits: layer %d, share %g, nmse %g", net->name, bits[i], r.departed,
              r.departed_share, r.output_nmse);
        CHECK(r.departed == -1 && r.worst >= 0 && r.fallbacks == 0, "report");
        CHECK((r.quantized > 0) == (bits[i] > 0), "%lld numbers quantized", (long long)r.quantized);
        free(quant);
    }
    waio_graph_free(graph);
}

/* ---- a cpu backend with a fault in one op ---- */

static waio_op faulty_op;
static float fault;

static waio_status run_faulty(const waio_kernel *kernel, const waio_kernel_args *args)
{
    waio_status st = waio_backend_cpu.run(kernel, args);
    if (st == WAIO_OK)
        args->output[0] += fault;
    return st;
}

static waio_status run_good(const waio_kernel *kernel, const waio_kernel_args *args)
{
    return waio_backend_cpu.run(kernel, args);
}

static bool only_faulty_op(const waio_graph *graph, const waio_node *node, const char **reason)
{
    *reason = "the test wants it on ref";
    return node->op == faulty_op && waio_backend_cpu.supports(graph, node, reason);
}

static void the_layer_is_named(waio_op op, float by)
{
    waio_graph *graph = build(&waio_check_nets[0], true);
    waio_backend backend = waio_backend_cpu;
    int first = 0;

    while (graph->node[first].op != op)
        first++;
    faulty_op = op;
    fault = by;
    backend.supports = only_faulty_op;
    backend.run = run_faulty;
    waio_network_report r = check(graph, &backend, NULL);
    CHECK(!r.agreed && r.departed == first, "%s: named layer %d, at fault %d", waio_op_name(op),
          r.departed, first);
    CHECK(r.departed_share > 1, "share %g", r.departed_share);
    CHECK(r.fallbacks > 0 && r.fallbacks < graph->node_count, "%d fallbacks", r.fallbacks);
    backend.run = run_good;
    r = check(graph, &backend, NULL);
    CHECK(r.agreed, "without the fault all agree");
    waio_graph_free(graph);
}

/* ---- a quantizer that rounds ties otherwise, and one that is off ---- */

static void quantize_even(float *dst, const float *src, size_t count, waio_fq fq, int rounding)
{
    waio_backend_ref.fake_quantize(dst, src, count, fq, !rounding);
}

static void quantize_down(float *dst, const float *src, size_t count, waio_fq fq, int rounding)
{
    (void)rounding;
    for (size_t i = 0; i < count; i++)
        dst[i] = floorf(waio_clampf(src[i] / fq.scale, fq.lo, fq.hi)) * fq.scale;
}

static void only_ties_may_differ(void)
{
    waio_graph *graph = waio_graph_new("ties");
    waio_node clip = {.op = WAIO_OP_CLIP, .name = "clip", .input_count = 1, .clamp = {0, 0.5f}};
    waio_value_quant quant[2] = {0};
    waio_backend backend = waio_backend_cpu;
    int id = -1;

    CHECK_OK(waio_graph_add_input(graph, &clip.input[0], "x", &WAIO_SHAPE(1, 1000)));
    CHECK_OK(waio_graph_add_node(graph, &id, &clip));
    CHECK_OK(waio_graph_add_output(graph, id));
    quant[id] = (waio_value_quant){.enabled = true, .fq = {1, -8, 7}}; /* 0.5 is a tie */
    backend.fake_quantize = quantize_even;
    waio_network_report r = check(graph, &backend, quant);
    CHECK(r.departed == -1 && r.steps_off > 100, "%lld on ties, layer %d", (long long)r.steps_off,
          r.departed);
    quant[id].fq.scale = 0.25f;
    backend.fake_quantize = quantize_down;
    r = check(graph, &backend, quant);
    CHECK(r.departed == 0 && !r.agreed, "rounding down went unseen");
    waio_graph_free(graph);
}

int main(void)
{
    for (const waio_check_net *net = waio_check_nets; net->name; net++) {
        cpu_agrees(net, false);
        cpu_agrees(net, true);
    }
    the_layer_is_named(WAIO_OP_CONV2D, 1e-3f);
    the_layer_is_named(WAIO_OP_ADD, 1e-3f);
    the_layer_is_named(WAIO_OP_MAX_POOL, 1e-3f);
    the_layer_is_named(WAIO_OP_DENSE, 1e-3f);
    the_layer_is_named(WAIO_OP_SOFTMAX, 1e-4f);
    the_layer_is_named(WAIO_OP_CONV2D, NAN);
    only_ties_may_differ();
    return waio_check_result();
}
