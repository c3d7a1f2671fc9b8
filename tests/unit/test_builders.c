/* The networks that are built, row for row against tables that were made apart from the builders
 * (tests/data/models): names, order, connections, windows, shapes, parameters, MACs; the totals;
 * the grammar of their parameters; and what random weights look like. */
#include "check.h"

#include <stdlib.h>

#include "models/models.h"
#include "util/csv.h"
#include "util/file.h"

static const struct {
    const char *table, *network;
} cases[] = {
    {"mobilenet_v1_1.0_128", "mobilenet_v1:input=128,classes=37,head=thesis"},
    {"mobilenet_v1_0.25_128", "mobilenet_v1:width=0.25,input=128,classes=37,head=thesis"},
    {"mobilenet_v1_1.0_32", "mobilenet_v1:input=32,classes=10,head=thesis"},
    {"mobilenet_v1_0.25_32", "mobilenet_v1:width=0.25:input=32:classes=10:head=thesis"},
    {"mobilenet_v1_1.0_32_cifarstem", "mobilenet_v1:stem=cifar,classes=10"},
    {"mobilenet_v1_0.25_32_cifarstem", "mobilenet_v1:width=0.25,stem=cifar,classes=10"},
    {"resnet50_128", "resnet50:input=128,classes=37,head=thesis"},
    {"resnet50_32", "resnet50:input=32x32,classes=10,head=thesis,hidden=1024x600"},
    {"resnet50_32_cifarstem", "resnet50:stem=cifar,classes=10"},
    {"resnet50_torch_v1.5_128", "resnet50_torch:input=128,classes=37"},
    {"inception_v3_128", "inception_v3:input=128,classes=37,head=thesis"},
    {"inception_v3_75", "inception_v3:input=75,classes=10,head=thesis"},
    {"inception_v3_32_cifarstem", "inception_v3:stem=cifar,classes=10"},
    {"mobilenet_v2_torch_128", "mobilenet_v2_torch:input=128,classes=37"},
    {"ssd_mobilenet_v2_320", "ssd_mobilenet_v2"},
    {"ssd_mobilenet_v2_300", "ssd_mobilenet_v2:input=300"},
    {"ssd_mobilenet_v2_fpnlite_320", "ssd_mobilenet_v2_fpnlite:classes=20"},
};
enum { CASES = sizeof cases / sizeof *cases };

/* Columns of the tables. */
enum {
    IDX,
    NAME,
    TAG,
    OP,
    INPUTS,
    KERNEL,
    STRIDE,
    PAD,
    PADS,
    GROUPS,
    BIAS,
    ATTRS,
    INIT,
    SHARE,
    OUT_SHAPE,
    PARAMS,
    PARAMS_TRAIN,
    MACS,
    COLUMNS
};

static const struct {
    const char *row;
    waio_op op;
} op_names[] = {
    {"conv", WAIO_OP_CONV2D},      {"dwconv", WAIO_OP_CONV2D},      {"bn", WAIO_OP_BATCH_NORM},
    {"relu", WAIO_OP_CLIP},        {"relu6", WAIO_OP_CLIP},         {"zeropad", WAIO_OP_PAD},
    {"maxpool", WAIO_OP_MAX_POOL}, {"avgpool", WAIO_OP_AVG_POOL},   {"gap", WAIO_OP_MEAN},
    {"flatten", WAIO_OP_RESHAPE},  {"reshape", WAIO_OP_RESHAPE},    {"dense", WAIO_OP_DENSE},
    {"softmax", WAIO_OP_SOFTMAX},  {"sigmoid", WAIO_OP_LOGISTIC},   {"add", WAIO_OP_ADD},
    {"concat", WAIO_OP_CONCAT},    {"upsample_nn", WAIO_OP_RESIZE},
};

static waio_op op_of(const char *row)
{
    for (size_t i = 0; i < sizeof op_names / sizeof *op_names; i++)
        if (strcmp(op_names[i].row, row) == 0)
            return op_names[i].op;
    return WAIO_OP_COUNT;
}

/* "128x128x3", without the batch. */
static const char *shape_text(const waio_shape *shape, char text[64])
{
    waio_shape rest = {.rank = shape->rank - 1};

    memcpy(rest.dim, shape->dim + 1, sizeof rest.dim - sizeof *rest.dim);
    return waio_shape_text(&rest, text);
}

/* The node's form as the tables write it. */
static void window_text(char kernel[32], char stride[32], char pads[64], const waio_graph *graph,
                        const waio_node *node)
{
    const int *pad = NULL, *step = NULL;
    int64_t k[2] = {0};

    kernel[0] = stride[0] = pads[0] = '\0';
    if (node->op == WAIO_OP_CONV2D) {
        const waio_shape *weight = &graph->value[node->input[1]].shape;
        k[0] = weight->dim[1];
        k[1] = weight->dim[2];
        pad = node->conv.pad;
        step = node->conv.stride;
    } else if (node->op == WAIO_OP_MAX_POOL || node->op == WAIO_OP_AVG_POOL) {
        k[0] = node->pool.kernel[0];
        k[1] = node->pool.kernel[1];
        pad = node->pool.pad;
        step = node->pool.stride;
    } else if (node->op == WAIO_OP_PAD) {
        snprintf(pads, 64, "%d %d %d %d", node->pad.before[1], node->pad.before[2],
                 node->pad.after[1], node->pad.after[2]);
    }
    if (!pad)
        return;
    snprintf(kernel, 32, "%dx%d", (int)k[0], (int)k[1]);
    snprintf(stride, 32, step[0] == step[1] ? "%d" : "unequal", step[0]);
    snprintf(pads, 64, "%d %d %d %d", pad[0], pad[1], pad[2], pad[3]);
}

static void input_text(char text[512], const waio_graph *graph, const waio_node *node)
{
    text[0] = '\0';
    for (int i = 0; i < node->input_count; i++)
        if (!waio_value_is_const(graph, node->input[i])) {
            strncat(text, text[0] ? "|" : "", 511 - strlen(text));
            strncat(text, graph->value[node->input[i]].name, 511 - strlen(text));
        }
}

#define SAME(have, want, what)                                                                     \
    CHECK(strcmp(have, want) == 0, "%s %s: %s \"%s\", expected \"%s\"", table, node->name, what,   \
          have, want)

static void check_attributes(const char *table, char *const *row, const waio_graph *graph,
                             const waio_node *node)
{
    bool conv = node->op == WAIO_OP_CONV2D;
    float epsilon = 0;
    char text[64];

    if (node->op == WAIO_OP_BATCH_NORM) {
        CHECK(sscanf(row[ATTRS], "eps=%f", &epsilon) == 1 && epsilon == node->epsilon,
              "%s %s: epsilon %g", table, node->name, (double)node->epsilon);
        CHECK(graph->value[node->input[1]].implied == (strstr(row[ATTRS], "scale=0") != NULL),
              "%s %s: gamma", table, node->name);
    }
    if (conv) {
        snprintf(text, sizeof text, "%d", node->conv.groups);
        SAME(text, row[GROUPS], "groups");
    }
    if (conv || node->op == WAIO_OP_DENSE)
        CHECK((node->input_count == 3) == (row[BIAS][0] == '1'), "%s %s: bias", table, node->name);
    if (node->op == WAIO_OP_CLIP)
        CHECK(node->clamp.lo == 0 && (node->clamp.hi == 6) == (strcmp(row[OP], "relu6") == 0) &&
                  (node->clamp.hi == 6 || isinf(node->clamp.hi)),
              "%s %s: clamp", table, node->name);
    if (node->op == WAIO_OP_AVG_POOL)
        CHECK(node->pool.count_include_pad == (strstr(row[ATTRS], "pad=1") != NULL), "%s %s: pad",
              table, node->name);
    if (node->op == WAIO_OP_CONCAT)
        CHECK((node->axis.axis == 1) == (strcmp(row[ATTRS], "axis=N") == 0), "%s %s: axis", table,
              node->name);
    if (node->op == WAIO_OP_RESIZE)
        CHECK(!node->resize.bilinear && !node->resize.half_pixel && !node->resize.align_corners,
              "%s %s: resize", table, node->name);
}

static void check_row(const char *table, char *const *row, const waio_graph *graph,
                      const waio_node *node)
{
    char kernel[32], stride[32], pads[64], text[512];
    int64_t statistics =
        node->op == WAIO_OP_BATCH_NORM ? 2 * graph->value[node->input[1]].shape.dim[0] : 0;
    int64_t params = waio_node_params(graph, node);

    SAME(node->name, row[NAME], "name");
    CHECK(node->op == op_of(row[OP]), "%s %s: %s, expected %s", table, node->name,
          waio_op_name(node->op), row[OP]);
    input_text(text, graph, node);
    SAME(text, row[INPUTS], "inputs");
    window_text(kernel, stride, pads, graph, node);
    SAME(kernel, row[KERNEL], "kernel");
    SAME(stride, row[STRIDE], "stride");
    SAME(pads, row[PADS], "pads");
    shape_text(&graph->value[node->output].shape, text);
    SAME(text, row[OUT_SHAPE], "shape");
    CHECK(params == atoll(row[PARAMS]), "%s %s: %lld parameters, expected %s", table, node->name,
          (long long)params, row[PARAMS]);
    CHECK(params - statistics == atoll(row[PARAMS_TRAIN]), "%s %s: trainable", table, node->name);
    CHECK(waio_node_macs(graph, node) == atoll(row[MACS]), "%s %s: %lld MACs, expected %s", table,
          node->name, (long long)waio_node_macs(graph, node), row[MACS]);
    check_attributes(table, row, graph, node);
}

static void check_table(const char *table, const waio_graph *graph, waio_arena *arena)
{
    char path[512], *row[COLUMNS];
    unsigned char *text = NULL;
    size_t size = 0;
    waio_csv_record record;
    int n = -2; /* the head of the table and the input come first */

    snprintf(path, sizeof path, TEST_DATA_DIR "/models/%s.csv", table);
    CHECK_OK(waio_file_read(&text, &size, path, arena));
    waio_csv csv = {(char *)text, (char *)text + size, 1};
    for (; text && csv.at < csv.end && n < graph->node_count; n++) {
        CHECK_OK(waio_csv_next(&csv, &record, row, COLUMNS));
        CHECK(record.count == COLUMNS, "%s: %d columns", table, record.count);
        if (n >= 0 && record.count == COLUMNS)
            check_row(table, row, graph, &graph->node[n]);
    }
    CHECK(n == graph->node_count && csv.at == csv.end, "%s: %d rows for %d nodes", table, n,
          graph->node_count);
}

/* The totals, before and behind folding. */
static void check_totals(const char *table, const char *network, waio_arena *arena)
{
    enum { MODEL, IN, ROWS, ALL, TRAIN, BN, MAC, TENSORS, ELEMENTS, FOLDED, OUT, LARGEST, OUTPUTS };
    char *row[OUTPUTS + 1];
    unsigned char *text = NULL;
    size_t size = 0;
    waio_csv_record record;
    waio_model model = {0};
    bool found = false;

    CHECK_OK(waio_file_read(&text, &size, TEST_DATA_DIR "/models/index.csv", arena));
    waio_csv csv = {(char *)text, (char *)text + size, 1};
    while (!found && text && csv.at < csv.end &&
           waio_csv_next(&csv, &record, row, OUTPUTS + 1) == WAIO_OK)
        found = strcmp(row[MODEL], table) == 0;
    CHECK(found, "%s is not in index.csv", table);
    if (!found)
        return;
    CHECK_OK(waio_model_import(&model, network, &(waio_model_paths){0}));
    if (!model.graph)
        return;
    CHECK(waio_graph_params(model.graph) == atoll(row[ALL]), "%s: parameters", table);
    CHECK(waio_graph_macs(model.graph) == atoll(row[MAC]), "%s: MACs", table);
    CHECK(model.trained == WAIO_UNTRAINED, "%s: trained", table);
    CHECK_OK(waio_graph_optimize(model.graph));
    /* A tower that levels share has one copy a level once its batch norms are folded into it. */
    if (!strstr(table, "fpnlite"))
        CHECK(waio_graph_params(model.graph) == atoll(row[FOLDED]), "%s: %lld folded", table,
              (long long)waio_graph_params(model.graph));
    for (int n = 0; n < model.graph->node_count; n++)
        CHECK(model.graph->node[n].op != WAIO_OP_BATCH_NORM, "%s: a batch norm stays", table);
    waio_model_free(&model);
}

static void test_tables(void)
{
    waio_arena *arena = waio_arena_new();

    for (int i = 0; i < CASES; i++) {
        waio_model model = {0};
        CHECK_OK(waio_model_import(&model, cases[i].network, &(waio_model_paths){0}));
        if (model.graph)
            check_table(cases[i].table, model.graph, arena);
        waio_model_free(&model);
        check_totals(cases[i].table, cases[i].network, arena);
    }
    waio_arena_free(arena);
}

/* ---- parameters ---- */

static void refused(const char *network, const char *part)
{
    waio_model model = {0};

    CHECK_FAILS(waio_model_import(&model, network, &(waio_model_paths){0}), WAIO_EUSAGE, part);
    CHECK(model.graph == NULL, "%s left a graph", network);
}

static void test_grammar(void)
{
    refused("resnet50:", "resnet50: \"\" is not KEY=VALUE");
    refused("resnet50:input", "there are: input, classes, seed, weights, top, head, hidden, stem");
    refused("resnet50:width=0.5", "\"width=0.5\" is not KEY=VALUE with a known key");
    refused("resnet50:input=0", "resnet50: input=0; expected a whole number from 1 to 8192");
    refused("resnet50:input=12x", "input=; expected a whole number");
    refused("resnet50:input=128,input=64", "input is given twice");
    refused("resnet50:classes=99999999", "expected a whole number from 1 to 65536");
    refused("resnet50:head=other", "head=other; there are: plain, thesis");
    refused("resnet50:head=thesis,hidden=5", "hidden=5; expected two numbers");
    refused("resnet50:hidden=5x5", "hidden=... belongs to head=thesis");
    refused("resnet50:top=skip", "top=skip belongs to weights=FILE");
    refused("mobilenet_v1:width=0", "width=0; expected a number from 0.03125 to 8");
    refused("mobilenet_v1:width=nan", "width=nan; expected");
    refused("inception_v3:input=74", "inception_v3: input=74x74; expected at least 75");
    refused("ssd_mobilenet_v2:head=thesis", "\"head=thesis\" is not KEY=VALUE");
    waio_model model = {0};
    CHECK_FAILS(waio_model_import(&model, "resnet50:weights=no_such.h5", &(waio_model_paths){0}),
                WAIO_EINPUT, "no_such.h5");
    CHECK_FAILS(waio_model_import(&model, "resnet51:input=128", &(waio_model_paths){0}),
                WAIO_EINPUT, "neither built in");
}

static void label_is(const char *network, const char *label)
{
    waio_arena *arena = waio_arena_new();
    const char *have = waio_model_label(network, arena);

    CHECK(have && strcmp(have, label) == 0, "%s is called %s", network, have ? have : "nothing");
    waio_arena_free(arena);
}

static void test_labels(void)
{
    label_is("a/b/net.onnx", "net.onnx");
    label_is("resnet50", "resnet50");
    label_is("resnet50:weights=/a/b/c.h5", "resnet50:weights=c.h5");
    label_is("resnet50:input=32,weights=a,b/c:d.h5,classes=10",
             "resnet50:input=32,weights=c:d.h5,classes=10");
}

/* ---- random weights ---- */

static const float *weights_of(const waio_model *model, const char *node)
{
    for (int n = 0; model->graph && n < model->graph->node_count; n++)
        if (strcmp(model->graph->node[n].name, node) == 0)
            return model->graph->value[model->graph->node[n].input[1]].data;
    return NULL;
}

/* Mean and deviation of `count` numbers, and the largest. */
static void moments(double out[3], const float *data, int count)
{
    out[0] = out[1] = out[2] = 0;
    for (int i = 0; i < count; i++) {
        out[0] += (double)data[i] / count;
        out[1] += (double)data[i] * (double)data[i] / count;
        out[2] = fmax(out[2], fabs((double)data[i]));
    }
    out[1] = sqrt(out[1] - out[0] * out[0]);
}

static void drawn_like(const char *network, const char *node, int count, double deviation,
                       double bound)
{
    waio_model model = {0};
    double m[3];

    CHECK_OK(waio_model_import(&model, network, &(waio_model_paths){0}));
    const float *data = weights_of(&model, node);
    CHECK(data != NULL, "%s has no %s", network, node);
    if (data) {
        moments(m, data, count);
        /* Five standard errors of a mean and of a deviation. */
        CHECK(fabs(m[0]) < 5 * deviation / sqrt(count), "%s %s: mean %g", network, node, m[0]);
        CHECK(fabs(m[1] / deviation - 1) < 5 / sqrt(2.0 * count), "%s %s: deviation %g, not %g",
              network, node, m[1], deviation);
        CHECK(m[2] <= bound * (1 + 1e-6), "%s %s: largest %g, bound %g", network, node, m[2],
              bound);
    }
    waio_model_free(&model);
}

static void test_initialisers(void)
{
    double a = sqrt(6.0 / (9 * 64 + 9 * 64));
    double depthwise = sqrt(6.0 / (9 * 512 + 9)), b = 1 / sqrt(2048.0);

    drawn_like("resnet50:input=32", "conv2_block1_2_conv", 9 * 64 * 64, a / sqrt(3), a);
    drawn_like("mobilenet_v1:input=32", "conv_dw_7", 9 * 512, depthwise / sqrt(3), depthwise);
    drawn_like("resnet50_torch:input=32", "layer1.0.conv2", 9 * 64 * 64, sqrt(2.0 / (9 * 64)), 1);
    drawn_like("resnet50_torch:input=32", "fc", 1000 * 2048, b / sqrt(3), b);
    /* A normal cut at two deviations has 0.8796 of the deviation. */
    drawn_like("ssd_mobilenet_v2", "Conv_1", 320 * 1280, 0.03 * 0.87962566, 0.06);
    drawn_like("ssd_mobilenet_v2_fpnlite", "Conv_1", 320 * 1280, 0.01, 1);
}

/* A trunk is the same whatever stands before and behind it, and another with another seed. */
static void test_seeds(void)
{
    waio_model model[3] = {0};
    static const char *const name[3] = {"mobilenet_v1:input=32", "mobilenet_v1:input=64,classes=5",
                                        "mobilenet_v1:input=32,seed=2"};
    const float *data[3];

    for (int i = 0; i < 3; i++) {
        CHECK_OK(waio_model_import(&model[i], name[i], &(waio_model_paths){0}));
        data[i] = weights_of(&model[i], "conv_pw_5");
    }
    if (data[0] && data[1] && data[2]) {
        CHECK(memcmp(data[0], data[1], 256 * 256 * sizeof(float)) == 0, "another trunk");
        CHECK(memcmp(data[0], data[2], 256 * 256 * sizeof(float)) != 0, "the same for two seeds");
    }
    CHECK(strcmp(model[0].sha256, model[2].sha256) != 0, "the same digest for two seeds");
    for (int i = 0; i < 3; i++)
        waio_model_free(&model[i]);
}

int main(void)
{
    test_tables();
    test_grammar();
    test_labels();
    test_initialisers();
    test_seeds();
    return waio_check_result();
}
