/* For the tests of the backend over the device double: the shapes of a ResNet and of a MobileNet,
 * small, with random weights; and their quantizers. Paddings as TensorFlow's "same" has them:
 * uneven where the stride is 2. */
#ifndef WAIO_TESTS_DOUBLE_NET_H
#define WAIO_TESTS_DOUBLE_NET_H

#include <dlfcn.h>
#include <stdlib.h>

#include "backend/binding.h"
#include "backend/plugin.h"
#include "cuda_double/double.h"
#include "nets.h"
#include "quant/lower.h"
#include "quant/quantizer.h"

/* ---- the double's own functions ---- */

/* A table of the loaded plug-in. */
static inline const void *double_symbol(const char *name)
{
    void *object = dlopen(getenv("WAIO_CUDA_PLUGIN"), RTLD_NOW | RTLD_NOLOAD);
    return object ? dlsym(object, name) : NULL;
}

/* NULL before it was loaded, and on a real device. */
static inline const double_table *double_here(void)
{
    return double_symbol("double_controls");
}

/* The backend `cuda`. With WAIO_TEST_DEVICE the plug-in is the real one: the test is skipped if
 * there is no device. */
static inline const waio_backend *double_backend(void)
{
    const waio_backend *cuda = NULL;
    waio_status st = waio_backend_find(&cuda, "cuda");

    if (st != WAIO_OK && getenv("WAIO_TEST_DEVICE")) {
        fprintf(stderr, "skipped: no CUDA device (%s)\n", waio_error_message());
        exit(77);
    }
    CHECK(st == WAIO_OK, "%s", waio_error_message());
    return cuda;
}

/* What is alive after the plug-in has given back what it holds for later; a device cannot say. */
static inline double_live double_left(void)
{
    double_live live = {0, 0, 0};
    const waio_plugin *plugin = double_symbol(WAIO_PLUGIN_SYMBOL);

    if (plugin && double_here()) {
        plugin->stop();
        double_here()->count_live(&live);
    }
    return live;
}

/* ---- networks ---- */

typedef struct conv_of {
    int64_t channels;
    int size, stride, groups;
    waio_clamp clamp;
} conv_of;

static inline int double_conv(waio_graph *g, const char *name, int x, conv_of c)
{
    int64_t in = g->value[x].shape.dim[3];
    int pad = c.size / 2, first = c.stride == 2 && pad ? 0 : pad;
    waio_node node = {.op = WAIO_OP_CONV2D,
                      .name = name,
                      .input = {x,
                                net_const(g, WAIO_SHAPE(c.channels, c.size, c.size, in / c.groups),
                                          c.groups > 1 ? 0.5f : 1.5f / (float)(c.size * 4)),
                                net_const(g, WAIO_SHAPE(c.channels), 0.2f)},
                      .input_count = 3,
                      .clamp = c.clamp,
                      .conv = {{c.stride, c.stride}, {1, 1}, {first, first, pad, pad}, c.groups}};
    return net_node(g, node);
}

static inline int double_block(waio_graph *g, int x, int64_t channels, int stride)
{
    int y = double_conv(g, "a", x, (conv_of){channels, 3, stride, 1, net_relu});
    y = double_conv(g, "b", y, (conv_of){channels, 3, 1, 1, WAIO_NO_CLAMP});
    if (stride > 1)
        x = double_conv(g, "c", x, (conv_of){channels, 1, stride, 1, WAIO_NO_CLAMP});
    return net_node(g, (waio_node){.op = WAIO_OP_ADD,
                                   .name = "sum",
                                   .input = {y, x},
                                   .input_count = 2,
                                   .clamp = net_relu});
}

static inline waio_graph *double_resnet(void)
{
    waio_graph *g = waio_graph_new("resnet");

    net_rng.state = 11;
    int x = net_input(g, WAIO_SHAPE(1, 16, 16, 3));
    int y = double_conv(g, "stem", x, (conv_of){16, 3, 1, 1, net_relu});
    y = double_block(g, y, 16, 1);
    y = double_block(g, y, 32, 2);
    y = double_block(g, y, 40, 2);
    y = net_dense(g, "head", net_mean(g, y), 10);
    CHECK_OK(waio_graph_add_output(g, net_softmax(g, y)));
    return g;
}

static inline waio_graph *double_mobilenet(void)
{
    static const int64_t channels[] = {8, 24, 32, 64};
    static const waio_clamp relu6 = {0, 6};
    waio_graph *g = waio_graph_new("mobilenet");

    net_rng.state = 12;
    int y = net_input(g, WAIO_SHAPE(1, 15, 17, 3));
    y = double_conv(g, "stem", y, (conv_of){8, 3, 2, 1, relu6});
    for (int i = 0; i < 4; i++) {
        int in = (int)g->value[y].shape.dim[3];
        y = double_conv(g, "depthwise", y, (conv_of){in, 3, 1 + i % 2, in, relu6});
        y = double_conv(g, "pointwise", y, (conv_of){channels[i], 1, 1, 1, relu6});
    }
    y = net_pool(g, WAIO_OP_AVG_POOL, y);
    y = net_op(g, WAIO_OP_LOGISTIC, y, -1);
    y = net_dense(g, "head", net_mean(g, y), 10);
    CHECK_OK(waio_graph_add_output(g, net_softmax(g, y)));
    return g;
}

static inline float *double_images(const waio_graph *g, int64_t images)
{
    int64_t count = images * waio_shape_count(&g->value[g->input].shape);
    float *x = malloc((size_t)count * sizeof *x);

    for (int64_t i = 0; i < count; i++)
        x[i] = net_number(1);
    return x;
}

/* ---- quantizers ---- */

static inline void double_observe(void *payload, int id, const float *data, int64_t count)
{
    waio_ranges_observe(payload, id, data, count);
}

/* A network, its ranges over `x`, and a quantizer for each backend's program. */
typedef struct double_quantized {
    waio_arena *arena;
    waio_roles roles;
    waio_ranges ranges;
    waio_program *program;
    waio_workspace workspace;
    waio_quantizer *quantizer;
} double_quantized;

static const waio_scheme double_scheme = {.per_channel = true,
                                          .weights = WAIO_SYMMETRIC,
                                          .activations = WAIO_SYMMETRY_AUTO,
                                          .rounding = WAIO_ROUND_HALF_AWAY};

/* `q` must stay where it is. */
static inline void double_quantize(double_quantized *q, waio_graph *g, const waio_backend *backend,
                                   const float *x, int64_t images)
{
    int64_t count = waio_shape_count(&g->value[g->input].shape) * images;
    waio_run_range all = {0, g->node_count, false, false};

    q->arena = waio_arena_new();
    CHECK_OK(waio_roles_assign(&q->roles, g, q->arena));
    CHECK_OK(waio_program_compile(&q->program, g, backend, images, g->node_count));
    CHECK_OK(waio_workspace_create(&q->workspace, q->program));
    CHECK_OK(waio_ranges_create(&q->ranges, g, q->arena));
    waio_ranges_observe(&q->ranges, g->input, x, count);
    waio_float_binding weights = {0};
    CHECK_OK(waio_float_binding_create(&weights, q->program));
    memcpy(waio_workspace_value(&q->workspace, q->program, g->input), x, (size_t)count * sizeof *x);
    CHECK_OK(waio_program_run(q->program, &weights.binding, &q->workspace, all,
                              &(waio_observer_hook){double_observe, &q->ranges}));
    waio_float_binding_free(&weights);
    CHECK_OK(waio_quantizer_create(&q->quantizer, q->program, &q->roles, &q->ranges, &double_scheme,
                                   1 << 20));
}

static inline void double_quantized_free(double_quantized *q)
{
    waio_quantizer_free(q->quantizer);
    waio_workspace_free(&q->workspace);
    waio_program_free(q->program);
    waio_arena_free(q->arena);
}

#endif
