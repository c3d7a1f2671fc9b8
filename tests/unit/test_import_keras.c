/* The Keras importer on files made here: what it must read, what it must refuse and how, and
 * damaged files, which must end in an error or in a graph but never in a crash. */
#include <hdf5.h>

#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "import/import.h"
#include "util/file.h"
#include "util/rng.h"

enum { MOST_DATASETS = 8, FLIPS = 360 };

/* A data set of a test file. */
typedef struct dataset {
    const char *layer, *name; /* /model_weights/LAYER/NAME */
    int rank;
    hsize_t dim[4];
    float special;     /* replaces number 1 if it is not 0 */
    const char * not ; /* "written": only named in weight_names; "float": whole numbers */
} dataset;

static char folder[256], path[300];

/* ---- writing ---- */

/* An attribute of strings, as Keras 2.4 (fixed length) or Keras 3 (variable) writes it; none at
 * all becomes an empty list of float64, as h5py does. */
static void write_strings(hid_t object, const char *name, const char **text, hsize_t count,
                          bool variable)
{
    size_t width = 1;
    for (hsize_t i = 0; i < count; i++)
        width = strlen(text[i]) > width ? strlen(text[i]) : width;
    char *cells = calloc(count + 1, width + 1);
    for (hsize_t i = 0; i < count; i++)
        snprintf(cells + i * width, width + 1, "%s", text[i]);

    hid_t type = count ? H5Tcopy(H5T_C_S1) : H5Tcopy(H5T_NATIVE_DOUBLE);
    if (count)
        H5Tset_size(type, variable ? H5T_VARIABLE : width);
    hid_t space = H5Screate_simple(1, &count, NULL);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (count)
        H5Awrite(attribute, type, variable ? (const void *)text : cells);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    free(cells);
}

static void write_text(hid_t object, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, H5T_VARIABLE);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, &text);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

/* Numbers 0.5, 1.5, ... (half numbers are exact in any float type). */
static void write_numbers(hid_t group, const dataset *d)
{
    hsize_t count = 1;
    for (int i = 0; i < d->rank; i++)
        count *= d->dim[i];
    float *data = malloc(count * sizeof *data);
    for (hsize_t i = 0; i < count; i++)
        data[i] = (float)i + 0.5f;
    if (d->special != 0 && count > 1)
        data[1] = d->special;

    bool whole = d->not &&strcmp(d->not, "float") == 0;
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t space = H5Screate_simple(d->rank, d->dim, NULL);
    hid_t id = H5Dcreate2(group, d->name, whole ? H5T_STD_I32LE : H5T_IEEE_F32LE, space, links,
                          H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    H5Dclose(id);
    H5Sclose(space);
    H5Pclose(links);
    free(data);
}

static bool same_layer(const dataset *a, const dataset *b)
{
    return strcmp(a->layer, b->layer) == 0;
}

static void write_layer(hid_t weights, const dataset *all, int count, int first, bool variable)
{
    const char *names[MOST_DATASETS];
    hsize_t used = 0;
    hid_t group = H5Gcreate2(weights, all[first].layer, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    for (int i = first; i < count; i++) {
        if (!same_layer(&all[i], &all[first]))
            continue;
        names[used++] = all[i].name;
        if (!all[i].not || strcmp(all[i].not, "written") != 0)
            write_numbers(group, &all[i]);
    }
    if (variable) { /* in chunks, as h5py writes large attributes */
        write_strings(group, "weight_names0", names, 1, true);
        write_strings(group, "weight_names1", names + 1, used - 1, true);
    } else {
        write_strings(group, "weight_names", names, used, false);
    }
    H5Gclose(group);
}

/* `config` NULL: a file of weights only. */
static void write_model(const char *config, const dataset *all, int count, bool variable)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t weights = H5Gcreate2(file, "model_weights", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    if (config)
        write_text(file, "model_config", config);
    for (int i = 0; i < count; i++) {
        int first = 0;
        while (!same_layer(&all[first], &all[i]))
            first++;
        if (first == i)
            write_layer(weights, all, count, i, variable);
    }
    H5Gclose(weights);
    H5Fclose(file);
}

static void write_bytes(const unsigned char *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(data, 1, size, f) == size, "cannot write %s", path);
    if (f)
        fclose(f);
}

static waio_status import(waio_graph **graph)
{
    return waio_import_keras_h5(graph, path);
}

/* ---- the good files ---- */

#define INPUT2(shape)                                                                              \
    "{\"class_name\": \"InputLayer\", \"name\": \"in\", \"inbound_nodes\": [], \"config\": "       \
    "{\"batch_input_shape\": " shape ", \"name\": \"in\"}}"
#define LAYER2(class, name, config, inbound)                                                       \
    ", {\"class_name\": \"" class "\", \"name\": \"" name "\", \"inbound_nodes\": " inbound ", "   \
                                  "\"config\": {\"name\": \"" name                                 \
                                  "\", \"trainable\": true" config "}}"
#define FUNCTIONAL(layers, output)                                                                 \
    "{\"class_name\": \"Functional\", \"config\": {\"name\": \"net\", \"layers\": [" layers        \
    "], \"input_layers\": [[\"in\", 0, 0]], \"output_layers\": [[\"" output "\", 0, 0]]}}"
#define CONV_CONFIG                                                                                \
    ", \"filters\": 4, \"kernel_size\": [3, 2], \"strides\": [2, 2], \"padding\": \"same\", "      \
    "\"activation\": \"relu\", \"use_bias\": true"

/* clang-format off */
static const char conv_net[] = FUNCTIONAL(
    INPUT2("[null, 6, 5, 3]")
    LAYER2("Conv2D", "conv", CONV_CONFIG, "[[[\"in\", 0, 0, {}]]]")
    LAYER2("BatchNormalization", "bn", ", \"axis\": [3], \"scale\": false",
           "[[[\"conv\", 0, 0, {}]]]")
    LAYER2("Flatten", "flat", "", "[[[\"bn\", 0, 0, {}]]]")
    LAYER2("Dense", "dense", ", \"units\": 2, \"activation\": \"softmax\"",
           "[[[\"flat\", 0, 0, {}]]]"), "dense");

static const char shared_net[] = FUNCTIONAL(
    INPUT2("[null, 4]")
    LAYER2("Subtract", "sub", "", "[[[\"twice\", 1, 0, {}], [\"twice\", 0, 0, {}]]]")
    LAYER2("Dense", "twice", ", \"units\": 4, \"use_bias\": false",
           "[[[\"in\", 0, 0, {}]], [[\"twice\", 0, 0, {}]]]"), "sub");

#define TENSOR3(layer)                                                                             \
    "{\"class_name\": \"__keras_tensor__\", "                                                      \
    "\"config\": {\"keras_history\": [\"" layer "\", 0, 0]}}"
static const char keras3_net[] =
    "{\"class_name\": \"Functional\", \"config\": {\"name\": \"three\", \"layers\": ["
    "{\"class_name\": \"InputLayer\", \"name\": \"in\", \"inbound_nodes\": [], "
    "\"config\": {\"batch_shape\": [null, 4], \"name\": \"in\"}}"
    LAYER2("Multiply", "mul", "", "[{\"args\": [" TENSOR3("in") ", 0.5], \"kwargs\": {}}]")
    ", {\"class_name\": \"Sequential\", \"name\": \"body\", "
    "\"inbound_nodes\": [{\"args\": [" TENSOR3("mul") "], \"kwargs\": {\"mask\": null}}], "
    "\"config\": {\"name\": \"body\", \"layers\": [{\"class_name\": \"Dense\", "
    "\"config\": {\"name\": \"fc\", \"units\": 3, "
    "\"activation\": {\"class_name\": \"ReLU\", \"config\": {\"max_value\": 6.0}}}}]}}"
    LAYER2("Add", "add", "",
           "[{\"args\": [[" TENSOR3("body") ", " TENSOR3("body") "]], \"kwargs\": {}}]")
    "], \"input_layers\": [\"in\", 0, 0], \"output_layers\": [\"add\", 0, 0]}}";
/* clang-format on */

static const dataset conv_weights[] = {
    {"conv", "conv/kernel:0", 4, {3, 2, 3, 4}, 0, NULL},
    {"conv", "conv/bias:0", 1, {4}, 0, NULL},
    {"bn", "bn/beta:0", 1, {4}, 0, NULL},
    {"bn", "bn/moving_mean:0", 1, {4}, 0, NULL},
    {"bn", "bn/moving_variance:0", 1, {4}, 0, NULL},
    {"dense", "dense/kernel:0", 2, {36, 2}, 0, NULL},
    {"dense", "dense/bias:0", 1, {2}, 0, NULL},
};
enum { CONV_WEIGHTS = sizeof conv_weights / sizeof *conv_weights };

static const waio_node *node_named(const waio_graph *graph, const char *name)
{
    for (int i = 0; i < graph->node_count; i++)
        if (strcmp(graph->node[i].name, name) == 0)
            return &graph->node[i];
    return NULL;
}

static void check_conv_net(bool variable)
{
    static const char *const order[] = {"conv", "conv/relu", "bn",
                                        "flat", "dense",     "dense/softmax"};
    waio_graph *graph = NULL;

    write_model(conv_net, conv_weights, CONV_WEIGHTS, variable);
    CHECK_OK(import(&graph));
    if (!graph)
        return;
    CHECK(strcmp(graph->name, "net") == 0, "name %s", graph->name);
    CHECK(graph->node_count == 6, "%d nodes", graph->node_count);
    for (int i = 0; i < 6 && i < graph->node_count; i++)
        CHECK(strcmp(graph->node[i].name, order[i]) == 0, "node %d: %s", i, graph->node[i].name);

    const waio_node *conv = node_named(graph, "conv");
    CHECK(conv->conv.pad[0] == 0 && conv->conv.pad[2] == 1, "height padded %d and %d",
          conv->conv.pad[0], conv->conv.pad[2]);
    CHECK(conv->conv.pad[1] == 0 && conv->conv.pad[3] == 1, "width padded %d and %d",
          conv->conv.pad[1], conv->conv.pad[3]);
    const waio_value *kernel = &graph->value[conv->input[1]];
    CHECK(waio_shape_equal(&kernel->shape, &WAIO_SHAPE(4, 3, 2, 3)), "kernel not OHWI");
    CHECK(strcmp(kernel->name, "conv/kernel") == 0, "kernel called %s", kernel->name);
    for (int o = 0; o < 4; o++) /* HWIO number ((h * 2 + w) * 3 + i) * 4 + o at h, w, i = 2, 1, 0 */
        CHECK(kernel->data[((o * 3 + 2) * 2 + 1) * 3] == (float)(((2 * 2 + 1) * 3) * 4 + o) + 0.5f,
              "output %d: %g", o, (double)kernel->data[((o * 3 + 2) * 2 + 1) * 3]);
    const waio_node *bn = node_named(graph, "bn");
    CHECK(graph->value[bn->input[1]].data[3] == 1, "gamma without scale");
    int64_t channels = graph->value[bn->input[1]].shape.dim[0],
            params = waio_node_params(graph, bn);
    CHECK(params == 3 * channels, "%lld parameters, the gamma counted", (long long)params);
    CHECK(graph->value[bn->input[2]].data[3] == 3.5f, "beta");
    CHECK(bn->epsilon == 1e-3f, "epsilon %g", (double)bn->epsilon);
    const waio_node *dense = node_named(graph, "dense");
    CHECK(graph->value[dense->input[1]].data[36 + 1] == 3.5f, "dense kernel not (out, in)");
    waio_graph_free(graph);
}

/* A shared layer keeps its calls apart and its weights together; the list is in reverse order. */
static void check_shared(void)
{
    static const dataset weights[] = {{"twice", "twice/kernel:0", 2, {4, 4}, 0, NULL}};
    waio_graph *graph = NULL;

    write_model(shared_net, weights, 1, false);
    CHECK_OK(import(&graph));
    if (!graph)
        return;
    const waio_node *first = node_named(graph, "twice"), *second = node_named(graph, "twice@1"),
                    *sub = node_named(graph, "sub");
    CHECK(first && second && sub, "a node is missing");
    if (first && second && sub) {
        CHECK(graph->value[first->input[1]].data == graph->value[second->input[1]].data,
              "two sets of weights");
        CHECK(second->input[0] == first->output, "the calls are mixed up");
        CHECK(sub->input[0] == second->output && sub->input[1] == first->output, "operands");
    }
    waio_graph_free(graph);
}

/* Keras 3: calls with args, an operator with a number, a Sequential used as a layer. */
static void check_keras3(void)
{
    static const dataset weights[] = {
        {"body", "body/fc/kernel", 2, {4, 3}, 0, NULL},
        {"body", "body/fc/bias", 1, {3}, 0, NULL},
    };
    waio_graph *graph = NULL;

    write_model(keras3_net, weights, 2, true);
    CHECK_OK(import(&graph));
    if (!graph)
        return;
    const waio_node *mul = node_named(graph, "mul"), *relu = node_named(graph, "body/fc/relu");
    CHECK(mul && graph->value[mul->input[1]].data[0] == 0.5f, "the number 0.5");
    CHECK(relu && relu->clamp.lo == 0 && relu->clamp.hi == 6, "ReLU6");
    CHECK(graph->output_count == 1 && graph->value[graph->output[0]].shape.dim[1] == 3, "output");
    waio_graph_free(graph);
}

/* ---- refusals ---- */

typedef struct refusal {
    const char *config;
    waio_status code;
    const char *part; /* of the message */
} refusal;

#define ONE_LAYER(class, config, inbound)                                                          \
    FUNCTIONAL(INPUT2("[null, 4, 4, 3]") LAYER2(class, "x", config, inbound), "x")
#define MODEL(layers, inputs, outputs)                                                             \
    "{\"class_name\": \"Model\", \"config\": {\"layers\": [" layers "], \"input_layers\": " inputs \
    ", \"output_layers\": " outputs "}}"
#define SECOND_INPUT                                                                               \
    ", {\"class_name\": \"InputLayer\", \"name\": \"b\", \"inbound_nodes\": [], \"config\": "      \
    "{\"batch_input_shape\": [null, 4]}}"
#define FROM_INPUT "[[[\"in\", 0, 0, {}]]]"

static const refusal bad_configs[] = {
    {NULL, WAIO_EINPUT, "weights only"},
    {"", WAIO_EINPUT, "not valid JSON"},
    {"{\"class_name\": \"Functional\", ", WAIO_EINPUT, "not valid JSON"},
    {"[1, 2]", WAIO_EINPUT, "class_name"},
    {"{\"class_name\": \"Mine\", \"config\": {}}", WAIO_EUNSUPPORTED, "class Mine"},
    {"{\"class_name\": \"Sequential\", \"config\": {\"layers\": []}}", WAIO_EINPUT, "no layers"},
    {"{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": \"Flatten\", "
     "\"config\": {\"name\": \"x\"}}]}}",
     WAIO_EINPUT, "shape of the input"},
    {FUNCTIONAL(INPUT2("[null, null, 4, 3]"), "in"), WAIO_EUNSUPPORTED, "left open"},
    {FUNCTIONAL(INPUT2("[null, 4, -4, 3]"), "in"), WAIO_EINPUT, "dimension 2"},
    {FUNCTIONAL(INPUT2("[null, 4]") LAYER2("Flatten", "in", "", FROM_INPUT), "in"), WAIO_EINPUT,
     "two layers"},
    {ONE_LAYER("LSTM", "", FROM_INPUT), WAIO_EUNSUPPORTED, "layer \"x\" (LSTM)"},
    {ONE_LAYER("LSTM", "", FROM_INPUT), WAIO_EUNSUPPORTED, "SeparableConv2D"},
    {ONE_LAYER("Flatten", "", "[[[\"nowhere\", 0, 0, {}]]]"), WAIO_EINPUT, "\"nowhere\""},
    {ONE_LAYER("Flatten", "", "[[[\"x\", 0, 0, {}]]]"), WAIO_EINPUT, "depends on its output"},
    {ONE_LAYER("Flatten", "", "[[[\"in\", 0, 7, {}]]]"), WAIO_EINPUT, "tensor 7"},
    {ONE_LAYER("Flatten", "", "[[[\"x\", 5, 0, {}]]]"), WAIO_EINPUT, "node 5"},
    {ONE_LAYER("Flatten", "", "[[[\"in\"]]]"), WAIO_EINPUT, "not [layer, node, tensor]"},
    {ONE_LAYER("Flatten", "", "[]"), WAIO_EINPUT, "node 0"},
    {ONE_LAYER("Flatten", "", "[{\"args\": [1], \"kwargs\": [1]}]"), WAIO_EINPUT, "kwargs"},
    {ONE_LAYER("Flatten", "", "[{\"args\": [\"in\"]}]"), WAIO_EUNSUPPORTED, "no tensor or number"},
    {ONE_LAYER("Flatten", "", "[{\"args\": [1]}]"), WAIO_EUNSUPPORTED, "with a number"},
    {ONE_LAYER("Add", "", FROM_INPUT), WAIO_EINPUT, "1 inputs"},
    {ONE_LAYER("Dropout", "", "[[[\"in\", 0, 0, {\"training\": true}]]]"), WAIO_EUNSUPPORTED,
     "training=True"},
    {ONE_LAYER("MaxPooling2D", ", \"data_format\": \"channels_first\"", FROM_INPUT),
     WAIO_EUNSUPPORTED, "channels_first"},
    {ONE_LAYER("MaxPooling2D", ", \"pool_size\": [9, 9]", FROM_INPUT), WAIO_EINPUT, "does not fit"},
    {ONE_LAYER("MaxPooling2D", ", \"pool_size\": [2, 2, 2]", FROM_INPUT), WAIO_EINPUT, "pool_size"},
    {ONE_LAYER("MaxPooling2D", ", \"strides\": 1.5", FROM_INPUT), WAIO_EINPUT, "strides"},
    {ONE_LAYER("MaxPooling2D", ", \"padding\": \"causal\"", FROM_INPUT), WAIO_EUNSUPPORTED,
     "causal"},
    {ONE_LAYER("BatchNormalization", ", \"axis\": 1", FROM_INPUT), WAIO_EUNSUPPORTED, "axis 1"},
    {ONE_LAYER("Concatenate", ", \"axis\": 9", FROM_INPUT), WAIO_EINPUT, "axis"},
    {ONE_LAYER("Activation", ", \"activation\": \"gelu\"", FROM_INPUT), WAIO_EUNSUPPORTED, "gelu"},
    {ONE_LAYER("ReLU", ", \"negative_slope\": 0.1", FROM_INPUT), WAIO_EUNSUPPORTED,
     "negative_slope"},
    {ONE_LAYER("Reshape", ", \"target_shape\": [7, -1, -1]", FROM_INPUT), WAIO_EINPUT,
     "target_shape"},
    {ONE_LAYER("Permute", ", \"dims\": [1, 1, 2]", FROM_INPUT), WAIO_EINPUT, "permutation"},
    {ONE_LAYER("Rescaling", ", \"scale\": [1, [2]]", FROM_INPUT), WAIO_EINPUT, "scale"},
    {ONE_LAYER("Conv2D", ", \"kernel_size\": 3", FROM_INPUT), WAIO_EINPUT, "\"filters\""},
    {ONE_LAYER("Conv2D", ", \"filters\": 4, \"kernel_size\": 3", FROM_INPUT), WAIO_EINPUT,
     "no group /model_weights/x"},
    {"{\"class_name\": \"Model\", \"config\": [" INPUT2("[null, 4]") "]}", WAIO_EINPUT,
     "list of references"},
    {MODEL(INPUT2("[null, 4]"), "[]", "[]"), WAIO_EINPUT, "no inputs or no outputs"},
    {MODEL(INPUT2("[null, 4]") SECOND_INPUT, "[[\"in\", 0, 0], [\"b\", 0, 0]]", "[[\"in\", 0, 0]]"),
     WAIO_EUNSUPPORTED, "2 inputs"},
    {MODEL(INPUT2("[null, 4]") SECOND_INPUT, "[[\"in\", 0, 0]]", "[[\"b\", 0, 0]]"), WAIO_EINPUT,
     "not among the inputs"},
};

static void check_bad_configs(void)
{
    for (size_t i = 0; i < sizeof bad_configs / sizeof *bad_configs; i++) {
        const refusal *bad = &bad_configs[i];
        waio_graph *graph = NULL;
        write_model(bad->config, conv_weights, CONV_WEIGHTS, false);
        CHECK_FAILS(import(&graph), bad->code, bad->part);
        CHECK(strstr(waio_error_message(), path), "no path in: %s", waio_error_message());
        CHECK(graph == NULL, "a graph in spite of the error");
    }
}

static const struct {
    int index;   /* of conv_weights */
    dataset bad; /* replaces it; layer NULL: it is left out, with its name */
    const char *part;
} bad_weights[] = {
    {0,
     {"conv", "conv/kernel:0", 4, {3, 3, 3, 4}, 0, NULL},
     "layer \"conv\" (Conv2D): kernel is 3x3x3x4, expected 3x2x3x4"},
    {0, {"conv", "conv/kernel:0", 3, {6, 3, 4}, 0, NULL}, "kernel is 6x3x4, expected 3x2x3x4"},
    {0, {"conv", "conv/kernel:0", 4, {3, 2, 3, 4}, NAN, NULL}, "conv/kernel:0: number 1 is NaN"},
    {1, {"conv", "conv/bias:0", 1, {4}, INFINITY, NULL}, "conv/bias:0: number 1 is infinite"},
    {1, {"conv", "conv/bias:0", 1, {4}, 0, "written"}, "conv/bias:0 is missing"},
    {1, {"conv", "conv/bias:0", 1, {4}, 0, "float"}, "floating-point"},
    {1, {NULL, NULL, 0, {0}, 0, NULL}, "1 weights for it, expected 2"},
    {6, {"dense", "dense/bias:0", 1, {3}, 0, NULL}, "bias is 3, expected 2"},
};

static void check_bad_weights(void)
{
    for (size_t i = 0; i < sizeof bad_weights / sizeof *bad_weights; i++) {
        dataset weights[CONV_WEIGHTS];
        waio_graph *graph = NULL;
        int count = 0;
        for (int k = 0; k < CONV_WEIGHTS; k++) {
            const dataset *d = k == bad_weights[i].index ? &bad_weights[i].bad : &conv_weights[k];
            if (d->layer)
                weights[count++] = *d;
        }
        write_model(conv_net, weights, count, false);
        CHECK_FAILS(import(&graph), WAIO_EINPUT, bad_weights[i].part);
    }
}

/* Models of models of models: 2^30 calls of the innermost, written down in a few lines. */
static void check_explosion(void)
{
    size_t room = 1 << 20;
    char *inner = malloc(room), *outer = malloc(room);

    snprintf(inner, room,
             "{\"class_name\": \"Functional\", \"name\": \"m\", \"config\": {\"name\": \"m\", "
             "\"layers\": [" INPUT2("[null, 4]")
                 LAYER2("Flatten", "f", "", FROM_INPUT) "], \"input_layers\": [[\"in\", 0, 0]], "
                                                        "\"output_layers\": [[\"f\", 0, 0]]}");
    for (int level = 0; level < 30; level++) {
        snprintf(outer, room,
                 "{\"class_name\": \"Functional\", \"name\": \"m\", \"config\": {\"name\": \"m\", "
                 "\"layers\": [" INPUT2("[null, 4]") ", %s, \"inbound_nodes\": "
                                                     "[[[\"in\", 0, 0]], [[\"m\", 1, 0]]]}], "
                                                     "\"input_layers\": [[\"in\", 0, 0]], "
                                                     "\"output_layers\": [[\"m\", 2, 0]]}",
                 inner);
        char *swap = inner;
        inner = outer;
        outer = swap;
    }
    snprintf(outer, room, "%s}", inner);
    write_model(outer, NULL, 0, false);
    waio_graph *graph = NULL;
    CHECK_FAILS(import(&graph), WAIO_EUNSUPPORTED, "calls of layers");
    free(inner);
    free(outer);
}

static void check_no_files(void)
{
    waio_graph *graph = NULL;

    CHECK_FAILS(waio_import_keras_h5(&graph, "/nonexistent/model.h5"), WAIO_EINPUT, "model.h5");
    CHECK_FAILS(waio_import_keras_h5(&graph, folder), WAIO_EINPUT, folder);
    write_bytes((const unsigned char *)"not HDF5", 8);
    CHECK_FAILS(import(&graph), WAIO_EINPUT, "not an HDF5 file");
    write_bytes((const unsigned char *)"", 0);
    CHECK_FAILS(import(&graph), WAIO_EINPUT, path);
}

/* ---- damage ---- */

/* Imports the file as it is: anything but a crash will do, but an error has to be told. */
static bool survives(void)
{
    waio_graph *graph = NULL;

    waio_error_clear();
    waio_status st = import(&graph);
    CHECK((st == WAIO_OK) == (graph != NULL), "status %d with%s graph", (int)st,
          graph ? "" : "out");
    CHECK(st == WAIO_OK || strstr(waio_error_message(), path), "message \"%s\"",
          waio_error_message());
    waio_graph_free(graph);
    return st == WAIO_OK;
}

static void check_damage(bool variable)
{
    waio_arena *arena = waio_arena_new();
    waio_rng rng = {7};
    unsigned char *good = NULL;
    size_t size = 0, config = 0, loaded = 0;

    write_model(conv_net, conv_weights, CONV_WEIGHTS, variable);
    CHECK_OK(waio_file_read(&good, &size, path, arena));
    CHECK(size > 2048, "%zu bytes", size);
    for (size_t length = 0; length < size; length += 1 + size / 100) {
        write_bytes(good, length);
        CHECK(!survives(), "%zu of %zu bytes made a network", length, size);
    }
    const unsigned char *text = memmem(good, size, conv_net, strlen(conv_net));
    CHECK(text != NULL, "model_config is not in the file");
    config = text ? (size_t)(text - good) : 0;
    for (int i = 0; i < FLIPS; i++) {
        /* Anywhere, in the first 2 KiB (where HDF5 keeps its structure), in the JSON. */
        size_t at = i % 3 == 0   ? waio_rng_below(&rng, size)
                    : i % 3 == 1 ? waio_rng_below(&rng, 2048)
                                 : config + waio_rng_below(&rng, strlen(conv_net));
        unsigned char old = good[at];
        good[at] ^= (unsigned char)(1 + waio_rng_below(&rng, 255));
        write_bytes(good, size);
        loaded += survives();
        good[at] = old;
    }
    fprintf(stderr, "damaged files: %zu of %d loaded all the same\n", loaded, FLIPS);
    CHECK(loaded < FLIPS, "no damage was ever noticed");
    write_bytes(good, size);
    CHECK(survives(), "the undamaged file");
    waio_arena_free(arena);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%s/waio_keras_XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) {
        fprintf(stderr, "cannot make a folder like %s\n", folder);
        return 1;
    }
    snprintf(path, sizeof path, "%s/model.h5", folder);
    check_conv_net(false);
    check_conv_net(true);
    check_shared();
    check_keras3();
    check_bad_configs();
    check_bad_weights();
    check_explosion();
    check_no_files();
    check_damage(false);
    check_damage(true);
    unlink(path);
    rmdir(folder);
    return waio_check_result();
}
