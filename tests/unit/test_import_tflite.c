/* The TensorFlow Lite importer: what each kind of file becomes, and a small int8 network (made by
 * tests/python/test_import_tflite.py with --make-golden) that gives the bytes that TensorFlow
 * Lite's reference kernels gave. test_import_tflite_broken.c has the damaged files. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/binding.h"
#include "check.h"
#include "export/export.h"
#include "import/import.h"
#include "tflite_make.h"
#include "util/file.h"

static waio_arena *arena;
static char path[64];

/* The imported network, NULL if that failed (a failed check). */
static waio_graph *import_made(made_net *net)
{
    waio_graph *graph = NULL;
    FILE *file = fopen(path, "wb");

    made_file(net);
    CHECK(file && fwrite(net->file, 1, net->size, file) == net->size, "%s", path);
    if (file)
        fclose(file);
    CHECK_OK(waio_import_model(&graph, path));
    return graph;
}

static waio_status status_of(made_net *net)
{
    waio_graph *graph = NULL;
    FILE *file = fopen(path, "wb");

    made_file(net);
    CHECK(file && fwrite(net->file, 1, net->size, file) == net->size, "%s", path);
    if (file)
        fclose(file);
    waio_status st = waio_import_model(&graph, path);
    waio_graph_free(graph);
    return st;
}

static const int8_t codes[8] = {1, -2, 3, -4, 5, -128, 127, 0};
static const int32_t biases[4] = {10, -20, 30, -40};

#define TENSOR(type, rank, ...)                                                                    \
    {                                                                                              \
        type, rank, {__VA_ARGS__}, 0, 0, {0}, {0}, NULL, 0                                         \
    }
#define CODES(type, s, z, rank, ...)                                                               \
    {                                                                                              \
        type, rank, {__VA_ARGS__}, 1, 0, {s}, {z}, NULL, 0                                         \
    }

/* x (1,5,5,1) * 2 filters of 2x2, stride 2, SAME, ReLU6; per channel. */
static made_net conv_net(void)
{
    made_net net = {.output = 3, .operators = 1};

    made_add(&net, (made_tensor)CODES(S8, 0.5f, -3, 4, 1, 5, 5, 1));
    made_add(&net, (made_tensor){S8, 4, {2, 2, 2, 1}, 2, 0, {0.25f, 2}, {0, 0}, codes, 8});
    made_add(&net, (made_tensor){S32, 1, {2}, 2, 0, {0.125f, 1}, {0, 0}, biases, 8});
    made_add(&net, (made_tensor)CODES(S8, 4, 7, 4, 1, 3, 3, 2));
    net.op[0] = (made_operator){
        3, NULL, {0, 1, 2}, 3, 3, {{'b', 0}, {'i', 2}, {'i', 2}, {'b', 3}, {'i', 1}, {'i', 1}}};
    return net;
}

static void test_conv(void)
{
    made_net net = conv_net();
    waio_graph *graph = import_made(&net);

    if (!graph)
        return;
    const waio_node *node = &graph->node[0];
    const waio_value *x = &graph->value[graph->input], *w = &graph->value[node->input[1]];
    const waio_value *b = &graph->value[node->input[2]], *y = &graph->value[node->output];
    CHECK(graph->node_count == 1 && node->op == WAIO_OP_CONV2D && node->conv.groups == 1, "node");
    CHECK(node->clamp.lo == 0 && node->clamp.hi == 6, "clamp %g", (double)node->clamp.hi);
    CHECK(node->conv.pad[0] == 0 && node->conv.pad[1] == 0 && node->conv.pad[2] == 1 &&
              node->conv.pad[3] == 1 && node->conv.stride[0] == 2,
          "SAME pads behind");
    CHECK(x->type == WAIO_S8 && x->params.scale[0] == 0.5f && x->params.zero_point[0] == -3, "x");
    CHECK(w->type == WAIO_S8 && w->params.count == 2 && w->params.axis == 0 &&
              w->params.scale[1] == 2 && memcmp(w->codes, codes, 8) == 0,
          "weight");
    CHECK(b->type == WAIO_S32 && memcmp(b->codes, biases, 8) == 0, "bias");
    CHECK(y->params.scale[0] == 4 && y->params.zero_point[0] == 7 && y->params.bits == 8, "y");
    CHECK_OK(waio_graph_optimize(graph));
    CHECK(graph->node_count == 1, "the passes leave it alone");
    waio_graph_free(graph);
}

/* Filter (1,1,2,4), two channels in: (C,H,W,1), scales of axis 3. */
static void test_depthwise(void)
{
    static const int8_t want[8] = {1, 5, -2, -128, 3, 127, -4, 0};
    made_net net = {.output = 2, .operators = 1};

    made_add(&net, (made_tensor)CODES(S8, 0.5f, 0, 4, 1, 2, 2, 2));
    made_add(&net, (made_tensor){S8, 4, {1, 1, 2, 4}, 4, 3, {1, 2, 3, 4}, {0, 0, 0, 0}, codes, 8});
    made_add(&net, (made_tensor)CODES(S8, 4, 0, 4, 1, 2, 1, 4));
    net.op[0] = (made_operator){4, NULL, {0, 1, -1},
                                3, 2,    {{'b', 1}, {'i', 1}, {'i', 1}, {'i', 2}, {'b', 1}}};
    waio_graph *graph = import_made(&net);
    if (!graph)
        return;
    const waio_node *node = &graph->node[0];
    const waio_value *w = &graph->value[node->input[1]];
    CHECK(node->conv.groups == 2 && node->input_count == 2 && node->clamp.hi == INFINITY, "node");
    CHECK(w->shape.dim[0] == 4 && w->shape.dim[2] == 2 && w->shape.dim[3] == 1, "shape");
    CHECK(memcmp(w->codes, want, 8) == 0 && w->params.axis == 0 && w->params.scale[3] == 4,
          "order");
    waio_graph_free(graph);
}

/* uint8: codes and zero points 128 lower; a pad behind it with a value. */
static void test_uint8(void)
{
    static const uint8_t weight[2] = {0, 200}, fill = 255;
    static const int32_t pads[4] = {0, 0, 1, 0};
    made_net net = {.output = 5, .operators = 2};

    made_add(&net, (made_tensor)CODES(U8, 0.5f, 100, 2, 1, 2));
    made_add(&net, (made_tensor){U8, 2, {1, 2}, 1, 0, {0.25f}, {130}, weight, 2});
    made_add(&net, (made_tensor)CODES(U8, 2, 255, 2, 1, 1));
    made_add(&net, (made_tensor){S32, 2, {2, 2}, 0, 0, {0}, {0}, pads, 16});
    made_add(&net, (made_tensor){U8, 1, {1}, 1, 0, {2}, {255}, &fill, 1});
    made_add(&net, (made_tensor)CODES(U8, 2, 255, 2, 1, 2));
    net.op[0] = (made_operator){9, NULL, {0, 1, -1}, 3, 2, {{'b', 0}}};
    net.op[1] = (made_operator){60, NULL, {2, 3, 4}, 3, 5, {{0, 0}}};
    waio_graph *graph = import_made(&net);
    if (!graph)
        return;
    const waio_value *w = &graph->value[graph->node[0].input[1]];
    CHECK(graph->value[graph->input].params.u8 && w->params.u8, "u8");
    CHECK(graph->value[graph->input].params.zero_point[0] == -28, "zero point");
    CHECK(((const int8_t *)w->codes)[0] == -128 && ((const int8_t *)w->codes)[1] == 72, "codes");
    CHECK(w->params.zero_point[0] == 2 && w->type == WAIO_S8, "weight's zero point");
    CHECK(graph->node[1].pad.before[1] == 1 && graph->node[1].pad.value == 0, "pad");
    CHECK(graph->note && strstr(graph->note, "uint8"), "note");
    CHECK_FAILS(waio_export_model(graph, path), WAIO_EUNSUPPORTED, "uint8");
    waio_graph_free(graph);
}

/* Codes as weights of a float layer, a float16 bias behind DEQUANTIZE, a 4-D input of a dense
 * layer, a computed shape. */
static void test_float(void)
{
    static const uint16_t half[2] = {0x3c00, 0xb800}; /* 1, -0.5 */
    made_net net = {.output = 6, .operators = 4};

    made_add(&net, (made_tensor)TENSOR(F32, 4, 1, 2, 1, 2));
    made_add(&net, (made_tensor){S8, 2, {2, 4}, 2, 0, {0.5f, 2}, {0, 0}, codes, 8});
    made_add(&net, (made_tensor){F16, 1, {2}, 0, 0, {0}, {0}, half, 4});
    made_add(&net, (made_tensor)TENSOR(F32, 1, 2));
    made_add(&net, (made_tensor)TENSOR(F32, 2, 1, 2));
    made_add(&net, (made_tensor)TENSOR(S32, 1, 4));
    made_add(&net, (made_tensor)TENSOR(F32, 3, 1, 2, 1));
    net.op[0] = (made_operator){6, NULL, {2}, 1, 3, {{0, 0}}};
    net.op[1] = (made_operator){9, NULL, {0, 1, 3}, 3, 4, {{'b', 2}}};
    net.op[2] = (made_operator){77, NULL, {0}, 1, 5, {{0, 0}}};
    net.op[3] = (made_operator){22, NULL, {4, 5}, 2, 6, {{0, 0}}};
    waio_graph *graph = import_made(&net);
    if (!graph)
        return;
    const waio_node *dense = &graph->node[1];
    CHECK(graph->node_count == 3 && graph->node[0].op == WAIO_OP_RESHAPE &&
              dense->op == WAIO_OP_DENSE,
          "flatten, dense, reshape");
    const float *w = graph->value[dense->input[1]].data, *b = graph->value[dense->input[2]].data;
    CHECK(w && w[0] == 0.5f && w[3] == -2 && w[4] == 10 && w[5] == -256, "weights as floats");
    CHECK(b && b[0] == 1 && b[1] == -0.5f, "float16");
    CHECK(dense->clamp.lo == -1 && dense->clamp.hi == 1, "RELU_N1_TO_1");
    CHECK(!waio_graph_is_quantized(graph) && graph->note, "note");
    waio_graph_free(graph);
}

static void test_refused(void)
{
    made_net net = conv_net();

#define REFUSED(change, code, part)                                                                \
    do {                                                                                           \
        net = conv_net();                                                                          \
        change;                                                                                    \
        CHECK_FAILS(status_of(&net), code, part);                                                  \
    } while (0)
    REFUSED(net.op[0].code = 11, WAIO_EUNSUPPORTED, "operator 0 (L2_NORMALIZATION): builtin");
    REFUSED(net.op[0].code = 150, WAIO_EUNSUPPORTED, "supported are ADD, AVERAGE_POOL_2D");
    REFUSED(net.op[0].code = 32; net.op[0].custom = "Boxes", WAIO_EUNSUPPORTED, "\"Boxes\"");
    REFUSED(net.subgraphs = 2, WAIO_EUNSUPPORTED, "2 subgraphs, expected one");
    REFUSED(net.inputs = 2, WAIO_EUNSUPPORTED, "2 inputs, expected one");
    REFUSED(net.op[0].option[3].value = 4, WAIO_EUNSUPPORTED, "TANH");
    REFUSED(net.op[0].option[0].value = 2, WAIO_EUNSUPPORTED, "padding 2");
    REFUSED(net.op[0].option[1].value = 0, WAIO_EINPUT, "operator 0 (CONV_2D): a stride");
    REFUSED(net.op[0].input[1] = 9, WAIO_EINPUT, "tensor 9 is named, there are 4");
    REFUSED(net.op[0].input[0] = -1, WAIO_EINPUT, "input 0 is missing");
    REFUSED(net.op[0].output = 0, WAIO_EINPUT, "has its numbers already");
    REFUSED(net.tensor[1].type = S4, WAIO_EINPUT, "8 bytes of data");
    REFUSED(net.tensor[0].type = S4;
            net.tensor[3].type = S4, WAIO_EUNSUPPORTED, "holds activations of int4");
    REFUSED(net.tensor[1].data = NULL, WAIO_EUNSUPPORTED, "is computed, expected a constant");
    REFUSED(net.tensor[1].bytes = 7, WAIO_EINPUT, "tensor \"t1\": 7 bytes of data");
    REFUSED(net.tensor[1].axis = 3, WAIO_EUNSUPPORTED, "2 scales along dimension 3");
    REFUSED(net.tensor[0].scale[0] = NAN, WAIO_EINPUT, "scale 0 is nan");
    REFUSED(net.tensor[0].scale[0] = 0, WAIO_EINPUT, "scale 0 is 0");
    REFUSED(net.tensor[0].zero_point[0] = 128, WAIO_EINPUT, "zero point 0 is 128");
    REFUSED(net.tensor[0].dim[0] = 2, WAIO_EINPUT, "expected a batch of 1");
    REFUSED(net.tensor[0].dim[1] = -1, WAIO_EINPUT, "impossible");
    REFUSED(net.tensor[0].rank = 7, WAIO_EUNSUPPORTED, "7 dimensions, at most 6");
    REFUSED(net.tensor[0].scales = 2, WAIO_EUNSUPPORTED, "2 scales, supported is one");
    REFUSED(net.tensor[0].scales = 0, WAIO_EUNSUPPORTED, "int8 without a scale");
    REFUSED(net.tensor[3].dim[3] = 1, WAIO_EINPUT, "gives 1x3x3x2, the file says 1x3x3x1");
    REFUSED(net.output = 1, WAIO_EUNSUPPORTED, "output 0: the constant \"t1\" has 2 scales");
#undef REFUSED
}

static void test_golden(void)
{
    enum { IMAGES = 4 };
    waio_graph *graph = NULL;
    waio_program *program = NULL;
    waio_float_binding binding = {0};
    waio_workspace ws = {0};
    unsigned char *in = NULL, *want = NULL;
    size_t in_size = 0, want_size = 0;

    CHECK_OK(waio_import_model(&graph, TEST_DATA_DIR "/small_int8.tflite"));
    CHECK_OK(waio_file_read(&in, &in_size, TEST_DATA_DIR "/small_int8.in", arena));
    CHECK_OK(waio_file_read(&want, &want_size, TEST_DATA_DIR "/small_int8.out", arena));
    CHECK(waio_graph_is_quantized(graph), "the network is not quantized");
    CHECK_OK(waio_graph_optimize(graph)); /* leaves it alone */
    CHECK_OK(waio_program_compile(&program, graph, &waio_backend_cpu, IMAGES, graph->node_count));
    CHECK(waio_program_fallbacks(program) == 0, "integer nodes run on ref?");
    CHECK_OK(waio_float_binding_create(&binding, program));
    CHECK_OK(waio_workspace_create(&ws, program));
    memcpy(waio_workspace_value(&ws, program, graph->input), in, in_size);
    CHECK_OK(waio_program_run(program, &binding.binding, &ws,
                              (waio_run_range){0, graph->node_count, false, false}, NULL));
    const unsigned char *got =
        (const unsigned char *)waio_workspace_value(&ws, program, graph->output[0]);
    CHECK(want_size == IMAGES * 7, "%zu bytes expected", want_size);
    for (size_t i = 0; i < want_size; i++)
        CHECK(got[i] == want[i], "code %zu is %d, the reference kernels gave %d", i, (int8_t)got[i],
              (int8_t)want[i]);
    waio_workspace_free(&ws);
    waio_float_binding_free(&binding);
    waio_program_free(program);
    waio_graph_free(graph);
}

int main(void)
{
    char folder[] = "/tmp/waio_tflite_XXXXXX";

    arena = waio_arena_new();
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(path, sizeof path, "%s/made.tflite", folder);
    test_conv();
    test_depthwise();
    test_uint8();
    test_float();
    test_refused();
    test_golden();
    unlink(path);
    rmdir(folder);
    waio_arena_free(arena);
    return waio_check_result();
}
