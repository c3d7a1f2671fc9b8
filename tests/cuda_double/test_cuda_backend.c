/* Whole networks through the complete backend over the device double: on codes every value of every
 * node equals the reference's, in floats outputs are as near as `waio check` asks; nothing runs on
 * the reference, and nothing is left over. */
#include "check/compare.h"
#include "check/tolerance.h"
#include "cuda_double/double_compare.h"

enum { IMAGES = 3 };

static const waio_backend *cuda;

/* ---- integer networks ---- */

static const waio_quant_request requests[] = {
    {{8, 8, 8, 8}, 0, NULL},     {{4, 6, 8, 8}, 0, NULL}, {{8, 16, 16, 16}, 0, NULL},
    {{16, 16, 16, 16}, 0, NULL}, {{8, 8, 8, 8}, 2, NULL}, {{8, 8, 32, 32}, 0, NULL}};
enum { REQUESTS = sizeof requests / sizeof *requests };

static void test_integer(waio_graph *graph, const float *x, double_quantized *q)
{
    static const waio_requant requants[] = {WAIO_REQUANT_TFLITE, WAIO_REQUANT_SINGLE,
                                            WAIO_REQUANT_DOUBLE, WAIO_REQUANT_FLOAT};

    (void)graph;
    for (int i = 0; i < REQUESTS; i++) {
        waio_graph *lowered = NULL;
        CHECK_OK(waio_lower(&lowered, q->quantizer, &requests[i], requants[i % 4]));
        bool floats = requests[i].first_n || requests[i].bits.i == 32;
        if (lowered && !floats)
            double_check_integer(lowered, cuda, x, IMAGES, 0);
        waio_graph_free(lowered);
    }
}

/* Weights of uint8 files have no kernel: such nodes run on the reference amid the others. */
static void test_fallback(const float *x, double_quantized *q)
{
    waio_graph *lowered = NULL;
    int changed = 0;

    CHECK_OK(waio_lower(&lowered, q->quantizer, &requests[0], WAIO_REQUANT_TFLITE));
    for (int n = 0; lowered && n < lowered->node_count; n++) {
        const waio_node *node = &lowered->node[n];
        waio_value_params *w = &lowered->value[node->input[1]].params;
        if (node->op != WAIO_OP_CONV2D || n % 3)
            continue;
        w->u8 = true;
        changed++;
    }
    CHECK(changed > 1, "%d nodes for the reference", changed);
    if (lowered)
        double_check_integer(lowered, cuda, x, IMAGES, changed);
    waio_graph_free(lowered);
}

/* A sum that leaves its accumulator ends the run with the name of its node, every time. */
static void test_overflow(const float *x, double_quantized *q)
{
    waio_graph *g = NULL;
    waio_program *program = NULL;
    waio_workspace ws = {0};
    waio_float_binding weights = {0};
    int changed = -1;

    CHECK_OK(waio_lower(&g, q->quantizer, &requests[0], WAIO_REQUANT_TFLITE));
    for (int n = 0; g && n < g->node_count && changed < 0; n++)
        if (n > 3 && g->node[n].op == WAIO_OP_CONV2D && g->node[n].conv.groups == 1)
            changed = n;
    CHECK(changed > 0, "no convolution");
    if (changed <= 0)
        return;
    g->node[changed].name = "too large";
    waio_value *bias = &g->value[g->node[changed].input[2]];
    for (int64_t c = 0; c < waio_shape_count(&bias->shape); c++)
        ((int32_t *)bias->codes)[c] = c % 2 ? INT32_MAX : INT32_MIN;
    CHECK_OK(waio_program_compile(&program, g, cuda, IMAGES, g->node_count));
    CHECK_OK(waio_float_binding_create(&weights, program));
    CHECK_OK(waio_workspace_create(&ws, program));
    for (int time = 0; time < 2; time++) {
        const waio_value *in = &g->value[g->input];
        memcpy(waio_workspace_value(&ws, program, g->input), x,
               (size_t)waio_shape_count(&in->shape) * IMAGES * waio_type_bytes(in->type));
        CHECK_OK(waio_program_run(program, &weights.binding, &ws,
                                  (waio_run_range){0, g->node_count, false, false}, NULL));
        CHECK_FAILS(waio_workspace_fetch(&ws, program, g->output[0]), WAIO_EUNSUPPORTED,
                    "cuda: node \"too large\" (conv2d): a sum is more than its accumulator holds");
    }
    waio_workspace_free(&ws);
    waio_float_binding_free(&weights);
    waio_program_free(program);
    waio_graph_free(g);
}

/* ---- simulation ---- */

static void run_simulated(float *scores, double_quantized *q, const waio_quant_request *request,
                          const float *x)
{
    waio_quant_binding binding;
    const waio_graph *g = waio_program_graph(q->program);
    waio_run_range all = {0, g->node_count, false, false};
    int64_t count = waio_shape_count(&g->value[g->input].shape) * IMAGES;

    CHECK_OK(waio_quantizer_bind(q->quantizer, request, &binding));
    float *in = waio_workspace_value(&q->workspace, q->program, g->input);
    for (int64_t i = 0; i < count; i++)
        in[i] = binding.input_quant.enabled
                    ? waio_fake_quantize(x[i], binding.input_quant.fq, binding.input_quant.rounding)
                    : x[i];
    CHECK_OK(waio_program_run(q->program, &binding.binding, &q->workspace, all, NULL));
    CHECK_OK(waio_workspace_fetch(&q->workspace, q->program, g->output[0]));
    memcpy(scores, waio_workspace_value(&q->workspace, q->program, g->output[0]),
           sizeof(float) * 10 * IMAGES);
    waio_quant_binding_free(&binding);
}

static void test_simulate(const waio_graph *graph, const float *x, double_quantized *ref,
                          double_quantized *on_cuda)
{
    static const waio_quant_request plain = {{32, 32, 32, 32}, 0, NULL};
    float want[10 * IMAGES], got[10 * IMAGES];

    for (int i = -1; i < REQUESTS; i++) {
        const waio_quant_request *request = i < 0 ? &plain : &requests[i];
        run_simulated(want, ref, request, x);
        run_simulated(got, on_cuda, request, x);
        double nmse = waio_nmse(got, want, 10 * IMAGES);
        CHECK(nmse <= (i < 0 ? WAIO_BOUND_NETWORK : WAIO_BOUND_NETWORK_QUANTIZED),
              "%s, request %d: nmse %g", graph->name, i, nmse);
    }
}

static void test_network(waio_graph *graph)
{
    float *x = double_images(graph, IMAGES);
    double_quantized ref = {0}, on_cuda = {0};

    double_quantize(&ref, graph, &waio_backend_ref, x, IMAGES);
    double_quantize(&on_cuda, graph, cuda, x, IMAGES);
    CHECK(waio_program_fallbacks(on_cuda.program) == 0, "%s: nodes on the reference", graph->name);
    test_integer(graph, x, &ref);
    test_fallback(x, &ref);
    test_overflow(x, &ref);
    test_simulate(graph, x, &ref, &on_cuda);
    double_quantized_free(&ref);
    double_quantized_free(&on_cuda);
    free(x);
    waio_graph_free(graph);
}

int main(void)
{
    cuda = double_backend();
    if (!cuda)
        return 1;
    test_network(double_resnet());
    test_network(double_mobilenet());
    double_live live = double_left();
    CHECK(live.device_bytes == 0 && live.pinned_bytes == 0 && live.objects == 0,
          "left: %zu bytes, %zu pinned, %d objects", live.device_bytes, live.pinned_bytes,
          live.objects);
    return waio_check_result();
}
